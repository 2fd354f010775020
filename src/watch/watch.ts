import { openCache } from '../release/digest-cache.js';
import { openFileEvents } from './file-events.js';
import { parseDuration } from '../model/settings.js';
import { lintPublished } from '../keys/lint-published.js';
import { readPublished } from '../published/read.js';
import { preflight } from '../release/preflight.js';
import { startScrub } from './scrub.js';
import { stableStates } from './stability.js';
import type { DirectoryState } from './stability.js';
import { makeCycles } from './cycle.js';
import type { Cycle, CycleOptions, Cycles } from './cycle.js';
import { SILENT } from './notices.js';
import type { Notice } from './notices.js';

export interface WatchOptions extends Omit<CycleOptions, 'cache'> {
  /** Looks on a timer instead of waiting for the system's hints. */
  readonly poll: boolean;
  /** Ends once everything that is there has settled and had its turn. */
  readonly once: boolean;
  /** Hears why the system's hints ended and the timer took over. */
  readonly onFallback: (reason: string) => void;
}

export interface WatchEvent extends Omit<Notice, 'event'> {
  readonly event: Notice['event'] | 'ready' | 'stopped';
  readonly at: Date;
  /** `Issued` of the database that is published now. */
  readonly issued: Date | null;
  /** How long the turn took; null where there was none. */
  readonly tookMs: number | null;
}

const DEFAULT_SETTLE_SECONDS = 2;
const RETRY_MS = { shortest: 500, longest: 60_000 } as const;

/**
 * Keeps a directory's database signed (cli contract, `watch`): a turn at once, then one after each change
 * that has settled, and before the database expires. Ends by `signal`, or with `once`. Throws before the
 * first turn what keeps it from ever signing: the codes of `rehearse`, SETTINGS_INVALID.
 */
export async function* watch(
  directory: string,
  options: WatchOptions,
): AsyncGenerator<WatchEvent, void, void> {
  const { run, signers, poll, once, onFallback } = options;
  const { clock, stateFolder, signal } = run;
  const published = readPublished(directory, stateFolder);
  await preflight(published, { signers, now: clock() });
  const certificates = signers.map(({ certificate }) => certificate);
  const lint = { certificates, databaseExpires: null, now: clock() };
  for (const warning of await lintPublished(published, lint)) run.warn(warning);
  const cache = openCache(stateFolder, { rehash: false, remember: true });
  const cycles = makeCycles(directory, { ...options, cache });
  const timing = makeTiming(cycles, clock);
  const events = await openFileEvents(directory, { poll, signal, onFallback });
  const scrubber = startScrub(directory, { ...cycles, cache, run });
  const take = async (state: DirectoryState) => {
    const taken = await cycles.take(state);
    return { ...taken, news: [...taken.news, ...scrubber.news()] };
  };
  try {
    const ofPage = options.page === true ? await pageFileNames() : [];
    const states = stableStates(directory, events, {
      settleMs: (parseDuration(cycles.settings().Settle ?? '') ?? DEFAULT_SETTLE_SECONDS) * 1000,
      exclude: () => cycles.settings().Exclude ?? [],
      nowMs: () => clock().getTime(),
      dueMs: () => Math.min(timing.dueMs(), scrubber.dueMs()),
      kept: () => [...ofPage, ...cycles.companions()],
      isRefused: timing.isRefused,
      once,
    });
    yield* watchCycles(states, { cycles: { take }, timing, clock });
  } finally {
    await scrubber.stop();
    await events.close();
  }
}

/** What is put back when it is lost, besides what is published. */
async function pageFileNames(): Promise<readonly string[]> {
  const { pageFiles } = await import('../page/publish-page.js');
  return pageFiles();
}

/** When a turn is due by itself: before the database expires, and after one that failed. */
export interface Timing {
  readonly dueMs: () => number;
  /** Whether the last turn was refused. */
  readonly isRefused: () => boolean;
  readonly took: (turn: Cycle) => void;
}

export function makeTiming(cycles: Pick<Cycles, 'refreshDate'>, clock: () => Date): Timing {
  let waitMs: number = RETRY_MS.shortest;
  let retryAtMs = Infinity;
  let refreshNotBeforeMs = 0;
  let isRefused = false;
  const refreshMs = () => cycles.refreshDate()?.getTime() ?? Infinity;
  // Nothing is put off for longer than that, also when the clock was set back since.
  const soon = (atMs: number) => (atMs - clock().getTime() > RETRY_MS.longest ? clock().getTime() : atMs);
  return {
    dueMs: () =>
      Math.min(
        retryAtMs === Infinity ? Infinity : soon(retryAtMs),
        Math.max(refreshMs(), soon(refreshNotBeforeMs)),
      ),
    isRefused: () => isRefused,
    took: ({ again }) => {
      const nowMs = clock().getTime();
      isRefused = again === 'later';
      if (again === 'later') waitMs = RETRY_MS.longest;
      retryAtMs = again === 'no' ? Infinity : nowMs + waitMs;
      waitMs = again === 'soon' ? Math.min(waitMs * 2, RETRY_MS.longest) : RETRY_MS.shortest;
      // One that is still due after its turn was refused; that will not be otherwise a moment later.
      refreshNotBeforeMs = refreshMs() <= nowMs ? nowMs + RETRY_MS.longest : 0;
    },
  };
}

export interface CycleLoop {
  readonly cycles: Pick<Cycles, 'take'>;
  readonly timing: Pick<Timing, 'took'>;
  readonly clock: () => Date;
}

/** The loop itself: one turn for each settled state, never two at once, and what there is to say of each. */
export async function* watchCycles(
  settled: AsyncIterable<DirectoryState>,
  { cycles, timing, clock }: CycleLoop,
): AsyncGenerator<WatchEvent, void, void> {
  let known: ReadonlySet<string> = new Set();
  let issued: Date | null = null;
  let isFirst = true;
  for await (const state of settled) {
    const beganMs = clock().getTime();
    const taken = await cycles.take(state);
    timing.took(taken);
    if (state.kind === 'seen') state.ended?.();
    issued = taken.issued;
    const tookMs = clock().getTime() - beganMs;
    // What is wrong and stays wrong is said once, not at every turn.
    const fresh = taken.news.filter((news) => !isTrouble(news) || !known.has(keyOf(news)));
    known = new Set(taken.news.filter(isTrouble).map(keyOf));
    for (const news of fresh) yield { ...news, at: clock(), issued, tookMs };
    if (isFirst) yield bare('ready', { at: clock(), issued });
    isFirst = false;
  }
  yield bare('stopped', { at: clock(), issued });
}

function isTrouble({ event }: Notice): boolean {
  return event === 'held' || event === 'refused' || event === 'error';
}

function keyOf({ event, code, paths, message }: Notice): string {
  return JSON.stringify([event, code, paths.length > 0 ? paths : message]);
}

function bare(event: 'ready' | 'stopped', { at, issued }: { at: Date; issued: Date | null }): WatchEvent {
  return { ...SILENT, event, at, issued, tookMs: null };
}
