import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import { encodeDatabase } from '../../src/format/encode-database.js';
import { parsePackageJson } from '../../src/archives/metadata-json.js';
import { parsePkgInfo } from '../../src/archives/metadata-python.js';
import { diffDatabases } from '../../src/model/diff.js';
import { findConflict, isSafePath } from '../../src/model/file-entry.js';
import type { Override } from '../../src/model/settings.js';
import type { AssembleContext } from '../../src/model/assemble.js';
import type { Database } from '../../src/model/database.js';
import { mayHoldPackage } from '../../src/model/entry.js';
import type { FileFacts } from '../../src/model/entry.js';
import type { Metadata } from '../../src/model/metadata.js';
import type { WarningCode } from '../../src/model/finding.js';
import { HASH_A, HASH_B, archive, assembled, databaseOf, date, observed, overriding } from './databases.js';
import { updateOf } from '../../src/model/update.js';

function codes(warnings: readonly { readonly code: WarningCode }[]): readonly WarningCode[] {
  return warnings.map(({ code }) => code);
}

describe('PackMan’s version', () => {
  const base = { 'Base-URL': 'https://example.org/dist' };

  test('is 0.3 if all addresses are absolute and all flavors are old', () => {
    expect(assembled([observed('demo-1.0.tar.gz')], base).database.Version).toBe('0.3');
  });

  test('is 0.5 for relative addresses, installer and hidden', () => {
    const wheel = observed('demo-1.0-py3-none-any.whl', { metadata: { kind: 'wheel' } });
    expect(assembled([observed('demo-1.0.tar.gz')]).database.Version).toBe('0.5');
    expect(assembled([wheel], base).database.Version).toBe('0.5');
    const hidden = overriding({ demo: { Flavor: 'hidden' } }, base);
    expect(assembled([observed('demo-1.0.tar.gz')], hidden).database.Version).toBe('0.5');
  });

  test('is not raised by an archive that was yanked', () => {
    const settings = overriding({ 'b-1.0.zip': { Yanked: 'leaks' } }, base);
    const archives = [observed('b-1.0.zip', { metadata: null }), observed('demo-1.0.tar.gz')];
    expect(assembled(archives, settings).database.Version).toBe('0.3');
  });
});

describe('Download-URL', () => {
  function address(path: string, base?: string): string | undefined {
    const settings = base === undefined ? {} : { 'Base-URL': base };
    return assembled([observed(path)], settings).database.Packages[0]!['Download-URL'];
  }

  test('is relative without a base, and joined with one slash to one', () => {
    expect(address('sub/demo-1.0.tar.gz')).toBe('sub/demo-1.0.tar.gz');
    expect(address('sub/demo-1.0.tar.gz', 'https://example.org/d')).toBe(
      'https://example.org/d/sub/demo-1.0.tar.gz',
    );
    expect(address('demo-1.0.tar.gz', 'https://example.org/d/')).toBe(
      'https://example.org/d/demo-1.0.tar.gz',
    );
  });

  test('escapes every byte that an address cannot hold', () => {
    expect(address('demo+x=1@a,b!~c-1.0.tar.gz')).toBe('demo%2Bx%3D1%40a%2Cb%21~c-1.0.tar.gz');
  });
});

