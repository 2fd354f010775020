import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import { encodeDatabase } from '../../src/format/encode-database.js';
import type { FileEntry } from '../../src/model/file-entry.js';
import type { Database } from '../../src/model/database.js';
import { comparePackages, compareText } from '../../src/model/package.js';
import type { Package } from '../../src/model/package.js';

const ISSUED = new Date('2026-11-22T14:05:09Z');

const text = fc.constantFrom('x', 'a & <b>', '→ é 🔒', 'lines\nof\n      text', '      <dict>\n', '</dict>');

/** Few names and texts, so that entries are alike and come twice. */
const packages: fc.Arbitrary<readonly Package[]> = fc.array(
  fc.record(
    {
      Name: fc.constantFrom('a', 'b', 'c', 'Packages'),
      Version: fc.constantFrom('1', '2'),
      Description: text,
      'Install-test': fc.constantFrom('', 'import a'),
      Prerequisites: fc.constant(['x', { Name: 'a', Version: '1' }]),
    },
    { requiredKeys: ['Name', 'Description', 'Install-test'] },
  ),
  { maxLength: 12 },
);

const archive: fc.Arbitrary<FileEntry> = fc.record(
  {
    Name: fc.constantFrom('a', 'b'),
    Version: fc.constant('1'),
    Flavor: fc.constant('source'),
    Size: fc.nat(3),
    SHA256: fc.constantFrom('a'.repeat(64), 'b'.repeat(64)),
    Since: fc.constant(ISSUED),
    Yanked: text,
  },
  { requiredKeys: ['Name', 'Version', 'Flavor', 'Size', 'SHA256', 'Since'] },
);

const path = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'Name', 'Files', 'Packages', 'i/j');
const archives = fc.uniqueArray(fc.tuple(path, archive), { selector: ([each]) => each, maxLength: 12 });

const head = fc.record(
  {
    Description: text,
    Maintainer: text,
    History: fc.constant(new Map([['old', [{ SHA256: 'a'.repeat(64), Until: ISSUED, Reason: 'x' }]]])),
  },
  { requiredKeys: ['Description'] },
);

type Head = Pick<Database, 'Description' | 'Maintainer'> & Pick<Database['Packsign'], 'History'>;

function databaseOf(
  { History, ...rest }: Head,
  entries: readonly Package[],
  listed: readonly (readonly [string, FileEntry])[],
): Database {
  return {
    Version: '0.5',
    ...rest,
    Packages: entries,
    Files: new Map(listed),
    Packsign: {
      ...{ Format: 1, Issued: ISSUED },
      ...(rest.Maintainer === undefined ? {} : { Signers: { Threshold: 1, Fingerprints: ['A'.repeat(40)] } }),
      ...(History === undefined ? {} : { History }),
    },
  };
}

