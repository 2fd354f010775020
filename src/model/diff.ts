import { changedKeys } from './changed-value.js';
import type { ChangedValue } from './changed-value.js';
import type { FileDifference, Replaced } from './file-difference.js';
import type { Database, Packsign } from './database.js';
import { lostHistory, reasonFor } from './ledger.js';
import { packManVersion } from './package.js';
import { changedPackages } from './package-changes.js';
import { formatInstant } from './time.js';
import type { Update } from './update.js';

/** How one database differs from the one before it, with sorted paths and names. */
export interface Difference extends Pick<FileDifference, 'added' | 'withdrawn'> {
  /** Listed paths with other bytes, or with bytes that may change from now on. */
  readonly changed: readonly ChangedBytes[];
  readonly metadata: readonly ChangedValue[];
  /** Top-level and `Packsign` keys that the maintainer sets. */
  readonly settings: readonly ChangedValue[];
  /** New or changed values that PackMan executes, in full. */
  readonly executable: readonly ChangedValue[];
}

export interface ChangedBytes extends Replaced {
  /** The maintainer's reason, or null. */
  readonly reason: string | null;
}

/**
 * What the next database changes; if nothing was published, it adds everything. `continued` is about what it goes on from,
 * which is more than the published one if another database joins it.
 */
export function diffDatabases(update: Update, continued: Update = update): Difference {
  const { before: published, next } = update;
  const { added, withdrawn, replaced } = update.files;
  const changes = replaced.map((pair) => ({ ...pair, values: changedEntry(pair, next) }));
  const described = changes.filter(({ values }) => values.some(({ key }) => NAMING.has(key)));
  const packages = changedPackages(update, new Set(described.map(({ path }) => path)));
  return {
    added,
    withdrawn,
    changed: replaced
      .filter(
        ({ before, after }) =>
          before.SHA256 !== after.SHA256 || (before.Mutable ?? false) < (after.Mutable ?? false),
      )
      .map((pair) => ({ ...pair, reason: reasonFor(pair.path, update) })),
    metadata: [
      ...changes.flatMap(({ values }) => values),
      ...packages.metadata,
      ...earlierDates(continued),
      ...changedRecords(continued),
    ],
    settings:
      published === null
        ? []
        : [
            ...changedKeys('', maintained(published), maintained(next)),
            ...changedExpiry(published, next),
            ...packages.settings,
          ],
    executable: packages.executable,
  };
}

export const NO_DIFFERENCE: Difference = {
  added: [],
  withdrawn: [],
  changed: [],
  metadata: [],
  settings: [],
  executable: [],
};

/** What an entry of `Packages` follows from, besides the bytes. */
const NAMING: ReadonlySet<string> = new Set([
  ...['Name', 'Version', 'Flavor', 'Platform', 'Mutable', 'Yanked'],
]);

/** What differs in the entry of a file, but for what is always so with other bytes. */
function changedEntry({ path, before, after }: Replaced, { Packsign: { Issued } }: Database): ChangedValue[] {
  const isOther = before.SHA256 !== after.SHA256;
  const isDated = isOther && after.Since.getTime() === Issued.getTime();
  const changes = changedKeys(path, before, after);
  return changes.filter(
    ({ key }) => key !== 'SHA256' && !(isOther && key === 'Size') && !(isDated && key === 'Since'),
  );
}

function maintained({ Version, Packages, ...database }: Database): Record<string, unknown> {
  const { Maintainer, Description, Include, Packsign } = database;
  const { Database, Signers, Notify, Mirrors, Trusts }: Packsign = Packsign;
  // PackMan's format follows from the packages.
  const format = Version === packManVersion(Packages) ? undefined : Version;
  return {
    ...{ Version: format, Maintainer, Description, Include },
    ...{ Database, Signers, Notify, Mirrors, Trusts },
  };
}

/** The end of freshness, unless the database is fresh for as long as the one before. */
function changedExpiry({ Packsign: before }: Database, { Packsign: after }: Database): ChangedValue[] {
  if (validityMs(before) === validityMs(after)) return [];
  return changedKeys('', { Expires: before.Expires }, { Expires: after.Expires });
}

function validityMs({ Issued, Expires }: Packsign): number {
  return Expires === undefined ? Infinity : Expires.getTime() - Issued.getTime();
}

/** New files that are dated otherwise than the database that lists them first. */
function earlierDates({ before, next: { Files, Packsign }, files }: Update): ChangedValue[] {
  if (before === null) return [];
  return files.added.flatMap((path) => {
    const Since = Files.get(path)?.Since;
    return Since?.getTime() === Packsign.Issued.getTime() ? [] : changedKeys(path, {}, { Since });
  });
}

/** Records of former files that do not follow from the files. */
function changedRecords(update: Update): ChangedValue[] {
  if (update.before === null) return [];
  const recordsOf = (database: Database | null, path: string) =>
    database?.Packsign.History?.get(path)?.map(({ Until, ...record }) => ({
      ...record,
      Until: formatInstant(Until),
    }));
  return lostHistory(update).flatMap((path) =>
    changedKeys(path, { History: recordsOf(update.before, path) }, { History: recordsOf(update.next, path) }),
  );
}
