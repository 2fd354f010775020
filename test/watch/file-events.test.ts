import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openFileEvents } from '../../src/watch/file-events.js';
import type { FileEvents } from '../../src/watch/file-events.js';
import { stampFiles } from '../../src/watch/stamps.js';
import { given } from '../tools.js';

/** Replaces chokidar's watcher: emits what a test tells it to. */
class FakeWatcher extends EventEmitter {
  declare readonly _readdirp: (folder: string) => AsyncIterable<unknown>;
  closed = false;
  readonly closing: () => Promise<void>;

  constructor(closing: () => Promise<void>) {
    super();
    this.closing = closing;
  }

  async close(): Promise<void> {
    await this.closing();
    this.closed = true;
  }

  /** Watches a folder as the real one does: after reading it. */
  async addFolder(folder: string): Promise<void> {
    await Readable.from(this._readdirp(folder)).toArray();
  }

  raw(folder: string, name: string): void {
    this.emit('raw', 'rename', name, { watchedPath: folder });
  }
}

const fake = vi.hoisted(() => ({
  watchers: [] as unknown[],
  closing: (): Promise<void> => Promise.resolve(),
  /** Runs once there are listeners. */
  opened: (watcher: { emit: (name: string, ...details: unknown[]) => boolean }) => {
    watcher.emit('ready');
  },
}));

vi.mock('chokidar', () => ({
  FSWatcher: class extends FakeWatcher {
    constructor() {
      super(() => fake.closing());
    }

    add(directory: string): this {
      fake.watchers.push(this);
      this.addFolder(directory).then(
        () => fake.opened(this),
        (error: unknown) => this.emit('error', error),
      );
      return this;
    }
  },
}));

const watchers = () => fake.watchers as FakeWatcher[];

let root: string;
let dist: string;
let stop: AbortController;
let reasons: string[];
let changes: FileEvents | null = null;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'packsign-test-'));
  dist = join(root, 'dist');
  mkdirSync(dist);
  stop = new AbortController();
  reasons = [];
  fake.watchers.length = 0;
  fake.closing = () => Promise.resolve();
  fake.opened = (watcher) => watcher.emit('ready');
});
afterEach(async () => {
  await changes?.close();
  changes = null;
  rmSync(root, { recursive: true, force: true });
});

/** As the checksums that packsign wrote. */
const OWN = 'SHA256SUMS';

async function open(poll = false): Promise<FileEvents> {
  changes = await openFileEvents(dist, {
    pollMs: poll ? 1000 : null,
    signal: stop.signal,
    onFallback: (reason) => reasons.push(reason),
    isOwn: (path) => path === OWN,
  });
  return changes;
}

/** Opened, and past the hints about what may have come before the watch. */
async function openQuiet(): Promise<FileEvents> {
  const opened = await open();
  expect(await opened.next(1000)).toBe('change');
  expect(await opened.next(1000)).toBe('change');
  expect(await opened.next(5)).toBe('timeout');
  return opened;
}

async function eventually(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !isTrue(); tries += 1)
    await new Promise((done) => setTimeout(done, 10));
  expect(isTrue()).toBe(true);
}

const outOfWatches = () => Object.assign(new Error('ENOSPC: no watches left'), { code: 'ENOSPC' });

describe('hints', () => {
  test('come once for an event, whether or not somebody was waiting', async () => {
    const opened = await openQuiet();
    watchers()[0]!.raw(dist, 'a-1.tar.gz');
    watchers()[0]!.raw(dist, 'b-1.tar.gz');
    expect(await opened.next(1000)).toBe('change');
    expect(await opened.next(5)).toBe('timeout');
    const waiting = opened.next(10_000);
    watchers()[0]!.raw(join(dist, 'sub'), 'c-1.tar.gz');
    expect(await waiting).toBe('change');
  });

  test.each([
    ['', 'packages.plist'],
    ['', 'packages.plist.asc'],
    ['', 'keys.asc'],
    ['', 'keys.gpg'],
    ['', 'packages.unsigned.plist'],
    ['', 'packages.unsigned.plist.asc'],
    ['', '.packsign-0123456789abcdef0123456789.tmp'],
    ['', 'signatures'],
    ['', OWN],
    ['signatures', 'anything.asc'],
    ['.packsign', 'lock'],
  ])('do not come for files that packsign writes itself: %s %s', async (folder, name) => {
    const opened = await openQuiet();
    watchers()[0]!.raw(join(dist, folder), name);
    expect(await opened.next(20)).toBe('timeout');
  });

  test.each([
    ['', 'packsign.json'],
    ['sub', 'packages.plist'],
    ['sub', OWN],
    ['', 'signatures.tar.gz'],
    ['', '.packsign-notes'],
  ])('come for files with similar names: %s %s', async (folder, name) => {
    const opened = await openQuiet();
    watchers()[0]!.raw(join(dist, folder), name);
    expect(await opened.next(1000)).toBe('change');
  });

  test('come twice for a new folder, since a file may come into it before the watch', async () => {
    const opened = await openQuiet();
    watchers()[0]!.emit('addDir', join(dist, 'sub'));
    expect(await opened.next(1000)).toBe('change');
    expect(await opened.next(5000)).toBe('change');
    expect(await opened.next(400)).toBe('timeout');
  });

  test('end with the signal, also for a later wait', async () => {
    const opened = await openQuiet();
    const waiting = opened.next(60_000);
    stop.abort();
    expect(await waiting).toBe('stop');
    watchers()[0]!.raw(dist, 'a-1.tar.gz');
    expect(await opened.next(60_000)).toBe('stop');
  });
});

