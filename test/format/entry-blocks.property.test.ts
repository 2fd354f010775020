import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeDatabase, writeDatabase } from '../../src/format/encode-database.js';
import type { DatabaseWritten } from '../../src/format/encode-database.js';
import type { Database } from '../../src/model/database.js';
import type { FileEntry } from '../../src/model/file-entry.js';

const ISSUED = new Date('2026-11-22T14:05:09Z');
const POOL = 100;

const packages = Array.from({ length: POOL }, (_, index) => ({
  ...{ Name: `package-${index % 7}`, Version: String(index), 'Install-test': '' },
  Description: index % 5 === 0 ? 'a & <b> → é 🔒' : 'x',
}));
const files = Array.from({ length: POOL }, (_, Size): FileEntry => ({
  ...{ Size, SHA256: 'a'.repeat(64), Since: ISSUED },
  ...(Size % 5 === 0 ? { Yanked: 'broken & → é' } : {}),
}));

/** Indexes into the pool: runs of some length, as a directory has, and single ones. */
const list = fc
  .array(fc.tuple(fc.nat(POOL - 1), fc.integer({ min: 1, max: 60 })), { maxLength: 4 })
  .map((runs) => runs.flatMap(([from, count]) => Array.from({ length: count }, (_, n) => (from + n) % POOL)));
const edit = fc.record({ at: fc.nat(), removed: fc.nat(40), added: list });

function databaseOf(entries: readonly number[], paths: ReadonlyMap<string, number>): Database {
  return {
    ...{ Version: '0.5', Description: 'x', Packages: entries.flatMap((index) => packages[index] ?? []) },
    Files: new Map(
      Array.from(paths).flatMap(([path, index]) =>
        files.slice(index, index + 1).map((entry) => [path, entry]),
      ),
    ),
    Packsign: { Format: 1, Issued: ISSUED },
  };
}

/** Paths stay with their entries, or get those of others. */
function pathsOf(entries: readonly number[], isRenamed: boolean): ReadonlyMap<string, number> {
  return new Map(entries.map((index, at) => [isRenamed ? `${at} & →` : `path-${index}`, index]));
}

describe('a database written after another', () => {
  test('has the bytes that it has alone, whatever stays, goes, moves, comes twice or gets another path', () => {
    fc.assert(
      fc.property(list, fc.array(fc.tuple(edit, fc.boolean()), { maxLength: 6 }), (first, edits) => {
        let entries = first;
        let written: DatabaseWritten | null = null;
        for (const [{ at, removed, added }, isRenamed] of [[NOTHING, false] as const, ...edits]) {
          entries = entries.toSpliced(at % (entries.length + 1), removed, ...added);
          const database = databaseOf(entries, pathsOf(entries, isRenamed));
          written = writeDatabase(database, written);
          expect(written.bytes.equals(encodeDatabase(database))).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('is the same where a changed entry is another object', () => {
    const before = databaseOf([1, 2, 3], pathsOf([1, 2, 3], false));
    const Packages = before.Packages.map((entry) =>
      entry.Version === '2' ? { ...entry, Description: 'changed' } : entry,
    );
    const next = { ...before, Packages };
    expect(writeDatabase(next, writeDatabase(before)).bytes.toString()).toBe(encodeDatabase(next).toString());
    expect(writeDatabase(next, writeDatabase(before)).bytes.toString()).toContain('changed');
  });

  test('is written anew only near what changed', () => {
    const all = Array.from(packages.keys());
    const database = (entries: readonly number[]) => databaseOf(entries, pathsOf(entries, false));
    const before = writeDatabase(database(all.toSpliced(50, 1)));
    const { blocks } = writeDatabase(database(all), before);
    for (const name of ['Packages', 'Files'] as const) {
      const known = new Set(before.blocks[name].map(({ entries }) => entries));
      const anew = blocks[name].filter(({ entries }) => !known.has(entries));
      expect(anew.flatMap(({ entries }) => entries).length).toBeLessThan(40);
    }
  });
});

const NOTHING = { at: 0, removed: 0, added: [] };
