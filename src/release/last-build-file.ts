import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { readBounded, writeHint } from '../disk/files.js';
import { seal, unseal } from '../disk/sealed.js';

/**
 * What this machine found out in its last build of a directory: that from just these inputs just this
 * published database follows. Kept beside the cache, and believed only while every input is the same.
 */
export interface LastBuild {
  /** SHA-256 of the published database, its signature file and `keys.asc`, verified then. */
  readonly published: { readonly database: string; readonly signature: string; readonly keys: string };
  /** Names the file of that database, which need not be read while it is still the same; null where it was touched too shortly before. */
  readonly file: string | null;
  /** Names the settings, the cache with what it knows of every file, and the warnings of the scan; null where it does not know every one. */
  readonly inputs: string | null;
  /** Names the settings, and the cache whose files the database describes. */
  readonly described: string;
  /** What the build said. */
  readonly summary: Readonly<Record<string, unknown>>;
}

const NAME = 'last-build';
const KIND = 'packsign-build 4';
const LIMIT_BYTES = 64 * 1024 * 1024;

/** Null when there is none, or it is damaged. */
export function readLastBuild(stateFolder: string): LastBuild | null {
  try {
    const bytes = readBounded(join(stateFolder, NAME), LIMIT_BYTES);
    const sealed = bytes === null ? null : unseal(KIND, bytes);
    const value: unknown = sealed === null ? null : JSON.parse(sealed.body.toString());
    return isLastBuild(value) ? value : null;
  } catch {
    // Only a shortcut: without it the full build runs.
    return null;
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** The seal shows accidents only: anybody who can write there can seal too. */
function isLastBuild(value: unknown): value is LastBuild {
  if (!isRecord(value) || !isRecord(value['published']) || !isRecord(value['summary'])) return false;
  const { published, file, inputs, described, summary } = value;
  const hashes = [published['database'], published['signature'], published['keys']];
  return (
    hashes.every((hash) => typeof hash === 'string') &&
    [file, inputs].every((text) => text === null || typeof text === 'string') &&
    typeof described === 'string' &&
    isSummary(summary)
  );
}

function isSummary({ issued, expires, packages, files, bytes, warnings }: Fields): boolean {
  const isDate = (text: unknown) => typeof text === 'string' && !Number.isNaN(Date.parse(text));
  const isWarning = (value: unknown) =>
    isRecord(value) &&
    [value['code'], value['message'], value['path'] ?? ''].every((text) => typeof text === 'string');
  return (
    isDate(issued) &&
    (expires === null || isDate(expires)) &&
    [packages, files, bytes].every((count) => Number.isSafeInteger(count)) &&
    Array.isArray(warnings) &&
    warnings.every(isWarning)
  );
}

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

/** If it cannot be written, go on without it: what it is about is published by then. */
export function writeLastBuild(stateFolder: string, lastBuild: LastBuild): void {
  try {
    writeHint(join(stateFolder, NAME), seal(KIND, Buffer.from(JSON.stringify(lastBuild))).bytes);
  } catch {
    // The next build runs in full.
  }
}

/** One name for many values; maps are told apart by their entries. */
export function hashInputs(values: readonly unknown[]): string {
  const text = JSON.stringify(values, (_key, value: unknown) =>
    value instanceof Map ? Array.from(value) : value,
  );
  return createHash('sha256').update(text).digest('hex');
}
