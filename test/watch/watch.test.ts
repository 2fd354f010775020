import { describe, expect, test } from 'vitest';
import { PacksignError } from '../../src/errors.js';
import type { DirectoryState } from '../../src/watch/stability.js';
import type { Cycle } from '../../src/watch/cycle.js';
import { makeInterruption } from '../../src/watch/interruption.js';
import type { Notice } from '../../src/watch/notices.js';
import { makeTiming, watchCycles } from '../../src/watch/watch.js';
import type { WatchEvent } from '../../src/watch/watch.js';

const BEGIN = new Date('2026-11-22T12:00:00Z');
const SEEN: DirectoryState = {
  kind: 'seen',
  scan: { files: [], rest: [], others: [], misnamed: [], folders: [''], warnings: [] },
  unstable: new Set(),
  longOpen: [],
  changed: true,
};

/** A clock that advances by a second each time that it is read. */
function tickingClock(): () => Date {
  let seconds = 0;
  return () => new Date(BEGIN.getTime() + (seconds += 1) * 1000);
}

function news(event: Notice['event'], more: Partial<Notice> = {}): Notice {
  return {
    event,
    code: null,
    paths: [],
    withdrawn: [],
    message: null,
    uncovered: null,
    hint: null,
    total: null,
    reasons: new Map(),
    warnings: [],
    ...more,
  };
}

function cycle(...all: readonly Notice[]): Cycle {
  return {
    news: all,
    writing: new Set(),
    isCut: all.some(({ event }) => event === 'error'),
    issued: BEGIN,
    again: 'no',
  };
}

async function* scripted(count: number): AsyncGenerator<DirectoryState, void, void> {
  for (let given = 0; given < count; given += 1) yield await Promise.resolve(SEEN);
}

/** The events of the loop for these cycles. */
async function eventsOf(cycles: readonly Cycle[]): Promise<readonly WatchEvent[]> {
  const left = [...cycles];
  const take = () => Promise.resolve(left.shift()!);
  return await collect(
    watchCycles(scripted(cycles.length), {
      cycles: { take },
      timing: { took: () => undefined },
      clock: tickingClock(),
    }),
  );
}

async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function words(events: readonly WatchEvent[]): readonly string[] {
  return events.map(({ event, code, paths }) =>
    [event, code, ...paths].filter((part) => part !== null).join(' '),
  );
}

