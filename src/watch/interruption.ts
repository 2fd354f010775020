/** Work that a signal ends, unless it publishes. */
export interface Interruption {
  /** Rejects with the reason of the signal as soon as it comes; the work publishes nothing from then on. */
  readonly end: <T>(work: Promise<T>) => Promise<T>;
  /** A step of that work which happens as a whole, with what follows from it, or not at all once the signal has come. */
  readonly whole: <T>(step: () => Promise<T>) => Promise<T>;
}

export function makeInterruption(signal: AbortSignal): Interruption {
  let publishing = 0;
  return {
    end: async (work) => {
      let stop = (): void => undefined;
      const stopped = new Promise<never>((_, reject) => {
        stop = () => {
          if (publishing === 0) reject(signal.reason as Error);
        };
      });
      signal.addEventListener('abort', stop);
      if (signal.aborted) stop();
      try {
        return await Promise.race([work, stopped]);
      } finally {
        signal.removeEventListener('abort', stop);
      }
    },
    whole: async (step) => {
      signal.throwIfAborted();
      publishing += 1;
      try {
        return await step();
      } finally {
        publishing -= 1;
      }
    },
  };
}
