import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keepCompiled } from '../../src/cli/compiled.js';

let home = '';

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'packsign-compiled-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const folder = () => join(home, 'packsign/compiled');

/** The folders that Node is told to keep compiled code in. */
function enabled(cacheHome = home): readonly string[] {
  const folders: string[] = [];
  keepCompiled({ environment: { HOME: home, XDG_CACHE_HOME: cacheHome } }, (path) => folders.push(path));
  return folders;
}

const onUnix = test.runIf(process.platform === 'linux');

onUnix('compiled code is kept in a folder that only its user may open', () => {
  expect(enabled()).toEqual([folder()]);
  expect(lstatSync(folder()).mode & 0o777).toBe(0o700);
  expect(enabled()).toEqual([folder()]);
});

onUnix.each([0o777, 0o770, 0o702])('not where others could put code of theirs: mode %o', (mode) => {
  mkdirSync(folder(), { recursive: true });
  chmodSync(folder(), mode);
  expect(enabled()).toEqual([]);
});

onUnix('not behind a link', () => {
  mkdirSync(join(home, 'elsewhere'), { mode: 0o700 });
  mkdirSync(join(home, 'packsign'));
  symlinkSync(join(home, 'elsewhere'), folder());
  expect(enabled()).toEqual([]);
});

test.runIf(process.getuid?.() === 0)(
  'not in a folder of somebody else: sudo may leave HOME as it was',
  () => {
    mkdirSync(folder(), { recursive: true, mode: 0o700 });
    chownSync(folder(), 1000, 1000);
    expect(enabled()).toEqual([]);
  },
);

onUnix('nothing fails where no folder can be made', () => {
  writeFileSync(join(home, 'file'), '');
  expect(enabled(join(home, 'file'))).toEqual([]);
});

test('nothing fails on a Node that keeps none', () => {
  keepCompiled({ environment: { HOME: home, XDG_CACHE_HOME: home } });
});
