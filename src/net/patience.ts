import { setTimeout as sleep } from 'node:timers/promises';
import { networkError, prospectOf } from './failure.js';

const ATTEMPTS = 3;
const LONGEST_WAIT_MS = 60_000;
/** A server that says so often that there are too many requests does not serve us. */
const THROTTLED_ATTEMPTS = 12;
const LEAST_SPACING_MS = 250;

/** When requests may be sent, and how often they are tried. One for all requests of a run. */
export interface Patience {
  /** Waits until the next request may be sent. */
  readonly turn: () => Promise<void>;
  /**
   * Carries out what may fail for the moment, each time after a longer wait. `progress`: grows as long as something
   * comes of it, and then the attempts are counted anew.
   */
  readonly retrying: <T>(attempt: () => Promise<T>, progress?: () => number) => Promise<T>;
}

/** `backOffMs`: wait before a second attempt; doubled before every further one. */
export function makePatience(backOffMs: number): Patience {
  // Of all requests, since a server that has enough of one has enough of all.
  let notBefore = 0;
  let spacingMs = 0;
  const throttle = (waitMs: number) => {
    spacingMs = Math.min(Math.max(LEAST_SPACING_MS, spacingMs * 2), LONGEST_WAIT_MS);
    notBefore = Math.max(notBefore, performance.now() + Math.max(waitMs, spacingMs));
  };
  return {
    turn: async () => {
      for (let wait = notBefore - performance.now(); wait > 0; wait = notBefore - performance.now()) {
        await sleep(wait);
      }
      if (spacingMs > 0) notBefore = performance.now() + spacingMs;
    },
    retrying: async (attempt, progress = () => 0) => {
      let [failed, throttled, before] = [0, 0, progress()];
      for (;;) {
        try {
          return await attempt();
        } catch (error) {
          const prospect = prospectOf(error);
          if (prospect === null || prospect.isFinal) throw error;
          if (prospect.waitMs > LONGEST_WAIT_MS) throw comeBackLater(error, prospect.waitMs);
          const now = progress();
          if (now > before) [failed, throttled, before] = [0, 0, now];
          if (prospect.isThrottling) {
            throttled += 1;
            if (throttled >= THROTTLED_ATTEMPTS) throw error;
            throttle(prospect.waitMs);
            continue;
          }
          failed += 1;
          if (failed >= ATTEMPTS) throw error;
          await sleep(Math.max(backOffMs * 2 ** (failed - 1), prospect.waitMs));
        }
      }
    },
  };
}

function comeBackLater(error: unknown, waitMs: number): Error {
  const minutes = Math.ceil(waitMs / 60_000);
  const said = error instanceof Error ? error.message : '';
  return networkError(`${said}, and asks us to wait ${minutes} minutes`, 'try again later');
}
