import type { Database } from '../model/database.js';
import { foldPath } from '../model/file-entry.js';
import { DATABASE_NAME } from '../model/layout.js';
import { compareText } from '../model/package.js';
import { folderFinder } from '../model/split-folders.js';
import { parseInstant } from '../model/time.js';
import type { Predecessor } from './continues.js';
import type { Journal } from './journal.js';
import type { Item, Outbound } from './outbound.js';
import type { Listing, Stored } from '../model/listing.js';
import type { Outgoing } from './remote.js';

/** The steps of a publication, in their order (docs/FORMAT.md §1). What one step writes may be written in any order. */
export const STEP_NAMES = [
  'files',
  'keys',
  'signatures',
  'replaced files',
  'database',
  'copies',
  'companions',
  'page',
  'revocations',
  'removals',
] as const;

export interface Step {
  readonly name: (typeof STEP_NAMES)[number];
  readonly writes: readonly Outgoing[];
  readonly removes: readonly string[];
}

export interface Plan {
  /** Those that have something to do. */
  readonly steps: readonly Step[];
  /** Paths that are listed and lie neither here nor there. */
  readonly lost: readonly string[];
  /** Paths at the destination that we put there and no longer have. */
  readonly missed: readonly string[];
}

/** What is known of a destination before anything there is read but its database. */
export interface Known {
  readonly before: Predecessor | null;
  readonly listing: Listing;
  readonly journal: Journal;
  /** Whether this very object was hashed at the store, with that result. */
  readonly isHashed: (path: string, stored: Stored, sha256: string) => boolean;
}

export interface PlanOptions extends Known {
  readonly earlyKeys: readonly Item[];
  /** Paths of the doubtful files that have other bytes there. */
  readonly differing: ReadonlySet<string>;
  /** How old a file that is gone has to be before it is removed, in milliseconds; null removes nothing. */
  readonly keepOldMs: number | null;
  readonly now: Date;
}

/** What has to be done, and in which order, so that readers never see half of it. */
export function planOf(outbound: Outbound, options: PlanOptions): Plan {
  const { before, listing, differing } = options;
  const { sent, others } = ownJournal(options);
  const isThere = ({ path, size }: Item) => listing.get(path)?.size === size && !differing.has(path);
  const dueListed = outbound.listed.filter((item) => !isThere(item));
  const dueOthers = (items: readonly Item[]) =>
    items.filter(
      ({ path, size, sha256 }) => listing.get(path)?.size !== size || (sent[path] ?? others[path]) !== sha256,
    );
  const outgoing = (item: Item): Outgoing => ({ ...item, over: overOf(listing, item.path) });
  // What is there under the name has to stay until the last moment: readers of the database of before want it.
  const listedBefore = before?.database?.Files;
  const isReplaced = ({ path }: Item) => listing.has(path) && listedBefore?.has(path) === true;
  const isSame = before?.found.sha256 === outbound.database.sha256;
  const late = isSameKeys(options.earlyKeys, outbound.keys) ? [] : outbound.keys;
  const writes: Partial<Record<Step['name'], readonly Item[]>> = {
    files: dueListed.filter((item) => !isReplaced(item)),
    keys: dueOthers(options.earlyKeys),
    signatures: dueOthers(outbound.signatures),
    'replaced files': dueListed.filter(isReplaced).sort((a, b) => compareText(a.path, b.path)),
    database: isSame ? [] : [outbound.database],
    copies: dueOthers(outbound.copies),
    companions: dueOthers(outbound.companions),
    page: dueOthers(outbound.page),
    revocations: late,
  };
  const missed = missedOf(outbound, options);
  const steps = STEP_NAMES.map((name): Step => {
    const removes = name === 'removals' ? removable(missed, outbound.signed.database, options) : [];
    return { name, removes, writes: (writes[name] ?? []).map(outgoing) };
  });
  return {
    steps: steps.filter(({ writes: due, removes }) => due.length + removes.length > 0),
    lost: absentItems(outbound).flatMap((item) => (isThere(item) ? [] : [item.path])),
    missed,
  };
}

function overOf(listing: Listing, path: string): Outgoing['over'] {
  const stored = listing.get(path);
  if (stored === undefined) return 'nothing';
  return stored.etag === null ? 'anything' : { etag: stored.etag };
}

