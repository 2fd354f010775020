import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, truncateSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { PlistValue } from '../../src/format/plist.js';
import type { Place } from '../packsign.js';
import { fingerprint, forgeKey, subkeyOf } from '../pgp/forge.js';
import {
  AUTHENTIC,
  DEMO,
  ISSUED,
  OTHER,
  certificateFile,
  databaseText,
  dictAt,
  edited,
  insistOn,
  minutes,
  people,
  published,
  put,
  refused,
  replace,
  sha256,
  signatureFile,
  verdict,
  verify,
} from './scene.js';
import type { People } from './scene.js';

let known: People;

beforeAll(async () => {
  known = await people();
});

/** What a reader who pinned Ann says of a document that Ann signed properly. */
async function verdictOn(text: string | Uint8Array): Promise<readonly unknown[]> {
  return verdict(await verify(await published(known, text), '--no-files'));
}

const MALFORMED = refused('DATABASE_MALFORMED');

/** The text with one edit, which must really change it. */
function swapped(before: string, after: string): string {
  const text = databaseText({ signers: { Threshold: 1, Fingerprints: [fingerprint(known.ann)] } });
  expect(text).toContain(before);
  return text.replace(before, after);
}

function within(path: readonly string[], edit: (dict: Map<string, PlistValue>) => void): string {
  const text = databaseText({ signers: { Threshold: 1, Fingerprints: [fingerprint(known.ann)] } });
  const changed = edited(text, (document) => edit(dictAt(document, ...path)));
  expect(changed).not.toBe(text);
  return changed;
}

const ENTRY = ['Files', 'demo-1.0.tar.gz'] as const;

