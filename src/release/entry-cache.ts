// Row `One archive added` of 20,000 files: 1.3 times slower without it; row `Watch`: 1.4.
import { NO_WARNINGS, downloadUrl, entryWarnings, isForPackMan, isOfEntry } from '../model/entry.js';
import type { Entry, FileFacts } from '../model/entry.js';
import type { DatabaseWritten } from '../format/encode-database.js';
import type { Database } from '../model/database.js';
import type { FileEntry } from '../model/file-entry.js';
import type { Warning } from '../model/finding.js';
import type { Package } from '../model/package.js';
import type { Settings } from '../model/settings.js';
import type { SignedDatabase } from '../published/published.js';
import { hashInputs, isRecord, isWarnings, readState, writeState } from './state-file.js';
import type { StateFile } from './state-file.js';

/**
 * That the entries of a database were made from their files under some settings. An entry follows from the path and the
 * bytes of its file, the settings and the rules of this program: while all of these are the same, it need not be made
 * again. The values themselves are in the database, which is verified before anybody uses them.
 */
export interface MadeEntries {
  /** SHA-256 of the database. */
  readonly database: string;
  /** Hash of the settings and the rules. */
  readonly under: string;
  /** Listed paths whose entries were not made, but carried over. */
  readonly except: readonly string[];
  /** What making them said. */
  readonly warnings: readonly Warning[];
  /** Path → entry, in the process that made them. */
  readonly entries?: ReadonlyMap<string, Entry>;
  /** The last database that this process has written; null if none. */
  readonly written?: DatabaseWritten | null;
}

/** Finds the published entry of a file if it would be made again as it is. */
type Recall = (file: FileFacts, listed: FileEntry) => Entry | null;

/** To be counted up when the same file and settings give another entry than before. */
const KIND = 'packsign-entries 2';
const FILE: StateFile<MadeEntries> = { name: 'entries', kind: KIND, isValid: isMadeEntries };

/** Names settings, and whether the entries of published files follow the published database instead (`frozen`). */
export function nameSettings(settings: Settings, frozen = false): string {
  return hashInputs([settings, frozen]);
}

/** Recalls nothing where the entries were made of another database or under other settings. */
export function recallEntries(
  made: MadeEntries | null,
  { signed, settings, under }: { signed: SignedDatabase | null; settings: Settings; under: string },
): Recall {
  if (signed === null || made?.under !== under || made.database !== signed.content.sha256())
    return () => null;
  // An address that the maintainer chose does not identify the file of a package.
  if (givesAddresses(settings)) return () => null;
  const warnings = entryWarnings(made.warnings);
  const except = new Set(made.except);
  let packages: ReadonlyMap<string | undefined, Package> | null = null;
  return ({ path, size, sha256 }, file) => {
    if (file.SHA256 !== sha256 || file.Size !== size) return null;
    const last = made.entries?.get(path);
    if (last?.file === file) return last;
    if (except.has(path)) return null;
    packages ??= byUrl(signed.database);
    const entry = packages.get(downloadUrl(path, settings)) ?? null;
    // Without one, it may have one only for a flavor that the settings give.
    if (entry === null && isForPackMan(file, false)) return null;
    return { file, package: entry, warnings: warnings.get(path) ?? NO_WARNINGS };
  };
}

function byUrl({ Packages }: Database): ReadonlyMap<string | undefined, Package> {
  return new Map(Packages.map((entry) => [entry['Download-URL'], entry]));
}

function givesAddresses({ Packages }: Settings): boolean {
  return Array.from(Packages?.values() ?? []).some((override) => override['Download-URL'] !== undefined);
}

/** Those of the last build; null where it left none. */
export function readMadeEntries(stateFolder: string): MadeEntries | null {
  return readState(stateFolder, FILE);
}

export function writeMadeEntries(stateFolder: string, made: MadeEntries): void {
  const { entries: _1, written: _2, ...noted } = made;
  writeState(stateFolder, FILE, { ...noted, warnings: made.warnings.filter(isOfEntry) });
}

function isMadeEntries(value: unknown): value is MadeEntries {
  if (!isRecord(value)) return false;
  const { database, under, except, warnings } = value;
  return (
    typeof database === 'string' &&
    typeof under === 'string' &&
    Array.isArray(except) &&
    except.every((path) => typeof path === 'string') &&
    isWarnings(warnings)
  );
}
