import { enums } from 'openpgp';
import type { LintCode } from '../model/finding.js';
import { formatInstant } from '../model/time.js';
import type { Certificate, CertificateKey } from '../pgp/certificate.js';
import { chooseSigningKey, flagsAt, keyExpiry, revocationAt, signingSubkeys } from '../pgp/key-status.js';
import type { SelfSignatures } from '../pgp/self-signatures.js';

/** Something in a certificate that verifiers refuse, or will refuse. */
export interface LintFinding {
  readonly code: LintCode;
  /** For people; contains user ids unchanged: foreign text. */
  readonly message: string;
  /** When it starts to matter; null if that does not depend on dates. */
  readonly from: Date | null;
}

export interface LintContext {
  readonly now: Date;
  /** The same key in the published `keys.asc`; null if it is not there. */
  readonly published: Certificate | null;
  /** When the published database expires; null if it does not, or there is none. */
  readonly databaseExpires: Date | null;
}

/** Dates of Sequoia's standard policy, which today's apt, dnf and sq follow. */
const SHA1_ENDS = new Date('2026-02-01T00:00:00Z');
const RSA_2048_ENDS = new Date('2030-02-01T00:00:00Z');
const DAY_MS = 86_400_000;
/** Warn when a key expires within this time (threat T20). */
const WARN_MS = 180 * DAY_MS;

/** What today's verifiers will say about a certificate, and from when. Not sorted by severity. */
export function lintCertificate(certificate: Certificate, context: LintContext): readonly LintFinding[] {
  const { primary, subkeys, fingerprint } = certificate;
  const { now } = context;
  const revocation = revocationAt(primary, now);
  if (revocation !== null) {
    return [finding('KEY_REVOKED', `key ${fingerprint} is revoked`, revocation.created)];
  }
  const living = subkeys.filter((key) => revocationAt(key, now) === null);
  return [
    ...[primary, ...living].flatMap(lengthFinding),
    ...living.flatMap(algorithmFinding),
    ...hashFindings(certificate, living),
    ...signerFindings(certificate, now),
    ...expiryFindings(certificate, context),
    ...addressFindings(certificate),
    ...publishedFindings(certificate, context),
  ];
}

function finding(code: LintCode, message: string, from: Date | null = null): LintFinding {
  return { code, message, from };
}

function lengthFinding({ fingerprint, algorithm }: CertificateKey): LintFinding[] {
  const bits = Number(/^RSA (\d+)$/.exec(algorithm.name)?.[1] ?? Infinity);
  if (bits >= 3072) return [];
  const what = `key ${fingerprint} is ${algorithm.name}`;
  if (bits < 2048) return [finding('KEY_RSA_SHORT', `${what}: no verifier accepts it`)];
  const message = `${what}: programs built on Sequoia refuse it from ${formatInstant(RSA_2048_ENDS)} on`;
  return [finding('KEY_RSA_SHORT', message, RSA_2048_ENDS)];
}

function algorithmFinding({ fingerprint, algorithm, packet }: CertificateKey): LintFinding[] {
  if (packet !== null && algorithm.problem?.kind !== 'unsupported') return [];
  const message = `subkey ${fingerprint} is ${algorithm.name}, which gpgv 2.2, older sq and packsign cannot read`;
  return [finding('KEY_ALGORITHM', message)];
}

/** Threat T7: a weak self-signature counts as absent. */
function hashFindings(
  { fingerprint, users }: Certificate,
  subkeys: readonly CertificateKey[],
): LintFinding[] {
  const isWeak = ({ bindings, weakBindings }: SelfSignatures) =>
    bindings.length === 0 && weakBindings.length > 0;
  const since = formatInstant(SHA1_ENDS);
  return [
    ...users.filter(isWeak).map(({ userId }) => `user id "${userId}" of ${fingerprint}`),
    ...subkeys.filter(isWeak).map((key) => `subkey ${key.fingerprint}`),
  ].map((what) => {
    const message = `${what} has only SHA-1 self-signatures: packsign ignores them, programs built on Sequoia since ${since}`;
    return finding('KEY_SHA1', message, SHA1_ENDS);
  });
}

function signerFindings(certificate: Certificate, now: Date): LintFinding[] {
  const { primary, fingerprint } = certificate;
  if (signingSubkeys(certificate).length > 0) {
    const status = chooseSigningKey(certificate, now);
    if (status.kind === 'valid' || status.kind === 'expired') return [];
    return [finding('KEY_NO_SIGNER', `key ${fingerprint} cannot sign: ${status.reason}`)];
  }
  const signsItself = (flagsAt(certificate, primary, now) & enums.keyFlags.signData) !== 0;
  const message = signsItself
    ? `key ${fingerprint} has no signing subkey: a thief of the release machine gets the primary key`
    : `key ${fingerprint} has no key that signs`;
  return [finding('KEY_NO_SIGNER', message)];
}

/** Checks the earlier expiry of the primary key and of the key that signs. */
function expiryFindings(certificate: Certificate, { now, databaseExpires }: LintContext): LintFinding[] {
  const { key } = chooseSigningKey(certificate, now);
  const expires = keyExpiry(certificate, key, now);
  if (expires === null) return [];
  const when = formatInstant(expires);
  const leftMs = expires.getTime() - now.getTime();
  if (leftMs <= 0) return [finding('KEY_EXPIRED', `key ${key.fingerprint} expired at ${when}`, expires)];
  const what = `key ${key.fingerprint} expires at ${when}`;
  const soon = `${what}, in ${Math.floor(leftMs / DAY_MS)} days`;
  const early = (until: Date) => `${what}, and the database that it signs only at ${formatInstant(until)}`;
  return [
    ...(leftMs <= WARN_MS ? [finding('KEY_EXPIRES_SOON', soon, expires)] : []),
    ...(databaseExpires !== null && databaseExpires > expires
      ? [finding('KEY_EXPIRES_FIRST', early(databaseExpires), expires)]
      : []),
  ];
}

function addressFindings({ fingerprint, userIds }: Certificate): LintFinding[] {
  if (userIds.length === 0) return [finding('KEY_NO_ADDRESS', `key ${fingerprint} has no user id`)];
  return userIds
    .filter((userId) => !/[^\s<>@]+@[^\s<>@]+/.test(userId))
    .map((userId) => finding('KEY_NO_ADDRESS', `user id "${userId}" has no address to write to`));
}

function publishedFindings(certificate: Certificate, { now, published }: LintContext): LintFinding[] {
  if (published === null) return [];
  const known = new Set(published.subkeys.map(({ fingerprint }) => fingerprint));
  return signingSubkeys(certificate)
    .filter((key) => !known.has(key.fingerprint) && revocationAt(key, now) === null)
    .map(({ fingerprint }) => {
      const message = `subkey ${fingerprint} is not in the published keys.asc: packsign key publish adds it`;
      return finding('KEY_NOT_PUBLISHED', message);
    });
}
