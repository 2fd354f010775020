import { isDeepStrictEqual } from 'node:util';
import { isSameIdentity, nameIdentity } from '../disk/identities.js';
import type { FileIdentity } from '../disk/identities.js';
import { NO_STAMP, stampFiles } from './file-events.js';
import type { Arrivals, FileEvents, Wake } from './file-events.js';
import type { Scan, ScannedFile } from '../places/scan.js';
import type { PacksignError } from '../errors.js';
import type { Warning } from '../model/finding.js';
import { DATABASE_NAME, KEYS_NAME, SETTINGS_NAME } from '../model/layout.js';
import { RESCAN_MS, incrementalScanner } from './incremental-scan.js';

/** The directory at a moment at which it is worth a turn. */
export type DirectoryState =
  | {
      readonly kind: 'seen';
      readonly scan: Scan;
      /** Files that may still be written to: they count neither as new nor as changed yet. */
      readonly unstable: ReadonlySet<string>;
      /** Whether files came, went or changed since the last turn; false where only time has passed. */
      readonly changed: boolean;
      /** To be called when the turn has ended, before anybody hears of it: what changes then is news again. */
      readonly ended?: () => void;
    }
  /** The directory cannot be looked at; waiting goes on. */
  | { readonly kind: 'unreadable'; readonly error: PacksignError };

export interface StabilityOptions {
  /** How long a file must lie still before it counts. */
  readonly settleMs: number;
  readonly exclude: () => readonly string[];
  /** Milliseconds since the epoch by the real clock. */
  readonly nowMs: () => number;
  /** When a turn is due though nothing changes; asked anew before each wait. */
  readonly dueMs: () => number;
  /** Files besides the listed ones that cycles put right, relative to the directory. */
  readonly kept: () => readonly string[];
  /** Whether the last turn was refused: any other file may be what stood in its way. */
  readonly isRefused: () => boolean;
  /** Ends once everything has settled and had its turn. */
  readonly once: boolean;
}

/** How often the few files besides the listed ones that cycles depend on are looked at. */
const GLANCE_MS = 500;
/** While hints keep coming a turn waits for a gap between them, longer the longer turns take. */
const SHORTEST_GAP_MS = 4;
const LONGEST_GAP_MS = 1000;
/** Settled files wait for others that are being written, but not longer than this many settle times. */
const PATIENCE = 3;

/**
 * The directory each time that it has settled: the first time at once, then whenever something changed or
 * is due. The consumer's turn ends before the directory is looked at again, so turns never overlap.
 */
export async function* stableStates(
  directory: string,
  changes: FileEvents,
  options: StabilityOptions,
): AsyncGenerator<DirectoryState, void, void> {
  const sight = trackStability(options, changes.arrivals);
  const going = trackRemovals(options);
  const look = incrementalScanner(directory, changes, options);
  let taken: Beside | null = null;
  for (;;) {
    const beganMs = options.nowMs();
    const settings = stampSettings(directory);
    const scan = look(sight.pending());
    let waitMs: number | null = null;
    let seen: Beside | null = null;
    if ('code' in scan) {
      yield { kind: 'unreadable', error: scan };
    } else {
      // A write that the scan may have seen has been reported by then.
      await changes.arrivals?.catchUp();
      const sighted = sight.see(scan);
      const { ready, changed, unstable } = sighted;
      const beside = besideOf(directory, { settings, scan, options });
      waitMs = going.untilMs(scan, beside, sighted);
      const isDue = beganMs >= options.dueMs();
      if (waitMs === null && (ready || isDue || !isDeepStrictEqual(taken, beside))) {
        const left: Beside[] = [];
        const ended = () => {
          left.push(besideOf(directory, { settings, scan, options }));
        };
        yield { kind: 'seen', scan, unstable, changed, ended };
        sight.taken(scan, unstable);
        changes.arrivals?.forget();
        // What the turn published itself is not news; settings that were changed meanwhile are.
        taken = left[0] ?? besideOf(directory, { settings, scan, options });
        going.taken(taken);
        seen = taken;
      } else {
        seen = beside;
      }
    }
    const gapMs = Math.min(LONGEST_GAP_MS, Math.max(SHORTEST_GAP_MS, options.nowMs() - beganMs));
    const nextMs = 'code' in scan ? null : (waitMs ?? sight.nextMs());
    if (options.once && nextMs === null) return;
    const dueMs = waitMs === null ? options.dueMs() : Infinity;
    const untilMs = Math.min(nextMs ?? Infinity, dueMs, options.nowMs() + RESCAN_MS);
    const isNothingNew = () =>
      (waitMs !== null || options.nowMs() < options.dueMs()) &&
      (seen === null ||
        (stampSettings(directory) === seen.settings &&
          stampPublished(directory) === seen.published &&
          stampFiles(directory, options.kept()) === seen.kept));
    const wake = await rest(changes, { forMs: Math.max(1, untilMs - options.nowMs()), isNothingNew });
    if (wake === 'stop') return;
    if (wake === 'change' && (await quieten(changes, { gapMs, options })) === 'stop') return;
  }
}

