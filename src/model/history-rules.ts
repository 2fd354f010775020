import { foldPath } from './file-entry.js';
import type { FileEntries, FileEntry } from './file-entry.js';
import type { Database, Withdrawal } from './database.js';
import { compareText } from './package.js';
import { formatInstant } from './time.js';

/** The most records that a database may have (docs/FORMAT.md §9). */
export const RECORD_LIMIT = 250_000;

/**
 * What is wrong with the dates and records of a database by themselves (docs/FORMAT.md §6, `History`; threat T33); null
 * if nothing is. That bytes changed without a reason is `changeWithoutReason`: a database that waits for one has it.
 */
export function defectOfHistory({ Files, Packsign: { Issued, History } }: Database): string | null {
  const issuedMs = Issued.getTime();
  for (const [path, { Since }] of Files) {
    if (Since.getTime() > issuedMs)
      return `${path} is dated ${formatInstant(Since)}, later than the database`;
  }
  let count = 0;
  for (const [path, records] of History ?? []) {
    count += records.length;
    if (records.length === 0) return `the history of ${path} is empty`;
    for (const [index, record] of records.entries()) {
      if (record.Until.getTime() > issuedMs) {
        return `a record of ${path} is dated ${formatInstant(record.Until)}, later than the database`;
      }
      const before = records[index - 1];
      const defect = before === undefined ? null : defectBetween(before, record);
      if (defect !== null) return `the history of ${path} ${defect}`;
    }
  }
  return count > RECORD_LIMIT ? `more than ${RECORD_LIMIT} records` : null;
}

function defectBetween(before: Withdrawal, record: Withdrawal): string | null {
  if (compareRecords(before, record) >= 0) return 'must be sorted by date, each record once';
  const isChange = before.SHA256 !== record.SHA256;
  return isChange && before.Reason === undefined
    ? 'has other bytes in its next record, without a reason'
    : null;
}

/** Oldest first; records of one date by hash, then by reason. */
export function compareRecords(a: Withdrawal, b: Withdrawal): number {
  return (
    a.Until.getTime() - b.Until.getTime() ||
    compareText(a.SHA256, b.SHA256) ||
    compareText(a.Reason ?? '', b.Reason ?? '')
  );
}

/** A listed path whose history says that it held other bytes, or was not mutable, and gives no reason; null if none is. */
export function changeWithoutReason({ Files, Packsign: { History } }: Database): string | null {
  if (History === undefined) return null;
  const listedAs = foldedFinder(Files);
  for (const [path, records] of History) {
    const listed = listedAs(path);
    const newest = records.at(-1);
    if (listed === null || newest === undefined || newest.Reason !== undefined) continue;
    if (isOther(newest, Files.get(listed))) return listed;
  }
  return null;
}

/** Whether an entry is not what a record says that its path held: other bytes, or bytes that may change. */
export function isOther({ SHA256 }: Pick<Withdrawal, 'SHA256'>, entry: FileEntry | undefined): boolean {
  return entry !== undefined && (entry.Mutable === true || entry.SHA256 !== SHA256);
}

/** Finds the listed path that is the same but for the case of ASCII letters; there is at most one. */
export function foldedFinder(files: FileEntries): (path: string) => string | null {
  const withCapitals = new Map<string, string>();
  for (const path of files.keys()) {
    const folded = foldPath(path);
    if (folded !== path) withCapitals.set(folded, path);
  }
  return (path) => {
    if (files.has(path)) return path;
    const folded = foldPath(path);
    return files.has(folded) ? folded : (withCapitals.get(folded) ?? null);
  };
}
