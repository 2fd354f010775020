import { PacksignError } from '../errors.js';
import type { DamagedEntry } from '../format/trust.js';
import type { TrustEntry, TrustPlace, TrustStore } from '../model/trust.js';
import type { Certificate } from '../pgp/certificates.js';
import { orError } from './or-error.js';
import { readArmored } from './pins.js';
import { damagedEntry, findEntry, keyFor, notTrusted, trustedIn, withKeysOf } from './sources.js';
import { changeTrust, encodeBundle } from './trust-store.js';
import type { TrustOffer } from './trust.js';

/** One trusted database, as `trust list` shows it. */
export interface Trusted extends TrustOffer {
  readonly added: Date;
  /** When the last accepted database was issued; null if none was accepted. */
  readonly issued: Date | null;
  readonly sha256: string | null;
}

/**
 * Lists the trusted databases by name, without damaged entries. Throws TRUST_DAMAGED if the whole file is damaged, or all
 * of its entries, and FILE_UNREADABLE.
 */
export async function trustList(place: TrustPlace): Promise<readonly Trusted[]> {
  const { whole, damaged } = await inspect(place);
  const [error] = damaged;
  if (whole.length === 0 && error !== undefined) throw error;
  return whole;
}

/** What is wrong with entries that `trustList` leaves out, with the file, the field, and what to do. Throws as it does. */
export async function trustDamage(place: TrustPlace): Promise<readonly PacksignError[]> {
  return (await inspect(place)).damaged;
}

async function inspect(
  place: TrustPlace,
): Promise<{ readonly whole: readonly Trusted[]; readonly damaged: readonly PacksignError[] }> {
  const { entries, damaged } = trustedIn(place);
  const whole: Trusted[] = [];
  const errors = damaged.map((entry) => damagedEntry(entry, place));
  for (const entry of entries) {
    const found = await orError(() => describe(entry, place));
    if (found instanceof PacksignError) errors.push(found);
    else whole.push(found);
  }
  return { whole, damaged: errors };
}

/** Throws TRUST_DAMAGED if its certificates cannot be read. */
export async function describe(entry: TrustEntry, place: TrustPlace): Promise<Trusted> {
  return described(entry, await withKeysOf(entry, place, () => readArmored(entry.certificates)));
}

function described(entry: TrustEntry, certificates: readonly Certificate[]): Trusted {
  const { url, name, threshold, grounds, added, accepted, fingerprints } = entry;
  const { maintainer = null, issued = null, sha256 = null } = accepted ?? {};
  const userIdOf = (wanted: string) =>
    certificates.find(({ fingerprint }) => fingerprint === wanted)?.userIds[0] ?? null;
  return {
    ...{ url, name, threshold, grounds, added },
    keys: fingerprints.map((fingerprint) => ({ fingerprint, userId: userIdOf(fingerprint) })),
    ...{ maintainer, issued, sha256 },
  };
}

/** A database that is no longer trusted; of a damaged entry only what could be read of its name and address. */
export type Removed = Trusted | (Pick<DamagedEntry, 'name' | 'url'> & { readonly keys?: undefined });

/** Stops trusting a database, by name or address, also by a damaged entry. Throws NOT_TRUSTED, TRUST_DAMAGED, LOCKED. */
export async function trustRemove(target: string, place: TrustStore): Promise<Removed> {
  const [key, wanted] = keyFor(target);
  let removed: TrustEntry | DamagedEntry | null = null;
  await changeTrust(place, ({ entries, damaged }) => {
    removed = [...entries, ...damaged].find((entry) => entry[key] === wanted) ?? null;
    if (removed === null) throw notTrusted(target, place);
    return {
      entries: entries.filter((entry) => entry[key] !== wanted),
      damaged: damaged.filter((entry) => entry[key] !== wanted),
    };
  });
  const entry = removed as TrustEntry | DamagedEntry | null;
  if (entry === null) throw notTrusted(target, place);
  if (!('grounds' in entry)) return { name: entry.name, url: entry.url };
  const whole = await orError(() => describe(entry, place));
  return whole instanceof PacksignError ? described(entry, []) : whole;
}

/**
 * The trust store as a file that an application can ship: all databases but damaged entries, or those that are named.
 * Throws NOT_TRUSTED, TRUST_DAMAGED.
 */
export function trustExport(targets: readonly string[], place: TrustPlace): Uint8Array {
  const { entries } = trustedIn(place);
  const named = targets.map((target) => {
    const entry = findEntry(target, place);
    if (entry === null) throw notTrusted(target, place);
    return entry.name;
  });
  return encodeBundle(targets.length === 0 ? entries : entries.filter(({ name }) => named.includes(name)));
}
