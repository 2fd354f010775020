import { steadyTime } from '../disk/steady-time.js';
import { keepReading } from '../release/clock-evidence.js';
import type { Run } from '../run.js';

/** The clock over the cycles of a watch. */
export interface WatchClock {
  /** The run of a cycle, with the time as it is now. */
  readonly read: () => Run;
  /** A cycle went through. */
  readonly went: () => void;
}

export function trackClock(run: Run): WatchClock {
  let { since, nowFrom } = run;
  return {
    read: () => {
      const next: Run = { ...run, now: run.clock(), nowFrom, steady: steadyTime(), since };
      since = keepReading(next);
      return next;
    },
    // A person vouched for the clock as it was, and not for what may become of it.
    went: () => {
      nowFrom = 'clock';
    },
  };
}