describe('one package', () => {
  test('of a source distribution', () => {
    const [entry] = assembled([
      observed('demo-1.0.tar.gz', { metadata: { homePage: 'https://example.org' } }),
    ]).database.Packages;
    expect(entry).toEqual({
      Name: 'demo',
      Version: '1.0',
      Flavor: 'source',
      Description: 'does demo',
      'Home-page': 'https://example.org',
      'Download-URL': 'demo-1.0.tar.gz',
      MD5Sum: 'd'.repeat(32),
      'Install-test': 'import demo',
    });
  });

  test.each(['wheel', 'egg', 'npm'] as const)('of kind %s is left to the user to install', (kind) => {
    const [entry] = assembled([observed('demo-1.0.zip', { metadata: { kind } })]).database.Packages;
    expect(entry).toMatchObject({ Flavor: 'installer', 'Install-test': 'raise ImportError("no test")' });
  });

  test.each(['a-b', 'a.b', '1a', 'os;x'])('T17: %s is imported by nobody', (name) => {
    const [entry] = assembled([observed('x-1.0.tar.gz', { metadata: { name } })]).database.Packages;
    expect(entry!['Install-test']).toBe('raise ImportError("no test")');
  });

  test('always has a description of at most 1,024 characters on one line', () => {
    const describe_ = (summary: string) =>
      assembled([observed('demo-1.0.tar.gz', { metadata: { summary } })]).database.Packages[0]!.Description;
    expect(describe_('')).toBe('demo 1.0');
    expect(describe_(' \n ')).toBe('demo 1.0');
    expect(describe_('a\n\n b\t c')).toBe('a b c');
    expect(Array.from(describe_('𝒳'.repeat(2000)))).toHaveLength(1024);
  });

  test.each([
    ['L\u00e4mpchen f\u00fcr \u00c6gir \u2013 \u201cbright\u201d', 'Lampchen fur AEgir - "bright"'],
    ['\u706f', 'demo 1.0'],
    ['lamp \u706f\u706f', 'lamp ?'],
  ])('NOT_ASCII: %s becomes %s, which PackMan can print anywhere', (summary, description) => {
    const file = observed('demo-1.0.tar.gz', { metadata: { summary } });
    const { database, warnings } = assembled([file]);
    expect([database.Packages[0]?.Description, codes(warnings)]).toEqual([description, ['NOT_ASCII']]);
    const named = assembled([file], overriding({ demo: { Description: 'x' } }));
    expect(named.warnings).toEqual([]);
    const given = assembled(
      [observed('demo-1.0.tar.gz')],
      overriding({ demo: { Description: summary }, tool: { Name: 'tool', Description: summary } }),
    );
    expect(given.database.Packages.map((entry) => entry.Description)).toEqual([
      // The settings do not count where nothing is left of them.
      description.replace('demo 1.0', 'does demo'),
      description.replace('demo 1.0', 'tool'),
    ]);
    expect(codes(given.warnings)).toEqual(['NOT_ASCII', 'NOT_ASCII']);
    const unserved = assembled([file], { PackMan: false });
    expect([unserved.database.Packages[0]?.Description, unserved.warnings]).toEqual([summary, []]);
  });

  test('has no MD5 if PackMan is not served', () => {
    const [entry] = assembled([observed('demo-1.0.tar.gz', { md5: null })]).database.Packages;
    expect(entry).not.toHaveProperty('MD5Sum');
  });
});

describe('names', () => {
  test('come from the file name if the archive has no metadata', () => {
    const { database, warnings } = assembled([observed('demo-1.0.tar.gz', { metadata: null })]);
    expect(database.Files.get('demo-1.0.tar.gz')).toMatchObject({
      Name: 'demo',
      Version: '1.0',
      Flavor: 'installer',
    });
    expect(warnings).toEqual([]);
  });

  test('NAME_MISMATCH, unless the maintainer names the archive', () => {
    const file = observed('demo-2.0.tar.gz');
    expect(codes(assembled([file]).warnings)).toEqual(['NAME_MISMATCH']);
    const byPath = overriding({ 'demo-2.0.tar.gz': { Version: '2.0' } });
    const { database, warnings } = assembled([file], byPath);
    expect([codes(warnings), database.Files.get('demo-2.0.tar.gz')?.Version]).toEqual([[], '2.0']);
    expect(codes(assembled([file], overriding({ demo: { Description: 'x' } })).warnings)).toEqual([
      'NAME_MISMATCH',
    ]);
  });

  test('are left out where neither metadata nor the file name has them, until the maintainer gives them', () => {
    const file = observed('latest.zip', { metadata: null });
    const { database, warnings } = assembled([file]);
    const { SHA256, Size, Since } = database.Files.get('latest.zip') ?? {};
    expect(database.Files).toEqual(new Map([['latest.zip', { Size, SHA256, Since }]]));
    expect([warnings, database.Packages, SHA256]).toEqual([[], [], file.sha256]);
    const named = assembled([file], overriding({ 'latest.zip': { Name: 'demo', Version: '3' } }));
    expect([named.warnings, named.database.Files.get('latest.zip')?.Version]).toEqual([[], '3']);
    expect(named.database.Packages).toMatchObject([{ Name: 'demo', Version: '3', Flavor: 'installer' }]);
  });

  test('NO_METADATA: a package that always says what it is does not, and neither does its name', () => {
    const of = (path: string, settings = {}) =>
      codes(assembled([observed(path, { metadata: null })], settings).warnings);
    expect(['latest.deb', 'latest.whl', 'x.gem'].map((path) => of(path))).toEqual([
      ['NO_METADATA'],
      ['NO_METADATA'],
      ['NO_METADATA'],
    ]);
    for (const path of ['latest.tar.gz', 'latest.jar', 'latest.exe', 'x-1.0-py3-none-any.whl']) {
      expect([path, of(path)]).toEqual([path, []]);
    }
    const named = overriding({ 'latest.deb': { Name: 'x', Version: '1' } });
    expect(of('latest.deb', named)).toEqual([]);
  });

  test('are not asked of files that are no archives', () => {
    const { database, warnings } = assembled([observed('lantern.dmg', { metadata: null })]);
    expect([warnings, database.Packages]).toEqual([[], []]);
    expect(Array.from(database.Files.keys())).toEqual(['lantern.dmg']);
  });
});

