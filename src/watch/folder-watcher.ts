import { lstatSync, readdirSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import type { ChokidarOptions, FSWatcher } from 'chokidar';
import { statsOf } from '../disk/files.js';
import { systemCode } from '../errors.js';
import { stampDirectory } from './stamps.js';

export interface FolderWatcher {
  readonly watcher: FSWatcher;
  /** Called within an event: a folder came or may have gone at this path; null for anywhere. */
  readonly doubt: (path: string | null) => void;
  /** Called when a watched folder was moved or removed: the next one of its name is another, watched or not. */
  readonly lose: (path: string) => void;
  /** Whether the watcher watches a folder, relative to the directory, and it is still the same folder. */
  readonly isWatched: (folder: string) => boolean;
}

/** The watcher watches a folder within this time after it has read its folders. */
const WATCHED_MS = 50;

/**
 * Watches folders only: a watch for each of 20,000 files costs a second and 100 MB, and the watch of a folder reports its
 * files all the same, as `raw` events. We also keep the watcher from seeing files and from reading a folder again: it
 * would do so, and stat every file, at each change, which takes longer than signing.
 */
export async function watchFolders(
  directory: string,
  options: ChokidarOptions,
  onWatched: () => void,
): Promise<FolderWatcher> {
  const { FSWatcher: Watcher } = await import('chokidar');
  const read = new Map<string, readonly FolderEntry[]>();
  /** The stamp of the folder that each path had when the watcher began to watch it. */
  const watched = new Map<string, string>();
  // The watcher keeps one watch for each path, and may take that of an old folder for the new one's.
  const lost = new Set<string>();
  async function* foldersOf(root: string): AsyncGenerator<FolderEntry> {
    const folder = resolve(root);
    // Before the watch is in place: a folder that replaces this one meanwhile has another stamp.
    const stamp = stampDirectory(folder);
    // An event that made the watcher read this folder calls `doubt` first.
    await Promise.resolve();
    const entries = read.get(folder) ?? foldersIn(folder);
    if (entries === null || stamp === null) return;
    read.set(folder, entries);
    yield* entries;
    if (watched.has(folder)) return;
    setTimeout(() => {
      watched.set(folder, stamp);
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
      const stamp = watched.get(path);
      return stamp !== undefined && stamp === stampDirectory(path) && !lost.has(path);
    },
    lose: (path) => lost.add(resolve(path)),
    doubt: (path) => {
      if (path === null) read.clear();
      // Not for every file: reading a large folder again because a file was renamed takes longer than signing.
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

/** Null for a folder that we cannot read; the scan reports it. */
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

export function kindOf(path: string): 'file' | 'folder' | 'gone' {
  const stats = statsOf(path);
  if (stats === null) return 'gone';
  return stats.isDirectory() ? 'folder' : 'file';
}
