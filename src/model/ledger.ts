import type { FileEntry, FileEntries } from './file-entry.js';
import { compareFiles } from './file-difference.js';
import type { Database, History, Withdrawal } from './database.js';
import type { Warning } from './finding.js';

/** File path → SHA-256 of its current bytes. */
export type Hashes = ReadonlyMap<string, string>;

export interface LedgerOptions {
  /** `Issued` of the new database. */
  readonly issued: Date;
  /** File path → why the maintainer lets its bytes change. */
  readonly allowed: ReadonlyMap<string, string>;
}

/**
 * Continues `History`. Adds files that are gone, and files that changed with the maintainer's reason; any other change is
 * a warning that stops publication (docs/FORMAT.md §6, immutability; threat T14).
 */
export function carryHistory(
  published: Database | null,
  files: FileEntries,
  { issued, allowed }: LedgerOptions,
): { readonly history: History; readonly warnings: readonly Warning[] } {
  const before: History = published?.Packsign.History ?? new Map<string, never>();
  const history = new Map<string, readonly Withdrawal[]>(before);
  const warnings: Warning[] = [];
  const { added, withdrawn, replaced } = compareFiles(published?.Files, files);
  const withdraw = (path: string, SHA256: string) => {
    const reason = allowed.get(path);
    const record = { SHA256, Until: issued, ...(reason === undefined ? {} : { Reason: reason }) };
    history.set(path, [...(history.get(path) ?? []), record]);
  };
  for (const path of withdrawn) withdraw(path, published?.Files.get(path)?.SHA256 ?? '');
  for (const { path, before: listed, after } of replaced) {
    if (after.SHA256 === listed.SHA256) continue;
    if (allowed.has(path)) withdraw(path, listed.SHA256);
    else warnings.push(bytesChanged(path, listed.SHA256, after.SHA256));
  }
  for (const path of added) {
    const now = files.get(path)?.SHA256 ?? '';
    const records = before.get(path) ?? [];
    const newest = records.at(-1);
    if (newest === undefined || newest.SHA256 === now) continue;
    const reason = allowed.get(path);
    if (reason === undefined) warnings.push(bytesChanged(path, newest.SHA256, now));
    else history.set(path, [...records.slice(0, -1), { ...newest, Reason: reason }]);
  }
  return { history: sortedByPath(history), warnings };
}

/** When these bytes were first listed (again) under their path: the published date, or else this database's. */
export function sinceOf(listed: FileEntry | undefined, sha256: string, issued: Date): Date {
  return listed?.SHA256 === sha256 ? listed.Since : issued;
}

/**
 * Paths whose bytes a database changes without giving a reason: the bytes differ from those listed, or from the last
 * listed before, and no new record says so.
 */
export function changedBytes(published: Database | null, next: Database): readonly string[] {
  if (published === null) return [];
  const { added, replaced } = compareFiles(published.Files, next.Files);
  return [...replaced.map(({ path }) => path), ...added].filter(
    (path) => !isAccountedFor(path, published, next),
  );
}

/** Whether the bytes of a path are unchanged, or the database gives a reason. */
export function isAccountedFor(path: string, published: Database, next: Database): boolean {
  const now = next.Files.get(path)?.SHA256;
  const listed = published.Files.get(path);
  const before = published.Packsign.History?.get(path) ?? [];
  const records = next.Packsign.History?.get(path) ?? [];
  if (listed !== undefined) {
    // Only a new record counts: an old one may be about an earlier replacement of the same bytes.
    const added = records.slice(before.length);
    return listed.SHA256 === now || added.some(({ SHA256 }) => SHA256 === listed.SHA256);
  }
  const newest = before.at(-1);
  if (newest === undefined || newest.SHA256 === now) return true;
  const record = records.at(-1);
  return record?.SHA256 === newest.SHA256 && record.Reason !== undefined && record.Reason !== newest.Reason;
}

/** Paths whose records a database drops: History must only grow. */
export function lostHistory(published: Database | null, next: Database): readonly string[] {
  const before = published?.Packsign.History ?? new Map<string, readonly Withdrawal[]>();
  return Array.from(before.keys()).filter((path) => {
    const kept = next.Packsign.History?.get(path) ?? [];
    return (before.get(path) ?? []).some(({ SHA256 }, index) => kept[index]?.SHA256 !== SHA256);
  });
}

function bytesChanged(path: string, before: string, now: string): Warning {
  const message = `other bytes than before: sha256 was ${before}, is ${now}`;
  return { code: 'BYTES_CHANGED', path, message };
}

export function sortedByPath<T>(map: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  return new Map(Array.from(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The hashes that a database lists. */
export function hashesOf(files: FileEntries): Hashes {
  return new Map(Array.from(files, ([path, { SHA256 }]) => [path, SHA256]));
}