describe('platforms', () => {
  const LINUX = 'lantern_1.2.0_linux_amd64.tar.gz';

  test('come from the metadata, or else from the path', () => {
    const naming = (path: string, metadata: Partial<Metadata> | null) => {
      const { Name, Version, Platform } =
        assembled([observed(path, { metadata })]).database.Files.get(path) ?? {};
      return [Name, Version, Platform];
    };
    expect(naming(LINUX, null)).toEqual(['lantern', '1.2.0', 'linux-amd64']);
    expect(naming('v1.2.0/lantern-linux-amd64.tar.gz', null)).toEqual(['lantern', '1.2.0', 'linux-amd64']);
    expect(naming('lantern-linux-amd64.tar.gz', null)).toEqual([undefined, undefined, 'linux-amd64']);
    const deb = { kind: 'deb', name: 'lantern', version: '1:1.2.0-1', platform: 'amd64' } as const;
    expect(naming('lantern_1.2.0-1_amd64.deb', deb)).toEqual(['lantern', '1:1.2.0-1', 'amd64']);
    const jar = { kind: 'jar', name: 'epoll', version: '4.1' } as const;
    expect(naming('epoll-4.1-linux-x86_64.jar', jar)).toEqual(['epoll', '4.1', 'linux-x86_64']);
    // Where the file is called as its metadata says, the words are its name.
    const npm = { kind: 'npm', name: 'lantern-linux', version: '1.2.0' } as const;
    expect(naming('lantern-linux-1.2.0.tgz', npm)).toEqual(['lantern-linux', '1.2.0', undefined]);
  });

  test('that name a system or an architecture keep a file out of Packages, unless the settings give a flavor', () => {
    const files = [
      observed(LINUX, { metadata: null, md5: null }),
      observed('lantern-1.2.0.tar.gz', { metadata: null }),
    ];
    const listed = (settings = {}) =>
      assembled(files, settings).database.Packages.map((entry) => entry['Download-URL']);
    expect(listed()).toEqual(['lantern-1.2.0.tar.gz']);
    expect(listed(overriding({ [LINUX]: { Flavor: 'binary' } }))).toContain(LINUX);
    expect(listed(overriding({ lantern: { Flavor: 'binary' } }))).toContain(LINUX);
    expect(listed(overriding({ lantern: { Description: 'x' } }))).toEqual(['lantern-1.2.0.tar.gz']);
    const wheel = { kind: 'wheel', platform: 'py3-none-any' } as const;
    expect(
      assembled([observed('demo-1.0-py3-none-any.whl', { metadata: wheel })]).database.Packages,
    ).toHaveLength(1);
  });

  test('decide before the file is read whether its MD5 is of use', () => {
    const flavor = overriding({ lantern: { Flavor: 'binary' } });
    expect(mayHoldPackage(LINUX, {})).toBe(false);
    expect(mayHoldPackage(LINUX, flavor)).toBe(true);
    expect(mayHoldPackage(LINUX, overriding({ [LINUX]: { Description: 'x' } }))).toBe(true);
    expect(mayHoldPackage('lantern-1.2.0.dmg', {})).toBe(true);
    expect(mayHoldPackage('lantern.dmg', {})).toBe(false);
    expect(mayHoldPackage('lantern.gem', {})).toBe(true);
    // Metadata that says otherwise comes too late: no entry lacks its MD5.
    const all = { kind: 'deb', name: 'lantern', version: '1.2.0', platform: 'all' } as const;
    const file = observed('lantern_1.2.0_amd64.deb', { metadata: all, md5: null });
    expect(assembled([file]).database.Packages).toEqual([]);
  });

  test('of published bytes stay, also where there is none, until a build renames', () => {
    const published = databaseOf({ [LINUX]: archive(HASH_A, { Name: 'lantern_1.2.0', Version: '1' }) });
    const build = (rename: boolean) =>
      assembled([observed(LINUX, { metadata: null })], {}, { published, rename }).database.Files.get(LINUX);
    expect(build(false)).toMatchObject({ Name: 'lantern_1.2.0', Version: '1' });
    expect(build(false)).not.toHaveProperty('Platform');
    expect(build(true)).toMatchObject({ Name: 'lantern', Version: '1.2.0', Platform: 'linux-amd64' });
  });

  test('make no duplicates, and the same one does', () => {
    const paths = [LINUX, 'lantern_1.2.0_darwin_arm64.tar.gz', 'lantern-1.2.0.tar.gz'];
    const files = (all: readonly string[]) => all.map((path) => observed(path, { metadata: null }));
    expect(codes(assembled(files(paths)).warnings)).not.toContain('DUPLICATE_PACKAGE');
    expect(codes(assembled(files([LINUX, `old/${LINUX}`])).warnings)).toContain('DUPLICATE_PACKAGE');
  });
});

