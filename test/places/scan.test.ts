import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { rescan } from '../../src/places/rescan.js';
import { scanDirectory } from '../../src/places/scan.js';

let dist = '';
let outside = '';

beforeEach(() => {
  dist = mkdtempSync(join(tmpdir(), 'packsign-rescan-'));
  outside = mkdtempSync(join(tmpdir(), 'packsign-outside-'));
});
afterEach(() => {
  for (const folder of [dist, outside]) rmSync(folder, { recursive: true, force: true });
});

type Act = 'write' | 'remove' | 'link' | 'rename' | 'symlink' | 'folder';
type Change = readonly [Act, string, string];

const NAMES = [
  ...['a-1.zip', 'A-1.zip', 'b-1.zip', '.hidden-1.zip', 'bad name.zip', 'out-1.zip', 'key.asc', '.key'],
  ...['sub', 'sub/a-1.zip', 'sub/out-1.zip', 'sub/note', 'sub/deep/a-1.zip', '.dot/a-1.zip', '.git/a-1.zip'],
  ...['signatures/a-1.zip', 'sub/signatures/a-1.zip', 'sub.zip', 'SUB.zip/a-1.zip', 'Sub/con/a-1.zip'],
];
const EXCLUDE = ['out-*'];

/** Does it, or nothing where it cannot be done. Gives the paths that the system would report. */
function make([act, name, other]: Change): readonly string[] {
  const [path, from] = [join(dist, name), join(dist, other)];
  try {
    if (act === 'remove') rmSync(path, { recursive: true });
    else {
      mkdirSync(dirname(path), { recursive: true });
      if (act === 'write') writeFileSync(path, `${name} ${Math.random()}`);
      else if (act === 'link') linkSync(from, path);
      else if (act === 'rename') renameSync(from, path);
      else if (act === 'symlink') symlinkSync(outside, path);
      else mkdirSync(path);
    }
  } catch {
    // It was tried.
  }
  const folders = (below: string): string[] => (below === '.' ? [] : [below, ...folders(dirname(below))]);
  return act === 'rename' ? [...folders(name), other] : folders(name);
}

const scan = () => scanDirectory(dist, { globs: { include: [], exclude: EXCLUDE } });
const again = (before: ReturnType<typeof scan>, paths: readonly string[]) =>
  rescan(dist, before, { globs: { include: [], exclude: EXCLUDE }, paths: new Set(paths) });

const said = ({ files, ...rest }: ReturnType<typeof scan>, field: 'changed' | 'modified') => ({
  ...rest,
  archives: files.map(({ path, identity: { device, inode, size, [field]: time } }) =>
    [path, device, inode, size, time].join(' '),
  ),
});
/** Another name for a file, or one less, changes its time of change without a report, but no byte of it. */
const bytesOf = (one: ReturnType<typeof scan>) => said(one, 'modified');

