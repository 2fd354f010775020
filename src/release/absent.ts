import { PacksignError } from '../errors.js';
import { refuseMassRemoval } from '../model/absence.js';
import type { AbsenceRule } from '../model/absence.js';
import { REASONS } from '../model/coverage.js';
import type { Uncovered } from '../model/coverage.js';
import type { Database } from '../model/database.js';
import { foldPath, foldersOf } from '../model/file-entry.js';
import type { FileFacts } from '../model/entry.js';
import type { Warning } from '../model/finding.js';
import { CHECKSUMS_NAMES, isOwnPath } from '../model/layout.js';
import type { Continued } from '../model/join.js';
import type { Settings } from '../model/settings.js';
import type { Update } from '../model/update.js';
import { matcherOf } from '../places/matcher.js';
import { ownChecksums } from '../places/own-checksums.js';
import type { Inventory } from './inventory.js';

export interface AbsenceContext {
  readonly directory: string;
  readonly settings: Settings;
  /** The database that the next one continues. */
  readonly published: Database | null;
  /** Published paths that are not among the files. */
  readonly absent: readonly string[];
  /** Those that are here, but must not be read yet. */
  readonly waiting: ReadonlySet<string>;
  /** Whether an absent file keeps its entry. */
  readonly isKept: (path: string) => boolean;
}

/** What becomes of listed files that are not in the directory. */
export interface Absence {
  /** The files that can be listed: without those that would push out a kept one. */
  readonly files: readonly FileFacts[];
  /** Paths of absent files that stay listed. */
  readonly kept: ReadonlySet<string>;
  readonly rest: readonly Uncovered[];
  readonly warnings: readonly Warning[];
}

/** Looks for the listed files that are not among these, and keeps the entries of those that shall stay listed. */
export function findAbsence(files: readonly FileFacts[], context: AbsenceContext): Absence {
  const { published } = context;
  const kept = keptPaths(context);
  if (kept.size === 0 || published === null) return { files, kept, rest: [], warnings: [] };
  const inTheWayOf = conflictFinder(kept);
  const yielding = new Map<string, string>();
  for (const { path } of files) {
    const other = published.Files.has(path) ? null : inTheWayOf(path);
    if (other !== null) yielding.set(path, other);
  }
  return {
    kept,
    files: yielding.size === 0 ? files : files.filter(({ path }) => !yielding.has(path)),
    rest: Array.from(yielding.keys(), (path) => ({ path, reason: 'case' as const })),
    warnings: Array.from(yielding, inTheWay),
  };
}

/** Finds the kept path that a database cannot list beside a path: the same but for case, a folder of it, or below it. */
function conflictFinder(kept: ReadonlySet<string>): (path: string) => string | null {
  const byPath = new Map<string, string>();
  const byFolder = new Map<string, string>();
  for (const path of kept) {
    byPath.set(foldPath(path), path);
    for (const folder of foldersOf(foldPath(path))) byFolder.set(folder, path);
  }
  return (path) => {
    const folded = foldPath(path);
    const above = foldersOf(folded).flatMap((folder) => byPath.get(folder) ?? []);
    return byPath.get(folded) ?? byFolder.get(folded) ?? above[0] ?? null;
  };
}

function inTheWay([path, other]: readonly [string, string]): Warning {
  const message = `left out: its name conflicts with ${other}, which stays listed although it is not here; --absent withdraw takes that off the list`;
  return { code: 'UNSAFE_NAME', path, message };
}

function keptPaths({ directory, settings, absent, waiting, isKept }: AbsenceContext): ReadonlySet<string> {
  const isExcluded = matcherOf(settings.Exclude ?? []);
  const paths = absent.filter((path) => !waiting.has(path) && isKept(path) && !isExcluded(path));
  const own = paths.some((path) => CHECKSUMS_NAMES.includes(path)) ? ownChecksums(directory) : [];
  return new Set(paths.filter((path) => !own.includes(path)));
}

/** Refuses what an update of what it goes on from withdraws by accident. Throws MASS_REMOVAL. */
export function refuseRemovals(
  continued: Continued | null,
  { next, files }: Update,
  rule: AbsenceRule,
): void {
  if (continued === null) return;
  const { database, withdrawn } = continued;
  const gone = files.withdrawn.filter((path) => !withdrawn.has(path));
  const removal = { gone, listed: database.Files.size - withdrawn.size, isEmpty: next.Files.size === 0 };
  refuseMassRemoval(removal, rule);
}

const REST_LIMIT = 20;
/** A path that is never listed. */
const HIDDEN = /(?:^|\/)\./;

type Searched = Pick<Inventory, 'others' | 'warnings'>;

/** Nothing is listed, and nothing was: names each file that is there, and says why it is not listed (NOTHING_TO_LIST). */
export function nothingToList(
  directory: string,
  {
    inventory,
    rest,
    settings: { Exclude = [] },
  }: Pick<Absence, 'rest'> & Pick<AbsenceContext, 'settings'> & { readonly inventory: Searched },
): PacksignError {
  const isExcluded = matcherOf(Exclude);
  const excluded = inventory.others.filter(
    (path) => isExcluded(path) && !isOwnPath(path) && !HIDDEN.test(path),
  );
  const reasons = new Map<string, string>(rest.map(({ path, reason }) => [path, REASONS[reason]]));
  for (const path of excluded) reasons.set(path, 'left out by "Exclude"');
  for (const { path, message } of inventory.warnings) if (path !== null) reasons.set(path, message);
  const lines = Array.from(reasons, ([path, reason]) => `  ${path}: ${reason}`);
  const more = lines.length > REST_LIMIT ? [`  … and ${lines.length - REST_LIMIT} more`] : [];
  return new PacksignError(
    'NOTHING_TO_LIST',
    [`there is nothing to list in ${directory}`, ...lines.slice(0, REST_LIMIT), ...more].join('\n'),
    {
      hint:
        excluded.length > 0
          ? 'correct "Exclude" in packsign.json, or what you typed after --exclude; or copy other files of your release there'
          : lines.length === 0
            ? 'copy the files of your release there'
            : `copy archives, packages, installers or programs there; to list files of every kind: packsign build DIRECTORY --include '**'`,
    },
  );
}
