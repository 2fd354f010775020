import { CERTIFICATE_LIMIT, newBudget } from './budget.js';
import { splitComponents } from './components.js';
import type { Components, Copies } from './components.js';
import { fingerprintOf } from './packet-objects.js';
import { dearmorOnly, encodeArmor, isBinary } from './armor.js';
import type { Certificate, CertificateKey } from './certificate.js';
import { inspectCertificate } from './certificate.js';
import { splitPackets, TAG } from './packets.js';
import { checkOthers } from './merge.js';
import { CERTIFICATE_FILE, malformed } from './origin.js';
import type { KeyStatus } from './key-status.js';
import { requireValid } from './usable.js';
import type { UsableKey } from './usable.js';
import { chooseSigningKey, keyExpiry, keyStatus } from './key-status.js';

export type { Certificate } from './certificate.js';
export { mergeCertificates } from './merge.js';
export type { KeyStatus } from './key-status.js';

/** Largest `keys.asc` (docs/FORMAT.md §9). */
export const CERTIFICATES_LIMIT_BYTES = 1024 * 1024;

/**
 * The certificates of a file, in its order, each read by itself. Takes several copies of one certificate for one
 * (docs/FORMAT.md §8, threat T6). With `only`, nothing is computed on other primary keys (threat T29), but that a
 * designated revoker among them counts.
 *
 * @throws {PacksignError} `KEYS_MALFORMED`: neither binary nor exactly one armor block, a secret key, junk, no
 * certificate, more than docs/FORMAT.md §9 allows, a key that is not of version 4 or has an unsupported algorithm.
 */
export async function readCertificates(
  bytes: Uint8Array,
  { only = null }: { readonly only?: ReadonlySet<string> | null } = {},
): Promise<readonly Certificate[]> {
  if (bytes.length > CERTIFICATES_LIMIT_BYTES) throw malformed(CERTIFICATE_FILE, 'is larger than 1 MiB');
  const binary = isBinary(bytes) ? bytes : dearmorOnly(bytes, 'PUBLIC KEY BLOCK', CERTIFICATE_FILE);
  const packets = splitPackets(binary, CERTIFICATE_FILE);
  if (packets.some(({ tag }) => tag === TAG.secretKey || tag === TAG.secretSubkey)) {
    throw malformed(CERTIFICATE_FILE, 'holds a secret key', 'only the public certificate belongs there');
  }
  const copies = byFingerprint(splitComponents(packets, CERTIFICATE_FILE));
  const wanted = Array.from(copies).filter(([fingerprint]) => only?.has(fingerprint) !== false);
  if (wanted.length > CERTIFICATE_LIMIT)
    throw malformed(CERTIFICATE_FILE, `holds more than ${CERTIFICATE_LIMIT} keys`);
  const budget = newBudget(CERTIFICATE_FILE, { isPinned: only !== null });
  const certificates: Certificate[] = [];
  for (const [, components] of wanted)
    certificates.push(await inspectCertificate(components, CERTIFICATE_FILE, budget));
  const findKey = (fingerprint: string) => copies.get(fingerprint)?.[0].primary.packet ?? null;
  return await checkOthers(certificates, { all: certificates, findKey, budget });
}

/** The copies of each certificate. */
function byFingerprint(all: readonly Components[]): ReadonlyMap<string, Copies> {
  const copies = new Map<string, [Components, ...Components[]]>();
  for (const components of all) {
    const fingerprint = fingerprintOf(components.primary.packet.body);
    const before = copies.get(fingerprint);
    if (before === undefined) copies.set(fingerprint, [components]);
    else before.push(components);
  }
  return copies;
}

/** `keys.asc` and `keys.gpg` (docs/FORMAT.md §1): sorted by fingerprint, so that the same keys give the same bytes. */
export function encodeCertificates(certificates: readonly Certificate[]): {
  readonly armored: Uint8Array;
  readonly binary: Uint8Array;
} {
  const sorted = [...certificates].sort((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1));
  const binary = Buffer.concat(sorted.map((certificate) => certificate.binary));
  return { armored: encodeArmor(binary, 'PUBLIC KEY BLOCK'), binary };
}

/**
 * The status of the key that signs at a moment: the key named by `keyId` (16 hex digits or a fingerprint), or else the
 * key that would sign.
 */
export function signingStatus(certificate: Certificate, at: Date, keyId?: string): KeyStatus {
  if (keyId === undefined) return chooseSigningKey(certificate, at);
  const key = keyNamed(certificate, keyId);
  if (key !== null) return keyStatus(certificate, key, at);
  return { kind: 'unusable', key: certificate.primary, reason: 'the certificate has no such key' };
}

/**
 * The key of a certificate that signs at a moment: the key named, or else the key that would sign.
 *
 * @throws {PacksignError} `KEY_EXPIRED`, `KEY_REVOKED`, `KEY_NOT_YET_VALID`, `KEY_WEAK`, `KEY_UNUSABLE`: why it
 * cannot sign (threat T25: no other key of the certificate replaces it).
 */
export function requireUsable(certificate: Certificate, at: Date, keyId?: string): UsableKey {
  return requireValid(certificate, signingStatus(certificate, at, keyId));
}

/**
 * When signatures by this certificate expire, as known at a moment: the earlier expiry of its primary key and of the
 * key named, or else of the key that would sign, or else of its newest signing subkey. Null means never.
 */
export function expiryOf(certificate: Certificate, at: Date, keyId?: string): Date | null {
  const named = keyId === undefined ? null : keyNamed(certificate, keyId);
  return keyExpiry(certificate, named ?? chooseSigningKey(certificate, at).key, at);
}

function keyNamed({ primary, subkeys }: Certificate, name: string): CertificateKey | null {
  return [primary, ...subkeys].find(({ fingerprint }) => fingerprint.endsWith(name.toUpperCase())) ?? null;
}
