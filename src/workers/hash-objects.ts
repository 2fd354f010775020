import type { Worker } from 'node:worker_threads';
import type { Objects, Part } from '../places/objects.js';
import type { ScannedFile } from '../places/scan.js';
import type { ByteCount } from './byte-count.js';
import { digestObject } from './digest-object.js';
import type { DigestOptions, Digested } from './digest.js';
import { untilDone } from './hash.js';
import type { DigestListener, Hashing } from './hash.js';
import type { Needs } from './hash-plan.js';
import { answer, fetcherOf, openChannel } from './object-channel.js';
import type { ObjectChannel, PartRequest } from './object-channel.js';
import { PIECE_BYTES } from './object-reader.js';
import { surveyObject } from './survey.js';
import type { Survey, SurveyOptions } from './survey.js';
import type { Threads } from './threads.js';

export interface ObjectsOptions
  extends Pick<DigestOptions, 'inspect' | 'secrets' | 'md5'>, Pick<Objects, 'read' | 'concurrency'> {
  readonly counted: ByteCount;
  readonly needs: (path: string) => Needs;
  readonly threads: Threads;
}

/** All objects, for several threads that share them. */
export interface ObjectsWork {
  readonly kind: 'objects';
  /** Its number, which all messages about it have: a thread may do several works at the same time. */
  readonly work: number;
  readonly options: Pick<DigestOptions, 'inspect' | 'secrets' | 'counted'>;
  readonly objects: readonly ObjectTask[];
  /** How many objects, and channels, the threads have taken. */
  readonly taken: Int32Array<SharedArrayBuffer>;
  readonly channels: readonly ObjectChannel[];
}

interface ObjectTask extends Needs {
  readonly path: string;
  readonly size: number;
  readonly index: number;
  /** What to look for in its members, in place of hashing it. */
  readonly survey?: SurveyOptions;
}

const OBJECTS = 0;
const CHANNELS = 1;

let works = 0;

/** The memory of threads, for one work after the other. */
const idle = new WeakMap<Threads, ObjectChannel[]>();
/** The same for the thread that runs this. */
const spare: Buffer[] = [];

/** Hashes files that are fetched by this thread, on others that sleep while they wait for them. */
export function startHashingObjects(
  files: readonly ScannedFile[],
  { needs, md5, inspect, secrets, counted, ...options }: ObjectsOptions,
  onDigested: DigestListener,
): Hashing {
  const tasks = files.map(({ path, identity }, index) => {
    const own = needs(path);
    return { path, size: Number(identity.size), index, md5: own.md5 && md5, metadata: own.metadata };
  });
  const work = { inspect, secrets, counted };
  return startOnObjects<Digested>(files, { ...options, tasks, work }, onDigested);
}

export interface ObjectTasks extends Pick<ObjectsOptions, 'read' | 'concurrency' | 'threads'> {
  readonly tasks: readonly ObjectTask[];
  readonly work: ObjectsWork['options'];
}

/** Starts tasks on objects, of which each gives a result. */
export function startOnObjects<T>(
  files: readonly ScannedFile[],
  { tasks, work: options, read, concurrency, threads }: ObjectTasks,
  onResult: (result: T, index: number) => void,
): { readonly finish: () => Promise<readonly T[]> } {
  const objects = tasks.toSorted((a, b) => b.size - a.size);
  // A thread takes much memory; it need not wait for what is fetched ahead.
  const others = Math.min(threads.count, concurrency, files.length);
  const unused = idle.get(threads) ?? [];
  idle.set(threads, unused);
  const channels = Array.from({ length: others }, () => unused.pop() ?? openChannel());
  const taken = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  const work: ObjectsWork = { kind: 'objects', work: (works += 1), options, objects, taken, channels };
  const desk = openDesk({ files, read, concurrency, objects, channels });
  const results = new Array<T>(files.length);
  const take = (result: unknown, index: number) => {
    results[index] = result as T;
    onResult(result as T, index);
  };
  const attending = { work: work.work, desk, take };
  const working = threads.share(work, channels.length).map((worker) => attend(worker, attending));
  const all = Promise.race([Promise.all(working), desk.trouble]);
  // The caller may fail before it calls `finish`.
  all.catch(() => undefined);
  return {
    finish: async () => {
      await all;
      unused.push(...channels);
      return results;
    },
  };
}

interface Desk {
  readonly serve: (request: PartRequest) => void;
  /** Rejects once the store gives no answer. */
  readonly trouble: Promise<never>;
}

