import { isSameIdentity } from '../disk/identities.js';
import type { FileIdentity } from '../disk/identities.js';
import type { Scan, ScannedFile } from '../places/scan.js';
import type { Arrivals } from './arrivals.js';
import { trackOpenFiles } from './open-tracking.js';
import type { OpenTrackingOptions } from './open-tracking.js';

export interface FileStability {
  /** Compares a scan with the scans before. */
  readonly see: (scan: Scan) => Stable;
  /** Files that no cycle has handled as they are now. */
  readonly pending: () => Iterable<string>;
  /** A cycle has handled every file but the unstable ones. */
  readonly taken: (scan: Scan, unstable: ReadonlySet<string>) => void;
  /** When to look again without a hint; null if a cycle has handled every file. */
  readonly nextMs: () => number | null;
}

export interface Stable {
  readonly ready: boolean;
  readonly changed: boolean;
  /** Whether a complete file appeared. */
  readonly appeared: boolean;
  readonly unstable: ReadonlySet<string>;
  /** Those of them that have been open for writing for so long that people should hear of it, sorted. */
  readonly longOpen: readonly string[];
  /** Paths that a cycle has handled, and that no longer exist. */
  readonly gone: readonly string[];
}

export interface FileStabilityOptions extends OpenTrackingOptions {
  /** How long a file must stay unchanged before it counts. */
  readonly settleMs: number;
  readonly arrivals: Arrivals | undefined;
}

/** A file that no cycle has handled as it is now. */
interface Pending {
  readonly identity: FileIdentity;
  /** Since when it has been unchanged. */
  readonly sinceMs: number;
  /** Appeared complete, by rename or hard link. */
  readonly whole: boolean;
}

interface Memory {
  /** The files as cycles handled them. */
  known: ReadonlyMap<string, FileIdentity>;
  pending: ReadonlyMap<string, Pending>;
  /** Since when there is a change that a cycle could handle. */
  firstReadyMs: number | null;
  isFirst: boolean;
}

/** Stable files wait for others that are still being written, so that they are signed together, but only for this part of a settle time. */
const PATIENCE = 1 / 4;
/** Finds out which files of a directory are complete, from one scan to the next. */
export function trackFiles(options: FileStabilityOptions): FileStability {
  const { settleMs, nowMs } = options;
  const memory: Memory = { known: new Map(), pending: new Map(), firstReadyMs: null, isFirst: true };
  const open = trackOpenFiles(options);
  const stableMs = ({ whole, sinceMs }: Pending) => (whole ? sinceMs : sinceMs + settleMs);
  return {
    pending: () => memory.pending.keys(),
    see: (scan) => {
      const fresh = scan.files.filter(({ path, identity }) => {
        const taken = memory.known.get(path);
        return taken === undefined || !isSameIdentity(taken, identity);
      });
      memory.pending = new Map(fresh.map((file) => [file.path, follow(file, memory, options)]));
      const pending = Array.from(memory.pending);
      const gone = goneFrom(scan, memory.known);
      const now = nowMs();
      const unstable = new Set(pending.flatMap(([path, entry]) => (stableMs(entry) > now ? [path] : [])));
      const isPatient = unstable.size > 0 && now < (memory.firstReadyMs ?? now) + PATIENCE * settleMs;
      const settled = fresh.filter(({ path }) => !unstable.has(path));
      open.see(settled, unstable);
      for (const { path } of settled) if (open.isOpen(path)) unstable.add(path);
      const changed = gone.length > 0 || pending.length > unstable.size;
      memory.firstReadyMs = changed ? (memory.firstReadyMs ?? now) : null;
      const appeared = pending.some(([path, { whole }]) => whole && !open.isOpen(path));
      const isUrgent = gone.length > 0 || appeared;
      const ready = memory.isFirst || (changed && (isUrgent || !isPatient));
      return { ready, changed, appeared, unstable, longOpen: open.longOpen(), gone };
    },
    taken: ({ files }, unstable) => {
      const known = new Map<string, FileIdentity>();
      for (const { path, identity } of files) {
        // A file that somebody is rewriting stays known as a cycle handled it, in case it goes away.
        const handled = unstable.has(path) ? memory.known.get(path) : identity;
        if (handled !== undefined) known.set(path, handled);
      }
      const pending = new Map(Array.from(memory.pending).filter(([path]) => unstable.has(path)));
      Object.assign(memory, { known, pending, firstReadyMs: null, isFirst: false } satisfies Memory);
    },
    nextMs: () => {
      // Some may have become stable during a cycle: then look again at once.
      const written = Array.from(memory.pending).filter(([path]) => !open.isOpen(path));
      const times = written.map(([, entry]) => stableMs(entry)).sort((a, b) => a - b);
      const { firstReadyMs } = memory;
      const readyMs =
        firstReadyMs === null
          ? times[0]
          : Math.min(firstReadyMs + PATIENCE * settleMs, times.at(-1) ?? Infinity);
      const nextMs = Math.min(readyMs ?? Infinity, open.nextMs() ?? Infinity);
      return nextMs === Infinity ? null : nextMs;
    },
  };
}

function follow(
  { path, identity }: ScannedFile,
  { known, pending, isFirst }: Memory,
  { nowMs, arrivals }: FileStabilityOptions,
): Pending {
  const now = nowMs();
  const seen = pending.get(path);
  // After the clock was set back, start again: the file must not wait for ever.
  if (seen !== undefined && isSameIdentity(seen.identity, identity) && seen.sinceMs <= now) return seen;
  const isNewName = (seen?.identity ?? known.get(path))?.inode !== identity.inode;
  const changedMs = Number(identity.changed / 1_000_000n);
  // A write sets both times alike. If the second is later, the last thing was a rename, a link or a change of attributes;
  // under a new name, complete files appear that way. If both fall into one tick of the clock, the events tell. An empty
  // file is never complete: somebody set its permissions and is about to write.
  const isMovedIn = identity.changed > identity.modified || arrivals?.isMovedIn(path) === true;
  return {
    identity,
    // We believe the times of files that were there first. Later we count from when we saw the file, since the clock of a
    // file server may differ.
    sinceMs: isFirst ? Math.min(now, changedMs) : now,
    whole: isNewName && identity.size > 0n && isMovedIn,
  };
}

/** Known paths that no longer exist. */
function goneFrom({ files }: Scan, known: ReadonlyMap<string, FileIdentity>): readonly string[] {
  // Usually none, which counting tells without a set.
  if (files.filter(({ path }) => known.has(path)).length === known.size) return [];
  const paths = new Set(files.map(({ path }) => path));
  return Array.from(known.keys()).filter((path) => !paths.has(path));
}
