import { mkdirSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { codeOf, epoch, newKey, newPlace, sdist } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';

const THEN = epoch('2026-03-01T12:00:00Z');

let key: TestKey;
beforeAll(async () => {
  key = await newKey('Ada');
});

/** A published directory; the test gives the settings. */
async function published(
  settings: object = {},
  archives = { 'lantern-1.0.tar.gz': sdist('lantern', '1.0') },
): Promise<Place> {
  const place = newPlace();
  place.write('key.asc', key.signing);
  place.write('dist/packsign.json', JSON.stringify(settings));
  for (const [name, bytes] of Object.entries(archives)) place.write(`dist/${name}`, bytes);
  const run = await place.packsign(['build', 'dist', '--key', 'key.asc', '--first', '--deterministic'], {
    env: THEN,
  });
  expect(run.status, run.stderr).toBe(0);
  return place;
}

async function pageOf(place: Place, ...args: readonly string[]): Promise<string> {
  const run = await place.packsign(['page', 'dist', ...args]);
  expect(run.status, run.stderr).toBe(0);
  return place.text('dist/index.html');
}

describe('packsign page', () => {
  it.each([
    'https://example.org/dist/',
    'https://example.org/dist',
    'https://example.org/dist/packages.plist',
  ])('gives lines that fetch the files, where the settings give %s', async (Database) => {
    const place = await published({ Database });
    const html = await pageOf(place);
    const at = 'https://example.org/dist';
    expect(html).toContain(
      `curl -gfsSL -o packages.plist ${at}/packages.plist -o packages.plist.asc ${at}/packages.plist.asc -o keys.asc ${at}/keys.asc`,
    );
    expect(html).toContain(`packsign trust add ${at}/packages.plist --fingerprint ${key.fingerprint}`);
    expect(place.text('dist/packages.plist')).toContain(`<string>${at}/packages.plist</string>`);
  });

  it('writes one page with its assets, with maintainer, dates, full fingerprint, key and hash', async () => {
    const place = await published({ Maintainer: 'Ada <ada@example.org>', Description: 'Lamps' });
    const { status, value } = await place.json(['page', 'dist']);
    expect(status).toBe(0);
    expect(value).toMatchObject({ page: 'dist/index.html', unchanged: false });
    const html = place.text('dist/index.html');
    const database = place.text('dist/packages.plist');
    expect(html).toContain('<h1><bdi>Lamps</bdi></h1>');
    expect(html).toContain('Ada &lt;ada@example.org&gt;');
    expect(html).toContain('<time datetime="2026-03-01T12:00:00Z">1 March 2026</time>');
    for (const group of key.fingerprint.match(/.{4}/g) ?? []) expect(html).toContain(`<b>${group}</b>`);
    expect(html).toContain('-----BEGIN PGP PUBLIC KEY BLOCK-----');
    expect(html).toContain(/<key>SHA256<\/key>\s*<string>(\w+)</.exec(database)![1]);
    expect(html).toContain(`--fingerprint ${key.fingerprint}`);
    for (const [, name] of html.matchAll(/(?:src|href)="(assets\/[^"]+)"/g))
      expect(place.has(`dist/${name}`), name).toBe(true);
    // The LGPL, the licence of OpenPGP.js, requires both texts.
    expect(html).toMatch(/openpgp\/LICENSE\.txt".*openpgp\/GPL-3\.0\.txt"/);
  });

  it('gives a command that trusts the database as it is signed, where fewer than all of the keys sign', async () => {
    const place = await published();
    const bob = await newKey('Bob');
    place.write('bob.pub.asc', bob.certificate);
    const signers = [key, bob].flatMap(({ fingerprint }) => ['--signers', fingerprint]);
    for (const args of [
      ['key', 'publish', 'dist', '--certificate', 'bob.pub.asc'],
      ['build', 'dist', '--key', 'key.asc', ...signers],
    ]) {
      const run = await place.packsign(args);
      expect(run.status, run.stderr).toBe(0);
    }
    const [line = ''] = /packsign trust add [^<\n]*/.exec(await pageOf(place)) ?? [];
    expect(line).toContain(` --fingerprint ${bob.fingerprint}`);
    const options = line.slice(line.indexOf(' --fingerprint')).trim().split(' ');
    const added = await place.packsign(['trust', 'add', `file://${place.path('dist')}`, ...options]);
    expect(added.status, added.stderr).toBe(0);
  });

  it('is reproducible, and says if it wrote nothing', async () => {
    const [one, other] = [await published(), await published()];
    expect(one.text('dist/packages.plist')).toBe(other.text('dist/packages.plist'));
    expect(await pageOf(one)).toBe(await pageOf(other));
    expect(one.snapshot('dist/assets')).toEqual(other.snapshot('dist/assets'));
    expect((await one.json(['page', 'dist'])).value).toMatchObject({ unchanged: true });
  });

  it('names each file by its path, once as a link', async () => {
    const html = (await pageOf(await published())).split('<div id="list">')[1]!;
    const hash = /<code>([0-9a-f]{64})<\/code>/.exec(html)![1]!;
    expect(html.split(hash)).toHaveLength(2);
    expect(html.split('<a href="lantern-1.0.tar.gz">lantern-1.0.tar.gz</a>')).toHaveLength(2);
    expect(html.split('lantern-1.0.tar.gz')).toHaveLength(3);
  });

  it('says nothing of flavors and installers, which only PackMan knows', async () => {
    const place = await published({ Packages: { 'lantern-1.0.tar.gz': { Flavor: 'installer' } } });
    const html = await pageOf(place);
    expect(place.text('dist/packages.plist')).toContain('<string>installer</string>');
    expect(html).not.toMatch(/flavor|installer/i);
  });

  it('has an icon of its own, which is no closed padlock', async () => {
    const place = await published();
    const html = await pageOf(place);
    const [, icon = ''] = /<link rel="icon" href="([^"]+)" type="image\/svg\+xml">/.exec(html)!;
    const [, shackle = ''] = /class="shackle" d="([^"]+)"/.exec(html)!;
    expect(place.text(`dist/${icon}`)).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="/);
    expect(place.text(`dist/${icon}`)).not.toContain(shackle);
  });

  it('leaves a page alone that was edited by hand, unless the user forces it', async () => {
    const place = await published();
    const edited = (await pageOf(place)).replace('Compare the key', 'Compare my key');
    place.write('dist/index.html', edited);
    const answer = await place.json(['page', 'dist']);
    expect([answer.status, codeOf(answer)]).toEqual([1, 'PAGE_EDITED']);
    expect(place.text('dist/index.html')).toBe(edited);
    expect(await pageOf(place, '--force')).toContain('Compare the key');
    place.write('dist/index.html', '<h1>mine</h1>');
    expect((await place.packsign(['page', 'dist'])).stderr).toMatch(
      /edited by hand.*left alone[^]*hint: .*--force/,
    );
  });

  it('takes a template of the user, and escapes its texts too', async () => {
    const place = await published({ Description: '<b>&"' });
    mkdirSync(place.path('mine/pictures'), { recursive: true });
    writeFileSync(
      place.path('mine/index.eta'),
      '<p><%= it.title %></p><img src="<%= it.assets %>/pictures/a.svg">\n',
    );
    writeFileSync(place.path('mine/pictures/a.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
    const html = await pageOf(place, '--template', 'mine');
    expect(html).toContain('<p>&lt;b&gt;&amp;&quot;</p>');
    expect(place.has(`dist/${/assets\/[^"]+a.svg/.exec(html)![0]}`)).toBe(true);
  });

  it('refuses a template that fails, and a folder without one', async () => {
    const place = await published();
    mkdirSync(place.path('mine'));
    writeFileSync(place.path('mine/index.eta'), '<%= it.nothing.there %>');
    const answer = await place.json(['page', 'dist', '--template', 'mine']);
    expect([answer.status, codeOf(answer)]).toEqual([2, 'TEMPLATE_INVALID']);
    expect(codeOf(await place.json(['page', 'dist', '--template', 'nowhere']))).toBe('DIRECTORY_UNREADABLE');
    expect(place.has('dist/index.html')).toBe(false);
  });

  it('shows only a published database that verifies', async () => {
    const place = newPlace();
    expect(codeOf(await place.json(['page', 'dist']))).toBe('NOT_PUBLISHED');
    const tampered = await published();
    tampered.write('dist/packages.plist', tampered.text('dist/packages.plist').replace('lantern', 'lanterm'));
    expect(codeOf(await tampered.json(['page', 'dist']))).toBe('PREVIOUS_INVALID');
    expect(tampered.has('dist/index.html')).toBe(false);
  });

  it('shows what the database changed', async () => {
    const place = await published({}, {
      'lantern-1.0.tar.gz': sdist('lantern', '1.0'),
      'lamp-1.0.tar.gz': sdist('lamp', '1.0'),
    } as never);
    expect(await pageOf(place)).toContain('first database');
    place.remove('dist/lamp-1.0.tar.gz');
    place.write('dist/lantern-1.1.tar.gz', sdist('lantern', '1.1'));
    place.write('dist/lantern-1.0.tar.gz', sdist('lantern', '1.0', 'x = 2\n'));
    const build = [
      'build',
      'dist',
      '--key',
      'key.asc',
      '--allow-changed',
      'lantern-1.0.tar.gz',
      '--reason',
      'built <again>',
    ];
    expect((await place.packsign(build, { env: epoch('2026-03-02T12:00:00Z') })).status).toBe(0);
    const html = (await pageOf(place)).replace(/<\/?(?:strong|code|bdi)>/g, '');
    expect(html).toContain('added lantern-1.1.tar.gz');
    expect(html).toContain('replaced lantern-1.0.tar.gz: built &lt;again&gt;');
    expect(html).toContain('withdrawn lamp-1.0.tar.gz');
  });

  it('marks yanked files with the reason, and does not link to them', async () => {
    const place = await published({ Packages: { 'lantern-1.0.tar.gz': { Yanked: 'loses the <flame>' } } });
    const html = await pageOf(place);
    expect(html).toContain('Yanked: <bdi>loses the &lt;flame&gt;</bdi>');
    expect(html).not.toContain('href="lantern-1.0.tar.gz"');
  });
});

