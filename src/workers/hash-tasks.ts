import type { MetadataReading } from '../model/metadata.js';
import { digestFile } from './digest.js';
import type { Digested, DigestOptions } from './digest.js';
import { digestFiles } from './digest-together.js';
import { identitiesBytes, identitiesIn, identityAt, writeIdentity } from '../disk/identities.js';
import type { FileIdentities } from '../disk/identities.js';
import type { ScannedFile } from '../places/scan.js';

/** One reading of a file, or of several that are digested together; files are named by their place in the list of files. */
export interface HashTask {
  readonly files: readonly number[];
  readonly sha256: boolean;
  readonly md5: boolean;
  readonly metadata: boolean;
}

/**
 * All tasks, in a form that is handed to a thread at next to no cost: copying an object for each of many files costs
 * more than hashing them. The numbers lie in memory that all threads share.
 */
export interface HashWork {
  readonly kind: 'hash';
  readonly directory: string;
  /** The paths of all files, a line for each. */
  readonly paths: string;
  /** Which files were scanned. */
  readonly identities: FileIdentities;
  /** The files of all tasks, one after the other. */
  readonly files: Int32Array;
  /** Two numbers a task: where its files end in that list, and what is wanted. */
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
  const identities = identitiesIn(new SharedArrayBuffer(identitiesBytes(files.length)));
  files.forEach(({ identity }, index) => {
    writeIdentity(identities, index, identity);
  });
  const order = shared(tasks.reduce((sum, task) => sum + task.files.length, 0));
  const numbers = shared(tasks.length * TASK_FIELDS);
  let end = 0;
  tasks.forEach((task, at) => {
    for (const index of task.files) order[end++] = index;
    numbers[at * TASK_FIELDS] = end;
    numbers[at * TASK_FIELDS + 1] = wantedBy(task);
  });
  const paths = files.map(({ path }) => path).join('\n');
  return { kind: 'hash', directory, paths, identities, files: order, tasks: numbers, taken: shared(1) };
}

function wantedBy({ sha256, md5, metadata }: HashTask): number {
  return (sha256 ? SHA256 : 0) | (md5 ? MD5 : 0) | (metadata ? METADATA : 0);
}

function shared(count: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT));
}

export interface TaskTaker {
  readonly take: (digested: Digested, index: number) => void;
  /** Called between batches. */
  readonly pause: () => unknown;
}

/** Takes tasks from the shared list until none is left. */
export async function doTasks(work: HashWork, { take, pause }: TaskTaker): Promise<void> {
  const paths = work.paths.split('\n');
  const fileAt = (index: number): ScannedFile => ({
    path: paths[index] ?? '',
    identity: identityAt(work.identities, index),
  });
  const count = work.tasks.length / TASK_FIELDS;
  let done = 0;
  for (let next = Atomics.add(work.taken, 0, 1); next < count; next = Atomics.add(work.taken, 0, 1)) {
    const from = endOf(work, next - 1);
    const end = endOf(work, next);
    const options = optionsOf(work, next);
    if (end === from + 1) {
      // Nearly every one. Waiting where there is nothing to wait for costs as much as opening a file.
      const index = work.files[from] ?? 0;
      const digested = digestFile(fileAt(index), options);
      take(digested instanceof Promise ? await digested : digested, index);
    } else {
      const indices = Array.from(work.files.subarray(from, end));
      let at = 0;
      for (const digested of digestFiles(indices.map(fileAt), options))
        take(await digested, indices[at++] ?? 0);
    }
    done += end - from;
    if (done >= BATCH_FILES) {
      await pause();
      done = 0;
    }
  }
}

/** Where the files of a task end. */
function endOf({ tasks }: HashWork, task: number): number {
  return task < 0 ? 0 : (tasks[task * TASK_FIELDS] ?? 0);
}

function optionsOf({ directory, tasks }: HashWork, task: number): DigestOptions {
  const wanted = tasks[task * TASK_FIELDS + 1] ?? 0;
  return {
    directory,
    sha256: (wanted & SHA256) !== 0,
    md5: (wanted & MD5) !== 0,
    metadata: (wanted & METADATA) !== 0,
  };
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
