import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { Worker } from 'node:worker_threads';
import { readAt } from '../disk/files.js';
import { openThreads } from './threads.js';

/** SHA-256 of open files while they are written, such as downloads. */
export interface GrowingDigests {
  readonly open: (fd: number) => GrowingDigest;
  readonly stop: () => void;
}

export interface GrowingDigest {
  /** Says that the file has so many bytes by now. */
  readonly grow: (length: number) => void;
  /** The digest of the first `length` bytes; the last call for this digest. Rejects with what the system says. */
  readonly end: (length: number) => Promise<string>;
  /** Gives the digest up. */
  readonly drop: () => void;
}

/** Below this size this thread has hashed everything before another one has started. */
const WORTH_A_THREAD_BYTES = 32 * 1024 * 1024;
/** For less, a message costs more than it saves. */
const STEP_BYTES = 4 * 1024 * 1024;

/**
 * Opens digests of files that have `bytes` in all. If that is a lot, another thread reads the files and hashes them: this
 * one has the network to attend to.
 */
export function openDigests(bytes: number): GrowingDigests {
  const threads = openThreads();
  const isShared = bytes >= WORTH_A_THREAD_BYTES;
  const awaited = new Map<number, (answer: HashAnswer['answer']) => void>();
  let known: Worker | null = null;
  const give = (step: HashStep) => {
    const [worker] = threads.share(step, 1);
    if (worker === undefined || worker === known) return;
    known = worker;
    worker.on('message', ({ id, answer }: HashAnswer) => awaited.get(id)?.(answer));
    const fail = (why: unknown) => {
      const error = why instanceof Error ? why : new Error('a hashing thread ended');
      for (const answer of awaited.values()) answer(error);
    };
    worker.on('error', fail);
    worker.on('exit', fail);
  };
  let count = 0;
  return {
    open: (fd) => {
      const id = (count += 1);
      let given = 0;
      return {
        grow: (length) => {
          if (!isShared || length - given < STEP_BYTES) return;
          given = length;
          give({ kind: 'grow', id, fd, length, isLast: false });
        },
        end: async (length) => {
          const step = { kind: 'grow', id, fd, length, isLast: true } as const;
          const answer = isShared
            ? await new Promise<HashAnswer['answer']>((resolve) => {
                awaited.set(id, resolve);
                give(step);
              }).finally(() => awaited.delete(id))
            : hashFurther(step);
          if (typeof answer === 'string') return answer;
          throw answer ?? new Error('no digest');
        },
        drop: () => {
          if (given > 0) give({ kind: 'grow', id, fd, length: 0, isLast: true });
        },
      };
    },
    stop: threads.stop,
  };
}

/** Work for a thread: hash a file up to a length. */
export interface HashStep {
  readonly kind: 'grow';
  /** The number of the digest. */
  readonly id: number;
  readonly fd: number;
  readonly length: number;
  readonly isLast: boolean;
}

/** What comes of the last step. */
export interface HashAnswer {
  readonly id: number;
  readonly answer: string | Error | null;
}

interface Running {
  readonly hash: Hash;
  length: number;
}

const running = new Map<number, Running>();
const block = Buffer.allocUnsafeSlow(256 * 1024);

/** Hashes a file further. The last step gives the digest, or what went wrong. */
export function hashFurther({ id, fd, length, isLast }: HashStep): HashAnswer['answer'] {
  const state = running.get(id) ?? { hash: createHash('sha256'), length: 0 };
  if (isLast) running.delete(id);
  else running.set(id, state);
  try {
    while (state.length < length) {
      const bytes = readAt(fd, state.length, block.subarray(0, length - state.length));
      // Somebody made it shorter: its digest will tell.
      if (bytes.length === 0) break;
      state.hash.update(bytes);
      state.length += bytes.length;
    }
    return isLast ? state.hash.digest('hex') : null;
  } catch (error) {
    // The last step comes here again.
    return error instanceof Error ? error : new Error('a file that cannot be read');
  }
}