interface Served
  extends Pick<ObjectsOptions, 'read' | 'concurrency'>, Pick<ObjectsWork, 'objects' | 'channels'> {
  readonly files: readonly ScannedFile[];
}

/** Fetches what the threads ask for, and ahead of them what they will ask for next. */
function openDesk({ files, read, concurrency, objects, channels }: Served): Desk {
  /** Parts that nobody has asked for yet, by object and place. */
  const ahead = new Map<string, Promise<Part>>();
  /** What each thread is going to ask for, if it goes on as it began. */
  const next = new Map<number, Place>();
  let begun = 0;
  let fail: (error: unknown) => void = () => undefined;
  const trouble = new Promise<never>((_, reject) => {
    fail = reject;
  });
  trouble.catch(() => undefined);
  const fetch = async ({ object, at, length }: Place): Promise<Part> => {
    const file = files[objects[object]?.index ?? -1];
    if (file === undefined) return 'gone';
    try {
      return await read(file, at, length);
    } catch (error) {
      fail(error);
      return 'failed';
    }
  };
  const pieceOf = (object: number, at: number): Place => {
    const left = (objects[object]?.size ?? 0) - at;
    return { object, at, length: Math.max(0, Math.min(PIECE_BYTES, left)) };
  };
  const fetchAhead = () => {
    const upcoming = Array.from({ length: concurrency }, (_, more) => pieceOf(begun + more, 0));
    for (const place of [...next.values(), ...upcoming]) {
      if (ahead.size + channels.length >= concurrency) return;
      if (place.length > 0 && !ahead.has(nameOf(place))) ahead.set(nameOf(place), fetch(place));
    }
  };
  /** What was fetched ahead of a thread that took another way through the object. */
  const forget = (object: number) => {
    for (const name of ahead.keys()) if (name.startsWith(nameOf({ object, at: '' }))) ahead.delete(name);
  };
  const serveOne = async ({ channel, ...place }: PartRequest, to: ObjectChannel) => {
    begun = Math.max(begun, place.object + 1);
    const part = ahead.get(nameOf(place)) ?? fetch(place);
    ahead.delete(nameOf(place));
    const former = next.get(channel);
    if (former !== undefined && former.object !== place.object) forget(former.object);
    next.set(channel, pieceOf(place.object, place.at + place.length));
    fetchAhead();
    answer(to, await part);
  };
  return {
    trouble,
    serve: (request) => {
      const to = channels[request.channel];
      if (to !== undefined) serveOne(request, to).catch(fail);
    },
  };
}

type Place = Pick<PartRequest, 'object' | 'at' | 'length'>;

function nameOf({ object, at }: { readonly object: number; readonly at: number | string }): string {
  return `${object}:${at}`;
}

interface Attending {
  readonly work: number;
  readonly desk: Desk;
  readonly take: (result: unknown, index: number) => void;
}

/** What a thread says of a work. */
export type ObjectMessage = { readonly work: number } & (
  | ({ readonly kind: 'fetch' } & PartRequest)
  | { readonly kind: 'result'; readonly result: Digested | Survey; readonly index: number }
  | { readonly kind: 'end' }
);

/** Resolves when a thread has no more results. */
async function attend(worker: Worker, { work, desk, take }: Attending): Promise<void> {
  await untilDone(worker, (message) => {
    const said = message as ObjectMessage | null;
    if (said?.work !== work) return false;
    if (said.kind === 'fetch') desk.serve(said);
    else if (said.kind === 'result') take(said.result, said.index);
    return said.kind === 'end';
  });
}

/** The thread's side: takes one object after the other. */
export async function doObjects(
  { work, objects, taken, channels, options }: ObjectsWork,
  post: (message: ObjectMessage) => void,
): Promise<void> {
  const channel = Atomics.add(taken, CHANNELS, 1);
  const own = channels[channel];
  const next = () => Atomics.add(taken, OBJECTS, 1);
  for (let at = next(); own !== undefined; at = next()) {
    const object = objects[at];
    if (object === undefined) break;
    const { index, md5, metadata, survey } = object;
    const fetch = fetcherOf(own, { channel, object: at }, (request) =>
      post({ kind: 'fetch', work, ...request }),
    );
    const result =
      survey === undefined
        ? await digestObject(object, { fetch, spare }, { ...options, md5, metadata })
        : await surveyObject(object, { fetch, spare }, { ...options, ...survey });
    post({ kind: 'result', work, result, index });
  }
  post({ kind: 'end', work });
}