describe('the loop', () => {
  test('reports the result of a cycle, then that it is ready, and at the end that it stopped', async () => {
    const events = await eventsOf([cycle(news('signed', { paths: ['a-1.0.tar.gz'] }))]);
    const after = (seconds: number) => new Date(BEGIN.getTime() + seconds * 1000);
    const bare = {
      code: null,
      paths: [],
      withdrawn: [],
      message: null,
      uncovered: null,
      hint: null,
      total: 0,
      warnings: [],
    };
    expect(events).toEqual([
      {
        ...bare,
        event: 'signed',
        at: after(3),
        issued: BEGIN,
        paths: ['a-1.0.tar.gz'],
        total: 1,
        tookMs: 1000,
      },
      { ...bare, event: 'ready', at: after(4), issued: BEGIN, tookMs: null },
      { ...bare, event: 'stopped', at: after(5), issued: BEGIN, tookMs: null },
    ]);
  });

  test('is ready once, after the first cycle, whatever its result', async () => {
    expect(words(await eventsOf([cycle(news('error', { code: 'LOCKED' })), cycle(), cycle()]))).toEqual([
      'error LOCKED',
      'ready',
      'stopped',
    ]);
    expect(words(await eventsOf([cycle(), cycle(news('signed'))]))).toEqual(['ready', 'signed', 'stopped']);
  });

  test('stops without a cycle if nothing ever becomes stable', async () => {
    expect(words(await eventsOf([]))).toEqual(['stopped']);
    expect((await eventsOf([]))[0]?.issued).toBeNull();
  });

  test('reports a trouble once while it lasts, and again if it comes back', async () => {
    const held = news('held', { code: 'NAME_MISMATCH', paths: ['a-1.0.tar.gz'] });
    const more = news('held', { code: 'NAME_MISMATCH', paths: ['a-1.0.tar.gz', 'b-1.0.tar.gz'] });
    const events = await eventsOf([cycle(held), cycle(held), cycle(more), cycle(more), cycle(), cycle(held)]);
    expect(words(events)).toEqual([
      'held NAME_MISMATCH a-1.0.tar.gz',
      'ready',
      'held NAME_MISMATCH b-1.0.tar.gz',
      'held NAME_MISMATCH a-1.0.tar.gz',
      'stopped',
    ]);
  });

  test('names only what is new in a trouble, with its own reason, and counts the rest', async () => {
    const paths = Array.from({ length: 110 }, (_, index) => `a-${index}.tar.gz`);
    const reasons = new Map(paths.map((path) => [path, `damaged: ends early: ${path}`]));
    const held = news('held', { code: 'DAMAGED', paths, reasons });
    const more = {
      paths: [...paths, 'b-1.0.tar.gz'],
      reasons: new Map([...reasons, ['b-1.0.tar.gz', 'why b']]),
    };
    const events = await eventsOf([cycle(held), cycle(news('held', { code: 'DAMAGED', ...more }))]);
    expect(events[2]).toMatchObject({ paths: ['b-1.0.tar.gz'], total: 111, message: 'why b' });
  });

  test('says nothing when a trouble only gets smaller, nor again after a cycle that failed', async () => {
    const held = (...paths: readonly string[]) => news('held', { code: 'NAME_MISMATCH', paths });
    const locked = news('error', { code: 'LOCKED' });
    const all = [held('a', 'b'), held('b'), locked, held('b')].map((one) => cycle(one));
    expect(words(await eventsOf(all))).toEqual([
      'held NAME_MISMATCH a b',
      'ready',
      'error LOCKED',
      'stopped',
    ]);
  });

  test('says an error once, whatever time its text holds', async () => {
    const behind = (text: string) =>
      news('error', { code: 'CLOCK_BEHIND', message: `the clock is ${text} behind` });
    const at = (text: string) => news('error', { code: 'NETWORK', message: `no answer since ${text}` });
    const all = [
      behind('5 seconds'),
      behind('1 minute'),
      at('2026-11-27T00:00:01Z'),
      at('2026-11-27T00:00:02Z'),
    ];
    expect(words(await eventsOf(all.map((one) => cycle(one))))).toEqual([
      'error CLOCK_BEHIND',
      'ready',
      'error NETWORK',
      'stopped',
    ]);
  });

  test('distinguishes troubles without paths by their messages', async () => {
    const refused = (message: string) => news('refused', { code: 'MASS_REMOVAL', message });
    const events = await eventsOf([
      cycle(refused('11 of 20')),
      cycle(refused('11 of 20')),
      cycle(refused('12 of 20')),
    ]);
    expect(events.map(({ message }) => message)).toEqual(['11 of 20', null, '12 of 20', null]);
  });

  test('reports everything else each time', async () => {
    const events = await eventsOf([
      cycle(news('unchanged')),
      cycle(news('unchanged')),
      cycle(news('refreshed')),
    ]);
    expect(words(events)).toEqual(['unchanged', 'ready', 'unchanged', 'refreshed', 'stopped']);
  });

  test('reports the other results of a cycle beside a known trouble', async () => {
    const held = news('held', { code: 'SETTINGS_CHANGED' });
    const events = await eventsOf([cycle(held), cycle(held, news('signed', { paths: ['b-1.0.tar.gz'] }))]);
    expect(words(events)).toEqual(['held SETTINGS_CHANGED', 'ready', 'signed b-1.0.tar.gz', 'stopped']);
  });

  test('never runs two cycles at once, and asks for the next state only after the last cycle', async () => {
    const log: string[] = [];
    async function* states(): AsyncGenerator<DirectoryState, void, void> {
      for (let given = 0; given < 3; given += 1) {
        log.push('state');
        yield await Promise.resolve(SEEN);
      }
    }
    const take = async () => {
      log.push('begin');
      await new Promise((done) => setTimeout(done, 5));
      log.push('end');
      return cycle(news('signed'));
    };
    const timing = { took: () => log.push('took') };
    for await (const event of watchCycles(states(), { cycles: { take }, timing, clock: tickingClock() })) {
      log.push(event.event);
    }
    const one = ['state', 'begin', 'end', 'took', 'signed'];
    expect(log).toEqual([...one, 'ready', ...one, ...one, 'stopped']);
  });

  test('ends with an error that a cycle throws, since cycles throw only bugs', async () => {
    const events = watchCycles(scripted(1), {
      cycles: { take: () => Promise.reject(new PacksignError('NO_KEY', 'not in a cycle')) },
      timing: { took: () => undefined },
      clock: tickingClock(),
    });
    await expect(collect(events)).rejects.toThrow('not in a cycle');
  });
});

