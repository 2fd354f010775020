import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodePackMan } from '../../src/format/packman.js';
import { codeOf, newKey, newPlace, sdist } from '../packsign.js';
import { given } from '../tools.js';

const FOLDER = process.env['PACKSIGN_HISTORICAL'] ?? resolve('../shared/data/historical');
const databases = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.plist')) : [];
const hasHistory = given(databases.length > 0, `there are no historical databases in ${FOLDER}`);

const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0">';

function document(...packages: readonly string[]): Buffer {
  const entries = packages.map((fields) => `<dict>${fields}</dict>`).join('');
  return Buffer.from(
    `${HEAD}<dict><key>Maintainer</key><string>Jack</string><key>Packages</key><array>${entries}</array></dict></plist>`,
  );
}

function field(key: string, value: string): string {
  return `<key>${key}</key><string>${value}</string>`;
}

describe('a database that was made for PackMan', () => {
  test.runIf(hasHistory)(
    'each of the historical ones is listed, with an open padlock and its MD5 sums',
    async () => {
      const place = newPlace();
      for (const name of databases) {
        const text = readFileSync(join(FOLDER, name), 'latin1').replace(/<!--[^]*?-->/g, '');
        const { status, value } = await place.json(['list', join(FOLDER, name), '--allow-unauthenticated']);
        expect(status, name).toBe(0);
        expect(value).toMatchObject({
          status: 'unauthenticated',
          code: 'NOT_PINNED',
          format: 'packman',
          sha256: expect.any(String) as string,
        });
        const packages = value['packages'] as readonly Record<string, unknown>[];
        expect(packages).toHaveLength(text.split('<key>Name</key>').length - 1 - countPrerequisites(text));
        expect(packages.filter(({ md5 }) => md5 !== null)).toHaveLength(
          text.split('<key>MD5Sum</key>').length - 1,
        );
      }
    },
  );

  test('is refused where a key is named: it has no signature', async () => {
    const place = newPlace();
    place.write('old.plist', document(field('Name', 'a')));
    place.write('keys.asc', '');
    const { status, value } = await place.json(['list', 'old.plist', '--fingerprint', 'A'.repeat(40)]);
    expect(status).not.toBe(0);
    expect(value['packages'] ?? []).toEqual([]);
  });

  test.each([
    ['an entity', `<!DOCTYPE plist [<!ENTITY a "b">]><plist version="1.0"><dict/></plist>`],
    ['a section that is not parsed', `${HEAD}<dict><key>Packages</key><![CDATA[x]]></dict></plist>`],
    ['an unknown element', `${HEAD}<dict><b/></dict></plist>`],
    ['an attribute', `${HEAD}<dict class="x"/></plist>`],
    ['a bare ampersand', `${HEAD}<dict><key>a & b</key><string/></dict></plist>`],
    ['a second root', `${HEAD}<dict/></plist><plist version="1.0"><dict/></plist>`],
    ['no end', `${HEAD}<dict>`],
    ['elements that do not match', `${HEAD}<dict></array></plist>`],
    ['a depth of a thousand', HEAD + '<array>'.repeat(1000)],
    ['another dialect', '{ Packages = (); }'],
    ['the binary one', 'bplist00'],
    ['no packages', `${HEAD}<dict/></plist>`],
  ])('with %s is no database', async (_, text) => {
    await expect(decodePackMan(Buffer.from(text))).rejects.toMatchObject({ code: 'DATABASE_MALFORMED' });
  });

  test.each([
    ['comments without an end', '<!--', 500_000],
    ['tags without an end', '<string', 300_000],
    ['bare ampersands', '&', 2_000_000],
    ['elements beyond all use', '<true/>', 600_000],
  ])('with nothing but %s is refused in time', async (_, written, count) => {
    const items = written.repeat(count);
    const text = `${HEAD}<dict><key>Packages</key><array>${items}</array></dict></plist>`;
    await expect(decodePackMan(Buffer.from(text))).rejects.toMatchObject({ code: 'DATABASE_MALFORMED' });
  });

  test.each([
    ['plain text', 'a', 'a'],
    ['references', '&#65;', 'A'],
    ['comments', '<!---->', ''],
  ])('is read with megabytes of %s in one string', async (_, written, meant) => {
    const count = Math.floor(15_000_000 / written.length);
    const { packages } = await decodePackMan(document(field('Name', `${written.repeat(count)}b`)));
    // Whether, not what: a report of the difference would take minutes.
    expect(packages[0]?.['Name'] === `${meant.repeat(count)}b`).toBe(true);
  });

  test('is read with comments in it, and with any key', async () => {
    const text = document(
      `<!-- <key>Old</key> -->${field('Name', 'a<!-- x -->b')}${field('__proto__', 'x')}`,
    );
    const outcome = decodePackMan(text);
    await expect(outcome).rejects.toMatchObject({ code: 'DATABASE_MALFORMED' });
    const plain = await decodePackMan(document(`<!-- x -->${field('Name', 'a<!-- x -->b')}`));
    expect(plain.packages).toEqual([{ Name: 'ab' }]);
  });
});

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex');
}

