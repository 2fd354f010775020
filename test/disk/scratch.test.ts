import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makerMark } from '../../src/disk/maker.js';
import { withFiles } from '../../src/disk/scratch.js';
import { temporaryPath } from '../../src/disk/temporaries.js';
import { deadMark, elsewhere } from './marks.js';

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

/** What a run has there while it uses its files, or left when it was killed. */
function leftBy(mark: string, mode = 0o700): string {
  const path = temporaryPath(folder).replace(makerMark(), mark);
  mkdirSync(path, { mode });
  writeFileSync(join(path, 'keyring'), 'keys');
  return path;
}

async function use(): Promise<void> {
  await withFiles({ signature: Buffer.from('bytes') }, (made, { signature }) => {
    expect([join(made, 'signature'), existsSync(signature)]).toEqual([signature, true]);
    return Promise.resolve();
  });
}

test('leaves nothing, and takes away what a killed run left', async () => {
  leftBy(deadMark());
  await use();
  expect(readdirSync(folder)).toEqual([]);
});

test('leaves alone what this process uses, and what a process that it cannot see may use', async () => {
  const used = [leftBy(makerMark()), leftBy(elsewhere(deadMark()))];
  await use();
  expect(used.map((path) => existsSync(path))).toEqual([true, true]);
});

test('T35: leaves alone a folder that others can write in', async () => {
  const open = leftBy(deadMark(), 0o755);
  await use();
  expect(existsSync(open)).toBe(true);
});
