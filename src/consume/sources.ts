import { readBundle, readAcceptedHashes, readTrust } from './trust-store.js';
import { PacksignError } from '../errors.js';
import { databaseAddress, isAddress } from '../model/address.js';
import type { TrustEntry, TrustPlace } from '../model/trust.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Accepted, Pins } from '../verify/verify-database.js';
import { readCertificateFile } from '../published/read.js';
import type { Run } from '../run.js';

/** Keys to hold a database to for once, whatever the store says. */
export interface PinOptions {
  /** A file of certificates: all of its primaries are pinned. */
  readonly keysFile: string | null;
  /** Primary fingerprints to insist on; their certificates come from `keysFile`, else from `keys.asc`. */
  readonly fingerprints: readonly string[];
  readonly threshold: number | null;
}

export interface FetchOptions extends PinOptions {
  readonly run: Run;
}

/** What is known of a database before anything of it is fetched. */
export interface Source {
  readonly url: string;
  readonly entry: TrustEntry | null;
  /** Null where nothing is pinned. */
  readonly pins: Pins | null;
  readonly pinnedBy: 'option' | 'store' | null;
  readonly certificates: readonly Certificate[];
  /** Whether certificates are asked of the address itself. */
  readonly fetchesKeys: boolean;
}

/** The entries of a store or a bundle. Throws TRUST_DAMAGED, FILE_UNREADABLE. */
export function entriesOf(trust: TrustPlace): readonly TrustEntry[] {
  if (trust.kind === 'none') return [];
  return trust.kind === 'bundle' ? readBundle(trust.file) : readTrust(trust.folder);
}

/** Whether a target is to be fetched: an address, or the name of a trusted database. */
export function findEntry(target: string, trust: TrustPlace): TrustEntry | null {
  const entries = entriesOf(trust);
  if (!isAddress(target)) return entries.find(({ name }) => name === target) ?? null;
  const url = databaseAddress(target);
  return entries.find((entry) => entry.url === url) ?? null;
}

/** Throws NOT_TRUSTED, USAGE, TRUST_DAMAGED, FILE_UNREADABLE, KEYS_MALFORMED. */
export async function findSource(target: string, options: FetchOptions): Promise<Source> {
  const { keysFile, fingerprints } = options;
  const isOption = keysFile !== null || fingerprints.length > 0;
  const entry = isOption && isAddress(target) ? null : findEntry(target, options.run.trust);
  if (entry === null && !isAddress(target)) throw notTrusted(target);
  const url = entry?.url ?? databaseAddress(target);
  if (isOption) return await pinnedByOption(url, options);
  const common = { url, entry };
  if (entry === null || entry.fingerprints.length === 0) {
    return { ...common, pins: null, pinnedBy: null, certificates: [], fetchesKeys: false };
  }
  const { fingerprints: pinned, threshold, certificates } = entry;
  return {
    ...common,
    pins: { fingerprints: pinned, threshold },
    pinnedBy: 'store',
    certificates: await readArmored(certificates),
    fetchesKeys: true,
  };
}

export function notTrusted(name: string): PacksignError {
  return new PacksignError('NOT_TRUSTED', `no trusted database is called ${name}`, {
    hint: 'packsign trust list shows them; packsign trust add URL --keys FILE adds one',
  });
}

async function pinnedByOption(url: string, options: PinOptions): Promise<Source> {
  const { keysFile, fingerprints } = options;
  const certificates = keysFile === null ? [] : await readCertificateFile(keysFile);
  if (keysFile !== null && certificates.length === 0) {
    throw new PacksignError('FILE_UNREADABLE', `there is no file ${keysFile}`);
  }
  const named = fingerprints.length > 0 ? fingerprints : certificates.map(({ fingerprint }) => fingerprint);
  const pins = { fingerprints: [...new Set(named)], threshold: options.threshold ?? 1 };
  if (pins.threshold > pins.fingerprints.length) {
    throw new PacksignError(
      'USAGE',
      `--threshold ${pins.threshold} does not fit the ${pins.fingerprints.length} keys that are pinned`,
    );
  }
  return { url, entry: null, pins, pinnedBy: 'option', certificates, fetchesKeys: keysFile === null };
}

export async function readArmored(text: string | null): Promise<readonly Certificate[]> {
  if (text === null) return [];
  const { readCertificates } = await import('../pgp/certificates.js');
  return await readCertificates(Buffer.from(text));
}

/** What was accepted last, for the checks against it. The inventory is only read where the bytes are others. */
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
