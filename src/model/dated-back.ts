import type { Database, Withdrawal } from './database.js';
import { SLACK_MS, wholeSeconds } from './time.js';

const SECOND_MS = 1000;

/** Whether no reader with a right clock takes a database yet (docs/FORMAT.md §8 step 7). */
export function isFromFuture({ Packsign: { Issued } }: Database, now: Date): boolean {
  return isAhead(Issued, now);
}

/** Whether a database of this date is one from the future. */
export function isAhead(issued: Date, now: Date): boolean {
  return issued.getTime() > now.getTime() + SLACK_MS;
}

/**
 * When databases from the future count as issued for the next one, which is a second later: now, or so many seconds later
 * that every record of theirs gets a date after now.
 */
export function dateBefore(databases: readonly Database[], now: Date): Date {
  const from = wholeSeconds(now).getTime();
  const counts = databases.flatMap(({ Packsign: { History } }) =>
    Array.from(History?.values() ?? [], (records) => laterThan(records, from)),
  );
  const most = counts.reduce((a, b) => Math.max(a, b), 0);
  return new Date(from + most * SECOND_MS);
}

/**
 * A database as if it had been issued no later than at this time (docs/FORMAT.md §6, *A database from the future*):
 * records of one path keep their order, a second apart. It is fresh for as long.
 */
export function datedBack(database: Database, latest: Date): Database {
  const { Files, Packsign } = database;
  const { Issued, Expires, History } = Packsign;
  const limit = latest.getTime();
  if (Issued.getTime() <= limit) return database;
  const files = Array.from(Files, ([path, entry]) => {
    return [path, entry.Since.getTime() > limit ? { ...entry, Since: latest } : entry] as const;
  });
  const history = Array.from(History ?? [], ([path, records]) => {
    const first = records.length - laterThan(records, limit);
    const back = records.map((record, index) => {
      const Until = new Date(limit - (records.length - 1 - index) * SECOND_MS);
      return index < first ? record : { ...record, Until };
    });
    return [path, back] as const;
  });
  return {
    ...database,
    Files: new Map(files),
    Packsign: {
      ...Packsign,
      Issued: latest,
      ...(Expires === undefined ? {} : { Expires: new Date(limit + Expires.getTime() - Issued.getTime()) }),
      ...(History === undefined ? {} : { History: new Map(history) }),
    },
  };
}

/** How many records are dated later. They are sorted by date. */
function laterThan(records: readonly Withdrawal[], ms: number): number {
  return records.filter(({ Until }) => Until.getTime() > ms).length;
}
