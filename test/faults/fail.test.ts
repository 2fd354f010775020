import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reasonOf } from '../../src/errors.js';
import { KEY_MADE, contentsOf, copyOf, makeWorkshop, start, succeed, writeSdist } from '../real.js';
import type { Workshop } from '../real.js';
import { PROGRAM } from '../run.js';
import { canInject, changingCalls, injected } from './inject.js';
import type { Call, Fault } from './inject.js';
import { makeLanes } from './lane.js';
import type { Lane } from './lane.js';
import { expectSettled, expectSound, temporaries } from './sound.js';

const FIRST = KEY_MADE + 100;
const LATER = KEY_MADE + 200;

/** The errors of each call when a disk is full, broken or not writable. */
const ERRORS: Readonly<Record<string, Extract<Fault, { kind: 'fail' }>['error']>> = {
  write: 'ENOSPC',
  fsync: 'EIO',
  rename: 'EACCES',
  open: 'EACCES',
  mkdir: 'EACCES',
  link: 'ENOSPC',
};

/** npm run soak: every call, and not every second one. */
const IS_SOAK = process.env['PACKSIGN_SOAK_SECONDS'] !== undefined;

let workshop: Workshop;
/** Nothing published. */
let fresh: string;
/** Published; then one file was added and one removed. */
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

describe.runIf(canInject())('a publication in which one call fails', () => {
  it('for the first time leaves everything unchanged or published', async () => {
    await failEverywhere(fresh, FIRST);
  });

  it('later leaves everything unchanged or published', async () => {
    await failEverywhere(grown, LATER);
  });
});

async function failEverywhere(start: string, at: number): Promise<void> {
  const lanes = await makeLanes(workshop, start);
  const [first] = lanes;
  const calls = await changingCalls(first, { args: publishing(first.directory), at });
  const outcome = readFileSync(join(first.directory, 'packages.plist'));
  first.restore();
  const before = published(start);
  const due = calls.filter(({ name }) => name in ERRORS);
  const queue = due.filter((_, index) => IS_SOAK || index % 4 === 0);
  const seen = new Set<string>();
  let hits = 0;

  async function failAt(lane: Lane, call: Call): Promise<void> {
    const { directory } = lane;
    const fault = { kind: 'fail', error: ERRORS[call.name] ?? 'EIO' } as const;
    const result = await injected(lane, { args: publishing(directory), at, call, fault });
    hits += 1;
    expect(temporaries(directory)).toEqual([]);
    if (result.status !== 0) {
      expect(result.status, result.stderr).toBe(2);
      expect(result.stderr).toMatch(/^packsign: error: cannot write .*(?:ENOSPC|EIO|EACCES)/);
      expect(result.stderr).not.toContain('this is a bug');
    }
    if (result.status !== 0 && contentsOf(directory)['packages.plist'] === before['packages.plist']) {
      expect(published(directory)).toEqual(before);
      if (result.stderr.includes('ENOSPC')) expect(result.stderr).toContain('hint: make room on that disk');
    } else {
      // It failed after the commit point, where packsign takes nothing back.
      expect(readFileSync(join(directory, 'packages.plist')).equals(outcome)).toBe(true);
      await expectSound(lane, directory);
      if (result.status !== 0) expect(result.stderr).toContain('is published nevertheless');
    }
    // Most failures leave everything as it was; try to go on from there only once.
    const left = JSON.stringify(contentsOf(directory, (path) => path === '.packsign/facts'));
    if (!seen.has(left)) {
      seen.add(left);
      await succeed(lane, publishing(directory), at + 1);
      await expectSettled(lane, directory);
    }
    lane.restore();
  }

  const work = async (lane: Lane) => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      try {
        await failAt(lane, next);
      } catch (error) {
        queue.length = 0;
        throw new Error(`failed ${next.name} ${next.path}: ${reasonOf(error)}`, { cause: error });
      }
    }
  };
  await Promise.all(lanes.map(work));
  if (IS_SOAK) console.log(`${hits} calls failed`);
  expect(hits).toBeGreaterThan(15);
}

/** Everything that clients may see: all but the working state. */
function published(directory: string): Readonly<Record<string, string>> {
  return contentsOf(directory, (path) => path.startsWith('.packsign/'));
}

describe.runIf(canInject())('a publication that is interrupted', () => {
  it.each([
    { signal: 'SIGINT', status: 130 },
    { signal: 'SIGTERM', status: 143 },
  ] as const)('by $signal ends with $status, all of it done or nothing', async ({ signal, status }) => {
    const [lane] = await makeLanes(workshop, grown);
    const { directory } = lane;
    const args = publishing(directory);
    const calls = await changingCalls(lane, { args, at: LATER });
    const whole = published(directory);
    const before = published(grown);
    const renames = calls.filter(({ name }) => name === 'rename');
    for (const call of [...calls.slice(0, 1), ...renames]) {
      lane.restore();
      const fault = { kind: 'signal', signal } as const;
      const result = await injected(lane, { args, at: LATER, call, fault });
      expect(temporaries(directory)).toEqual([]);
      const now = published(directory);
      if (now['packages.plist'] === before['packages.plist']) {
        expect(now).toEqual(before);
        expect(result.status).toBe(status);
      } else {
        // A publication that has started finishes first.
        expect([0, status]).toContain(result.status);
        expect(now).toEqual(whole);
      }
      await expectSound(lane, directory);
      await succeed(lane, args, LATER + 1);
      await expectSettled(lane, directory);
    }
  });
});

describe('two publications at the same time', () => {
  it('do not break each other: one finishes, the other waits or reports the lock', async () => {
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