describe('a page that follows publications', () => {
  const assetOf = (place: Place, name: string) =>
    `dist/${/src="(assets\/[^/]+)\//.exec(place.text('dist/index.html'))![1]}/${name}`;
  const build = ['build', 'dist', '--key', 'key.asc'];

  it('is repaired by the next build, whatever was lost, damaged or cut short', async () => {
    const place = await published({ Page: true });
    const page = place.text('dist/index.html');
    const script = assetOf(place, 'page.js');
    const whole = place.text(script);
    place.write(script, whole.replace('a', 'b'));
    expect((await place.packsign(build, { env: THEN })).stderr).toBe('');
    expect(place.text(script)).toBe(whole);
    for (const length of [0, 1, page.length - 1]) {
      place.write('dist/index.html', page.slice(0, length));
      expect((await place.packsign(build, { env: THEN })).stderr).toBe('');
      expect(place.text('dist/index.html')).toBe(page);
    }
    place.write('dist/index.html', `${page}<!-- mine -->`);
    expect((await place.packsign(build, { env: THEN })).stderr).toContain('edited by hand and left alone');
    expect(place.text('dist/index.html')).toContain('mine');
    // What writes nothing says the same.
    for (const command of [
      ['status', 'dist'],
      ['build', 'dist', '--check'],
    ]) {
      const run = await place.packsign(command, { env: THEN });
      expect([run.status, run.stderr]).toEqual([
        1,
        expect.stringContaining('edited by hand and left alone: run packsign page --force'),
      ]);
    }
  });

  it('is repaired by a build without a key, too', async () => {
    const place = await published({ Page: true });
    const page = place.text('dist/index.html');
    place.write('dist/index.html', page.slice(0, 300));
    const check = await place.packsign(['build', 'dist', '--check'], { env: THEN });
    expect(check.stderr).toContain('index.html: is missing or out of date');
    const run = await place.packsign(['build', 'dist'], { env: THEN });
    expect([run.status, run.stderr]).toEqual([0, 'packsign: put back index.html\n']);
    expect(place.text('dist/index.html')).toBe(page);
  });

  it('is repaired by the next signature after a run that was killed before the page', async () => {
    const place = await published({ Page: true });
    const page = place.text('dist/index.html');
    place.remove('dist/index.html');
    place.write('dist/packages.unsigned.plist', place.text('dist/packages.plist'));
    const run = await place.packsign(['sign', 'dist', '--key', 'key.asc'], { env: THEN });
    expect([run.status, run.stdout]).toEqual([0, 'nothing waits to be signed in dist\n']);
    expect(place.text('dist/index.html')).toBe(page);
    expect(place.has('dist/packages.unsigned.plist')).toBe(false);
  });

  it('has lines for SHA256SUMS as long as that of its database is there', async () => {
    const place = await published({ Page: true });
    const build = ['build', 'dist', '--key', 'key.asc'];
    const hasLines = () => place.text('dist/index.html').includes('sha256sum --check --ignore-missing');
    const run = async (date: string, ...args: readonly string[]) => {
      const { status, stderr } = await place.packsign([...build, ...args], { env: epoch(date) });
      expect([status, stderr]).toEqual([0, expect.not.stringContaining('index.html')]);
    };
    expect(hasLines()).toBe(false);
    await run('2026-03-01T12:00:00Z', '--checksums');
    expect(hasLines()).toBe(true);
    place.remove('dist/SHA256SUMS.asc');
    await run('2026-03-01T12:00:00Z');
    expect(hasLines()).toBe(false);
    await run('2026-03-01T12:00:00Z', '--checksums');
    expect(hasLines()).toBe(true);
    place.write('dist/lantern-1.1.tar.gz', sdist('lantern', '1.1'));
    // The old list stays, and is of the old database.
    await run('2026-03-02T12:00:00Z');
    expect([place.has('dist/SHA256SUMS'), hasLines()]).toEqual([true, false]);
    expect(
      (await place.packsign([...build, '--check'], { env: epoch('2026-03-02T12:00:00Z') })).stderr,
    ).not.toContain('index.html');
  });

  it('gives no warning about a template of the user while the page shows the database', async () => {
    const place = await published({ Page: true });
    mkdirSync(place.path('mine'));
    writeFileSync(place.path('mine/page.css'), 'body { color: red }');
    const page = await pageOf(place, '--template', 'mine');
    expect((await place.packsign(build, { env: THEN })).stderr).toBe('');
    place.write('dist/lantern-1.1.tar.gz', sdist('lantern', '1.1'));
    const run = await place.packsign(build, { env: epoch('2026-03-02T12:00:00Z') });
    expect(run.stderr).toContain('was made with --template and left alone');
    expect(place.text('dist/index.html')).toBe(page);
  });

  it.each([
    ['status', 'dist'],
    ['build', 'dist', '--check'],
  ])('a folder in its place needs attention: %s %s', async (...command) => {
    const place = await published({ Page: true });
    place.remove('dist/index.html');
    mkdirSync(place.path('dist/index.html'));
    const run = await place.packsign(command, { env: THEN });
    expect([run.status, run.stdout]).toEqual([
      1,
      expect.stringContaining('files of the publication are missing'),
    ]);
    expect(run.stderr).toContain('index.html: was not written: dist/index.html is not a regular file');
  });
});