describe('overrides', () => {
  test('by name apply to every archive of the package, and those by path win', () => {
    const settings = overriding({
      demo: { Description: 'by name', 'Systemwide-only': true },
      'demo-2.0.tar.gz': { Description: 'by path' },
    });
    const archives = [
      observed('demo-1.0.tar.gz'),
      observed('demo-2.0.tar.gz', { metadata: { version: '2.0' } }),
    ];
    expect(assembled(archives, settings).database.Packages).toMatchObject([
      { Version: '1.0', Description: 'by name', 'Systemwide-only': true },
      { Version: '2.0', Description: 'by path', 'Systemwide-only': true },
    ]);
  });

  test('a renamed archive takes the overrides of its new name', () => {
    const settings = overriding({
      'demo-1.0.tar.gz': { Name: 'renamed' },
      renamed: { Description: 'of the new name' },
    });
    expect(assembled([observed('demo-1.0.tar.gz')], settings).database.Packages).toMatchObject([
      { Name: 'renamed', Description: 'of the new name' },
    ]);
  });

  test.each<readonly [string, Override]>([
    ['dmeo', { Description: 'x' }],
    ['dmeo', { Yanked: 'leaks' }],
    ['dmeo', { 'Install-test': 'import demo' }],
    ['dmeo', { Name: 'dmeo', 'Download-URL': 'https://example.org/demo-1.0.tar.gz' }],
    ['dmeo', {}],
    ['demo-1.1.tar.gz', { Name: 'demo', Version: '1.1' }],
    ['sub/demo', { Name: 'demo', Version: '1.1' }],
    ['demo-1.0.deb', { Name: 'other', Version: '1.0' }],
  ])('SETTINGS_INVALID: %s with %j means nothing, and is no package without a file', (key, override) => {
    expect(() => assembled([observed('demo-1.0.tar.gz')], overriding({ [key]: override }))).toThrow(
      expect.objectContaining({
        code: 'SETTINGS_INVALID',
        message: expect.stringMatching(new RegExp(`  ${key}.*did you mean "demo`)) as string,
      }) as Error,
    );
  });

  test('a key for what was published once is a warning, so that a file can be withdrawn', () => {
    const settings = overriding({
      'a-1.0.zip': { Yanked: 'x' },
      'b-1.0.zip': { Yanked: 'x' },
      old: { 'Home-page': 'https://example.org/' },
    });
    const published = databaseOf(
      { 'a-1.0.zip': archive(HASH_A, { Name: 'old' }) },
      { History: new Map([['b-1.0.zip', [{ SHA256: HASH_B, Until: date(1) }]]]) },
    );
    const { warnings } = assembled([observed('demo-1.0.tar.gz')], settings, { published, issued: date(2) });
    expect(codes(warnings)).toEqual(['UNUSED_OVERRIDE', 'UNUSED_OVERRIDE', 'UNUSED_OVERRIDE']);
  });

  test('a name whose last file is gone stays a warning, as long as the history has its path', () => {
    const settings = overriding({ old: { Description: 'x' } });
    const published = databaseOf(
      {},
      { History: new Map([['sub/Old-1.0.tar.gz', [{ SHA256: HASH_B, Until: date(1) }]]]) },
    );
    const { warnings } = assembled([observed('demo-1.0.tar.gz')], settings, { published, issued: date(2) });
    expect(codes(warnings)).toEqual(['UNUSED_OVERRIDE']);
    const other = overriding({ olde: { Description: 'x' } });
    expect(() => assembled([observed('demo-1.0.tar.gz')], other, { published, issued: date(2) })).toThrow();
  });

  test('a key may be about a file that is not read yet', () => {
    const held = new Set(['new-1.0.zip']);
    const settings = overriding({ new: { Description: 'x' } });
    expect(assembled([observed('demo-1.0.tar.gz')], settings, { held }).warnings).toEqual([]);
  });

  test('UNUSED_OVERRIDE: a file without name and version is in no entry that they could change', () => {
    const settings = overriding({ 'lantern.dmg': { Description: 'x' } });
    const { warnings, database } = assembled([observed('lantern.dmg', { metadata: null })], settings);
    expect(warnings).toMatchObject([{ code: 'UNUSED_OVERRIDE', path: 'lantern.dmg' }]);
    expect(database.Packages).toEqual([]);
  });

  test('a package that gets another name by its first one keeps both, from build to build', () => {
    const settings = overriding({ demo: { Name: 'lamp', Description: 'light' } });
    const first = assembled([observed('demo-1.0.tar.gz')], settings).database;
    expect(first.Packages).toMatchObject([{ Name: 'lamp', Description: 'light' }]);
    expect(first.Packages).toHaveLength(1);
    const fresh = overriding({ demo: { Name: 'lamp', Description: 'light' } });
    const next = assembled([observed('demo-1.0.tar.gz')], fresh, { published: first, issued: date(2) });
    expect(next.database.Packages).toEqual(first.Packages);
  });

  test.each([
    ['its name', { Name: 'python', Version: '3.12', 'Install-test': 'import sys' }],
    ['the flavor of PackMan', { Version: '3.12', 'Install-test': 'import sys', Flavor: 'hidden' }],
  ])('one that matches nothing is a pseudo-package if it has %s', (_, override) => {
    const settings = overriding({
      python: override,
    });
    const { database, warnings } = assembled([observed('demo-1.0.tar.gz')], settings);
    expect(warnings).toEqual([]);
    expect(database.Packages).toMatchObject([
      { Name: 'demo' },
      { Name: 'python', 'Install-test': 'import sys' },
    ]);
    expect(database.Packages[1]).not.toHaveProperty('Download-URL');
    expect(database.Files.size).toBe(1);
  });

  test.each<readonly [string, Override]>([
    ['Prerequisites', { Prerequisites: [{ Name: 'a', Version: '\u00e9' }] }],
    ['Post-install-command', { 'Post-install-command': 'echo \u00e9' }],
    ['Flavor', { Flavor: 'sauce' }],
  ])('SETTINGS_INVALID: a %s on which PackMan fails, unless it is not served', (field, override) => {
    const settings = overriding({ demo: override });
    expect(() => assembled([observed('demo-1.0.tar.gz')], settings)).toThrow(
      expect.objectContaining({
        code: 'SETTINGS_INVALID',
        message: expect.stringContaining(`demo \u203a ${field}`) as string,
      }) as Error,
    );
    const unserved = { ...settings, PackMan: false };
    expect(assembled([observed('demo-1.0.tar.gz')], unserved).database.Packages).toMatchObject([override]);
  });
});

