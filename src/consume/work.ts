import { PacksignError, reasonOf } from '../errors.js';
import { Misfit } from '../format/misfit.js';
import { decodeBatch } from '../format/object-batch.js';
import type { ObjectBatch } from '../format/object-batch.js';
import { encodeRows } from '../format/object-rows.js';
import type { ObjectRow } from '../format/object-rows.js';
import { fileNameOf } from '../model/file-entry.js';
import { isArchiveName } from '../model/file-name.js';
import { NO_LOOK } from '../model/inspection.js';
import type { QueueAddress } from '../model/queue-address.js';
import type { Run } from '../run.js';
import { openBuckets } from '../stores/bucket.js';
import { identityOfObject } from '../stores/list.js';
import { partsOf } from '../stores/part.js';
import type { Environment } from '../stores/settings.js';
import { newByteCount } from '../workers/byte-count.js';
import type { Digested } from '../workers/digest.js';
import { startHashingObjects } from '../workers/hash-objects.js';
import { answerQuestions } from '../workers/answer-questions.js';
import { openThreads } from '../workers/threads.js';

export interface WorkOptions {
  readonly environment: Environment;
  /** Its signal ends the work. */
  readonly run: Run;
  /** How many objects are read at once. */
  readonly concurrency: number;
  /** Called once the worker waits for something to do. */
  readonly onReady: () => void;
}

/** What a worker has done. */
export interface WorkDone {
  readonly batches: number;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Reads the objects that builds put into a queue, until the signal of the run, with the rights that the environment gives;
 * what is begun then goes back into the queue. Throws DESTINATION_FAILED if the store does not let it read what it is asked
 * first, QUEUE_FAILED, BULLMQ_MISSING.
 */
export async function work(queue: QueueAddress, options: WorkOptions): Promise<WorkDone> {
  const { run, onReady } = options;
  const stores = openBuckets(options);
  const done = { batches: 0, files: 0, bytes: 0 };
  const useless = new AbortController();
  const signal = AbortSignal.any([run.signal, useless.signal]);
  const reader = openReader({ ...options, at: stores.at, signal });
  const answer = async (question: string): Promise<string> => {
    try {
      const batch = batchIn(question);
      const rows = await reader.read(batch);
      done.batches += 1;
      done.files += rows.length;
      done.bytes += rows.reduce((sum, { size }) => sum + size, 0);
      return encodeRows({ inspect: batch.inspect, rows });
    } catch (error) {
      if (signal.aborted) throw error;
      // A worker that cannot read anything would fail the questions that others can answer.
      if (done.batches === 0 && isOfStore(error)) useless.abort(error);
      else run.warn({ code: 'WORKER_FAILED', path: null, message: `gave up a batch: ${reasonOf(error)}` });
      throw error;
    }
  };
  try {
    await answerQuestions(queue, { answer, signal, onReady, warn: run.warn });
  } finally {
    reader.close();
    stores.close();
  }
  if (useless.signal.aborted) throw useless.signal.reason;
  return done;
}

/** A question that no build asked is for nobody. */
function batchIn(question: string): ObjectBatch {
  try {
    return decodeBatch(question);
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    throw new PacksignError('USAGE', `the question is no batch of packsign build: ${error.describe()}`);
  }
}

function isOfStore(error: unknown): boolean {
  return error instanceof PacksignError && error.code !== 'USAGE';
}

interface ReaderOptions extends Pick<WorkOptions, 'concurrency'> {
  readonly at: ReturnType<typeof openBuckets>['at'];
  readonly signal: AbortSignal;
}

interface Reader {
  readonly read: (batch: ObjectBatch) => Promise<readonly ObjectRow[]>;
  readonly close: () => void;
}

/** A thread takes 60 MB, and hashes more than so many requests at once bring over a network. */
const OBJECTS_A_THREAD = 8;

/** Reads one batch after the other as a build does that has no workers. */
function openReader({ concurrency, at, signal }: ReaderOptions): Reader {
  const open = () => openThreads({ most: Math.ceil(concurrency / OBJECTS_A_THREAD), isLean: true });
  let threads = open();
  const read = async ({ address, inspect, objects }: ObjectBatch) => {
    const table = new Map(objects.map((object) => [object.path, object]));
    const part = partsOf(at(address), table);
    const hashing = startHashingObjects(
      objects.map((object) => ({ path: object.path, identity: identityOfObject(object) })),
      {
        ...{ concurrency, inspect, threads, secrets: true, md5: true, counted: newByteCount() },
        needs: (path) => ({ md5: table.get(path)?.md5 === true, metadata: isArchiveName(fileNameOf(path)) }),
        read: async (...asked) => {
          signal.throwIfAborted();
          return await part(...asked);
        },
      },
      () => undefined,
    );
    const results = await hashing.finish();
    return objects.flatMap((object, index) => rowOf(object, results[index]) ?? []);
  };
  return {
    read: async (batch) => {
      try {
        return await read(batch);
      } catch (error) {
        // They go on with what nobody waits for.
        threads.stop();
        threads = open();
        throw error;
      }
    },
    close: () => threads.stop(),
  };
}

/** Null for what only the machine that signs can judge: what is gone or has changed, and what holds a secret. */
function rowOf(
  { path, size, etag, modifiedMs }: ObjectBatch['objects'][number],
  digested: Digested | undefined,
): ObjectRow | null {
  if (digested?.kind !== 'digested' || digested.secret !== null) return null;
  const { sha256, md5, look } = digested;
  return { path, size, etag, modifiedMs, isProgram: null, seen: { sha256, md5, ...(look ?? NO_LOOK) } };
}
