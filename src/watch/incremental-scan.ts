// Row `Watch` of 20,000 files: 1.3 times slower without it.
import { isDeepStrictEqual } from 'node:util';
import type { PacksignError } from '../errors.js';
import { orItsError } from '../model/or-null.js';
import { rescan } from '../places/rescan.js';
import { scanDirectory } from '../places/scan.js';
import type { Globs, Scan } from '../places/scan.js';
import type { FileEvents } from './file-events.js';
import { stampDirectory } from './stamps.js';

export interface IncrementalScanOptions {
  readonly globs: () => Globs;
  /** Whether a file is listed by now. */
  readonly isListed: (path: string) => boolean;
  /** Milliseconds since the epoch by the real clock. */
  readonly nowMs: () => number;
}

/** How often we look at everything, whatever the hints say: this finds what they missed. */
export const RESCAN_MS = 60_000;

interface LastScan {
  readonly scan: Scan;
  /** The stamp of the directory. */
  readonly root: string | null;
  readonly globs: Globs;
  /** When the last full scan began. */
  readonly wholeMs: number;
}

/**
 * Scans a directory again and again. If events reported every change since the last scan, it looks only at those paths and
 * at `pending`, which somebody may be writing without events. Returns the error if it cannot read the directory.
 */
export function incrementalScanner(
  directory: string,
  changes: FileEvents,
  { globs, isListed, nowMs }: IncrementalScanOptions,
): (pending: Iterable<string>) => Scan | PacksignError {
  let last: LastScan | null = null;
  return (pending) => {
    const now = globs();
    const reported = changes.arrivals?.takeReported(last?.scan.folders ?? []) ?? null;
    const beganMs = nowMs();
    const root = stampDirectory(directory);
    const part =
      last === null || reported === null || last.root !== root || !isFresh(last, now, beganMs)
        ? null
        : rescan(directory, last.scan, { globs: now, isListed, paths: new Set([...reported, ...pending]) });
    const scan = part ?? orItsError(() => scanDirectory(directory, { globs: now, isListed }));
    if ('code' in scan) {
      last = null;
      return scan;
    }
    last = { scan, root, globs: now, wholeMs: part === null ? beganMs : (last?.wholeMs ?? beganMs) };
    return scan;
  };
}

function isFresh({ globs, wholeMs }: LastScan, now: Globs, nowMs: number): boolean {
  const sinceMs = nowMs - wholeMs;
  return sinceMs >= 0 && sinceMs < RESCAN_MS && isDeepStrictEqual(globs, now);
}
