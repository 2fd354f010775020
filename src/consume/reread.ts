import { setTimeout as sleep } from 'node:timers/promises';
import type { Run } from '../run.js';
import { continues } from '../model/chain.js';
import type { TrustedDatabase } from '../verify/verify-database.js';
import type { FetchedDatabase } from './fetch.js';

/** Three times within five seconds (docs/FORMAT.md §8 step 11). */
export const REREADS = 3;

/**
 * Reads a database again before files are called altered or missing: a publication replaces such files right before their
 * database. Gives the first one that says something else about them, and is a later state of the one that was read before,
 * as fresh as that: a server may not make its reader go back (docs/FORMAT.md §8 step 11). Null if none does.
 */
export async function rereadUntil(
  before: FetchedDatabase,
  says: (database: TrustedDatabase) => boolean,
  { again, run }: Rereading,
): Promise<FetchedDatabase | null> {
  for (let reread = 0; reread < REREADS; reread += 1) {
    await sleep(run.network.backOffMs * 2 ** reread);
    const now = await again();
    if (now.trusted !== null && isLater(now, before) && says(now.trusted)) return now;
  }
  return null;
}

export interface Rereading {
  /** Reads the database once more. */
  readonly again: () => Promise<FetchedDatabase>;
  readonly run: Run;
}

function isLater(
  { status, trusted: now }: FetchedDatabase,
  { status: was, trusted: then }: FetchedDatabase,
): boolean {
  if (now === null || then === null) return false;
  const isAsFresh = status === 'authentic' || status === was;
  return isAsFresh && now.Packsign.Issued > then.Packsign.Issued && continues(now, then);
}
