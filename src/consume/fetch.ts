import { PacksignError } from '../errors.js';
import { namedAddress } from '../model/address.js';
import { openNetwork } from '../net/transport.js';
import type { Network } from '../net/transport.js';
import { addressPlace } from '../places/address.js';
import type { PinOptions } from './pins.js';
import { findSource } from './sources.js';
import type { FetchOptions, PlaceRequest, RemoteSource } from './sources.js';
import { verifyPlace } from './verify-place.js';
import type { PlaceVerdict } from './verify-place.js';

/** A fetched database with its verdict. */
export interface FetchedDatabase extends Omit<PlaceVerdict, 'listed'> {
  /** The address under which it is known. */
  readonly url: string;
  /** What the user calls it; null where it is not in the store. */
  readonly name: string | null;
  /** The address that answered: the same, or a mirror's. */
  readonly from: string;
}

/**
 * Fetches a database by its address or the name that it has in the trust store, and decides on it (`verifyPlace`).
 * Throws what `verifyPlace` throws, NOT_TRUSTED, USAGE, and KEYS_MALFORMED for a file that the user named.
 */
export async function fetchDatabase(target: string, options: FetchOptions): Promise<FetchedDatabase> {
  const network = openNetwork(options.run.network);
  try {
    return await fetchThrough(network, target, options);
  } finally {
    await network.close();
  }
}

export interface FetchRequest extends PlaceRequest {
  /** The one address to ask, in place of the database's own and its mirrors. */
  readonly at?: string;
}

/** The same through a network that is open already. */
export async function fetchThrough(
  network: Network,
  target: string,
  options: FetchRequest & PinOptions,
): Promise<FetchedDatabase> {
  const source = await findSource(target, options);
  try {
    return await fetchSource(network, source, options);
  } catch (error) {
    // Another process may have accepted a newer database, and removed the list that we were about to read.
    const isSwept = error instanceof PacksignError && error.code === 'TRUST_DAMAGED';
    const now = isSwept ? await findSource(target, options) : source;
    if (now.entry?.accepted?.sha256 === source.entry?.accepted?.sha256) throw error;
    return await fetchSource(network, now, options);
  }
}

/** Asks the database's own address, then its mirrors. */
export async function fetchSource(
  network: Network,
  source: RemoteSource,
  request: FetchRequest,
): Promise<FetchedDatabase> {
  const ask = async (address: string) =>
    await attempt(() => fetchFrom(network, address, { source, request }));
  const first = await ask(request.at ?? source.url);
  // The answer of the database's own address counts, unless it has none.
  const isNothing = first instanceof PacksignError || first.code === 'DATABASE_MISSING';
  const mirrors = isNothing && request.at === undefined ? (source.entry?.accepted?.mirrors ?? []) : [];
  for (const address of mirrors.flatMap((mirror) => namedAddress(mirror) ?? [])) {
    const answer = await ask(address);
    if (!(answer instanceof PacksignError) && answer.status !== 'refused') return answer;
  }
  if (first instanceof PacksignError) throw first;
  return first;
}

const NETWORK_CODES = ['NETWORK', 'NETWORK_SLOW', 'NETWORK_TIMEOUT', 'REDIRECT_REFUSED', 'FILE_UNREADABLE'];

/** The answer, or the network's error. */
async function attempt<T>(carryOut: () => Promise<T>): Promise<T | PacksignError> {
  try {
    return await carryOut();
  } catch (error) {
    if (error instanceof PacksignError && NETWORK_CODES.includes(error.code)) return error;
    throw error;
  }
}

async function fetchFrom(
  network: Network,
  from: string,
  { source, request }: { readonly source: RemoteSource; readonly request: FetchRequest },
): Promise<FetchedDatabase> {
  const place = addressPlace(network, from);
  const first = await verifyPlace(place, source, request);
  // An old database may come from a cache on the way.
  const isOld = first.code === 'DATABASE_ROLLED_BACK' && request.fresh !== true;
  return fetched(isOld ? await verifyPlace(place, source, { ...request, fresh: true }) : first, source, from);
}

function fetched(
  { listed: _, ...answer }: PlaceVerdict,
  source: RemoteSource,
  from: string,
): FetchedDatabase {
  return { ...answer, url: source.url, name: source.entry?.name ?? null, from };
}
