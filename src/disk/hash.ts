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

/** From here on a file is worth two readings at once, one for each digest, while threads would stand idle. */
const WORTH_SPLITTING_BYTES = 8 * 1024 * 1024;

/** One reading of one file. */
export interface HashTask {
  readonly index: number;
  readonly file: ScannedFile;
  readonly options: DigestOptions;
}

/** What a worker is started with: the whole list, and a shared counter of the tasks taken. */
export interface HashWork {
  readonly tasks: readonly HashTask[];
  readonly taken: Int32Array;
}

/** What a worker sends back, many at a time: a message for each would cost more than hashing it. */
export type HashedBatch = readonly (readonly [index: number, digested: Digested])[];

/** Hears of each result as it comes, in whatever order. */
export type DigestListener = (digested: Digested, index: number) => void;

export type HashOptions = Omit<DigestOptions, 'sha256'>;

/** Hashes files, on as many threads as it is worth. The results stand in the order of the files. */
export async function hashFiles(
  files: readonly ScannedFile[],
  options: HashOptions,
  onDigested: DigestListener = () => undefined,
): Promise<readonly Digested[]> {
  const results = new Array<Digested>(files.length);
  const give = (digested: Digested, index: number) => {
    results[index] = digested;
    onDigested(digested, index);
  };
  const cost = files.reduce((sum, file) => sum + Number(file.identity.size) + FILE_COST_BYTES, 0);
  const threads = Math.min(availableParallelism(), MOST_WORKERS);
  if (threads < 2 || cost < WORTH_SHARING_BYTES) {
    for (const [index, file] of files.entries())
      give(await digestFile(file, { ...options, sha256: true }), index);
    return results;
  }
  const tasks = planTasks(files, { options, threads });
  const take = joinHalves(tasks, give);
  const work: HashWork = { tasks, taken: new Int32Array(new SharedArrayBuffer(4)) };
  await Promise.all(Array.from({ length: Math.min(threads, tasks.length) }, () => runWorker(work, take)));
  return results;
}

/** The order of work: large files first, so that none is left to one thread alone at the end. */
function planTasks(
  files: readonly ScannedFile[],
  { options, threads }: { options: HashOptions; threads: number },
): readonly HashTask[] {
  const isLarge = (file: ScannedFile) => Number(file.identity.size) >= WORTH_SPLITTING_BYTES;
  const numbered = files.map((file, index) => ({ index, file, options: { ...options, sha256: true } }));
  const large = numbered.filter(({ file }) => isLarge(file));
  large.sort((a, b) => Number(b.file.identity.size - a.file.identity.size));
  const small = numbered.filter(({ file }) => !isLarge(file));
  // The last large ones, which do not fill all threads, are read once for each digest.
  const rest = options.md5 ? large.splice(large.length - (large.length % threads)) : [];
  const halves = rest.flatMap((task) => [
    { ...task, options: { ...task.options, sha256: false, metadata: false } },
    { ...task, options: { ...task.options, md5: false } },
  ]);
  return [...large, ...halves, ...small];
}

/** Puts the two readings of a split file together again. One that failed fails the file. */
function joinHalves(tasks: readonly HashTask[], give: DigestListener): (batch: HashedBatch) => void {
  const awaited = new Map<number, number>();
  for (const { index } of tasks) awaited.set(index, (awaited.get(index) ?? 0) + 1);
  const halves = new Map<number, Digested>();
  return (batch) => {
    for (const [index, digested] of batch) {
      const other = halves.get(index);
      if (awaited.get(index) === 1) give(digested, index);
      else if (other === undefined) halves.set(index, digested);
      else give(joined(other, digested), index);
    }
  };
}

function joined(a: Digested, b: Digested): Digested {
  if (a.kind === 'failed') return a;
  if (b.kind === 'failed') return b;
  const [sha256, md5] = a.md5 === null ? [a, b] : [b, a];
  return { ...sha256, md5: md5.md5 };
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
