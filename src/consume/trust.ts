import { keepDatabase } from './kept-databases.js';
import { changeTrust, encodeBundle, writeAcceptedHashes } from './trust-store.js';
import { PacksignError } from '../errors.js';
import { databaseAddress, nameForAddress, namedAddress } from '../model/address.js';
import { thresholdOf } from '../model/database.js';
import { parseFingerprint } from '../model/fingerprint.js';
import type { Trust } from '../model/database.js';
import { hashesOf } from '../model/ledger.js';
import { isTrustName } from '../model/trust.js';
import type { Grounds, TrustEntry, TrustPlace, TrustStore } from '../model/trust.js';
import { openNetwork } from '../net/transport.js';
import type { Network } from '../net/transport.js';
import type { Run } from '../run.js';
import type { Certificate } from '../pgp/certificates.js';
import { readOfferedKeys } from './current-keys.js';
import { fetchSource, fetchThrough } from './fetch.js';
import type { FetchedDatabase } from './fetch.js';
import { addressPlace } from '../places/address.js';
import { pinsOf, readArmored, readNamedKeys, requireThreshold } from './pins.js';
import { acceptedNote } from './remember.js';
import { armored, entriesOf, findEntry, notTrusted, sourceUnder } from './sources.js';

/** A run that may write a trust store. */
export type TrustRun = Run & { readonly trust: TrustStore };

export interface TrustOptions {
  readonly run: TrustRun;
}

/** The user names no keys: the store decides. */
export const NO_PINS = { keysFile: null, fingerprints: [], threshold: null } as const;

/** A key that is pinned, or is about to be. */
export interface PinnedKey {
  /** 40 upper-case hex digits. */
  readonly fingerprint: string;
  /** The first user id of its certificate; null if the certificate is not known. */
  readonly userId: string | null;
}

/** What the user is about to trust, to be confirmed. */
export interface TrustOffer {
  readonly url: string;
  readonly name: string;
  readonly keys: readonly PinnedKey[];
  readonly threshold: number;
  readonly maintainer: string | null;
  readonly grounds: Grounds;
}

export interface TrustAddOptions extends TrustOptions {
  /** Certificates, or the path of a file with them: all of their primaries are pinned. */
  readonly keys: Uint8Array | string | null;
  /** Primary fingerprints to pin, as people write them; their certificates come from `keys`, else from `keys.asc` beside the database. */
  readonly fingerprints: readonly string[];
  /** Pins nothing. */
  readonly blindly: boolean;
  /** Name of a trusted database that vouches for this one. */
  readonly via: string | null;
  /** Null takes the threshold of the database, at most the number of pinned keys. */
  readonly threshold: number | null;
  readonly name: string | null;
  /** Called before the store changes; false ends with NOT_CONFIRMED. */
  readonly confirm: (offer: TrustOffer) => Promise<boolean>;
}

export interface TrustAdded extends TrustOffer {
  /** The verdict on its database. */
  readonly status: FetchedDatabase['status'];
  readonly issued: Date | null;
  /** Databases that its maintainer vouches for; `--via` adds them. */
  readonly offers: readonly Trust[];
}

/**
 * Begins to trust a database, or pins one that was added blindly: fetches it, verifies it against the keys, and pins
 * them. Throws TRUST_EXISTS, NOT_CONFIRMED, NOT_VOUCHED_FOR, FINGERPRINT_MISSING, USAGE, KEYS_MALFORMED,
 * FILE_UNREADABLE, what `fetchDatabase` throws, and the code of a refused database; then the store stays as it was.
 */
export async function trustAdd(address: string, options: TrustAddOptions): Promise<TrustAdded> {
  const url = databaseAddress(address);
  const entries = entriesOf(options.run.trust);
  const existing = entries.find((entry) => entry.url === url);
  if (existing !== undefined && (isPinned(existing) || options.blindly)) throw exists(existing);
  const others = entries.filter((entry) => entry !== existing);
  const name = chooseName(options.name ?? existing?.name ?? null, { url, entries: others });
  const network = openNetwork(options.run.network);
  try {
    const chosen = await chooseGrounds(network, url, options);
    const { database, threshold } = await examine(network, { url, ...chosen }, options);
    const offer: TrustOffer = {
      url,
      name,
      keys: chosen.certificates.map(keyOf),
      threshold,
      maintainer: database.trusted?.Maintainer ?? null,
      grounds: chosen.grounds,
    };
    if (!(await options.confirm(offer))) {
      throw new PacksignError('NOT_CONFIRMED', `${url} was not added`);
    }
    await store({ ...offer, certificates: chosen.certificates, database }, options);
    const packsign = database.trusted?.Packsign;
    return {
      ...offer,
      status: database.status,
      issued: packsign?.Issued ?? null,
      offers: packsign?.Trusts ?? [],
    };
  } finally {
    network.close();
  }
}

