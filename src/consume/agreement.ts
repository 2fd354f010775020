import type { Database } from '../model/database.js';
import type { Lookup } from '../model/lookup.js';
import type { Suspect } from './report.js';

/** A database that is asked about files, and how far it can be believed. */
export interface AskedDatabase extends Omit<Suspect, 'findings'> {
  /** What the user calls it; null where it is not in the store. */
  readonly name: string | null;
  /** Null if it was refused: then it says nothing. Nobody vouches for that of an `unauthenticated` one. */
  readonly contents: Database | null;
  readonly notices: readonly string[];
}

/** What one database says about a file. */
export interface DatabaseAnswer {
  readonly database: AskedDatabase;
  readonly lookup: Lookup;
}

/** What all databases together say about a file. */
export interface Agreement {
  /** Of each database that knows the file and counts, the best one first; empty if none does. */
  readonly answers: readonly DatabaseAnswer[];
  /** Whether they contradict each other. */
  readonly isAmbiguous: boolean;
}

/** From bad to good, for answers that contradict each other: a program that reads only the first takes no harm. */
const KINDS: readonly Lookup['kind'][] = ['altered', 'withdrawn', 'yanked', 'renamed', 'listed'];
const STATUSES: readonly AskedDatabase['status'][] = ['refused', 'unauthenticated', 'stale', 'authentic'];

/**
 * Joins what databases say about a file. One that does not know the file says nothing. One that nobody vouches for counts
 * only where no other knows the file, so that it can neither hide nor contradict what was signed. Two that list the bytes
 * agree whatever they call them; all other differences are contradictions.
 */
export function agreementOf(all: readonly DatabaseAnswer[]): Agreement {
  const known = all.filter(({ lookup }) => lookup.kind !== 'unknown');
  const vouched = known.filter(({ database }) => database.status !== 'unauthenticated');
  const counted = vouched.length > 0 ? vouched : known;
  const meanings = new Set(
    counted.map(({ lookup: { kind } }) => (kind === 'renamed' ? ('listed' as const) : kind)),
  );
  const rank = ({ lookup, database }: DatabaseAnswer) =>
    KINDS.indexOf(lookup.kind) * STATUSES.length + STATUSES.indexOf(database.status);
  const isAmbiguous = meanings.size > 1;
  const order = isAmbiguous ? 1 : -1;
  return { answers: counted.toSorted((a, b) => order * (rank(a) - rank(b))), isAmbiguous };
}
