import { describe, expect, test } from 'vitest';
import { folderFinder, splitFolders } from '../../src/model/split-folders.js';

/** So many files in each of these folders; '' is the directory itself. */
function files(counts: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(counts).flatMap(([folder, count]) =>
    Array.from({ length: count }, (_, index) => `${folder === '' ? '' : `${folder}/`}f-${index}.zip`),
  );
}

const split = (counts: Readonly<Record<string, number>>, limit = 100) => splitFolders(files(counts), limit);

describe('folders become databases', () => {
  test('the largest first, and no more than it takes', () => {
    expect(split({ linux: 90, mac: 80, windows: 70, bsd: 20 })).toEqual(['linux', 'mac']);
    expect(split({ linux: 90, mac: 5, windows: 5 })).toEqual([]);
  });

  test('but not those with less than a tenth of the limit', () => {
    expect(split({ '': 99, linux: 60, ...small(20) })).toEqual(['linux']);
    expect(split({ '': 150, a: 9 })).toEqual([]);
    expect(split({ '': 150, a: 10 })).toEqual(['a']);
  });

  test('but not one that has nearly all files: the folders in it do', () => {
    expect(split({ '': 3, 'pool/a': 90, 'pool/b': 80, 'pool/c': 70, pool: 2 })).toEqual(['pool/a', 'pool/b']);
    expect(split({ 'x/y/z/a': 90, 'x/y/z/b': 80 })).toEqual(['x/y/z/a']);
  });

  test('and what is too large in one of them is divided again', () => {
    expect(split({ '': 20, 'linux/old': 90, 'linux/new': 80, linux: 10 })).toEqual(['linux', 'linux/old']);
    expect(split({ '': 90, linux: 300 })).toEqual(['linux']);
  });

  test('never so that the directory keeps nothing', () => {
    expect(split({ linux: 300 })).toEqual([]);
    expect(split({ linux: 300, mac: 300 })).toEqual(['linux']);
  });

  test('but not where files lie at the names that packsign writes', () => {
    expect(splitFolders([...files({ '': 90, docs: 50 }), 'docs/INDEX.html'], 100)).toEqual([]);
    expect(splitFolders([...files({ '': 90, 'docs/a': 50 }), 'docs/a/b/index.html'], 100)).toEqual(['docs']);
  });

  test('in byte order, from any number of files', () => {
    const many = Object.fromEntries(
      Array.from({ length: 300 }, (_, index) => [`p${index % 100}/v${index}`, 800]),
    );
    const found = split(many, 10_000);
    expect(found).toEqual(found.toSorted());
    expect(found.length).toBeGreaterThan(50);
  });
});

function small(count: number): Readonly<Record<string, number>> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, 2]));
}

test('a file belongs to the innermost folder around it', () => {
  const folderOf = folderFinder(['linux', 'linux/old', 'mac']);
  expect(
    ['a.zip', 'linux/a.zip', 'linux/older/a.zip', 'linux/old/x/a.zip', 'linux.zip'].map(folderOf),
  ).toEqual([...['', 'linux', 'linux', 'linux/old', '']]);
});
