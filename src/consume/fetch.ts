import { PacksignError } from '../errors.js';
import { namedAddress } from '../model/address.js';
import { withNetwork } from '../net/transport.js';
import type { Network } from '../net/transport.js';
import { signaturePath } from '../model/layout.js';
import { addressPlace } from '../places/address.js';
import type { Place } from '../places/place.js';
import { sha256Of } from '../verify/verify-database.js';
import { orError } from './or-error.js';
import type { PinOptions } from './pins.js';
import { keptOf } from './remember.js';
import { findSource } from './sources.js';
import type { FetchOptions, PlaceRequest, RemoteSource } from './sources.js';
import { verifyPlace } from './verify-place.js';
import type { PlaceVerdict } from './verify-place.js';

/** A fetched database with its verdict. */
export interface FetchedDatabase extends Omit<PlaceVerdict, 'listed'> {
  /** Whether it is authentic. */
  readonly ok: boolean;
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
  return await withNetwork(options.run.network, (network) => fetchThrough(network, target, options));
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
  /** The answer, or the network's error. */
  const ask = async (address: string) => {
    const answer = await orError(() => fetchFrom(network, address, { source, request }));
    if (answer instanceof PacksignError && !NETWORK_CODES.includes(answer.code)) throw answer;
    return answer;
  };
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

async function fetchFrom(
  network: Network,
  from: string,
  { source, request }: { readonly source: RemoteSource; readonly request: FetchRequest },
): Promise<FetchedDatabase> {
  const place = addressPlace(network, from);
  const first = await verifyPlace(place, source, request);
  if (first.code !== 'DATABASE_ROLLED_BACK') return fetched(first, source, from);
  // An old database may come from a cache on the way, or from one that is behind the others.
  const again = await verifyPlace(place, source, { ...request, fresh: true, pastCaches: true });
  if (again.code !== 'DATABASE_ROLLED_BACK') return fetched(again, source, from);
  // Who is asked what to accept has to know what the server has.
  const isAsked = request.confirmBreaks !== undefined;
  const kept = isAsked ? null : await verifyKept(place, source, { request, behind: again });
  return fetched(kept ?? again, source, from);
}

/** The newer database that we hold counts as long as it is fresh; null where there is none. */
async function verifyKept(
  place: Place,
  source: RemoteSource,
  { request, behind }: { readonly request: FetchRequest; readonly behind: PlaceVerdict },
): Promise<PlaceVerdict | null> {
  const kept = keptOf(source, request.run.trust);
  if (kept === null) return null;
  const found = (bytes: Buffer) => Promise.resolve({ kind: 'found', bytes, etag: null } as const);
  const isSignature = (path: string) => path === signaturePath(sha256Of(kept.bytes));
  const answer = await verifyPlace(
    {
      ...place,
      readDatabase: () => found(kept.bytes),
      readBeside: async (path, options) =>
        isSignature(path) ? await found(kept.signature) : await place.readBeside(path, options),
    },
    // What came with the database that is behind may speak against the keys of this one.
    { ...source, certificates: behind.certificates },
    // It was remembered when it was accepted.
    { ...request, run: { ...request.run, trust: { kind: 'none' } } },
  );
  if (answer.status !== 'authentic') return null;
  const notice = `${place.database} is behind (${behind.message ?? ''}): using the newer database that was accepted before`;
  return { ...answer, notices: [...answer.notices, notice] };
}

function fetched(
  { listed: _, ...answer }: PlaceVerdict,
  source: RemoteSource,
  from: string,
): FetchedDatabase {
  const ok = answer.status === 'authentic';
  return { ok, ...answer, url: source.url, name: source.entry?.name ?? null, from };
}

/** What the user should know about the database, and what changed in it. */
export function noticesOf({ notices, changes }: FetchedDatabase): readonly string[] {
  return [...notices, ...changes.map(({ path, message }) => `${path ?? ''}: ${message}`)];
}
