import { setTimeout as sleep } from 'node:timers/promises';
import type { Run } from '../run.js';
import type { TrustedDatabase } from '../verify/verify-database.js';
import type { FetchedDatabase } from './fetch.js';

/** Three times within five seconds (docs/FORMAT.md §8 step 11). */
export const REREADS = 3;

/**
 * Reads a database again before files are called altered or missing: a publication replaces such files right before their
 * database. Gives the first one that says something else about them; null if none does.
 */
export async function rereadUntil(
  says: (database: TrustedDatabase) => boolean,
  again: () => Promise<FetchedDatabase>,
  { network: { backOffMs } }: Pick<Run, 'network'>,
): Promise<TrustedDatabase | null> {
  for (let reread = 0; reread < REREADS; reread += 1) {
    await sleep(backOffMs * 2 ** reread);
    const { trusted } = await again();
    if (trusted !== null && says(trusted)) return trusted;
  }
  return null;
}
