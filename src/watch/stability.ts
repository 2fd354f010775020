import { isDeepStrictEqual } from 'node:util';
import type { PacksignError } from '../errors.js';
import { showName } from '../model/coverage.js';
import type { Warning } from '../model/finding.js';
import { DATABASE_NAME, KEYS_NAME, SETTINGS_NAME } from '../model/layout.js';
import type { Scan } from '../places/scan.js';
import type { Wake } from './bell.js';
import type { FileEvents } from './file-events.js';
import { trackFiles } from './file-stability.js';
import type { FileStabilityOptions, Stable } from './file-stability.js';
import { RESCAN_MS, incrementalScanner } from './incremental-scan.js';
import type { IncrementalScanOptions } from './incremental-scan.js';
import { trackRemovals } from './removals.js';
import { NO_STAMP, stampFiles } from './stamps.js';

/** The directory at a moment that is worth a cycle. */
export type DirectoryState =
  | {
      readonly kind: 'seen';
      readonly scan: Scan;
      /** Files that somebody may still be writing: they count neither as new nor as changed yet. */
      readonly unstable: ReadonlySet<string>;
      /** Those of them that a program has had open for writing for a while. */
      readonly longOpen: readonly string[];
      /** Whether files came, went or changed since the last cycle; false if only time has passed. */
      readonly changed: boolean;
      /** To be called when the cycle ends, before anybody hears of it: later changes need another cycle. */
      readonly ended?: () => void;
    }
  /** We cannot read the directory, and go on waiting. */
  | { readonly kind: 'unreadable'; readonly error: PacksignError };

export interface StabilityOptions extends Omit<FileStabilityOptions, 'arrivals'>, IncrementalScanOptions {
  /** When a cycle is due without a change; asked again before each wait. */
  readonly dueMs: () => number;
  /** Files besides the listed ones that cycles restore, relative to the directory. */
  readonly kept: () => readonly string[];
  /** Whether the last cycle was refused: any other file may have been the reason. */
  readonly isRefused: () => boolean;
}

/** How often we check the few other files that cycles depend on. */
export const GLANCE_MS = 500;
/** While hints keep coming a cycle waits for a gap between them, longer if cycles take longer. */
const SHORTEST_GAP_MS = 1;
const LONGEST_GAP_MS = 1000;

/**
 * Yields the directory whenever it is stable: once at the start, then after each change and when a cycle is due. The
 * consumer's cycle ends before we look at the directory again, so cycles never overlap.
 */
export async function* stableStates(
  directory: string,
  changes: FileEvents,
  options: StabilityOptions,
): AsyncGenerator<DirectoryState, void, void> {
  const files = trackFiles({ ...options, arrivals: changes.arrivals });
  const removals = trackRemovals(options);
  const scanAgain = incrementalScanner(directory, changes, options);
  let taken: Beside | null = null;
  let isSecond = false;
  for (;;) {
    const beganMs = options.nowMs();
    const settings = stampFiles(directory, [SETTINGS_NAME]);
    const scan = scanAgain(files.pending());
    let waitMs: number | null = null;
    let seen: Beside | null = null;
    if ('code' in scan) {
      yield { kind: 'unreadable', error: scan };
    } else {
      // Lets the events of all writes that the scan may have seen arrive.
      await changes.arrivals?.catchUp();
      const stable = files.see(scan);
      const { ready, changed, unstable, longOpen } = stable;
      // A cycle reads the settings at its start; later changes need another cycle.
      const look = () => ({ ...besideOf(directory, scan, options), settings, longOpen });
      seen = look();
      waitMs = removals.untilMs(scan, seen, stable);
      const isDue = beganMs >= options.dueMs();
      if (waitMs === null && (ready || isDue || !isDeepStrictEqual(taken, seen))) {
        const left: Beside[] = [];
        const ended = () => {
          left.push(look());
        };
        yield { kind: 'seen', scan, unstable, longOpen, changed, ended };
        files.taken(scan, unstable);
        changes.arrivals?.forget();
        // What the cycle published itself needs no other cycle. But somebody may have changed it while a cycle was
        // refused because of it, which one more will see.
        const after = left[0] ?? look();
        isSecond = !isSecond && options.isRefused() && seen.published !== after.published;
        taken = isSecond ? { ...after, published: seen.published } : after;
        removals.taken(taken);
        seen = taken;
      }
    }
    const gapMs = Math.min(LONGEST_GAP_MS, Math.max(SHORTEST_GAP_MS, options.nowMs() - beganMs));
    const nextMs = 'code' in scan ? null : (waitMs ?? files.nextMs());
    if (options.once && nextMs === null) return;
    const dueMs = waitMs === null ? options.dueMs() : Infinity;
    const untilMs = Math.min(nextMs ?? Infinity, dueMs, options.nowMs() + RESCAN_MS);
    const isNothingNew = () =>
      (waitMs !== null || options.nowMs() < options.dueMs()) &&
      (seen === null || isDeepStrictEqual({ ...seen, ...stampsOf(directory, options) }, seen));
    const wake = await rest(changes, { forMs: Math.max(1, untilMs - options.nowMs()), isNothingNew });
    if (wake === 'stop') return;
    if (wake === 'change' && (await quieten(changes, { gapMs, options })) === 'stop') return;
  }
}

