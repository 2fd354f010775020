import type { Database } from './database.js';
import { downloadUrl } from './entry.js';
import { isNamed } from './file-entry.js';
import type { FileEntries, FileEntry } from './file-entry.js';
import { wordsOf } from './package.js';
import type { Package } from './package.js';
import type { Settings } from './settings.js';

/** Both halves of published entries that stay. */
export interface KeptEntries {
  readonly files: FileEntries;
  readonly packages: readonly Package[];
}

const NOTHING: KeptEntries = { files: new Map(), packages: [] };

/** The published entries of some paths as they are, in `Files` and in `Packages`. */
export function keptEntries(
  published: Database | null,
  paths: ReadonlySet<string>,
  settings: Settings = {},
): KeptEntries {
  if (published === null || paths.size === 0) return NOTHING;
  const files = new Map(Array.from(published.Files).filter(([path]) => paths.has(path)));
  const pathOf = packagePaths(published, settings);
  const packages = published.Packages.filter((entry) => files.has(pathOf.get(entry) ?? ''));
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
  const kept = keptEntries(published, paths, settings);
  if (published === null || settings.Packages === undefined) return kept;
  const yanked = new Map<string, FileEntry>();
  for (const [path, entry] of kept.files) {
    const Yanked = entry.Yanked === undefined ? yankOf(path, entry, settings) : undefined;
    if (Yanked !== undefined) yanked.set(path, { ...entry, Yanked });
  }
  if (yanked.size === 0) return kept;
  const pathOf = packagePaths(published, settings);
  return {
    files: new Map([...kept.files, ...yanked]),
    packages: kept.packages.filter((entry) => !yanked.has(pathOf.get(entry) ?? '')),
  };
}

/** Why the settings yank a file: by its path, or by the name of its package. */
export function yankOf(path: string, { Name = '' }: FileEntry, { Packages }: Settings): string | undefined {
  const byPath = Packages?.get(path);
  return byPath?.Yanked ?? Packages?.get(byPath?.Name ?? Name)?.Yanked;
}

/**
 * The file of each package, one to one. An address that the settings give to a path says so. Others end with the path,
 * after the `Base-URL` of the time, which most packages share: that tells `dist/a.zip` from `a.zip` below `dist/`. For
 * what is left, which a maintainer wrote by hand, name, version and flavor have to do if nothing else has them.
 */
function packagePaths({ Files, Packages }: Database, settings: Settings): ReadonlyMap<Package, string> {
  const byUrl = new Map<string, string>();
  for (const [path, entry] of Files) {
    if (isNamed(entry) && entry.Yanked === undefined && entry.Mutable !== true)
      byUrl.set(downloadUrl(path, {}), path);
  }
  const isSame = (entry: Package, path: string) => wordsOf(Files.get(path) ?? {}) === wordsOf(entry);
  const pathOf = new Map<Package, string>();
  const left = new Set(byUrl.values());
  const take = (entry: Package, path: string) => {
    if (!pathOf.has(entry) && isSame(entry, path) && left.delete(path)) pathOf.set(entry, path);
  };
  for (const [path, { 'Download-URL': url }] of settings.Packages ?? []) {
    if (url === undefined || !left.has(path)) continue;
    for (const entry of Packages) if (entry['Download-URL'] === url) take(entry, path);
  }
  const readings = Packages.flatMap((entry) =>
    readingsOf(entry, byUrl).filter(({ path }) => isSame(entry, path)),
  );
  const counts = new Map<string, number>();
  for (const { base } of readings) counts.set(base, (counts.get(base) ?? 0) + 1);
  readings.sort((a, b) => (counts.get(b.base) ?? 0) - (counts.get(a.base) ?? 0));
  for (const { entry, path } of readings) take(entry, path);
  const unknown = Packages.filter((entry) => entry['Download-URL'] !== undefined && !pathOf.has(entry));
  const paths = onlyOnes(left, (path) => wordsOf(Files.get(path) ?? {}));
  for (const [key, entry] of onlyOnes(unknown, wordsOf)) {
    const path = paths.get(key);
    if (path !== undefined) take(entry, path);
  }
  return pathOf;
}

/** The values whose key no other has. */
function onlyOnes<T>(values: Iterable<T>, keyOf: (value: T) => string): ReadonlyMap<string, T> {
  const found = new Map<string, T>();
  const repeated = new Set<string>();
  for (const value of values) {
    const key = keyOf(value);
    if (found.has(key)) repeated.add(key);
    found.set(key, value);
  }
  for (const key of repeated) found.delete(key);
  return found;
}

/** The ways to read an address as a base and the path of a file. */
function readingsOf(
  entry: Package,
  byUrl: ReadonlyMap<string, string>,
): readonly { readonly entry: Package; readonly base: string; readonly path: string }[] {
  const segments = entry['Download-URL']?.split('/') ?? [];
  return segments.flatMap((_, index) => {
    const path = byUrl.get(segments.slice(index).join('/'));
    return path === undefined ? [] : [{ entry, path, base: segments.slice(0, index).join('/') }];
  });
}
