import type { FileEntry, FileEntries } from './file-entry.js';

/** How one list of files differs from the one before it. Paths in byte order. */
export interface FileDifference {
  readonly added: readonly string[];
  readonly withdrawn: readonly string[];
  /** What is in both, and not the same value: an entry that stayed is the published value itself. */
  readonly replaced: readonly Replaced[];
}

export interface Replaced {
  readonly path: string;
  readonly before: FileEntry;
  readonly after: FileEntry;
}

const NOTHING: FileEntries = new Map();
/**
 * History, policies and the report of one build ask for the same two lists, which are long. The later one does not keep
 * the earlier one alive, or a watch would keep them all.
 */
const lastCompared = new WeakMap<
  FileEntries,
  { readonly before: WeakRef<FileEntries>; readonly changes: FileDifference }
>();

/** Compares two lists, neither of which is changed any more. */
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
