import { PacksignError } from '../errors.js';
import { decodeDatabase } from '../format/database.js';
import type { Database } from '../model/database.js';
import { openNetwork } from '../net/transport.js';
import type { Network } from '../net/transport.js';
import type { AskedDatabase } from './agreement.js';
import { verifyOnDisk } from './disk-database.js';
import type { DiskOptions } from './disk-database.js';
import { fetchThrough } from './fetch.js';
import { inParallel } from './parallel.js';
import { NO_PINS } from './pins.js';
import { damagedEntry, trustedIn } from './sources.js';
import type { FetchOptions } from './sources.js';
import type { PlaceVerdict } from './verify-place.js';

/** A trusted database that could not be asked. */
export interface AskFailure {
  /** What the user calls it; null where the message names it. */
  readonly target: string | null;
  readonly error: PacksignError;
}

export interface Asked {
  readonly databases: readonly AskedDatabase[];
  readonly failures: readonly AskFailure[];
}

/** How many databases are fetched at once. */
const FETCHES = 8;

/**
 * Fetches and verifies all databases that the user trusts. One that cannot be read is a failure, because it might
 * contradict the others. Throws NOT_TRUSTED if there is none, the first failure if there is nothing else, and
 * TRUST_DAMAGED if the whole store is damaged.
 */
export async function askTrusted({ run }: Pick<FetchOptions, 'run'>): Promise<Asked> {
  const { entries, damaged } = trustedIn(run.trust);
  const failures: AskFailure[] = damaged.map((entry) => ({
    target: null,
    error: damagedEntry(entry, run.trust),
  }));
  const databases: AskedDatabase[] = [];
  const network = openNetwork(run.network);
  try {
    const outcomes = await inParallel(entries, FETCHES, async ({ name }) => {
      const fetched = await orError(() => askThrough(network, name, { ...NO_PINS, run }));
      return { name, fetched };
    });
    for (const { name, fetched } of outcomes) {
      if (fetched instanceof PacksignError) failures.push({ target: name, error: fetched });
      else databases.push(fetched);
    }
  } finally {
    network.close();
  }
  const [failure] = failures;
  if (databases.length > 0) return { databases, failures };
  if (failure !== undefined) throw failure.error;
  throw new PacksignError(
    'NOT_TRUSTED',
    'no database is trusted yet, so there is nothing to look files up in',
    {
      hint: 'trust one: packsign trust add URL --keys FILE; or name one: --from URL or --database FILE, with --fingerprint FPR or --keys FILE',
    },
  );
}

async function orError<T>(carryOut: () => Promise<T>): Promise<T | PacksignError> {
  try {
    return await carryOut();
  } catch (error) {
    if (error instanceof PacksignError) return error;
    throw error;
  }
}

/** Fetches one database, by its address or name. Throws NOT_PUBLISHED, and what `fetchDatabase` throws. */
export async function askOne(from: string, options: FetchOptions): Promise<AskedDatabase> {
  const network = openNetwork(options.run.network);
  try {
    return await askThrough(network, from, options);
  } finally {
    network.close();
  }
}

async function askThrough(network: Network, from: string, options: FetchOptions): Promise<AskedDatabase> {
  const fetched = await fetchThrough(network, from, options);
  const { code, message, url, name } = fetched;
  // Nobody could be asked: that is no refusal of a database.
  if (code === 'DATABASE_MISSING') throw new PacksignError('NOT_PUBLISHED', message ?? url);
  return askedDatabase(fetched, { database: url, name });
}

/** Reads a database file. Throws what `verifyOnDisk` throws. */
export async function askFile(database: string, options: DiskOptions): Promise<AskedDatabase> {
  const verdict = await verifyOnDisk(database, options);
  return askedDatabase(verdict, { database, name: verdict.name });
}

function askedDatabase(
  verdict: Omit<PlaceVerdict, 'listed'>,
  { database, name }: Pick<AskedDatabase, 'database' | 'name'>,
): AskedDatabase {
  const { status, code, message, notify, sha256, accepted, signatures, notices } = verdict;
  const known = { database, name, notify, sha256, accepted, signatures, notices };
  if (verdict.trusted !== null || verdict.bytes === null || status !== 'unauthenticated') {
    return { ...known, status, code, message, contents: verdict.trusted };
  }
  const contents = decoded(verdict.bytes);
  return contents instanceof PacksignError
    ? { ...known, status: 'refused', code: contents.code, message: contents.message, contents: null }
    : { ...known, status, code, message, contents };
}

/** The contents of a database that nobody vouches for, or what is wrong with them. */
function decoded(bytes: Uint8Array): Database | PacksignError {
  try {
    return decodeDatabase(bytes);
  } catch (error) {
    if (error instanceof PacksignError) return error;
    throw error;
  }
}
