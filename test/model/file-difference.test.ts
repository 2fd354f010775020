import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FileEntries } from '../../src/model/file-entry.js';
import { compareFiles } from '../../src/model/file-difference.js';
import { HASH_A, HASH_B, archive } from './databases.js';

const ENTRIES = [archive(HASH_A), archive(HASH_B)] as const;
const lists = fc
  .dictionary(fc.constantFrom('a.zip', 'b.zip', 'c.zip'), fc.constantFrom(...ENTRIES))
  .map((members): FileEntries => new Map(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1))));

test('every path is added, withdrawn, replaced or the same, whatever was compared before', () => {
  fc.assert(
    fc.property(lists, lists, lists, (one, other, next) => {
      for (const before of [one, other, one]) {
        const { added, withdrawn, replaced } = compareFiles(before, next);
        const paths = [...new Set([...before.keys(), ...next.keys()])].sort();
        expect(added).toEqual(paths.filter((path) => !before.has(path)));
        expect(withdrawn).toEqual(paths.filter((path) => !next.has(path)));
        expect(replaced).toEqual(
          paths.flatMap((path) => {
            const pair = { before: before.get(path), after: next.get(path) };
            const isReplaced =
              pair.before !== undefined && pair.after !== undefined && pair.before !== pair.after;
            return isReplaced ? [{ path, ...pair }] : [];
          }),
        );
      }
    }),
  );
  expect(compareFiles(undefined, new Map([['a.zip', archive()]])).added).toEqual(['a.zip']);
});

test('keeps only the last of many lists, each compared with the one before', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const gone: WeakRef<FileEntries>[] = [];
  let published: FileEntries = new Map();
  for (let round = 0; round < 20; round += 1) {
    const next: FileEntries = new Map([...published, [`${String(round).padStart(2, '0')}.zip`, archive()]]);
    compareFiles(published, next);
    gone.push(new WeakRef(published));
    published = next;
  }
  await setImmediate();
  collect();
  expect(gone.filter((list) => list.deref() !== undefined)).toEqual([]);
  expect(published.size).toBe(20);
});
