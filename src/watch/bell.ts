/** Why a wait ended. */
export type Wake = 'change' | 'timeout' | 'stop';

export interface Bell {
  readonly ring: () => void;
  readonly wait: (timeoutMs: number) => Promise<Wake>;
}

const LONGEST_TIMER_MS = 0x7fffffff;

/** Remembers a ring until somebody waits for it. */
export function makeBell(signal: AbortSignal): Bell {
  let rung = false;
  let wake: ((reason: Wake) => void) | null = null;
  signal.addEventListener('abort', () => wake?.('stop'));
  const nextRing = (timeoutMs: number) =>
    new Promise<Wake>((resolve) => {
      const timer = setTimeout(() => resolve('timeout'), Math.min(timeoutMs, LONGEST_TIMER_MS));
      wake = (why) => {
        clearTimeout(timer);
        resolve(why);
      };
    });
  return {
    ring: () => {
      rung = true;
      wake?.('change');
    },
    wait: async (timeoutMs) => {
      if (signal.aborted) return 'stop';
      const reason = rung ? 'change' : await nextRing(timeoutMs);
      wake = null;
      if (reason === 'change') rung = false;
      return reason;
    },
  };
}
