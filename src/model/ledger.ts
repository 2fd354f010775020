import { PacksignError } from '../errors.js';
import type { FileEntry, FileEntries } from './file-entry.js';
import type { FileDifference } from './file-difference.js';
import type { Database, History, Withdrawal } from './database.js';
import type { Warning } from './finding.js';
import { RECORD_LIMIT, foldedFinder, isOther } from './history-rules.js';
import type { Update } from './update.js';

export interface LedgerOptions {
  /** `Issued` of the new database. */
  readonly issued: Date;
  /** File path → why the maintainer lets its bytes change. */
  readonly allowed: ReadonlyMap<string, string>;
  /** Of `files` from the published ones. */
  readonly difference: FileDifference;
}

/** Bytes that a path held, and that the next database has to record. */
interface Ending {
  readonly path: string;
  readonly sha256: string;
  /** The listed path that now has other bytes, or bytes that may change, so that a reason is due; else null. */
  readonly changed: string | null;
}

const NO_RECORDS: readonly Withdrawal[] = [];

/**
 * Continues `History`. Records what is gone, and what changed with the maintainer's reason; any other change is a warning
 * that stops publication (docs/FORMAT.md §6, immutability; threats T14, T33).
 */
export function carryHistory(
  published: Database | null,
  files: FileEntries,
  { issued, allowed, difference }: LedgerOptions,
): { readonly history: History; readonly warnings: readonly Warning[] } {
  const before = historyOf(published);
  const history = new Map<string, readonly Withdrawal[]>(before);
  const warnings: Warning[] = [];
  for (const { path, sha256, changed } of endings(published, files, difference)) {
    const reason = allowed.get(path) ?? allowed.get(changed ?? '');
    if (changed !== null && reason === undefined) {
      warnings.push(bytesChanged(changed, sha256, files.get(changed)));
      continue;
    }
    const record = { SHA256: sha256, Until: issued, ...(reason === undefined ? {} : { Reason: reason }) };
    history.set(path, [...(before.get(path) ?? NO_RECORDS), record]);
  }
  return { history: sortedByPath(history), warnings };
}

function requireFew(history: History): void {
  let count = 0;
  for (const records of history.values()) count += records.length;
  if (count <= RECORD_LIMIT) return;
  throw new PacksignError(
    'SETTINGS_INVALID',
    `more than the ${RECORD_LIMIT} records of former files that a database may have`,
    { hint: 'list files that are replaced all the time under one name, with "Mutable" in packsign.json' },
  );
}

function historyOf(database: Database | null): History {
  return database?.Packsign.History ?? new Map<string, never>();
}

/** What the database after `published` has to record, by what it lists: at most one record for each path. */
function* endings(
  published: Database | null,
  files: FileEntries,
  { added, withdrawn, replaced }: FileDifference,
): Generator<Ending> {
  if (published === null) return;
  const before = historyOf(published);
  if (before.size + withdrawn.length + replaced.length === 0) return;
  const listedAs = foldedFinder(files);
  const other = (path: string, sha256: string): string | null => {
    const listed = listedAs(path);
    return listed !== null && isOther({ SHA256: sha256 }, files.get(listed)) ? listed : null;
  };
  for (const path of withdrawn) {
    const listed = published.Files.get(path);
    if (listed === undefined || listed.Mutable === true) continue;
    yield { path, sha256: listed.SHA256, changed: other(path, listed.SHA256) };
  }
  for (const { path, before: listed, after } of replaced) {
    if (listed.Mutable !== true && isOther(listed, after))
      yield { path, sha256: listed.SHA256, changed: path };
  }
  const isAdded = new Set(added);
  for (const [path, records] of before) {
    // If it was listed, what it listed counts.
    if (published.Files.has(path) && published.Files.get(path)?.Mutable !== true) continue;
    const newest = records.at(-1);
    const changed = newest === undefined ? null : other(path, newest.SHA256);
    if (newest === undefined || changed === null) continue;
    const isMutable = files.get(changed)?.Mutable === true;
    // An old reason lets bytes become mutable. It is none for a file that appears with other bytes again.
    const isDue = newest.Reason === undefined || (path === changed && isAdded.has(path) && !isMutable);
    if (isDue) yield { path, sha256: newest.SHA256, changed };
  }
}

/** When these bytes were first listed (again) under their path: the published date, or else this database's. */
export function sinceOf(listed: FileEntry | undefined, sha256: string, issued: Date): Date {
  return listed?.SHA256 === sha256 ? listed.Since : issued;
}

/** Bytes that were replaced, or may change from now on, without a reason. */
export interface Unexplained {
  /** The path that held them. */
  readonly path: string;
  readonly sha256: string;
  /** The listed path, which may differ in case. */
  readonly changed: string;
}

