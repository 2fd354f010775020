import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { digestFile } from './digest.js';
import type { DigestOptions, Digested } from './digest.js';
import type { ScannedFile } from './scan.js';

/** Below this many new bytes one thread is done before others have started. */
const WORTH_SHARING_BYTES = 24 * 1024 * 1024;
/** The same for the number of files, each of which costs as much as some bytes. */
const FILE_COST_BYTES = 12 * 1024;
const MOST_WORKERS = 8;

/** What a worker is started with: the whole list, and a shared counter of the files taken. */
export interface HashWork {
  readonly files: readonly ScannedFile[];
  readonly options: DigestOptions;
  readonly taken: Int32Array;
}

/** What a worker sends back, many at a time: a message for each would cost more than hashing it. */
export type HashedBatch = readonly (readonly [index: number, digested: Digested])[];

/** Hears of each result as it comes, in whatever order. */
export type DigestListener = (digested: Digested, index: number) => void;

/** Hashes files, on as many threads as it is worth. The results stand in the order of the files. */
export async function hashFiles(
  files: readonly ScannedFile[],
  options: DigestOptions,
  onDigested: DigestListener = () => undefined,
): Promise<readonly Digested[]> {
  const results = new Array<Digested>(files.length);
  const take = (batch: HashedBatch) => {
    for (const [index, digested] of batch) {
      results[index] = digested;
      onDigested(digested, index);
    }
  };
  const cost = files.reduce((sum, file) => sum + Number(file.identity.size) + FILE_COST_BYTES, 0);
  const threads = Math.min(availableParallelism(), files.length, MOST_WORKERS);
  if (threads < 2 || cost < WORTH_SHARING_BYTES) {
    for (const [index, file] of files.entries()) take([[index, await digestFile(file, options)]]);
    return results;
  }
  const work: HashWork = { files, options, taken: new Int32Array(new SharedArrayBuffer(4)) };
  await Promise.all(Array.from({ length: threads }, () => runWorker(work, take)));
  return results;
}

function runWorker(work: HashWork, take: (batch: HashedBatch) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./hash-worker.js', import.meta.url), { workerData: work });
    worker.on('message', take);
    worker.on('error', reject);
    worker.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`a hashing thread ended with ${code}`));
    });
  });
}
