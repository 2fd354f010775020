import type { Database } from './database.js';
import type { FileEntries, FileEntry } from './file-entry.js';
import { isNamed } from './file-entry.js';
import { packManVersion, wordsOf } from './package.js';
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
  const withheld = findWithheld(Packages, Files);
  if (withheld === null) return null;
  const { Name, Version: version = '', Flavor = '' } = withheld;
  return `"Packages" offers ${Name} ${version} (${Flavor}), which is yanked or mutable`;
}

/** A package with an address whose every file is yanked or mutable; null if there is none. */
function findWithheld(packages: readonly Package[], files: FileEntries): Package | null {
  const isWithheld = ({ Yanked, Mutable }: FileEntry) => Yanked !== undefined || Mutable === true;
  const withheld = new Set<string>();
  files.forEach((entry) => {
    if (isNamed(entry) && isWithheld(entry)) withheld.add(wordsOf(entry));
  });
  if (withheld.size === 0) return null;
  files.forEach((entry) => {
    if (isNamed(entry) && !isWithheld(entry)) withheld.delete(wordsOf(entry));
  });
  const isOne = (entry: Package) => entry['Download-URL'] !== undefined && withheld.has(wordsOf(entry));
  return packages.find(isOne) ?? null;
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
