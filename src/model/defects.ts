import type { Database } from './database.js';
import type { FileEntries, NamedEntry } from './file-entry.js';
import { isNamed } from './file-entry.js';
import { packManVersion } from './package.js';
import type { Package } from './package.js';

/** What is wrong between the parts of a database, each of which is well-formed; null if nothing is. docs/FORMAT.md §3 to §6. */
export function defectOfDatabase(database: Database): string | null {
  const { Version, Maintainer, Packages, Files, Packsign } = database;
  const { Issued, Expires, Signers } = Packsign;
  if (Version !== '0.3' && Version !== '0.5') return '"Version" must be 0.3 or 0.5';
  if (Version === '0.3' && packManVersion(Packages) !== '0.3') {
    return '"Version" must be 0.5 for relative addresses and the flavors installer and hidden';
  }
  if ((Maintainer === undefined) !== (Signers === undefined)) {
    return '"Maintainer" and "Signers" must both be there, or neither';
  }
  if (Expires !== undefined && Expires <= Issued) return '"Expires" must be later than "Issued"';
  const yanked = findYanked(Packages, Files);
  if (yanked === null) return null;
  return `"Packages" offers ${yanked.Name} ${yanked.Version ?? ''} (${yanked.Flavor ?? ''}), which is yanked`;
}

/** A package with an address whose every file is yanked; null if there is none. */
function findYanked(packages: readonly Package[], files: FileEntries): Package | null {
  const yanked = new Set<string>();
  files.forEach((entry) => {
    if (isNamed(entry) && entry.Yanked !== undefined) yanked.add(identityOf(entry));
  });
  if (yanked.size === 0) return null;
  files.forEach((entry) => {
    if (isNamed(entry) && entry.Yanked === undefined) yanked.delete(identityOf(entry));
  });
  const isYanked = (entry: Package) => entry['Download-URL'] !== undefined && yanked.has(identityOf(entry));
  return packages.find(isYanked) ?? null;
}

/** Name, version and flavor hold no spaces. */
function identityOf({ Name, Version, Flavor }: Package | NamedEntry): string {
  return `${Name} ${Version ?? ''} ${Flavor ?? ''}`;
}

/** What is wrong with keys and a threshold; null if nothing is. They are sorted, each once (docs/FORMAT.md §6). */
export function defectOfThreshold(threshold: number, fingerprints: readonly string[]): string | null {
  const isAscending = fingerprints.every(
    (one, index) => index === 0 || (fingerprints[index - 1] ?? '') < one,
  );
  if (!isAscending) return 'fingerprints must be sorted, each once';
  const isMet = threshold >= 1 && threshold <= fingerprints.length;
  return isMet ? null : 'the threshold must be from 1 to the number of fingerprints';
}