describe.runIf(given(process.platform === 'linux', 'this is not Linux'))('the paths of all changes', () => {
  /** Opened, and past everything that came before. */
  async function openKnown(): Promise<(...folders: string[]) => readonly string[] | null> {
    const opened = await openQuiet();
    expect(opened.arrivals?.takeReported([''])).toBeNull();
    const taken = (...folders: string[]) => {
      const paths = opened.arrivals?.takeReported(['', ...folders]) ?? null;
      return paths === null ? null : Array.from(paths);
    };
    expect(taken()).toEqual([]);
    return taken;
  }

  test('are reported once, relative to the directory, without files that packsign writes itself', async () => {
    const taken = await openKnown();
    watchers()[0]!.raw(dist, 'a-1.tar.gz');
    watchers()[0]!.raw(join(dist, 'sub/deep'), 'b-1.tar.gz');
    watchers()[0]!.raw(dist, 'packages.plist');
    watchers()[0]!.emit('raw', 'change', 'a-1.tar.gz', { watchedPath: dist });
    expect(taken()).toEqual(['a-1.tar.gz', 'sub/deep/b-1.tar.gz']);
    expect(taken()).toEqual([]);
  });

  test.each<[string, (watcher: FakeWatcher) => void]>([
    ['one has no name', (watcher) => watcher.emit('raw', 'rename', null, { watchedPath: dist })],
    [
      'one is of the directory itself',
      (watcher) => watcher.emit('raw', 'change', 'dist', { watchedPath: dist }),
    ],
    [
      'one is of a sub-folder itself',
      (watcher) => watcher.emit('raw', 'change', 'sub', { watchedPath: join(dist, 'sub') }),
    ],
    ['a folder came', (watcher) => watcher.emit('addDir', join(dist, 'sub'))],
    ['a folder went', (watcher) => watcher.emit('unlinkDir', join(dist, 'sub'))],
    [
      'a folder could not be watched',
      (watcher) => watcher.emit('error', Object.assign(new Error('gone'), { code: 'ENOENT' })),
    ],
    [
      'there are very many',
      (watcher) => {
        for (let count = 0; count < 1024; count += 1) watcher.raw(dist, `a-${count}.tar.gz`);
      },
    ],
  ])('are not known where %s', async (_name, happen) => {
    const taken = await openKnown();
    happen(watchers()[0]!);
    expect(taken()).toBeNull();
    expect(taken()).toEqual([]);
  });

  test('are unknown where so many came that others may have been lost, until all is watched anew', async () => {
    const taken = await openKnown();
    for (let count = 0; count < 4096; count += 1) watchers()[0]!.raw(dist, 'packages.plist');
    expect(taken()).toBeNull();
    await eventually(() => watchers().length === 2 && taken()?.length === 0);
    watchers()[1]!.raw(dist, 'a-1.tar.gz');
    expect(taken()).toEqual(['a-1.tar.gz']);
  });

  test('are not listened to any more once a burst has too many, so that a signal has its turn', async () => {
    const taken = await openKnown();
    const [first] = watchers();
    for (let count = 0; count < 4096; count += 1) first!.raw(dist, `a-${count}.tar.gz`);
    // Node drops what the system still has for a closed watcher.
    await Promise.resolve().then(() => Promise.resolve());
    expect(first!.closed).toBe(true);
    await eventually(() => watchers().length === 2);
    expect(await changes!.next(1000)).toBe('change');
    expect(taken()).toBeNull();
  });

  test('are unknown until a new folder is watched', async () => {
    const taken = await openKnown();
    mkdirSync(join(dist, 'sub'));
    watchers()[0]!.raw(dist, 'sub');
    expect(taken()).toBeNull();
    expect(taken()).toBeNull();
    await watchers()[0]!.addFolder(join(dist, 'sub'));
    await new Promise((done) => setTimeout(done, 500));
    expect(taken('sub')).toBeNull();
    expect(taken('sub')).toEqual([]);
    expect(watchers()).toHaveLength(1);
  });

  test('are unknown a moment after the watcher noticed a folder, since files may have come into it before', async () => {
    const taken = await openKnown();
    watchers()[0]!.emit('addDir', join(dist, 'sub'));
    expect(taken()).toBeNull();
    expect(taken()).toEqual([]);
    await new Promise((done) => setTimeout(done, 400));
    expect(taken()).toBeNull();
  });

  test('are unknown in a folder that came without an event; then all folders are watched again, less and less often', async () => {
    const taken = await openKnown();
    mkdirSync(join(dist, 'sub'));
    for (const count of [2, 3]) {
      const beganMs = Date.now();
      await eventually(() => taken('sub') === null && watchers().length === count);
      expect(Date.now() - beganMs).toBeGreaterThan(count === 2 ? 350 : 700);
    }
    await watchers()[2]!.addFolder(join(dist, 'sub'));
    // The watcher may watch a folder a moment after reading it.
    expect(taken('sub')).toBeNull();
    await eventually(() => taken('sub') !== null);
    expect(taken('sub')).toEqual([]);
  });

  test('are unknown in a folder that replaced another without an event', async () => {
    const taken = await openKnown();
    mkdirSync(join(dist, 'sub'));
    mkdirSync(join(root, 'other'));
    await watchers()[0]!.addFolder(join(dist, 'sub'));
    await new Promise((done) => setTimeout(done, 100));
    taken('sub');
    expect(taken('sub')).toEqual([]);
    renameSync(join(dist, 'sub'), join(root, 'away'));
    renameSync(join(root, 'other'), join(dist, 'sub'));
    expect(taken('sub')).toBeNull();
    await eventually(() => watchers().length === 2);
  });

  test('are unknown in a folder that was moved and is watched again, since the watch may be the old one', async () => {
    const taken = await openKnown();
    const sub = join(dist, 'sub');
    mkdirSync(sub);
    await watchers()[0]!.addFolder(sub);
    await eventually(() => taken('sub') !== null);
    // As the system reports it: an event of the watched folder, under its own name.
    watchers()[0]!.raw(sub, 'sub');
    watchers()[0]!.emit('unlinkDir', sub);
    await watchers()[0]!.addFolder(sub);
    await new Promise((done) => setTimeout(done, 100));
    taken('sub');
    expect(taken('sub')).toBeNull();
    await eventually(() => watchers().length === 2);
  });

  test('need no watch of the folder of signatures, which nobody else writes', async () => {
    const taken = await openKnown();
    mkdirSync(join(dist, 'signatures'));
    expect(taken('signatures')).toEqual([]);
  });

  test('are unknown while watchers are opened again, and once after that', async () => {
    const taken = await openKnown();
    let letGo = (): void => undefined;
    fake.closing = () => new Promise((done) => (letGo = done));
    renameSync(dist, join(root, 'old'));
    mkdirSync(dist);
    await new Promise((done) => setTimeout(done, 700));
    expect(taken()).toBeNull();
    expect(taken()).toBeNull();
    fake.closing = () => Promise.resolve();
    letGo();
    await eventually(() => watchers().length === 2);
    await new Promise((done) => setTimeout(done, 50));
    expect(taken()).toBeNull();
    expect(taken()).toEqual([]);
  });

  test('are unknown while packsign looks on a timer', async () => {
    const opened = await open(true);
    expect(opened.arrivals?.takeReported([''])).toBeNull();
    expect(opened.arrivals?.takeReported([''])).toBeNull();
  });

  test('are unknown once the system has no watches left', async () => {
    const taken = await openKnown();
    watchers()[0]!.emit('error', outOfWatches());
    expect(taken()).toBeNull();
    expect(taken()).toBeNull();
  });
});

