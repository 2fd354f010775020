import type { Database } from '../model/database.js';
import { DATABASE_NAME } from '../model/layout.js';
import { compareText } from '../model/package.js';
import { parseInstant } from '../model/time.js';
import type { Predecessor } from './continues.js';
import type { Journal } from './journal.js';
import type { Item, Outbound } from './outbound.js';
import type { Listing, Outgoing } from './remote.js';

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

export interface PlanOptions {
  readonly before: Predecessor | null;
  readonly earlyKeys: readonly Item[];
  readonly listing: Listing;
  readonly journal: Journal;
  /** How old a file that is gone has to be before it is removed, in milliseconds; null removes nothing. */
  readonly keepOldMs: number | null;
  readonly now: Date;
}

/** What has to be done, and in which order, so that readers never see half of it. */
export function planOf(outbound: Outbound, options: PlanOptions): Plan {
  const { before, listing, journal } = options;
  const { Files } = outbound.signed.database;
  const listedBefore = before?.database?.Files ?? new Map<never, never>();
  // Somebody else who published since may have replaced what we know of.
  const isOurs = journal.last === (before?.found.sha256 ?? null);
  const { sent, others }: Pick<Journal, 'sent' | 'others'> = isOurs ? journal : { sent: {}, others: {} };
  const has = ({ path, size, sha256 }: Item, known: string | undefined) =>
    listing.get(path)?.size === size && (sent[path] ?? known) === sha256;
  // What came after the database there may be from another machine that was killed before it wrote its own.
  const settledMs = listing.get(DATABASE_NAME)?.modifiedMs ?? -Infinity;
  const knownOf = ({ path }: Item) =>
    (listing.get(path)?.modifiedMs ?? Infinity) <= settledMs ? listedBefore.get(path)?.SHA256 : others[path];
  const dueListed = outbound.listed.filter((item) => !has(item, knownOf(item)));
  const dueOthers = (items: readonly Item[]) => items.filter((item) => !has(item, others[item.path]));
  const outgoing = (item: Item): Outgoing => ({ ...item, over: overOf(listing, item.path) });
  // What is there under the name has to stay until the last moment: readers of the database of before want it.
  const [replaced, fresh] = divided(dueListed, ({ path }) => listing.has(path) && listedBefore.has(path));
  const isSame = before?.found.sha256 === outbound.database.sha256;
  const late = isSameKeys(options.earlyKeys, outbound.keys) ? [] : outbound.keys;
  const writes: Partial<Record<Step['name'], readonly Item[]>> = {
    files: fresh,
    keys: dueOthers(options.earlyKeys),
    signatures: dueOthers(outbound.signatures),
    'replaced files': [...replaced].sort((a, b) => compareText(a.path, b.path)),
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
    lost: outbound.absent.filter((path) => !isThere(path, { Files, listing, listedBefore })),
    missed,
  };
}

function overOf(listing: Listing, path: string): Outgoing['over'] {
  const stored = listing.get(path);
  if (stored === undefined) return 'nothing';
  return stored.etag === null ? 'anything' : { etag: stored.etag };
}

function divided<T>(items: readonly T[], isFirst: (item: T) => boolean): readonly [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}

function isSameKeys(a: readonly Item[], b: readonly Item[]): boolean {
  return a.every(({ path, sha256 }) => b.some((one) => one.path === path && one.sha256 === sha256));
}

/** Whether a listed file that does not lie here lies at the destination, as the verified database there says. */
function isThere(
  path: string,
  {
    Files,
    listing,
    listedBefore,
  }: Pick<Database, 'Files'> & { listing: Listing; listedBefore: Database['Files'] },
): boolean {
  const entry = Files.get(path);
  return listing.get(path)?.size === entry?.Size && listedBefore.get(path)?.SHA256 === entry?.SHA256;
}

/** Files at the destination that we put there, or that a database of ours listed, and that we no longer have. */
function missedOf(outbound: Outbound, { before, listing, journal }: PlanOptions): readonly string[] {
  const { Files, Packsign } = outbound.signed.database;
  const stays = new Set([...pathsOf(outbound), ...Files.keys()]);
  const ours = new Set([
    ...Object.keys(journal.others),
    ...Object.keys(journal.missed),
    ...(before?.database?.Files.keys() ?? []),
    ...(Packsign.History?.keys() ?? []),
  ]);
  return Array.from(ours)
    .filter((path) => listing.has(path) && !stays.has(path))
    .sort();
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

function pathsOf(outbound: Outbound): readonly string[] {
  return [...outbound.listed, ...othersOf(outbound)].map(({ path }) => path);
}
