import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
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
import { makerMark } from '../../src/disk/maker.js';
import { thisProcess } from '../../src/disk/owner.js';
import { removeTemporaries, temporaryPath } from '../../src/disk/temporaries.js';
import { skip } from '../tools.js';
import { elsewhere, markOf } from './marks.js';

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

const madeBy = (pid: number) => (name: string) => name.replace(makerMark(), markOf(pid));
const madeElsewhere = (name: string) => name.replace(makerMark(), elsewhere(makerMark()));

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

  test('if another process has the number of its maker by now', (context) => {
    if (thisProcess().started === '') skip(context, 'no /proc tells when a process started');
    child = spawn('sleep', ['60']);
    left(madeBy(child.pid ?? 0));
    removeTemporaries(folder);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('if it was made on another machine, and this process has the lock', () => {
    left(madeElsewhere);
    removeTemporaries(folder, { isLocked: true });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('if it was made on another machine, long before the last change of the folder', () => {
    const path = left(madeElsewhere);
    const old = lstatSync(path).mtimeMs / 1000 - 3600;
    utimesSync(path, old, old);
    removeTemporaries(folder);
    expect(existsSync(path)).toBe(false);
  });
});

describe('a temporary file stays', () => {
  test('if its process is at work, also under the lock of another folder', async () => {
    const code = `import { makerMark } from './dist/src/disk/maker.js'; console.log(makerMark()); setTimeout(() => {}, 60_000);`;
    const maker = spawn(process.execPath, ['--input-type=module', '-e', code]);
    child = maker;
    const [mark] = (await once(maker.stdout, 'data')) as [Buffer];
    const path = left((name) => name.replace(makerMark(), mark.toString().trim()));
    removeTemporaries(folder);
    removeTemporaries(folder, { isLocked: true });
    expect(existsSync(path)).toBe(true);
  });

  test('if it was made on another machine a moment ago', () => {
    const path = left(madeElsewhere);
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
    const NAME = '.packsign-0123456789abcdef0123456789.tmp';
    const names = ['.packsign-0123.tmp', `x${NAME}`, NAME.replace('f', 'F')];
    for (const name of names) writeFileSync(join(folder, name), '');
    removeTemporaries(folder, { isLocked: true });
    expect(readdirSync(folder).sort()).toEqual([...names].sort());
  });
});
