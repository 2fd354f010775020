import { openCache } from '../release/digest-cache.js';
import { openFileEvents } from './file-events.js';
import { parseDuration } from '../model/settings.js';
import { preflight } from '../release/preflight.js';
import { startScrub } from './scrub.js';
import { stableStates } from './stability.js';
import type { DirectoryState } from './stability.js';
import { SILENT, makeCycles } from './cycle.js';
import type { Notice, Cycle, CycleOptions, Cycles } from './cycle.js';

export interface WatchOptions extends Omit<CycleOptions, 'cache'> {
  /** Looks on a timer instead of waiting for the system's hints. */
  readonly poll: boolean;
  /** Ends once everything that is there has settled and had its turn. */
  readonly once: boolean;
  /** Ends the watch after the turn in progress. */
  readonly signal: AbortSignal;
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
  const { clock, stateFolder, signal, poll, once, onFallback } = options;
  await preflight(directory, { signers: options.signers, now: clock() });
  const cache = openCache(stateFolder, { rehash: false, remember: true });
  const turns = makeCycles(directory, { ...options, cache });
  const timing = makeTiming(turns, clock);
  const changes = await openFileEvents(directory, { poll, signal, onFallback });
  const scrubber = startScrub(directory, { ...turns, cache, stateFolder, clock });
  const take = async (state: DirectoryState) => {
    const turn = await turns.take(state);
    return { ...turn, news: [...turn.news, ...scrubber.news()] };
  };
  try {
    const settled = stableStates(directory, changes, {
      settleMs: (parseDuration(turns.settings().Settle ?? '') ?? DEFAULT_SETTLE_SECONDS) * 1000,
      exclude: () => turns.settings().Exclude ?? [],
      nowMs: () => clock().getTime(),
      dueMs: () => Math.min(timing.dueMs(), scrubber.dueMs()),
      kept: options.page === true ? await keptFiles() : [],
      isRefused: timing.isRefused,
      once,
    });
    yield* watchCycles(settled, { turns: { take }, timing, clock });
  } finally {
    await scrubber.stop();
    await changes.close();
  }
}

/** What is put back when it is lost, besides the database. */
async function keptFiles(): Promise<readonly string[]> {
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

export function makeTiming(turns: Pick<Cycles, 'refreshDate'>, clock: () => Date): Timing {
  let waitMs: number = RETRY_MS.shortest;
  let retryAtMs = Infinity;
  let refreshNotBeforeMs = 0;
  let isRefused = false;
  const refreshMs = () => turns.refreshDate()?.getTime() ?? Infinity;
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
  readonly turns: Pick<Cycles, 'take'>;
  readonly timing: Pick<Timing, 'took'>;
  readonly clock: () => Date;
}

/** The loop itself: one turn for each settled state, never two at once, and what there is to say of each. */
export async function* watchCycles(
  settled: AsyncIterable<DirectoryState>,
  { turns, timing, clock }: CycleLoop,
): AsyncGenerator<WatchEvent, void, void> {
  let known: ReadonlySet<string> = new Set();
  let issued: Date | null = null;
  let isFirst = true;
  for await (const state of settled) {
    const beganMs = clock().getTime();
    const turn = await turns.take(state);
    timing.took(turn);
    if (state.kind === 'seen') state.ended?.();
    issued = turn.issued;
    const tookMs = clock().getTime() - beganMs;
    // What is wrong and stays wrong is said once, not at every turn.
    const fresh = turn.news.filter((news) => !isTrouble(news) || !known.has(keyOf(news)));
    known = new Set(turn.news.filter(isTrouble).map(keyOf));
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
