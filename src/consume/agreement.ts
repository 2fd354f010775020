import { besideAddress, isAddress } from '../model/address.js';
import type { Database } from '../model/database.js';
import type { Lookup } from '../model/lookup.js';
import { offersOf } from './offers.js';
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
 * agree whatever they call them, and one says nothing about a file that it gave away to another one; all other
 * differences are contradictions.
 */
export function agreementOf(all: readonly DatabaseAnswer[]): Agreement {
  const known = all.filter(({ lookup }) => lookup.kind !== 'unknown');
  const vouched = known.filter(({ database }) => database.status !== 'unauthenticated');
  const counted = vouched.length > 0 ? withoutMoved(vouched) : known;
  const meanings = new Set(
    counted.map(({ lookup: { kind } }) => (kind === 'renamed' ? ('listed' as const) : kind)),
  );
  const rank = ({ lookup, database }: DatabaseAnswer) =>
    KINDS.indexOf(lookup.kind) * STATUSES.length + STATUSES.indexOf(database.status);
  const isAmbiguous = meanings.size > 1;
  const order = isAmbiguous ? 1 : -1;
  return { answers: counted.toSorted((a, b) => order * (rank(a) - rank(b))), isAmbiguous };
}

function withoutMoved(answers: readonly DatabaseAnswer[]): readonly DatabaseAnswer[] {
  const isMoved = (answer: DatabaseAnswer) => {
    const vouched = vouchedBy(answer.database, answers);
    return answers.some((other) => vouched.has(other.database.database) && isMovedTo(other, answer));
  };
  return answers.filter((answer) => answer.lookup.kind !== 'withdrawn' || !isMoved(answer));
}

/** The addresses of the databases that one vouches for, itself or through others of these. */
function vouchedBy(first: AskedDatabase, answers: readonly DatabaseAnswer[]): ReadonlySet<string> {
  const found = new Set<string>();
  const from = [first];
  for (const { contents } of from) {
    for (const url of contents === null ? [] : offersOf(contents)) {
      if (found.has(url)) continue;
      found.add(url);
      from.push(...answers.map(({ database }) => database).filter(({ database }) => database === url));
    }
  }
  return found;
}

/** Whether a database lists a file at the address at which another one withdrew it last. */
function isMovedTo(
  { lookup, database: to }: DatabaseAnswer,
  { lookup: before, database: from }: DatabaseAnswer,
): boolean {
  if (!('entry' in lookup) || lookup.kind === 'altered' || before.kind !== 'withdrawn') return false;
  if (!isAddress(from.database)) return false;
  const [folder, address] = [new URL('.', from.database).href, besideAddress(to.database, lookup.path)];
  if (!address.startsWith(folder)) return false;
  const path = decodeURIComponent(address.slice(folder.length));
  return from.contents?.Packsign.History?.get(path)?.at(-1)?.SHA256 === lookup.entry.SHA256;
}
