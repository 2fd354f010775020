import { rootOf } from './file-events.js';
import type { FileEvents } from './file-events.js';
import { rescan, scanDirectory } from '../places/scan.js';
import type { Scan } from '../places/scan.js';
import { PacksignError } from '../errors.js';

export interface IncrementalScanOptions {
  readonly exclude: () => readonly string[];
  /** Milliseconds since the epoch by the real clock. */
  readonly nowMs: () => number;
}

/** How often everything is looked at whatever hints say: lost ones heal here. */
export const RESCAN_MS = 60_000;

interface LastScan {
  readonly scan: Scan;
  /** Which directory that was. */
  readonly root: string | null;
  /** The globs that it went by. */
  readonly exclude: readonly string[];
  /** When everything was looked at last. */
  readonly wholeMs: number;
}

/**
 * Looks at a directory again and again: at all of it, or, as long as every change is known to have been reported, only at
 * what was, and at the paths that are given because something may be writing them unheard. Gives the error that keeps
 * the directory from being looked at.
 */
export function incrementalScanner(
  directory: string,
  changes: FileEvents,
  { exclude, nowMs }: IncrementalScanOptions,
): (pending: Iterable<string>) => Scan | PacksignError {
  let last: LastScan | null = null;
  return (pending) => {
    const globs = exclude();
    const reported = changes.arrivals?.takeReported(last?.scan.folders ?? []) ?? null;
    const beganMs = nowMs();
    const root = rootOf(directory);
    const part =
      last === null || reported === null || last.root !== root || !isFresh(last, globs, beganMs)
        ? null
        : rescan(directory, last.scan, { exclude: globs, paths: new Set([...reported, ...pending]) });
    const scan = part ?? scanWhole(directory, globs);
    if ('code' in scan) {
      last = null;
      return scan;
    }
    last = { scan, root, exclude: globs, wholeMs: part === null ? beganMs : (last?.wholeMs ?? beganMs) };
    return scan;
  };
}

function isFresh({ exclude, wholeMs }: LastScan, globs: readonly string[], nowMs: number): boolean {
  const sinceMs = nowMs - wholeMs;
  return sinceMs >= 0 && sinceMs < RESCAN_MS && exclude.join('\n') === globs.join('\n');
}

function scanWhole(directory: string, exclude: readonly string[]): Scan | PacksignError {
  try {
    return scanDirectory(directory, { exclude });
  } catch (error) {
    if (error instanceof PacksignError) return error;
    throw error;
  }
}