describe('hostile content on the page (T18)', () => {
  const evil = {
    Maintainer: '"><script>alert(1)</script>',
    Description: `</title><img src=x onerror=alert(1)> ${'\u05d0'.repeat(3000)}`,
    Database: "https://example.org/$(id);'`x`/packages.plist",
    Mirrors: ['https://example.org/"onmouseover="alert(1)'],
    Trusts: [
      {
        URL: 'https://evil.example/"><script>/packages.plist',
        Fingerprints: ['0'.repeat(40)],
        Maintainer: '<script>',
      },
    ],
    Packages: {
      lantern: { Description: '<script>alert(2)</script>' },
      lamp: {
        Name: "<img/src='x'>",
        Description: 'x'.repeat(60_000),
        'Install-test': 'pass',
        'Home-page': 'https://x/"><script>',
      },
    },
  };
  let html: string;
  beforeAll(async () => {
    html = await pageOf(await published(evil));
  });

  it('becomes text', () => {
    expect(html).not.toMatch(/<script(?! src="assets\/packsign-[0-9a-f]{12}\/page\.js" defer><\/script>)/);
    expect(html).not.toMatch(/<img|"onmouseover/);
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  });

  it('cannot escape the quotes of a line that people paste', () => {
    const [line] = /packsign trust add [^\n]+/.exec(html)!;
    expect(line).toBe(
      `packsign trust add &#39;https://example.org/$(id);&#39;\\&#39;&#39;%60x%60/packages.plist&#39; --fingerprint ${key.fingerprint}`,
    );
  });

  it('is cut to a readable length', () => {
    expect(html.length).toBeLessThan(60_000);
  });
});

describe('packsign serve', () => {
  it('prints the address, and needs a directory', async () => {
    const place = newPlace();
    expect(codeOf(await place.json(['serve', 'nowhere']))).toBe('DIRECTORY_UNREADABLE');
    expect(codeOf(await place.json(['serve', 'dist', '--port', 'http']))).toBe('USAGE');
    expect(codeOf(await place.json(['serve', 'dist', '--port', '70000']))).toBe('USAGE');
  });
});
