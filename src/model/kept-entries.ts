import type { Database } from './database.js';
import { downloadUrl } from './entry.js';
import { isNamed } from './file-entry.js';
import type { FileEntries, FileEntry } from './file-entry.js';
import type { Package } from './package.js';
import type { Settings } from './settings.js';

/** Both halves of published entries that stay. */
export interface KeptEntries {
  readonly files: FileEntries;
  readonly packages: readonly Package[];
}

const NOTHING: KeptEntries = { files: new Map(), packages: [] };

/** The published entries of some paths as they are, in `Files` and in `Packages`. */
export function keptEntries(published: Database | null, paths: ReadonlySet<string>): KeptEntries {
  if (published === null || paths.size === 0) return NOTHING;
  const files = new Map(Array.from(published.Files).filter(([path]) => paths.has(path)));
  const pathOf = packagePaths(published);
  const packages = published.Packages.filter((entry) => files.has(pathOf(entry) ?? ''));
  return { files, packages };
}

/**
 * The same for files that are not here: the settings may yank one, and cannot lift a yank, because nobody can look at the
 * file again (docs/FORMAT.md §5, `Absent`).
 */
export function keptAbsent(
  published: Database | null,
  paths: ReadonlySet<string>,
  settings: Settings,
): KeptEntries {
  const kept = keptEntries(published, paths);
  if (published === null || settings.Packages === undefined) return kept;
  const yanked = new Map<string, FileEntry>();
  for (const [path, entry] of kept.files) {
    const Yanked = entry.Yanked === undefined ? yankOf(path, entry, settings) : undefined;
    if (Yanked !== undefined) yanked.set(path, { ...entry, Yanked });
  }
  if (yanked.size === 0) return kept;
  const pathOf = packagePaths(published);
  return {
    files: new Map([...kept.files, ...yanked]),
    packages: kept.packages.filter((entry) => !yanked.has(pathOf(entry) ?? '')),
  };
}

/** Why the settings yank a file that is not here: by its path, or by the name of its package. */
function yankOf(path: string, { Name = '' }: FileEntry, { Packages }: Settings): string | undefined {
  const byPath = Packages?.get(path);
  return byPath?.Yanked ?? Packages?.get(byPath?.Name ?? Name)?.Yanked;
}

/**
 * Finds the file of a package. Its address ends with the path of the file, after the `Base-URL` of the time; an address
 * that the maintainer wrote by hand may not, and then name, version and flavor have to do.
 */
function packagePaths({ Files }: Database): (entry: Package) => string | undefined {
  const byUrl = new Map<string, string>();
  const byName = new Map<string, string>();
  for (const [path, entry] of Files) {
    if (!isNamed(entry) || entry.Yanked !== undefined || entry.Mutable === true) continue;
    byUrl.set(downloadUrl(path, {}), path);
    byName.set(nameKey(entry), path);
  }
  return (entry) => {
    const url = entry['Download-URL'];
    if (url === undefined) return undefined;
    const segments = url.split('/');
    const endings = segments.map((_, index) => byUrl.get(segments.slice(index).join('/')));
    const isSame = (path: string | undefined) =>
      path !== undefined && nameKey(Files.get(path) ?? {}) === nameKey(entry);
    return endings.find(isSame) ?? byName.get(nameKey(entry));
  };
}

function nameKey({ Name, Version, Flavor }: Pick<FileEntry, 'Name' | 'Version' | 'Flavor'>): string {
  return `${Name ?? ''} ${Version ?? ''} ${Flavor ?? ''}`;
}
