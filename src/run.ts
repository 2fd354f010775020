import { setImmediate } from 'node:timers/promises';
import { steadyTime } from './disk/steady-time.js';
import type { SteadyTime } from './disk/steady-time.js';
import type { ClockReading } from './model/clock.js';
import type { Warning } from './model/finding.js';
import { STATE_FOLDER } from './model/layout.js';
import type { TrustPlace } from './model/trust.js';
import { UNSEEN } from './model/work.js';
import type { Shown } from './model/work.js';
import { DIRECT_NETWORK } from './net/transport.js';
import type { NetworkOptions } from './net/transport.js';
import type { Objects } from './places/objects.js';

/** Enough for most releases to end. */
export const LOCK_WAIT_MS = 5000;

/** What a run of packsign gets from outside. The caller makes it once and passes it down. */
export interface Run extends Shown {
  /** The time for databases: the clock when the run began, or SOURCE_DATE_EPOCH. */
  readonly now: Date;
  /** Where `now` is from: the clock, which evidence may speak against; one that a person vouches for (`--trust-clock`); no clock. */
  readonly nowFrom: 'clock' | 'trusted clock' | 'given date';
  /** The clock that nobody can set, when `now` was read. */
  readonly steady: SteadyTime;
  /** Of a watch: the last reading of both clocks that nothing spoke against; null if there is none. */
  readonly since: ClockReading | null;
  /** The real clock, for the cache and for a watch. */
  readonly clock: () => Date;
  /** Stops a watch. What has begun to publish goes on to its end. */
  readonly signal: AbortSignal;
  readonly network: NetworkOptions;
  /** What the user trusts. */
  readonly trust: TrustPlace;
  /** The folder of working state of the directory: the lock, the cache. */
  readonly stateFolder: string;
  /** The files of the directory, if they lie in a bucket; null if they lie in it. */
  readonly objects: Objects | null;
  /** Has something given up if a signal ends the program before the function is called that this returns. */
  readonly atSignal: (giveUp: () => Promise<void>) => () => void;
  /** How long to wait while another packsign holds the lock. */
  readonly waitMs: number;
  /** Where this machine notes what it published; null for no notes. */
  readonly notesFolder: string | null;
  /** Gets warnings for people that no result has. */
  readonly warn: (warning: Warning) => void;
}

/** Between long steps: lets signals and events have their turn. Throws the reason of the signal once the run is stopped. */
export async function pause({ signal }: Pick<Run, 'signal'>): Promise<void> {
  await setImmediate();
  signal.throwIfAborted();
}

/** A run with defaults: it trusts nothing, keeps no notes and reports no progress. */
export function makeRun(given: Partial<Run> & Pick<Run, 'clock'>): Run {
  return {
    now: given.clock(),
    nowFrom: given.now === undefined ? 'clock' : 'given date',
    steady: steadyTime(),
    since: null,
    signal: new AbortController().signal,
    network: DIRECT_NETWORK,
    trust: { kind: 'none' },
    stateFolder: STATE_FOLDER,
    objects: null,
    atSignal: () => () => undefined,
    waitMs: LOCK_WAIT_MS,
    notesFolder: null,
    ...UNSEEN,
    warn: () => undefined,
    ...given,
  };
}
