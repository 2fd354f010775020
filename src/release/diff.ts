import { join } from 'node:path';
import { openCache } from './digest-cache.js';
import { readBounded } from '../disk/files.js';
import { decodeDatabase } from '../format/database.js';
import { DATABASE_LIMIT_BYTES } from '../model/database.js';
import { diffDatabases } from '../model/diff.js';
import type { Difference } from '../model/diff.js';
import type { Warning } from '../model/finding.js';
import { DATABASE_NAME, UNSIGNED_NAME } from '../model/layout.js';
import type { BuildOptions } from './build.js';
import { makeCandidate } from './candidate.js';
import { readPublished, readStanding } from '../published/read.js';

export type DiffOptions = Omit<BuildOptions, 'check' | 'strict' | 'release'>;

export interface DiffResult {
  /** The database that would be published next; what is published where that says the same. */
  readonly database: string;
  /** Whether that lies there and waits, or was made in memory for this. */
  readonly waiting: boolean;
  readonly difference: Difference;
  readonly warnings: readonly Warning[];
}

/**
 * What the next publication changes: the waiting database against the published one, or one made in
 * memory where none waits. Writes nothing. Throws what `prepare` throws, and DATABASE_MALFORMED.
 */
export async function diff(directory: string, options: DiffOptions): Promise<DiffResult> {
  const path = join(directory, UNSIGNED_NAME);
  const bytes = readBounded(path, DATABASE_LIMIT_BYTES);
  if (bytes === null) {
    const cache = openCache(options.stateFolder, { rehash: options.rehash, remember: false });
    const { difference, warnings, unchanged } = await makeCandidate(directory, {
      ...options,
      signing: await options.signing(),
      cache,
      standing: readStanding(directory),
    });
    return {
      database: unchanged ? join(directory, DATABASE_NAME) : path,
      waiting: false,
      difference,
      warnings,
    };
  }
  const published = options.first ? null : await readPublished(directory);
  const difference = diffDatabases(published?.database ?? null, decodeDatabase(bytes));
  return { database: path, waiting: true, difference, warnings: [] };
}
