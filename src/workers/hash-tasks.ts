import type { Look } from '../model/inspection.js';
import { digestFile } from './digest.js';
import type { Digested, DigestOptions } from './digest.js';
import { digestFiles } from './digest-together.js';
import { identitiesBytes, identitiesIn, identityAt, writeIdentity } from '../disk/identities.js';
import type { FileIdentities } from '../disk/identities.js';
import type { Secret } from '../pgp/secret-packets.js';
import type { ScannedFile } from '../places/scan.js';

/** One reading of a file, or of several that are digested together, by their index in the list of files. */
export interface HashTask extends Omit<DigestOptions, 'directory'> {
  readonly files: readonly number[];
}

/**
 * All tasks, in a form that costs little to hand to a thread: copying an object for each of many files costs more than
 * hashing them. The numbers are in memory that all threads share.
 */
export interface HashWork {
  readonly kind: 'hash';
  readonly directory: string;
  /** The paths of all files, with a zero between them: a name may hold a line end. */
  readonly paths: string;
  /** The identities of the scanned files. */
  readonly identities: FileIdentities;
  /** The indices of the files of all tasks, one after the other. */
  readonly files: Int32Array;
  /** Two numbers for each task: where its files end in that list, and flags for its options. */
  readonly tasks: Int32Array;
  /** How many tasks the threads have taken. */
  readonly taken: Int32Array;
}

const PATH_END = '\0';
const TASK_FIELDS = 2;
const SHA256 = 1;
const MD5 = 2;
const METADATA = 4;
const SECRETS = 8;
const ENDS = 16;
const WHOLE = 32;

/** How many results go into one message, and how many files to hash between pauses. */
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
    numbers[at * TASK_FIELDS + 1] = flagsOf(task);
  });
  const paths = files.map(({ path }) => path).join(PATH_END);
  return { kind: 'hash', directory, paths, identities, files: order, tasks: numbers, taken: shared(1) };
}

function flagsOf({ sha256, md5, metadata, inspect, secrets }: HashTask): number {
  return (
    (sha256 ? SHA256 : 0) |
    (md5 ? MD5 : 0) |
    (metadata ? METADATA : 0) |
    (secrets === true ? SECRETS : 0) |
    { none: 0, ends: ENDS, whole: WHOLE }[inspect]
  );
}

function shared(count: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT));
}

export interface TaskTaker {
  readonly take: (digested: Digested, index: number) => void;
  /** Called between batches. */
  readonly pause: () => unknown;
}

/** Does tasks from the shared list until none is left. */
export async function doTasks(work: HashWork, { take, pause }: TaskTaker): Promise<void> {
  const paths = work.paths.split(PATH_END);
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
      // Nearly every task. An `await` without a promise costs as much as opening a file.
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
  const flags = tasks[task * TASK_FIELDS + 1] ?? 0;
  const has = (flag: number) => (flags & flag) !== 0;
  const inspect = has(WHOLE) ? 'whole' : has(ENDS) ? 'ends' : 'none';
  const digests = { sha256: has(SHA256), md5: has(MD5) };
  return { directory, ...digests, metadata: has(METADATA), inspect, secrets: has(SECRETS) };
}

/** One result as a line: messages between threads are text, which is cheap to copy. */
export function encodeRow(digested: Digested, index: number): string {
  if (digested.kind === 'failed') return `${index}\t\t\t\t\t${JSON.stringify(digested)}\n`;
  const { size, sha256, md5, secret, look } = digested;
  return `${index}\t${size}\t${sha256}\t${md5 ?? ''}\t${secret ?? ''}\t${JSON.stringify(look)}\n`;
}

/** Reads the results from such lines. JSON escapes tabs and line ends. */
export function decodeRows(rows: string, take: TaskTaker['take']): void {
  for (const row of rows.split('\n')) {
    if (row === '') continue;
    const [index, size, sha256 = '', md5 = '', secret = '', json = ''] = row.split('\t');
    const value: unknown = JSON.parse(json);
    const digested =
      size === ''
        ? (value as Digested)
        : ({
            kind: 'digested',
            size: Number(size),
            sha256,
            md5: md5 === '' ? null : md5,
            look: value as Look | null,
            secret: secret === '' ? null : (secret as Secret),
          } as const);
    take(digested, Number(index));
  }
}