function isSameKeys(a: readonly Item[], b: readonly Item[]): boolean {
  return a.every(({ path, sha256 }) => b.some((one) => one.path === path && one.sha256 === sha256));
}

type OwnJournal = Pick<Journal, 'sent' | 'others'>;

/** What the journal says of files there. Somebody else who published since may have replaced them. */
function ownJournal({ before, journal }: Known): OwnJournal {
  return journal.last === (before?.found.sha256 ?? null) ? journal : { sent: {}, others: {} };
}

/**
 * Whether a listed file is known to be at the destination. What is older than the database there is as that says, if our
 * journal says no other. What is younger may be from another machine that was killed before it wrote its own; a bucket
 * has too much to read again what this machine sent.
 */
function isKnown({ path, sha256 }: Item, known: Known & OwnJournal): boolean {
  const { before, listing, sent, others } = known;
  const stored = listing.get(path);
  if (stored === undefined) return false;
  const isSettled = stored.modifiedMs <= (listing.get(DATABASE_NAME)?.modifiedMs ?? -Infinity);
  const said = sent[path] ?? (isSettled ? before?.database?.Files.get(path)?.SHA256 : others[path]);
  const isSaid = said === sha256 && (isSettled || stored.etag !== null);
  return isSaid || known.isHashed(path, stored, sha256);
}

/** Listed files of which the destination has to be asked for the bytes: it has some as large. */
export function doubtfulOf(outbound: Outbound, known: Known): readonly Item[] {
  const { sent, others } = ownJournal(known);
  const ours = { ...known, sent, others };
  return [...outbound.listed, ...absentItems(outbound)].filter(
    (item) => known.listing.get(item.path)?.size === item.size && !isKnown(item, ours),
  );
}

/** The listed files that do not lie here. */
export function absentItems({ absent, signed }: Outbound): readonly Item[] {
  const { Files } = signed.database;
  return absent.flatMap((path) => {
    const entry = Files.get(path);
    return entry === undefined ? [] : [{ path, size: entry.Size, sha256: entry.SHA256, bytes: null }];
  });
}

/** Files at the destination that we put there, or that a database of ours listed, and that we no longer have. */
function missedOf(outbound: Outbound, { before, listing, journal }: PlanOptions): readonly string[] {
  const { Files, Packsign } = outbound.signed.database;
  const staying = [...othersOf(outbound).map(({ path }) => path), ...Files.keys()];
  const ours = new Set([
    ...Object.keys(journal.others),
    ...Object.keys(journal.missed),
    ...(before?.database?.Files.keys() ?? []),
    ...(Packsign.History?.keys() ?? []),
  ]);
  for (const path of staying) ours.delete(path);
  const there = Array.from(ours).filter((path) => listing.has(path));
  if (there.length === 0) return there;
  // A destination that ignores case has one file where two names differ by nothing else.
  const stays = new Set(staying.map(foldPath));
  const databaseOf = folderFinder(databasesIn(listing));
  return there.filter((path) => !stays.has(foldPath(path)) && databaseOf(path) === '').sort();
}

/** The folders at the destination that have a database of their own, to which the files in them belong. */
function databasesIn(listing: Listing): readonly string[] {
  const end = `/${DATABASE_NAME}`;
  return Array.from(listing.keys()).flatMap((path) =>
    path.endsWith(end) ? [path.slice(0, -end.length)] : [],
  );
}

function removable(
  missed: readonly string[],
  { Packsign: { History } }: Database,
  { journal, keepOldMs, now }: PlanOptions,
): readonly string[] {
  if (keepOldMs === null) return [];
  return missed.filter((path) => {
    // A path of the history may have been mutable since, and then nothing but the journal says when it went.
    const dates = [History?.get(path)?.at(-1)?.Until, parseInstant(journal.missed[path] ?? '')];
    const until = Math.max(...dates.map((date) => date?.getTime() ?? -Infinity));
    if (until === -Infinity) return false;
    // A database that follows another within a second is dated a little ahead.
    return Math.max(0, now.getTime() - until) >= keepOldMs;
  });
}

/** Everything of the directory that goes out, apart from listed files. */
export function othersOf(outbound: Outbound): readonly Item[] {
  const { keys, signatures, database, copies, companions, page } = outbound;
  return [...keys, ...signatures, database, ...copies, ...companions, ...page];
}
