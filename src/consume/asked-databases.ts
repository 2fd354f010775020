import { PacksignError } from '../errors.js';
import { decodeDatabase } from '../format/database.js';
import { withNetwork } from '../net/transport.js';
import type { Network } from '../net/transport.js';
import type { AskedDatabase } from './agreement.js';
import { verifyOnDisk } from './disk-database.js';
import type { DiskOptions } from './disk-database.js';
import { fetchThrough } from './fetch.js';
import { orError } from './or-error.js';
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
  const failures: AskFailure[] = damaged.map((entry) => {
    return { target: null, error: damagedEntry(entry, run.trust) };
  });
  const databases: AskedDatabase[] = [];
  const outcomes = await withNetwork(run.network, (network) =>
    inParallel(entries, FETCHES, async ({ name }) => {
      return { name, asked: await orError(() => askThrough(network, name, { ...NO_PINS, run })) };
    }),
  );
  for (const { name, asked } of outcomes) {
    if (asked instanceof PacksignError) failures.push({ target: name, error: asked });
    else databases.push(asked);
  }
  const [failure] = failures;
  if (databases.length > 0) return { databases, failures };
  if (failure !== undefined) throw failure.error;
  const message = 'no database is trusted yet, so there is nothing to look files up in';
  throw new PacksignError('NOT_TRUSTED', message, {
    hint: 'trust one: packsign trust add URL --keys FILE; or name one: --from URL or --database FILE, with --fingerprint FPR or --keys FILE',
  });
}

/** Fetches one database, by its address or name. Throws NOT_PUBLISHED, and what `fetchDatabase` throws. */
export async function askOne(from: string, options: FetchOptions): Promise<AskedDatabase> {
  return await withNetwork(options.run.network, (network) => askThrough(network, from, options));
}

async function askThrough(network: Network, from: string, options: FetchOptions): Promise<AskedDatabase> {
  const fetched = await fetchThrough(network, from, options);
  const { code, message, url, name } = fetched;
  // Nobody could be asked: that is no refusal of a database.
  if (code === 'DATABASE_MISSING') throw new PacksignError('NOT_PUBLISHED', message ?? url);
  return await askedDatabase(fetched, { database: url, name });
}

/** Reads a database file. Throws what `verifyOnDisk` throws. */
export async function askFile(database: string, options: DiskOptions): Promise<AskedDatabase> {
  const verdict = await verifyOnDisk(database, options);
  return await askedDatabase(verdict, { database, name: verdict.name });
}

async function askedDatabase(
  verdict: Omit<PlaceVerdict, 'listed'>,
  { database, name }: Pick<AskedDatabase, 'database' | 'name'>,
): Promise<AskedDatabase> {
  const { status, code, message, notify, sha256, accepted, signatures, notices } = verdict;
  const known = { database, name, notify, sha256, accepted, signatures, notices };
  const { trusted, bytes } = verdict;
  if (trusted !== null || bytes === null || status !== 'unauthenticated') {
    return { ...known, status, code, message, contents: trusted };
  }
  const contents = await orError(() => decodeDatabase(bytes));
  return contents instanceof PacksignError
    ? { ...known, status: 'refused', code: contents.code, message: contents.message, contents: null }
    : { ...known, status, code, message, contents };
}
