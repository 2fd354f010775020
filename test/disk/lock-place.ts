import type { LockPlace } from '../../src/disk/lock.js';

/** A folder with the lock, for takers that do not wait unless told. */
export function lockPlace(stateFolder: string, more: Partial<LockPlace> = {}): LockPlace {
  return { stateFolder, waitMs: 0, signal: new AbortController().signal, ...more };
}
