import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FileEvents } from '../../src/watch/file-events.js';
import { trackFiles } from '../../src/watch/file-stability.js';
import { stableStates } from '../../src/watch/stability.js';
import type { DirectoryState } from '../../src/watch/stability.js';

const SETTLE_MS = 2000;

let root: string;
let dist: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'packsign-test-'));
  dist = join(root, 'dist');
  mkdirSync(dist);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Writes as most programs do: the last change is one of bytes. */
function write(name: string, bytes = name): void {
  mkdirSync(dirname(join(dist, name)), { recursive: true });
  writeFileSync(join(dist, name), bytes);
}

/** Makes a file elsewhere whose last write was a while ago. */
function made(bytes: string): string {
  const path = join(root, 'made');
  writeFileSync(path, bytes);
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  return path;
}

/** Puts a complete file under its name by rename. */
function drop(name: string, bytes = name): void {
  mkdirSync(dirname(join(dist, name)), { recursive: true });
  renameSync(made(bytes), join(dist, name));
}

/** An act at a time after the beginning; with `hint: false` no event reports it. */
interface Step {
  readonly atMs: number;
  readonly act: (clock: { ms: number }) => void;
  readonly hint?: boolean;
}

/** A state that was yielded: when, which files were stable, which were not. */
interface Seen {
  readonly atMs: number;
  readonly stable: readonly string[];
  readonly unstable: readonly string[];
  readonly changed: boolean;
  /** Absent if there are none. */
  readonly longOpen?: readonly string[];
}

interface SceneOptions {
  readonly once?: boolean;
  readonly untilMs?: number;
  readonly dueMs?: () => number;
  readonly isRefused?: () => boolean;
  readonly kept?: readonly string[];
  readonly exclude?: readonly string[];
  /** The files that a program has open at a time. */
  readonly open?: (atMs: number) => ReadonlySet<string>;
  /** The work of a cycle, and how long it takes by the fake clock. */
  readonly onTurn?: (state: DirectoryState) => number | undefined;
}

/**
 * Plays the steps on real files, with a clock that only runs while something waits. The times of files are real, so the
 * clock begins at the real present, and no step takes as long as it says.
 */
async function play(steps: readonly Step[], options: SceneOptions = {}): Promise<readonly Seen[]> {
  const clock = { ms: Date.now() + 1 };
  const began = clock.ms;
  // Counted apart from the clock, which a step may set.
  let passedMs = 0;
  const left = [...steps].sort((a, b) => a.atMs - b.atMs);
  let rung = false;
  /** Lets time pass, and runs the steps in it. */
  const pass = (ms: number) => {
    const endMs = passedMs + ms;
    for (let step = left[0]; step !== undefined && step.atMs <= endMs; step = left[0]) {
      left.shift();
      clock.ms += Math.max(0, step.atMs - passedMs);
      passedMs = Math.max(passedMs, step.atMs);
      step.act(clock);
      if (step.hint !== false) return (rung = true);
    }
    clock.ms += endMs - passedMs;
    passedMs = endMs;
    return false;
  };
  const changes: FileEvents = {
    next: (timeoutMs) => {
      if (passedMs >= (options.untilMs ?? 120_000)) return Promise.resolve('stop');
      const wasRung = rung || pass(timeoutMs);
      rung = false;
      return Promise.resolve(wasRung ? 'change' : 'timeout');
    },
    close: () => Promise.resolve(),
  };
  const seen: Seen[] = [];
  const states = stableStates(dist, changes, {
    settleMs: SETTLE_MS,
    globs: () => ({ include: [], exclude: options.exclude ?? [] }),
    isListed: () => false,
    nowMs: () => clock.ms,
    dueMs: options.dueMs === undefined ? () => Infinity : () => began + options.dueMs!(),
    isRefused: options.isRefused ?? (() => false),
    kept: () => options.kept ?? [],
    openFiles: () => options.open?.(passedMs) ?? new Set(),
    once: options.once ?? false,
  });
  for await (const state of states) {
    // Rounded to ten milliseconds: before every cycle there is a short wait for a burst.
    const atMs = Math.floor(passedMs / 10) * 10;
    if (state.kind === 'seen') {
      const paths = state.scan.files.map(({ path }) => path);
      seen.push({
        atMs,
        stable: paths.filter((path) => !state.unstable.has(path)),
        unstable: Array.from(state.unstable),
        changed: state.changed,
        ...(state.longOpen.length === 0 ? {} : { longOpen: state.longOpen }),
      });
    } else {
      seen.push({ atMs, stable: [state.error.code], unstable: [], changed: false });
    }
    for (let ms = options.onTurn?.(state) ?? 0; ms > 0; ms -= 1) pass(1);
  }
  return seen;
}

