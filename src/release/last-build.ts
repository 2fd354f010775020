import { join } from 'node:path';
import { isRacy } from './digest-cache.js';
import type { CacheStore } from './digest-cache.js';
import { readBounded } from '../disk/files.js';
import { nameIdentity } from '../disk/identities.js';
import { hashInputs, writeLastBuild } from './last-build-file.js';
import type { LastBuild } from './last-build-file.js';
import type { Scan } from '../places/scan.js';
import { KEYS_LIMIT_BYTES } from '../model/database.js';
import type { Warning } from '../model/finding.js';
import { KEYS_NAME } from '../model/layout.js';
import { isRefreshDue } from '../model/policy.js';
import type { Settings } from '../model/settings.js';
import { sha256Of } from '../verify/verify-database.js';
import { identifyDatabase, readSignature, readStanding } from '../published/read.js';
import type { Named, Standing } from '../published/read.js';

/** What a build found out, for the next one that finds nothing changed. */
export interface Summary {
  readonly sha256: string;
  readonly issued: Date;
  readonly expires: Date | null;
  readonly packages: number;
  readonly files: number;
  /** Size of all files together. */
  readonly bytes: number;
  readonly warnings: readonly Warning[];
}

export interface Inputs {
  readonly settings: Settings;
  readonly scan: Scan;
  readonly cache: CacheStore;
  readonly stateFolder: string;
  /** What the last build left. */
  readonly memo: LastBuild | null;
}

/** A published database with its signature file. */
export interface Pair {
  readonly sha256: string;
  readonly signature: Uint8Array;
}

/** What stands in a directory; `standing` is null also where it was not read. */
export interface StandingLook {
  readonly named: Named | null;
  readonly standing: Standing | null;
}

/**
 * Believes the last build about which database stands, where its file is still the one that was read then, untouched
 * since; else reads it. Throws FILE_UNREADABLE.
 */
export function lookAtStanding(directory: string, memo: LastBuild | null): StandingLook {
  const now = identifyDatabase(directory);
  if (memo?.file != null && now !== null && memo.file === nameIdentity(now)) {
    const { database } = memo.published;
    return {
      named: { sha256: database, signature: readSignature(directory, database) },
      standing: null,
    };
  }
  const standing = readStanding(directory);
  return { named: standing, standing };
}

/**
 * Answers at once when nothing has changed since a build that ended in what is published now: the same
 * bytes of database, signature and keys, which were verified then, the same settings, every file
 * untouched. Neither the database nor OpenPGP has to be read for it. Null: the whole way must be gone.
 */
export function recallUnchanged(
  directory: string,
  inputs: Inputs,
  { pair, now }: { pair: Pair; now: Date },
): Summary | null {
  const { memo } = inputs;
  if (memo?.inputs !== inputsName(inputs) || !isKnownWhole(inputs)) return null;
  if (JSON.stringify(memo.published) !== JSON.stringify(publishedNames(directory, pair))) return null;
  const summary = summaryOf(memo);
  // Whose clock is behind is told so on the whole way.
  if (summary.issued > now) return null;
  const dates = { Issued: summary.issued, ...(summary.expires === null ? {} : { Expires: summary.expires }) };
  return isRefreshDue(dates, now) ? null : summary;
}

/**
 * What the last build described of files that the cache knows since: the entries of the database that it ended in, and
 * these warnings. Null where the settings are others by now, or the cache. To be asked before the cache is changed.
 */
export function recallDescribed({ settings, cache, memo }: Inputs): Described | null {
  if (memo?.described !== describedName(settings, cache)) return null;
  return { sha256: memo.published.database, warnings: summaryOf(memo).warnings };
}

export interface Described {
  /** Of the database. */
  readonly sha256: string;
  readonly warnings: readonly Warning[];
}

function describedName(settings: Settings, cache: CacheStore): string {
  return hashInputs([settings, cache.checksum()]);
}

/**
 * Remembers a build that ended in what is published; wholly where every file is known without reading it again. By
 * then the cache keeps what the build observed, and nothing else.
 */
export function rememberBuild(
  directory: string,
  inputs: Inputs,
  { pair, summary }: { pair: Pair; summary: Omit<Summary, 'sha256'> },
): void {
  const { cache, settings } = inputs;
  if (cache.checksum() === null) return;
  writeLastBuild(inputs.stateFolder, {
    published: publishedNames(directory, pair),
    inputs: isKnownWhole(inputs) ? inputsName(inputs) : null,
    described: describedName(settings, cache),
    file: null,
    summary: { ...summary },
  });
}

/**
 * Remembers which file holds what the last build ended in, for the next `lookAtStanding`: not one that was touched so
 * shortly before it was read that a later write could leave the same times behind. `startedMs`: the clock's time before
 * it was read.
 */
export function rememberStanding(
  { memo, stateFolder }: Inputs,
  { standing, startedMs }: { standing: Standing | null; startedMs: number },
): void {
  if (standing === null || memo?.published.database !== standing.sha256) return;
  const { identity } = standing;
  if (identity === null || isRacy({ identity }, startedMs)) return;
  const file = nameIdentity(identity);
  if (memo.file !== file) writeLastBuild(stateFolder, { ...memo, file });
}

/** Whether the cache, as it was written, knows these very files and no others. */
function isKnownWhole({ scan, cache }: Inputs): boolean {
  const { files } = scan;
  return cache.checksum() !== null && cache.size() === files.length && files.every(cache.knows);
}

function inputsName({ settings, scan, cache }: Inputs): string {
  return hashInputs([settings, scan.warnings, scan.files.length, cache.checksum()]);
}

function publishedNames(directory: string, { sha256, signature }: Pair): LastBuild['published'] {
  const keys = readBounded(join(directory, KEYS_NAME), KEYS_LIMIT_BYTES) ?? Buffer.alloc(0);
  return { database: sha256, signature: sha256Of(signature), keys: sha256Of(keys) };
}

function summaryOf({ summary, published }: LastBuild): Summary {
  const { issued, expires, ...rest } = summary as unknown as Omit<Summary, 'issued' | 'expires'> & {
    readonly issued: string;
    readonly expires: string | null;
  };
  const dates = { issued: new Date(issued), expires: expires === null ? null : new Date(expires) };
  return { ...rest, ...dates, sha256: published.database };
}