/**
 * What a database changes, or lets change, without giving a reason: no new record says so, dated as the database is. One
 * for each listed path.
 */
export function unexplained(update: Update): readonly Unexplained[] {
  const { before, next, files } = update;
  const found = new Map<string, Unexplained>();
  for (const ending of endings(before, next.Files, files)) {
    const { changed } = ending;
    if (changed !== null && !isRecorded(ending, update)) found.set(changed, { ...ending, changed });
  }
  return Array.from(found.values());
}

/** The listed paths of these. */
export function changedBytes(update: Update): readonly string[] {
  return unexplained(update).map(({ changed }) => changed);
}

function isRecorded({ path, sha256, changed }: Ending, update: Update): boolean {
  const { Issued } = update.next.Packsign;
  return addedRecords(path, update).some(
    ({ SHA256, Until, Reason }) =>
      SHA256 === sha256 && Until.getTime() === Issued.getTime() && (changed === null || Reason !== undefined),
  );
}

/** Only a new record counts: an old one may be about an earlier replacement of the same bytes. */
function addedRecords(path: string, { before, next }: Update): readonly Withdrawal[] {
  const kept = keptRecords(path, before, next);
  return (next.Packsign.History?.get(path) ?? NO_RECORDS).slice(kept.length);
}

/** The reason that a database gives for the change of a path; null if it gives none. */
export function reasonFor(path: string, update: Update): string | null {
  return addedRecords(path, update).at(-1)?.Reason ?? null;
}

/** Paths whose records a database drops, alters or invents: it must only add what `endings` says. */
export function lostHistory(update: Update): readonly string[] {
  const { before: published, next, files } = update;
  const due = new Map(Array.from(endings(published, next.Files, files), (one) => [one.path, one]));
  const before = historyOf(published);
  const after = historyOf(next);
  const paths = new Set([...before.keys(), ...after.keys(), ...due.keys()]);
  return Array.from(paths).filter((path) => {
    const ending = due.get(path);
    const kept = keptRecords(path, published, next);
    const records = after.get(path) ?? NO_RECORDS;
    if (!kept.every((record, index) => isSameRecord(record, records[index]))) return true;
    return (
      records.length - kept.length !== (ending === undefined ? 0 : 1) ||
      (ending !== undefined && !isRecorded(ending, update))
    );
  });
}

export function isSameRecord(a: Withdrawal, b: Withdrawal | undefined): boolean {
  return a.SHA256 === b?.SHA256 && a.Until.getTime() === b.Until.getTime() && a.Reason === b.Reason;
}

/** How long a record of a path that is not listed stays (docs/FORMAT.md §6). */
const KEPT_MS = 730 * 24 * 60 * 60 * 1000;

/**
 * The database without the records that are old enough to go, which alone is no reason to publish. Throws
 * SETTINGS_INVALID for more records than a database may have.
 */
export function withoutOldRecords(database: Database): Database {
  const { Files, Packsign } = database;
  const { History, ...packsign } = Packsign;
  if (History === undefined) return database;
  const history = new Map<string, readonly Withdrawal[]>();
  for (const [path, records] of History) {
    const kept = Files.has(path) ? records : records.filter(({ Until }) => !isOld(Until, packsign.Issued));
    if (kept.length > 0) history.set(path, kept);
  }
  requireFew(history);
  return { ...database, Packsign: history.size === 0 ? packsign : { ...packsign, History: history } };
}

export function isOld(until: Date, issued: Date): boolean {
  return issued.getTime() - until.getTime() > KEPT_MS;
}

/** The published records of a path that the next database has to keep: it may have dropped old ones. */
function keptRecords(path: string, published: Database | null, next: Database): readonly Withdrawal[] {
  const before = historyOf(published).get(path) ?? NO_RECORDS;
  const [first] = next.Packsign.History?.get(path) ?? NO_RECORDS;
  if (
    next.Files.has(path) ||
    (first !== undefined && before[0] !== undefined && isSameRecord(before[0], first))
  ) {
    return before;
  }
  return before.filter(({ Until }) => !isOld(Until, next.Packsign.Issued));
}

function bytesChanged(path: string, before: string, now: FileEntry | undefined): Warning {
  const message =
    now?.Mutable === true
      ? `may change from now on ("Mutable"), and its bytes were published as final: sha256 was ${before}`
      : `other bytes than before: sha256 was ${before}, is ${now?.SHA256 ?? ''}`;
  return { code: 'BYTES_CHANGED', path, message };
}

export function sortedByPath<T>(map: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  return new Map(Array.from(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}