describe('without watches left in the system', () => {
  test('a timer takes over, reported once however many errors there are', async () => {
    fake.opened = (watcher) => {
      for (let errors = 0; errors < 20; errors += 1) watcher.emit('error', outOfWatches());
      watcher.emit('ready');
    };
    const opened = await open();
    expect(reasons).toEqual(['ENOSPC: no watches left']);
    await eventually(() => watchers()[0]!.closed);
    for (let ticks = 0; ticks < 3; ticks += 1) expect(await opened.next(10_000)).toBe('change');
    expect(watchers()).toHaveLength(1);
  });

  test('a timer takes over from a running watcher too', async () => {
    const opened = await openQuiet();
    watchers()[0]!.emit('error', outOfWatches());
    expect(await opened.next(10_000)).toBe('change');
    expect(await opened.next(10_000)).toBe('change');
    expect(reasons).toHaveLength(1);
  });

  test('nothing changes for a folder that went away meanwhile', async () => {
    const opened = await openQuiet();
    watchers()[0]!.emit('error', Object.assign(new Error('gone'), { code: 'ENOENT' }));
    expect(reasons).toEqual([]);
    expect(await opened.next(5)).toBe('timeout');
  });
});

test('polling opens no watcher, and gives a hint every second however short the waits are', async () => {
  const opened = await open(true);
  const wakes: string[] = [];
  while (wakes.length < 100 && !wakes.includes('change')) wakes.push(await opened.next(100));
  expect(wakes.length).toBeGreaterThan(3);
  expect(wakes.at(-1)).toBe('change');
  expect(watchers()).toEqual([]);
});

