import { setImmediate } from 'node:timers/promises';

/**
 * Tells files that were moved in from those that a program writes in place: the system reports a name that appears, and
 * separately each write under it. We believe only what it reports: a program may still be writing a file that no event
 * named.
 */
export interface Arrivals {
  /** Waits for the events that the system has already queued. */
  readonly catchUp: () => Promise<void>;
  /** Whether the name appeared, and no event reported a write under it. */
  readonly isMovedIn: (path: string) => boolean;
  readonly forget: () => void;
  /**
   * The paths of all changes in these folders since the last call; null if there may have been others. Folders are
   * relative to the directory, which is ''.
   */
  readonly takeReported: (folders: readonly string[]) => ReadonlySet<string> | null;
}

/** The side that gets the events. */
export interface Heard extends Arrivals {
  readonly hear: (event: string, path: string) => void;
  /** Counts an event of any kind: the system queues only so many, and drops the rest silently. */
  readonly count: () => void;
  /** Whether so many events came that their names no longer matter: the next look is a full one. */
  readonly isFlooded: () => boolean;
  /** Notes that something may have changed which no event named. */
  readonly doubt: () => void;
}

/** After so many events the system may have dropped some, and a write among them. */
const FLOOD = 4096;
/** With more paths than this, a full scan is as fast. */
const MOST_REPORTED = 1024;

export function makeArrivals(isListening: (folders: readonly string[]) => boolean): Heard {
  const movedIn = new Map<string, boolean>();
  let count = 0;
  let reported = new Set<string>();
  let counted = 0;
  let isDoubtful = true;
  return {
    hear: (event, path) => {
      // The system calls appearing, disappearing and moving a rename, and everything else a change.
      movedIn.set(path, event === 'rename' && movedIn.get(path) !== false);
      reported.add(path);
    },
    count: () => {
      count += 1;
      counted += 1;
    },
    isFlooded: () => count >= FLOOD && counted >= FLOOD,
    doubt: () => {
      isDoubtful = true;
    },
    catchUp: async () => {
      // The system queues an event before the write returns; between two of these, Node takes all that is queued.
      await setImmediate();
      await setImmediate();
    },
    isMovedIn: (path) => count < FLOOD && movedIn.get(path) === true,
    forget: () => {
      movedIn.clear();
      count = 0;
    },
    takeReported: (folders) => {
      const isAll = isListening(folders) && !isDoubtful && counted < FLOOD && reported.size < MOST_REPORTED;
      const taken = isAll ? reported : null;
      reported = new Set();
      counted = 0;
      isDoubtful = false;
      return taken;
    },
  };
}