function byPath([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return compareText(a, b);
}

function databases(isSorted: boolean): fc.Arbitrary<Database> {
  return fc
    .record({ entries: packages, listed: archives, first: head })
    .map(({ entries, listed, first }) =>
      databaseOf(
        first,
        isSorted ? [...entries].sort(comparePackages) : entries,
        isSorted ? [...listed].sort(byPath) : listed,
      ),
    );
}

/** What becomes of an entry: it stays in most cases. */
const fate = fc.constantFrom('stays', 'stays', 'stays', 'stays', 'goes', 'changes', 'is another', 'moves');
type Fate = 'stays' | 'goes' | 'changes' | 'is another' | 'moves';

function after<T>(
  items: readonly T[],
  fates: readonly Fate[],
  change: (item: T, another: boolean) => T,
): T[] {
  const kept: T[] = [];
  const moved: T[] = [];
  for (const [index, item] of items.entries()) {
    const what = fates[index] ?? 'stays';
    if (what === 'stays') kept.push(item);
    else if (what === 'moves') moved.push(item);
    else if (what !== 'goes') kept.push(change(item, what === 'is another'));
  }
  return [...moved, ...kept];
}

const growing = fc.record({
  fates: fc.array(fate, { maxLength: 12 }),
  added: packages,
  listed: archives,
  isSorted: fc.boolean(),
});

function grown(database: Database, { fates, added, listed, isSorted }: Growing, next: Head): Database {
  const entries = [
    ...after(database.Packages, fates, (entry, another) =>
      another ? { ...entry } : { ...entry, Description: 'changed' },
    ),
    ...added.slice(0, 3),
  ];
  const pairs = [
    ...after<readonly [string, FileEntry]>([...database.Files], fates, ([name, entry], another) => [
      name,
      another ? { ...entry } : { ...entry, Size: 9 },
    ]),
    ...listed.slice(0, 3),
  ];
  return databaseOf(
    next,
    isSorted ? entries.sort(comparePackages) : entries,
    isSorted ? pairs.sort(byPath) : pairs,
  );
}
type Growing = typeof growing extends fc.Arbitrary<infer T> ? T : never;

describe('a database written upon another has the same bytes as one written alone', () => {
  test.each([true, false])('whatever was added, withdrawn, changed or moved; sorted before: %s', (sorted) => {
    fc.assert(
      fc.property(databases(sorted), growing, head, (before, growth, second) => {
        const next = grown(before, growth, second);
        const bytes = encodeDatabase(next, { database: before, bytes: encodeDatabase(before) });
        expect(bytes.toString()).toBe(encodeDatabase(next).toString());
      }),
      { numRuns: 4000 },
    );
  });

  test('also if the other one was read from its bytes', () => {
    fc.assert(
      fc.property(databases(true), growing, head, (written, growth, second) => {
        const bytes = new Uint8Array(encodeDatabase(written));
        const before = decodeDatabase(bytes);
        const next = grown(before, growth, second);
        return encodeDatabase(next, { database: before, bytes }).equals(encodeDatabase(next));
      }),
      { numRuns: 1000 },
    );
  });
});

const names = ['a', 'b', 'c', 'd', 'e'];
const before = databaseOf(
  { Description: '' },
  names.map((Name) => ({ Name, Description: 'x', 'Install-test': '' })),
  names.map((name) => [
    name,
    { Name: name, Version: '1', Flavor: 'source', Size: 1, SHA256: 'a'.repeat(64), Since: ISSUED },
  ]),
);
/** The bytes say another thing than the value, so that it shows what was copied. */
const marked = Buffer.from(
  encodeDatabase(before)
    .toString()
    .replace(/<string>b<\/string>/g, '<string>B</string>')
    .replace(/<string>d<\/string>/g, '<string>D</string>'),
);

function copiedFrom(next: Database): string {
  const bytes = encodeDatabase(next, { database: before, bytes: marked });
  const found = bytes.toString().matchAll(/<string>([a-eBD])<\/string>/g);
  return Array.from(found, ([, name]) => name).join('');
}

describe('copies', () => {
  test('an entry that is the same object, among others that are', () => {
    expect(copiedFrom({ ...before, Description: 'new' })).toBe('aBcDeaBcDe');
  });

  test('no equal entry that is another object', () => {
    const copy = { ...before.Packages[1]! };
    const Packages = before.Packages.with(1, copy);
    const Files = new Map(before.Files).set('b', { ...before.Files.get('b')! });
    expect(copiedFrom({ ...before, Packages, Files })).toMatch(/^ab[^B]*ab[^B]*$/);
  });

  test('no entry that is in another order', () => {
    const order = [3, 1, 0, 2, 4];
    const Packages = order.map((index) => before.Packages[index]!);
    const Files = new Map(order.map((index) => [...before.Files][index]!));
    expect(copiedFrom({ ...before, Packages, Files })).toBe('dbacedbace');
  });

  test('nothing if the bytes are not as expected', () => {
    const database = { ...before, Description: 'new' };
    const fresh = encodeDatabase(database);
    for (const bytes of [Buffer.alloc(0), Buffer.from('x'), encodeDatabase({ ...before, Packages: [] })]) {
      expect(encodeDatabase(database, { database: before, bytes }).equals(fresh)).toBe(true);
    }
    const bytes = encodeDatabase(before).subarray(0, 700);
    expect(encodeDatabase(database, { database: before, bytes }).equals(fresh)).toBe(true);
  });
});