test('a yanked archive stays listed and leaves Packages', () => {
  const settings = overriding({ 'demo-1.0.tar.gz': { Yanked: 'leaks' } });
  const { database } = assembled([observed('demo-1.0.tar.gz')], settings);
  expect(database.Packages).toEqual([]);
  expect(database.Files.get('demo-1.0.tar.gz')).toMatchObject({ Yanked: 'leaks', SHA256: HASH_A });
});

describe('DUPLICATE_PACKAGE', () => {
  test('both are listed, and the later one is named', () => {
    const { database, warnings } = assembled([observed('a/demo-1.0.tar.gz'), observed('b/demo-1.0.tar.gz')]);
    expect(warnings).toMatchObject([{ code: 'DUPLICATE_PACKAGE', path: 'b/demo-1.0.tar.gz' }]);
    expect([database.Files.size, database.Packages.length]).toEqual([2, 2]);
  });

  test('not for wheels with different tags, other flavors or a yanked file', () => {
    const wheel = (path: string) => observed(path, { metadata: { kind: 'wheel' } });
    const wheels = ['demo-1.0-cp312-cp312-linux_x86_64.whl', 'demo-1.0-cp313-cp313-linux_x86_64.whl'];
    expect(assembled(wheels.map(wheel)).warnings).toEqual([]);
    expect(codes(assembled([`a/${wheels[0]!}`, `b/${wheels[0]!}`].map(wheel)).warnings)).toEqual([
      'DUPLICATE_PACKAGE',
    ]);
    expect(assembled([wheel(wheels[0]!), observed('demo-1.0.tar.gz')]).warnings).toEqual([]);
    const yanked = overriding({ 'a/demo-1.0.tar.gz': { Yanked: 'x' } });
    expect(
      assembled([observed('a/demo-1.0.tar.gz'), observed('b/demo-1.0.tar.gz')], yanked).warnings,
    ).toEqual([]);
  });
});

