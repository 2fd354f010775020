import type { ScannedFile } from '../places/scan.js';

export interface OpenTracking {
  /** Finds out which of these complete files are open: at once if one is new, else now and then. `written`: others. */
  readonly see: (files: readonly ScannedFile[], written: ReadonlySet<string>) => void;
  /** Whether a file was open when we last asked. */
  readonly isOpen: (path: string) => boolean;
  /** Files that have been open for so long that people should hear of it, sorted. */
  readonly longOpen: () => readonly string[];
  /** When to ask again; null if nothing is open, or nothing is waited for. */
  readonly nextMs: () => number | null;
}

export interface OpenTrackingOptions {
  /** Milliseconds since the epoch by the real clock. */
  readonly nowMs: () => number;
  /** Which of some files a program has open for writing. */
  readonly openFiles: (files: readonly ScannedFile[]) => ReadonlySet<string>;
  /** Waits for no file that stays open. */
  readonly once: boolean;
}

/** How often we ask whether a file is still open. */
const OPEN_MS = 1000;
/** Asking may take one part in so many of the time. */
const LEISURE = 20;
/** People hear of a file that has been open for so long. */
const LONG_OPEN_MS = 60_000;

/** Remembers which files look complete while a program has them open for writing, and since when. */
export function trackOpenFiles({ nowMs, openFiles, once }: OpenTrackingOptions): OpenTracking {
  let paths: ReadonlySet<string> = new Set();
  let since: ReadonlyMap<string, number> = new Map();
  let askedMs = -Infinity;
  let againMs = -Infinity;
  return {
    see: (files, written) => {
      const now = nowMs();
      const isFresh = now >= askedMs && now < againMs && files.every(({ path }) => paths.has(path));
      if (isFresh) paths = new Set(files.map(({ path }) => path));
      else {
        paths = openFiles(files);
        askedMs = now;
        againMs = now + Math.max(OPEN_MS, LEISURE * (nowMs() - now));
      }
      // A log is written now and then: it has been open all the time.
      const before = Array.from(since).filter(([path]) => paths.has(path) || written.has(path));
      since = new Map([...Array.from(paths, (path) => [path, now] as const), ...before]);
    },
    isOpen: (path) => paths.has(path),
    longOpen: () => {
      const untilMs = nowMs() - LONG_OPEN_MS;
      const long = Array.from(since).flatMap(([path, sinceMs]) => (sinceMs <= untilMs ? [path] : []));
      return (once ? Array.from(paths) : long).sort();
    },
    nextMs: () => (paths.size === 0 || once ? null : againMs),
  };
}
