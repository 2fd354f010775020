import type { FileEntry } from './file-entry.js';
import type { FileDifference, Replaced } from './file-difference.js';
import type { Database, Packsign } from './database.js';
import { reasonFor } from './ledger.js';
import { addressOf, byAddress, comparePackages, EXECUTABLE_KEYS } from './package.js';
import type { Package } from './package.js';
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

export interface ChangedValue {
  /** A file path, a package name, or nothing for the database itself. */
  readonly of: string;
  readonly key: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** What the next database changes; if nothing was published, it adds everything. */
export function diffDatabases(update: Update): Difference {
  const { before: published, next } = update;
  const { added, withdrawn, replaced } = update.files;
  const packages = changedPackages(published?.Packages ?? [], next.Packages);
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
      ...replaced.flatMap((pair) => changedKeys(pair.path, naming(pair.before), naming(pair.after))),
      ...changedPseudoPackages(published, next),
      // Values that PackMan no longer runs are listed with the rest.
      ...packages.filter(({ key, after }) => !isExecutable(key) || after === null),
    ],
    settings: published === null ? [] : changedKeys('', maintained(published), maintained(next)),
    executable: packages.filter(({ key, after }) => isExecutable(key) && after !== null),
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

function naming({ Name, Version, Flavor, Mutable, Yanked }: FileEntry): Record<string, unknown> {
  return { Name, Version, Flavor, Mutable, Yanked };
}

function changedPackages(published: readonly Package[], next: readonly Package[]): readonly ChangedValue[] {
  const fresh = freshPackages(published, next);
  if (fresh.length === 0) return [];
  const after = byAddress(fresh);
  const before = byAddress(published.filter((entry) => after.has(addressOf(entry))));
  const changes: ChangedValue[] = [];
  after.forEach((entry, address) => {
    const old = before.get(address);
    if (old === undefined) takeExecutable(entry, changes);
    else changes.push(...changedKeys(address, { ...old }, { ...entry }));
  });
  return changes;
}

/** Of a new package, list only the values that PackMan executes. */
function takeExecutable(entry: Package, changes: ChangedValue[]): void {
  for (const key of EXECUTABLE_KEYS) {
    const after = show(entry[key]);
    if (after !== null) changes.push({ of: entry.Name, key, before: null, after });
  }
}

/** The packages that are not the published objects. Both lists have the same order. */
function freshPackages(published: readonly Package[], next: readonly Package[]): readonly Package[] {
  let at = 0;
  return next.filter((entry) => {
    let before = published[at];
    while (before !== undefined && before !== entry && comparePackages(before, entry) < 0) {
      at += 1;
      before = published[at];
    }
    return before !== entry;
  });
}

/** Packages without a file, which no path shows: only the maintainer adds and removes them. */
function changedPseudoPackages(published: Database | null, next: Database): readonly ChangedValue[] {
  const before = pseudoNames(published);
  const after = pseudoNames(next);
  const added = Array.from(after).filter((name) => !before.has(name));
  const gone = Array.from(before).filter((name) => !after.has(name));
  return [
    ...added.map((name) => ({ of: name, key: 'Name', before: null, after: name })),
    ...gone.map((name) => ({ of: name, key: 'Name', before: name, after: null })),
  ];
}

function pseudoNames(database: Database | null): ReadonlySet<string> {
  const pseudo = database?.Packages.filter((entry) => entry['Download-URL'] === undefined);
  return new Set(pseudo?.map(({ Name }) => Name));
}

function maintained({ Maintainer, Description, Include, Packsign }: Database): Record<string, unknown> {
  const { Database, Signers, Notify, Mirrors, Trusts }: Packsign = Packsign;
  return { Maintainer, Description, Include, Database, Signers, Notify, Mirrors, Trusts };
}

function changedKeys(
  of: string,
  before: Record<string, unknown>,
  after: Record<string, unknown>,
): ChangedValue[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return Array.from(keys).flatMap((key) => {
    const pair = { before: show(before[key]), after: show(after[key]) };
    return pair.before === pair.after ? [] : [{ of, key, ...pair }];
  });
}

function isExecutable(key: string): boolean {
  return (EXECUTABLE_KEYS as readonly string[]).includes(key);
}

function show(value: unknown): string | null {
  if (value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
