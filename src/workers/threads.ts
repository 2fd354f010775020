import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { ResourceLimits } from 'node:worker_threads';

/** The threads of one run. */
export interface Threads {
  /** How many pay off, including this one. */
  readonly count: number;
  /** Starts so many others, unless they run: they warm up while this one does something else. */
  readonly warmUp: (others: number) => void;
  /** Gives work to so many others, which share it and finish one piece after the other (see `thread.ts`). */
  readonly share: (work: { readonly kind: string }, others: number) => readonly Worker[];
  /** Ends all others, finished or not. */
  readonly stop: () => void;
}

const MOST_THREADS = 8;

/** Of thread.ts, in one file, which starts in half the time of its hundred modules. */
const BUNDLE = new URL('../../program/cli/thread.js', import.meta.url);

/** Of a process that runs for long: its threads collect their garbage early, for 20 MB less. */
const LEAN: ResourceLimits = { maxYoungGenerationSizeMb: 3 };

export interface ThreadsOptions {
  /** How many at most. */
  readonly most?: number;
  /** Whether the process runs for long, and should be small. */
  readonly isLean?: boolean;
}

export function openThreads({ most = MOST_THREADS, isLean = false }: ThreadsOptions = {}): Threads {
  const resourceLimits = isLean ? LEAN : {};
  const workers: Worker[] = [];
  const open = () => {
    const worker = new Worker(BUNDLE, { resourceLimits });
    // The caller of `share` listens too. Give no more work to a thread that died.
    worker.on('error', () => undefined);
    worker.on('exit', () => {
      if (workers.includes(worker)) workers.splice(workers.indexOf(worker), 1);
    });
    return worker;
  };
  const warmUp = (others: number) => {
    while (workers.length < others) workers.push(open());
  };
  return {
    count: Math.min(availableParallelism(), most, MOST_THREADS),
    warmUp,
    share: (work, others) => {
      warmUp(others);
      const sharing = workers.slice(0, others);
      for (const worker of sharing) worker.postMessage(work);
      return sharing;
    },
    stop: () => {
      for (const worker of workers.splice(0)) worker.terminate().catch(() => undefined);
    },
  };
}
