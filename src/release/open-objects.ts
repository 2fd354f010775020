import { inParallel } from '../consume/parallel.js';
import { PacksignError } from '../errors.js';
import { parseDestination } from '../model/destination.js';
import type { Settings } from '../model/settings.js';
import type { Objects, Part } from '../places/objects.js';
import { isProgramHead } from '../places/program.js';
import { globsOf, scanObjects } from '../places/scan.js';
import type { Run } from '../run.js';
import type { Refusal } from '../stores/failure.js';
import { identityOfObject, listKeys } from '../stores/list.js';
import { networkTo } from '../stores/network.js';
import { storeSettings } from '../stores/settings.js';
import type { Environment } from '../stores/settings.js';
import { openStore, wholeBody } from '../stores/store.js';
import type { Store } from '../stores/store.js';
import { openObjectKinds } from './object-kinds.js';
import type { ObjectKinds } from './object-kinds.js';

export type { Objects };

export interface ObjectsOptions {
  /** The directory that has packsign's own files. */
  readonly directory: string;
  readonly settings: Settings;
  readonly environment: Environment;
  readonly run: Run;
  /** How many objects are read at once. */
  readonly concurrency: number;
  /** Whether a hint may be written at the end. */
  readonly remember: boolean;
}

/** As much of an object as tells whether it is a program. */
const HEAD_BYTES = 4096;

/**
 * Lists the files of a bucket, to be built upon like those of a directory: an object is known again by ETag, size and
 * time, and every part of it is asked for by its ETag. Throws USAGE, DESTINATION_FAILED.
 */
export async function openObjects(
  address: string,
  options: ObjectsOptions,
): Promise<Objects & { readonly close: () => void }> {
  const destination = parseDestination(address);
  if (destination.kind !== 'bucket') throw new PacksignError('USAGE', `${address} is not a bucket`);
  const { bucket, prefix } = destination;
  const { run, environment, directory, concurrency, remember } = options;
  const settings = storeSettings(environment);
  const network = networkTo(settings, run);
  try {
    const store = openStore({ destination: address, bucket, settings, network, clock: run.clock });
    const listing = await listKeys(store, prefix);
    const identities = new Map(Array.from(listing, ([path, stored]) => [path, identityOfObject(stored)]));
    const read = readerOf(store, { prefix, etagOf: (path) => listing.get(path)?.etag ?? null });
    const kinds = openObjectKinds(run.stateFolder);
    const isProgram = (path: string) => {
      const identity = identities.get(path);
      return identity !== undefined && kinds.find(identity) === true;
    };
    const objects: Objects = {
      ...{ address, read, concurrency },
      identityOf: (path) => identities.get(path) ?? null,
      scan: (how) => scanObjects(directory, { objects: identities, isProgram }, how),
    };
    await lookForPrograms(objects, { ...options, kinds, identities });
    const close = () => {
      network.close();
      if (remember) kinds.save();
    };
    return { ...objects, close };
  } catch (error) {
    network.close();
    throw error;
  }
}

interface Looking extends ObjectsOptions {
  readonly kinds: ObjectKinds;
  readonly identities: Parameters<typeof scanObjects>[1]['objects'];
}

/** Looks at the beginning of all objects of which the name does not tell what they are, and that are not known. */
async function lookForPrograms(
  { read }: Objects,
  { kinds, identities, directory, settings, concurrency }: Looking,
): Promise<void> {
  const unknown: string[] = [];
  const isProgram = (path: string) => {
    const identity = identities.get(path);
    const known = identity === undefined ? null : kinds.find(identity);
    if (known === null) unknown.push(path);
    return known === true;
  };
  scanObjects(directory, { objects: identities, isProgram }, { globs: globsOf(settings) });
  await inParallel(unknown, concurrency, async (path) => {
    const identity = identities.get(path);
    if (identity === undefined) return;
    const length = Math.min(HEAD_BYTES, Number(identity.size));
    const head = length === 0 ? Buffer.alloc(0) : await read({ path, identity }, 0, length);
    if (typeof head !== 'string') kinds.add(identity, isProgramHead(Buffer.from(head)));
  });
}

interface Reading {
  readonly prefix: string;
  readonly etagOf: (path: string) => string | null;
}

/** Reads parts of the version that was listed. */
function readerOf(store: Store, { prefix, etagOf }: Reading): Objects['read'] {
  return async ({ path, identity }, at, length): Promise<Part> => {
    const etag = etagOf(path);
    const isWhole = at === 0 && BigInt(length) === identity.size;
    const outcome = await store.ask(
      {
        ...{ doing: `read ${path}`, method: 'GET', key: `${prefix}${path}`, expects: isLost },
        headers: {
          ...(isWhole ? {} : { range: `bytes=${at}-${at + length - 1}` }),
          ...(etag === null ? {} : { 'if-match': `"${etag}"` }),
        },
      },
      async (answer) => ({
        isPart: answer.status === 206,
        etag: answer.headers['etag'],
        bytes: await wholeBody(answer, length),
      }),
    );
    if (outcome.kind === 'refused') return outcome.refusal.status === 404 ? 'gone' : 'changed';
    const { bytes, isPart } = outcome.value;
    // Not every store compares: it says what it gives.
    const isSame = etag === null || outcome.value.etag?.replace(/^"|"$/g, '') === etag;
    return isSame && bytes.length === length && (isWhole || isPart) ? bytes : 'changed';
  };
}

/** Gone, replaced by another, or shorter by now. */
function isLost({ status }: Refusal): boolean {
  return [404, 412, 416].includes(status);
}
