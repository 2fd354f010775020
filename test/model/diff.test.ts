import { describe, expect, test } from 'vitest';
import type { Database } from '../../src/model/database.js';
import { diffDatabases } from '../../src/model/diff.js';
import type { FileEntry } from '../../src/model/file-entry.js';
import { comparePackages } from '../../src/model/package.js';
import {
  HASH_A,
  HASH_B,
  HASH_C,
  archive,
  assembled,
  databaseOf,
  date,
  observed,
  overriding,
} from './databases.js';
import { updateOf } from '../../src/model/update.js';

const DEMO = observed('demo-1.0.tar.gz');
const plain = assembled([DEMO]).database;

const NOTHING = { added: [], withdrawn: [], changed: [], metadata: [], settings: [], executable: [] };

test('without a published database, everything is added', () => {
  const difference = diffDatabases(updateOf(null, plain));
  expect(difference).toMatchObject({ added: ['demo-1.0.tar.gz'], withdrawn: [], changed: [], settings: [] });
});

test('the same database has no difference', () => {
  expect(diffDatabases(updateOf(plain, assembled([DEMO]).database))).toEqual(NOTHING);
  const later = assembled([DEMO], {}, { issued: date(9), previous: HASH_A, published: plain }).database;
  expect(diffDatabases(updateOf(plain, later))).toEqual(NOTHING);
});

test('added, withdrawn and changed archives, the last with both entries', () => {
  const before = databaseOf({ 'a.zip': archive(), 'b.zip': archive(), 'c.zip': archive() });
  const after = databaseOf({ 'b.zip': archive(HASH_B), 'c.zip': archive(), 'd.zip': archive() });
  expect(diffDatabases(updateOf(before, after))).toMatchObject({
    added: ['d.zip'],
    withdrawn: ['a.zip'],
    changed: [{ path: 'b.zip', before: { SHA256: HASH_A }, after: { SHA256: HASH_B }, reason: null }],
  });
});

test('changed bytes have their newest reason, and none if it is an old one', () => {
  const record = { SHA256: HASH_A, Until: date(2), Reason: 'rebuilt' };
  const before = databaseOf({ 'a.zip': archive() });
  const after = databaseOf({ 'a.zip': archive(HASH_B) }, { History: new Map([['a.zip', [record]]]) });
  expect(diffDatabases(updateOf(before, after)).changed[0]?.reason).toBe('rebuilt');
  const old = databaseOf({ 'a.zip': archive() }, { History: new Map([['a.zip', [record]]]) });
  expect(diffDatabases(updateOf(old, after)).changed[0]?.reason).toBe(null);
});

test('names, yanks and settings', () => {
  const settings = overriding(
    { 'demo-1.0.tar.gz': { Version: '1.1', Yanked: 'leaks' } },
    { Notify: 'mailto:a@example.org' },
  );
  const { metadata, settings: changed } = diffDatabases(
    updateOf(plain, assembled([DEMO], settings).database),
  );
  expect(metadata).toEqual([
    { of: 'demo-1.0.tar.gz', key: 'Version', before: '1.0', after: '1.1' },
    { of: 'demo-1.0.tar.gz', key: 'Yanked', before: null, after: 'leaks' },
  ]);
  expect(changed).toEqual([{ of: '', key: 'Notify', before: null, after: 'mailto:a@example.org' }]);
});

describe('what PackMan executes', () => {
  const commanded = assembled(
    [DEMO],
    overriding({ demo: { 'Install-command': 'make\nmake install' } }),
  ).database;

  test('is shown in full when it is new or changed', () => {
    expect(diffDatabases(updateOf(plain, commanded)).executable).toEqual([
      { of: 'demo-1.0.tar.gz', key: 'Install-command', before: null, after: 'make\nmake install' },
    ]);
    const keys = diffDatabases(updateOf(null, commanded)).executable.map(({ key }) => key);
    expect(keys.sort()).toEqual(['Install-command', 'Install-test']);
  });

  test('is also a difference when it is removed', () => {
    const difference = diffDatabases(updateOf(commanded, plain));
    expect(difference.metadata).toEqual([
      { of: 'demo-1.0.tar.gz', key: 'Install-command', before: 'make\nmake install', after: null },
    ]);
  });
});

