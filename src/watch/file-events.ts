import { realpathSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import type { ChokidarOptions, FSWatcher } from 'chokidar';
import { reasonOf, systemCode } from '../errors.js';
import { SIGNATURES_FOLDER, STATE_FOLDER, WRITTEN_NAMES } from '../model/layout.js';
import { makeArrivals } from './arrivals.js';
import type { Arrivals, Heard } from './arrivals.js';
import { makeBell } from './bell.js';
import type { Bell } from './bell.js';
import { kindOf, watchFolders } from './folder-watcher.js';
import type { FolderWatcher } from './folder-watcher.js';
import { stampDirectory } from './stamps.js';

/**
 * Hints that something in a directory may have changed. Some may be lost, and some mean nothing: they only say when to
 * look, and a scan says what is there.
 */
export interface FileEvents {
  /** Waits for the first hint since the last call, or until the time is over. */
  readonly next: Bell['wait'];
  /** What the events say of names that appeared; absent if there are no events. */
  readonly arrivals?: Arrivals;
  readonly close: () => Promise<void>;
}

export interface FileEventsOptions {
  /** Looks on a timer only, so often: for network file systems, which give no hints. Null waits for hints. */
  readonly pollMs: number | null;
  readonly signal: AbortSignal;
  /** Called once, with the reason, when events end and the timer takes over. */
  readonly onFallback: (reason: string) => void;
  /** Whether packsign itself writes a file, besides those with names of its own: such changes must not wake it either. */
  readonly isOwn?: (path: string) => boolean;
}

/** How often we check whether the directory itself was removed, made again or swapped. */
const ROOT_CHECK_MS = 500;
const POLL_MS = 1000;
/** Elsewhere the system may report a change of a file under the name of its folder. */
const NAMES_ALL = process.platform === 'linux';
/** The watch of a new folder begins a moment after its event; look again for files that came between the two. */
const ECHO_MS = 250;
/** How long a new folder may be unwatched before we watch all folders again; longer each time that this does not help. */
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
    polling: options.pollMs !== null,
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
      if (state.polling && state.timers.size === 0) ringLater(state, options.pollMs ?? POLL_MS);
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
  /** The stamp of the watched directory; null while there is none. */
  root: string | null;
  polling: boolean;
  closed: boolean;
  readonly timers: Set<NodeJS.Timeout>;
  /** Folders that appeared, until the watcher notices them; relative to the directory. */
  readonly expected: Map<string, NodeJS.Timeout>;
  /** We open one watcher at a time, or one of two would never be closed. */
  rewatching: Promise<void>;
  readonly heard: Heard;
  /** Whether the watcher watches the folders that existed when it was opened. */
  isReady: boolean;
  isWatched: FolderWatcher['isWatched'];
  /** How long a folder may be unwatched before we watch all folders again. */
  noticedMs: number;
}

/** Whether events report all changes in these folders by name. */
function isListening(state: State, folders: readonly string[]): boolean {
  if (!NAMES_ALL || !state.isReady) return false;
  const unwatched = folders.filter(
    (folder) => !isOwn(state.directory, join(state.directory, folder)) && !state.isWatched(folder),
  );
  // These appeared, or replaced others, in a moment without a watch.
  for (const folder of unwatched) expectFolder(state, folder);
  if (unwatched.length > 0 || state.expected.size > 0) return false;
  state.noticedMs = NOTICED_MS.shortest;
  return true;
}

/** For a change that no event names: makes the next look a full one. */
function ringInDoubt({ heard, bell }: State): void {
  heard.doubt();
  bell.ring();
}

function ringLater(state: State, afterMs: number): void {
  const timer = setTimeout(() => {
    state.timers.delete(timer);
    ringInDoubt(state);
  }, afterMs);
  state.timers.add(timer);
}

// A watcher follows the directory that it was opened on: after a removal or a swap by rename it would stay silent.
function checkRoot(state: State): void {
  if (stampDirectory(state.directory) === state.root) return;
  state.bell.ring();
  rewatchNext(state);
}

