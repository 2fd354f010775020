import { findEntry } from '../consume/sources.js';
import { PacksignError } from '../errors.js';
import { isAddress } from '../model/address.js';
import { breaksIn, chainOf } from '../model/chain.js';
import { formatInstant } from '../model/time.js';
import { readNote } from '../published/notes.js';
import type { Published, SignedDatabase } from '../published/published.js';
import type { Run } from '../run.js';

/** What a database from another place must be, so that nobody builds upon one that is out of date. */
export interface LeastPredecessor {
  /** Whether it may have expired. */
  readonly allowStale?: boolean;
  /** It is dated at this time or later; or has this SHA-256, or follows the database with it. Null for anything. */
  readonly notBefore?: Date | string | null;
}

export interface ElsewhereContext extends LeastPredecessor {
  /** The file or address that the database is from. */
  readonly from: string;
  readonly run: Run;
}

/**
 * Refuses an old database from another place: a server or a cache on the way may hand it out, and what was published
 * since would be gone for every reader (docs/FORMAT.md §6, `Previous`). Throws DATABASE_STALE, DATABASE_ROLLED_BACK,
 * TRUST_DAMAGED, FILE_UNREADABLE.
 */
export function requireCurrent({ database, content }: SignedDatabase, context: ElsewhereContext): void {
  const { from, run, allowStale = false, notBefore = null } = context;
  const { Issued, Expires, Previous } = database.Packsign;
  if (notBefore instanceof Date && Issued < notBefore) {
    throw rolledBack(
      from,
      `is dated ${formatInstant(Issued)}, before the ${formatInstant(notBefore)} of --not-before`,
    );
  }
  if (typeof notBefore === 'string' && content.sha256() !== notBefore && Previous !== notBefore) {
    throw rolledBack(from, `is neither the one with SHA-256 ${notBefore} (--not-before) nor the next`);
  }
  const accepted = isAddress(from) ? (findEntry(from, run.trust)?.accepted?.issued ?? null) : null;
  if (accepted !== null && Issued < accepted) throw olderThan(from, Issued, accepted);
  if (!isAddress(from) || allowStale || Expires === undefined || Expires > run.now) return;
  throw new PacksignError('DATABASE_STALE', `${from} has expired at ${formatInstant(Expires)}`, {
    hint: 'check whether a newer one is published; if this is the newest, add --allow-stale',
  });
}

/**
 * The database to build upon: the one of another place, or the one here if that goes on from it, as after a build that
 * was not uploaded yet. Warns if nothing tells whether it is the newest. Throws DATABASE_ROLLED_BACK.
 */
export async function newerOf(
  published: Published,
  elsewhere: SignedDatabase,
  { from, run, notBefore = null }: ElsewhereContext,
): Promise<SignedDatabase> {
  const { Issued } = elsewhere.database.Packsign;
  const own = published.sha256() === null ? null : await published.verified();
  if (own !== null && Issued < own.database.Packsign.Issued) {
    const remembered = { issued: Issued, chain: chainOf(elsewhere.database) };
    if (breaksIn(own.database, remembered).length === 0) return own;
    throw olderThan(from, Issued, own.database.Packsign.Issued);
  }
  const note = run.notesFolder === null ? null : readNote(run.notesFolder, published.directory);
  if (note !== null && Issued < note.issued) throw olderThan(from, Issued, note.issued);
  const isKnown = own !== null || note !== null || notBefore !== null;
  if (isAddress(from) && !isKnown && findEntry(from, run.trust)?.accepted == null) {
    const message = `packsign cannot tell whether ${from} serves the newest database: if not, this build undoes what was published since; --not-before DATE or SHA256 sets the oldest one to accept`;
    run.warn({ code: 'PREDECESSOR_UNCHECKED', path: null, message });
  }
  return elsewhere;
}

function olderThan(from: string, issued: Date, last: Date): PacksignError {
  const dates = `is dated ${formatInstant(issued)}, and one of ${formatInstant(last)} was accepted or published here`;
  return rolledBack(from, dates);
}

export function rolledBack(from: string, what: string): PacksignError {
  return new PacksignError('DATABASE_ROLLED_BACK', `${from} ${what}`, {
    hint: 'name the newest database with --previous; if it is lost for good, copy this one, with signatures and keys.asc, into DIRECTORY, and build without --previous',
  });
}
