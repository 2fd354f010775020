import { setTimeout as sleep } from 'node:timers/promises';
import { networkError, prospectOf } from './failure.js';

const ATTEMPTS = 3;
/** How long a server that asks us to wait may do so in all, as a multiple of our patience with one answer. */
const WAITS = 2;
const LONGEST_SPACING_MS = 60_000;
/** A server that says so often that there are too many requests does not serve us. */
const THROTTLED_ATTEMPTS = 12;
const LEAST_PAUSE_MS = 250;
const LEAST_SPACING_MS = 50;
/** Each answer brings the requests so much closer together again. */
const RECOVERY = 0.9;

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

export interface Pauses {
  /**
   * The time in which an answer has to begin, redirections included, and over which it must not be too slow. A server may
   * have us wait twice as long in all before something comes of it.
   */
  readonly patienceMs: number;
  /** Wait before a second attempt; doubled before every further one. */
  readonly backOffMs: number;
}

export function makePatience({ backOffMs, patienceMs }: Pauses): Patience {
  const pace = makePace();
  const longestWaitMs = WAITS * patienceMs;
  return {
    turn: pace.turn,
    retrying: async (attempt, progress = () => 0) => {
      let [failed, throttled, waitedMs, before] = [0, 0, 0, progress()];
      for (;;) {
        try {
          const result = await attempt();
          pace.recover();
          return result;
        } catch (error) {
          const prospect = prospectOf(error);
          if (prospect === null || prospect.isFinal) throw error;
          const now = progress();
          if (now > before) [failed, throttled, waitedMs, before] = [0, 0, 0, now];
          waitedMs += prospect.isThrottling ? pace.pauseFor(prospect.waitMs) : prospect.waitMs;
          if (waitedMs > longestWaitMs) throw comeBackLater(error, prospect.waitMs);
          if (prospect.isThrottling) {
            throttled += 1;
            if (throttled >= THROTTLED_ATTEMPTS) throw error;
            pace.throttle(prospect.waitMs);
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

/** The time between requests: of all of them, since a server that has enough of one has enough of all. */
function makePace() {
  let notBefore = 0;
  let throttledAt = -Infinity;
  let spacingMs = 0;
  const pauseFor = (waitMs: number): number => Math.max(waitMs, spacingMs, LEAST_PAUSE_MS);
  return {
    turn: async (): Promise<void> => {
      for (let wait = notBefore - performance.now(); wait > 0; wait = notBefore - performance.now()) {
        await sleep(wait);
      }
      if (spacingMs > 0) notBefore = performance.now() + spacingMs;
    },
    pauseFor,
    /** `waitMs`: how long the server asks us to wait. */
    throttle: (waitMs: number): void => {
      const now = performance.now();
      // Requests that were on their way together are refused together: they say the same thing.
      if (now - throttledAt >= spacingMs) {
        throttledAt = now;
        spacingMs = Math.min(Math.max(LEAST_SPACING_MS, spacingMs * 2), LONGEST_SPACING_MS);
      }
      notBefore = Math.max(notBefore, now + pauseFor(waitMs));
    },
    recover: (): void => {
      spacingMs = spacingMs < 1 ? 0 : spacingMs * RECOVERY;
    },
  };
}

function comeBackLater(error: unknown, waitMs: number): Error {
  const said = error instanceof Error ? error.message : '';
  const seconds = Math.ceil(waitMs / 1000);
  const wait =
    seconds < 120 ? `${seconds} second${seconds === 1 ? '' : 's'}` : `${Math.ceil(seconds / 60)} minutes`;
  const asked = seconds > 0 ? `, and asks packsign to wait ${wait}` : ' again and again';
  return networkError(`${said}${asked}`, 'try again later; --timeout 5m is more patient');
}