function rewatchNext(state: State): void {
  // Set it now, so that the next check does not watch again.
  state.root = stampDirectory(state.directory);
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
  // Given a link, chokidar would watch the folder around it; `checkRoot` notices when the link changes.
  const directory = realpathSync(state.directory);
  const options: ChokidarOptions = {
    ignoreInitial: true,
    followSymlinks: false,
    ignored: (path, stats) => stats?.isFile() === true || isOwn(directory, path),
  };
  // When a folder is watched at last, files may have come into it before.
  const folders = await watchFolders(directory, options, () => ringInDoubt(state));
  const { watcher } = folders;
  state.watcher = watcher;
  state.isWatched = folders.isWatched;
  listen(state, directory, folders);
  const { signal } = state.options;
  await new Promise<void>((resolve) => {
    const settle = () => {
      signal.removeEventListener('abort', settle);
      resolve();
    };
    watcher.once('ready', settle);
    watcher.once('error', settle);
    signal.addEventListener('abort', settle);
  });
  // Events are missing from the time before the watch was in place; there may have been a write.
  state.heard.forget();
  state.heard.doubt();
  // False if the directory was swapped once more meanwhile.
  state.isReady = stampDirectory(state.directory) === state.root;
  state.bell.ring();
}

function listen(state: State, directory: string, { watcher, doubt, lose }: FolderWatcher): void {
  watcher.on('raw', (event: string, base: unknown, details: unknown) => {
    const path = pathOf(base, details);
    state.heard.count();
    // The system reports a change of a watched folder itself under the folder's name, as if it were a file in it.
    const isOfFolder = path !== null && basename(path) === basename(dirname(path));
    if (isOfFolder && event === 'rename') lose(dirname(path));
    // Node hands over all events of a burst in one go, and no signal has its turn in between. Without a watch it drops
    // them; another one begins when they are over.
    if (state.heard.isFlooded()) {
      if (state.isReady) rewatchNext(state);
      return;
    }
    if (path !== null && isOwn(directory, path)) return;
    if (path !== null && state.options.isOwn?.(nameIn(directory, path)) === true) return;
    if (path === null || isOfFolder) state.heard.doubt();
    const name = path === null ? null : nameIn(directory, path);
    if (name !== null) state.heard.hear(event, name);
    state.bell.ring();
    if (event !== 'rename' && path !== null) return;
    const kind = path === null ? 'gone' : kindOf(path);
    if (kind !== 'file') doubt(path);
    if (kind === 'folder' && name !== null) expectFolder(state, name);
  });
  watcher.on('addDir', () => {
    ringInDoubt(state);
    ringLater(state, ECHO_MS);
  });
  watcher.on('unlinkDir', () => ringInDoubt(state));
  watcher.on('error', (error) => {
    state.heard.doubt();
    fallBack(state, error);
  });
}

// The system is out of watches, or the file system has none.
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

// The watcher does not notice a folder that takes the name of another, and would never watch it.
function expectFolder(state: State, folder: string): void {
  if (state.expected.has(folder)) return;
  const timer = setTimeout(() => {
    state.expected.delete(folder);
    if (state.isWatched(folder)) return;
    // Watching all folders again finds the others too.
    for (const other of state.expected.values()) clearTimeout(other);
    state.expected.clear();
    state.noticedMs = Math.min(2 * state.noticedMs, NOTICED_MS.longest);
    rewatchNext(state);
  }, state.noticedMs);
  state.expected.set(folder, timer);
}

/** A path below the directory, as scans write it. */
function nameIn(directory: string, path: string): string {
  return relative(directory, path).split(sep).join('/');
}

/** The path that an event is about; null if the system does not say. */
function pathOf(name: unknown, details: unknown): string | null {
  const folder = (details as { watchedPath?: unknown } | null)?.watchedPath;
  return typeof name === 'string' && typeof folder === 'string' ? join(folder, name) : null;
}

/** Whether packsign itself writes a path: such changes must never wake it. */
function isOwn(directory: string, path: string): boolean {
  const [top = '', ...rest] = relative(directory, path).split(sep);
  if (rest.length > 0) return top === STATE_FOLDER || top === SIGNATURES_FOLDER;
  return OWN_NAMES.has(top) || /^\.packsign-[0-9a-f]+\.tmp$/.test(top);
}
