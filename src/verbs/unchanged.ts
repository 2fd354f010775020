import { join } from 'node:path';
import type { CacheStore } from '../disk/cache.js';
import { readBounded } from '../disk/files.js';
import { nameInputs, readMemo, writeMemo } from '../disk/memo.js';
import type { Memo } from '../disk/memo.js';
import type { Scan } from '../disk/scan.js';
import { KEYS_LIMIT_BYTES } from '../model/database.js';
import type { Warning } from '../model/finding.js';
import { KEYS_NAME, isWrittenWith } from '../model/layout.js';
import { isRefreshDue } from '../model/policy.js';
import type { Settings } from '../model/settings.js';
import { nameOf } from './judge.js';

/** What a build found out, for the next one that finds nothing changed. */
export interface Summary {
  readonly sha256: string;
  readonly issued: Date;
  readonly expires: Date | null;
  readonly packages: number;
  readonly archives: number;
  /** Size of all archives together. */
  readonly bytes: number;
  readonly warnings: readonly Warning[];
}

export interface Inputs {
  readonly settings: Settings;
  readonly scan: Scan;
  readonly cache: CacheStore;
  readonly stateFolder: string;
}

/** A published database with its signature file. */
export interface Pair {
  readonly sha256: string;
  readonly signature: Uint8Array;
}

/**
 * Answers at once when nothing has changed since a build that ended in what is published now: the same
 * bytes of database, signature and keys, which were verified then, the same settings, every archive
 * untouched. Neither the database nor OpenPGP has to be read for it. Null: the whole way must be gone.
 */
export function recallUnchanged(
  directory: string,
  inputs: Inputs,
  { pair, now }: { pair: Pair; now: Date },
): Summary | null {
  const memo = readMemo(inputs.stateFolder);
  if (memo?.inputs !== inputsName(inputs, pair) || !isKnownWhole(inputs)) return null;
  if (JSON.stringify(memo.published) !== JSON.stringify(publishedNames(directory, pair))) return null;
  const summary = summaryOf(memo);
  const dates = { Issued: summary.issued, ...(summary.expires === null ? {} : { Expires: summary.expires }) };
  return isRefreshDue(dates, now) ? null : summary;
}

/**
 * What the last build described of archives that the cache knows since: the entries of the database that it ended in, and
 * these warnings. Null where the settings are others by now, or the cache. To be asked before the cache is changed.
 */
export function recallDescribed({ settings, cache, stateFolder }: Inputs): Described | null {
  const memo = readMemo(stateFolder);
  if (memo?.described !== describedName(settings, cache)) return null;
  return { sha256: memo.published.database, warnings: summaryOf(memo).warnings };
}

export interface Described {
  /** Of the database. */
  readonly sha256: string;
  readonly warnings: readonly Warning[];
}

function describedName(settings: Settings, cache: CacheStore): string {
  return nameInputs([settings, cache.checksum()]);
}

/**
 * Remembers a build that ended in what is published; wholly where every archive is known without reading it again. By
 * then the cache keeps what the build observed, and nothing else.
 */
export function rememberBuild(
  directory: string,
  inputs: Inputs,
  { pair, summary }: { pair: Pair; summary: Omit<Summary, 'sha256'> },
): void {
  const { scan, cache, settings } = inputs;
  if (cache.checksum() === null) return;
  writeMemo(inputs.stateFolder, {
    published: publishedNames(directory, pair),
    inputs: cache.size() === scan.archives.length ? inputsName(inputs, pair) : null,
    described: describedName(settings, cache),
    summary: { ...summary },
  });
}

function isKnownWhole({ scan, cache }: Inputs): boolean {
  return cache.checksum() !== null && scan.archives.every(cache.knows);
}

function inputsName({ settings, scan, cache }: Inputs, { sha256 }: Pair): string {
  // Under a new name there may lie a secret key.
  const others = scan.others.filter((path) => !isWrittenWith(sha256, path));
  return nameInputs([settings, scan.warnings, others, scan.archives.length, cache.checksum()]);
}

function publishedNames(directory: string, { sha256, signature }: Pair): Memo['published'] {
  const keys = readBounded(join(directory, KEYS_NAME), KEYS_LIMIT_BYTES) ?? Buffer.alloc(0);
  return { database: sha256, signature: nameOf(signature), keys: nameOf(keys) };
}

function summaryOf({ summary, published }: Memo): Summary {
  const { issued, expires, ...rest } = summary as unknown as Omit<Summary, 'issued' | 'expires'> & {
    readonly issued: string;
    readonly expires: string | null;
  };
  const dates = { issued: new Date(issued), expires: expires === null ? null : new Date(expires) };
  return { ...rest, ...dates, sha256: published.database };
}
