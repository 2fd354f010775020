import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** Publishes beside a watch, which never waits for it. */
export interface Follower {
  /** Something was signed. What is signed while an upload runs goes out with the next one, all at once. */
  readonly tell: () => void;
  /** Waits until all is published; once the signal has come, no longer than a second. */
  readonly ended: () => Promise<void>;
}

export interface FollowerOptions {
  /** Publishes to all destinations; false if one of them has to be tried again. */
  readonly publish: () => Promise<boolean>;
  /** Whether each upload is tried only once. */
  readonly once: boolean;
  readonly signal: AbortSignal;
}

const RETRY_MS = { shortest: 1000, longest: 60_000 } as const;
const LAST_MS = 1000;

export function follow({ publish, once: isOnce, signal }: FollowerOptions): Follower {
  let isDue = false;
  let isWorking = false;
  let work = Promise.resolve();
  const attempt = async (): Promise<boolean> => {
    try {
      return await publish();
    } catch (error) {
      // A signal ends an upload in the middle; the next one goes on.
      if (!signal.aborted) throw error;
      return true;
    }
  };
  const workOff = async () => {
    isWorking = true;
    let waitMs: number = RETRY_MS.shortest;
    try {
      while (isDue && !signal.aborted) {
        isDue = false;
        if ((await attempt()) || isOnce) {
          waitMs = RETRY_MS.shortest;
          continue;
        }
        isDue = true;
        await sleep(waitMs, undefined, { signal }).catch(() => undefined);
        waitMs = Math.min(2 * waitMs, RETRY_MS.longest);
      }
    } finally {
      isWorking = false;
    }
  };
  return {
    tell: () => {
      isDue = true;
      if (isWorking) return;
      work = workOff();
      // Told by `ended`.
      work.catch(() => undefined);
    },
    ended: async () => {
      const over = new AbortController();
      const stopped = async () => {
        if (!signal.aborted) await once(signal, 'abort', { signal: over.signal });
        await sleep(LAST_MS, undefined, { signal: over.signal });
      };
      await Promise.race([work, stopped().catch(() => undefined)]);
      over.abort();
    },
  };
}
