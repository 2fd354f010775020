import { setImmediate } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { bytesIn, newByteCount } from './byte-count.js';
import type { ByteCount } from './byte-count.js';
import type { DigestOptions, Digested } from './digest.js';
import { isLarge, planTasks } from './hash-plan.js';
import type { PlanOptions } from './hash-plan.js';
import { doTasks, packTasks } from './hash-tasks.js';
import type { Results } from './hash-tasks.js';
import type { ScannedFile } from '../places/scan.js';
import { UNSEEN } from '../model/work.js';
import type { Shown, Work } from '../model/work.js';
import { openThreads } from './threads.js';
import type { Threads } from './threads.js';

/** Rough costs of a file and of a byte: below this sum, one thread finishes before others have started. */
const FILE_COST_US = 50;
const BYTES_PER_US = 1000;
const WORTH_SHARING_US = 20_000;

/** Gets each result as it comes, in any order. */
export type DigestListener = (digested: Digested, index: number) => void;

export interface HashOptions extends DigestOptions, Pick<PlanOptions, 'needs'> {
  /** Called between batches on this thread. */
  readonly pause?: () => Promise<unknown>;
}

/** Files that are being hashed. */
export interface Hashing {
  /** Helps with the rest, and gives the results in the order of the files. */
  readonly finish: () => Promise<readonly Digested[]>;
}

/**
 * Starts the threads for small files once there are enough of them, so that the threads warm up while the caller still
 * looks for more files.
 */
export function warmUpToHash(threads: Threads, files: number): void {
  if (files * FILE_COST_US >= WORTH_SHARING_US) threads.warmUp(threads.count - 1);
}

/** Hashes on as many threads as pay off, while this one does something else. */
export function startHashing(
  files: readonly ScannedFile[],
  options: HashOptions & { readonly threads: Threads },
  onDigested: DigestListener = () => undefined,
): Hashing {
  const { threads, pause = setImmediate } = options;
  const hasLarge = files.some(isLarge);
  // A large file would keep this thread from everything else, even where there is no other processor.
  const isShared = (threads.count > 1 || hasLarge) && costUs(files) >= WORTH_SHARING_US;
  const results = new Array<Digested>(files.length);
  const tasks = planTasks(files, { ...options, threads: isShared ? threads.count : 1 });
  const take = (digested: Digested, index: number) => {
    results[index] = digested;
    onDigested(digested, index);
  };
  const work = packTasks(files, tasks, options);
  const others = isShared ? Math.min(hasLarge ? threads.count : threads.count - 1, tasks.length) : 0;
  const working = threads.share(work, others).map((worker) => resultsOf(worker, take));
  // The caller may fail before it calls `finish`.
  for (const each of working) each.catch(() => undefined);
  return {
    finish: async () => {
      if (others === 0 || !hasLarge) await doTasks(work, { take, pause });
      await Promise.all(working);
      return results;
    },
  };
}

export interface Started extends Shown {
  /** How the hashing begins; with files of a directory if not given. */
  readonly start?: (
    files: readonly ScannedFile[],
    options: HashOptions & { readonly threads: Threads; readonly counted: ByteCount },
    onDigested: DigestListener,
  ) => Hashing;
}

/** Hashes files and waits for the results. */
export async function hashFiles(
  files: readonly ScannedFile[],
  options: Omit<HashOptions, 'counted'>,
  { progress, start = startHashing }: Started = UNSEEN,
): Promise<readonly Digested[]> {
  const threads = openThreads();
  const counted = newByteCount();
  let done = 0;
  progress(workOn('checking', files, { counted, done: () => done }));
  try {
    return await start(files, { ...options, counted, threads }, () => (done += 1)).finish();
  } finally {
    progress(null);
    threads.stop();
  }
}

/** Work on files, for those who wait for it. `done`: how many files are. */
export function workOn(
  doing: string,
  files: readonly ScannedFile[],
  { counted, done }: { readonly counted: ByteCount; readonly done: () => number },
): Work {
  return {
    ...{ doing, bytes: totalBytes(files), done: () => bytesIn(counted) },
    files: { count: files.length, done },
  };
}

export function totalBytes(files: readonly ScannedFile[]): number {
  return files.reduce((sum, { identity }) => sum + Number(identity.size), 0);
}

function costUs(files: readonly ScannedFile[]): number {
  return files.reduce((sum, { identity }) => sum + FILE_COST_US + Number(identity.size) / BYTES_PER_US, 0);
}

/** Resolves when a thread has no more results. */
async function resultsOf(worker: Worker, take: DigestListener): Promise<void> {
  await untilDone(worker, (message) => {
    const results = message as Results | null;
    for (const [digested, index] of results ?? []) take(digested, index);
    return results === null;
  });
}

/**
 * Hears a thread until `hear` says that its work is done, and no longer: the next work of the thread has results of its
 * own, under the same numbers.
 */
export async function untilDone(worker: Worker, hear: (message: unknown) => boolean): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const onMessage = (message: unknown) => {
      if (hear(message)) end(resolve);
    };
    const onError = (error: Error) => {
      end(() => reject(error));
    };
    const onExit = (code: number) => {
      onError(new Error(`a hashing thread ended with ${code}`));
    };
    const end = (settle: () => void) => {
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      settle();
    };
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
  });
}
