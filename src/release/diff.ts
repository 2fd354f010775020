import { join } from 'node:path';
import { decodeDraft } from '../format/database.js';
import { diffDatabases } from '../model/diff.js';
import type { Difference } from '../model/diff.js';
import type { Coverage } from '../model/coverage.js';
import type { Warning } from '../model/finding.js';
import { DATABASE_NAME, UNSIGNED_NAME } from '../model/layout.js';
import { coverageIn } from '../places/coverage.js';
import { globsOf } from '../places/scan.js';
import { readPublished } from '../published/read.js';
import { seenWhole } from '../published/whole.js';
import { buildInMemory } from './in-memory.js';
import type { InMemoryOptions } from './in-memory.js';

export interface DiffResult {
  /** The database that would be published next; the published one if nothing changes. */
  readonly database: string;
  /** Whether that is a waiting database, and not one made in memory. */
  readonly waiting: boolean;
  readonly difference: Difference;
  readonly coverage: Coverage;
  readonly warnings: readonly Warning[];
}

/**
 * What the next publication changes: compares the waiting database, or one made in memory if none waits, with the
 * published one. Writes nothing. Throws what `buildInMemory` throws, and DATABASE_MALFORMED.
 */
export async function diff(directory: string, options: InMemoryOptions): Promise<DiffResult> {
  const path = join(directory, UNSIGNED_NAME);
  const seen = await seenWhole(readPublished(directory, options.run.stateFolder));
  const { published } = seen;
  const bytes = published.bytes(UNSIGNED_NAME);
  if (bytes === null) {
    const { difference, coverage, warnings, unchanged } = await buildInMemory(published, options);
    return {
      database: unchanged ? join(directory, DATABASE_NAME) : path,
      waiting: false,
      difference,
      coverage,
      warnings: [...warnings, ...seen.warnings],
    };
  }
  const signed = options.first ? null : await published.verified();
  const next = decodeDraft(bytes);
  const difference = diffDatabases(signed?.database ?? null, next);
  const coverage = coverageIn(directory, next, globsOf(options.settings));
  return { database: path, waiting: true, difference, coverage, warnings: seen.warnings };
}