/** The states after the first, which always comes at once. */
async function later(steps: readonly Step[], options: SceneOptions = {}): Promise<readonly Seen[]> {
  const [first, ...rest] = await play(steps, options);
  expect(first?.atMs).toBe(0);
  return rest;
}

describe('files that are there at the beginning', () => {
  test('have a cycle at once; one that was just written, when it is stable', async () => {
    drop('a-1.tar.gz');
    write('b-1.tar.gz');
    const [first, second, ...rest] = await play([]);
    expect(first).toEqual({ atMs: 0, stable: ['a-1.tar.gz'], unstable: ['b-1.tar.gz'], changed: true });
    expect(second).toMatchObject({ stable: ['a-1.tar.gz', 'b-1.tar.gz'], unstable: [], changed: true });
    expect(second!.atMs).toBeGreaterThan(SETTLE_MS - 500);
    expect(second!.atMs).toBeLessThanOrEqual(SETTLE_MS + 1);
    expect(rest).toEqual([]);
  });

  test.each([true, false])(
    'have another cycle at once if they become stable during the first one (--once: %s)',
    async (once) => {
      drop('a-1.tar.gz');
      write('b-1.tar.gz');
      const [first, second, ...rest] = await play([], { once, onTurn: () => 1.5 * SETTLE_MS });
      expect(first).toMatchObject({ stable: ['a-1.tar.gz'], unstable: ['b-1.tar.gz'] });
      expect(second).toMatchObject({ stable: ['a-1.tar.gz', 'b-1.tar.gz'], unstable: [], changed: true });
      expect(second!.atMs).toBeLessThanOrEqual(1.5 * SETTLE_MS + 100);
      expect(rest).toEqual([]);
    },
  );

  test('may be 200,000 that somebody is writing', () => {
    const nowMs = Date.now();
    const changed = BigInt(nowMs) * 1_000_000n;
    const identity = { device: 1n, size: 1n, modified: changed, changed };
    const files = Array.from({ length: 200_000 }, (_, index) => ({
      path: `f-${index}.tar.gz`,
      identity: { ...identity, inode: BigInt(index) },
    }));
    const tracked = trackFiles({
      ...{ settleMs: SETTLE_MS, nowMs: () => nowMs, arrivals: undefined },
      ...{ openFiles: () => new Set<string>(), once: false },
    });
    const { unstable } = tracked.see({
      files,
      rest: [],
      others: [],
      misnamed: [],
      folders: [],
      warnings: [],
    });
    expect(unstable.size).toBe(files.length);
    expect(tracked.nextMs()).toBe(nowMs + SETTLE_MS);
  });

  test('have a cycle even if there are none', async () => {
    expect(await play([])).toEqual([{ atMs: 0, stable: [], unstable: [], changed: false }]);
  });

  test('need no directory; a cycle comes when there is one', async () => {
    rmSync(dist, { recursive: true });
    const states = await play([{ atMs: 5000, act: () => drop('a-1.tar.gz') }], { untilMs: 6000 });
    expect(states.map(({ stable }) => stable)).toEqual([['DIRECTORY_UNREADABLE'], ['a-1.tar.gz']]);
  });
});

