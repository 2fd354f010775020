import { fileNameOf } from './file-entry.js';
import type { FileEntry } from './file-entry.js';
import type { Database, Withdrawal } from './database.js';

/** A file that was read and hashed. */
export interface DigestedFile {
  /** Its name or path, as far as known; folders before the last `/` may be missing or differ. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** 64 lower-case hex digits. */
  readonly sha256: string;
}

/** What a database says about a file (docs/FORMAT.md §8, One file). It is only as trustworthy as the database. */
export type Lookup =
  /** Listed with these bytes and this name. */
  | { readonly kind: 'listed'; readonly path: string; readonly entry: FileEntry }
  /** Listed with these bytes under another name: perhaps an old version that somebody passes off as a new one. */
  | { readonly kind: 'renamed'; readonly path: string; readonly entry: FileEntry }
  /** Listed, and withdrawn from use. */
  | { readonly kind: 'yanked'; readonly path: string; readonly entry: FileEntry; readonly reason: string }
  /** Former bytes of the path. */
  | { readonly kind: 'withdrawn'; readonly path: string; readonly withdrawal: Withdrawal }
  /** A file of this name is listed with other bytes. */
  | { readonly kind: 'altered'; readonly path: string; readonly entry: FileEntry }
  | { readonly kind: 'unknown' };

/**
 * Looks a file up in a database: first by its bytes, then by its name, to tell what it should have been. With `path`,
 * compares it with that file alone, whatever its own name is.
 */
export function lookUp(database: Database, file: DigestedFile, path?: string): Lookup {
  return path === undefined ? lookUpAnywhere(database, file) : lookUpAt(database, { file, path });
}

function lookUpAnywhere(database: Database, file: DigestedFile): Lookup {
  const { Files } = database;
  const named = pathsNamed(Files.keys(), file.name);
  const same = Array.from(Files).flatMap(([path, entry]) => (hasBytes(entry, file) ? [path] : []));
  const fitting = named.filter((path) => same.includes(path));
  const candidates = fitting.length > 0 ? fitting : same;
  // What the maintainer says against these bytes under one path holds for them in another folder too.
  const path = candidates.find((one) => Files.get(one)?.Yanked !== undefined) ?? candidates[0];
  if (path !== undefined) {
    const found = lookUpAt(database, { file, path });
    return found.kind === 'listed' && fitting.length === 0 ? { ...found, kind: 'renamed' } : found;
  }
  const once = withdrawnBytes(database, { file });
  const [first] = named;
  return once ?? (first === undefined ? { kind: 'unknown' } : lookUpAt(database, { file, path: first }));
}

function lookUpAt(database: Database, { file, path }: { file: DigestedFile; path: string }): Lookup {
  const entry = database.Files.get(path);
  if (entry === undefined) return withdrawnBytes(database, { file, path }) ?? { kind: 'unknown' };
  if (hasBytes(entry, file)) {
    const { Yanked: reason } = entry;
    return reason === undefined ? { kind: 'listed', path, entry } : { kind: 'yanked', path, entry, reason };
  }
  return withdrawnBytes(database, { file, path }) ?? { kind: 'altered', path, entry };
}

function hasBytes({ SHA256, Size }: FileEntry, { sha256, size }: DigestedFile): boolean {
  return SHA256 === sha256 && Size === size;
}

/** The record of these bytes, of one path or, if none is given, preferably of the file's own name. */
function withdrawnBytes(
  { Packsign: { History = new Map() } }: Database,
  { file, path: only }: { file: DigestedFile; path?: string },
): Lookup | null {
  const paths = only === undefined ? [...pathsNamed(History.keys(), file.name), ...History.keys()] : [only];
  for (const path of paths) {
    const withdrawal = History.get(path)?.findLast(({ SHA256 }) => SHA256 === file.sha256);
    if (withdrawal !== undefined) return { kind: 'withdrawn', path, withdrawal };
  }
  return null;
}

/** The paths that a file of this name may have been downloaded from; if it is a path itself, that one first. */
function pathsNamed(paths: Iterable<string>, name: string): readonly string[] {
  const own = downloadedName(name);
  const named = Array.from(paths).filter((path) => fileNameOf(path) === own);
  return named.includes(name) ? [name, ...named.filter((path) => path !== name)] : named;
}

/** What browsers put before the ending, or before both of two (`.tar.gz`): ` (1)`, in Firefox `(1)`. */
const COUNTER = / ?\([1-9]\d{0,3}\)((?:\.[^.]*){0,2})$/;

/** The name that a download had before a browser found that it was taken. No listed path has a `(`. */
export function downloadedName(name: string): string {
  return fileNameOf(name).replace(COUNTER, '$1');
}
