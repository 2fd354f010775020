import { execFileSync } from 'node:child_process';
import fs, { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { takeLock } from '../../src/disk/lock.js';
import { newPlace } from '../packsign.js';

let folder: string;
const lock = () => join(folder, 'lock');

beforeEach(() => {
  folder = newPlace().path('state');
});

afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

/** Makes the disk refuse to remove or rename files, as a read-only one does. */
function refuse(call: 'unlinkSync' | 'renameSync'): void {
  vi.spyOn(fs, call).mockImplementation(() => {
    throw Object.assign(new Error(`EROFS: read-only file system, ${call}`), { code: 'EROFS', syscall: call });
  });
  syncBuiltinESMExports();
}

function recover(): void {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
}

test('LOCKED: only one can hold the lock, until it is released', () => {
  const release = takeLock(folder);
  expect(() => takeLock(folder)).toThrow(expect.objectContaining({ code: 'LOCKED' }));
  release();
  expect(existsSync(lock())).toBe(false);
  takeLock(folder)();
});

test('a lock that cannot be removed is not an error, and does not block the same process', () => {
  const release = takeLock(folder);
  refuse('unlinkSync');
  release();
  recover();
  expect(existsSync(lock())).toBe(true);
  const again = takeLock(folder);
  expect(() => takeLock(folder)).toThrow(expect.objectContaining({ code: 'LOCKED' }));
  again();
  expect(readdirSync(folder)).toEqual([]);
});

test('FILE_UNWRITABLE: the lock of a dead process cannot be taken over', () => {
  takeLock(folder)();
  writeFileSync(lock(), JSON.stringify({ pid: 1, started: 'never', host: hostname(), boot: 'x' }));
  refuse('renameSync');
  expect(() => takeLock(folder)).toThrow(
    expect.objectContaining({
      code: 'FILE_UNWRITABLE',
      message: `cannot write ${lock()}: read-only file system (EROFS)`,
    }),
  );
});

test('a leftover that cannot be swept does not block the lock', () => {
  fs.mkdirSync(join(folder, 'lock.7'), { recursive: true });
  fs.mkdirSync(join(folder, '.packsign-0123456789abcdef.tmp'));
  takeLock(folder)();
  expect(existsSync(lock())).toBe(false);
});

test('FILE_UNREADABLE: the lock is a folder', () => {
  fs.mkdirSync(lock(), { recursive: true });
  expect(() => takeLock(folder)).toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE' }));
  expect(existsSync(lock())).toBe(true);
});

test.each([
  ['a folder', () => mkdirSync(lock())],
  ['a pipe', () => execFileSync('mkfifo', [lock()])],
  [
    'larger than any of ours',
    () => {
      writeFileSync(lock(), Buffer.alloc(5000));
    },
  ],
])('S13: a lock that is %s is an error that says what to remove', (_, make) => {
  takeLock(folder)();
  make();
  const hint = expect.stringContaining(`remove ${lock()}`) as string;
  expect(() => takeLock(folder)).toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE', hint }));
});

test.each([
  ['no number', { pid: '1' }],
  ['half a process', { pid: 1.5 }],
  ['every process', { pid: -1 }],
  ['a host with control characters', { pid: 1, host: '\u001b[31m' }],
  ['no boot', { pid: 1, boot: 5 }],
])('S13: a lock whose owner is %s is nobody’s, and is taken over', (_, more) => {
  takeLock(folder)();
  writeFileSync(lock(), JSON.stringify({ started: '', host: 'elsewhere', boot: '', ...more }));
  takeLock(folder)();
  expect(existsSync(lock())).toBe(false);
});

test('T35: a link in place of the file that becomes the lock is not followed', () => {
  takeLock(folder)();
  const mine = join(folder, 'mine');
  writeFileSync(mine, 'mine');
  symlinkSync(mine, `${lock()}.${process.pid}`);
  takeLock(folder)();
  expect(readFileSync(mine, 'utf8')).toBe('mine');
});