describe('keys.asc that changes during a cycle', () => {
  const whileAtWork = (isRefused: boolean) => {
    let times = 0;
    const onTurn = () => {
      times += 1;
      write('keys.asc', `version ${times}`);
      return undefined;
    };
    return later([], { isRefused: () => isRefused, onTurn, untilMs: 10_000 });
  };

  test('was published by the cycle', async () => {
    expect(await whileAtWork(false)).toEqual([]);
  });

  test('may be what a refused cycle lacked: one more comes, and only one', async () => {
    expect(await whileAtWork(true)).toHaveLength(1);
  });
});

describe('a file that somebody writes', () => {
  test('in three pieces, with pauses, counts once, with all of them', async () => {
    const states = await later([
      { atMs: 1000, act: () => write('a-1.tar.gz', 'one') },
      { atMs: 2500, act: () => appendFileSync(join(dist, 'a-1.tar.gz'), 'two') },
      { atMs: 4000, act: () => appendFileSync(join(dist, 'a-1.tar.gz'), 'three') },
    ]);
    expect(states).toEqual([{ atMs: 6000, stable: ['a-1.tar.gz'], unstable: [], changed: true }]);
  });

  test('counts as stable only after the full time without any change', async () => {
    const path = join(dist, 'a-1.tar.gz');
    const states = await later([
      { atMs: 1000, act: () => write('a-1.tar.gz', 'bytes') },
      // Size and modification time stay the same; only the change time differs.
      { atMs: 2900, act: () => utimesSync(path, 1_700_000_000, 1_700_000_000) },
    ]);
    expect(states.map(({ atMs }) => atMs)).toEqual([4900]);
  });

  test('and removes before it is stable never counts', async () => {
    const states = await later([
      { atMs: 1000, act: () => write('a-1.tar.gz', 'half of it') },
      { atMs: 2000, act: () => unlinkSync(join(dist, 'a-1.tar.gz')) },
    ]);
    expect(states).toEqual([]);
  });

  test('over a published one counts as unchanged until it is stable, and as gone when it goes away', async () => {
    drop('a-1.tar.gz');
    drop('b-1.tar.gz');
    const states = await later([
      { atMs: 1000, act: () => write('a-1.tar.gz', 'other bytes') },
      { atMs: 2000, act: () => unlinkSync(join(dist, 'a-1.tar.gz')) },
    ]);
    expect(states).toEqual([{ atMs: 4000, stable: ['b-1.tar.gz'], unstable: [], changed: true }]);
  });

  test('slowly does not delay one that appears complete', async () => {
    const pieces = Array.from({ length: 20 }, (_, index) => ({
      atMs: 1000 + index * 1000,
      act: () => appendFileSync(join(dist, 'slow-1.tar.gz'), `piece ${index}`),
    }));
    const states = await later([...pieces, { atMs: 5500, act: () => drop('a-1.tar.gz') }]);
    expect(states).toEqual([
      { atMs: 5500, stable: ['a-1.tar.gz'], unstable: ['slow-1.tar.gz'], changed: true },
      { atMs: 22_000, stable: ['a-1.tar.gz', 'slow-1.tar.gz'], unstable: [], changed: true },
    ]);
  });

  test('slowly delays other written files only for a while', async () => {
    const pieces = Array.from({ length: 30 }, (_, index) => ({
      atMs: 1000 + index * 1000,
      act: () => appendFileSync(join(dist, 'slow-1.tar.gz'), `piece ${index}`),
    }));
    const [first, ...rest] = await later([...pieces, { atMs: 3500, act: () => write('a-1.tar.gz') }]);
    // It is stable after 2 s, and waits a quarter of that for the other: within three seconds it is signed.
    expect(first).toMatchObject({ stable: ['a-1.tar.gz'], unstable: ['slow-1.tar.gz'] });
    expect(first!.atMs).toBeGreaterThanOrEqual(5500);
    expect(first!.atMs).toBeLessThanOrEqual(3500 + SETTLE_MS * 1.5);
    expect(rest.map(({ atMs }) => atMs)).toEqual([32_000]);
  });

  test('becomes stable even if the clock is set back meanwhile', async () => {
    const states = await later([
      { atMs: 1000, act: () => write('a-1.tar.gz') },
      { atMs: 1500, act: (clock) => (clock.ms -= 3_600_000) },
    ]);
    expect(states).toMatchObject([{ stable: ['a-1.tar.gz'], unstable: [] }]);
    expect(states[0]!.atMs).toBeLessThanOrEqual(4000);
  });

  test('on a file server with a fast clock becomes stable by our clock', async () => {
    const ahead = Date.now() / 1000 + 86_400;
    const act = () => {
      write('a-1.tar.gz');
      utimesSync(join(dist, 'a-1.tar.gz'), ahead, ahead);
    };
    const states = await later([{ atMs: 1000, act }]);
    expect(states.map(({ atMs }) => atMs)).toEqual([1000 + SETTLE_MS]);
  });

  test('is not complete when its permissions are set before its first byte', async () => {
    const path = join(dist, 'a-1.tar.gz');
    const act = () => {
      writeFileSync(path, '');
      utimesSync(path, 1_700_000_000, 1_700_000_000);
      chmodSync(path, 0o600);
    };
    const states = await later([
      { atMs: 1000, act },
      { atMs: 1500, act: () => writeFileSync(path, 'bytes') },
    ]);
    expect(states.map(({ atMs }) => atMs)).toEqual([3500]);
  });
});