export function keyOf({ fingerprint, userIds }: Certificate): PinnedKey {
  return { fingerprint, userId: userIds[0] ?? null };
}

/** A database that was added blindly may be pinned later. */
function isPinned({ fingerprints }: TrustEntry): boolean {
  return fingerprints.length > 0;
}

function exists({ url, name }: TrustEntry): PacksignError {
  return new PacksignError('TRUST_EXISTS', `${url} is already trusted, as ${name}`, {
    hint: `to trust other keys, first packsign trust remove ${name}`,
  });
}

function chooseName(
  wanted: string | null,
  { url, entries }: { url: string; entries: readonly TrustEntry[] },
): string {
  const taken = new Set(entries.map(({ name }) => name));
  if (wanted !== null) {
    if (!isTrustName(wanted))
      throw new PacksignError('USAGE', `"${wanted}" cannot be a name: letters, digits, . _ -`);
    if (taken.has(wanted)) throw new PacksignError('TRUST_EXISTS', `another database is called ${wanted}`);
    return wanted;
  }
  const base = nameForAddress(url);
  for (let number = 2, name = base; ; number += 1) {
    if (!taken.has(name)) return name;
    name = `${base}-${number}`;
  }
}

interface Chosen {
  readonly grounds: Grounds;
  /** The certificates of the pinned primaries alone. */
  readonly certificates: readonly Certificate[];
  /** Null takes the threshold of the database. */
  readonly threshold: number | null;
}

async function chooseGrounds(network: Network, url: string, options: TrustAddOptions): Promise<Chosen> {
  const { keys, blindly, via, threshold } = options;
  const fingerprints = options.fingerprints.map(parseFingerprint);
  const ways = [keys !== null || fingerprints.length > 0, blindly, via !== null].filter(Boolean).length;
  if (ways !== 1) {
    throw new PacksignError(
      'USAGE',
      'say how to trust it: by its keys, because another trusted database vouches for it, or blindly',
      { hint: `packsign trust add ${url} --keys FILE, or --fingerprint FPR, --via NAME, --blindly` },
    );
  }
  if (blindly) return { grounds: { kind: 'blindly' }, certificates: [], threshold: 0 };
  if (via !== null) return await vouched(network, url, { ...options, via });
  const given = keys === null ? null : await readGiven(keys);
  const certificates = pick(given ?? (await readOfferedKeys(addressPlace(network, url))), {
    fingerprints,
    url,
    isGiven: given !== null,
  });
  if (threshold !== null) requireThreshold(threshold, certificates.length);
  return { grounds: { kind: given === null ? 'fingerprint' : 'keys' }, certificates, threshold };
}

async function readGiven(keys: Uint8Array | string): Promise<readonly Certificate[]> {
  if (typeof keys !== 'string') {
    const { readCertificates } = await import('../pgp/certificates.js');
    return await readCertificates(keys);
  }
  return await readNamedKeys(keys);
}

/** The certificates with these fingerprints; all if no fingerprint is given. Throws FINGERPRINT_MISSING. */
function pick(
  certificates: readonly Certificate[],
  { fingerprints, url, isGiven }: { fingerprints: readonly string[]; url: string; isGiven: boolean },
): readonly Certificate[] {
  if (fingerprints.length === 0) return certificates;
  const missing = fingerprints.find(
    (wanted) => !certificates.some(({ fingerprint }) => fingerprint === wanted),
  );
  if (missing !== undefined) {
    const there = certificates.map(({ fingerprint }) => fingerprint).join(', ');
    const where = isGiven ? 'the keys that were given do' : `keys.asc of ${url} does`;
    throw new PacksignError('FINGERPRINT_MISSING', `${where} not hold ${missing}, only ${there}`, {
      hint: 'compare the fingerprint with its source again; if it is right, this is not that database',
    });
  }
  return certificates.filter(({ fingerprint }) => fingerprints.includes(fingerprint));
}

/** Finds what a trusted database says about this one, and the keys that it names. Throws NOT_VOUCHED_FOR. */
async function vouched(
  network: Network,
  url: string,
  options: TrustAddOptions & { readonly via: string },
): Promise<Chosen> {
  const { via } = options;
  const fetched = await fetchThrough(network, via, { ...NO_PINS, run: options.run });
  if (fetched.trusted === null || fetched.status !== 'authentic') {
    throw new PacksignError(
      'NOT_VOUCHED_FOR',
      `${via} is ${fetched.status}, so it cannot vouch for others now`,
    );
  }
  const offer = (fetched.trusted.Packsign.Trusts ?? []).find((trust) => namedAddress(trust.URL) === url);
  if (offer === undefined || offer.Fingerprints.length === 0) {
    throw new PacksignError('NOT_VOUCHED_FOR', `${via} does not vouch for ${url}`, {
      hint: 'packsign trust refresh shows what it vouches for',
    });
  }
  const certificates = pick(await readOfferedKeys(addressPlace(network, url)), {
    fingerprints: offer.Fingerprints,
    url,
    isGiven: false,
  });
  const least = Math.min(Math.max(offer.Threshold ?? 1, 1), certificates.length);
  return {
    grounds: { kind: 'vouched', by: via },
    certificates,
    threshold: options.threshold === null ? least : Math.min(options.threshold, certificates.length),
  };
}

