import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { takeLock } from '../../src/disk/lock.js';
import { lockPlace } from '../disk/lock-place.js';
import { newPlace } from '../packsign.js';
import { given } from '../tools.js';

const ROUNDS = process.env['PACKSIGN_SOAK_SECONDS'] === undefined ? 1 : 50;
const PROCESSES = 20;
const LONG_MS = 120_000;
const WORKER = resolve('test/faults/lock-worker.mjs');
const MODULE = resolve('dist/src/disk/lock.js');
const UNSHARE = ['unshare', '--map-root-user', '--pid', '--fork', '--mount-proc'] as const;

const children = new Set<ChildProcess>();

afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

interface Worker {
  readonly by?: readonly string[];
  /** The longest time that passes at each step. */
  readonly delayMs: number;
  /** The chance to be killed at each step. */
  readonly death: number;
}

/** A process that takes the lock in a folder, adds one to the counter beside it, and releases the lock. */
function startWorker(folder: string, { by = [], delayMs, death }: Worker) {
  const [command, ...args] = [...by, process.execPath, WORKER, MODULE, folder, `${delayMs}`, `${death}`];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.add(child);
  let output = '';
  child.stdout.on('data', (bytes: Buffer) => {
    output += bytes.toString();
  });
  const ended = once(child, 'close').then(() => {
    children.delete(child);
    return output;
  });
  return { child, ended, says: () => output };
}

function newFolder(): {
  readonly folder: string;
  readonly count: () => number;
  readonly left: () => readonly string[];
} {
  const place = newPlace();
  const folder = place.path('state');
  mkdirSync(folder, { recursive: true });
  writeFileSync(place.path('counter'), '0');
  return {
    folder,
    count: () => Number(readFileSync(place.path('counter'), 'utf8')),
    left: () => readdirSync(folder),
  };
}

function putDead(path: string, text: string): void {
  writeFileSync(path, text);
  utimesSync(path, 0, 0);
}

const ELSEWHERE = JSON.stringify({
  ...{ pid: 1, started: '1', boot: 'x', namespace: 'pid:[1]', host: 'h' },
  ...{ since: '2026-11-27T00:00:00.000Z', token: 'a'.repeat(32) },
});

describe(`${PROCESSES} processes at once, delayed at every step`, () => {
  test.each([
    ['without a lock', null],
    ['on the lock of a dead owner', ELSEWHERE],
    ['on a lock that was never written', ''],
  ])(
    'take turns, %s',
    async (_, text) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const { folder, count, left } = newFolder();
        if (text !== null) putDead(join(folder, 'lock'), text);
        const workers = Array.from({ length: PROCESSES }, () =>
          startWorker(folder, { delayMs: 8, death: 0 }),
        );
        const said = await Promise.all(workers.map(({ ended }) => ended));
        expect(said).toEqual(said.map(() => 'inside\ndone\n'));
        expect([count(), left()]).toEqual([PROCESSES, []]);
      }
    },
    ROUNDS * LONG_MS,
  );

  test(
    'take turns while some of them are killed at any step',
    async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const { folder, count } = newFolder();
        putDead(join(folder, 'lock'), ELSEWHERE);
        const workers = Array.from({ length: PROCESSES }, () =>
          startWorker(folder, { delayMs: 8, death: 0.04 }),
        );
        const said = await Promise.all(workers.map(({ ended }) => ended));
        expect(said.join('')).not.toContain('two writers');
        expect(count()).toBe(said.filter((words) => words.includes('inside')).length);
        (await takeLock(lockPlace(folder, { waitMs: LONG_MS }))).release();
      }
    },
    ROUNDS * LONG_MS,
  );
});

const canUnshare = given(
  spawnSync('unshare', [...UNSHARE.slice(1), 'true']).status === 0,
  'no pid namespace can be made here',
);

describe.runIf(canUnshare)('an owner in another pid namespace', () => {
  /** Holds the lock until its standard input ends. */
  async function startOwner(folder: string) {
    const owner = startWorker(folder, { by: UNSHARE, delayMs: -1, death: 0 });
    await expect.poll(() => owner.says(), { timeout: LONG_MS }).toContain('inside');
    return owner;
  }

  test(
    'LOCKED: is not taken for dead, although its number means nothing here',
    async () => {
      const { folder, count, left } = newFolder();
      const owner = await startOwner(folder);
      await expect(takeLock(lockPlace(folder))).rejects.toThrow(expect.objectContaining({ code: 'LOCKED' }));
      owner.child.stdin.end();
      expect(await owner.ended).toBe('inside\ndone\n');
      expect([count(), left()]).toEqual([1, []]);
    },
    LONG_MS,
  );

  test(
    'LOCK_LOST: was stopped for longer than others believe in it, and writes nothing more',
    async () => {
      const { folder, count } = newFolder();
      const owner = await startOwner(folder);
      signalAll(owner.child.pid ?? 0, 'SIGSTOP');
      await sleep(100);
      utimesSync(join(folder, 'lock'), 0, 0);
      const held = await takeLock(lockPlace(folder));
      const mine = readFileSync(join(folder, 'lock'), 'utf8');
      signalAll(owner.child.pid ?? 0, 'SIGCONT');
      owner.child.stdin.end();
      expect(await owner.ended).toBe('inside\nLOCK_LOST\n');
      expect([count(), readFileSync(join(folder, 'lock'), 'utf8')]).toEqual([0, mine]);
      held.check();
      held.release();
    },
    LONG_MS,
  );

  test(
    'is taken over when it was killed and silent, under any host name',
    async () => {
      const { folder, left } = newFolder();
      const owner = await startOwner(folder);
      signalAll(owner.child.pid ?? 0, 'SIGKILL');
      await owner.ended;
      await expect(takeLock(lockPlace(folder))).rejects.toThrow(expect.objectContaining({ code: 'LOCKED' }));
      const seconds = Date.now() / 1000 - 61;
      utimesSync(join(folder, 'lock'), seconds, seconds);
      (await takeLock(lockPlace(folder))).release();
      expect(left()).toEqual([]);
    },
    LONG_MS,
  );
});

/** Sends a signal to the children of a process: unshare itself does not hold the lock. */
function signalAll(parent: number, signal: NodeJS.Signals): void {
  const pids = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ');
  for (const pid of pids) process.kill(Number(pid), signal);
}