describe('a file that a program has open for writing', () => {
  const A = 'a-1.tar.gz';
  const openUntil = (endMs: number) => (atMs: number) => new Set(atMs < endMs ? [A] : []);

  test('counts within a second of its end, and delays no other', async () => {
    const states = await later(
      [
        { atMs: 1000, act: () => write(A) },
        { atMs: 4000, act: () => write('b-1.tar.gz') },
      ],
      { open: openUntil(30_000) },
    );
    expect(states.map(({ stable, unstable }) => [stable, unstable])).toEqual([
      [['b-1.tar.gz'], [A]],
      [[A, 'b-1.tar.gz'], []],
    ]);
    expect(states[0]!.atMs).toBeLessThanOrEqual(4000 + SETTLE_MS + 100);
    expect(states[1]!.atMs).toBeGreaterThanOrEqual(30_000);
    expect(states[1]!.atMs).toBeLessThanOrEqual(31_100);
  });

  test('does not count even if it appeared by rename', async () => {
    const states = await later([{ atMs: 1000, act: () => drop(A) }], { open: openUntil(5000) });
    expect(states.map(({ stable }) => stable)).toEqual([[A]]);
    expect(states[0]!.atMs).toBeGreaterThanOrEqual(5000);
  });

  test('over a published one counts as unchanged', async () => {
    drop(A);
    const [first, ...rest] = await play([{ atMs: 1000, act: () => appendFileSync(join(dist, A), 'more') }], {
      open: (atMs) => new Set(atMs > 1000 && atMs < 9000 ? [A] : []),
    });
    expect(first).toMatchObject({ stable: [A] });
    expect(rest).toMatchObject([{ stable: [A], changed: true }]);
    expect(rest[0]!.atMs).toBeGreaterThanOrEqual(9000);
  });

  test('for ever is reported once, after a minute, also if somebody writes it now and then', async () => {
    const writes = Array.from({ length: 30 }, (_, index) => ({
      atMs: 1000 + index * 5000,
      act: () => appendFileSync(join(dist, A), 'x'),
    }));
    const states = await later([...writes, { atMs: 100_000, act: () => drop('b-1.tar.gz') }], {
      open: openUntil(Infinity),
      untilMs: 140_000,
    });
    expect(states.map(({ stable, longOpen }) => [stable, longOpen])).toEqual([
      [[], [A]],
      [['b-1.tar.gz'], [A]],
    ]);
    expect(states[0]!.atMs).toBeGreaterThanOrEqual(60_000);
    expect(states[0]!.atMs).toBeLessThanOrEqual(70_000);
    expect(states[1]!.atMs).toBe(100_000);
  });

  test('keeps --once from nothing, and is reported at once', async () => {
    drop(A);
    write('b-1.tar.gz');
    const states = await play([], { open: openUntil(Infinity), once: true });
    expect(states.map(({ stable, longOpen }) => [stable, longOpen])).toEqual([
      [[], [A]],
      [['b-1.tar.gz'], [A]],
    ]);
  });
});