interface Examined {
  readonly database: FetchedDatabase;
  readonly threshold: number;
}

/** Verifies the database against the pins, with the threshold that it asks for itself. Throws the code of a refusal. */
async function examine(
  network: Network,
  { url, certificates, threshold }: { url: string } & Chosen,
  options: TrustAddOptions,
): Promise<Examined> {
  const look = async (least: number): Promise<FetchedDatabase> => {
    const pins = certificates.length === 0 ? null : pinsOf(certificates, least);
    const source = sourceUnder(url, certificates, pins);
    const database = await fetchSource(network, source, { run: options.run });
    if (database.status !== 'refused') return database;
    throw new PacksignError(
      database.code ?? 'SIGNATURE_INVALID',
      `${url} was not added: ${database.message ?? ''}`,
      { hint: 'do not use it; ask its maintainer which keys sign the database' },
    );
  };
  const database = await look(threshold ?? 1);
  const asked =
    threshold ?? Math.min(database.trusted === null ? 0 : thresholdOf(database.trusted), certificates.length);
  return asked > 1 && threshold === null
    ? { database: await look(asked), threshold: asked }
    : { database, threshold: asked };
}

interface Storing extends TrustOffer {
  readonly certificates: readonly Certificate[];
  readonly database: FetchedDatabase;
}

async function store(
  { url, name, threshold, grounds, certificates, database }: Storing,
  { run: { now, trust: place } }: TrustAddOptions,
): Promise<void> {
  const { trusted, sha256, bytes, signature, etag } = database;
  const note = trusted === null || sha256 === null ? null : acceptedNote({ sha256, database: trusted }, etag);
  const entry: TrustEntry = {
    ...{ name, url, threshold, grounds, added: now },
    fingerprints: pinsOf(certificates).fingerprints,
    certificates: await armored(certificates),
    refreshed: null,
    accepted: note,
  };
  await changeTrust(place.folder, (entries) => {
    const others = entries.filter((one) => one.url !== url || isPinned(one));
    const existing = others.find((one) => one.url === url || one.name === name);
    if (existing !== undefined) throw exists(existing);
    if (trusted !== null && note !== null)
      writeAcceptedHashes(place.folder, note.sha256, hashesOf(trusted.Archives));
    return [...others, entry];
  });
  if (note !== null && bytes !== null && signature !== null && place.cacheFolder !== null) {
    keepDatabase(place.cacheFolder, note.sha256, { bytes, signature });
  }
}

/** One trusted database, as `trust list` shows it. */
export interface Trusted extends TrustOffer {
  readonly added: Date;
  /** When the last accepted database was issued; null if none was accepted. */
  readonly issued: Date | null;
  readonly sha256: string | null;
}

/** Lists the trusted databases by name. Throws TRUST_DAMAGED, FILE_UNREADABLE. */
export async function trustList(place: TrustPlace): Promise<readonly Trusted[]> {
  return await Promise.all(entriesOf(place).map(describe));
}

export async function describe(entry: TrustEntry): Promise<Trusted> {
  const { url, name, threshold, grounds, added, accepted, fingerprints } = entry;
  const certificates = await readArmored(entry.certificates);
  const userIdOf = (wanted: string) =>
    certificates.find(({ fingerprint }) => fingerprint === wanted)?.userIds[0] ?? null;
  return {
    ...{ url, name, threshold, grounds, added },
    keys: fingerprints.map((fingerprint) => ({ fingerprint, userId: userIdOf(fingerprint) })),
    maintainer: accepted?.maintainer ?? null,
    issued: accepted?.issued ?? null,
    sha256: accepted?.sha256 ?? null,
  };
}

/** Stops trusting a database, by name or address. Throws NOT_TRUSTED, TRUST_DAMAGED, LOCKED. */
export async function trustRemove(target: string, place: TrustStore): Promise<Trusted> {
  const entry = findEntry(target, place);
  if (entry === null) throw notTrusted(target);
  await changeTrust(place.folder, (entries) => entries.filter(({ url }) => url !== entry.url));
  return await describe(entry);
}

/** The trust store as a file that an application can ship: all databases, or those that are named. Throws NOT_TRUSTED. */
export function trustExport(targets: readonly string[], place: TrustPlace): Uint8Array {
  const entries = entriesOf(place);
  const named = targets.map((target) => {
    const entry = findEntry(target, place);
    if (entry === null) throw notTrusted(target);
    return entry.name;
  });
  return encodeBundle(targets.length === 0 ? entries : entries.filter(({ name }) => named.includes(name)));
}
