import { lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { Readable } from 'node:stream';
import type { ChokidarOptions, FSWatcher } from 'chokidar';
import { reasonOf, systemCode } from '../errors.js';
import { SIGNATURES_FOLDER, STATE_FOLDER, WRITTEN_NAMES } from '../model/layout.js';
import { identityBehind, nameIdentity } from '../disk/identities.js';

/** What waiting for a change came to. */
export type Wake = 'change' | 'timeout' | 'stop';

/**
 * Hints that something in a directory may have changed. Hints may be lost or too many: they only say when
 * to look, and a scan says what is there.
 */
export interface FileEvents {
  /** Waits for the first hint since the last call, or for the time to pass. */
  readonly next: (timeoutMs: number) => Promise<Wake>;
  /** What was heard of names that appeared; nothing where there are no hints. */
  readonly arrivals?: Arrivals;
  readonly close: () => Promise<void>;
}

/**
 * Tells files that were moved in from those that are written in place: the system reports a name that
 * appears, and separately each write under it. Only what it says counts, never what it leaves out: a file
 * of which nothing was heard may still be being written.
 */
export interface Arrivals {
  /** Lets hints that are already on their way come in. */
  readonly catchUp: () => Promise<void>;
  /** Whether the name appeared, and no write under it was reported. */
  readonly isMovedIn: (path: string) => boolean;
  readonly forget: () => void;
  /**
   * The paths of all changes in these folders since it was last asked; null where there may have been others. Folders
   * are relative to the directory, which is ''.
   */
  readonly takeReported: (folders: readonly string[]) => ReadonlySet<string> | null;
}

export interface FileEventsOptions {
  /** Looks on a timer only: for network file systems, which give no hints. */
  readonly poll: boolean;
  readonly signal: AbortSignal;
  /** Hears once why hints ended and the timer took over. */
  readonly onFallback: (reason: string) => void;
}

/** How often the directory itself is looked at: whether it was removed, made anew or swapped. */
const ROOT_CHECK_MS = 500;
const POLL_MS = 1000;
/** From here on hints may have been lost, and a write with them. */
const FLOOD = 4096;
/** Of so many paths all can be looked at as well. */
const MOST_REPORTED = 1024;
/** Elsewhere the system may tell of a folder what happened to a file in it. */
const NAMES_ALL = process.platform === 'linux';
/** A new folder is watched a moment after its hint: what came into it between the two is looked for again. */
const ECHO_MS = 250;
/** The watch is put on a folder within moments after its folders were read. */
const WATCHED_MS = 50;
/** How long a folder that appeared may go unwatched until all are watched anew; longer each time that it does not help. */
const NOTICED_MS = { shortest: 400, longest: 60_000 } as const;

const OWN_NAMES = new Set([...WRITTEN_NAMES, STATE_FOLDER, SIGNATURES_FOLDER]);

export async function openFileEvents(directory: string, options: FileEventsOptions): Promise<FileEvents> {
  const bell = makeBell(options.signal);
  const state: State = {
    directory,
    options,
    bell,
    watcher: null,
    root: null,
    polling: options.poll,
    closed: false,
    timers: new Set(),
    expected: new Map(),
    rewatching: Promise.resolve(),
    heard: makeArrivals((folders) => isListening(state, folders)),
    isReady: false,
    isWatched: () => false,
    noticedMs: NOTICED_MS.shortest,
  };
  rewatchNext(state);
  await state.rewatching;
  const timer = setInterval(() => checkRoot(state), ROOT_CHECK_MS);
  return {
    next: (timeoutMs) => {
      if (state.polling && state.timers.size === 0) ringLater(state, POLL_MS);
      return bell.wait(timeoutMs);
    },
    arrivals: state.heard,
    close: async () => {
      state.closed = true;
      clearInterval(timer);
      for (const pending of [...state.timers, ...state.expected.values()]) clearTimeout(pending);
      await state.rewatching;
      await state.watcher?.close();
    },
  };
}

interface State {
  readonly directory: string;
  readonly options: FileEventsOptions;
  readonly bell: Bell;
  watcher: FSWatcher | null;
  /** Which directory is being watched; null while there is none. */
  root: string | null;
  polling: boolean;
  closed: boolean;
  readonly timers: Set<NodeJS.Timeout>;
  /** Folders that appeared and have not been noticed as new ones yet; relative to the directory. */
  readonly expected: Map<string, NodeJS.Timeout>;
  /** One watcher is opened at a time, or one of two would never be closed. */
  rewatching: Promise<void>;
  readonly heard: Heard;
  /** Whether the folders that there were when the watcher was opened are watched. */
  isReady: boolean;
  isWatched: FolderWatcher['isWatched'];
  /** How long a folder may go unwatched until all are watched anew. */
  noticedMs: number;
}

/** Whether all changes in these folders are reported by their names. */
function isListening(state: State, folders: readonly string[]): boolean {
  if (!NAMES_ALL || !state.isReady) return false;
  const unwatched = folders.filter(
    (folder) => !isOwn(state.directory, join(state.directory, folder)) && !state.isWatched(folder),
  );
  // One came, or took the place of another, in a moment in which nobody was listening.
  for (const folder of unwatched) expectFolder(state, folder);
  if (unwatched.length > 0 || state.expected.size > 0) return false;
  state.noticedMs = NOTICED_MS.shortest;
  return true;
}

function ringLater(state: State, afterMs: number): void {
  const timer = setTimeout(() => {
    state.timers.delete(timer);
    state.heard.doubt();
    state.bell.ring();
  }, afterMs);
  state.timers.add(timer);
}

// A watcher follows what it was opened on: after a removal or a swap by rename it would be deaf for ever.
function checkRoot(state: State): void {
  if (rootOf(state.directory) === state.root) return;
  state.bell.ring();
  rewatchNext(state);
}

function rewatchNext(state: State): void {
  // At once, so that the next look does not ask for the same again.
  state.root = rootOf(state.directory);
  state.isReady = false;
  state.rewatching = state.rewatching
    .then(() => rewatch(state))
    .catch((error: unknown) => fallBack(state, error));
}

async function rewatch(state: State): Promise<void> {
  const old = state.watcher;
  state.watcher = null;
  await old?.close();
  if (state.root === null || state.polling || state.closed) return;
  // Of a link it would watch what surrounds it; where a link leads to is looked up with the root.
  const directory = realpathSync(state.directory);
  const options: ChokidarOptions = {
    ignoreInitial: true,
    followSymlinks: false,
    ignored: (path, stats) => stats?.isFile() === true || isOwn(directory, path),
  };
  const { watcher, doubt, lose, isWatched } = await watchFolders(directory, options, () => {
    // What came into it before.
    state.heard.doubt();
    state.bell.ring();
  });
  state.watcher = watcher;
  state.isWatched = isWatched;
  watcher.on('raw', (event: string, base: unknown, details: unknown) => {
    const path = pathOf(base, details);
    state.heard.count();
    if (path !== null && isOwn(directory, path)) return;
    // What happens to a watched folder itself is reported under its own name, as if that were in it.
    const isOfFolder = path !== null && basename(path) === basename(dirname(path));
    if (path === null || isOfFolder) state.heard.doubt();
    if (isOfFolder && event === 'rename') lose(dirname(path));
    const name = path === null ? null : nameIn(directory, path);
    if (name !== null) state.heard.hear(event, name);
    state.bell.ring();
    if (event !== 'rename' && path !== null) return;
    const kind = path === null ? 'gone' : kindOf(path);
    if (kind !== 'file') doubt(path);
    if (kind === 'folder' && name !== null) expectFolder(state, name);
  });
  watcher.on('addDir', () => {
    state.heard.doubt();
    state.bell.ring();
    ringLater(state, ECHO_MS);
  });
  watcher.on('unlinkDir', () => {
    state.heard.doubt();
    state.bell.ring();
  });
  watcher.on('error', (error) => {
    state.heard.doubt();
    fallBack(state, error);
  });
  await new Promise<void>((resolve) => {
    watcher.once('ready', resolve);
    watcher.once('error', () => resolve());
  });
  // What came between the last look and the watch being in place; a write may have gone unheard meanwhile.
  state.heard.forget();
  state.heard.doubt();
  // Unless it was swapped once more meanwhile.
  state.isReady = rootOf(state.directory) === state.root;
  state.bell.ring();
}

interface FolderWatcher {
  readonly watcher: FSWatcher;
  /** Called within the event that tells it: here a folder came or may have gone; null for anywhere. */
  readonly doubt: (path: string | null) => void;
  /** A watched folder itself was moved or removed: what has its name from now on is another, watched or not. */
  readonly lose: (path: string) => void;
  /** Whether a folder, relative to the directory, is watched and still the one that it was then. */
  readonly isWatched: (folder: string) => boolean;
}

/**
 * Only folders are watched: a watch for each file costs a second and 100 MB at 20,000 of them, and the folder's own
 * watch tells of its files all the same, as `raw` events. Nor is it shown any file, or made to read the folder anew: it
 * would do so, and ask for the status of every file, whenever one changes, which takes longer than signing.
 */
async function watchFolders(
  directory: string,
  options: ChokidarOptions,
  onWatched: () => void,
): Promise<FolderWatcher> {
  const { FSWatcher: Watcher } = await import('chokidar');
  const read = new Map<string, readonly FolderEntry[]>();
  /** Which folder a watch was put on, by its path. */
  const watched = new Map<string, string>();
  // The watcher keeps a watch for each path, and may take one that is there for that of the folder which is there now.
  const lost = new Set<string>();
  // What follows from an event is doubted before the stream is read.
  async function* foldersOf(root: string): AsyncGenerator<FolderEntry> {
    const folder = resolve(root);
    // As it is before the watch: one that takes its place meanwhile is another.
    const mark = rootOf(folder);
    await Promise.resolve();
    const entries = read.get(folder) ?? foldersIn(folder);
    if (entries === null || mark === null) return;
    read.set(folder, entries);
    yield* entries;
    if (watched.has(folder)) return;
    setTimeout(() => {
      watched.set(folder, mark);
      onWatched();
    }, WATCHED_MS).unref();
  }
  const isKnownFolder = (path: string) =>
    read.get(resolve(dirname(path)))?.some(({ basename: name }) => name === basename(path)) === true;
  class OnlyFolders extends Watcher {
    override _readdirp(root: string): FolderStream {
      const folders: unknown = Readable.from(foldersOf(root));
      return folders as FolderStream;
    }
  }
  const watcher = new OnlyFolders(options).add(directory);
  watcher.on('unlinkDir', (path) => watched.delete(resolve(path)));
  return {
    watcher,
    isWatched: (folder) => {
      const path = resolve(directory, folder);
      const mark = watched.get(path);
      return mark !== undefined && mark === rootOf(path) && !lost.has(path);
    },
    lose: (path) => lost.add(resolve(path)),
    doubt: (path) => {
      if (path === null) read.clear();
      // Reading a folder of many files anew, because one of them had another name, takes longer than signing.
      else if (kindOf(path) === 'folder' || isKnownFolder(path)) read.delete(resolve(dirname(path)));
    },
  };
}

/** Folders as chokidar reads them. */
type FolderStream = NonNullable<ReturnType<FSWatcher['_readdirp']>>;

interface FolderEntry {
  readonly path: string;
  readonly fullPath: string;
  readonly basename: string;
  readonly stats: Stats;
}

/** Null for a folder that is gone or may not be read: a scan says what that means. */
function foldersIn(root: string): readonly FolderEntry[] | null {
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => {
        const fullPath = join(root, name);
        const stats = lstatSync(fullPath, { throwIfNoEntry: false });
        return stats === undefined ? [] : [{ path: name, fullPath, basename: name, stats }];
      });
  } catch (error) {
    if (systemCode(error) === null) throw error;
    return null;
  }
}

