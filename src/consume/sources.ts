import { PacksignError } from '../errors.js';
import { databaseAddress, isAddress } from '../model/address.js';
import type { TrustEntry, TrustPlace } from '../model/trust.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Place } from '../places/place.js';
import type { Run } from '../run.js';
import type { Accepted, Pins } from '../verify/verify-database.js';
import { choosePins, isNaming, pinsOf } from './pins.js';
import type { ChosenPins, PinOptions } from './pins.js';
import { readAcceptedHashes, readBundle, readTrust } from './trust-store.js';

export interface FetchOptions extends PinOptions {
  readonly run: Run;
}

/** What is known of a database before anything of it is read. */
export interface Source extends ChosenPins {
  /** The address under which it is known; null for a directory or a file. */
  readonly url: string | null;
  readonly entry: TrustEntry | null;
  /** Whether `keys.asc` beside the database is asked for certificates. */
  readonly fetchesKeys: boolean;
  /** A signature file that the user named; null finds it by the hash of the database. */
  readonly signatureFile: string | null;
}

/** A source with an address. */
export type RemoteSource = Source & { readonly url: string };

export interface PlaceRequest {
  readonly run: Run;
  /** Whether to ask past all caches and to use nothing that was kept. */
  readonly fresh?: boolean;
  /** Whether to ask under an address that no cache on the way has seen. */
  readonly pastCaches?: boolean;
  /** Whether to ask for certificates although they were asked for not long ago. */
  readonly keysDue?: boolean;
}

/** What is read, from where, and by which pins. */
export interface Verifying {
  readonly place: Place;
  readonly source: Source;
  readonly request: PlaceRequest;
}

/** The entries of a store or a bundle. Throws TRUST_DAMAGED, FILE_UNREADABLE. */
export function entriesOf(trust: TrustPlace): readonly TrustEntry[] {
  if (trust.kind === 'none') return [];
  return trust.kind === 'bundle' ? readBundle(trust.file) : readTrust(trust.folder);
}

/** The entry of a trusted database, by its address or its name. */
export function findEntry(target: string, trust: TrustPlace): TrustEntry | null {
  const entries = entriesOf(trust);
  if (!isAddress(target)) return entries.find(({ name }) => name === target) ?? null;
  const url = databaseAddress(target);
  return entries.find((entry) => entry.url === url) ?? null;
}

/** Throws NOT_TRUSTED, USAGE, TRUST_DAMAGED, FILE_UNREADABLE, KEYS_MALFORMED. */
export async function findSource(target: string, options: FetchOptions): Promise<RemoteSource> {
  const isNamed = isNaming(options);
  const entry = isNamed && isAddress(target) ? null : findEntry(target, options.run.trust);
  if (entry === null && !isAddress(target)) throw notTrusted(target);
  const url = entry?.url ?? databaseAddress(target);
  const chosen = await choosePins({ named: options, entry });
  return sourceOf(url, chosen, isNamed ? null : entry);
}

/** A database at an address under pins that were chosen. */
export function sourceOf(url: string, chosen: ChosenPins, entry: TrustEntry | null = null): RemoteSource {
  return { ...chosen, url, entry, fetchesKeys: chosen.pins !== null, signatureFile: null };
}

/** A database at an address under exactly these certificates: it is asked for no others. */
export function sourceUnder(
  url: string,
  certificates: readonly Certificate[],
  pins: Pins | null = pinsOf(certificates),
): RemoteSource {
  const chosen = { pins, pinnedBy: 'option', certificates, accepted: null } as const;
  return { ...sourceOf(url, chosen), fetchesKeys: false };
}

export function notTrusted(name: string): PacksignError {
  return new PacksignError('NOT_TRUSTED', `no trusted database is called ${name}`, {
    hint: 'packsign trust list shows them; packsign trust add URL --keys FILE adds one',
  });
}

/** Certificates as the trust store keeps them; null for none. */
export async function armored(certificates: readonly Certificate[]): Promise<string | null> {
  if (certificates.length === 0) return null;
  const { armorCertificates, encodeCertificates } = await import('../pgp/certificates.js');
  return Buffer.from(armorCertificates(encodeCertificates(certificates).binary)).toString();
}

/** The last accepted database, for the checks against it. Its list of files is read only where the bytes differ. */
export function acceptedOf(
  { accepted }: TrustEntry,
  { trust, sha256 }: { trust: TrustPlace; sha256: string },
): Accepted | null {
  if (accepted === null) return null;
  const { issued, database } = accepted;
  const known = { issued, sha256: accepted.sha256, database };
  if (trust.kind !== 'store' || accepted.sha256 === sha256) return known;
  return { ...known, hashes: readAcceptedHashes(trust.folder, accepted.sha256) };
}
