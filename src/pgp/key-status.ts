import { enums } from 'openpgp';
import { formatInstant } from '../model/time.js';
import type { Certificate, CertificateKey } from './certificate.js';
import type { Binding, SelfSignatures, Revocation } from './self-signatures.js';

/** Whether a key may sign at a moment. `reason` is for people. */
export type KeyStatus =
  | {
      readonly kind: 'valid';
      readonly key: CertificateKey;
      /** The date of the self-signatures that say so. */
      readonly since: Date;
      /** The earlier of its own expiry and its primary key's, or null. */
      readonly expires: Date | null;
      readonly preferredHashes: readonly number[];
    }
  | {
      readonly kind: 'expired' | 'revoked' | 'not-yet-valid' | 'weak' | 'unusable';
      readonly key: CertificateKey;
      readonly reason: string;
    };

type Trouble = Exclude<KeyStatus, { readonly kind: 'valid' }>;

/**
 * Whether a key of a certificate may sign at a moment (docs/FORMAT.md §8 step 4): it is bound and flagged for signing,
 * and neither it nor the primary key is expired or soft-revoked then, or hard-revoked at any time.
 */
export function keyStatus(certificate: Certificate, key: CertificateKey, at: Date): KeyStatus {
  const { primary } = certificate;
  const trouble =
    weakness(primary) ??
    weakness(key) ??
    revocationTrouble(primary, at) ??
    revocationTrouble(key, at) ??
    youth(key, at);
  if (trouble !== null) return { ...trouble, key };

  const ofPrimary = primaryBinding(certificate, at);
  if (ofPrimary === null) return unbound(key, [primary, ...certificate.users]);
  const own = key === primary ? ofPrimary : chooseBinding(key.bindings, at);
  if (own === null) return unbound(key, [key]);
  if (!signs(own)) return { kind: 'unusable', key, reason: 'the key is not a signing key' };

  const expires = earliest(ofPrimary.keyExpires, own.keyExpires);
  if (expires !== null && expires <= at) {
    return { kind: 'expired', key, reason: `the key expired at ${formatInstant(expires)}` };
  }
  const since = ofPrimary.created > own.created ? ofPrimary.created : own.created;
  return { kind: 'valid', key, since, expires, preferredHashes: ofPrimary.preferredHashes };
}

/**
 * The key that signs at a moment: the newest valid signing subkey, or the primary key of a certificate that never had
 * a signing subkey. Threat T25: if there are signing subkeys and none can sign, the status says why the newest cannot;
 * the primary key does not replace it. `has` selects the keys whose secret half is available.
 */
export function chooseSigningKey(
  certificate: Certificate,
  at: Date,
  has: (key: CertificateKey) => boolean = () => true,
): KeyStatus {
  const subkeys = signingSubkeys(certificate);
  const candidates = subkeys.length > 0 ? subkeys : [certificate.primary];
  const statuses = candidates.filter(has).map((key) => keyStatusToSign(certificate, key, at));
  const reason = 'the secret half of the key that signs is not in this file';
  const missing: KeyStatus = { kind: 'unusable', key: candidates[0] ?? certificate.primary, reason };
  return statuses.find(({ kind }) => kind === 'valid') ?? statuses[0] ?? missing;
}

/** As `keyStatus`, but a key must not sign for a time before its own binding: strict verifiers refuse that. */
export function keyStatusToSign(certificate: Certificate, key: CertificateKey, at: Date): KeyStatus {
  const status = keyStatus(certificate, key, at);
  if (status.kind !== 'valid' || status.since <= at) return status;
  const reason = `the key was certified only at ${formatInstant(status.since)}`;
  return { kind: 'not-yet-valid', key, reason };
}

/** Subkeys that were ever bound for signing, newest first. */
export function signingSubkeys(certificate: Certificate): readonly CertificateKey[] {
  return certificate.subkeys
    .filter(({ bindings, weakBindings }) => bindings.some(signs) || weakBindings.some(signs))
    .sort((a, b) => b.created.getTime() - a.created.getTime());
}

