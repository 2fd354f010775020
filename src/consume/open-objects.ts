import type { Listing } from '../model/listing.js';
import type { QueueAddress } from '../model/queue-address.js';
import type { Settings } from '../model/settings.js';
import type { DoubleCheck, DoubleChecked } from '../places/remote-workers.js';
import type { Objects, Told } from '../places/objects.js';
import { isProgramHead } from '../places/program.js';
import { globsOf, scanObjects } from '../places/scan.js';
import type { ListedObjects, ScanOptions, ScannedFile } from '../places/scan.js';
import { openBucket } from '../stores/bucket.js';
import type { Bucket, BucketOptions } from '../stores/bucket.js';
import { identityOfObject, listKeys } from '../stores/list.js';
import { partsOf } from '../stores/part.js';
import { storedHashes } from '../stores/stored-hash.js';
import { openQueue } from '../workers/queue.js';
import { noteBucket } from './bucket-note.js';
import { openObjectKinds } from './object-kinds.js';
import type { ObjectKinds } from './object-kinds.js';
import { inParallel } from './parallel.js';

export type { DoubleChecked, Objects };

export interface ObjectsOptions extends BucketOptions {
  /** The directory that has packsign's own files; null if there is none. */
  readonly directory: string | null;
  readonly settings: Settings;
  /** How many objects are read at once. */
  readonly concurrency: number;
  /** Whether a hint may be written at the end. */
  readonly remember: boolean;
  /** Whether an object is to be listed; all are if not given. */
  readonly isWanted?: (path: string) => boolean;
  readonly hear?: Hear;
  /** Where workers look for something to read; this machine reads all if there is none. */
  readonly queue?: QueueOptions | null;
}

export interface QueueOptions {
  readonly address: QueueAddress;
  /** What to read again here; null for nothing. */
  readonly doubleCheck: DoubleCheck | null;
}

/** Gives what other machines say of the objects that are listed. */
export type Hear = (listing: Listing, here: Pick<ObjectsOptions, 'settings' | 'run'>) => Told;

/**
 * Lists the files of a bucket, to be built upon like those of a directory: an object is known again by ETag, size and
 * time, and every part of it is asked for by its ETag. Throws USAGE, DESTINATION_FAILED.
 */
export async function openObjects(
  address: string,
  options: ObjectsOptions,
): Promise<Objects & { readonly close: () => Promise<void> }> {
  const { directory, settings, remember, run, hear, queue = null } = options;
  const bucket = openBucket(address, options);
  let workers: Awaited<ReturnType<typeof openQueue>> | null = null;
  try {
    workers = queue === null ? null : await openQueue(queue.address, run);
    const asked = workers;
    const kinds = openObjectKinds(directory === null ? null : run.stateFolder);
    const how = { globs: globsOf(settings) };
    let isBelieved = true;
    const objects = await listObjects(bucket, {
      ...options,
      ...{ kinds, how },
      hear: (listing) => hear?.(listing, { settings, run }) ?? null,
    });
    const { told } = objects;
    const judge: Told['judge'] = (known) => {
      isBelieved = false;
      told?.judge(known);
      isBelieved = true;
    };
    const close = async () => {
      bucket.close();
      await asked?.close({ forget: remember });
      // Nothing stays of what somebody said who cannot be believed.
      if (!remember || !isBelieved) return;
      kinds.save();
      noteBucket(run.stateFolder, address);
    };
    return {
      ...{ ...objects, close },
      told: told === null ? null : { ...told, judge },
      workers: asked === null || queue === null ? null : { ...asked, doubleCheck: queue.doubleCheck },
    };
  } catch (error) {
    bucket.close();
    await workers?.close({ forget: false });
    throw error;
  }
}

export interface ListingOptions extends Pick<ObjectsOptions, 'directory' | 'concurrency' | 'isWanted'> {
  readonly kinds: ObjectKinds;
  /** How they are going to be scanned. */
  readonly how: ScanOptions;
  readonly hear?: (listing: Listing) => Told | null;
}

/** Lists the files of a bucket that is open. Throws DESTINATION_FAILED. */
export async function listObjects(bucket: Bucket, options: ListingOptions): Promise<Objects> {
  const { directory, concurrency, how } = options;
  let now = await listNow(bucket, options, how);
  return {
    ...{ address: bucket.address, concurrency },
    told: now.told,
    workers: null,
    kindOf: (path) => now.kindOf(path),
    identityOf: (path) => now.objects.get(path) ?? null,
    read: async (file, at, length) => await now.read(file, at, length),
    storedSha256: async (file) => await now.storedSha256(file),
    scan: (as) => scanObjects(directory, now, as),
    listing: () => now.listing,
    listAgain: async (as) => {
      now = await listNow(bucket, options, as);
    },
  };
}

interface Listed extends ListedObjects {
  readonly listing: Listing;
  readonly read: Objects['read'];
  readonly storedSha256: Objects['storedSha256'];
  readonly kindOf: Objects['kindOf'];
  readonly told: Told | null;
}

async function listNow(
  bucket: Bucket,
  { directory, kinds, concurrency, isWanted = () => true, hear = () => null }: ListingOptions,
  how: ScanOptions,
): Promise<Listed> {
  const listed = await listKeys(bucket.store, bucket.prefix);
  const listing = new Map(Array.from(listed).filter(([path]) => isWanted(path)));
  const told = hear(listing);
  const objects = new Map(Array.from(listing, ([path, stored]) => [path, identityOfObject(stored)]));
  const kindOf = (path: string) => {
    const identity = objects.get(path);
    return identity === undefined ? null : kinds.find(identity);
  };
  const read = partsOf(bucket, listing);
  const unknown: string[] = [];
  const isProgram = (path: string) => {
    const known = kindOf(path);
    const heard = known ?? told?.kindOf(path) ?? null;
    const identity = objects.get(path);
    if (heard === null) unknown.push(path);
    else if (known === null && identity !== undefined) kinds.add(identity, heard);
    return heard === true;
  };
  scanObjects(directory, { objects, isProgram }, how);
  await inParallel(unknown, concurrency, async (path) => {
    const identity = objects.get(path);
    if (identity === undefined) return;
    const head = await headOf({ path, identity }, read);
    if (head !== null) kinds.add(identity, isProgramHead(head));
  });
  return {
    ...{ listing, objects, read, kindOf, told },
    storedSha256: storedHashes(bucket, listing),
    isProgram: (path) => kindOf(path) === true,
  };
}

/** As much of an object as tells whether it is a program. */
const HEAD_BYTES = 4096;

async function headOf(file: ScannedFile, read: Objects['read']): Promise<Buffer | null> {
  const length = Math.min(HEAD_BYTES, Number(file.identity.size));
  const head = length === 0 ? Buffer.of() : await read(file, 0, length);
  return typeof head === 'string' ? null : Buffer.from(head);
}
