import { join } from 'node:path';
import { decodeDatabase } from '../format/database.js';
import { diffDatabases } from '../model/diff.js';
import type { Difference } from '../model/diff.js';
import type { Warning } from '../model/finding.js';
import { DATABASE_NAME, UNSIGNED_NAME } from '../model/layout.js';
import { readPublished } from '../published/read.js';
import { seenWhole } from '../published/whole.js';
import { buildInMemory } from './in-memory.js';
import type { InMemoryOptions } from './in-memory.js';

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
 * memory where none waits. Writes nothing. Throws what `buildInMemory` throws, and DATABASE_MALFORMED.
 */
export async function diff(directory: string, options: InMemoryOptions): Promise<DiffResult> {
  const path = join(directory, UNSIGNED_NAME);
  const seen = await seenWhole(readPublished(directory, options.run.stateFolder));
  const { published } = seen;
  const bytes = published.bytes(UNSIGNED_NAME);
  if (bytes === null) {
    const { difference, warnings, unchanged } = await buildInMemory(published, options);
    return {
      database: unchanged ? join(directory, DATABASE_NAME) : path,
      waiting: false,
      difference,
      warnings: [...warnings, ...seen.warnings],
    };
  }
  const signed = options.first ? null : await published.verified();
  const difference = diffDatabases(signed?.database ?? null, decodeDatabase(bytes));
  return { database: path, waiting: true, difference, warnings: seen.warnings };
}
