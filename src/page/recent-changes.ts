import type { Database } from '../model/database.js';
import { formatInstant } from '../model/time.js';

/** The last changes according to the database itself, so that the page depends on nothing else. */
export interface RecentChanges {
  readonly kind: 'first' | 'this' | 'earlier' | 'none';
  /** When they happened; null for none. */
  readonly day: string | null;
  readonly list: readonly Change[];
  /** How many changes there are beyond the list. */
  readonly more: number;
}

export interface Change {
  readonly kind: 'added' | 'replaced' | 'withdrawn';
  readonly path: string;
  readonly reason: string | null;
}

const LIST_LIMIT = 50;

/**
 * The changes since the previous database. A database that was only signed again has none; then the last changes before
 * it. `Since` dates new files, `History` withdrawn ones (docs/FORMAT.md §5, §6).
 */
export function latestChanges(database: Database): RecentChanges {
  const { Issued, Previous } = database.Packsign;
  const latestMs = latestChange(database);
  if (latestMs === null) return { kind: 'none', day: null, list: [], more: 0 };
  const all = changesAt(database, latestMs);
  const isThis = latestMs === Issued.getTime();
  return {
    kind: isThis ? (Previous === undefined ? 'first' : 'this') : 'earlier',
    day: formatInstant(new Date(latestMs)).slice(0, 10),
    list: all.slice(0, LIST_LIMIT),
    more: Math.max(0, all.length - LIST_LIMIT),
  };
}

function latestChange({ Files, Packsign: { History } }: Database): number | null {
  let latest: number | null = null;
  const consider = (date: Date) => {
    latest = Math.max(latest ?? 0, date.getTime());
  };
  for (const { Since } of Files.values()) consider(Since);
  for (const records of History?.values() ?? []) for (const { Until } of records) consider(Until);
  return latest;
}

function changesAt({ Files, Packsign: { History } }: Database, ms: number): readonly Change[] {
  const gone = new Map<string, string | null>();
  for (const [path, records] of History ?? []) {
    for (const { Until, Reason } of records) if (Until.getTime() === ms) gone.set(path, Reason ?? null);
  }
  const came = Array.from(Files).filter(([, { Since }]) => Since.getTime() === ms);
  const went = Array.from(gone).filter(([path]) => !Files.has(path));
  return [
    ...came.map(([path]): Change => {
      return { kind: gone.has(path) ? 'replaced' : 'added', path, reason: gone.get(path) ?? null };
    }),
    ...went.map(([path, reason]): Change => ({ kind: 'withdrawn', path, reason })),
  ];
}
