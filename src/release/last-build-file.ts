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
    return sealed === null ? null : (JSON.parse(sealed.body.toString()) as LastBuild);
  } catch {
    // Only a shortcut: without it the full build runs.
    return null;
  }
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
