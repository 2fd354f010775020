import type { FileEntry, FileEntries } from './file-entry.js';

/** How one list of files differs from the one before it, with paths in byte order. */
export interface FileDifference {
  readonly added: readonly string[];
  readonly withdrawn: readonly string[];
  /** Paths in both whose entries are not the same object, as an entry that stayed is. */
  readonly replaced: readonly Replaced[];
}

export interface Replaced {
  readonly path: string;
  readonly before: FileEntry;
  readonly after: FileEntry;
}

const NOTHING: FileEntries = new Map();

export function compareFiles(before: FileEntries = NOTHING, next: FileEntries): FileDifference {
  const added: string[] = [];
  const replaced: Replaced[] = [];
  next.forEach((after, path) => {
    const listed = before.get(path);
    if (listed === undefined) added.push(path);
    else if (listed !== after) replaced.push({ path, before: listed, after });
  });
  const isAllThere = next.size - added.length === before.size;
  const withdrawn = isAllThere ? [] : Array.from(before.keys()).filter((path) => !next.has(path));
  return { added, withdrawn, replaced };
}
