import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FileEvents } from '../../src/watch/file-events.js';
import { incrementalScanner } from '../../src/watch/incremental-scan.js';

let root: string;
let dist: string;
let reported: Set<string> | null;
let nowMs: number;
let exclude: readonly string[];
let look: (pending?: readonly string[]) => readonly string[];

/** Events that only report paths. */
const changes: FileEvents = {
  next: () => Promise.resolve('timeout'),
  arrivals: {
    catchUp: () => Promise.resolve(),
    isMovedIn: () => false,
    forget: () => undefined,
    takeReported: () => {
      const taken = reported;
      reported = new Set();
      return taken;
    },
  },
  close: () => Promise.resolve(),
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'packsign-test-'));
  dist = join(root, 'dist');
  mkdirSync(dist);
  reported = new Set();
  nowMs = 1_700_000_000_000;
  exclude = [];
  const makeDist = incrementalScanner(dist, changes, {
    globs: () => ({ include: [], exclude }),
    isListed: () => false,
    nowMs: () => nowMs,
  });
  look = (pending = []) => {
    const scan = makeDist(pending);
    return 'code' in scan ? [scan.code] : scan.files.map(({ path, identity }) => `${path} ${identity.size}`);
  };
  write('a-1.zip', 1);
  write('b-1.zip', 1);
  expect(look()).toEqual(['a-1.zip 1', 'b-1.zip 1']);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(name: string, size: number): void {
  writeFileSync(join(dist, name), 'x'.repeat(size));
}

/** Two changes, the second without an event. */
function changeBoth(): void {
  write('a-1.zip', 2);
  write('b-1.zip', 2);
  reported?.add('a-1.zip');
}

const ONE = ['a-1.zip 2', 'b-1.zip 1'];
const BOTH = ['a-1.zip 2', 'b-1.zip 2'];

test('a scan looks only at reported files', () => {
  changeBoth();
  expect(look()).toEqual(ONE);
  expect(look()).toEqual(ONE);
});

test('a scan also looks at files that somebody may be writing without events', () => {
  changeBoth();
  expect(look(['b-1.zip'])).toEqual(BOTH);
});

test('after a minute a scan looks at everything, however many scans there were meanwhile', () => {
  changeBoth();
  for (let looks = 0; looks < 59; looks += 1) {
    nowMs += 1000;
    expect(look()).toEqual(ONE);
  }
  nowMs += 1000;
  expect(look()).toEqual(BOTH);
});

test.each<[string, () => void]>([
  ['other changes may have been missed', () => (reported = null)],
  ['the clock was set back', () => (nowMs -= 1)],
  ['other files are excluded now', () => (exclude = ['c*'])],
  [
    'a folder was reported',
    () => {
      mkdirSync(join(dist, 'sub'));
      reported?.add('sub');
    },
  ],
  [
    'the directory is another one',
    () => {
      renameSync(dist, join(root, 'old'));
      mkdirSync(dist);
      write('a-1.zip', 2);
      write('b-1.zip', 2);
    },
  ],
  [
    'its name leads to another one',
    () => {
      renameSync(dist, join(root, 'old'));
      symlinkSync(join(root, 'old'), dist);
      rmSync(dist);
      mkdirSync(join(root, 'new'));
      symlinkSync(join(root, 'new'), dist);
      write('a-1.zip', 2);
      write('b-1.zip', 2);
    },
  ],
])('everything is looked at where %s', (_name, happen) => {
  changeBoth();
  happen();
  expect(look()).toEqual(BOTH);
});

test('a directory that went away is scanned in full when it is back', () => {
  renameSync(dist, join(root, 'old'));
  expect(look()).toEqual(['DIRECTORY_UNREADABLE']);
  renameSync(join(root, 'old'), dist);
  write('b-1.zip', 3);
  expect(look()).toEqual(['a-1.zip 1', 'b-1.zip 3']);
});
