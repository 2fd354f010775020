import { PacksignError } from '../errors.js';
import type { DamagedEntry } from '../format/trust.js';
import { databaseAddress, nameForAddress } from '../model/address.js';
import type { Trust } from '../model/database.js';
import { chainOf } from '../model/chain.js';
import { isTrustName } from '../model/trust.js';
import type { Grounds, TrustEntry, TrustStore } from '../model/trust.js';
import { withNetwork } from '../net/transport.js';
import type { Run } from '../run.js';
import type { Certificate } from '../pgp/certificates.js';
import type { FetchedDatabase } from './fetch.js';
import { keepDatabase } from './kept-databases.js';
import { pinsOf } from './pins.js';
import { acceptedNote } from './remember.js';
import { damagedEntry, trustedIn } from './sources.js';
import { storedCertificates } from './stored-certificates.js';
import { chooseGrounds, examine } from './trust-grounds.js';
import type { GroundsOptions } from './trust-grounds.js';
import { changeTrust, sweepTrust, writeAcceptedChain } from './trust-store.js';

/** A run that may write a trust store. */
export type TrustRun = Run & { readonly trust: TrustStore };

export interface TrustOptions {
  readonly run: TrustRun;
}

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

export interface TrustAddOptions extends TrustOptions, GroundsOptions {
  readonly run: TrustRun;
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
  const { entries, damaged } = trustedIn(options.run.trust);
  const suspect = damaged.find((entry) => entry.url === url);
  if (suspect !== undefined) throw damagedEntry(suspect, options.run.trust);
  const existing = entries.find((entry) => entry.url === url);
  if (existing !== undefined && (isPinned(existing) || options.blindly)) {
    await sweepTrust(options.run.trust);
    throw exists(existing);
  }
  const others = [...entries.filter((entry) => entry !== existing), ...damaged];
  const name = chooseName(options.name ?? existing?.name ?? null, { url, entries: others });
  return await withNetwork(options.run.network, async (network) => {
    const chosen = await chooseGrounds(network, url, options);
    const { database, threshold } = await examine(network, { url, ...chosen }, options);
    const { grounds, certificates } = chosen;
    const maintainer = database.trusted?.Maintainer ?? null;
    const offer = { url, name, keys: certificates.map(keyOf), threshold, maintainer, grounds };
    if (!(await options.confirm(offer))) {
      throw new PacksignError('NOT_CONFIRMED', `${url} was not added`);
    }
    await store({ ...offer, certificates, database }, options);
    const { Issued: issued = null, Trusts: offers = [] } = database.trusted?.Packsign ?? {};
    return { ...offer, status: database.status, issued, offers };
  });
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
  { url, entries }: { url: string; entries: readonly Pick<DamagedEntry, 'name'>[] },
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
  const { fingerprints } = pinsOf(certificates);
  const entry: TrustEntry = {
    ...{ name, url, threshold, grounds, added: now },
    fingerprints,
    certificates: await storedCertificates(null, { certificates, fingerprints, isRefused: false }),
    refreshed: null,
    accepted: note,
  };
  await changeTrust(place, ({ entries, damaged }) => {
    const others = entries.filter((one) => one.url !== url || isPinned(one));
    const existing = others.find((one) => one.url === url || one.name === name);
    if (existing !== undefined) throw exists(existing);
    const suspect = damaged.find((one) => one.url === url || one.name === name);
    if (suspect !== undefined) throw damagedEntry(suspect, place);
    if (trusted !== null && note !== null) writeAcceptedChain(place.folder, note.sha256, chainOf(trusted));
    if (note !== null) keepDatabase(place.cacheFolder, note.sha256, { bytes, signature });
    return { entries: [...others, entry], damaged };
  });
}
