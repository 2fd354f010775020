import { identitiesBytes, identitiesIn } from '../disk/identities.js';
import { knownIdentity, statFiles, statRange } from '../places/stat-files.js';
import type { StatFiles, StatTable } from '../places/stat-files.js';
import type { Threads } from './threads.js';

/** Files for several threads to stat, with results in shared memory. */
export interface StatWork extends StatTable {
  readonly kind: 'stat';
  /** How many blocks of files the threads have taken, then for each block whether it is done. */
  readonly blocks: Int32Array;
}

const BLOCK_FILES = 128;
/** Files that one thread stats while another one starts. Measured: for 20,000 files, a second thread saves nothing. */
const WORTH_A_THREAD = 32_000;
/** Longer than a thread needs for a block, unless its disk hangs or it died. */
const PATIENCE_MS = 2000;
const DONE = 1;

/** How many other threads pay off for so many files. */
export function threadsToStat({ count }: Threads, files: number): number {
  return Math.min(count - 1, Math.floor(files / WORTH_A_THREAD));
}

/** `statFiles` with the help of as many threads as pay off. */
export function statWith(threads: Threads): StatFiles {
  return (directory, paths) => {
    const others = threadsToStat(threads, paths.length);
    if (others === 0) return statFiles(directory, paths);
    const work = makeWork(directory, paths);
    threads.share(work, others);
    doStats(work);
    let patienceMs = PATIENCE_MS;
    return (index) => {
      // Another thread may still be writing the entry. Wait for it once; from then on, only take what is done.
      const place = 1 + Math.floor(index / BLOCK_FILES);
      if (isDone(work.blocks, place, patienceMs)) return knownIdentity(work, index);
      patienceMs = 0;
      return null;
    };
  };
}

function makeWork(directory: string, paths: readonly string[]): StatWork {
  const blocks = Math.ceil(paths.length / BLOCK_FILES);
  return {
    kind: 'stat',
    directory,
    paths,
    identities: identitiesIn(new SharedArrayBuffer(identitiesBytes(paths.length))),
    blocks: new Int32Array(new SharedArrayBuffer((1 + blocks) * Int32Array.BYTES_PER_ELEMENT)),
  };
}

/** Does blocks until none is left. */
export function doStats(work: StatWork): void {
  const { paths, blocks } = work;
  for (let block = take(blocks); block < blocks.length - 1; block = take(blocks)) {
    const end = Math.min((block + 1) * BLOCK_FILES, paths.length);
    statRange(work, block * BLOCK_FILES, end);
    Atomics.store(blocks, block + 1, DONE);
    Atomics.notify(blocks, block + 1);
  }
}

function take(blocks: Int32Array): number {
  return Atomics.add(blocks, 0, 1);
}

function isDone(blocks: Int32Array, place: number, patienceMs: number): boolean {
  if (Atomics.load(blocks, place) === DONE) return true;
  Atomics.wait(blocks, place, 0, patienceMs);
  return Atomics.load(blocks, place) === DONE;
}
