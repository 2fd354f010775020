import { setTimeout as sleep } from 'node:timers/promises';
import { PacksignError } from '../errors.js';
import { DATABASE_NAME, PUBLISHING_NAME } from '../model/layout.js';
import { DATABASE_LIMITS } from '../places/place.js';
import type { Place } from '../places/place.js';
import { NO_GLOBS } from '../places/scan.js';
import { openBucket } from '../stores/bucket.js';
import type { Bucket, BucketOptions } from '../stores/bucket.js';
import { bucketPlace } from '../stores/bucket-place.js';
import { sha256Of } from '../verify/verify-database.js';
import { STREAMS, compareObjects } from './compare.js';
import type { DirectoryComparison } from './compare.js';
import { verifyAsClaimed } from './disk-database.js';
import type { DiskOptions } from './disk-database.js';
import { openObjectKinds } from './object-kinds.js';
import { listObjects } from './open-objects.js';
import { orError } from './or-error.js';
import { REREADS } from './reread.js';
import type { PlaceVerdict } from './verify-place.js';

export interface InBucketOptions extends DiskOptions, Partial<Pick<BucketOptions, 'environment'>> {
  /** How many objects are read at once; 8 if not given. */
  readonly concurrency?: number;
  readonly files: boolean | null;
}

export interface InBucket {
  readonly answer: PlaceVerdict;
  readonly database: string;
  /** Null if no files were compared. */
  readonly compared: DirectoryComparison | null;
}

/**
 * Verifies what is published in a bucket, as in a directory: its database, and every file that this lists. If nobody
 * names keys, those count that are trusted for the address in the database. Throws USAGE, DESTINATION_FAILED,
 * TRUST_DAMAGED, KEYS_MALFORMED of a file that the user named.
 */
export async function verifyInBucket(target: string, options: InBucketOptions): Promise<InBucket> {
  const { run, environment = {} } = options;
  const bucket = openBucket(target.replace(new RegExp(`/${DATABASE_NAME}$`), ''), { run, environment });
  const place = bucketPlace(bucket);
  try {
    for (let reread = 0; ; reread += 1) {
      const answer = await verifyAsClaimed(place, { ...options, beside: true });
      const { listed } = answer;
      const compared =
        listed === null || options.files === false ? null : await compare(bucket, listed, options);
      const isBad =
        answer.status === 'refused' ||
        compared?.findings.some(({ kind }) => kind === 'altered' || kind === 'missing') === true;
      if (!isBad || reread >= REREADS || !(await isBeingWritten(place, answer))) {
        return { answer, database: place.database, compared };
      }
      await sleep(run.network.backOffMs * 2 ** reread);
    }
  } finally {
    bucket.close();
  }
}

async function compare(
  bucket: Bucket,
  listed: NonNullable<PlaceVerdict['listed']>,
  { run, concurrency = STREAMS }: InBucketOptions,
): Promise<DirectoryComparison> {
  const isListed = (path: string) => listed.Files.has(path);
  const objects = await listObjects(bucket, {
    ...{ directory: '', kinds: openObjectKinds(null), concurrency },
    how: { globs: NO_GLOBS, isListed },
  });
  return await compareObjects(objects, listed, run);
}

/** Whether somebody publishes in the bucket, or did while its files were read. */
async function isBeingWritten(place: Place, { sha256 }: PlaceVerdict): Promise<boolean> {
  const lock = await place.readBeside(PUBLISHING_NAME, DATABASE_LIMITS);
  if (lock.kind === 'found') return true;
  const now = await orError(() => place.readDatabase(DATABASE_LIMITS));
  if (now instanceof PacksignError) return false;
  return (now.kind === 'found' ? sha256Of(now.bytes) : null) !== sha256;
}
