import type { FileIdentity } from '../disk/identities.js';
import type { Listing } from '../model/listing.js';
import { scanDirectory } from './scan.js';
import type { Scan, ScanOptions, ScannedFile } from './scan.js';

/** A part of one version of an object; or that there is none any more, or another one; or that the store gives nothing. */
export type Part<Bytes extends Uint8Array = Uint8Array> = Bytes | Loss;
export type Loss = 'gone' | 'changed' | 'failed';

/** The files of a directory that lie in a bucket, as they were listed. The directory has packsign's own files alone. */
export interface Objects {
  /** `s3://BUCKET/PREFIX`, as the user wrote it. */
  readonly address: string;
  readonly scan: (options: ScanOptions) => Scan;
  /** All objects of the last list, packsign's own among them. */
  readonly listing: () => Listing;
  /** Made of ETag, size and time; null if there is no such object. */
  readonly identityOf: (path: string) => FileIdentity | null;
  /** Rejects with what the user should know if the store does not answer. */
  readonly read: (file: ScannedFile, at: number, length: number) => Promise<Part>;
  /** The SHA-256 of an object that the store itself has checked; null if it does not say. */
  readonly storedSha256: (file: ScannedFile) => Promise<string | null>;
  /** How many are fetched at once. */
  readonly concurrency: number;
  /** Lists the bucket once more, to be scanned like this. If it rejects, what was listed before stays. */
  readonly listAgain: (options: ScanOptions) => Promise<void>;
}

/** Finds the files to list, wherever they lie. Throws DIRECTORY_UNREADABLE. */
export function scanFiles(
  directory: string,
  { objects }: { readonly objects: Objects | null },
  options: ScanOptions,
): Scan {
  return objects === null ? scanDirectory(directory, options) : objects.scan(options);
}

/** The unlisted files of the directory itself; unknown where a scan found those of a bucket. */
export function unlistedHere(
  { others }: Scan,
  { objects }: { readonly objects: Objects | null },
): Partial<Pick<Scan, 'others'>> {
  return objects === null ? { others } : {};
}
