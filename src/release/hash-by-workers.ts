import { randomInt } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { PacksignError } from '../errors.js';
import { Misfit } from '../format/misfit.js';
import { sampleSize } from '../model/double-check.js';
import type { Warning } from '../model/finding.js';
import { compareText } from '../model/package.js';
import type { RemoteWorkers, WorkerAnswer } from '../places/remote-workers.js';
import type { Objects } from '../places/objects.js';
import type { ScannedFile } from '../places/scan.js';
import { countBytes, newByteCount } from '../workers/byte-count.js';
import type { Digested, Hashed } from '../workers/digest.js';
import type { DigestListener, Hashing } from '../workers/hash.js';
import type { HashFilesOptions } from '../workers/hash-files.js';
import { startHashingObjects } from '../workers/hash-objects.js';
import { md5InEtag } from './etag-md5.js';
import { batchOf, claimsIn, differsFromEtag } from './worker-claims.js';
import type { Asked, Batch, Claim } from './worker-claims.js';
import { cutBatches } from './cut-batches.js';

export interface RemoteOptions extends Omit<HashFilesOptions, 'objects'> {
  readonly objects: Objects;
  readonly workers: RemoteWorkers;
  readonly inspect: 'whole' | 'ends';
  readonly warn: (warning: Warning) => void;
}

/**
 * Starts to have objects read by workers. What nobody says anything credible about is read here. `finish` throws
 * WORKER_DIFFERS and QUEUE_FAILED.
 */
export function startHashingByWorkers(
  files: readonly ScannedFile[],
  options: RemoteOptions,
  onDigested: DigestListener,
): Hashing {
  const results = new Array<Digested>(files.length);
  const all = hashAll(files, options, (digested, index) => {
    results[index] = digested;
    onDigested(digested, index);
  });
  // The caller may fail before it calls `finish`.
  all.catch(() => undefined);
  return {
    finish: async () => {
      await all;
      return results;
    },
  };
}

/** Where a store encrypts objects, no ETag is an MD5: so many files tell. */
const TELLING = 8;

async function hashAll(
  files: readonly ScannedFile[],
  options: RemoteOptions,
  take: DigestListener,
): Promise<void> {
  const { workers, counted } = options;
  const read = readerHere(files, options);
  const accept = ({ asked, said }: Claim) => take(kept(said, asked), asked.index);
  /** Reads files here too. Gives those of which a worker said something else. */
  const check = async (claims: readonly Claim[]) => {
    const own = await read(
      claims.map(({ asked }) => asked),
      newByteCount(),
    );
    own.forEach((digested, at) => {
      const { asked } = claims[at] ?? {};
      if (asked !== undefined) take(kept(digested, asked), asked.index);
    });
    return claims.filter(({ said }, at) => isOther(said, own[at]));
  };
  const { questions, left, doubtful, held, agreed, answered } = await gather(files, options, accept);
  const suspects = agreed > 0 ? doubtful : doubtful.slice(0, TELLING);
  const unchecked = [...held, ...doubtful.slice(suspects.length)];
  const sample = chosenFrom(unchecked, workers.doubleCheck?.percent ?? 0);
  const wrong = await check([...suspects, ...sample]);
  if (wrong.length > 0) {
    await workers.forget(
      Array.from(new Set(wrong.map(({ worker }) => worker))).flatMap((name) => answered.get(name) ?? []),
    );
    throw differing(wrong);
  }
  if (sample.length > 0) workers.doubleCheck?.onChecked({ sample: sample.length, total: unchecked.length });
  const isSampled = new Set(sample);
  for (const claim of unchecked) if (!isSampled.has(claim)) accept(claim);
  const rest = await read(left, counted);
  rest.forEach((digested, at) => {
    const asked = left[at];
    if (asked !== undefined) take(kept(digested, asked), asked.index);
  });
  workers.settle(questions);
}

/** What came of the questions. */
interface Gathered {
  readonly questions: readonly string[];
  /** Files of which no worker said anything credible. */
  readonly left: readonly Asked[];
  /** Files whose MD5 is not their ETag, and how many have the same. */
  readonly doubtful: readonly Claim[];
  readonly agreed: number;
  /** Those that are to be believed only after a double check; with none, `accept` has got them. */
  readonly held: readonly Claim[];
  /** Worker → the questions that it answered. */
  readonly answered: ReadonlyMap<string, readonly string[]>;
}