function countPrerequisites(text: string): number {
  const parts = text.match(/<key>Prerequisites<\/key>\s*<array>[^]*?<\/array>/g) ?? [];
  return parts.reduce((sum, part) => sum + part.split('<key>Name</key>').length - 1, 0);
}

describe('build --import', () => {
  const FOREIGN = document(
    [
      ...[field('Name', 'demo'), field('Version', '1.0'), field('Flavor', 'source')],
      ...[field('Description', 'does what it says'), field('Home-page', 'https://example.org/')],
      ...[
        field('Download-URL', 'http://old.example.org/demo-1.0.tar.gz'),
        field('MD5Sum', md5(sdist('demo', '1.0')).toUpperCase()),
      ],
      ...[field('Install-test', 'import demo'), field('Post-install-command', 'echo done')],
      '<key>Prerequisites</key><array><dict><key>Name</key><string>tools</string><key>Version</key><string/></dict></array>',
    ].join(''),
    [
      field('Name', 'tools'),
      field('Description', 'by hand'),
      field('Install-test', 'raise ImportError'),
    ].join(''),
    [field('Name', 'lost'), field('Version', '3'), field('Download-URL', 'lost-3.tgz')].join(''),
  );

  test('finds no file in time for an address of nothing but question marks', async () => {
    const place = newPlace();
    const address = `lost-3.tgz${'?'.repeat(2_000_000)}\nx`;
    place.write('old.plist', document(`${field('Name', 'lost')}${field('Download-URL', address)}`));
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    place.write('key.asc', (await newKey('Ann')).signing);
    const { value } = await place.json(['build', 'dist', '--import', 'old.plist', '--key', 'key.asc']);
    expect(JSON.stringify(value['warnings'])).toContain('there is no lost-3.tgz here');
  });

  test('takes over what was written by hand, and what stood there is the one before', async () => {
    const place = newPlace();
    const key = await newKey('Ann');
    place.write('key.asc', key.signing);
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    place.write('dist/packages.plist', FOREIGN);
    place.write(
      'dist/packsign.json',
      '{"Packages": {"demo-1.0.tar.gz": {"Home-page": "https://mine.example.org/"}}}',
    );
    const refused = await place.json(['build', 'dist', '--key', 'key.asc']);
    expect([refused.status, codeOf(refused)]).toEqual([2, 'FOREIGN_DATABASE']);
    const { status, value } = await place.json([
      'build',
      'dist',
      '--import',
      'dist/packages.plist',
      '--key',
      'key.asc',
    ]);
    expect(status).toBe(0);
    expect(value['published']).toBe(true);
    expect(value['warnings']).toEqual([
      {
        code: 'NOT_IMPORTED',
        path: 'demo-1.0.tar.gz',
        message:
          '"Download-URL" was http://old.example.org/demo-1.0.tar.gz and is now demo-1.0.tar.gz; "Base-URL" in packsign.json makes it absolute',
      },
      {
        code: 'NOT_IMPORTED',
        path: null,
        message: 'lost 3 was not imported: there is no lost-3.tgz here',
      },
    ]);
    expect(JSON.parse(place.text('dist/packsign.json'))).toEqual({
      Maintainer: 'Jack',
      Packages: {
        'demo-1.0.tar.gz': {
          ...{ Name: 'demo', Version: '1.0', Flavor: 'source', Description: 'does what it says' },
          ...{ 'Home-page': 'https://mine.example.org/', 'Install-test': 'import demo' },
          ...{ Prerequisites: [{ Name: 'tools' }], 'Post-install-command': 'echo done' },
        },
        tools: { Name: 'tools', Description: 'by hand', 'Install-test': 'raise ImportError' },
      },
    });
    const database = place.text('dist/packages.plist');
    expect(database).toContain('<string>echo done</string>');
    expect(database).toContain('<string>raise ImportError</string>');
    expect(database).not.toContain('lost');
    expect(database).toContain(createHash('sha256').update(FOREIGN).digest('hex'));
    expect((await place.json(['verify', 'dist'])).value['status']).toBe('authentic');
    const again = await place.json(['build', 'dist']);
    expect(again.value['unchanged']).toBe(true);
  });

  describe('compares files with the MD5 and the size that were published', () => {
    const entry = (path: string, ...more: readonly string[]) =>
      [field('Name', 'demo'), field('Version', '1.0'), field('Download-URL', path), ...more].join('');
    const RIGHT = md5(Buffer.from('right'));
    const importing = async (text: Buffer, more: readonly string[] = []) => {
      const place = newPlace();
      place.write('dist/demo-1.0.zip', 'wrong');
      place.write('dist/more-1.0.zip', 'other');
      place.write('dist/a/same-1.0.zip', 'wrong');
      place.write('dist/b/same-1.0.zip', 'right');
      place.write('old.plist', text);
      const answer = await place.json(['build', 'dist', '--import', 'old.plist', ...more]);
      return { place, ...answer };
    };

    test('BYTES_CHANGED: names each file with both values, and writes nothing', async () => {
      const other = entry('http://a/x/more-1.0.zip', `<key>Size</key><integer>7</integer>`);
      const old = document(entry('http://a/demo-1.0.zip?x', field('MD5Sum', RIGHT)), other);
      for (const more of [[], ['--check'], ['--strict'], ['--first']]) {
        const { place, status, value } = await importing(old, more);
        expect([status, codeOf({ value } as never)]).toEqual([1, 'BYTES_CHANGED']);
        expect((value['error'] as { message: string }).message).toBe(
          [
            'files differ from those of the old database; nothing was imported:',
            `  demo-1.0.zip\n    was md5 ${RIGHT}\n    is  md5 ${md5(Buffer.from('wrong'))}, 5 bytes`,
            `  more-1.0.zip\n    was 7 bytes\n    is  md5 ${md5(Buffer.from('other'))}, 5 bytes`,
          ].join('\n'),
        );
        expect((value['error'] as { hint: string }).hint).toContain(
          '--allow-changed demo-1.0.zip --reason TEXT',
        );
        expect([place.has('dist/packsign.json'), place.has('dist/packages.unsigned.plist')]).toEqual([
          false,
          false,
        ]);
      }
    });

    test.each([
      ['no MD5', field('MD5Sum', 'none')],
      ['half an MD5', field('MD5Sum', md5(Buffer.from('wrong')).slice(1))],
      ['an MD5 as data', '<key>MD5Sum</key><data>AAAA</data>'],
      ['another size', '<key>Size</key><string>4</string>'],
    ])('refuses %s too', async (_, text) => {
      expect(codeOf(await importing(document(entry('demo-1.0.zip', text))))).toBe('BYTES_CHANGED');
    });

    test('the reason for a change is given as for any other', async () => {
      const old = document(entry('demo-1.0.zip', field('MD5Sum', RIGHT)));
      const { status } = await importing(old, ['--allow-changed', 'demo-1.0.zip', '--reason', 'lost']);
      expect(status).toBe(0);
    });

    test('takes the one that fits of two files with one name', async () => {
      const { place, status } = await importing(
        document(entry('http://a/same-1.0.zip', field('MD5Sum', RIGHT))),
      );
      expect(status).toBe(0);
      expect(
        Object.keys((JSON.parse(place.text('dist/packsign.json')) as { Packages: object }).Packages),
      ).toEqual(['b/same-1.0.zip']);
    });

    test('says what is not taken over', async () => {
      const old = Buffer.from(
        document(
          entry(
            'demo-1.0.zip',
            '<!-- x --><key>Odd</key><string>x</string><key>Prerequisites</key><array><integer>1</integer></array>',
            field('Description', 'f\u00fcr'),
            field('Flavor', 'sauce'),
            field('Install-test', ''),
          ),
        )
          .toString()
          .replace('<key>Packages', '<key>Owner</key><string>x</string><key>Packages'),
      );
      const { place, status, value } = await importing(old);
      expect(status).toBe(0);
      const said = (value['warnings'] as { code: string; message: string }[])
        .filter(({ code }) => code === 'NOT_IMPORTED')
        .map(({ message }) => message.replace(/: packsign.json.*/, ''));
      expect(said.sort()).toEqual([
        '"Flavor" was not imported',
        '"Odd" was not imported: PackMan knows no such key',
        '"Prerequisites" was not imported: its value has the wrong type',
        'comments were not imported',
        'had no MD5Sum: nothing shows that it is the file that was published',
        'the top-level "Owner" was not imported',
      ]);
      expect(JSON.parse(place.text('dist/packsign.json'))).toMatchObject({
        Packages: { 'demo-1.0.zip': { Name: 'demo', Version: '1.0', 'Install-test': '' } },
      });
    });
  });

  test('with --check writes nothing', async () => {
    const place = newPlace();
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    place.write('old.plist', FOREIGN);
    const before = place.snapshot();
    expect((await place.json(['build', 'dist', '--import', 'old.plist', '--check'])).status).toBe(1);
    expect(place.snapshot()).toEqual(before);
  });

  test('refuses a database of packsign', async () => {
    const place = newPlace();
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    await place.packsign(['build', 'dist']);
    const answer = await place.json(['build', 'dist', '--import', 'dist/packages.unsigned.plist']);
    expect([answer.status, codeOf(answer)]).toEqual([2, 'USAGE']);
  });
});
