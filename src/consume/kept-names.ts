import { decodeDatabase } from '../format/database.js';
import { isNamed } from '../model/file-entry.js';
import type { FileEntry } from '../model/file-entry.js';
import { orNull } from '../model/or-null.js';
import type { TrustEntry, TrustStore } from '../model/trust.js';
import { sha256Of } from '../verify/verify-database.js';
import { readKept } from './kept-databases.js';
import { readTrust } from './trust-store.js';

// What a shell offers while a command line is typed: read from the disk, at once, and nothing is written or fetched.

/** A larger copy takes longer to read than anybody waits for a completion. */
const LIMIT_BYTES = 16 * 1024 * 1024;

/** The databases that a user trusts. Throws TRUST_DAMAGED, FILE_UNREADABLE. */
export function trustedNames({ folder }: TrustStore): readonly Pick<TrustEntry, 'name' | 'url'>[] {
  return readTrust(folder).entries;
}

/** Name and version of each file in the kept copies of trusted databases, or of one. Throws as `trustedNames` does. */
export function keptPackages(
  { folder, cacheFolder }: TrustStore,
  from: string | null,
): readonly (readonly [name: string, version: string])[] {
  const entries = readTrust(folder).entries.filter(
    ({ name, url }) => from === null || [name, url].includes(from),
  );
  return entries.flatMap(({ accepted }) =>
    accepted === null || cacheFolder === null ? [] : packagesIn(cacheFolder, accepted.sha256),
  );
}

function packagesIn(cacheFolder: string, sha256: string): readonly (readonly [string, string])[] {
  const { bytes } = readKept(cacheFolder, sha256) ?? {};
  // The user accepted exactly these bytes, and they were verified then. Other bytes count for nothing.
  if (bytes === undefined || bytes.length > LIMIT_BYTES || sha256Of(bytes) !== sha256) return [];
  const files = orNull(() => decodeDatabase(bytes))?.Files ?? new Map<string, FileEntry>();
  return Array.from(files.values()).flatMap((entry) =>
    isNamed(entry) && entry.Yanked === undefined ? [[entry.Name, entry.Version]] : [],
  );
}
