import { join } from 'node:path';
import { PacksignError } from '../errors.js';
import type { DamagedEntry, TrustFile } from '../format/trust.js';
import { databaseAddress, isAddress } from '../model/address.js';
import { continuationOf } from '../model/chain.js';
import type { Break, Chain } from '../model/chain.js';
import { nearestOf } from '../model/nearest.js';
import { orNull } from '../model/or-null.js';
import { shellWord } from '../model/shell.js';
import type { TrustEntry, TrustPlace } from '../model/trust.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Place } from '../places/place.js';
import type { Run } from '../run.js';
import type { Accepted, Pins } from '../verify/verify-database.js';
import { choosePins, isNaming, pinsOf, readArmored } from './pins.js';
import type { ChosenPins, PinOptions } from './pins.js';
import { STORE_NAME, readAcceptedChain, readBundle, readTrust } from './trust-store.js';

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
  /** Reads what later databases have to continue, where `accepted` is what this machine noted, and not that of the entry. */
  readonly readChain?: () => Chain;
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
  /** Asks a person whether to accept a database that does not continue the accepted one; nobody is asked if absent. */
  readonly confirmBreaks?: (broken: BrokenChain) => Promise<boolean>;
}

/** A database that is good but for the accepted one, which it does not continue. */
export interface BrokenChain {
  readonly sha256: string;
  readonly issued: Date;
  /** `Issued` of the accepted database. */
  readonly before: Date;
  readonly breaks: readonly Break[];
}

/** What is read, from where, and by which pins. */
export interface Verifying {
  readonly place: Place;
  readonly source: Source;
  readonly request: PlaceRequest;
}

/** What is trusted. Throws TRUST_DAMAGED where the whole file is damaged, FILE_UNREADABLE. */
export function trustedIn(trust: TrustPlace): TrustFile {
  if (trust.kind === 'none') return { entries: [], damaged: [] };
  return trust.kind === 'bundle' ? readBundle(trust.file) : readTrust(trust.folder);
}

/** The error of an entry that cannot be read, with the file, the field, and what to do. */
export function damagedEntry(
  { name, url, reason }: Omit<DamagedEntry, 'text'>,
  trust: TrustPlace,
): PacksignError {
  const damagedIn = (file: string, hint: string) =>
    new PacksignError('TRUST_DAMAGED', `${file}: ${reason}`, { hint });
  if (trust.kind === 'bundle') return damagedIn(trust.file, 'make the file again with packsign trust export');
  const file = trust.kind === 'store' ? join(trust.folder, STORE_NAME) : '';
  const target = name ?? url;
  if (target === null) return damagedIn(file, 'fix it in an editor, or restore the file from a backup');
  const again = `add it again after packsign trust remove ${shellWord(target)}`;
  return damagedIn(file, `restore the file from a backup, or ${again}`);
}

/** By which of its two names a person means an entry. */
export function keyFor(target: string): readonly [key: 'url' | 'name', wanted: string] {
  return isAddress(target) ? ['url', databaseAddress(target)] : ['name', target];
}

/**
 * The entry of a trusted database, by its address or its name. A damaged entry must not make its database one that nobody
 * pinned: throws TRUST_DAMAGED if it may be the one that is meant.
 */
export function findEntry(target: string, trust: TrustPlace): TrustEntry | null {
  const { entries, damaged } = trustedIn(trust);
  const [key, wanted] = keyFor(target);
  const found = entries.find((entry) => entry[key] === wanted);
  if (found !== undefined) return found;
  const suspect =
    damaged.find((entry) => entry[key] === wanted) ?? damaged.find((entry) => entry[key] === null);
  if (suspect !== undefined) throw damagedEntry(suspect, trust);
  return null;
}

/** Does work with the certificates of an entry: if they cannot be read, the error names the file and the field. */
export async function withKeysOf<T>(
  entry: TrustEntry | null,
  trust: TrustPlace,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isAboutKeys = error instanceof PacksignError && error.code === 'KEYS_MALFORMED';
    if (!isAboutKeys || entry === null) throw error;
    throw damagedEntry(
      { ...entry, reason: `databases › ${entry.name} › certificates › ${error.message}` },
      trust,
    );
  }
}

/**
 * The database that an address or a name means. If the user names keys, the store still says what is known of these, and
 * which database was accepted last. Throws NOT_TRUSTED, USAGE, TRUST_DAMAGED, FILE_UNREADABLE, KEYS_MALFORMED.
 */
export async function findSource(target: string, options: FetchOptions): Promise<RemoteSource> {
  const { trust } = options.run;
  const isNamed = isNaming(options);
  const find = () => findEntry(target, trust);
  // Who names an address and its keys needs no store, and may have a damaged one.
  const entry = isNamed && isAddress(target) ? orNull(find) : find();
  if (entry === null && !isAddress(target)) throw notTrusted(target, trust);
  const chosen = await choosePinsFor(entry, options);
  const url = entry?.url ?? databaseAddress(target);
  return isNamed && entry !== null
    ? { ...sourceOf(url, chosen), ...heldTo(entry, trust) }
    : sourceOf(url, chosen, entry);
}

/** Whose signatures count for a database that may be a trusted one: what the user names, or what is pinned for it. */
export async function choosePinsFor(
  entry: TrustEntry | null,
  options: FetchOptions,
  beside = false,
): Promise<ChosenPins> {
  const { trust } = options.run;
  if (!isNaming(options)) return await withKeysOf(entry, trust, () => choosePins({ entry, beside }));
  const known = await withKeysOf(entry, trust, () => readArmored(entry?.certificates ?? null));
  return await choosePins({ named: options, known });
}

/** What a database has to follow whose keys the user names. */
export function heldTo({ accepted }: TrustEntry, trust: TrustPlace): Pick<Source, 'accepted' | 'readChain'> {
  if (accepted === null || trust.kind !== 'store') return { accepted };
  return { accepted, readChain: () => readAcceptedChain(trust.folder, accepted.sha256) };
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

/** The trusted name or address that somebody meant by another one; null if none is much like it. */
export function meantIn(trust: TrustPlace, target: string): string | null {
  const { entries, damaged } = trustedIn(trust);
  const [key, wanted] = keyFor(target);
  return nearestOf(
    wanted,
    [...entries, ...damaged].flatMap((entry) => entry[key] ?? []),
  );
}

export function notTrusted(name: string, trust: TrustPlace): PacksignError {
  const meant = meantIn(trust, name);
  const words = meant === null ? '' : `; did you mean ${meant}?`;
  return new PacksignError('NOT_TRUSTED', `no trusted database is called ${name}${words}`, {
    hint: 'packsign trust list shows them; packsign trust add URL --keys FILE adds one',
  });
}

/** The last accepted database, for the checks against it. Its list is read only where the bytes differ. */
export function acceptedOf(
  { accepted }: TrustEntry,
  { trust, sha256 }: { trust: TrustPlace; sha256: string },
): Accepted | null {
  if (accepted === null || trust.kind !== 'store' || accepted.sha256 === sha256) return accepted;
  const { issued } = accepted;
  const chain = readAcceptedChain(trust.folder, accepted.sha256);
  return { ...accepted, compare: continuationOf({ issued, chain }) };
}
