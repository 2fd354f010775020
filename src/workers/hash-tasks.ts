import type { Digested, DigestOptions } from './digest.js';
import { digestEach, digestFiles } from './digest-together.js';
import { identitiesBytes, identitiesIn, identityAt, writeIdentity } from '../disk/identities.js';
import type { FileIdentities } from '../disk/identities.js';
import type { ScannedFile } from '../places/scan.js';

/** Files that one thread reads, by their index in the list of files. */
export interface HashTask extends Pick<DigestOptions, 'md5' | 'metadata'> {
  readonly files: readonly number[];
  /** Whether to read them alternately, as many as there are lanes. */
  readonly isTogether: boolean;
}

/** What all tasks have in common. */
export type CommonOptions = Pick<DigestOptions, 'directory' | 'inspect' | 'secrets' | 'counted'>;

/** All tasks, for several threads that share them. An object for each of many files would cost more than hashing it. */
export interface HashWork {
  readonly kind: 'hash';
  readonly options: CommonOptions;
  /** The paths of all files, with a zero between them: a name may hold a line end. */
  readonly paths: string;
  /** The identities of the scanned files. */
  readonly identities: FileIdentities;
  readonly tasks: readonly HashTask[];
  /** How many tasks the threads have taken, in memory that they share. */
  readonly taken: Int32Array;
}

const PATH_END = '\0';

/** How many results go into one message, and how many files to hash between pauses; fewer if they are long. */
const BATCH_FILES = 512;
/** So many bytes take about as long as another file. */
const FILE_BYTES = 64 * 1024;

export function packTasks(
  files: readonly ScannedFile[],
  tasks: readonly HashTask[],
  { directory, inspect, secrets, counted }: CommonOptions,
): HashWork {
  const identities = identitiesIn(new SharedArrayBuffer(identitiesBytes(files.length)));
  files.forEach(({ identity }, index) => {
    writeIdentity(identities, index, identity);
  });
  const paths = files.map(({ path }) => path).join(PATH_END);
  const taken = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  return { kind: 'hash', options: { directory, inspect, secrets, counted }, paths, identities, tasks, taken };
}

/** What a thread sends back. */
export type Results = readonly (readonly [digested: Digested, index: number])[];

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
  let done = 0;
  for (let task = nextOf(work); task !== undefined; task = nextOf(work)) {
    const { files, isTogether, md5, metadata } = task;
    const options = { ...work.options, md5, metadata };
    let at = 0;
    const found = files.map(fileAt);
    for (const digested of isTogether ? digestFiles(found, options) : digestEach(found, options)) {
      // An `await` without a promise costs as much as opening a file.
      take(digested instanceof Promise ? await digested : digested, files[at++] ?? 0);
    }
    done += found.reduce((sum, { identity }) => sum + 1 + Number(identity.size) / FILE_BYTES, 0);
    if (done < BATCH_FILES) continue;
    await pause();
    done = 0;
  }
}

function nextOf({ tasks, taken }: HashWork): HashTask | undefined {
  return tasks[Atomics.add(taken, 0, 1)];
}