// Out of watches, or a file system that has none.
function fallBack(state: State, error: unknown): void {
  if (state.polling || systemCode(error) === 'ENOENT') return;
  state.polling = true;
  state.isReady = false;
  state.options.onFallback(reasonOf(error));
  const { watcher } = state;
  state.watcher = null;
  watcher?.close().catch(() => undefined);
  state.bell.ring();
}

interface Heard extends Arrivals {
  readonly hear: (event: string, path: string) => void;
  /** Counts a report of whatever kind: the system keeps so many, and drops others without a word. */
  readonly count: () => void;
  /** Something may have changed that was not reported by its name. */
  readonly doubt: () => void;
}

function makeArrivals(isListening: (folders: readonly string[]) => boolean): Heard {
  const movedIn = new Map<string, boolean>();
  let count = 0;
  let reported = new Set<string>();
  let counted = 0;
  let isDoubtful = true;
  return {
    hear: (event, path) => {
      // Appearing, disappearing and moving are all called renames; whatever else happens is a change.
      movedIn.set(path, event === 'rename' && movedIn.get(path) !== false);
      reported.add(path);
    },
    count: () => {
      count += 1;
      counted += 1;
    },
    doubt: () => {
      isDoubtful = true;
    },
    catchUp: async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await new Promise((resolve) => setImmediate(resolve));
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

// A folder that takes another's name is not noticed as a new one, and would never be watched.
function expectFolder(state: State, folder: string): void {
  if (state.expected.has(folder)) return;
  const timer = setTimeout(() => {
    state.expected.delete(folder);
    if (state.isWatched(folder)) return;
    // All are watched anew: none needs to be waited for.
    for (const other of state.expected.values()) clearTimeout(other);
    state.expected.clear();
    state.noticedMs = Math.min(2 * state.noticedMs, NOTICED_MS.longest);
    rewatchNext(state);
  }, state.noticedMs);
  state.expected.set(folder, timer);
}

/** A path below the directory, as scans name it. */
function nameIn(directory: string, path: string): string {
  return relative(directory, path).split(sep).join('/');
}

/** What an event is about; null where the system does not say. */
function pathOf(name: unknown, details: unknown): string | null {
  const folder = (details as { watchedPath?: unknown } | null)?.watchedPath;
  return typeof name === 'string' && typeof folder === 'string' ? join(folder, name) : null;
}

function kindOf(path: string): 'file' | 'folder' | 'gone' {
  try {
    return lstatSync(path).isDirectory() ? 'folder' : 'file';
  } catch {
    return 'gone';
  }
}

/** Whether a path is one that packsign writes itself: those must never wake it. */
function isOwn(directory: string, path: string): boolean {
  const [top = '', ...rest] = relative(directory, path).split(sep);
  if (rest.length > 0) return top === STATE_FOLDER || top === SIGNATURES_FOLDER;
  return OWN_NAMES.has(top) || /^\.packsign-[0-9a-f]+\.tmp$/.test(top);
}

/** The stamp of a file that is not there. */
export const NO_STAMP = '-';

/** Which files stand under these names in a directory: equal text, untouched files. */
export function stampFiles(directory: string, names: readonly string[]): string {
  return names.map((name) => stampOf(join(directory, name))).join(' ');
}

function stampOf(path: string): string {
  const identity = identityBehind(path);
  return identity === null ? NO_STAMP : nameIdentity(identity);
}

/** Names the directory that a path leads to now; null when there is none. */
export function rootOf(directory: string): string | null {
  try {
    const stats = statSync(directory, { bigint: true });
    // A new directory often gets the number of the one that was just removed.
    return stats.isDirectory() ? [stats.dev, stats.ino, stats.birthtimeNs].join(':') : null;
  } catch {
    return null;
  }
}

interface Bell {
  readonly ring: () => void;
  readonly wait: (timeoutMs: number) => Promise<Wake>;
}

/** Remembers that it was rung until somebody has waited for it. */
function makeBell(signal: AbortSignal): Bell {
  let rung = false;
  let wake: ((reason: Wake) => void) | null = null;
  signal.addEventListener('abort', () => wake?.('stop'));
  return {
    ring: () => {
      rung = true;
      wake?.('change');
    },
    wait: async (timeoutMs) => {
      if (signal.aborted) return 'stop';
      const reason = rung
        ? 'change'
        : await new Promise<Wake>((resolve) => {
            const timer = setTimeout(() => resolve('timeout'), Math.min(timeoutMs, 0x7fffffff));
            wake = (why) => {
              clearTimeout(timer);
              resolve(why);
            };
          });
      wake = null;
      if (reason === 'change') rung = false;
      return reason;
    },
  };
}
