import type { Database } from '../model/database.js';
import { formatInstant } from '../model/time.js';

/** What changed last, as the database itself tells it: nothing else is needed to make the page again. */
export interface RecentChanges {
  readonly kind: 'first' | 'this' | 'earlier' | 'none';
  /** When; null where nothing ever did. */
  readonly day: string | null;
  readonly list: readonly Change[];
  /** How many there are beyond those listed. */
  readonly more: number;
}

export interface Change {
  readonly kind: 'added' | 'replaced' | 'withdrawn';
  readonly path: string;
  readonly reason: string | null;
}

const LIST_LIMIT = 50;

/**
 * Changes since the previous database. One that was only signed anew brought none; then those of the
 * last that did are told. `Since` dates what came, `History` what went (docs/FORMAT.md §5, §6).
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

function latestChange({ Archives, Packsign: { History } }: Database): number | null {
  let latest: number | null = null;
  const consider = (date: Date) => {
    latest = Math.max(latest ?? 0, date.getTime());
  };
  for (const { Since } of Archives.values()) consider(Since);
  for (const records of History?.values() ?? []) for (const { Until } of records) consider(Until);
  return latest;
}

function changesAt({ Archives, Packsign: { History } }: Database, ms: number): readonly Change[] {
  const changes: Change[] = [];
  const gone = new Map<string, string | null>();
  for (const [path, records] of History ?? []) {
    for (const { Until, Reason } of records) if (Until.getTime() === ms) gone.set(path, Reason ?? null);
  }
  for (const [path, { Since }] of Archives) {
    if (Since.getTime() !== ms) continue;
    const reason = gone.get(path);
    changes.push({ kind: reason === undefined ? 'added' : 'replaced', path, reason: reason ?? null });
  }
  for (const [path, reason] of gone)
    if (!Archives.has(path)) changes.push({ kind: 'withdrawn', path, reason });
  return changes;
}