/** Stamps of the files besides the listed ones that a cycle depends on. */
interface Stamps {
  readonly settings: string;
  /** Others may replace, restore or damage these; cycles write them too. */
  readonly published: string;
  readonly kept: string;
}

function stampsOf(directory: string, { kept }: Pick<StabilityOptions, 'kept'>): Stamps {
  return {
    settings: stampFiles(directory, [SETTINGS_NAME]),
    published: stampFiles(directory, [DATABASE_NAME, KEYS_NAME]),
    kept: stampFiles(directory, kept()),
  };
}

/** Everything besides the listed files that a cycle depends on. */
interface Beside extends Stamps, Pick<Stable, 'longOpen'> {
  /** Whether the database and its keys are both there. */
  readonly isWhole: boolean;
  /** Why some files cannot be listed. */
  readonly warnings: readonly Warning[];
  /** Files that may hold a secret; null unless the last cycle was refused. */
  readonly others: readonly string[] | null;
}

export function besideOf(
  directory: string,
  { warnings, others, misnamed }: Scan,
  options: Pick<StabilityOptions, 'kept' | 'isRefused'>,
): Omit<Beside, 'longOpen'> {
  const stamps = stampsOf(directory, options);
  const isWhole = !stamps.published.split(' ').includes(NO_STAMP);
  return {
    ...stamps,
    isWhole,
    warnings,
    others: options.isRefused() ? [...others, ...misnamed.map(showName)] : null,
  };
}

/** Waits for a hint or until the time is over; ends earlier if a cycle is due, or another file that cycles depend on changed. */
async function rest(
  changes: FileEvents,
  { forMs, isNothingNew }: { forMs: number; isNothingNew: () => boolean },
): Promise<Wake> {
  for (let leftMs = forMs; ; leftMs -= GLANCE_MS) {
    const wake = await changes.next(Math.min(leftMs, GLANCE_MS));
    if (wake !== 'timeout' || leftMs <= GLANCE_MS || !isNothingNew()) return wake;
  }
}

/** Waits until no hint comes for as long as the last cycle took, within limits. */
async function quieten(
  changes: FileEvents,
  { gapMs, options }: { gapMs: number; options: StabilityOptions },
): Promise<'quiet' | 'stop'> {
  const aheadMs = 4 * gapMs;
  const endMs = options.nowMs() + aheadMs;
  // False as well if the clock was set back, which must not put off the end.
  const isBeforeEnd = () => options.nowMs() < endMs && options.nowMs() >= endMs - aheadMs;
  // The first gaps are short, so that a single file is signed at once, also one that was renamed when it was complete.
  // Only a burst takes longer.
  for (let wait = SHORTEST_GAP_MS; isBeforeEnd(); wait = Math.min(2 * wait, gapMs)) {
    const wake = await changes.next(wait);
    if (wake === 'stop') return 'stop';
    if (wake === 'timeout') return 'quiet';
  }
  return 'quiet';
}