/** What a cycle depends on besides the listed files. */
interface Beside {
  readonly settings: string;
  readonly published: string;
  readonly kept: string;
  /** Whether a database and its keys are there. */
  readonly isWhole: boolean;
  /** What keeps a file from being listed at all. */
  readonly warnings: readonly Warning[];
  /** Where a secret key may lie; null while none stands in the way. */
  readonly others: readonly string[] | null;
}

function besideOf(
  directory: string,
  { settings, scan, options }: { settings: string; scan: Scan; options: StabilityOptions },
): Beside {
  const { warnings, others } = scan;
  return {
    settings,
    published: stampPublished(directory),
    kept: stampFiles(directory, options.kept()),
    isWhole: [DATABASE_NAME, KEYS_NAME].every((name) => stampFiles(directory, [name]) !== NO_STAMP),
    warnings,
    others: options.isRefused() ? others : null,
  };
}

/** How many settle times it may take until all that goes has gone. */
const REMOVAL_PATIENCE = 10;

interface Removals {
  /** When to look again, while things are going away; null where none are. */
  readonly untilMs: (scan: Scan, beside: Beside, sighted: Stable) => number | null;
  readonly taken: (beside: Beside) => void;
}

/**
 * Whoever removes files may be about to remove all of them, or to write them anew: what is gone counts once
 * nothing more has gone for a settle time. A directory that lost its database is being made anew: it must
 * lie still altogether, or files that are about to be copied back would be withdrawn.
 */
function trackRemovals({ settleMs, nowMs }: StabilityOptions): Removals {
  let wasWhole = false;
  let known = '';
  let sinceMs = 0;
  let firstMs: number | null = null;
  return {
    untilMs: ({ files }, { isWhole, published }, { gone, appeared }) => {
      const isRemade = wasWhole && !isWhole;
      // A rename takes one name away and gives another: that is no reason to wait.
      if (!isRemade && (gone.length === 0 || appeared)) return (firstMs = null);
      const now = nowMs();
      const seen = [
        published,
        ...(isRemade ? files.map(({ path, identity }) => `${path} ${nameIdentity(identity)}`) : gone),
      ].join('\n');
      if (firstMs === null || firstMs > now) firstMs = now;
      if (firstMs === now || seen !== known || sinceMs > now) sinceMs = now;
      known = seen;
      const untilMs = Math.min(sinceMs + settleMs, firstMs + REMOVAL_PATIENCE * settleMs);
      return untilMs > now ? untilMs : null;
    },
    taken: ({ isWhole }) => {
      wasWhole ||= isWhole;
      firstMs = null;
    },
  };
}

/** Settings are read at the beginning of a turn. */
function stampSettings(directory: string): string {
  return stampFiles(directory, [SETTINGS_NAME]);
}

/** Somebody else may publish, put back or spoil these; turns write them too. */
function stampPublished(directory: string): string {
  return stampFiles(directory, [DATABASE_NAME, KEYS_NAME]);
}

/** Waits for a hint or for the time to pass; also ends where a turn is due by now, or a file besides the listed ones is another. */
async function rest(
  changes: FileEvents,
  { forMs, isNothingNew }: { forMs: number; isNothingNew: () => boolean },
): Promise<Wake> {
  for (let leftMs = forMs; ; leftMs -= GLANCE_MS) {
    const wake = await changes.next(Math.min(leftMs, GLANCE_MS));
    if (wake !== 'timeout' || leftMs <= GLANCE_MS || !isNothingNew()) return wake;
  }
}

/** Waits out a burst: until no hint came for as long as the last turn took, within reason. */
async function quieten(
  changes: FileEvents,
  { gapMs, options }: { gapMs: number; options: StabilityOptions },
): Promise<'quiet' | 'stop'> {
  const endMs = options.nowMs() + 4 * gapMs;
  // The first gaps are short, so that a single file is signed at once, also one that had another name until it was
  // complete; only a burst is waited out.
  for (
    let wait = SHORTEST_GAP_MS;
    isBefore(options.nowMs(), endMs, 4 * gapMs);
    wait = Math.min(2 * wait, gapMs)
  ) {
    const wake = await changes.next(wait);
    if (wake === 'stop') return 'stop';
    if (wake === 'timeout') return 'quiet';
  }
  return 'quiet';
}

/** Whether an end that was set so long ahead is still to come; a clock set back must not put it off. */
function isBefore(nowMs: number, endMs: number, aheadMs: number): boolean {
  return nowMs < endMs && nowMs >= endMs - aheadMs;
}

