import type { MetadataReading } from '../model/metadata.js';
import { digestFile } from './digest.js';
import type { Digested } from './digest.js';
import { identitiesBytes, identityAt, writeIdentity } from './identities.js';
import type { Identities } from './identities.js';
import type { ScannedFile } from './scan.js';

/** One reading of one file, which is named by its place in the list of files. */
export interface HashTask {
  readonly index: number;
  readonly sha256: boolean;
  readonly md5: boolean;
  readonly metadata: boolean;
}

/**
 * All tasks, in a form that is handed to a thread at next to no cost: copying an object for each of many files costs
 * more than hashing them. The numbers lie in memory that all threads share.
 */
export interface HashWork {
  readonly directory: string;
  /** The paths of all files, each with a line end. */
  readonly paths: string;
  /** Which files were scanned. */
  readonly identities: Identities;
  /** Two numbers a task: the file's index, and what is wanted. */
  readonly tasks: Int32Array;
  /** How many tasks are taken. */
  readonly taken: Int32Array;
}

const TASK_FIELDS = 2;
const SHA256 = 1;
const MD5 = 2;
const METADATA = 4;

/** How many results go into one message, and are done before others get their turn. */
const BATCH_FILES = 256;

export function packTasks(
  files: readonly ScannedFile[],
  tasks: readonly HashTask[],
  directory: string,
): HashWork {
  const identities = new BigInt64Array(new SharedArrayBuffer(identitiesBytes(files.length)));
  for (const [index, { identity }] of files.entries()) writeIdentity(identities, index, identity);
  const numbers = new Int32Array(new SharedArrayBuffer(tasks.length * TASK_FIELDS * 4));
  for (const [at, { index, sha256, md5, metadata }] of tasks.entries()) {
    numbers.set(
      [index, (sha256 ? SHA256 : 0) | (md5 ? MD5 : 0) | (metadata ? METADATA : 0)],
      at * TASK_FIELDS,
    );
  }
  return {
    directory,
    paths: files.map(({ path }) => `${path}\n`).join(''),
    identities,
    tasks: numbers,
    taken: new Int32Array(new SharedArrayBuffer(4)),
  };
}

export interface TaskTaker {
  readonly take: (digested: Digested, index: number) => void;
  /** Called between batches. */
  readonly pause: () => unknown;
}

/** Takes tasks from the shared list until none is left. */
export async function doTasks(work: HashWork, { take, pause }: TaskTaker): Promise<void> {
  const paths = work.paths.split('\n');
  const count = work.tasks.length / TASK_FIELDS;
  let done = 0;
  for (let next = Atomics.add(work.taken, 0, 1); next < count; next = Atomics.add(work.taken, 0, 1)) {
    const [index = 0, wanted = 0] = work.tasks.subarray(next * TASK_FIELDS);
    const file = { path: paths[index] ?? '', identity: identityAt(work.identities, index) };
    const digested = await digestFile(file, {
      directory: work.directory,
      sha256: (wanted & SHA256) !== 0,
      md5: (wanted & MD5) !== 0,
      metadata: (wanted & METADATA) !== 0,
    });
    take(digested, index);
    done += 1;
    if (done % BATCH_FILES === 0) await pause();
  }
}

/** One result as a line: messages between threads are text, which is copied as it is. */
export function encodeRow(digested: Digested, index: number): string {
  if (digested.kind === 'failed') return `${index}\t\t\t\t${JSON.stringify(digested)}\n`;
  const { size, sha256, md5, reading } = digested;
  return `${index}\t${size}\t${sha256}\t${md5 ?? ''}\t${JSON.stringify(reading)}\n`;
}

/** The results of such lines. JSON has no tabs and line ends of its own. */
export function decodeRows(rows: string, take: TaskTaker['take']): void {
  for (const row of rows.split('\n')) {
    if (row === '') continue;
    const [index, size, sha256 = '', md5 = '', json = ''] = row.split('\t');
    const value: unknown = JSON.parse(json);
    const digested =
      size === ''
        ? (value as Digested)
        : ({
            kind: 'digested',
            size: Number(size),
            sha256,
            md5: md5 === '' ? null : md5,
            reading: value as MetadataReading | null,
          } as const);
    take(digested, Number(index));
  }
}
