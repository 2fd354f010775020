import { renameSync } from 'node:fs';
import { systemCode } from '../errors.js';

/** What a rename depends on. */
export interface Renaming {
  readonly platform?: NodeJS.Platform;
  readonly rename?: (from: string, to: string) => void;
  readonly pause?: (ms: number) => void;
}

/** How Windows says that somebody else has the file open. */
const BUSY = ['EACCES', 'EBUSY', 'EPERM'];
const PAUSES_MS = [10, 20, 40, 80, 160, 320];

/** Gives a file the name of another one. Virus scanners and indexers of Windows hold a file for moments: then tries again. */
export function renameOver(
  from: string,
  to: string,
  { platform = process.platform, rename = renameSync, pause = sleep }: Renaming = {},
): void {
  for (const ms of platform === 'win32' ? PAUSES_MS : []) {
    try {
      rename(from, to);
      return;
    } catch (error) {
      if (!BUSY.includes(systemCode(error) ?? '')) throw error;
    }
    pause(ms);
  }
  rename(from, to);
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
