import type { FileIdentity } from '../disk/identities.js';
import type { FileFacts } from '../model/entry.js';
import type { Listing } from '../model/listing.js';
import type { Merged } from '../model/merged.js';
import type { RemoteWorkers } from './remote-workers.js';
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
  /** Whether an object is a program; null if its name tells. */
  readonly kindOf: (path: string) => boolean | null;
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
  /** What other machines say of them; null if none was asked. */
  readonly told: Told | null;
  /** Workers who read them; null if this machine reads all. */
  readonly workers: RemoteWorkers | null;
}

/** What other machines say of objects, as they are listed. */
export interface Told {
  /** Whether one is a program; null if nobody says so, or somebody something else. */
  readonly kindOf: (path: string) => boolean | null;
  /**
   * What is in one: what an earlier run knows, unless somebody says otherwise; else what is said, if that can be believed: no
   * secret, and no damage. Null if it has to be read.
   */
  readonly find: (path: string, known: FileFacts | null) => FileFacts | null;
  /** Gets what we know once all is read. Throws PART_WRONG if one of them said something else. */
  readonly judge: (read: ReadFiles) => void;
  /** What became of it. */
  readonly merged: () => Merged;
}

/** Files, and what each is; null for one that could not be read. */
export interface ReadFiles {
  readonly files: readonly ScannedFile[];
  readonly facts: readonly (FileFacts | null)[];
  /** Paths of those that were read just now. */
  readonly fresh: ReadonlySet<string>;
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
