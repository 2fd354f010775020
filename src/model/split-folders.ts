import { foldPath } from './file-entry.js';
import { isInWayOfOwn } from './layout.js';

/** A folder, with the files in it and below it. */
interface Folder {
  readonly path: string;
  files: number;
  /** Whether a file in it has the name of one that packsign writes beside a database. */
  isTaken: boolean;
  readonly folders: Map<string, Folder>;
}

/** A database of fewer files than this part of the limit is more trouble than it saves. */
const LEAST_PART = 1 / 10;

/**
 * The folders of a directory that become databases of their own, so that each database lists at most `limit` files: the
 * largest first, and no more than it takes. What is left stays with the database above, which always keeps some. Paths
 * in byte order. A database that no folder can make smaller keeps more files than that.
 */
export function splitFolders(paths: Iterable<string>, limit: number): readonly string[] {
  return cut(treeOf(paths), limit).toSorted();
}

function treeOf(paths: Iterable<string>): Folder {
  const root = newFolder('');
  for (const path of paths) {
    let folder = root;
    folder.files += 1;
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      const below = folder.folders.get(path.slice(0, at)) ?? newFolder(path.slice(0, at));
      folder.folders.set(below.path, below);
      below.files += 1;
      below.isTaken ||= isInWayOfOwn(foldPath(path.slice(at + 1)));
      folder = below;
    }
  }
  return root;
}

function newFolder(path: string): Folder {
  return { path, files: 0, isTaken: false, folders: new Map() };
}

function cut(database: Folder, limit: number): readonly string[] {
  const least = limit * LEAST_PART;
  const own: string[] = [];
  let open = Array.from(database.folders.values());
  let left = database.files;
  while (left > limit) {
    const largest = open.reduce<Folder | null>((a, b) => (a === null || b.files > a.files ? b : a), null);
    if (largest === null || largest.files < least) break;
    open = open.filter((folder) => folder !== largest);
    if (largest.isTaken || left - largest.files < least) {
      // Where it has nearly all files, only the folders in it divide them.
      open = [...open, ...largest.folders.values()];
    } else {
      left -= largest.files;
      own.push(largest.path, ...cut(largest, limit));
    }
  }
  return own;
}

/** Finds the innermost of some folders that a path lies in; '' if it lies in none. */
export function folderFinder(folders: readonly string[]): (path: string) => string {
  const own = new Set(folders);
  return (path) => {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      if (own.has(path.slice(0, at))) return path.slice(0, at);
    }
    return '';
  };
}