describe('a scan of what was reported', () => {
  const name = fc.constantFrom(...NAMES);
  const change = fc.tuple(
    fc.constantFrom<Act>('write', 'write', 'write', 'remove', 'link', 'rename', 'symlink', 'folder'),
    name,
    name,
  );

  test('finds what a scan of everything finds, or says that it cannot', () => {
    let told = 0;
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), fc.array(change, { maxLength: 3 }), (first, then) => {
        rmSync(dist, { recursive: true, force: true });
        mkdirSync(dist);
        for (const each of first) make(each);
        const before = scan();
        const part = again(before, then.flatMap(make));
        if (part === null) return;
        told += 1;
        expect(bytesOf(part)).toEqual(bytesOf(scan()));
      }),
      { numRuns: 400 },
    );
    expect(told).toBeGreaterThan(100);
  });

  test('takes files that come, change and go, also below folders and beside what is warned of', () => {
    for (const path of ['a-1.zip', 'sub/b-1.zip', 'note', 'bad name.zip', 'sub/c-1.zip'])
      make(['write', path, '']);
    const before = scan();
    make(['write', 'a-1.zip', '']);
    make(['write', 'sub/d-1.zip', '']);
    make(['write', 'sub/note', '']);
    make(['remove', 'sub/c-1.zip', '']);
    make(['remove', 'note', '']);
    make(['write', 'other name.zip', '']);
    const paths = ['a-1.zip', 'sub/d-1.zip', 'sub/note', 'sub/c-1.zip', 'note', 'other name.zip', 'never'];
    const part = again(before, paths);
    expect(part?.files.map(({ path }) => path)).toEqual(['a-1.zip', 'sub/b-1.zip', 'sub/d-1.zip']);
    expect(part?.others).toEqual(['bad name.zip', 'other name.zip', 'sub/note']);
    expect(part?.rest).toEqual([
      { path: 'bad name.zip', reason: 'name' },
      { path: 'other name.zip', reason: 'name' },
      { path: 'sub/note', reason: 'kind' },
    ]);
    expect(part?.warnings).toHaveLength(2);
    expect(part === null ? null : [bytesOf(part), said(part, 'changed')]).toEqual([
      bytesOf(scan()),
      said(scan(), 'changed'),
    ]);
  });

  test('is not enough where a folder came, went, or became a link', () => {
    make(['write', 'sub/a-1.zip', '']);
    const before = scan();
    make(['folder', 'new', '']);
    expect(again(before, ['new'])).toBeNull();
    rmSync(join(dist, 'new'), { recursive: true });
    renameSync(join(dist, 'sub'), join(dist, '.away'));
    expect(again(before, ['sub'])).toBeNull();
    symlinkSync(join(dist, '.away'), join(dist, 'sub'));
    expect(again(before, ['sub'])).toBeNull();
  });

  test('T15: looks behind no link, though a change was reported there', () => {
    make(['write', 'a-1.zip', '']);
    const before = scan();
    writeFileSync(join(outside, 'b-1.zip'), 'b');
    symlinkSync(outside, join(dist, 'sub'));
    expect(existsSync(join(dist, 'sub/b-1.zip'))).toBe(true);
    const part = again(before, ['sub', 'sub/b-1.zip']);
    expect(part?.files.map(({ path }) => path)).toEqual(['a-1.zip']);
  });

  test.each([
    [['a-1.zip'], 'A-1.zip'],
    [['A-1.zip'], 'a-1.zip'],
    [['A-1.zip', 'a-1.zip'], 'b-1.zip'],
  ])('is not enough where names differ only in case: %j, then %s', (first, then) => {
    for (const path of first) make(['write', path, '']);
    const before = scan();
    make(['write', then, '']);
    expect(again(before, [then])).toBeNull();
  });

  test.each([
    [['a-1.zip'], 'A-1.zip/b-1.zip'],
    [['A-1.zip/b-1.zip'], 'a-1.zip'],
    [['A-1.zip/b-1.zip', 'a-1.zip'], 'c-1.zip'],
  ])('nor where a file has the name of a folder: %j, then %s', (first, then) => {
    for (const path of first) make(['write', path, '']);
    const before = scan();
    make(['write', then, '']);
    expect(again(before, [then])).toBeNull();
  });
});

test('T36: a file is left out if its name, in another case, is that of a folder', () => {
  for (const path of ['A-1.zip/b-1.zip', 'a-1.zip', 'B-1.zip', 'b-1.zip']) make(['write', path, '']);
  const { files, warnings } = scan();
  expect(files.map(({ path }) => path)).toEqual(['A-1.zip/b-1.zip', 'B-1.zip']);
  expect(warnings).toEqual([
    {
      code: 'UNSAFE_NAME',
      path: 'a-1.zip',
      message: 'left out: differs from the folder A-1.zip only in case',
    },
    { code: 'UNSAFE_NAME', path: 'b-1.zip', message: 'left out: differs from B-1.zip only in case' },
  ]);
});
