import type { Database, Withdrawal } from './database.js';
import type { Warning } from './finding.js';
import { foldedFinder } from './history-rules.js';
import { isOld, isSameRecord } from './ledger.js';
import { groupedBy } from './lists.js';
import { formatInstant } from './time.js';

/** What a reader holds the databases after an accepted one to (docs/FORMAT.md §8 step 8; threat T33). */
export interface Chain {
  /** Each listed path that is not mutable → SHA-256 of its bytes. */
  readonly files: ReadonlyMap<string, string>;
  /** Each record of `History`. */
  readonly records: readonly ChainRecord[];
}

export interface ChainRecord extends Withdrawal {
  readonly path: string;
}

/** A path of which a database does not say what became of it. */
export interface Break {
  readonly path: string;
  readonly message: string;
}

/** What to remember of a database that is accepted. */
export function chainOf({ Files, Packsign: { History } }: Database): Chain {
  const files = new Map<string, string>();
  for (const [path, { SHA256, Mutable }] of Files) if (Mutable !== true) files.set(path, SHA256);
  const records = Array.from(History ?? []).flatMap(([path, all]) =>
    all.map((record) => ({ path, ...record })),
  );
  return { files, records };
}

export interface Remembered {
  /** `Issued` of the accepted database. */
  readonly issued: Date;
  readonly chain: Chain;
}

/** How a database continues the accepted one. */
export interface Continuation {
  readonly breaks: readonly Break[];
  /** What a reader should hear once: with the next database, this one is the accepted one. */
  readonly changes: readonly Warning[];
}

/**
 * Compares with the accepted database. If that is so old that records of what happened since may be gone, a database need
 * not account for anything.
 */
export function continuationOf(remembered: Remembered): (database: Database) => Continuation {
  const { issued, chain } = remembered;
  const code = 'FILE_REPLACED' as const;
  const date = formatInstant(issued);
  const message = `has other bytes than in the database of ${date}, which was accepted so long ago that nothing says why`;
  return (database) =>
    isOld(issued, database.Packsign.Issued)
      ? { breaks: [], changes: changedSince(database, chain).map((path) => ({ code, path, message })) }
      : { breaks: breaksIn(database, remembered), changes: newReasons(database, chain) };
}

/** Whether a database accounts for all that another one listed and recorded. */
export function continues(database: Database, before: Database): boolean {
  const remembered = { issued: before.Packsign.Issued, chain: chainOf(before) };
  return continuationOf(remembered)(database).breaks.length === 0;
}

/** Where a database does not continue the accepted one. */
export function breaksIn(database: Database, { issued, chain }: Remembered): readonly Break[] {
  return [...lostFiles(database, { issued, chain }), ...lostRecords(database, chain)];
}

function lostFiles({ Files, Packsign }: Database, { issued, chain }: Remembered): Break[] {
  const breaks: Break[] = [];
  for (const [path, sha256] of chain.files) {
    const entry = Files.get(path);
    if (entry?.SHA256 === sha256 && entry.Mutable !== true) continue;
    const records = Packsign.History?.get(path) ?? [];
    if (records.some(({ SHA256, Until }) => SHA256 === sha256 && Until > issued)) continue;
    const what =
      entry === undefined
        ? 'is gone'
        : entry.SHA256 !== sha256
          ? `has other bytes (sha256 was ${sha256}, is ${entry.SHA256})`
          : 'may change from now on';
    breaks.push({ path, message: `${what}, and no record says so` });
  }
  return breaks;
}

function lostRecords({ Packsign: { History, Issued } }: Database, { records }: Chain): Break[] {
  return records
    .filter((record) => !isOld(record.Until, Issued) && !isKept(record, History?.get(record.path)))
    .map(({ path, SHA256 }) => ({ path, message: `its record of sha256 ${SHA256} is gone or altered` }));
}

function isKept(record: Withdrawal, all: readonly Withdrawal[] = []): boolean {
  return all.some((one) => isSameRecord(record, one));
}

/** Listed paths with other bytes than the accepted database had, whatever the reason. */
export function changedSince({ Files }: Database, { files }: Chain): readonly string[] {
  const listedAs = foldedFinder(Files);
  return Array.from(files).flatMap(([path, sha256]) => {
    const listed = listedAs(path);
    return listed !== null && Files.get(listed)?.SHA256 !== sha256 ? [listed] : [];
  });
}

/** The reasons that a reader has not seen before, of listed paths. */
export function newReasons(
  { Files, Packsign: { History } }: Database,
  { records }: Chain,
): readonly Warning[] {
  const seen = groupedBy(records, ({ path }) => path);
  const listedAs = foldedFinder(Files);
  return Array.from(History ?? []).flatMap(([path, all]) =>
    listedAs(path) !== null
      ? all.flatMap(({ Reason, ...record }) =>
          Reason === undefined || isKept({ ...record, Reason }, seen.get(path))
            ? []
            : [{ code: 'FILE_REPLACED', path, message: `its maintainer changed it: ${Reason}` }],
        )
      : [],
  );
}
