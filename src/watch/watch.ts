import { lintPublished } from '../keys/lint-published.js';
import { parseDuration } from '../model/settings.js';
import { globsOf } from '../places/scan.js';
import { readPublished } from '../published/read.js';
import { openCache } from '../release/facts-cache.js';
import { preflight } from '../release/preflight.js';
import { bucketStates } from './bucket-states.js';
import { makeCycles } from './cycle.js';
import type { Cycle, CycleOptions, Cycles } from './cycle.js';
import { openFileEvents } from './file-events.js';
import type { FileEventsOptions } from './file-events.js';
import { makeInterruption } from './interruption.js';
import { makeTeller } from './news.js';
import type { News } from './news.js';
import { SILENT } from './notices.js';
import type { Notice } from './notices.js';
import { openForWriting } from './open-files.js';
import { startScrub } from './scrub.js';
import { stableStates } from './stability.js';
import type { DirectoryState } from './stability.js';

export interface WatchOptions extends Omit<CycleOptions, 'cache'>, Omit<FileEventsOptions, 'signal'> {
  /** Ends once all files are stable and a cycle has handled them. */
  readonly once: boolean;
  /** Called when packsign's own files in a bucket change, whoever wrote or removed them. */
  readonly onOwnChanged?: () => void;
}

export interface WatchEvent extends Omit<News, 'event'> {
  readonly event: Notice['event'] | 'ready' | 'stopped';
  readonly at: Date;
  /** `Issued` of the database that is published now. */
  readonly issued: Date | null;
  /** How long the cycle took; null if there was none. */
  readonly tookMs: number | null;
}

const DEFAULT_SETTLE_SECONDS = 2;
/** A store may ask money for each list. */
const DEFAULT_POLL_MS = 60_000;
const RETRY_MS = { shortest: 500, longest: 60_000 } as const;

/**
 * Keeps a directory's database signed (cli contract, `watch`): runs a cycle at once, then one whenever changed files are
 * stable, and before the database expires. Ends by `signal`, with what it does unless it publishes, or with `once`. Before the first cycle it throws what would
 * keep it from ever signing: the codes of `preflight`, SETTINGS_INVALID.
 */
export async function* watch(
  directory: string,
  options: WatchOptions,
): AsyncGenerator<WatchEvent, void, void> {
  const { signal, clock } = options.run;
  let last: WatchEvent | null = null;
  try {
    for await (const event of watchUntilStopped(directory, options)) {
      last = event;
      yield event;
    }
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
    // Before the first cycle, or between two.
    if (last?.event !== 'stopped') yield bare('stopped', { at: clock(), issued: last?.issued ?? null });
  }
}

async function* watchUntilStopped(
  directory: string,
  options: WatchOptions,
): AsyncGenerator<WatchEvent, void, void> {
  const { run, signers, pollMs, once, onFallback } = options;
  const { clock, stateFolder, signal, objects } = run;
  const published = readPublished(directory, stateFolder);
  const { end } = makeInterruption(signal);
  await end(preflight(published, { signers, now: clock() }));
  const certificates = signers.map(({ certificate }) => certificate);
  const lint = { certificates, databaseExpires: null, now: clock() };
  for (const warning of await end(lintPublished(published, lint))) run.warn(warning);
  const cache = openCache(stateFolder, { rehash: false, remember: true });
  const cycles = makeCycles(directory, { ...options, cache });
  const timing = makeTiming(cycles, clock);
  const ofPage = options.page === true ? await pageFileNames() : [];
  const seeing = {
    globs: () => globsOf(cycles.settings()),
    isListed: (path: string) => cycles.files()?.has(path) === true,
    nowMs: () => clock().getTime(),
    kept: () => [...ofPage, ...cycles.companions()],
    isRefused: timing.isRefused,
    once,
  };
  if (objects !== null) {
    const { onOwnChanged = () => undefined } = options;
    const how = { ...seeing, ...timing, signal, onOwnChanged, pollMs: pollMs ?? DEFAULT_POLL_MS };
    yield* watchCycles(bucketStates(directory, objects, how), { cycles, timing, clock });
    return;
  }
  const events = await openFileEvents(directory, { pollMs, signal, onFallback, isOwn: cycles.isOwnChecksum });
  const scrubber = startScrub(directory, { ...cycles, cache, run });
  const take = async (state: DirectoryState) => {
    const taken = await cycles.take(state);
    return taken && { ...taken, news: [...taken.news, ...scrubber.news()] };
  };
  try {
    const states = stableStates(directory, events, {
      ...seeing,
      settleMs: (parseDuration(cycles.settings().Settle ?? '') ?? DEFAULT_SETTLE_SECONDS) * 1000,
      dueMs: () => Math.min(timing.dueMs(), scrubber.dueMs()),
      openFiles: openForWriting,
    });
    yield* watchCycles(states, { cycles: { take }, timing, clock });
  } finally {
    await scrubber.stop();
    await events.close();
  }
}