interface Stability {
  /** Compares a scan with what was seen before. */
  readonly see: (scan: Scan) => Stable;
  /** Files that no turn has taken up as they are. */
  readonly pending: () => Iterable<string>;
  /** A turn has taken up everything but these. */
  readonly taken: (scan: Scan, unstable: ReadonlySet<string>) => void;
  /** When it is worth looking again without a hint; null when everything had its turn. */
  readonly nextMs: () => number | null;
}

interface Stable {
  readonly ready: boolean;
  readonly changed: boolean;
  /** Whether a complete file is there that was not there before. */
  readonly appeared: boolean;
  readonly unstable: ReadonlySet<string>;
  /** Paths that a turn has taken up, and that are no more. */
  readonly gone: readonly string[];
}

/** A file that no turn has taken up as it is now. */
interface Pending {
  readonly identity: FileIdentity;
  /** Since when it has been lying still. */
  readonly sinceMs: number;
  /** Appeared complete, by rename or hard link. */
  readonly whole: boolean;
}

/** Paths that were known and are there no more. */
function goneFrom({ files }: Scan, known: ReadonlyMap<string, FileIdentity>): readonly string[] {
  // Nearly always all are there, which is told by counting.
  if (files.filter(({ path }) => known.has(path)).length === known.size) return [];
  const paths = new Set(files.map(({ path }) => path));
  return Array.from(known.keys()).filter((path) => !paths.has(path));
}

/** Keeps what is known of each file between two scans. */
function trackStability({ settleMs, nowMs }: StabilityOptions, arrivals: Arrivals | undefined): Stability {
  let known = new Map<string, FileIdentity>();
  let pending = new Map<string, Pending>();
  let firstSettledMs: number | null = null;
  let isFirst = true;

  const settlesMs = ({ whole, sinceMs }: Pending) => (whole ? sinceMs : sinceMs + settleMs);
  const unsettledTimes = () => Array.from(pending.values(), settlesMs).filter((time) => time > nowMs());

  const follow = ({ path, identity }: ScannedFile): Pending => {
    const now = nowMs();
    const seen = pending.get(path);
    // A clock that was set back must not make it wait for ever.
    if (seen !== undefined && isSameIdentity(seen.identity, identity) && seen.sinceMs <= now) return seen;
    const before = seen?.identity ?? known.get(path);
    const isNewName = before?.inode !== identity.inode;
    const changedMs = Number(identity.changed / 1_000_000n);
    return {
      identity,
      // What was there before we looked has lain still as long as its times say; of anything later only what
      // we saw ourselves counts, since a file server's clock may be another.
      sinceMs: isFirst ? Math.min(now, changedMs) : now,
      // A write sets both times alike. Where the second is later, what came last was a rename, a link or a
      // change of attributes; under a name that is new here, that is how complete files appear. Where both
      // fell into one tick of the clock, the system's own report tells. Nothing is complete that is empty:
      // somebody set its permissions and is about to write.
      whole:
        isNewName &&
        identity.size > 0n &&
        (identity.changed > identity.modified || arrivals?.isMovedIn(path) === true),
    };
  };

  return {
    pending: () => pending.keys(),
    see: (scan) => {
      const fresh = scan.files.filter(({ path, identity }) => {
        const taken = known.get(path);
        return taken === undefined || !isSameIdentity(taken, identity);
      });
      pending = new Map(fresh.map((file) => [file.path, follow(file)]));
      const gone = goneFrom(scan, known);
      const now = nowMs();
      const unstable = new Set(
        Array.from(pending)
          .filter(([, entry]) => settlesMs(entry) > now)
          .map(([path]) => path),
      );
      const changed = gone.length > 0 || pending.size > unstable.size;
      firstSettledMs = changed ? (firstSettledMs ?? now) : null;
      const appeared = Array.from(pending.values()).some(({ whole }) => whole);
      const isUrgent = gone.length > 0 || appeared;
      const isPatient = unstable.size > 0 && now < (firstSettledMs ?? now) + PATIENCE * settleMs;
      return {
        ready: isFirst || (changed && (isUrgent || !isPatient)),
        changed,
        appeared,
        unstable,
        gone,
      };
    },
    taken: (scan, unstable) => {
      isFirst = false;
      firstSettledMs = null;
      const before = known;
      known = new Map();
      for (const { path, identity } of scan.files) {
        // One that is being rewritten is still the one that a turn took up before, should it go away.
        const taken = unstable.has(path) ? before.get(path) : identity;
        if (taken !== undefined) known.set(path, taken);
      }
      pending = new Map(Array.from(pending).filter(([path]) => unstable.has(path)));
    },
    nextMs: () => {
      const times = unsettledTimes();
      if (firstSettledMs !== null) {
        return Math.min(
          firstSettledMs + PATIENCE * settleMs,
          times.length === 0 ? Infinity : Math.max(...times),
        );
      }
      return times.length === 0 ? null : Math.min(...times);
    },
  };
}