describe('a file that appears without a write after it', () => {
  test('by rename counts at once', async () => {
    const states = await later([{ atMs: 1000, act: () => drop('a-1.tar.gz') }]);
    expect(states).toEqual([{ atMs: 1000, stable: ['a-1.tar.gz'], unstable: [], changed: true }]);
  });

  test('by hard link counts at once', async () => {
    const path = made('bytes');
    const act = () => linkSync(path, join(dist, 'a-1.tar.gz'));
    expect((await later([{ atMs: 1000, act }])).map(({ atMs }) => atMs)).toEqual([1000]);
  });

  test('by rename over a published one counts at once', async () => {
    drop('a-1.tar.gz');
    const states = await later([{ atMs: 1000, act: () => drop('a-1.tar.gz', 'other bytes') }]);
    expect(states).toEqual([{ atMs: 1000, stable: ['a-1.tar.gz'], unstable: [], changed: true }]);
  });

  test('by renaming a published one counts at once', async () => {
    drop('a-1.tar.gz');
    const act = () => renameSync(join(dist, 'a-1.tar.gz'), join(dist, 'b-1.tar.gz'));
    expect(await later([{ atMs: 1000, act }])).toMatchObject([{ atMs: 1000, stable: ['b-1.tar.gz'] }]);
  });

  test('in a new folder counts at once', async () => {
    const states = await later([{ atMs: 1000, act: () => drop('x/y/a-1.tar.gz') }]);
    expect(states).toMatchObject([{ atMs: 1000, stable: ['x/y/a-1.tar.gz'] }]);
  });

  test('waits until it is stable if somebody writes to it later', async () => {
    const states = await later([
      { atMs: 1000, act: () => drop('a-1.tar.gz') },
      { atMs: 1100, act: () => appendFileSync(join(dist, 'a-1.tar.gz'), 'more') },
    ]);
    expect(states.map(({ atMs }) => atMs)).toEqual([1000, 3100]);
  });
});

