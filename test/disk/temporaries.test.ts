import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { removeTemporaries, temporaryPath } from '../../src/disk/temporaries.js';

let folder: string;
let child: ChildProcess | null = null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'packsign-temporaries-'));
});

afterEach(() => {
  child?.kill('SIGKILL');
  child = null;
});

/** A temporary file with part of its name replaced. */
function left(change: (name: string) => string = (name) => name): string {
  const path = join(folder, change(basename(temporaryPath(folder))));
  writeFileSync(path, 'half');
  return path;
}

const madeBy = (pid: number) => (name: string) =>
  name.replace(/-[0-9a-f]{6}/, `-${pid.toString(16).padStart(6, '0')}`);
const elsewhere = (name: string) =>
  name.replace(
    /^(\.packsign-.{6})(.)/,
    (_, start: string, digit: string) => start + (digit === '0' ? '1' : '0'),
  );

function dead(): Promise<number> {
  const process = spawn('true');
  return new Promise((done) => process.on('close', () => done(process.pid ?? 0)));
}

describe('a temporary file is swept', () => {
  test('if its process is dead', async () => {
    left(madeBy(await dead()));
    removeTemporaries(folder);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('if an earlier process had the number of this one', () => {
    left();
    removeTemporaries(folder);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('if it was made on another machine, and this process has the lock', () => {
    left(elsewhere);
    removeTemporaries(folder, { isLocked: true });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('if it was made on another machine, long before the last change of the folder', () => {
    const path = left(elsewhere);
    const old = lstatSync(path).mtimeMs / 1000 - 3600;
    utimesSync(path, old, old);
    removeTemporaries(folder);
    expect(existsSync(path)).toBe(false);
  });
});

describe('a temporary file stays', () => {
  test('if its process is at work, also under the lock of another folder', () => {
    child = spawn('sleep', ['60']);
    const path = left(madeBy(child.pid ?? 0));
    removeTemporaries(folder);
    removeTemporaries(folder, { isLocked: true });
    expect(existsSync(path)).toBe(true);
  });

  test('if it was made on another machine a moment ago', () => {
    const path = left(elsewhere);
    removeTemporaries(folder);
    expect(existsSync(path)).toBe(true);
  });

  test('T35: if it is no file of ours: a folder, a link, a file with more names', () => {
    const paths = [temporaryPath(folder), temporaryPath(folder), left()];
    const [first = '', second = '', third = ''] = paths;
    mkdirSync(first);
    symlinkSync('nowhere', second);
    for (const name of ['one', 'two']) linkSync(third, join(folder, name));
    removeTemporaries(folder, { isLocked: true });
    expect(readdirSync(folder).sort()).toEqual([...paths.map((path) => basename(path)), 'one', 'two'].sort());
  });

  test('if it only looks like one', () => {
    const names = ['.packsign-0123.tmp', 'x.packsign-0123456789abcdef.tmp', '.packsign-0123456789abcdeF.tmp'];
    for (const name of names) writeFileSync(join(folder, name), '');
    removeTemporaries(folder, { isLocked: true });
    expect(readdirSync(folder).sort()).toEqual([...names].sort());
  });
});
