import { lstatSync } from 'node:fs';
import { identitiesBytes, identitiesIn, identityAt, identityOf, writeIdentity } from './identities.js';
import type { Identities, Identity } from './identities.js';
import type { Threads } from './threads.js';

/** Files whose status is asked for, by several threads where it is worth it: then in memory that they share. */
export interface StatWork {
  readonly kind: 'stat';
  readonly directory: string;
  readonly paths: readonly string[];
  readonly identities: Identities;
  /** How many blocks of files are taken, then for each block whether it is done. */
  readonly blocks: Int32Array;
}

const BLOCK_FILES = 128;
/** What a thread asks for while another one starts and its code is compiled: measured, at 20,000 a second one saves nothing. */
const WORTH_A_THREAD = 32_000;
/** Longer than any thread needs for a block, unless its disk hangs or it died. */
const PATIENCE_MS = 2000;
const DONE = 1;
/** A size that no file has. */
const UNKNOWN = -1n;

/** How many other threads are worth having for so many files. */
export function threadsToStat({ count }: Threads, files: number): number {
  return Math.min(count - 1, Math.floor(files / WORTH_A_THREAD));
}

/**
 * Asks for the status of many files, in all threads that it is worth. The answer gives the identity of each, and null
 * where it is not known: whoever asks for that one alone finds out why.
 */
export function statTogether(
  directory: string,
  paths: readonly string[],
  threads?: Threads,
): (index: number) => Identity | null {
  const others = threads === undefined ? 0 : threadsToStat(threads, paths.length);
  const work = makeWork(directory, paths, others === 0 ? ArrayBuffer : SharedArrayBuffer);
  threads?.share(work, others);
  doStats(work);
  let patienceMs = PATIENCE_MS;
  return (index) => {
    // What another thread may still be writing is not looked at, and it is waited for once.
    if (!isDone(work.blocks, 1 + Math.floor(index / BLOCK_FILES), patienceMs)) {
      patienceMs = 0;
      return null;
    }
    const identity = identityAt(work.identities, index);
    return identity.size === UNKNOWN ? null : identity;
  };
}

function makeWork(
  directory: string,
  paths: readonly string[],
  Memory: ArrayBufferConstructor | SharedArrayBufferConstructor,
): StatWork {
  const blocks = Math.ceil(paths.length / BLOCK_FILES);
  return {
    kind: 'stat',
    directory,
    paths,
    identities: identitiesIn(new Memory(identitiesBytes(paths.length))),
    blocks: new Int32Array(new Memory((1 + blocks) * Int32Array.BYTES_PER_ELEMENT)),
  };
}

/** Takes blocks until none is left. */
export function doStats({ directory, paths, identities, blocks }: StatWork): void {
  for (let block = take(blocks); block < blocks.length - 1; block = take(blocks)) {
    const end = Math.min((block + 1) * BLOCK_FILES, paths.length);
    for (let index = block * BLOCK_FILES; index < end; index += 1) {
      writeIdentity(identities, index, statOf(`${directory}/${paths[index] ?? ''}`));
    }
    Atomics.store(blocks, block + 1, DONE);
    Atomics.notify(blocks, block + 1);
  }
}

function take(blocks: Int32Array): number {
  return Atomics.add(blocks, 0, 1);
}

function statOf(path: string): Identity {
  try {
    return identityOf(lstatSync(path, { bigint: true }));
  } catch {
    return { device: 0n, inode: 0n, size: UNKNOWN, modified: 0n, changed: 0n };
  }
}

function isDone(blocks: Int32Array, place: number, patienceMs: number): boolean {
  if (Atomics.load(blocks, place) === DONE) return true;
  Atomics.wait(blocks, place, 0, patienceMs);
  return Atomics.load(blocks, place) === DONE;
}