describe('the Packsign half', () => {
  test('expires after 180 days, when told, or never', () => {
    const expires = (settings: object) =>
      assembled([observed('demo-1.0.tar.gz')], settings).database.Packsign.Expires;
    expect(expires({})).toEqual(new Date(date(1).getTime() + 180 * 86_400_000));
    expect(expires({ Validity: '1 day' })).toEqual(date(2));
    expect(expires({ Validity: '1.5 s' })).toEqual(new Date(date(1).getTime() + 2000));
    expect(expires({ Validity: 'none' })).toBeUndefined();
    expect(() => expires({ Validity: '9000 years' })).toThrow(/after the year 9999/);
  });

  test('offers Trusts without the keys for PackMan, and includes only those that say so', () => {
    const trust = { URL: 'https://example.org/packages.plist', Fingerprints: ['A'.repeat(40)] };
    const { database } = assembled([observed('demo-1.0.tar.gz')], {
      Trusts: [
        { ...trust, Include: true },
        { ...trust, URL: 'https://example.org/other.plist' },
      ],
    });
    expect(database.Include).toEqual(['https://example.org/packages.plist']);
    expect(database.Packsign.Trusts).toEqual([
      { ...trust, Threshold: 1 },
      { ...trust, URL: 'https://example.org/other.plist', Threshold: 1 },
    ]);
  });

  test('Trusts come back as they were written, without a difference', () => {
    const trust = {
      Maintainer: 'Bob <bob@example.org>',
      Fingerprints: ['A'.repeat(40)],
      URL: 'https://example.org/packages.plist',
    };
    const { database } = assembled([observed('demo-1.0.tar.gz')], { Trusts: [trust] });
    expect(diffDatabases(updateOf(decodeDatabase(encodeDatabase(database)), database)).settings).toEqual([]);
  });

  test('keeps Since as long as the bytes stay', () => {
    const published = databaseOf({ 'a-1.0.zip': archive(HASH_A), 'b-1.0.zip': archive(HASH_A) });
    const archives = [
      observed('a-1.0.zip'),
      observed('b-1.0.zip', { sha256: HASH_B }),
      observed('c-1.0.zip'),
    ];
    const { database } = assembled(archives, {}, { published, issued: date(9) });
    expect(Array.from(database.Files.values(), ({ Since }) => Since)).toEqual([date(1), date(9), date(9)]);
  });
});