describe('T1: even signed, only the one canonical text of a value is read', () => {
  test.each<readonly [string, (text: string) => string | Uint8Array]>([
    ['a final line end', (text) => `${text}\n`],
    ['CRLF', (text) => text.replaceAll('\n', '\r\n')],
    ['a byte-order mark', (text) => `\ufeff${text}`],
    ['UTF-16', (text) => Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['tabs for spaces', (text) => text.replace('    <key>', '\t<key>')],
    ['a comment', (text) => text.replace('  <dict>\n', '  <dict>\n<!-- -->\n')],
    ['a character reference', (text) => text.replace('does demo', 'does &#100;emo')],
    [
      'an entity of its own',
      (text) => text.replace('PropertyList-1.0.dtd">', 'PropertyList-1.0.dtd" [<!ENTITY x "y">]>'),
    ],
    ['CDATA', (text) => text.replace('does demo', '<![CDATA[does demo]]>')],
    ['an empty element in long form', (text) => text.replace('<string/>', '<string></string>')],
    [
      'a key twice',
      (text) => text.replace('    <key>Description</key>\n    <string/>\n', (found) => found + found),
    ],
    ['keys out of order', (text) => swapTop(text)],
    ['a number with a leading zero', (text) => text.replace('<integer>1</integer>', '<integer>01</integer>')],
    ['a date with a fraction', (text) => text.replace('Z</date>', '.0Z</date>')],
    ['an upper-case hash', (text) => text.replace(sha256(DEMO), sha256(DEMO).toUpperCase())],
    ['a second document', (text) => text + text],
    ['JSON', () => '{"Packages": []}'],
    ['nothing', () => ''],
  ])('%s', async (_, spoil) => {
    const text = databaseText();
    expect(Buffer.from(spoil(text)).equals(Buffer.from(text))).toBe(false);
    expect(await verdictOn(spoil(text))).toEqual(MALFORMED);
  });

  function swapTop(text: string): string {
    const version = '    <key>Version</key>\n    <string>0.5</string>\n';
    const description = '    <key>Description</key>\n    <string/>\n';
    return text.replace(version, '').replace(description, description + version);
  }
});

type Member = readonly [key: string, value: PlistValue];

describe('T10: every required key is there, with its type', () => {
  test.each(['Version', 'Description', 'Packages', 'Files', 'Packsign'])('without %s', async (key) => {
    expect(await verdictOn(within([], (dict) => dict.delete(key)))).toEqual(MALFORMED);
  });

  test.each(['Format', 'Issued'])('without Packsign › %s', async (key) => {
    expect(await verdictOn(within(['Packsign'], (dict) => dict.delete(key)))).toEqual(MALFORMED);
  });

  test.each(['Name', 'Version', 'Flavor', 'Size', 'SHA256', 'Since'])('an entry without %s', async (key) => {
    expect(await verdictOn(within(ENTRY, (dict) => dict.delete(key)))).toEqual(MALFORMED);
  });

  test.each<readonly [string, PlistValue]>([
    ['short', sha256(DEMO).slice(1)],
    ['long', `${sha256(DEMO)}0`],
    ['upper-case', sha256(DEMO).toUpperCase()],
    ['of other letters', 'g'.repeat(64)],
    ['empty', ''],
    ['with a blank', ` ${sha256(DEMO).slice(1)}`],
    ['a number', 0],
    ['true', true],
    ['an array', [sha256(DEMO)]],
  ])('a hash that is %s', async (_, value) => {
    expect(await verdictOn(within(ENTRY, (dict) => dict.set('SHA256', value)))).toEqual(MALFORMED);
  });

  test('an MD5 in place of the SHA-256', async () => {
    const weak = within(ENTRY, (dict) => {
      dict.set('MD5Sum', 'd'.repeat(32));
      dict.delete('SHA256');
    });
    expect(await verdictOn(weak)).toEqual(MALFORMED);
  });

  test.each<readonly [string, readonly string[], Member]>([
    ['Size as text', ENTRY, ['Size', '3']],
    ['Since as text', ENTRY, ['Since', '2026-01-01T00:00:00Z']],
    ['Name as a number', ENTRY, ['Name', 1]],
    ['Name with a space', ENTRY, ['Name', 'de mo']],
    ['an empty Name', ENTRY, ['Name', '']],
    ['Name that is not ASCII', ENTRY, ['Name', 'démo']],
    ['Yanked as true', ENTRY, ['Yanked', true]],
    ['Files as an array', [], ['Files', []]],
    ['Packages as a dictionary', [], ['Packages', new Map()]],
    ['Packsign as text', [], ['Packsign', '1']],
    ['Version as a number', [], ['Version', 5]],
    ['Issued as text', ['Packsign'], ['Issued', '2026-01-01T00:00:00Z']],
    ['Expires as a number', ['Packsign'], ['Expires', 2_000_000_000]],
    ['Format as text', ['Packsign'], ['Format', '1']],
    ['Signers as an array', ['Packsign'], ['Signers', []]],
    ['Mirrors that are no addresses', ['Packsign'], ['Mirrors', ['file:///etc']]],
    ['Notify that runs something', ['Packsign'], ['Notify', 'javascript:alert(1)']],
    ['Database that is no web address', ['Packsign'], ['Database', 'ftp://example.org/packages.plist']],
    ['Previous that is no hash', ['Packsign'], ['Previous', '0']],
    ['an empty Maintainer', [], ['Maintainer', '']],
  ])('%s', async (_, path, member) => {
    expect(await verdictOn(within(path, (dict) => insert(dict, member)))).toEqual(MALFORMED);
  });

  // Where the format wants it, so that only the value is at fault.
  function insert(dict: Map<string, PlistValue>, [key, value]: Member): void {
    const order =
      'Version Maintainer Description Include Packages Files Packsign Format Database Issued Expires Previous Signers Notify Mirrors Name Flavor Size SHA256 Since Yanked'.split(
        ' ',
      );
    const members = Array.from(new Map(dict).set(key, value));
    if (!dict.has('SHA256')) members.sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
    dict.clear();
    for (const [name, member] of members) dict.set(name, member);
  }
});

describe('Signers', () => {
  const ANN = () => fingerprint(known.ann);
  const BOB = () => fingerprint(known.bob);

  test.each<readonly [string, () => [number, readonly string[]]]>([
    ['threshold 0', () => [0, [ANN()]]],
    ['a threshold above the number of signers', () => [2, [ANN()]]],
    ['no signers', () => [1, []]],
    ['a signer twice', () => [1, [ANN(), ANN()]]],
    ['signers out of order', () => [1, [ANN(), BOB()].sort().reverse()]],
    ['a short fingerprint', () => [1, [ANN().slice(8)]]],
    ['a fingerprint in lower case', () => [1, [ANN().toLowerCase()]]],
  ])('%s', async (_, make) => {
    const [threshold, fingerprints] = make();
    const text = within(['Packsign', 'Signers'], (dict) => {
      dict.set('Threshold', threshold);
      dict.set('Fingerprints', fingerprints);
    });
    expect(await verdictOn(text)).toEqual(MALFORMED);
  });
});

describe('unknown keys', () => {
  const addition = '<key>Zebra</key>\n      <string>x</string>\n';

  test('are ignored in Packsign', async () => {
    const text = within(['Packsign'], (dict) => dict.set('Zebra', new Map([['any', ['thing']]])));
    expect(await verdictOn(text)).toEqual(AUTHENTIC);
    expect(
      await verdictOn(swapped('      <key>Issued</key>', `      ${addition}      <key>Issued</key>`)),
    ).toEqual(AUTHENTIC);
  });

  test.each([
    ['the top level', []],
    ['an entry', ENTRY],
    ['Signers', ['Packsign', 'Signers']],
  ] as const)('are refused in %s', async (_, path) => {
    expect(await verdictOn(within(path, (dict) => dict.set('Zebra', 'x')))).toEqual(MALFORMED);
  });

  test('are refused in a package', async () => {
    const text = within([], (dict) => {
      const [entry] = dict.get('Packages') as Map<string, PlistValue>[];
      entry!.set('Zebra', 'x');
    });
    expect(await verdictOn(text)).toEqual(MALFORMED);
  });
});

describe('a later format', () => {
  test('is reported before any other defect', async () => {
    const later = within(['Packsign'], (dict) => dict.set('Format', 2));
    expect(await verdictOn(later)).toEqual(refused('FORMAT_UNKNOWN'));
    const stranger = edited(later, (document) => document.set('Zebra', 'x'));
    expect(await verdictOn(stranger)).toEqual(refused('FORMAT_UNKNOWN'));
  });

  test('does not have the number 0', async () => {
    expect(await verdictOn(within(['Packsign'], (dict) => dict.set('Format', 0)))).toEqual(
      refused('FORMAT_UNKNOWN'),
    );
  });
});

describe('T11: paths of a database are hostile until checked', () => {
  test.each([
    '../demo-1.0.tar.gz',
    'sub/../../demo-1.0.tar.gz',
    '/etc/passwd',
    './demo-1.0.tar.gz',
    'sub//demo-1.0.tar.gz',
    'sub/./demo-1.0.tar.gz',
    'sub/',
    '',
    '.hidden-1.0.tar.gz',
    'sub/.hidden-1.0.tar.gz',
    '-rf-1.0.tar.gz',
    '~/demo-1.0.tar.gz',
    'C:\\demo-1.0.tar.gz',
    'sub\\demo-1.0.tar.gz',
    'x-$(id).tar.gz',
    'x-`id`.tar.gz',
    'x;id-1.0.tar.gz',
    'x y-1.0.tar.gz',
    'x\ny-1.0.tar.gz',
    "x'y-1.0.tar.gz",
    'x%2e-1.0.tar.gz',
    'démo-1.0.tar.gz',
    `${'x'.repeat(1018)}.tar.gz`,
  ])('%j', async (path) => {
    const text = edited(databaseText(), (document) => {
      const archives = dictAt(document, 'Files');
      const entry = archives.get('demo-1.0.tar.gz')!;
      archives.clear();
      archives.set(path, entry);
    });
    expect(await verdictOn(text)).toEqual(MALFORMED);
  });

  test('accepts the longest path allowed', async () => {
    const archives = { [`${`${'x'.repeat(255)}/`.repeat(3)}${'x'.repeat(254)}/a`]: DEMO };
    expect(await verdictOn(databaseText({ archives }))).toEqual(AUTHENTIC);
  });

  test('two paths that differ only in case', async () => {
    const archives = { 'Demo-1.0.tar.gz': DEMO, 'demo-1.0.tar.gz': DEMO };
    expect(await verdictOn(databaseText({ archives }))).toEqual(MALFORMED);
  });

  describe('T36: a path means the same on every system, or is refused', () => {
    const one = async (path: string) => await verdictWithReason({ [path]: DEMO });
    const verdictWithReason = async (archives: Readonly<Record<string, Uint8Array>>) => {
      const place = await published(known, databaseText({ archives }));
      const { value } = await verify(place, '--no-files');
      return [value['code'], value['message']];
    };
    const malformed = (reason: RegExp) => ['DATABASE_MALFORMED', expect.stringMatching(reason) as string];

    test.each([
      ...['CON', 'con', 'NUL.tar.gz', 'aux.zip', 'sub/Prn/x.zip', 'com1.tar.gz'],
      ...['LPT9', 'COM0/x-1.0.zip', 'a/lpt0.x.y.zip', 'nul./x.zip'],
    ])('a device of Windows: %s', async (path) => {
      expect(await one(path)).toEqual(malformed(/› (?:.*(?:Windows device|ends? with a dot).*)$/));
    });

    test.each(['x-1.0.zip.', 'a./x-1.0.zip', 'a/b../x-1.0.zip'])('a dot at the end: %s', async (path) => {
      expect(await one(path)).toEqual(malformed(/a name must not end with a dot/));
    });

    test.each(['PACKAG~1.PLI', 'signat~1/x-1.0.zip', 'a~1', 'sub/abc~12.gz'])(
      'a short name of Windows: %s',
      async (path) => {
        expect(await one(path)).toEqual(malformed(/short name of Windows/));
      },
    );

    test.each([
      ...['packages.plist', 'Packages.Plist', 'packages.plist.asc', 'packages.unsigned.plist', 'KEYS.ASC'],
      ...['keys.gpg', 'packsign.json', 'PackSign.json/x-1.0.zip', 'index.html', 'Index.HTML'],
      ...['signatures', 'Assets', 'packages.plist/x-1.0.zip', 'KEYS.asc/a/x-1.0.zip'],
      ...[`signatures/${'0a'.repeat(32)}.asc`, `Signatures/${'0A'.repeat(32)}.asc`],
      ...[`signatures/${'0a'.repeat(32)}.asc/x-1.0.zip`],
      ...['assets/packsign-0a', 'ASSETS/packsign-0A/x-1.0.zip', 'assets/packsign-0a/sub/x-1.0.zip'],
    ])('a name of our own: %s', async (path) => {
      expect(await one(path)).toEqual(malformed(/of packsign itself/));
    });

    test.each([
      ...['sub/packages.unsigned.plist', 'sub/packsign.json', 'sub/keys.gpg/x-1.0.zip'],
      ...['signatures/x-1.0.zip', 'Signatures/x-1.0.zip', `signatures/${'0a'.repeat(31)}.asc`],
      ...[`sub/signatures/${'0a'.repeat(32)}.asc`, `signatures/sub/${'0a'.repeat(32)}.asc`],
      ...['ASSETS/x-1.0.zip', 'assets/packsign/x-1.0.zip', 'assets/packsign-0x/x-1.0.zip'],
      ...['packages.plist-1.0.zip', 'index.html.gz'],
    ])('any other name beside and below is a file like others: %s', async (path) => {
      expect(await one(path)).toEqual([null, null]);
    });

    test.each([`${'x'.repeat(249)}1.0.zip`, `a/${'y'.repeat(256)}/x-1.0.zip`])(
      'a long segment: %s',
      async (path) => {
        expect(await one(path)).toEqual(malformed(/at most 255 bytes/));
      },
    );

    test.each([
      ['a', 'a/x-1.0.zip'],
      ['a/b', 'a/b/c/d-1.0.zip'],
      ['A', 'a/x-1.0.zip'],
      ['A/x-1.0.zip', 'a'],
      ['a', 'a!', 'a!-1', 'a-1.0.zip', 'a/x-1.0.zip'],
    ])('a path that is also a folder: %s and %s', async (...paths) => {
      const archives = Object.fromEntries(paths.sort().map((path) => [path, DEMO]));
      expect(await verdictWithReason(archives)).toEqual(malformed(/one path is a folder of another: /));
    });

    test.each([
      ...['console-1.0.zip', 'nul-1.0.zip', 'com10.zip', 'auxiliary', 'x.con', 'sub/x.nul', 'com1x-1.0.zip'],
      ...['a_1.0~rc1.tar.gz', 'long-name~1.zip', 'x~y-1.0.zip', 'sub/index.html', 'v1/assets/x-1.0.zip'],
      ...['packages.plist.zip', 'keys.asc-1.0.zip', 'my-packsign.json', `${'x'.repeat(248)}1.0.zip`],
    ])('but not %s', async (path) => {
      expect(await one(path)).toEqual([null, null]);
    });

    test('nor paths that only begin alike', async () => {
      const paths = ['a', 'a!/x', 'a-1/x', 'a.b', 'b', 'sub/a', 'sub/a-b/c', 'subway'];
      expect(await verdictWithReason(Object.fromEntries(paths.map((path) => [path, DEMO])))).toEqual([
        null,
        null,
      ]);
    });

    test('also of a path in History', async () => {
      const record = new Map<string, PlistValue>([
        ['SHA256', sha256(DEMO)],
        ['Until', ISSUED],
      ]);
      const text = within(['Packsign'], (dict) => dict.set('History', new Map([['con.zip', [record]]])));
      expect(await verdictOn(text)).toEqual(MALFORMED);
    });
  });

  test('two unsorted paths', async () => {
    const archives = { 'demo-1.0.tar.gz': DEMO, 'a-1.0.tar.gz': DEMO };
    expect(await verdictOn(databaseText({ archives }))).toEqual(MALFORMED);
  });

  test('a path in History', async () => {
    const record = new Map<string, PlistValue>([
      ['SHA256', sha256(DEMO)],
      ['Until', ISSUED],
    ]);
    const good = within(['Packsign'], (dict) => dict.set('History', new Map([['old-1.0.tar.gz', [record]]])));
    expect(await verdictOn(good)).toEqual(AUTHENTIC);
    const bad = within(['Packsign'], (dict) =>
      dict.set('History', new Map([['../old-1.0.tar.gz', [record]]])),
    );
    expect(await verdictOn(bad)).toEqual(MALFORMED);
  });
});

describe('T22: the counter is bounded by the clock', () => {
  test('the year 9999, signed now and signed then', async () => {
    const issued = new Date('9999-12-30T00:00:00Z');
    const text = databaseText({ issued, expires: null });
    for (const date of [new Date(), minutes(issued, -9)]) {
      const place = await published(known, text, { date });
      expect((await verify(place)).value['status']).toBe('refused');
    }
  });

  test('12 minutes ahead, with no other defect', async () => {
    const text = databaseText({ issued: minutes(new Date(), 12) });
    const place = await published(known, text, { date: minutes(new Date(), 5) });
    expect(verdict(await verify(place))).toEqual(refused('DATABASE_FROM_FUTURE'));
  });

  test('issued in 8 minutes is within the slack', async () => {
    const issued = minutes(new Date(), 8);
    const place = await published(known, databaseText({ issued }), { date: issued });
    expect(verdict(await verify(place))).toEqual(AUTHENTIC);
  });
});

describe('an expired database', () => {
  test('is stale, exit 1, and accepted only on request', async () => {
    const place = await published(known, databaseText({ expires: minutes(new Date(), -1) }));
    expect(verdict(await verify(place))).toEqual(['stale', 'DATABASE_STALE', 1]);
    expect(verdict(await verify(place, '--allow-stale'))).toEqual(['stale', 'DATABASE_STALE', 0]);
    expect(verdict(await verify(place, '--allow-unauthenticated'))).toEqual(['stale', 'DATABASE_STALE', 1]);
  });

  test('with an altered archive fails even if stale ones are accepted', async () => {
    const place = await published(known, databaseText({ expires: minutes(new Date(), -1) }));
    place.write('dist/demo-1.0.tar.gz', 'x');
    expect(await verify(place, '--allow-stale')).toMatchObject({ status: 1, value: { status: 'refused' } });
  });

  test('is refused, not stale, if its signature is missing', async () => {
    const place = await published(known, databaseText({ expires: minutes(new Date(), -1) }));
    place.remove('dist/signatures');
    expect(verdict(await verify(place, '--allow-stale'))).toEqual(refused('SIGNATURE_MISSING'));
  });

  test('is stale if its key expired since it signed', async () => {
    const short = await forgeKey({ name: 'Ann', date: minutes(ISSUED, -60), expires: 3600 + 1800 });
    const place = await published({ ann: short });
    expect(verdict(await verify(place))).toEqual(['stale', 'DATABASE_STALE', 1]);
  });

  test('is refused if its key had expired before it signed', async () => {
    const short = await forgeKey({ name: 'Ann', date: minutes(ISSUED, -60), expires: 1800 });
    const place = await published({ ann: short });
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_INVALID'));
  });
});

describe('the database as a file', () => {
  test('missing', async () => {
    const place = await published(known);
    place.remove('dist/packages.plist');
    expect(verdict(await verify(place))).toEqual(refused('DATABASE_MISSING'));
  });

  test.each<readonly [string, string, (path: string) => unknown]>([
    ['a named pipe', 'DATABASE_MALFORMED', (path) => execFileSync('mkfifo', [path])],
    ['a folder', 'DATABASE_MALFORMED', (path) => mkdirSync(path)],
    ['a link to endless zeros', 'DATABASE_MALFORMED', (path) => symlinkSync('/dev/zero', path)],
  ])('%s in its place does not hang the reader', async (_, code, make) => {
    const place = await published(known);
    make(replace(place, 'dist/packages.plist'));
    expect(verdict(await verify(place))).toEqual(refused(code));
    expect(verdict(await insistOn(place, known.ann))).toEqual(refused(code));
  });

  test('larger than 320 MiB is not read', async () => {
    const place = await published(known);
    truncateSync(place.path('dist/packages.plist'), 320 * 1024 * 1024 + 1);
    expect(verdict(await verify(place))).toEqual(refused('DATABASE_TOO_LARGE'));
  });
});

describe('T12, T22: verify compares what this machine published with its note', () => {
  /** Published by the program itself, so that there is a note; then replaced by hand. */
  async function noted(): Promise<{ place: Place; issued: Date }> {
    const { ann } = known;
    const place = await published(known);
    for (const name of ['packages.plist', 'signatures', 'keys.asc']) place.remove(`dist/${name}`);
    place.write('ann.asc', ann.armor());
    const built = await place.json(['build', 'dist', '--key', 'ann.asc']);
    expect(built).toMatchObject({ status: 0, value: { published: true } });
    const answer = await place.json(['verify', 'dist']);
    expect(verdict(answer)).toEqual(AUTHENTIC);
    expect(answer.value['pinnedBy']).toBe('publisher');
    return { place, issued: new Date(built.value['issued'] as string) };
  }

  async function swap(place: Place, text: string, by = known.ann): Promise<void> {
    const bytes = Buffer.from(text);
    put(place, bytes, await signatureFile(bytes, { by: [subkeyOf(by)], date: new Date() }));
  }

  function list(issued: Date, expires: Date | null = minutes(issued, 60 * 24 * 30)): string {
    return databaseText({ issued, expires });
  }

  test('an older database is a rollback', async () => {
    const { place, issued } = await noted();
    await swap(place, list(minutes(issued, -5)));
    expect(verdict(await place.json(['verify', 'dist']))).toEqual(refused('DATABASE_ROLLED_BACK'));
  });

  test('an older database that is also stale is a rollback, not stale', async () => {
    const { place, issued } = await noted();
    await swap(place, list(minutes(issued, -5), minutes(issued, -1)));
    expect(verdict(await place.json(['verify', 'dist', '--allow-stale']))).toEqual(
      refused('DATABASE_ROLLED_BACK'),
    );
  });

  test('another database of the same second is a fork', async () => {
    const { place, issued } = await noted();
    await swap(place, list(issued));
    expect(verdict(await place.json(['verify', 'dist']))).toEqual(refused('DATABASE_FORKED'));
  });

  test('a later one by the same key is authentic', async () => {
    const { place, issued } = await noted();
    await swap(place, list(minutes(issued, 2)));
    expect(verdict(await place.json(['verify', 'dist']))).toEqual(AUTHENTIC);
  });

  test('a database by another key, with its own keys.asc, is not', async () => {
    const { place, issued } = await noted();
    place.write('dist/keys.asc', certificateFile(known.mallory));
    await swap(place, list(minutes(issued, 2)), known.mallory);
    expect(verdict(await place.json(['verify', 'dist']))).toEqual(refused('SIGNATURE_INVALID'));
  });

  test('a lost signature is a refusal, and so is a lost keys.asc', async () => {
    const { place } = await noted();
    place.remove('dist/keys.asc');
    expect(verdict(await place.json(['verify', 'dist']))).toEqual(refused('SIGNATURE_INVALID'));
    place.remove('dist/signatures');
    expect(verdict(await place.json(['verify', 'dist']))).toEqual(refused('SIGNATURE_MISSING'));
  });

  test('a refused database leaves the note as it was', async () => {
    const { place, issued } = await noted();
    const before = place.snapshot('state');
    expect(Object.keys(before)).toHaveLength(2);
    await swap(place, list(minutes(issued, 3)), known.mallory);
    expect(verdict(await place.json(['verify', 'dist']))).toEqual(refused('SIGNATURE_INVALID'));
    expect(place.snapshot('state')).toEqual(before);
  });

  test('a copy of the directory elsewhere has no note', async () => {
    const { place } = await noted();
    execFileSync('cp', ['-r', 'dist', 'copy'], { cwd: place.root });
    expect(verdict(await place.json(['verify', 'copy']))).toEqual(['unauthenticated', 'NOT_PINNED', 1]);
    expect(verdict(await place.json(['verify', 'copy', '--allow-unauthenticated']))).toEqual([
      'unauthenticated',
      'NOT_PINNED',
      0,
    ]);
  });

  test.each([
    ['', 'Unexpected end'],
    ['[]', 'directory: '],
    ['null', 'directory: '],
    ['{"directory": "/elsewhere"}', 'fingerprints: '],
  ])(
    'a damaged note (%j) is an error that says what to do, and never an absent one',
    async (damage, where) => {
      const { place, issued } = await noted();
      const note = Object.keys(place.snapshot('state')).find((name) => name.endsWith('.json')) ?? '';
      const path = `state/${note}`;
      await swap(place, list(minutes(issued, -5)));
      place.write(path, damage);
      for (const more of [[], ['--allow-unauthenticated']]) {
        const { status, stdout, stderr } = await place.packsign(['verify', 'dist', ...more]);
        expect([status, stdout]).toEqual([2, '']);
        expect(stderr).toContain(`${place.path(path)} cannot be used: ${where}`);
        expect(stderr).toContain('--keys FILE');
      }
    },
  );

  test('with keys that the user names a damaged note stops nothing, and the next publication writes it again', async () => {
    const { place } = await noted();
    const note = Object.keys(place.snapshot('state')).find((name) => name.endsWith('.json')) ?? '';
    const path = `state/${note}`;
    place.write(path, '{}');
    expect(verdict(await verify(place))).toEqual(AUTHENTIC);
    place.write('dist/more-1.0.tar.gz', OTHER);
    expect((await place.packsign(['build', 'dist', '--key', 'ann.asc'])).status).toBe(0);
    const answer = await place.json(['verify', 'dist']);
    expect([verdict(answer), answer.value['pinnedBy']]).toEqual([AUTHENTIC, 'publisher']);
  });
});

test('a database without pinned keys proves nothing', async () => {
  const text = databaseText({ expires: minutes(new Date(), -1) });
  const place = await published(known, text);
  const { value } = await place.json(['verify', 'dist']);
  expect(value).toMatchObject({ status: 'unauthenticated', issued: null, expires: null });
});
