import { describe, expect, test } from 'vitest';
import { compareWithList } from '../../src/model/compare-list.js';
import type { FileEntry } from '../../src/model/file-entry.js';

const entry = (SHA256: string): FileEntry => ({ Size: 1, SHA256, Since: new Date(0) });

/** Every way in which a path can be here (`h` and a hash) and listed (`l` and a hash). */
const CASES = ['', 'h1', 'l1', 'h1 l1', 'h2 l1'];

function situations(paths: readonly string[]): { readonly here: object; readonly listed: object }[] {
  return paths.reduce<{ here: Record<string, string>; listed: Record<string, string> }[]>(
    (found, path) =>
      found.flatMap(({ here, listed }) =>
        CASES.map((words) => {
          const [, mine] = /h(\d)/.exec(words) ?? [];
          const [, theirs] = /l(\d)/.exec(words) ?? [];
          return {
            here: mine === undefined ? here : { ...here, [path]: mine },
            listed: theirs === undefined ? listed : { ...listed, [path]: theirs },
          };
        }),
      ),
    [{ here: {}, listed: {} }],
  );
}

describe('comparing files with a list', () => {
  test('finds what is not listed with these bytes, and what is not here, in every situation of four paths', () => {
    const paths = ['A', 'a', 'a/b', 'b'];
    const all = situations(paths);
    expect(all).toHaveLength(CASES.length ** paths.length);
    for (const { here, listed } of all) {
      const files = Object.entries(here).map(([path, sha256]) => ({ path, sha256: String(sha256) }));
      const list = new Map(Object.entries(listed).map(([path, sha256]) => [path, entry(String(sha256))]));
      expect(compareWithList(files, list)).toEqual({
        unlisted: files.filter(({ path, sha256 }) => list.get(path)?.SHA256 !== sha256),
        absent: Array.from(list.keys()).filter((path) => !files.some((file) => file.path === path)),
      });
    }
  });

  test('lists nothing where nothing is published', () => {
    const files = [{ path: 'a', sha256: '1' }];
    expect(compareWithList(files, undefined)).toEqual({ unlisted: files, absent: [] });
  });
});
