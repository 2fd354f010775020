import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withFiles } from '../../src/disk/scratch.js';
import { temporaryPath } from '../../src/disk/temporaries.js';

const before = process.env['TMPDIR'];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scratch-'));
  process.env['TMPDIR'] = folder;
});

afterEach(() => {
  if (before === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = before;
});

/** What a run left that was killed while it used its files. */
function leftBy(pid: number, mode = 0o700): string {
  const number = pid.toString(16).padStart(6, '0');
  const path = temporaryPath(folder).replace(/packsign-[0-9a-f]{6}/, `packsign-${number}`);
  mkdirSync(path, { mode });
  writeFileSync(join(path, 'keyring'), 'keys');
  return path;
}

const dead = () => spawnSync('true').pid;

async function use(): Promise<void> {
  await withFiles({ signature: Buffer.from('bytes') }, (made, { signature }) => {
    expect([join(made, 'signature'), existsSync(signature)]).toEqual([signature, true]);
    return Promise.resolve();
  });
}

test('leaves nothing, and takes away what a killed run left', async () => {
  leftBy(dead());
  await use();
  expect(readdirSync(folder)).toEqual([]);
});

test('leaves alone what runs at work use, also in this process', async () => {
  const used = [leftBy(process.pid), leftBy(process.ppid)];
  await use();
  expect(used.map((path) => existsSync(path))).toEqual([true, true]);
});

test('T35: leaves alone a folder that others can write in', async () => {
  const open = leftBy(dead(), 0o755);
  await use();
  expect(existsSync(open)).toBe(true);
});