/** The files of the trust page, which cycles restore too. */
async function pageFileNames(): Promise<readonly string[]> {
  const { pageFiles } = await import('../page/publish-page.js');
  return pageFiles();
}

/** When a cycle is due without a change: before the database expires, and after a cycle that failed. */
export interface Timing {
  readonly dueMs: () => number;
  /** Whether the last cycle was refused. */
  readonly isRefused: () => boolean;
  readonly took: (cycle: Cycle) => void;
}

export function makeTiming(cycles: Pick<Cycles, 'refreshDate'>, clock: () => Date): Timing {
  let waitMs: number = RETRY_MS.shortest;
  let retryAtMs = Infinity;
  let refreshNotBeforeMs = 0;
  let isRefused = false;
  const refreshMs = () => cycles.refreshDate()?.getTime() ?? Infinity;
  let lastRefreshMs = refreshMs();
  // Never waits any longer, even if the clock was set back.
  const soon = (atMs: number) => (atMs - clock().getTime() > RETRY_MS.longest ? clock().getTime() : atMs);
  return {
    dueMs: () => {
      const retryMs = retryAtMs === Infinity ? Infinity : soon(retryAtMs);
      return Math.min(retryMs, Math.max(refreshMs(), soon(refreshNotBeforeMs)));
    },
    isRefused: () => isRefused,
    took: ({ again }) => {
      const nowMs = clock().getTime();
      isRefused = again === 'later';
      if (again === 'later') waitMs = RETRY_MS.longest;
      retryAtMs = again === 'no' ? Infinity : nowMs + waitMs;
      waitMs = again === 'soon' ? Math.min(waitMs * 2, RETRY_MS.longest) : RETRY_MS.shortest;
      // The same date is still due after its cycle, so it was refused, and would be again a moment later.
      const isStillDue = refreshMs() <= nowMs && refreshMs() === lastRefreshMs;
      refreshNotBeforeMs = isStillDue ? nowMs + RETRY_MS.longest : 0;
      lastRefreshMs = refreshMs();
    },
  };
}

export interface CycleLoop {
  readonly cycles: Pick<Cycles, 'take'>;
  readonly timing: Pick<Timing, 'took'>;
  readonly clock: () => Date;
}

/** The loop itself: runs one cycle for each stable state, never two at once, and yields what each has to say. */
export async function* watchCycles(
  states: AsyncIterable<DirectoryState>,
  { cycles, timing, clock }: CycleLoop,
): AsyncGenerator<WatchEvent, void, void> {
  const tell = makeTeller();
  let issued: Date | null = null;
  let isFirst = true;
  for await (const state of states) {
    const beganMs = clock().getTime();
    const taken = await cycles.take(state);
    if (taken === null) break;
    timing.took(taken);
    if (state.kind === 'seen') state.ended?.();
    issued = taken.issued;
    const tookMs = clock().getTime() - beganMs;
    for (const news of tell(taken)) yield { ...news, at: clock(), issued, tookMs };
    if (isFirst) yield bare('ready', { at: clock(), issued });
    isFirst = false;
  }
  yield bare('stopped', { at: clock(), issued });
}

function bare(event: 'ready' | 'stopped', { at, issued }: { at: Date; issued: Date | null }): WatchEvent {
  const { reasons: _, ...silent } = SILENT;
  return { ...silent, event, at, issued, total: 0, tookMs: null };
}