describe('cycles', () => {
  test('come for deletions once nothing more went away for a settle time', async () => {
    for (const name of ['a', 'b', 'c', 'd']) drop(`${name}-1.tar.gz`);
    const states = await later(
      ['a', 'b', 'c'].map((name, index) => ({
        atMs: 1000 + index * 1500,
        act: () => unlinkSync(join(dist, `${name}-1.tar.gz`)),
      })),
    );
    expect(states).toEqual([{ atMs: 6000, stable: ['d-1.tar.gz'], unstable: [], changed: true }]);
  });

  test('come for deletions also while somebody writes a file', async () => {
    drop('a-1.tar.gz');
    drop('b-1.tar.gz');
    const pieces = Array.from({ length: 20 }, (_, index) => ({
      atMs: 1000 + index * 500,
      act: () => appendFileSync(join(dist, 'slow-1.tar.gz'), `piece ${index}`),
    }));
    const unlink = { atMs: 1200, act: () => unlinkSync(join(dist, 'a-1.tar.gz')) };
    const [first] = await later([...pieces, unlink]);
    expect(first).toMatchObject({ stable: ['b-1.tar.gz'], unstable: ['slow-1.tar.gz'] });
    expect(first!.atMs).toBeLessThanOrEqual(4200);
  });

  test('come late for deletions that never end', async () => {
    for (let index = 0; index < 60; index += 1) drop(`a-1.${index}.tar.gz`);
    const steps = Array.from({ length: 50 }, (_, index) => ({
      atMs: 1000 + index * 1000,
      act: () => unlinkSync(join(dist, `a-1.${index}.tar.gz`)),
    }));
    const [first] = await later(steps);
    expect(first!.atMs).toBeLessThanOrEqual(1000 + 10 * SETTLE_MS + 1000);
  });

  test('do not come between the deletion of a file and its next version', async () => {
    drop('a-1.tar.gz');
    const states = await later([
      { atMs: 1000, act: () => unlinkSync(join(dist, 'a-1.tar.gz')) },
      { atMs: 2500, act: () => write('a-1.tar.gz') },
    ]);
    expect(states).toEqual([{ atMs: 4500, stable: ['a-1.tar.gz'], unstable: [], changed: true }]);
  });

  test('come at once for a rename, although it removes a name too', async () => {
    for (const name of ['a', 'b']) drop(`${name}-1.tar.gz`);
    const states = await later([
      { atMs: 1000, act: () => unlinkSync(join(dist, 'b-1.tar.gz')) },
      { atMs: 1500, act: () => renameSync(join(dist, 'a-1.tar.gz'), join(dist, 'c-1.tar.gz')) },
    ]);
    expect(states).toEqual([{ atMs: 1500, stable: ['c-1.tar.gz'], unstable: [], changed: true }]);
  });

  test('do not come while somebody removes everything', async () => {
    for (const name of ['a', 'b', 'c']) drop(`${name}-1.tar.gz`);
    const onTurn = ({ kind }: DirectoryState) => {
      if (kind === 'seen') for (const name of ['packages.plist', 'keys.asc']) write(name);
      return undefined;
    };
    const names = ['a-1.tar.gz', 'keys.asc', 'b-1.tar.gz', 'packages.plist', 'c-1.tar.gz'];
    const steps = names.map((name, index) => ({
      atMs: 1000 + index * 300,
      act: () => unlinkSync(join(dist, name)),
    }));
    const states = await later([...steps, { atMs: 2600, act: () => rmSync(dist, { recursive: true }) }], {
      onTurn,
    });
    expect(states.map(({ stable }) => stable)).toEqual([['DIRECTORY_UNREADABLE'], ['DIRECTORY_UNREADABLE']]);
  });

  test('are few in a burst, and miss nothing of it', async () => {
    const steps = Array.from({ length: 1000 }, (_, index) => ({
      atMs: 1000 + index * 2,
      act: () => drop(`a-1.${index}.tar.gz`),
    }));
    const states = await later(steps, { onTurn: () => 300 });
    expect(states.length).toBeLessThanOrEqual(8);
    expect(states.at(-1)?.stable).toHaveLength(1000);
    expect(states.at(-1)!.atMs).toBeLessThanOrEqual(3000 + 4 * 1000);
  });

  test('come also while hints never end', async () => {
    const steps = Array.from({ length: 5000 }, (_, index) => ({
      atMs: index * 10,
      act: () => (index === 100 ? drop('a-1.tar.gz') : undefined),
    }));
    const states = await later(steps, { untilMs: 40_000, onTurn: () => 100 });
    expect(states).toMatchObject([{ stable: ['a-1.tar.gz'] }]);
    expect(states[0]!.atMs).toBeLessThanOrEqual(1000 + 1000);
  });

  test('come within a minute for a change without a hint', async () => {
    const states = await later([{ atMs: 1000, act: () => drop('a-1.tar.gz'), hint: false }]);
    expect(states).toMatchObject([{ stable: ['a-1.tar.gz'], changed: true }]);
    expect(states[0]!.atMs).toBeLessThanOrEqual(61_000);
  });

  test('do not come for empty hints, files that are not listed, or excluded files', async () => {
    drop('a-1.tar.gz');
    const states = await later(
      [
        { atMs: 1000, act: () => undefined },
        { atMs: 2000, act: () => write('notes.txt') },
        { atMs: 3000, act: () => write('.packages.tmp.tar.gz') },
        { atMs: 4000, act: () => drop('x-1.tar.gz') },
      ],
      { exclude: ['x-*'] },
    );
    expect(states).toEqual([]);
  });

  test('come when they are due although nothing changed', async () => {
    drop('a-1.tar.gz');
    let dueMs = 5000;
    const states = await later([], {
      untilMs: 12_000,
      dueMs: () => dueMs,
      onTurn: () => {
        dueMs += 5000;
        return undefined;
      },
    });
    expect(states).toMatchObject([{ atMs: 10_000, changed: false }]);
  });

  test('come once with what changed during the last one', async () => {
    drop('a-1.tar.gz');
    let cycles = 0;
    const states = await play([], {
      onTurn: () => {
        cycles += 1;
        if (cycles === 1) drop('b-1.tar.gz');
        return undefined;
      },
      untilMs: 70_000,
    });
    expect(states.map(({ stable }) => stable)).toEqual([['a-1.tar.gz'], ['a-1.tar.gz', 'b-1.tar.gz']]);
  });
});

