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
/**
 * History, policies and report of one build compare the same two long lists. Keep no list alive through a later one, or a
 * watch would keep them all.
 */
const lastCompared = new WeakMap<
  FileEntries,
  { readonly before: WeakRef<FileEntries>; readonly changes: FileDifference }
>();

/** Compares two lists that no longer change. */
export function compareFiles(before: FileEntries = NOTHING, next: FileEntries): FileDifference {
  const last = lastCompared.get(next);
  if (last?.before.deref() === before) return last.changes;
  const changes = compare(before, next);
  lastCompared.set(next, { before: new WeakRef(before), changes });
  return changes;
}

function compare(before: FileEntries, next: FileEntries): FileDifference {
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
