import { foldPath } from '../model/file-entry.js';

/** Files, sorted by their paths, and the folders that hold them. */
export interface Found {
  readonly files: readonly { readonly path: string }[];
  readonly folders: readonly string[];
}

/**
 * Paths of files that a list cannot hold, and what each conflicts with: of the files that are one on a file system that
 * ignores case, all but the first; and every file that is a folder there (docs/FORMAT.md §5).
 */
export function conflictsIn({ files, folders }: Found): ReadonlyMap<string, string> {
  const conflicts = new Map<string, string>();
  const isFolded = (path: string) => foldPath(path) === path;
  // Lower-case paths need no folding, and differ from each other.
  if (files.every(({ path }) => isFolded(path)) && folders.every(isFolded)) return conflicts;
  const folderAt = new Map(folders.map((path) => [foldPath(path), path]));
  const seen = new Map<string, string>();
  for (const { path } of files) {
    const folded = foldPath(path);
    const [twin, folder] = [seen.get(folded), folderAt.get(folded)];
    const other = folder === undefined ? twin : `the folder ${folder}`;
    if (other === undefined) seen.set(folded, path);
    else conflicts.set(path, other);
  }
  return conflicts;
}