describe('what a cycle depends on besides listed files', () => {
  /** A change without a hint, since packsign writes this file itself. */
  function besideStep(name: string): Step {
    return { atMs: 3000, act: () => write(name), hint: false };
  }

  test.each(['packages.plist', 'keys.asc', 'packsign.json'])(
    'somebody else writes %s: a cycle comes within a second',
    async (name) => {
      drop('a-1.tar.gz');
      const states = await later([besideStep(name)]);
      expect(states).toMatchObject([{ stable: ['a-1.tar.gz'], changed: false }]);
      expect(states[0]!.atMs).toBeLessThanOrEqual(4000);
    },
  );

  test('files that the cycle writes itself need no other cycle', async () => {
    drop('a-1.tar.gz');
    const onTurn = () => {
      for (const name of ['packages.plist', 'keys.asc', 'packages.plist.asc', 'keys.gpg']) write(name);
      return undefined;
    };
    expect(await later([], { onTurn })).toEqual([]);
  });

  test('settings that change during a cycle need another', async () => {
    let cycles = 0;
    const onTurn = () => {
      cycles += 1;
      if (cycles === 1) write('packsign.json', '{}');
      return undefined;
    };
    const states = await later([], { onTurn });
    expect(states).toHaveLength(1);
    expect(states[0]!.atMs).toBeLessThanOrEqual(1000);
  });

  test('a file that cannot be listed has one cycle, which reports it', async () => {
    const states = await later([{ atMs: 1000, act: () => drop('a (1)-1.tar.gz') }]);
    expect(states).toEqual([{ atMs: 1000, stable: [], unstable: [], changed: false }]);
  });

  test('after a refusal any file that comes or goes has one', async () => {
    const states = await later(
      [
        { atMs: 1000, act: () => write('key.asc') },
        { atMs: 9000, act: () => unlinkSync(join(dist, 'key.asc')) },
      ],
      { isRefused: () => true },
    );
    expect(states.map(({ atMs }) => atMs)).toEqual([1000, 9000]);
  });
});

