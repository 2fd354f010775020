import { PacksignError } from '../errors.js';
import { encodeDatabase } from '../format/encode-database.js';
import { FORMAT } from '../model/database.js';
import type { Database, Packsign } from '../model/database.js';
import { describeFile, downloadUrl } from '../model/entry.js';
import type { Entry as MadeEntry } from '../model/entry.js';
import { compareFiles } from '../model/file-difference.js';
import type { FileEntries } from '../model/file-entry.js';
import { NO_LOOK } from '../model/inspection.js';
import { carryHistory, withoutOldRecords } from '../model/ledger.js';
import { byAddress, comparePackages } from '../model/package.js';
import { validitySeconds } from '../model/settings.js';
import type { Settings } from '../model/settings.js';
import { matcherOf } from '../places/matcher.js';
import { globsOf, scanDirectory } from '../places/scan.js';

/** What a file adds to a database. */
export type Entry = Pick<MadeEntry, 'file' | 'package'>;

/** By the paths of the files. */
export type Entries = ReadonlyMap<string, Entry>;

/** Where the files lie, and what is known of them. */
export interface SplitSource {
  readonly directory: string;
  readonly settings: Settings;
  readonly published: Database | null;
  readonly now: Date;
}

const NO_HASHES = { sha256: '0'.repeat(64), md5: '0'.repeat(32) };

/**
 * The entries of the files that are here: published ones as they are, others as their names promise, with the same sizes
 * as long as metadata say nothing else. Throws DIRECTORY_UNREADABLE, and FILE_MISSING for a listed file that is not
 * here, because a new database could not list it.
 */
export function entriesOf({ directory, settings, published, now }: SplitSource): Entries {
  const listed = published?.Files ?? new Map<string, never>();
  const scan = scanDirectory(directory, {
    globs: globsOf(settings),
    isListed: (path) => listed.has(path),
  });
  requireFiles(directory, missingIn(listed, new Set(scan.files.map(({ path }) => path)), settings));
  const packages = byAddress(published?.Packages ?? []);
  return new Map(
    scan.files.map(({ path, identity }) => {
      const file = listed.get(path);
      if (file !== undefined)
        return [path, { file, package: packages.get(downloadUrl(path, settings)) ?? null }];
      const facts = { path, size: Number(identity.size), ...NO_HASHES, ...NO_LOOK };
      return [path, describeFile(facts, settings, { since: now, naming: null, isMutable: false })];
    }),
  );
}

/** Excluded files go anyway. */
function missingIn(
  listed: FileEntries,
  here: ReadonlySet<string>,
  { Exclude = [] }: Settings,
): readonly string[] {
  const isExcluded = matcherOf(Exclude);
  return Array.from(listed.keys()).filter((path) => !here.has(path) && !isExcluded(path));
}

function requireFiles(directory: string, [first, ...more]: readonly string[]): void {
  if (first === undefined) return;
  const what = more.length === 0 ? `${first} is listed` : `${first} and ${more.length} more are listed`;
  const message = `${what}, and not in ${directory}: a new database could not list what is not here`;
  throw new PacksignError('FILE_MISSING', message, {
    hint: 'copy it here from where it is published, then type the same again',
  });
}

export function filesOf(entries: Entries): FileEntries {
  return new Map(Array.from(entries, ([path, { file }]) => [path, file]));
}

/** The size of a first database of these files, whose paths begin with a folder that it does not name. */
export function sizeOfNew(entries: Entries, folder: string, head: Head): number {
  const files = new Map(
    Array.from(filesOf(entries), ([path, file]) => [path.slice(folder.length + 1), file]),
  );
  return encodeDatabase(databaseOf(files, entries, head)).length;
}

/** The size of the next database of a directory that keeps these files, with a record of each that it gives away. */
export function sizeOfRest(entries: Entries, { published, now }: SplitSource, head: Head): number {
  const files = filesOf(entries);
  const difference = compareFiles(published?.Files, files);
  const { history } = carryHistory(published, files, { issued: now, allowed: new Map(), difference });
  const database = databaseOf(files, entries, head);
  const Packsign = { ...database.Packsign, ...(history.size === 0 ? {} : { History: history }) };
  return encodeDatabase(withoutOldRecords({ ...database, Packsign })).length;
}

/** What a database says besides its files. */
export type Head = Pick<Database, 'Maintainer' | 'Description'> &
  Pick<Packsign, 'Database' | 'Signers' | 'Trusts'> & { readonly settings: Settings; readonly now: Date };

function databaseOf(
  Files: FileEntries,
  entries: Entries,
  { Maintainer, Description, settings, now, ...packsign }: Head,
): Database {
  const Packages = Array.from(entries.values(), (entry) => entry.package)
    .filter((entry) => entry !== null)
    .sort(comparePackages);
  return {
    Version: '0.5',
    ...(Maintainer === undefined ? {} : { Maintainer }),
    ...{ Description, Packages, Files },
    Packsign: {
      Format: FORMAT,
      Issued: now,
      ...(validitySeconds(settings) === null ? {} : { Expires: now }),
      ...packsign,
    },
  };
}
