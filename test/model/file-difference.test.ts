import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FileEntries } from '../../src/model/file-entry.js';
import { compareFiles } from '../../src/model/file-difference.js';
import { HASH_A, HASH_B, archive } from './databases.js';

const ENTRIES = [archive(HASH_A), archive(HASH_B)] as const;
const lists = fc
  .dictionary(fc.constantFrom('a.zip', 'b.zip', 'c.zip'), fc.constantFrom(...ENTRIES))
  .map((members): FileEntries => new Map(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1))));

test('every path is added, withdrawn, replaced or the same', () => {
  fc.assert(
    fc.property(lists, lists, (before, next) => {
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
    }),
  );
  expect(compareFiles(undefined, new Map([['a.zip', archive()]])).added).toEqual(['a.zip']);
});
