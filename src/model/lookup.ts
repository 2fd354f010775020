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

/** What a database says about a file. It is only as trustworthy as the database. */
export type Lookup =
  /** Listed with these bytes; under another name if `path` does not end with the file's name. */
  | { readonly kind: 'listed'; readonly path: string; readonly entry: FileEntry }
  /** Listed, and withdrawn from use. */
  | { readonly kind: 'yanked'; readonly path: string; readonly entry: FileEntry; readonly reason: string }
  /** Former bytes of the path. */
  | { readonly kind: 'withdrawn'; readonly path: string; readonly withdrawal: Withdrawal }
  /** A file of this name is listed with other bytes. */
  | { readonly kind: 'altered'; readonly path: string; readonly entry: FileEntry }
  | { readonly kind: 'unknown' };

/**
 * Looks a file up in a database: first by its bytes, then by its name, to tell what it should have been. With `path`,
 * compares it with that file alone.
 */
export function lookUp(database: Database, file: DigestedFile, path?: string): Lookup {
  if (path !== undefined) return lookUpAt(database, { file, path });
  const named = pathsNamed(database, file.name);
  const same = pathOfBytes(database, { file, named });
  if (same !== null) return lookUpAt(database, { file, path: same });
  const once = withdrawnBytes(database, { file, named });
  if (once !== null) return once;
  const [first] = named;
  return first === undefined ? { kind: 'unknown' } : lookUpAt(database, { file, path: first });
}

function lookUpAt(database: Database, { file, path }: { file: DigestedFile; path: string }): Lookup {
  const entry = database.Files.get(path);
  if (entry === undefined) return withdrawnBytes(database, { file, named: [path] }) ?? { kind: 'unknown' };
  if (entry.SHA256 === file.sha256 && entry.Size === file.size) {
    const { Yanked: reason } = entry;
    return reason === undefined ? { kind: 'listed', path, entry } : { kind: 'yanked', path, entry, reason };
  }
  return withdrawnBytes(database, { file, named: [path] }) ?? { kind: 'altered', path, entry };
}

/** The path where these bytes are listed, preferably under the file's own name. */
function pathOfBytes(
  { Files }: Database,
  { file, named }: { file: DigestedFile; named: readonly string[] },
): string | null {
  const isSame = ({ SHA256, Size }: FileEntry) => SHA256 === file.sha256 && Size === file.size;
  for (const path of named) {
    const entry = Files.get(path);
    if (entry !== undefined && isSame(entry)) return path;
  }
  for (const [path, entry] of Files) if (isSame(entry)) return path;
  return null;
}

function withdrawnBytes(
  { Packsign: { History } }: Database,
  { file, named }: { file: DigestedFile; named: readonly string[] },
): Lookup | null {
  for (const path of [...named, ...(History?.keys() ?? [])]) {
    const withdrawal = History?.get(path)?.findLast(({ SHA256 }) => SHA256 === file.sha256);
    if (withdrawal !== undefined) return { kind: 'withdrawn', path, withdrawal };
  }
  return null;
}

function pathsNamed({ Files }: Database, name: string): readonly string[] {
  if (Files.has(name)) return [name];
  const file = fileNameOf(name);
  return Array.from(Files.keys()).filter((path) => fileNameOf(path) === file);
}