async function gather(
  files: readonly ScannedFile[],
  options: RemoteOptions,
  accept: (claim: Claim) => void,
): Promise<Gathered> {
  const { workers, counted } = options;
  const batches = batchesOf(files, options);
  const claimsOf = readerOfAnswers(options);
  const [left, doubtful, held]: [Asked[], Claim[], Claim[]] = [[], [], []];
  const answered = new Map<string, string[]>();
  let agreed = 0;
  const takeAnswer = (answer: WorkerAnswer, batch: Batch) => {
    const claims = claimsOf(answer, batch);
    for (const asked of batch.objects) {
      const claim = claims.get(asked.path);
      if (claim === undefined) {
        left.push(asked);
        continue;
      }
      countBytes(counted, asked.size);
      if (differsFromEtag(claim)) doubtful.push(claim);
      else {
        agreed += md5InEtag(asked.etag) === null ? 0 : 1;
        if (workers.doubleCheck === null) accept(claim);
        else held.push(claim);
      }
    }
    if (answer.kind !== 'answer') return;
    answered.set(answer.worker, [...(answered.get(answer.worker) ?? []), batch.text]);
  };
  const questions = batches.map(({ text }) => text);
  await workers.ask(questions, (answer, number) => {
    const batch = batches[number];
    if (batch !== undefined) takeAnswer(answer, batch);
  });
  return { questions, left, doubtful, held, agreed, answered };
}

function batchesOf(files: readonly ScannedFile[], options: RemoteOptions): readonly Batch[] {
  const { objects, inspect, md5, needs } = options;
  const listing = objects.listing();
  const asked = files.map(({ path, identity }, index) => {
    const { etag = null, modifiedMs = 0 } = listing.get(path) ?? {};
    const keepsMd5 = md5 && needs(path).md5;
    return {
      ...{ path, size: Number(identity.size), etag, modifiedMs },
      ...{ md5: keepsMd5 || md5InEtag(etag) !== null, index, keepsMd5 },
    };
  });
  const weight = (batch: readonly Asked[]) => batch.reduce((sum, { size }) => sum + size, 0);
  return cutBatches(asked.toSorted((a, b) => compareText(a.path, b.path)))
    .toSorted((a, b) => weight(b) - weight(a))
    .map((batch) => batchOf(batch, { address: objects.address, inspect }));
}

/** Reads answers, and warns once of each worker whose answers are not credible. */
function readerOfAnswers({
  inspect,
  warn,
}: RemoteOptions): (answer: WorkerAnswer, batch: Batch) => ReadonlyMap<string, Claim> {
  const warned = new Set<string>();
  const warnOnce = (about: string, message: string) => {
    if (!warned.has(about)) warn({ code: 'WORKER_FAILED', path: null, message });
    warned.add(about);
  };
  return (answer, batch) => {
    if (answer.kind === 'failed') {
      warnOnce(answer.reason, `workers failed, and their files are read here: ${answer.reason}`);
      return new Map();
    }
    try {
      return claimsIn(answer, batch, inspect);
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      const { worker } = answer;
      const message = `the worker ${worker} gives answers that are not credible, and its files are read here: ${error.describe()}`;
      warnOnce(worker, message);
      return new Map();
    }
  };
}

type ReadHere = (
  some: readonly Asked[],
  counted: HashFilesOptions['counted'],
) => Promise<readonly Digested[]>;

function readerHere(files: readonly ScannedFile[], options: RemoteOptions): ReadHere {
  const { objects, needs } = options;
  return async (some, counted) => {
    if (some.length === 0) return [];
    const wanted = new Map(some.map(({ path, md5 }) => [path, md5]));
    const hashing = startHashingObjects(
      some.flatMap(({ index }) => files[index] ?? []),
      {
        ...{ ...options, ...objects, counted, md5: true },
        needs: (path) => ({ ...needs(path), md5: wanted.get(path) === true }),
      },
      () => undefined,
    );
    return await hashing.finish();
  };
}

/** Without an MD5 that only the ETag was compared with. */
function kept(digested: Digested, { keepsMd5 }: Asked): Digested {
  return digested.kind === 'failed' || keepsMd5 ? digested : { ...digested, md5: null };
}

/** Whether this machine read other bytes, or something else in them. A file that has changed meanwhile tells nothing. */
function isOther(said: Hashed, own: Digested | undefined): boolean {
  if (own === undefined || own.kind === 'failed') return false;
  const { sha256, md5, look, secret } = own;
  const seen = [sha256, md5, look, secret !== null];
  // A field that is undefined and one that is not there are the same in what was sent.
  return !isDeepStrictEqual([said.sha256, said.md5, said.look, false], JSON.parse(JSON.stringify(seen)));
}

function chosenFrom(claims: readonly Claim[], percent: number): readonly Claim[] {
  const rest = [...claims];
  return Array.from({ length: sampleSize(rest.length, percent) }).flatMap((_, at) => {
    const other = randomInt(at, rest.length);
    const [here, there] = [rest[at], rest[other]];
    if (here === undefined || there === undefined) return [];
    [rest[at], rest[other]] = [there, here];
    return [there];
  });
}

function differing(wrong: readonly Claim[]): PacksignError {
  const workers = Array.from(new Set(wrong.map(({ worker }) => worker)));
  const lines = workers.flatMap((name) => [
    `  the worker ${name}:`,
    ...wrong.filter(({ worker }) => worker === name).map(({ asked: { path } }) => `    ${path}`),
  ]);
  return new PacksignError(
    'WORKER_DIFFERS',
    [
      'what workers say of these files is not what this machine reads, so nothing was made of it:',
      ...lines,
    ].join('\n'),
    {
      hint: 'end these workers and look at their machines; then run the same command again, which believes nothing that they said',
    },
  );
}