describe('a sub-folder', () => {
  test('that takes the name of another unnoticed makes packsign watch everything again', async () => {
    await openQuiet();
    for (const name of ['sub', 'more']) {
      mkdirSync(join(dist, name));
      watchers()[0]!.raw(dist, name);
    }
    await eventually(() => watchers().length === 2);
    expect(watchers()[0]!.closed).toBe(true);
    await new Promise((done) => setTimeout(done, 600));
    expect(watchers()).toHaveLength(2);
  });

  test('that the watcher noticed as new is already watched', async () => {
    await openQuiet();
    mkdirSync(join(dist, 'sub'));
    watchers()[0]!.raw(dist, 'sub');
    await watchers()[0]!.addFolder(join(dist, 'sub'));
    // Nor for a file, nor for a folder that is gone again.
    writeFileSync(join(dist, 'a-1.tar.gz'), '');
    watchers()[0]!.raw(dist, 'a-1.tar.gz');
    watchers()[0]!.raw(dist, 'gone');
    await new Promise((done) => setTimeout(done, 600));
    expect(watchers()).toHaveLength(1);
  });
});

describe('the directory itself', () => {
  test('is watched again after it was removed and made again, and the old watcher is closed', async () => {
    const opened = await openQuiet();
    rmSync(dist, { recursive: true });
    expect(await opened.next(10_000)).toBe('change');
    // The system may reuse its inode at once, so another folder takes that.
    mkdirSync(join(root, 'other'));
    mkdirSync(dist);
    await eventually(() => watchers().length === 2);
    expect(watchers()[0]!.closed).toBe(true);
    expect(await opened.next(10_000)).toBe('change');
  });

  test('is watched again after a swap by rename', async () => {
    const opened = await openQuiet();
    mkdirSync(join(root, 'next'));
    renameSync(dist, join(root, 'old'));
    renameSync(join(root, 'next'), dist);
    expect(await opened.next(10_000)).toBe('change');
    await eventually(() => watchers().length === 2);
    watchers()[1]!.raw(dist, 'a-1.tar.gz');
    expect(await opened.next(10_000)).toBe('change');
  });

  test('is watched once it exists', async () => {
    rmSync(dist, { recursive: true });
    const opened = await open();
    expect(watchers()).toEqual([]);
    mkdirSync(dist);
    expect(await opened.next(10_000)).toBe('change');
    await eventually(() => watchers().length === 1);
  });

  test('keeps one watcher if it is swapped faster than watchers open, and none after closing', async () => {
    fake.closing = () => new Promise((done) => setTimeout(done, 700));
    const opened = await open();
    for (let swaps = 0; swaps < 4; swaps += 1) {
      renameSync(dist, join(root, `old-${swaps}`));
      mkdirSync(dist);
      await new Promise((done) => setTimeout(done, 520));
    }
    await opened.close();
    changes = null;
    expect(watchers().filter(({ closed }) => !closed)).toEqual([]);
  });
});

test('a stamp of files changes with every change of them, and says if one is missing', () => {
  const names = ['packages.plist', 'keys.asc'];
  const stamps = [stampFiles(dist, names)];
  writeFileSync(join(dist, 'keys.asc'), 'one');
  stamps.push(stampFiles(dist, names));
  writeFileSync(join(dist, 'next'), 'two');
  renameSync(join(dist, 'next'), join(dist, 'keys.asc'));
  stamps.push(stampFiles(dist, names));
  rmSync(join(dist, 'keys.asc'));
  stamps.push(stampFiles(dist, names));
  expect(new Set(stamps).size).toBe(3);
  expect(stamps[0]).toBe(stamps[3]);
});
