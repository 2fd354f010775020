import { SLACK_MS } from './time.js';

/** One look at two clocks: the one that people and programs set, and one that only counts on from the start `boot`. */
export interface ClockReading {
  readonly boot: string;
  readonly upMs: number;
  readonly wallMs: number;
}

/** What this machine can say about its clock by itself. */
export interface ClockEvidence {
  /** The reading that the last publication was dated by; null if there is none. */
  readonly noted: ClockReading | null;
  /** The last reading that this process did not doubt; null if there is none. */
  readonly since: ClockReading | null;
  /** The file that was changed last, by the clock of the kernel or of a file server; null if there is none. */
  readonly newest: { readonly path: string; readonly atMs: number } | null;
}

/** What a server says, at the moment of `now`. */
export interface ServedTime {
  readonly dateMs: number;
  /** How long the answer was in caches, as these say. */
  readonly ageMs: number;
  /** Whether it may come from a cache. */
  readonly isCached: boolean;
}

export type ClockJudgement =
  | { readonly kind: 'right' }
  /** Nothing speaks against it, and nothing for it. */
  | { readonly kind: 'unknown' }
  | ClockDoubt;

export interface ClockDoubt {
  readonly kind: 'doubtful';
  readonly by: 'uptime' | 'note' | 'file' | 'server';
  /** What the evidence says; of a note and a file, the least that it can be. */
  readonly otherMs: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** Steps that a note goes along with: more would let a clock creep away in steps smaller than the slack. */
const SMALL_STEP_MS = 60 * 1000;

/**
 * What each kind can prove. The uptime counts on whatever the clock does, so a reading since the same start shows a step
 * in either direction, though not which of the two readings was wrong; only one that a publication was dated by speaks
 * for the clock. Time never runs back, so a reading before another start, and a file, can only show a clock that is
 * behind, or was ahead then.
 */
export function judgeClock(now: ClockReading, { noted, since, newest }: ClockEvidence): ClockJudgement {
  const sameStart = [noted, since].filter((one) => one !== null && isSameStart(one, now));
  const last = sameStart.reduce((a, b) => ((b?.upMs ?? 0) > (a?.upMs ?? 0) ? b : a), sameStart[0] ?? null);
  if (last !== null && Math.abs(stepBetween(last, now)) > SLACK_MS) {
    return doubt('uptime', now.wallMs - stepBetween(last, now));
  }
  if (noted !== null && isSameStart(noted, now)) return { kind: 'right' };
  if (noted !== null && noted.wallMs > now.wallMs + SLACK_MS) return doubt('note', noted.wallMs);
  if (newest !== null && newest.atMs > now.wallMs + SLACK_MS) return doubt('file', newest.atMs);
  return { kind: 'unknown' };
}

/**
 * A cache can make a server's date old, but not early. So a date later than the clock means that the clock is behind. An
 * earlier one means that the clock is ahead, unless a cache kept the answer: caches often do so for hours, but rarely for
 * more than a day without saying so (`Age`). A date that fits speaks for the clock: a cached one would fit a wrong clock
 * only by chance.
 */
export function judgeServed({ wallMs }: ClockReading, served: ServedTime): ClockJudgement {
  const { dateMs, ageMs, isCached } = served;
  if (dateMs > wallMs + SLACK_MS) return doubt('server', dateMs);
  if (Math.abs(dateMs + ageMs - wallMs) <= SLACK_MS) return { kind: 'right' };
  const isAhead = wallMs - dateMs - ageMs > (isCached ? DAY_MS : SLACK_MS);
  return isAhead ? doubt('server', dateMs + ageMs) : { kind: 'unknown' };
}

/** The reading to keep: `now`, or the last one since the same start while the clock is more than a small step off it. */
export function nextReading(last: ClockReading | null, now: ClockReading): ClockReading {
  const isOff = last !== null && isSameStart(last, now) && Math.abs(stepBetween(last, now)) > SMALL_STEP_MS;
  return isOff ? last : now;
}

/** A container may start again while its host goes on, so that its uptime begins anew. */
function isSameStart(before: ClockReading, now: ClockReading): boolean {
  return before.boot === now.boot && before.upMs <= now.upMs;
}

/** How far the clock has moved beyond the uptime. */
function stepBetween(before: ClockReading, now: ClockReading): number {
  return now.wallMs - before.wallMs - (now.upMs - before.upMs);
}

function doubt(by: ClockDoubt['by'], otherMs: number): ClockDoubt {
  return { kind: 'doubtful', by, otherMs };
}
