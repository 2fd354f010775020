import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PacksignError } from '../../src/errors.js';
import { readDraft } from '../../src/format/database.js';
import type { DatabaseRead, Share } from '../../src/format/database.js';
import { encodeDatabase } from '../../src/format/encode-database.js';
import { sharingWith } from '../../src/format/shared-entries.js';
import type { FileEntry } from '../../src/model/file-entry.js';
import type { Database } from '../../src/model/database.js';
import { comparePackages, compareText } from '../../src/model/package.js';
import type { Package } from '../../src/model/package.js';
import { timesTried } from '../tools.js';

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

/** How many entries of a list are the very same objects in another one. */
function countShared(items: Iterable<object>, others: Iterable<object>): number {
  const all = new Set(others);
  return Array.from(items).filter((item) => all.has(item)).length;
}

describe('a database read after another', () => {
  test('has the value that it has alone, and where its entries are', () => {
    fc.assert(
      fc.property(databases(true), growing, head, (first, growth, second) => {
        const before = readDraft(encodeDatabase(first));
        const bytes = encodeDatabase(grown(before.database, { ...growth, isSorted: true }, second));
        expect(readDraft(bytes, sharingWith(before))).toEqual(readDraft(bytes));
      }),
      { numRuns: timesTried(3000) },
    );
  });

  test('is refused where it is alone, whatever bytes follow which', () => {
    const line = fc.record({ at: fc.nat(), to: fc.nat(), keep: fc.boolean() });
    fc.assert(
      fc.property(databases(true), line, (first, { at, to, keep }) => {
        const before = readDraft(encodeDatabase(first));
        const lines = before.text.split('\n');
        const [moved = ''] = lines.slice(at % lines.length);
        if (!keep) lines.splice(at % lines.length, 1);
        const bytes = Buffer.from(lines.toSpliced(to % lines.length, 0, moved).join('\n'));
        expect(outcomeOf(bytes, sharingWith(before))).toEqual(outcomeOf(bytes, null));
      }),
      { numRuns: timesTried(3000) },
    );
  });

  test('is refused where it is alone: entries copied, moved and left out', () => {
    const edit = fc.record({
      ...{ from: fc.nat(), count: fc.integer({ min: 1, max: 6 }), to: fc.nat() },
      ...{ keep: fc.boolean(), stale: fc.boolean(), byte: fc.option(fc.nat(), { freq: 4 }) },
    });
    const list = fc.constantFrom('packageStarts', 'fileStarts');
    fc.assert(
      fc.property(databases(true), growing, fc.tuple(list, fc.array(edit, { maxLength: 3 })), (...given) => {
        const [first, growth, [starts, edits]] = given;
        const before = readDraft(encodeDatabase(first));
        const after = readDraft(encodeDatabase(grown(before.database, { ...growth, isSorted: true }, HEAD)));
        const [old, entries] = [piecesOf(before, starts), piecesOf(after, starts)];
        for (const { from, count, to, keep, stale, byte } of edits) {
          const source = stale ? old : entries;
          const start = from % (source.length + 1);
          const moved = source.slice(start, start + count).map((text) => damaged(text, byte));
          if (!keep && !stale) entries.splice(start, count);
          entries.splice(to % (entries.length + 1), 0, ...moved);
        }
        const [begin = 0, end = 0] = [after[starts][0], after[starts].at(-1)];
        const bytes = Buffer.from(after.text.slice(0, begin) + entries.join('') + after.text.slice(end));
        expect(outcomeOf(bytes, sharingWith(before))).toEqual(outcomeOf(bytes, null));
      }),
      { numRuns: timesTried(1500) },
    );
  });

  test('has the value that it has alone, after many others', () => {
    const many = fc.array(growing, { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(databases(true), many, (first, growths) => {
        let read = readDraft(encodeDatabase(first));
        for (const growth of growths) {
          const next = grown(read.database, { ...growth, isSorted: true }, HEAD);
          const bytes = encodeDatabase(next);
          read = readDraft(bytes, sharingWith(read));
          expect(read).toEqual(readDraft(bytes));
          expect(encodeDatabase(structuredClone(next)).equals(bytes)).toBe(true);
        }
      }),
      { numRuns: timesTried(500) },
    );
  });

  test('shares every entry that stays', () => {
    fc.assert(
      fc.property(databases(true), growing, head, (first, growth, second) => {
        const before = readDraft(encodeDatabase(first));
        const next = grown(before.database, { ...growth, isSorted: true }, second);
        const { database } = readDraft(encodeDatabase(next), sharingWith(before));
        const stayed = countShared(next.Files.values(), before.database.Files.values());
        const shared = countShared(database.Files.values(), before.database.Files.values());
        expect(shared).toBeGreaterThanOrEqual(stayed);
      }),
      { numRuns: timesTried(1000) },
    );
  });
});

const HEAD = { Description: 'x' } as Head;

function piecesOf(read: DatabaseRead, list: 'packageStarts' | 'fileStarts'): string[] {
  return read[list].slice(1).map((end, index) => read.text.slice(read[list][index], end));
}

/** Text with another letter in place of one. */
function damaged(text: string, at: number | null): string {
  return at === null
    ? text
    : text.slice(0, at % text.length) + text.slice(at % text.length).replace(/[a-z0-9]/, 'B');
}

test('a text does not stay in memory for the entries that were first read in it', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const Description = 'a description that is long enough to be a part of the text';
  const entries = Array.from({ length: 2000 }, (_, index) => {
    return { Name: `package-${1000 + index}`, Description: Description.repeat(10), 'Install-test': '' };
  });
  let read = readDraft(encodeDatabase(databaseOf(HEAD, entries, [])));
  const usedAfter = (rounds: number): number => {
    for (let round = 0; round < rounds; round += 1) {
      const Packages = read.database.Packages.map((entry, index) =>
        index === round ? { ...entry, Description: Description.slice(1) } : entry,
      );
      read = readDraft(encodeDatabase({ ...read.database, Packages }), sharingWith(read));
    }
    collect();
    return process.memoryUsage().heapUsed;
  };
  const [few, many] = [usedAfter(5), usedAfter(40)];
  expect(many - few).toBeLessThan(10 * read.text.length);
});

function outcomeOf(bytes: Uint8Array, share: Share | null): unknown {
  try {
    return readDraft(bytes, share);
  } catch (error) {
    if (error instanceof PacksignError) return error.message;
    throw error;
  }
}