describe('a cycle without a change is due', () => {
  function scene(refreshDate: () => Date | null = () => null) {
    const clock = { ms: BEGIN.getTime() };
    const timing = makeTiming({ refreshDate }, () => new Date(clock.ms));
    const took = (again: Cycle['again']) =>
      timing.took({ news: [], writing: new Set(), isCut: false, issued: null, again });
    return { clock, timing, took, inMs: () => timing.dueMs() - clock.ms };
  }

  test('never, if nothing expires and nothing failed', () => {
    const { took, timing, inMs } = scene();
    expect(inMs()).toBe(Infinity);
    took('no');
    expect(inMs()).toBe(Infinity);
    expect(timing.isRefused()).toBe(false);
  });

  test('soon after a failure, then later and later up to a minute, until one succeeds', () => {
    const { took, inMs } = scene();
    const waits = Array.from({ length: 9 }, () => {
      took('soon');
      return inMs();
    });
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    took('no');
    expect(inMs()).toBe(Infinity);
    took('soon');
    expect(inMs()).toBe(500);
  });

  test('a minute after a refusal, since somebody may have extended a key or restored a file', () => {
    const { took, timing, inMs } = scene();
    took('later');
    expect(inMs()).toBe(60_000);
    expect(timing.isRefused()).toBe(true);
    took('soon');
    expect(inMs()).toBe(500);
    expect(timing.isRefused()).toBe(false);
  });

  test('when the database must be signed again; a minute later if that was refused', () => {
    const due = new Date(BEGIN.getTime() + 5000);
    const { clock, took, inMs } = scene(() => due);
    expect(inMs()).toBe(5000);
    clock.ms += 6000;
    expect(inMs()).toBeLessThanOrEqual(0);
    took('later');
    expect(inMs()).toBe(60_000);
  });

  test('at once if it was signed again by a cycle that took longer than until the next time', () => {
    let due = new Date(BEGIN.getTime() + 1000);
    const { clock, took, inMs } = scene(() => due);
    clock.ms += 2000;
    due = new Date(BEGIN.getTime() + 1900);
    took('no');
    expect(inMs()).toBeLessThanOrEqual(0);
  });

  test('no later than that even if the clock is set back', () => {
    const { clock, took, inMs } = scene();
    took('soon');
    clock.ms -= 3_600_000;
    expect(inMs()).toBeLessThanOrEqual(60_000);
  });
});

test('a signal that came before the work ends it too', async () => {
  const signal = AbortSignal.abort(new Error('stopped'));
  const { end } = makeInterruption(signal);
  const endless = new Promise<never>(() => undefined);
  await expect(end(endless)).rejects.toThrow('stopped');
});
