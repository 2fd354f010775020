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
  /** The chance to stand still at each step for so long that others believe it dead. */
  readonly stall?: number;
}

/** A process that takes the lock in a folder, adds one to the counter beside it, and releases the lock. */
function startWorker(folder: string, { by = [], delayMs, death, stall = 0 }: Worker) {
  const numbers = [delayMs, death, stall].map(String);
  const command = [...by, process.execPath, WORKER, MODULE, folder, ...numbers];
  const child = spawn(command[0] ?? '', command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
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

const canUnshare = given(
  spawnSync('unshare', [...UNSHARE.slice(1), 'true']).status === 0,
  'no pid namespace can be made here',
);

/** Starts all processes at once in each of the rounds, and looks at what each said. */
async function race(
  name: string,
  { dead, ...worker }: Worker & { readonly dead: string | null },
  look: (said: readonly string[], round: ReturnType<typeof newFolder>) => unknown,
): Promise<void> {
  const counts: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round += 1) {
    const made = newFolder();
    if (dead !== null) putDead(join(made.folder, 'lock'), dead);
    const workers = Array.from({ length: PROCESSES }, () => startWorker(made.folder, worker));
    const said = await Promise.all(workers.map(({ ended }) => ended));
    await look(said, made);
    for (const words of said) {
      const end = words.trim().split('\n').at(-1) ?? '';
      const key = end === '' || end === 'inside' ? `killed ${end}`.trim() : end;
      counts[key] = (counts[key] ?? 0) + 1;
    }
  }
  if (ROUNDS > 1)
    console.log(`${name}: ${ROUNDS} rounds of ${PROCESSES} processes, ${JSON.stringify(counts)}`);
}

describe(`${PROCESSES} processes at once, delayed at every step`, () => {
  test.each([
    ['without a lock', null],
    ['on the lock of a dead owner', ELSEWHERE],
    ['on a lock that was never written', ''],
  ])(
    'take turns, %s',
    async (name, dead) => {
      await race(name, { dead, delayMs: 8, death: 0 }, (said, { count, left }) => {
        expect(said).toEqual(said.map(() => 'inside\ndone\n'));
        expect([count(), left()]).toEqual([PROCESSES, []]);
      });
    },
    ROUNDS * LONG_MS,
  );

  test(
    'take turns while some of them are killed at any step',
    async () => {
      const worker = { dead: ELSEWHERE, delayMs: 8, death: 0.04 };
      await race('while some are killed', worker, async (said, { folder, count }) => {
        expect(said.join('')).not.toContain('two writers');
        expect(count()).toBe(said.filter((words) => words.includes('inside')).length);
        (await takeLock(lockPlace(folder, { waitMs: LONG_MS }))).release();
      });
    },
    ROUNDS * LONG_MS,
  );

  test.runIf(canUnshare)(
    'lose no change while some stand still at any step, and others in other pid namespaces believe them dead',
    async () => {
      const worker = { by: UNSHARE, dead: ELSEWHERE, delayMs: 8, death: 0, stall: 0.04 };
      await race('while some stand still', worker, async (said, { folder, count }) => {
        // Who lost the lock is inside until it notices.
        const ends = said.map((words) => words.replace(/^inside\n|two writers\n/g, ''));
        expect(ends.filter((end) => !/^(?:inside\n)?(?:done|LOCK_LOST)\n$/.test(end))).toEqual([]);
        expect(count()).toBe(ends.filter((end) => end.includes('done')).length);
        (await takeLock(lockPlace(folder, { waitMs: LONG_MS }))).release();
      });
    },
    ROUNDS * LONG_MS,
  );
});

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
