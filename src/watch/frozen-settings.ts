import { isDeepStrictEqual } from 'node:util';
import type { Database } from '../model/database.js';
import type { Package } from '../model/package.js';
import type { Override, Settings } from '../model/settings.js';
import { scanFiles } from '../places/objects.js';
import { globsOf } from '../places/scan.js';
import type { BuiltCandidate, Unattended } from '../release/candidate.js';
import type { Run } from '../run.js';

/** Whether the next database would describe published files differently: somebody changed the settings. */
export function settingsDiffer(published: Database, { database, difference }: BuiltCandidate): boolean {
  const { settings, metadata, executable } = difference;
  // A first database may have been built without these; adding them is not a change. A validity that was typed counts.
  const changed = settings.filter(
    ({ key, before }) => key !== 'Expires' && (before !== null || !['Maintainer', 'Signers'].includes(key)),
  );
  const isNew = new Set(difference.added);
  return (
    changed.length > 0 ||
    metadata.some(({ of }) => !isNew.has(of)) ||
    executable.some(({ before }) => before !== null) ||
    !isDeepStrictEqual(pseudoPackages(published, database), pseudoPackages(database, database))
  );
}

/** Packages that only the settings list, without a file; except those that have a file by now. */
function pseudoPackages({ Packages }: Database, { Files }: Database): readonly Package[] {
  const bare = Packages.filter((entry) => entry['Download-URL'] === undefined);
  if (bare.length === 0) return bare;
  const found = new Set(Array.from(Files.values(), ({ Name }) => Name));
  return bare.filter(({ Name }) => !found.has(Name));
}

/** A yank is lifted, or made, only by a person. */
function keepYanks(packages: Map<string, Override>, { Files }: Database): void {
  for (const [key, { Yanked: _, ...override }] of packages) packages.set(key, override);
  for (const [path, { Yanked }] of Files) {
    if (Yanked !== undefined) packages.set(path, { ...packages.get(path), Yanked });
  }
}

/** Settings that keep everything published as it is; `next` is the database that `settings` would make. */
export function frozen(settings: Settings, published: Database, next: Database): Settings {
  const { Maintainer, Description, Include = [], Packsign } = published;
  const { Database, Notify, Mirrors, Trusts } = Packsign;
  const {
    Maintainer: _1,
    Database: _2,
    Notify: _3,
    Mirrors: _4,
    Trusts: _5,
    Signers: _6,
    Threshold: _7,
    ...rest
  } = settings;
  const pseudo = new Set(pseudoPackages(next, next).map(({ Name }) => Name));
  const Packages = new Map<string, Override>(
    Array.from(rest.Packages ?? []).filter(([key, { Name = key }]) => !pseudo.has(Name)),
  );
  for (const entry of pseudoPackages(published, next)) Packages.set(entry.Name, entry);
  keepYanks(Packages, published);
  return {
    ...rest,
    Packages,
    Description,
    ...(Maintainer === undefined ? {} : { Maintainer }),
    ...(Database === undefined ? {} : { Database }),
    ...(Notify === undefined ? {} : { Notify }),
    ...(Mirrors === undefined ? {} : { Mirrors }),
    ...(Trusts === undefined
      ? {}
      : { Trusts: Trusts.map((trust) => ({ ...trust, Include: Include.includes(trust.URL) })) }),
  };
}

/** Scans again with settings that may include or exclude other files. Files that are new to us count as unstable. */
export function scanAnew(
  directory: string,
  { scan, unstable }: Unattended,
  { settings, run }: { readonly settings: Settings; readonly run: Pick<Run, 'objects'> },
): Unattended {
  const again = scanFiles(directory, run, { globs: globsOf(settings) });
  const known = new Set(scan.files.map(({ path }) => path));
  const fresh = again.files.flatMap(({ path }) => (known.has(path) ? [] : [path]));
  return { scan: again, unstable: new Set([...unstable, ...fresh]) };
}