/** When a key of a certificate expires, according to its newest self-signatures up to `at`; null means never. */
export function keyExpiry(certificate: Certificate, key: CertificateKey, at: Date): Date | null {
  const ofPrimary = primaryBinding(certificate, at)?.keyExpires ?? null;
  if (key === certificate.primary) return ofPrimary;
  return earliest(ofPrimary, chooseBinding(key.bindings, at)?.keyExpires ?? null);
}

/** The revocation in force at a moment. A hard revocation is in force at every moment. */
export function revocationAt({ revocations }: SelfSignatures, at: Date): Revocation | null {
  const inForce = revocations.find((revocation) => isInForce(revocation, at));
  return revocations.find(({ hard }) => hard) ?? inForce ?? null;
}

/** Whether a signature was made and has not expired at a moment. */
export function isInForce({ created, lapses }: Pick<Binding, 'created' | 'lapses'>, at: Date): boolean {
  return created <= at && (lapses === null || at < lapses);
}

/** Key flags in force at a moment, 0 if there are none. */
export function flagsAt(certificate: Certificate, key: CertificateKey, at: Date): number {
  const binding =
    key === certificate.primary ? primaryBinding(certificate, at) : chooseBinding(key.bindings, at);
  return binding?.flags ?? 0;
}

function signs({ flags }: Binding): boolean {
  return ((flags ?? 0) & enums.keyFlags.signData) !== 0;
}

/**
 * The self-signature in force at a moment: the newest up to then, or else the earliest after it. GnuPG replaces a
 * self-signature when the expiry changes, and older signatures stay good.
 */
function chooseBinding(bindings: readonly Binding[], at: Date): Binding | null {
  const byTime = [...bindings].sort((a, b) => a.created.getTime() - b.created.getTime());
  const upToThen = byTime.filter((binding) => isInForce(binding, at));
  return upToThen.at(-1) ?? byTime.find(({ created }) => created > at) ?? null;
}

/** What the certificate says about its primary key: combines direct signatures and those on the main user id. */
function primaryBinding(certificate: Certificate, at: Date): Binding | null {
  const direct = chooseBinding(certificate.primary.bindings, at);
  const user = mainUserBinding(certificate, at);
  if (direct === null || user === null) return user ?? direct;
  return {
    ...user,
    keyExpires: earliest(direct.keyExpires, user.keyExpires),
    flags: user.flags ?? direct.flags,
    preferredHashes: user.preferredHashes.length > 0 ? user.preferredHashes : direct.preferredHashes,
  };
}

function mainUserBinding(certificate: Certificate, at: Date): Binding | null {
  const bindings = certificate.users
    .filter((user) => revocationAt(user, at) === null)
    .map((user) => chooseBinding(user.bindings, at))
    .filter((binding) => binding !== null)
    .sort(
      (a, b) => Number(a.primaryUser) - Number(b.primaryUser) || a.created.getTime() - b.created.getTime(),
    );
  return bindings.at(-1) ?? null;
}

function unbound(key: CertificateKey, claims: readonly SelfSignatures[]): Trouble {
  const weak = claims.some(({ weakBindings }) => weakBindings.length > 0);
  if (weak) return { kind: 'weak', key, reason: 'the key has only SHA-1 or weaker self-signatures' };
  return { kind: 'unusable', key, reason: 'the key has no valid self-signature' };
}

function weakness(key: CertificateKey): Trouble | null {
  const { problem } = key.algorithm;
  if (problem === null) return null;
  return { kind: problem.kind === 'weak' ? 'weak' : 'unusable', key, reason: problem.reason };
}

function revocationTrouble(key: CertificateKey, at: Date): Trouble | null {
  const revocation = revocationAt(key, at);
  if (revocation === null) return null;
  return { kind: 'revoked', key, reason: `the key was revoked at ${formatInstant(revocation.created)}` };
}

function youth(key: CertificateKey, at: Date): Trouble | null {
  if (key.created <= at) return null;
  return { kind: 'not-yet-valid', key, reason: `the key was made only at ${formatInstant(key.created)}` };
}

function earliest(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? a : b;
}
