import { isRecord, isWarnings, readState, writeState } from './state-file.js';
import type { Fields, StateFile } from './state-file.js';

/**
 * What this machine found out in its last build of a directory: that from just these inputs just this
 * published database follows. Kept beside the cache, and believed only while every input is the same.
 */
export interface LastBuild {
  /** SHA-256 of the published database, its signature file and `keys.asc`, verified then. */
  readonly published: { readonly database: string; readonly signature: string; readonly keys: string };
  /** Names the settings, the cache with what it knows of every file, and the warnings of the scan; null where it does not know every one. */
  readonly inputs: string | null;
  /** What the build said. */
  readonly summary: Readonly<Record<string, unknown>>;
  /** Keys that are good for what is published, and when that ends; null if none have been looked at. */
  readonly keys: KeysLookedAt | null;
}

export interface KeysLookedAt {
  readonly name: string;
  readonly until: string | null;
}

const FILE: StateFile<LastBuild> = { name: 'last-build', kind: 'packsign-build 7', isValid: isLastBuild };

/** Null when there is none, or it is damaged. */
export function readLastBuild(stateFolder: string): LastBuild | null {
  return readState(stateFolder, FILE);
}

export function writeLastBuild(stateFolder: string, lastBuild: LastBuild): void {
  writeState(stateFolder, FILE, lastBuild);
}

function isLastBuild(value: unknown): value is LastBuild {
  if (!isRecord(value) || !isRecord(value['published']) || !isRecord(value['summary'])) return false;
  const { published, inputs, summary, keys } = value;
  const hashes = [published['database'], published['signature'], published['keys']];
  return (
    hashes.every((hash) => typeof hash === 'string') &&
    (inputs === null || typeof inputs === 'string') &&
    isSummary(summary) &&
    (keys === null || isKeysLookedAt(keys))
  );
}

function isKeysLookedAt(value: unknown): value is KeysLookedAt {
  return (
    isRecord(value) &&
    typeof value['name'] === 'string' &&
    (value['until'] === null || isDate(value['until']))
  );
}

function isDate(text: unknown): boolean {
  return typeof text === 'string' && !Number.isNaN(Date.parse(text));
}

function isSummary({ issued, expires, packages, files, bytes, warnings }: Fields): boolean {
  return (
    isDate(issued) &&
    (expires === null || isDate(expires)) &&
    [packages, files, bytes].every((count) => Number.isSafeInteger(count)) &&
    isWarnings(warnings)
  );
}
