import { setTimeout as sleep } from 'node:timers/promises';
import { forgetDatabases, keepDatabase, readKept } from './kept-databases.js';
import type { KeptDatabase } from './kept-databases.js';
import { changeTrust, writeAcceptedHashes } from './trust-store.js';
import { PacksignError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { besideAddress, namedAddress } from '../model/address.js';
import { DATABASE_LIMIT_BYTES, KEYS_LIMIT_BYTES, SIGNATURE_LIMIT_BYTES } from '../model/database.js';
import { KEYS_NAME, signaturePath } from '../model/layout.js';
import { hashesOf } from '../model/ledger.js';
import type { AcceptedNote, TrustEntry } from '../model/trust.js';
import type { Absent } from '../net/reply.js';
import { readAddress } from '../places/address.js';
import { openNetwork } from '../net/transport.js';
import type { Network } from '../net/transport.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Run } from '../run.js';
import { verifyDatabase, sha256Of } from '../verify/verify-database.js';
import type { CheckedSignature, TrustedDatabase, Verdict } from '../verify/verify-database.js';
import { acceptedOf, entriesOf, findSource } from './sources.js';
import type { FetchOptions, PinOptions, Source } from './sources.js';

/** A database as it was fetched, and what it was found to be. */
export interface FetchedDatabase {
  readonly status: 'authentic' | 'stale' | 'unauthenticated' | 'refused';
  /** Why it is not simply authentic. */
  readonly code: ErrorCode | null;
  readonly message: string | null;
  /** The address under which it is known. */
  readonly url: string;
  /** What the user calls it; null where it does not stand in the store. */
  readonly name: string | null;
  /** The address that answered: the same, or a mirror's. */
  readonly from: string;
  readonly sha256: string | null;
  /** What the server called the bytes; null where it did not, or a mirror answered. */
  readonly etag: string | null;
  /** Its signature file; null where there was none to look at. */
  readonly signature: Uint8Array | null;
  /** The bytes, for what may be done with an unauthenticated database; null where it was refused. */
  readonly bytes: Uint8Array | null;
  /** Null unless keys that somebody pinned have signed. */
  readonly trusted: TrustedDatabase | null;
  readonly pinnedBy: 'option' | 'store' | null;
  /** Primary fingerprints that it was held to. */
  readonly fingerprints: readonly string[];
  readonly signatures: readonly CheckedSignature[];
  /** The last one that was accepted before this one; null where none was, or the store was not asked. */
  readonly accepted: AcceptedNote | null;
  /** Where the maintainer wants to hear of trouble, by the word of the last database that was accepted. */
  readonly notify: string | null;
  readonly notices: readonly string[];
}

/** More than this since the last look, and certificates are asked for although the database is not new. */
const KEYS_AGE_MS = 24 * 60 * 60 * 1000;
const REREADS = 3;

/**
 * Fetches a database by its address or the name that it has in the trust store, and decides on it: steps 1
 * to 10 of docs/FORMAT.md §8. A bad database is in the answer, with its code, and leaves the store as it
 * was. Thrown is what keeps us from looking: NETWORK, NETWORK_TIMEOUT, NETWORK_SLOW, REDIRECT_REFUSED,
 * NOT_TRUSTED, TRUST_DAMAGED, LOCKED, FILE_UNREADABLE, KEYS_MALFORMED (of a file that was named), USAGE.
 */
export async function fetchDatabase(target: string, options: FetchOptions): Promise<FetchedDatabase> {
  const network = openNetwork(options.run.network);
  try {
    return await fetchThrough(network, target, options);
  } finally {
    await network.close();
  }
}

/** How a database is asked for. */
export interface FetchRequest {
  readonly run: Run;
  /** Whether caches are passed by, and nothing that is kept is used. */
  readonly fresh?: boolean;
  /** The one address to ask, in place of the database's own and its mirrors. */
  readonly at?: string;
  /** Whether certificates are asked for although they were not long ago. */
  readonly keysDue?: boolean;
}

/** The same over a network that stays open. */
export async function fetchThrough(
  network: Network,
  target: string,
  options: FetchRequest & PinOptions,
): Promise<FetchedDatabase> {
  const source = await findSource(target, options);
  try {
    return await fetchSource(network, source, options);
  } catch (error) {
    // Another process may have accepted something newer, and swept what we were about to compare with.
    const isSwept = error instanceof PacksignError && error.code === 'TRUST_DAMAGED';
    const now = isSwept ? await findSource(target, options) : source;
    if (now.entry?.accepted?.sha256 === source.entry?.accepted?.sha256) throw error;
    return await fetchSource(network, now, options);
  }
}

export async function fetchSource(
  network: Network,
  source: Source,
  options: FetchRequest,
): Promise<FetchedDatabase> {
  const mirrors = options.at === undefined ? (source.entry?.accepted?.mirrors ?? []) : [];
  const own = options.at ?? source.url;
  let first: FetchedDatabase | PacksignError | null = null;
  for (const address of [own, ...mirrors.flatMap((mirror) => namedAddress(mirror) ?? [])]) {
    const answer = await attempt(() => fetchFrom(network, address, { source, options }));
    first ??= answer;
    if (answer instanceof PacksignError) continue;
    if (answer.status !== 'refused') return answer;
    // What the database's own address gives is the answer, unless it gives nothing.
    if (address === own && answer.code !== 'DATABASE_MISSING') return answer;
  }
  if (first instanceof PacksignError) throw first;
  return (
    first ?? refusal(source, { from: source.url, code: 'DATABASE_MISSING', message: 'there is no address' })
  );
}

/** The answer, or why the network gave none. */
async function attempt<T>(carryOut: () => Promise<T>): Promise<T | PacksignError> {
  try {
    return await carryOut();
  } catch (error) {
    const isNetwork =
      error instanceof PacksignError &&
      ['NETWORK', 'NETWORK_SLOW', 'NETWORK_TIMEOUT', 'REDIRECT_REFUSED', 'FILE_UNREADABLE'].includes(
        error.code,
      );
    if (isNetwork) return error;
    throw error;
  }
}

interface Fetch {
  readonly source: Source;
  readonly options: FetchRequest;
}

async function fetchFrom(network: Network, from: string, fetching: Fetch): Promise<FetchedDatabase> {
  const { source, options } = fetching;
  try {
    const obtained = await obtain(network, from, fetching);
    if (obtained.kind === 'absent') {
      const message = obtained.isForbidden
        ? `${from} may not be read (403), or is not there`
        : `there is no database at ${from}`;
      return refusal(source, { from, code: 'DATABASE_MISSING', message });
    }
    const answer = await decide(obtained, { ...fetching, network, from });
    // An old database may only have lain in a cache on the way.
    const isOld = answer.code === 'DATABASE_ROLLED_BACK' && options.fresh !== true;
    return isOld ? await fetchFrom(network, from, { source, options: { ...options, fresh: true } }) : answer;
  } catch (error) {
    if (!(error instanceof PacksignError) || error.exitStatus === 2) throw error;
    return refusal(source, { from, code: error.code, message: error.message });
  }
}

interface Obtained {
  readonly kind: 'obtained';
  readonly bytes: Buffer;
  readonly signature: Buffer | null;
  readonly etag: string | null;
}

/** Steps 1 and 2: the database, and the signature of exactly its bytes. Nothing is parsed. */
async function obtain(
  network: Network,
  from: string,
  { source, options }: Fetch,
): Promise<Obtained | Absent> {
  const known = options.fresh === true || from !== source.url ? null : keptOf(source, options);
  for (let number = 0; ; number += 1) {
    const fresh = options.fresh === true || number > 0;
    const read = await readAddress(network, pastCaches(from, number), {
      limitBytes: DATABASE_LIMIT_BYTES,
      tooLarge: 'DATABASE_TOO_LARGE',
      etag: number === 0 ? (known?.etag ?? null) : null,
      fresh,
    });
    if (read.kind === 'absent') return read;
    if (read.kind === 'unchanged') {
      if (known === null) throw new PacksignError('NETWORK', `${from} says that nothing is new, unasked`);
      return { kind: 'obtained', ...known };
    }
    const { bytes, etag } = read;
    // Without pins nobody looks at a signature.
    if (source.pins === null) return { kind: 'obtained', bytes, signature: null, etag };
    const signature = await readSignature(network, from, { sha256: sha256Of(bytes), fresh });
    if (signature !== null || number >= REREADS) return { kind: 'obtained', bytes, signature, etag };
    await sleep(options.run.network.backOffMs * 2 ** number);
  }
}

async function readSignature(
  network: Network,
  from: string,
  { sha256, fresh }: { sha256: string; fresh: boolean },
): Promise<Buffer | null> {
  const read = await readAddress(network, besideAddress(from, signaturePath(sha256)), {
    limitBytes: SIGNATURE_LIMIT_BYTES,
    tooLarge: 'SIGNATURE_MALFORMED',
    fresh,
  });
  return read.kind === 'found' ? read.bytes : null;
}

/** Some caches do not hear when they are asked to look: an address that they have not seen makes them. */
function pastCaches(address: string, number: number): string {
  const url = new URL(address);
  if (number >= 2 && url.search === '' && url.protocol !== 'file:') url.search = `?again=${number}`;
  return url.href;
}

function keptOf(
  { entry }: Source,
  { run: { trust } }: FetchRequest,
): (KeptDatabase & { readonly etag: string }) | null {
  const etag = entry?.accepted?.etag ?? null;
  if (entry?.accepted == null || etag === null || trust.kind !== 'store' || trust.cacheFolder === null)
    return null;
  const kept = readKept(trust.cacheFolder, entry.accepted.sha256);
  return kept === null || sha256Of(kept.bytes) !== entry.accepted.sha256 ? null : { ...kept, etag };
}

interface Deciding extends Fetch {
  readonly network: Network;
  readonly from: string;
}

/** Steps 3 to 10. */
async function decide(obtained: Obtained, deciding: Deciding): Promise<FetchedDatabase> {
  const { source, options, from } = deciding;
  const { bytes } = obtained;
  const sha256 = sha256Of(bytes);
  if (source.pins === null) return unpinned(source, { bytes, sha256, from });
  const keys = await currentKeys(sha256, deciding);
  const accepted =
    source.entry === null ? null : acceptedOf(source.entry, { trust: options.run.trust, sha256 });
  const verdict = await verifyDatabase(
    { bytes, signature: obtained.signature, certificates: keys.certificates },
    { pins: source.pins, now: options.run.now, accepted, url: source.url },
  );
  await remember({ obtained, verdict, keys }, deciding);
  return {
    ...common(source, from),
    ...answerOf(verdict, source),
    notices: keys.notices,
    bytes: verdict.database === null ? null : bytes,
    signature: obtained.signature,
    etag: from === source.url ? obtained.etag : null,
  };
}

function answerOf(
  { status, code, message, sha256, signatures, database }: Verdict,
  { entry }: Source,
): Pick<FetchedDatabase, 'status' | 'code' | 'message' | 'sha256' | 'signatures' | 'trusted' | 'notify'> {
  const notify = database === null ? (entry?.accepted?.notify ?? null) : (database.Packsign.Notify ?? null);
  return {
    status,
    code,
    message: messageFor({ code, message, entry }),
    sha256,
    signatures,
    trusted: database,
    notify,
  };
}

function messageFor({
  code,
  message,
  entry,
}: {
  code: ErrorCode | null;
  message: string | null;
  entry: TrustEntry | null;
}): string | null {
  const isVanished = code === 'SIGNATURE_MISSING' && entry?.accepted != null;
  return isVanished ? 'it was signed when it was last accepted, and these bytes have no signature' : message;
}

interface CurrentKeys {
  readonly certificates: readonly Certificate[];
  /** Whether a look for newer ones succeeded. */
  readonly areFresh: boolean;
  readonly notices: readonly string[];
}

/**
 * The certificates of pinned primaries, with what `keys.asc` adds to them. Whatever else it holds is not
 * looked at, and a `keys.asc` that is damaged or gone changes nothing.
 */
async function currentKeys(
  sha256: string,
  { network, from, source, options }: Deciding,
): Promise<CurrentKeys> {
  const known = { certificates: source.certificates, areFresh: false, notices: [] };
  if (!source.fetchesKeys || !areKeysDue(sha256, { source, options })) return known;
  try {
    const offered = await readOfferedKeys(network, from);
    const { mergeCertificates } = await import('../pgp/certificates.js');
    const pinned = new Set(source.pins?.fingerprints);
    const fresh = offered.filter(({ fingerprint }) => pinned.has(fingerprint));
    return { ...known, areFresh: true, certificates: await mergeCertificates(source.certificates, fresh) };
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    return { ...known, notices: [`${KEYS_NAME} is of no use: ${error.message}`] };
  }
}

/** What `keys.asc` beside a database holds: nobody's word for anything. Throws KEYS_MALFORMED, NETWORK and the like. */
export async function readOfferedKeys(network: Network, from: string): Promise<readonly Certificate[]> {
  const url = besideAddress(from, KEYS_NAME);
  const read = await readAddress(network, url, { limitBytes: KEYS_LIMIT_BYTES, tooLarge: 'KEYS_MALFORMED' });
  if (read.kind !== 'found') throw new PacksignError('KEYS_MALFORMED', `there is no ${url}`);
  const { readCertificates } = await import('../pgp/certificates.js');
  return await readCertificates(read.bytes);
}

function areKeysDue(sha256: string, { source: { entry }, options }: Fetch): boolean {
  const isNew = options.keysDue === true || entry?.accepted?.sha256 !== sha256;
  const refreshed = entry?.refreshed ?? null;
  return isNew || refreshed === null || options.run.now.getTime() - refreshed.getTime() > KEYS_AGE_MS;
}

interface Decided {
  readonly obtained: Obtained;
  readonly verdict: Verdict;
  readonly keys: CurrentKeys;
}

/**
 * Step 9. A database that was refused is not remembered in any way; what pinned primary keys themselves said
 * of their keys is, for a revocation must not be forgotten because something else was wrong.
 */
async function remember(
  { obtained, verdict, keys }: Decided,
  { source, options, from }: Deciding,
): Promise<void> {
  const { entry } = source;
  const { trust } = options.run;
  if (entry === null || trust.kind !== 'store') return;
  const { bytes, signature } = obtained;
  const note =
    verdict.database === null
      ? null
      : acceptedNote(
          { sha256: verdict.sha256, database: verdict.database },
          from === source.url ? obtained.etag : null,
        );
  const isNew = note !== null && note.sha256 !== entry.accepted?.sha256;
  const isKept = !isNew && (obtained.etag === null || keptOf(source, options) !== null);
  const { armorCertificates, encodeCertificates } = await import('../pgp/certificates.js');
  const certificates = Buffer.from(
    armorCertificates(encodeCertificates(keys.certificates).binary),
  ).toString();
  const refreshed = keys.areFresh && verdict.database !== null ? options.run.now : null;
  await changeTrust(trust.folder, (entries) => {
    // Under the lock, as what nothing refers to is swept under it.
    if (isNew && verdict.database !== null && entries.some(({ url }) => url === entry.url)) {
      writeAcceptedHashes(trust.folder, note.sha256, hashesOf(verdict.database.Archives));
    }
    return entries.map((one) =>
      one.url === entry.url ? updated(one, { note, certificates, refreshed }) : one,
    );
  });
  if (trust.cacheFolder === null) return;
  if (note !== null && signature !== null && !isKept) {
    keepDatabase(trust.cacheFolder, note.sha256, { bytes, signature });
  }
  if (isNew) {
    const needed = entriesOf(trust).map(({ accepted }) => accepted?.sha256 ?? '');
    forgetDatabases(trust.cacheFolder, new Set(needed));
  }
}

interface StoreUpdate {
  readonly note: AcceptedNote | null;
  readonly certificates: string;
  readonly refreshed: Date | null;
}

/** Another process may have been here meanwhile, and further: what is accepted never goes back. */
function updated(entry: TrustEntry, { note, certificates, refreshed }: StoreUpdate): TrustEntry {
  const isNewer = note !== null && (entry.accepted === null || entry.accepted.issued <= note.issued);
  const accepted = isNewer ? { ...note, etag: note.etag ?? etagOf(entry, note) } : entry.accepted;
  return { ...entry, certificates, accepted, refreshed: refreshed ?? entry.refreshed };
}

function etagOf({ accepted }: TrustEntry, { sha256 }: AcceptedNote): string | null {
  return accepted?.sha256 === sha256 ? accepted.etag : null;
}

/** What is kept of a database that was accepted. */
export function acceptedNote(
  { sha256, database }: { readonly sha256: string; readonly database: TrustedDatabase },
  etag: string | null,
): AcceptedNote {
  const { Database, Issued, Mirrors, Notify } = database.Packsign;
  return {
    issued: Issued,
    sha256,
    database: Database ?? null,
    maintainer: database.Maintainer ?? null,
    notify: Notify ?? null,
    mirrors: Mirrors ?? [],
    etag,
  };
}

function common(
  { url, entry, pins, pinnedBy }: Source,
  from: string,
): Pick<FetchedDatabase, 'url' | 'name' | 'from' | 'pinnedBy' | 'fingerprints' | 'accepted'> {
  const fingerprints = pins?.fingerprints ?? [];
  return { url, name: entry?.name ?? null, from, pinnedBy, fingerprints, accepted: entry?.accepted ?? null };
}

function unpinned(
  source: Source,
  { bytes, sha256, from }: { bytes: Buffer; sha256: string; from: string },
): FetchedDatabase {
  const message =
    source.entry === null
      ? 'no key was named to hold it to'
      : 'it is trusted blindly: no key is known to hold it to';
  return {
    ...common(source, from),
    ...{ status: 'unauthenticated', code: 'NOT_PINNED', message, sha256, bytes },
    ...{ trusted: null, signature: null, etag: null, signatures: [], notify: null, notices: [] },
  };
}

function refusal(
  source: Source,
  { from, code, message }: { from: string; code: ErrorCode; message: string },
): FetchedDatabase {
  return {
    ...common(source, from),
    ...{ status: 'refused', code, message, sha256: null, bytes: null },
    ...{
      trusted: null,
      signature: null,
      etag: null,
      signatures: [],
      notify: source.entry?.accepted?.notify ?? null,
      notices: [],
    },
  };
}
