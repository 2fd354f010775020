import { PacksignError } from '../errors.js';
import type { AbsenceRule } from '../model/absence.js';
import type { Database } from '../model/database.js';
import type { FileFacts } from '../model/entry.js';
import type { Warning } from '../model/finding.js';
import { joinDatabases } from '../model/join.js';
import type { Continued } from '../model/join.js';
import { yankOf } from '../model/kept-entries.js';
import type { Override, Settings } from '../model/settings.js';
import type { SignedDatabase } from '../published/published.js';
import { findAbsence } from './absent.js';
import type { Absence } from './absent.js';

const NO_PATHS: ReadonlySet<string> = new Set();

/** What the next database goes on from: the one before, joined with one that is adopted. Throws BYTES_CHANGED. */
export function continuedFrom(
  signed: SignedDatabase | null,
  adopted: SignedDatabase | null,
  allowed: ReadonlyMap<string, string>,
): Continued | null {
  if (signed === null) return null;
  if (adopted === null) return { database: signed.database, withdrawn: NO_PATHS };
  return joinDatabases(signed.database, adopted.database, allowed);
}

/** Whether an absent file keeps its entry: what is adopted does, unless the user typed that it shall not. */
export function keeps(
  { absent, isTyped }: AbsenceRule,
  adopted: SignedDatabase | null,
  { withdrawn }: Pick<Continued, 'withdrawn'>,
): (path: string) => boolean {
  const isAdopted = (path: string) =>
    !(isTyped && absent === 'withdraw') && adopted?.database.Files.has(path) === true;
  return (path) => !withdrawn.has(path) && (absent === 'keep' || isAdopted(path));
}

/** Whether a joined database is due although its content is the published one: readers of the other need a later one. */
export function isJoinDue(signed: SignedDatabase | null, adopted: SignedDatabase | null): boolean {
  if (signed === null || adopted === null) return false;
  const isOther = adopted.content.sha256() !== signed.content.sha256();
  return isOther && adopted.database.Packsign.Issued >= signed.database.Packsign.Issued;
}

export interface ListingContext {
  readonly directory: string;
  readonly settings: Settings;
  /** Paths of it that are not among the files. */
  readonly absent: readonly string[];
  readonly waiting: readonly string[];
  readonly continued: Continued | null;
  readonly adopted: SignedDatabase | null;
  readonly absence: AbsenceRule;
}

/** The files to list, what stays listed without a file, and the settings to describe them with. */
export function filesToList(
  files: readonly FileFacts[],
  { continued, adopted, absence, ...context }: ListingContext,
): Absence & { readonly settings: Settings } {
  const { database, withdrawn } = continued ?? { database: null, withdrawn: NO_PATHS };
  const isKept = keeps(absence, adopted, { withdrawn });
  const waiting = new Set(context.waiting);
  const found = findAbsence(files, { ...context, waiting, published: database, isKept });
  if (adopted === null || database === null) return { ...found, settings: context.settings };
  const { settings, warnings } = withYanks(context.settings, database, found.files);
  return { ...found, settings, warnings: [...found.warnings, ...warnings] };
}

/** The settings with the yanks of a joined database for the files that are here: a yank in either stays. */
function withYanks(
  settings: Settings,
  { Files }: Database,
  files: readonly FileFacts[],
): { readonly settings: Settings; readonly warnings: readonly Warning[] } {
  const Packages = new Map<string, Override>(settings.Packages);
  const warnings: Warning[] = [];
  for (const { path, sha256 } of files) {
    const entry = Files.get(path);
    const Yanked = entry?.SHA256 === sha256 ? entry.Yanked : undefined;
    if (entry === undefined || Yanked === undefined || yankOf(path, entry, settings) !== undefined) continue;
    Packages.set(path, { ...Packages.get(path), Yanked });
    const message = `stays yanked (${Yanked}), but packsign.json does not say so: add it there, or the next build lifts the yank`;
    warnings.push({ code: 'YANK_NOT_SET', path, message });
  }
  return warnings.length === 0 ? { settings, warnings } : { settings: { ...settings, Packages }, warnings };
}

export function nothingToJoin(adopt: string): PacksignError {
  return new PacksignError(
    'PREVIOUS_UNKNOWN',
    `nothing is published here that ${adopt} could be joined with`,
    { hint: `to continue it alone: packsign build DIRECTORY --previous ${adopt}` },
  );
}