test('pseudo-packages that come and go are a difference', () => {
  const pseudo = assembled([DEMO], overriding({ python: { Name: 'python', Version: '3.12' } })).database;
  expect(diffDatabases(updateOf(plain, pseudo)).metadata).toEqual([
    { of: 'python', key: 'Name', before: null, after: 'python' },
  ]);
  expect(diffDatabases(updateOf(pseudo, plain)).metadata).toEqual([
    { of: 'python', key: 'Name', before: 'python', after: null },
  ]);
});

describe('what nobody sees who looks at files alone', () => {
  const DEMO_2 = observed('demo-2.0.tar.gz', { sha256: HASH_B, metadata: { version: '2.0' } });
  const two = assembled([DEMO, DEMO_2]).database;
  const later = { issued: date(9), previous: HASH_A };

  function differenceTo(next: Database, before = two) {
    return diffDatabases(updateOf(before, next));
  }

  function withFile(path: string, entry: Partial<FileEntry>): Database {
    const listed = two.Files.get(path) ?? archive();
    return { ...two, Files: new Map([...two.Files, [path, { ...listed, ...entry }]]) };
  }

  test('a package at another address is shown with all that changed', () => {
    const url = 'https://example.net/x.tar.gz';
    const next = assembled(
      [DEMO, DEMO_2],
      overriding({ 'demo-1.0.tar.gz': { 'Download-URL': url, MD5Sum: 'e'.repeat(32) } }),
    ).database;
    expect(differenceTo(next)).toEqual({
      ...NOTHING,
      metadata: [
        { of: 'demo-1.0.tar.gz', key: 'Download-URL', before: 'demo-1.0.tar.gz', after: url },
        { of: 'demo-1.0.tar.gz', key: 'MD5Sum', before: 'd'.repeat(32), after: 'e'.repeat(32) },
      ],
    });
  });

  test('another Base-URL is one line, and what changed besides is shown too', () => {
    const settings = { 'Base-URL': 'https://example.org/x/' };
    const base = { of: '', key: 'Base-URL', before: null, after: 'https://example.org/x/' };
    const moved = assembled([DEMO, DEMO_2], settings).database;
    expect(differenceTo(moved)).toEqual({ ...NOTHING, settings: [base] });
    const described = assembled(
      [DEMO, DEMO_2],
      overriding({ 'demo-2.0.tar.gz': { Description: 'new' } }, settings),
    ).database;
    expect(differenceTo(described).metadata).toEqual([
      { of: 'demo-2.0.tar.gz', key: 'Description', before: 'does demo', after: 'new' },
    ]);
    const third = observed('demo-3.0.tar.gz', { sha256: HASH_C, metadata: { version: '3.0' } });
    expect(differenceTo(assembled([DEMO, DEMO_2, third], settings).database).settings).toEqual([base]);
  });

  test('a package without a file of its own, or with an address elsewhere, does not come along', () => {
    const [first] = two.Packages;
    const extra = { ...first!, 'Download-URL': 'https://example.net/x.tar.gz' };
    const packages = [...two.Packages, extra].sort(comparePackages);
    expect(differenceTo({ ...two, Packages: packages }).metadata).toEqual([
      { of: 'https://example.net/x.tar.gz', key: 'Name', before: null, after: 'demo' },
    ]);
    expect(differenceTo({ ...two, Packages: [first!] }).metadata).toEqual([
      { of: 'demo-2.0.tar.gz', key: 'Name', before: 'demo', after: null },
    ]);
    const url = 'https://example.net/demo-2.0.tar.gz';
    const next = assembled(
      [DEMO, DEMO_2],
      overriding({ 'demo-2.0.tar.gz': { 'Download-URL': url } }),
    ).database;
    expect(differenceTo(next, plain).metadata).toEqual([
      { of: 'demo-2.0.tar.gz', key: 'Download-URL', before: null, after: url },
    ]);
  });

  test('platforms, and dates and sizes of the same bytes', () => {
    const path = 'demo-1.0.tar.gz';
    const changes = [
      [{ Platform: 'linux-arm64' }, { key: 'Platform', before: null, after: 'linux-arm64' }],
      [
        { Since: new Date(0) },
        { key: 'Since', before: '2026-01-01T00:00:00Z', after: '1970-01-01T00:00:00Z' },
      ],
      [{ Size: 4 }, { key: 'Size', before: '3', after: '4' }],
    ] as const;
    for (const [entry, change] of changes) {
      expect(differenceTo(withFile(path, entry)).metadata).toEqual([{ of: path, ...change }]);
    }
    expect(differenceTo(withFile('new.zip', { Since: new Date(0) })).metadata).toEqual([
      { of: 'new.zip', key: 'Since', before: null, after: '1970-01-01T00:00:00Z' },
    ]);
    expect(differenceTo(withFile('new.zip', {})).metadata).toEqual([]);
  });

  test('a database that expires earlier, later or never', () => {
    const expiring = (Expires?: Date): Database => {
      const { Expires: _, ...packsign } = two.Packsign;
      return { ...two, Packsign: { ...packsign, ...(Expires === undefined ? {} : { Expires }) } };
    };
    const before = '2026-06-30T00:00:00Z';
    expect(differenceTo(expiring()).settings).toEqual([{ of: '', key: 'Expires', before, after: null }]);
    expect(differenceTo(expiring(date(9))).settings).toEqual([
      { of: '', key: 'Expires', before, after: '2026-01-09T00:00:00Z' },
    ]);
  });

  test('records of former files that do not follow from the files', () => {
    const History = new Map([['gone.zip', [{ SHA256: HASH_C, Until: date(1) }]]]);
    const invented = { ...two, Packsign: { ...two.Packsign, History } };
    const records = `[{"SHA256":"${HASH_C}","Until":"2026-01-01T00:00:00Z"}]`;
    expect(differenceTo(invented).metadata).toEqual([
      { of: 'gone.zip', key: 'History', before: null, after: records },
    ]);
    expect(differenceTo(two, invented).metadata).toEqual([
      { of: 'gone.zip', key: 'History', before: records, after: null },
    ]);
  });

  test('an ordinary release shows only what comes, goes or is yanked', () => {
    const third = observed('demo-3.0.tar.gz', { sha256: HASH_C, metadata: { version: '3.0' } });
    const [base] = [{ 'Base-URL': 'https://example.org/' }];
    const published = assembled([DEMO, DEMO_2], base).database;
    const released = assembled([DEMO_2, third], base, { ...later, published }).database;
    expect(differenceTo(released, published)).toMatchObject({ metadata: [], settings: [] });
    const yanked = assembled([DEMO, DEMO_2], overriding({ 'demo-1.0.tar.gz': { Yanked: 'leaks' } }, base), {
      ...later,
      published,
    }).database;
    const yank = { of: 'demo-1.0.tar.gz', key: 'Yanked' };
    expect(differenceTo(yanked, published)).toEqual({
      ...NOTHING,
      metadata: [{ ...yank, before: null, after: 'leaks' }],
    });
    expect(differenceTo(published, yanked).metadata).toEqual([{ ...yank, before: 'leaks', after: null }]);
    const rebuilt = observed('demo-1.0.tar.gz', { sha256: HASH_C });
    const replaced = assembled([rebuilt, DEMO_2], base, {
      ...{ ...later, published },
      allowed: new Map([['demo-1.0.tar.gz', 'rebuilt']]),
    }).database;
    expect(differenceTo(replaced, published)).toMatchObject({ metadata: [], settings: [] });
  });
});