describe('an entry that stays', () => {
  const ARCHIVES = ['a-1.0.zip', 'b-1.0.zip', 'c-1.0.zip'].map((path) =>
    observed(path, { metadata: { name: path.charAt(0) } }),
  );
  const SETTINGS = {};
  const first = assembled(ARCHIVES, SETTINGS).database;
  const values = ({ Files, Packages }: Database) => [...Files.values(), ...Packages];

  test.each([
    ['as it was assembled', first],
    ['as it was read back', decodeDatabase(encodeDatabase(first))],
  ])('is the published value itself, %s', (_what, published) => {
    for (let turn = 0; turn < 3; turn += 1) {
      const { database } = assembled(ARCHIVES, SETTINGS, { published, issued: date(9) });
      for (const [index, value] of values(published).entries()) expect(values(database)[index]).toBe(value);
    }
  });

  test('also stays when others come, go, change or were held', () => {
    const [a, b, c] = ARCHIVES as [FileFacts, FileFacts, FileFacts];
    const held = new Set(['b-1.0.zip']);
    const turns: [readonly FileFacts[], Partial<AssembleContext>][] = [
      [[b, c], {}],
      [[a, b, c, observed('d-1.0.zip')], {}],
      [[{ ...a, size: 4 }, b, c], {}],
      [[a, b, c], { held }],
      [[c, b, a], {}],
      [[a, b, c], {}],
    ];
    for (const [archives, context] of turns) {
      const { database } = assembled(archives, SETTINGS, { published: first, issued: date(9), ...context });
      for (const path of ['b-1.0.zip', 'c-1.0.zip']) {
        expect(database.Files.get(path)).toBe(first.Files.get(path));
      }
      expect(database.Packages.filter((entry) => first.Packages.includes(entry)).length).toBe(
        archives.filter((file) => ARCHIVES.some(({ path }) => path === file.path)).length,
      );
    }
  });

  test('is the same whether or not it is recalled, where a name leads to another name', () => {
    const yank = { Yanked: 'bad' };
    const chains: Record<string, Override>[] = [
      { a: { Name: 'x' }, x: { Name: 'y' } },
      { a: { Name: 'x' }, x: { Name: 'a' } },
      { a: { Name: 'x' }, x: { Version: '9', ...yank } },
      { a: { Name: 'x', Version: '2' }, x: { Version: '9', Description: 'other' } },
      { a: { Name: 'x' }, x: { Name: 'x', ...yank } },
      { 'a-1.0.zip': { Name: 'x' }, x: { Name: 'y', ...yank } },
    ];
    for (const chain of chains) {
      const settings = overriding(chain);
      const { database } = assembled(ARCHIVES, settings);
      const again = assembled(ARCHIVES, settings, { published: database, issued: date(9) }).database;
      expect(again.Files).toEqual(database.Files);
      expect(again.Packages).toEqual(database.Packages);
      const entry = database.Files.get('a-1.0.zip');
      expect(entry?.Name).toBe('x');
      expect(entry?.Yanked).toBe(chain['x']?.Yanked);
      expect(entry?.Version).toBe(chain['a']?.Version ?? chain['x']?.Version ?? '1.0');
    }
  });

  test('is described again under other settings', () => {
    const later = overriding({ b: { Description: 'other' } });
    const { database } = assembled(ARCHIVES, later, { published: first, issued: date(9) });
    expect(database.Packages.map(({ Description }) => Description)).toEqual([
      'does demo',
      'other',
      'does demo',
    ]);
    expect(database.Files.get('b-1.0.zip')).toBe(first.Files.get('b-1.0.zip'));
  });
});

