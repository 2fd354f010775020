import { PacksignError } from '../errors.js';
import type { Database, History } from './database.js';
import type { FileEntries } from './file-entry.js';
import { plainName, splitFileName } from './file-name.js';
import type { Warning } from './finding.js';
import { nearestOf } from './nearest.js';
import type { Package } from './package.js';
import { isReleaseName } from './release-names.js';
import type { Override, Settings } from './settings.js';
import { changedWarnings, printableOverride } from './printable.js';
import { isAscii } from './text.js';

/** Python that PackMan runs for a package without a test: it is not installed. */
export const NO_TEST = 'raise ImportError("no test")';

/** What PackMan's clients can install, show or hide. With any other flavor, they fail. */
const FLAVORS = ['source', 'binary', 'installer', 'hidden'];

type NamedOverride = readonly [key: string, override: Override];

/** Refuses overrides on which PackMan's clients would fail (docs/FORMAT.md §4). Throws SETTINGS_INVALID. */
export function refuseUnreadable({ Packages, PackMan = true }: Settings): void {
  if (Packages === undefined || !PackMan) return;
  for (const [key, { Yanked: _1, Description: _2, ...fields }] of Packages) {
    const field = Object.entries(fields).find(([, value]) => !isAscii(textOf(value)))?.[0];
    if (field !== undefined) throw unreadable(`${key} › ${field} must be ASCII`);
    if (fields.Flavor !== undefined && !FLAVORS.includes(fields.Flavor)) {
      throw unreadable(`${key} › Flavor must be one of ${FLAVORS.join(', ')}`);
    }
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function unreadable(what: string): PacksignError {
  return new PacksignError('SETTINGS_INVALID', `packsign.json: Packages › ${what}; else PackMan fails`, {
    hint: 'change it, or set "PackMan": false if you do not serve PackMan',
  });
}

export interface WithoutFile {
  readonly packages: readonly Package[];
  readonly warnings: readonly Warning[];
}

export interface Known {
  /** The files of the next database. */
  readonly files: FileEntries;
  readonly published: Database | null;
  /** Paths of files that are here and not read yet. */
  readonly held: ReadonlySet<string>;
}

/**
 * The packages without a file, from the keys of `Packages` that match no file and no name. Throws SETTINGS_INVALID for a
 * key that means nothing at all; one that meant something in the published database is a warning.
 */
export function packagesWithoutFile(settings: Settings, { files, published, held }: Known): WithoutFile {
  const { Packages } = settings;
  if (Packages === undefined) return { packages: [], warnings: [] };
  const isMatched = matcherOf(files);
  const unmatched = Array.from(Packages).filter((entry) => !isMatched(entry));
  const pseudo = unmatched.filter(isPseudoPackage).map((entry) => pseudoPackage(entry, settings));
  const unused = unmatched.filter((entry) => !isPseudoPackage(entry));
  const wasMatched = matcherOf(published?.Files ?? new Map());
  const { History = new Map() } = published?.Packsign ?? {};
  const isKnown = (entry: NamedOverride) => wasMatched(entry) || wasListed(entry[0], History);
  const wrong = unused.filter((entry) => !isKnown(entry)).map(([key]) => key);
  // A file that was never read may have any name.
  const isSure = Array.from(held).every((path) => published?.Files.has(path) === true);
  if (wrong.length > 0 && isSure) throw unmatchedError(wrong, files);
  return {
    packages: pseudo.map((one) => one.entry),
    warnings: [...pseudo.flatMap((one) => one.warnings), ...unused.filter(isKnown).map(goneWarning)],
  };
}

/** Whether it is a path of the history, or the name of a package that a path there shows: it does not keep names. */
function wasListed(key: string, history: History): boolean {
  if (history.has(key)) return true;
  const isOf = (path: string) => plainName(splitFileName(path)?.name ?? '') === plainName(key);
  return !isFileKey(key) && Array.from(history.keys()).some(isOf);
}

/** Tells whether an override is about any of these files, by its path, its name, or the name that it gets. */
function matcherOf(files: FileEntries): (entry: NamedOverride) => boolean {
  const names = new Set(Array.from(files.values(), ({ Name }) => Name));
  return ([key, { Name }]) =>
    files.has(key) || names.has(key) || (Name !== undefined && !isFileKey(key) && names.has(Name));
}

/**
 * Whether an override that matches nothing describes a pseudo-package. It says so itself, with its own name or PackMan's
 * flavor for them: a misspelled name, or a file that is not here, must not become a package.
 */
function isPseudoPackage([key, override]: NamedOverride): boolean {
  const isMarked = override.Name !== undefined || override.Flavor === 'hidden';
  return (
    isMarked && !isFileKey(key) && override['Download-URL'] === undefined && override.Yanked === undefined
  );
}

/** Whether a key of `Packages` can only mean a file. */
export function isFileKey(key: string): boolean {
  return key.includes('/') || isReleaseName(key);
}

/** A package without a file: PackMan tests for it, and a person installs it. */
function pseudoPackage([key, override]: NamedOverride, settings: Settings) {
  const { Yanked: _, ...fields } = printableOverride(override, settings);
  const entry: Package = { Name: key, Description: key, 'Install-test': NO_TEST, ...fields };
  return { entry, warnings: changedWarnings(null, override.Description ?? '', entry) };
}

function goneWarning([key]: NamedOverride): Warning {
  const message = `"Packages" in packsign.json names ${key}, which is gone; remove it there`;
  return { code: 'UNUSED_OVERRIDE', path: null, message };
}

function unmatchedError(keys: readonly string[], files: FileEntries): PacksignError {
  const known = new Set(Array.from(files, ([path, { Name }]) => [path, Name ?? path]).flat());
  const lines = keys.map((key) => {
    const near = nearestOf(key, known);
    return `  ${key}${near === null ? '' : `; did you mean "${near}"?`}`;
  });
  return new PacksignError(
    'SETTINGS_INVALID',
    ['"Packages" in packsign.json names what is neither a listed file nor a package:', ...lines].join('\n'),
    { hint: 'correct or remove it; a package without a file needs "Name" and no "Download-URL"' },
  );
}
