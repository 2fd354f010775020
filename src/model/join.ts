import { PacksignError } from '../errors.js';
import type { Database, History, Withdrawal } from './database.js';
import { foldPath, foldersOf } from './file-entry.js';
import type { FileEntries, FileEntry } from './file-entry.js';
import { compareRecords, foldedFinder, isOther } from './history-rules.js';
import { keptEntries } from './kept-entries.js';
import { isSameRecord, sortedByPath } from './ledger.js';

/** What the next database goes on from. */
export interface Continued {
  readonly database: Database;
  /** Paths of it that stay listed only if their files are here. */
  readonly withdrawn: ReadonlySet<string>;
}

/** File path → the maintainer's reason why its bytes change. */
type Allowed = ReadonlyMap<string, string>;

/**
 * Joins a second database into one's own, as if it had been published one second after both, so that every reader of
 * either accepts what follows (docs/FORMAT.md §6, `Joining`). Throws BYTES_CHANGED for two hashes under one path, and
 * for records that need a reason once they are together.
 */
export function joinDatabases(own: Database, adopted: Database, allowed: Allowed): Continued {
  const last = Math.max(own.Packsign.Issued.getTime(), adopted.Packsign.Issued.getTime());
  const issued = new Date(last + 1000);
  const files = sortedByPath(joinFiles(own, adopted));
  const clashes = joinedHistory(own, adopted, { files, issued, allowed });
  if (clashes.conflicts.length > 0) throw changedBytes(clashes.conflicts);
  const { History: _, ...packsign } = own.Packsign;
  const { history } = clashes;
  return {
    withdrawn: new Set(
      [...goneOf(own, adopted), ...goneOf(adopted, own), ...inTheWay(own, adopted)].filter((path) =>
        files.has(path),
      ),
    ),
    database: {
      ...own,
      Packages: joinPackages(own, adopted, files),
      Files: files,
      Packsign: { ...packsign, Issued: issued, ...(history.size === 0 ? {} : { History: history }) },
    },
  };
}

/**
 * All entries of both, but for those of the adopted one that one's own has withdrawn since. A path is final if it is in
 * either, because readers of that one hold us to its bytes.
 */
function joinFiles(own: Database, adopted: Database): Map<string, FileEntry> {
  const files = new Map(own.Files);
  for (const [path, entry] of adopted.Files) {
    const listed = own.Files.get(path);
    const newest = recordsOf(own, path).at(-1);
    const isWithdrawn = newest?.SHA256 === entry.SHA256 && newest.Until > adopted.Packsign.Issued;
    if (listed === undefined && isWithdrawn) continue;
    files.set(path, listed === undefined ? entry : joinEntries(listed, entry));
  }
  return files;
}

function isFinal(entry: FileEntry): boolean {
  return entry.Mutable !== true;
}

function joinEntries(own: FileEntry, adopted: FileEntry): FileEntry {
  const isNewer = !isFinal(own) && (isFinal(adopted) || adopted.Since > own.Since);
  const [entry, other] = isNewer ? [adopted, own] : [own, adopted];
  const Yanked = entry.Yanked ?? other.Yanked;
  return Yanked === entry.Yanked ? entry : { ...entry, ...(Yanked === undefined ? {} : { Yanked }) };
}

/** Packages of the entries that were taken, but for those that the other database yanks. */
function joinPackages(own: Database, adopted: Database, files: FileEntries): Database['Packages'] {
  const isFrom = (from: Database) => (path: string) => {
    const { Yanked: _1, ...entry } = from.Files.get(path) ?? { Yanked: undefined };
    const { Yanked, ...taken } = files.get(path) ?? { Yanked: undefined };
    return Yanked === undefined && JSON.stringify(entry) === JSON.stringify(taken);
  };
  const ofOwn = new Set(Array.from(own.Files.keys()).filter(isFrom(own)));
  const ofAdopted = new Set(
    Array.from(adopted.Files.keys()).filter((path) => !ofOwn.has(path) && isFrom(adopted)(path)),
  );
  return [...keptEntries(own, ofOwn).packages, ...keptEntries(adopted, ofAdopted).packages];
}

/** Paths that one database lists, and that the other records as gone since. */
function goneOf({ Files }: Database, { Files: others, Packsign: { History } }: Database): readonly string[] {
  return Array.from(History ?? []).flatMap(([path, records]) => {
    const listed = Files.get(path);
    const newest = records.at(-1);
    const isGone = listed !== undefined && newest !== undefined && newest.Until > listed.Since;
    return isGone && !others.has(path) ? [path] : [];
  });
}

