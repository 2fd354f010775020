import { describe, expect, test } from 'vitest';
import { judgeClock, judgeServed, nextReading } from '../../src/model/clock.js';
import type { ClockEvidence, ClockReading } from '../../src/model/clock.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOON = Date.UTC(2026, 10, 22, 12);

const NOW: ClockReading = { boot: 'this', upMs: 10 * HOUR, wallMs: NOON };
const NOTHING: ClockEvidence = { noted: null, since: null, newest: null };

/** A reading an hour ago, of a clock that has moved so much more than the uptime since. */
function ago(stepMs: number, boot = 'this'): ClockReading {
  return { boot, upMs: NOW.upMs - HOUR, wallMs: NOON - HOUR - stepMs };
}

test('without evidence nothing can be known', () => {
  expect(judgeClock(NOW, NOTHING)).toEqual({ kind: 'unknown' });
});

describe('a reading since the machine started', () => {
  test.each([
    [0, 'right'],
    [10 * MINUTE, 'right'],
    [-10 * MINUTE, 'right'],
    [10 * MINUTE + 1, 'doubtful'],
    [-10 * MINUTE - 1, 'doubtful'],
    [365 * DAY, 'doubtful'],
  ])('that was noted, and a step of %d ms: %s', (stepMs, kind) => {
    const judged = judgeClock(NOW, { ...NOTHING, noted: ago(stepMs) });
    const doubt = { kind, by: 'uptime', otherMs: NOON - stepMs };
    expect(judged).toEqual(kind === 'right' ? { kind } : doubt);
  });

  test('of this process speaks against the clock, and never for it', () => {
    expect(judgeClock(NOW, { ...NOTHING, since: ago(0) })).toEqual({ kind: 'unknown' });
    expect(judgeClock(NOW, { ...NOTHING, since: ago(-11 * MINUTE) })).toMatchObject({ by: 'uptime' });
  });

  test('counts if it is the later one', () => {
    const since: ClockReading = { boot: 'this', upMs: NOW.upMs - DAY / 8, wallMs: NOON - 2 * DAY };
    expect(judgeClock(NOW, { ...NOTHING, since, noted: ago(0) })).toEqual({ kind: 'right' });
    expect(judgeClock(NOW, { ...NOTHING, since: ago(0), noted: since })).toEqual({ kind: 'right' });
  });

  test('of which the uptime is later than now is one of another start', () => {
    const noted = { ...NOW, upMs: NOW.upMs + HOUR, wallMs: NOON - 3 * DAY };
    expect(judgeClock(NOW, { ...NOTHING, noted })).toEqual({ kind: 'unknown' });
  });
});

test.each([
  ['before another start', { noted: { boot: 'other', upMs: 5, wallMs: NOON } }, 'note'],
  ['of a file', { newest: { path: 'a', atMs: NOON } }, 'file'],
])('a date %s shows only that the clock is behind', (_, evidence, by) => {
  const judge = (wallMs: number) => judgeClock({ ...NOW, wallMs }, { ...NOTHING, ...evidence });
  expect(judge(NOON + 365 * DAY)).toEqual({ kind: 'unknown' });
  expect(judge(NOON - 10 * MINUTE)).toEqual({ kind: 'unknown' });
  expect(judge(NOON - 10 * MINUTE - 1)).toEqual({ kind: 'doubtful', by, otherMs: NOON });
});

test('a noted reading that fits outweighs a file', () => {
  const newest = { path: 'a', atMs: NOON + DAY };
  expect(judgeClock(NOW, { ...NOTHING, noted: ago(0), newest })).toEqual({ kind: 'right' });
});

describe('a server', () => {
  test.each([
    ['agrees', { dateMs: NOON - 10 * MINUTE }, 'right'],
    ['agrees, and is later', { dateMs: NOON + 10 * MINUTE }, 'right'],
    ['is later', { dateMs: NOON + 10 * MINUTE + 1 }, 'doubtful'],
    ['is later, from a cache', { dateMs: NOON + HOUR, isCached: true }, 'doubtful'],
    ['is earlier', { dateMs: NOON - 10 * MINUTE - 1 }, 'doubtful'],
    ['is earlier, from a cache', { dateMs: NOON - 23 * HOUR, isCached: true }, 'unknown'],
    ['is earlier by more than caches keep', { dateMs: NOON - 25 * HOUR, isCached: true }, 'doubtful'],
    ['is as old as its cache says', { dateMs: NOON - 3 * DAY, ageMs: 3 * DAY, isCached: true }, 'right'],
    ['has an age that leads too far', { dateMs: NOON, ageMs: 3 * DAY, isCached: true }, 'unknown'],
  ])('that %s', (_, served, kind) => {
    expect(judgeServed(NOW, { ageMs: 0, isCached: false, ...served }).kind).toBe(kind);
  });
});

test('a reading goes along with small steps only, so that no clock creeps away in larger ones', () => {
  let kept: ClockReading | null = null;
  const steps = [0, 9 * MINUTE, 18 * MINUTE].map((stepMs, hours) => {
    const now = { boot: 'this', upMs: hours * HOUR, wallMs: NOON + hours * HOUR + stepMs };
    const { kind } = judgeClock(now, { ...NOTHING, noted: kept });
    kept = nextReading(kept, now);
    return kind;
  });
  expect(steps).toEqual(['unknown', 'right', 'doubtful']);
  expect(nextReading(ago(30_000), NOW)).toBe(NOW);
  expect(nextReading(ago(DAY, 'other'), NOW)).toBe(NOW);
});