describe('a file that cycles restore', () => {
  test('has a cycle when it changes or goes, and otherwise none', async () => {
    drop('a-1.tar.gz');
    write('index.html', 'page');
    const states = await later(
      [
        { atMs: 1000, act: () => write('index.html', 'edited'), hint: false },
        { atMs: 5000, act: () => write('other.html', 'x'), hint: false },
        { atMs: 9000, act: () => rmSync(join(dist, 'index.html')), hint: false },
      ],
      { kept: ['index.html', 'assets/page.js'] },
    );
    expect(states.map(({ atMs, changed }) => [Math.floor(atMs / 1000), changed])).toEqual([
      [1, false],
      [9, false],
    ]);
  });
});

describe('a directory that lost its database', () => {
  /** As a cycle does when it publishes. */
  const publishing = {
    onTurn: ({ kind }: DirectoryState) => {
      if (kind === 'seen') for (const name of ['packages.plist', 'keys.asc']) write(name);
      return undefined;
    },
  };

  test('is being made again: nothing counts as gone until it is stable', async () => {
    for (const name of ['a', 'b', 'c']) drop(`${name}-1.tar.gz`);
    const steps = [
      { atMs: 1000, act: () => rmSync(dist, { recursive: true }) },
      { atMs: 1500, act: () => drop('a-1.tar.gz') },
      { atMs: 3000, act: () => drop('b-1.tar.gz') },
      { atMs: 4500, act: () => drop('c-1.tar.gz') },
    ];
    const states = await later(steps, publishing);
    expect(states.map(({ atMs, stable }) => [atMs, ...stable])).toEqual([
      [1000, 'DIRECTORY_UNREADABLE'],
      [6500, 'a-1.tar.gz', 'b-1.tar.gz', 'c-1.tar.gz'],
    ]);
  });

  test('has a cycle in the end even if it never becomes stable', async () => {
    drop('a-1.tar.gz');
    const steps = Array.from({ length: 60 }, (_, index) => ({
      atMs: 2000 + index * 1000,
      act: () => drop(`b-1.${index}.tar.gz`),
    }));
    const unlink = { atMs: 1000, act: () => unlinkSync(join(dist, 'packages.plist')), hint: false };
    const [first] = await later([unlink, ...steps], publishing);
    expect(first!.atMs).toBeGreaterThan(10_000);
    expect(first!.atMs).toBeLessThanOrEqual(1500 + 10 * SETTLE_MS + 1000);
  });

  test('gets it back although nothing else changed', async () => {
    drop('a-1.tar.gz');
    const act = () => unlinkSync(join(dist, 'packages.plist'));
    const states = await later([{ atMs: 1000, act, hint: false }], publishing);
    expect(states).toMatchObject([{ stable: ['a-1.tar.gz'], changed: false }]);
    expect(states[0]!.atMs).toBeLessThanOrEqual(1000 + 500 + SETTLE_MS);
  });
});

describe('once', () => {
  test('ends after one cycle if all files are stable', async () => {
    drop('a-1.tar.gz');
    const states = await play([{ atMs: 5000, act: () => drop('b-1.tar.gz') }], { once: true });
    expect(states.map(({ stable }) => stable)).toEqual([['a-1.tar.gz']]);
  });

  test('waits for files that somebody is writing', async () => {
    drop('a-1.tar.gz');
    write('b-1.tar.gz');
    const states = await play([{ atMs: 1000, act: () => appendFileSync(join(dist, 'b-1.tar.gz'), 'more') }], {
      once: true,
    });
    expect(states.at(-1)).toMatchObject({ atMs: 3000, stable: ['a-1.tar.gz', 'b-1.tar.gz'] });
    expect(states).toHaveLength(2);
  });

  test('ends if there are no files, or no directory', async () => {
    expect(await play([], { once: true })).toHaveLength(1);
    rmSync(dist, { recursive: true });
    expect(await play([], { once: true })).toMatchObject([{ stable: ['DIRECTORY_UNREADABLE'] }]);
    expect(readdirSync(root)).toEqual([]);
  });
});

test('a wait stops at once on a signal', async () => {
  write('a-1.tar.gz');
  expect(await play([], { untilMs: 0 })).toHaveLength(1);
});
