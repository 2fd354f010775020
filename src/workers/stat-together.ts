import { identitiesBytes, identitiesIn } from '../disk/identities.js';
import { knownIdentity, statFiles, statRange } from '../places/stat-files.js';
import type { StatFiles, StatTable } from '../places/stat-files.js';
import type { Threads } from './threads.js';

/** Files whose status is asked for by several threads, in memory that they share. */
export interface StatWork extends StatTable {
  readonly kind: 'stat';
  /** How many blocks of files are taken, then for each block whether it is done. */
  readonly blocks: Int32Array;
}

const BLOCK_FILES = 128;
/** What a thread asks for while another one starts and its code is compiled: measured, at 20,000 a second one saves nothing. */
const WORTH_A_THREAD = 32_000;
/** Longer than any thread needs for a block, unless its disk hangs or it died. */
const PATIENCE_MS = 2000;
const DONE = 1;

/** How many other threads are worth having for so many files. */
export function threadsToStat({ count }: Threads, files: number): number {
  return Math.min(count - 1, Math.floor(files / WORTH_A_THREAD));
}

/** `statFiles` with the help of as many threads as are worth having. */
export function statWith(threads: Threads): StatFiles {
  return (directory, paths) => {
    const others = threadsToStat(threads, paths.length);
    if (others === 0) return statFiles(directory, paths);
    const work = makeWork(directory, paths);
    threads.share(work, others);
    doStats(work);
    let patienceMs = PATIENCE_MS;
    return (index) => {
      // Another thread may still be writing the entry. Wait for it once, then look at what is left alone.
      if (isDone(work.blocks, 1 + Math.floor(index / BLOCK_FILES), patienceMs))
        return knownIdentity(work, index);
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

/** Takes blocks until none is left. */
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
