import type { Objects } from '../places/objects.js';
import type { ScannedFile } from '../places/scan.js';
import type { ByteCount } from './byte-count.js';
import { startHashing } from './hash.js';
import type { DigestListener, HashOptions, Hashing } from './hash.js';
import { startHashingObjects } from './hash-objects.js';
import type { Needs } from './hash-plan.js';
import type { Threads } from './threads.js';

export interface HashFilesOptions extends HashOptions {
  /** The bucket in which they lie; null if they lie in the directory. */
  readonly objects: Objects | null;
  readonly counted: ByteCount;
  readonly needs: (path: string) => Needs;
  readonly threads: Threads;
}

/** Starts to hash files, wherever they lie. */
export function startHashingFiles(
  files: readonly ScannedFile[],
  { objects, ...options }: HashFilesOptions,
  onDigested: DigestListener,
): Hashing {
  return objects === null
    ? startHashing(files, options, onDigested)
    : startHashingObjects(files, { ...options, ...objects }, onDigested);
}