/** Adopted paths that cannot be listed beside one's own. */
function inTheWay({ Files: own }: Database, { Files: adopted }: Database): readonly string[] {
  const paths = new Set(Array.from(own.keys(), foldPath));
  const folders = new Set(Array.from(paths).flatMap(foldersOf));
  return Array.from(adopted.keys()).filter((path) => {
    const folded = foldPath(path);
    if (own.has(path)) return false;
    return paths.has(folded) || folders.has(folded) || foldersOf(folded).some((folder) => paths.has(folder));
  });
}

interface Joining {
  readonly files: FileEntries;
  readonly issued: Date;
  readonly allowed: Allowed;
}

/**
 * The records of both by date. A record without a reason that other bytes follow only now is there once more with the
 * maintainer's reason; without one it is a conflict.
 */
function joinedHistory(
  own: Database,
  adopted: Database,
  { files, issued, allowed }: Joining,
): { readonly history: History; readonly conflicts: readonly string[] } {
  const conflicts: string[] = [];
  const history = new Map<string, readonly Withdrawal[]>();
  const listedAs = foldedFinder(files);
  for (const path of pathsOf(own, adopted)) {
    const records = [...recordsOf(own, path), ...recordsOf(adopted, path)];
    const replaced = replacedBy(own.Files.get(path), adopted.Files.get(path));
    if (replaced !== null) records.push({ SHA256: replaced, Until: issued });
    const listed = listedAs(path);
    const reason = allowed.get(path) ?? allowed.get(listed ?? '');
    const explained = explain(records.sort(compareRecords), listed === null ? undefined : files.get(listed));
    for (const record of explained.due) {
      if (reason === undefined) conflicts.push(describe(path, record, files.get(listed ?? path)));
    }
    if (explained.records.length > 0)
      history.set(
        path,
        explained.records.map((record) => withReason(record, explained.due, reason)),
      );
  }
  return { history: sortedByPath(history), conflicts };
}

/** The hash that two final entries of one path disagree about: that of the adopted one. */
function replacedBy(own: FileEntry | undefined, adopted: FileEntry | undefined): string | null {
  if (own === undefined || adopted === undefined || own.SHA256 === adopted.SHA256) return null;
  return isFinal(own) && isFinal(adopted) ? adopted.SHA256 : null;
}

/** Each record once, and behind those that need a reason, a copy that shall get it. */
function explain(
  sorted: readonly Withdrawal[],
  listed: FileEntry | undefined,
): { readonly records: readonly Withdrawal[]; readonly due: ReadonlySet<Withdrawal> } {
  const unique = sorted.filter((record, index) => !isSameRecord(record, sorted[index - 1]));
  const due = new Set<Withdrawal>();
  const records = unique.flatMap((record, index) => {
    const next = unique[index + 1];
    const isChange = next === undefined ? isOther(record, listed) : next.SHA256 !== record.SHA256;
    if (!isChange || record.Reason !== undefined) return [record];
    const again = { ...record };
    due.add(again);
    return [record, again];
  });
  return { records, due };
}

function withReason(record: Withdrawal, due: ReadonlySet<Withdrawal>, reason = ''): Withdrawal {
  return due.has(record) ? { ...record, Reason: reason } : record;
}

function pathsOf(...databases: readonly Database[]): ReadonlySet<string> {
  return new Set(
    databases.flatMap(({ Files, Packsign: { History } }) => [...Files.keys(), ...(History?.keys() ?? [])]),
  );
}

function recordsOf({ Packsign: { History } }: Database, path: string): readonly Withdrawal[] {
  return History?.get(path) ?? [];
}

function describe(path: string, { SHA256 }: Withdrawal, listed: FileEntry | undefined): string {
  const is = listed === undefined ? '' : `\n    is  sha256 ${listed.SHA256}`;
  return `  ${path}\n    was sha256 ${SHA256}${is}`;
}

function changedBytes(conflicts: readonly string[]): PacksignError {
  return new PacksignError(
    'BYTES_CHANGED',
    ['the two databases have different bytes for the same paths:', ...conflicts].join('\n'),
    {
      hint: 'give a reason for each: add --allow-changed PATH --reason TEXT to --adopt; the file here counts, or else the entry in the database here',
    },
  );
}
