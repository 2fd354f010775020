import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reasonOf } from '../../src/errors.js';
import { KEY_MADE, contentsOf, copyOf, makeWorkshop, start, succeed, writeSdist } from '../real.js';
import type { Workshop } from '../real.js';
import { PROGRAM } from '../run.js';
import { expectSettled, expectSound, temporaries } from './sound.js';
import { canTrace, changingCalls, failingAt, signalledAt } from './strace.js';
import type { Call } from './strace.js';

const PATIENCE_MS = 600_000;
const LANES = 2;
const FIRST = KEY_MADE + 100;
const LATER = KEY_MADE + 200;

/** What each call may say when a disk is full, breaks, or is not ours. */
const ERRORS: Readonly<Record<string, string>> = {
  write: 'ENOSPC',
  pwrite64: 'ENOSPC',
  fsync: 'EIO',
  rename: 'EACCES',
  open: 'EACCES',
  openat: 'EACCES',
  mkdir: 'EACCES',
  link: 'ENOSPC',
};

let workshop: Workshop;
/** Nothing published. */
let fresh: string;
/** Published; then one archive came and one went. */
let grown: string;

beforeAll(async () => {
  workshop = await makeWorkshop();
  fresh = join(workshop.folder, 'fresh', 'dist');
  for (const name of ['adder', 'boa', 'cobra']) {
    writeSdist(join(fresh, `${name}-1.0.tar.gz`), { name, version: '1.0' });
  }
  mkdirSync(join(workshop.folder, 'grown'));
  grown = copyOf(fresh, '../grown/dist');
  await succeed(workshop, publishing(grown), FIRST);
  writeSdist(join(grown, 'python', 'dasypeltis-1.0.tar.gz'), { name: 'dasypeltis', version: '1.0' });
  rmSync(join(grown, 'boa-1.0.tar.gz'));
});

afterAll(() => {
  rmSync(workshop.folder, { recursive: true, force: true });
});

function publishing(directory: string): readonly string[] {
  return ['build', directory, '--key', workshop.key, '--deterministic'];
}

describe.runIf(canTrace())('a publication in which one call fails', () => {
  it(
    'for the first time leaves everything as it was, or published',
    async () => {
      await failEverywhere(fresh, FIRST);
    },
    PATIENCE_MS,
  );

  it(
    'later leaves everything as it was, or published',
    async () => {
      await failEverywhere(grown, LATER);
    },
    PATIENCE_MS,
  );
});

async function failEverywhere(start: string, at: number): Promise<void> {
  const whole = copyOf(start, 'whole');
  await setTimeout(2_100);
  const calls = changingCalls(workshop, publishing(whole), { directory: whole, at });
  const queue = calls
    .filter(({ name }) => name in ERRORS)
    .map((call, index) => ({ call, directory: copyOf(start, `failing-${String(index)}`) }));
  // Nothing is cached of an archive that was touched a moment ago, and the cache is written too.
  await setTimeout(2_100);
  const before = published(start);
  const outcome = readFileSync(join(whole, 'packages.plist'));
  const seen = new Set<string>();
  let hits = 0;

  async function failAt({ call, directory }: { call: Call; directory: string }): Promise<void> {
    const error = ERRORS[call.name] ?? 'EIO';
    const result = await failingAt(workshop, publishing(directory), { call, at, error });
    // Threads may wake each other once more or less: then another call failed than was meant.
    if (result.hit === null || !isMeant(result.hit, call)) return;
    hits += 1;
    expect(temporaries(directory)).toEqual([]);
    if (result.status !== 0) {
      expect(result.status, result.stderr).toBe(2);
      expect(result.stderr).toMatch(/^packsign: error: cannot write .*(?:ENOSPC|EIO|EACCES)/);
      expect(result.stderr).not.toContain('bug');
    }
    if (result.status !== 0 && contentsOf(directory)['packages.plist'] === before['packages.plist']) {
      expect(published(directory)).toEqual(before);
    } else {
      // It failed behind the commit point, where nothing is taken back.
      expect(readFileSync(join(directory, 'packages.plist')).equals(outcome)).toBe(true);
      await expectSound(workshop, directory);
      if (result.status !== 0) expect(result.stderr).toContain('is published all the same');
    }
    // Mostly it leaves everything as it was: going on from there is tried once.
    const left = JSON.stringify(contentsOf(directory, (path) => path === '.packsign/cache'));
    if (!seen.has(left)) {
      seen.add(left);
      await succeed(workshop, publishing(directory), at + 1);
      await expectSettled(workshop, directory);
    }
    rmSync(directory, { recursive: true });
  }

  const lane = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      try {
        await failAt(next);
      } catch (error) {
        queue.length = 0;
        throw new Error(`failed ${next.call.name}(${next.call.text}: ${reasonOf(error)}`, { cause: error });
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  rmSync(whole, { recursive: true });
  expect(hits).toBeGreaterThan(15);
}

/** What clients may see: everything but working state. */
function published(directory: string): Readonly<Record<string, string>> {
  return contentsOf(directory, (path) => path.startsWith('.packsign/'));
}

/** Whether the call that failed is of the kind that was chosen, and not one of Node's own. */
function isMeant(hit: string, { name }: Call): boolean {
  if (name === 'write') return /write\((?![12],).*, (?:9|\d{2,})\) += -1/.test(hit);
  return name === 'open' || name === 'openat' ? hit.includes('O_CREAT') : true;
}

describe.runIf(canTrace())('a publication that is interrupted', () => {
  it.each([
    { signal: 'INT', status: 130 },
    { signal: 'TERM', status: 143 },
  ] as const)(
    'by SIG$signal ends with $status, all of it done or nothing',
    async ({ signal, status }) => {
      const whole = copyOf(grown, 'whole');
      const calls = changingCalls(workshop, publishing(whole), { directory: whole, at: LATER });
      const before = published(grown);
      const renames = calls.filter(({ name }) => name === 'rename');
      for (const [index, call] of [...calls.slice(0, 1), ...renames].entries()) {
        const directory = copyOf(grown, `interrupted-${String(index)}`);
        const result = await signalledAt(workshop, publishing(directory), { call, at: LATER, signal });
        expect(temporaries(directory)).toEqual([]);
        const now = published(directory);
        if (now['packages.plist'] === before['packages.plist']) {
          expect(now).toEqual(before);
          expect(result.status).toBe(status);
        } else {
          // A publication that has begun comes to its end first.
          expect([0, status]).toContain(result.status);
          expect(now).toEqual(published(whole));
        }
        await expectSound(workshop, directory);
        await succeed(workshop, publishing(directory), LATER + 1);
        await expectSettled(workshop, directory);
        rmSync(directory, { recursive: true });
      }
      rmSync(whole, { recursive: true });
    },
    PATIENCE_MS,
  );
});

describe('two publications at one time', () => {
  it('do not break each other: one is done, the other waits or says that it is locked', async () => {
    for (const round of [1, 2, 3]) {
      const directory = copyOf(grown, `both-${String(round)}`);
      const command = [process.execPath, PROGRAM, ...publishing(directory)];
      const runs = await Promise.all([start(workshop, command, LATER), start(workshop, command, LATER)]);
      expect(runs.map(({ status }) => status)).toContain(0);
      for (const { status, stderr } of runs) {
        if (status !== 0) expect(`${String(status)} ${stderr}`).toMatch(/^2 .*is at work here/);
      }
      await expectSettled(workshop, directory);
      rmSync(directory, { recursive: true });
    }
  });
});