test('an assembled database can be written and read back, whatever archives contain', () => {
  const word = fc.stringMatching(/^[!-~]{1,12}$/);
  const file = fc.record({
    path: fc.stringMatching(/^[a-z0-9_][A-Za-z0-9._+~=@,!-]{0,12}(?:\/[a-z0-9_]{1,5})?$/).filter(isSafePath),
    metadata: fc.option(
      fc.record({
        kind: fc.constantFrom('sdist', 'wheel', 'egg', 'npm'),
        name: word,
        version: word,
        summary: fc.string({ unit: 'binary' }),
        homePage: fc.constantFrom(null, 'https://example.org/'),
      }),
    ),
  });
  const files = fc
    .uniqueArray(file, { selector: ({ path }) => path, maxLength: 12 })
    .filter((list) => findConflict(list.map(({ path }) => path).sort()) === null);
  fc.assert(
    fc.property(files, (list) => {
      const sorted = list.sort((a, b) => (a.path < b.path ? -1 : 1));
      const archives = sorted.map(({ path, metadata }) => observed(path, { metadata }));
      const first = assembled(archives);
      const bytes = encodeDatabase(first.database);
      expect(decodeDatabase(bytes)).toEqual(first.database);
      // Same input, same bytes; and what stayed is the same when it is carried on.
      expect(encodeDatabase(assembled(archives).database).equals(bytes)).toBe(true);
      const carried = assembled(archives, {}, { published: decodeDatabase(bytes), issued: date(1) });
      expect(encodeDatabase(carried.database).equals(bytes)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('a description that becomes longer in ASCII is cut where a database ends it', () => {
  const Description = '\u00a9'.repeat(32_000);
  const settings = overriding({ demo: { Description }, tool: { Name: 'tool', Description } });
  const { database } = assembled([observed('demo-1.0.tar.gz')], settings);
  expect(decodeDatabase(encodeDatabase(database)).Packages.map((entry) => entry.Description.length)).toEqual([
    65_536, 65_536,
  ]);
});

test('T16: a database can be read, whatever PKG-INFO or package.json contain', () => {
  const piece = fc.constantFrom(
    ...[
      'a',
      'B-c',
      '_',
      '10',
      '0x7f',
      '256',
      'xn--',
      '[::1]',
      '.',
      '..',
      ':',
      ':80',
      ':0',
      '@',
      'u@',
      'u:p@',
    ],
    ...['/', '\\', '?', '#', '%41', '$', '!', '~', '{', '|', ' ', '\u00e9'],
  );
  const scheme = fc.constantFrom('http://', 'https://', 'hTTps://', 'https:', 'ftp://', '');
  const address = fc
    .tuple(scheme, fc.array(piece, { minLength: 1, maxLength: 6 }))
    .map(([before, pieces]) => before + pieces.join(''));
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[!-~]{1,9}$/), address);
  const fields = fc.record({ name: value, version: value, summary: value, home: value });
  fc.assert(
    fc.property(fields, ({ name, version, summary, home }) => {
      const text = `Name: ${name}\nVersion: ${version}\nSummary: ${summary}\nHome-page: ${home}\n\n`;
      const json = JSON.stringify({ name, version, description: summary, homepage: home });
      for (const metadata of [
        parsePkgInfo(Buffer.from(text), 'sdist'),
        parsePackageJson(Buffer.from(json)),
      ]) {
        const bytes = encodeDatabase(assembled([observed('demo-1.0.tar.gz', { metadata })]).database);
        expect(encodeDatabase(decodeDatabase(bytes)).equals(bytes)).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});
