import { enums } from 'openpgp';
import type { LintCode } from '../model/finding.js';
import { formatInstant } from '../model/time.js';
import type { Certificate, CertificateKey } from '../pgp/certificate.js';
import type { SelfSignatures } from '../pgp/self-signatures.js';
import { chooseSigningKey, flagsAt, keyExpiry, revocationAt, signingSubkeys } from '../pgp/key-status.js';

/** Something about a certificate that verifiers refuse, or will. */
export interface LintFinding {
  readonly code: LintCode;
  /** For people; names fingerprints, and user ids as they stand there: foreign text. */
  readonly message: string;
  /** Since when, or from when on, it matters; null where that is no question of dates. */
  readonly from: Date | null;
}

export interface LintContext {
  readonly now: Date;
  /** The same key as `keys.asc` has it; null where that does not, or there is none. */
  readonly published: Certificate | null;
  /** When the published database ends; null where it does not, or there is none. */
  readonly databaseExpires: Date | null;
}

/** Sequoia's standard policy, which apt, dnf and sq of today go by. */
const SHA1_ENDS = new Date('2026-02-01T00:00:00Z');
const RSA_2048_ENDS = new Date('2030-02-01T00:00:00Z');
const DAY_MS = 86_400_000;
/** Threat T20. */
const WARN_DAYS = [30, 90, 180] as const;

/** What today's verifiers will say of a certificate, and from when. Nothing is sorted by gravity. */
export function lintCertificate(certificate: Certificate, context: LintContext): readonly LintFinding[] {
  const { primary, subkeys } = certificate;
  const living = [primary, ...subkeys].filter((key) => revocationAt(key, context.now) === null);
  const isRevoked = revocationAt(primary, context.now) !== null;
  if (isRevoked) return revokedFinding(certificate, context.now);
  return [
    ...living.flatMap(lengthFinding),
    ...subkeys.filter((key) => living.includes(key)).flatMap(algorithmFinding),
    ...hashFindings(certificate, living),
    ...signerFindings(certificate, context.now),
    ...expiryFindings(certificate, context),
    ...addressFindings(certificate),
    ...publishedFindings(certificate, context),
  ];
}

function revokedFinding({ primary }: Certificate, now: Date): LintFinding[] {
  const since = revocationAt(primary, now)?.created ?? null;
  return [{ code: 'KEY_REVOKED', message: `key ${primary.fingerprint} is revoked`, from: since }];
}

function lengthFinding({ fingerprint, algorithm }: CertificateKey): LintFinding[] {
  const bits = Number(/^RSA (\d+)$/.exec(algorithm.name)?.[1] ?? Infinity);
  if (bits >= 3072) return [];
  const what = `key ${fingerprint} is of ${algorithm.name}`;
  if (bits < 2048) return [{ code: 'KEY_RSA_SHORT', message: `${what}: no verifier takes it`, from: null }];
  const message = `${what}: readers built on Sequoia refuse it from ${formatInstant(RSA_2048_ENDS)} on`;
  return [{ code: 'KEY_RSA_SHORT', message, from: RSA_2048_ENDS }];
}

function algorithmFinding({ fingerprint, algorithm, packet }: CertificateKey): LintFinding[] {
  if (packet !== null && algorithm.problem?.kind !== 'unsupported') return [];
  const message = `subkey ${fingerprint} is of ${algorithm.name}, which gpgv 2.2, older sq and packsign do not read`;
  return [{ code: 'KEY_ALGORITHM', message, from: null }];
}

/** Threat T7: what only a weak self-signature says is not said. */
function hashFindings(
  { fingerprint, primary, users }: Certificate,
  living: readonly CertificateKey[],
): LintFinding[] {
  const isWeak = ({ bindings, weakBindings }: SelfSignatures) =>
    bindings.length === 0 && weakBindings.length > 0;
  const subkeys = living.filter((key) => key !== primary && isWeak(key));
  const weak = [
    ...users.filter(isWeak).map(({ userId }) => `user id "${userId}" of ${fingerprint}`),
    ...subkeys.map((key) => `subkey ${key.fingerprint}`),
  ];
  return weak.map((what) => ({
    code: 'KEY_SHA1',
    message: `${what} has only SHA-1 self-signatures: packsign takes none, readers built on Sequoia since ${formatInstant(SHA1_ENDS)}`,
    from: SHA1_ENDS,
  }));
}

function signerFindings(certificate: Certificate, now: Date): LintFinding[] {
  const { primary, fingerprint } = certificate;
  if (signingSubkeys(certificate).length > 0) {
    const standing = chooseSigningKey(certificate, now);
    if (standing.kind === 'valid' || standing.kind === 'expired') return [];
    return [
      { code: 'KEY_NO_SIGNER', message: `key ${fingerprint} cannot sign: ${standing.reason}`, from: null },
    ];
  }
  const signsItself = (flagsAt(certificate, primary, now) & enums.keyFlags.signData) !== 0;
  const message = signsItself
    ? `key ${fingerprint} has no signing subkey: whoever takes the release machine takes the key itself`
    : `key ${fingerprint} has no key that signs`;
  return [{ code: 'KEY_NO_SIGNER', message, from: null }];
}

/** Of the keys that readers go by: the primary key, and the one that signs. */
function expiryFindings(certificate: Certificate, { now, databaseExpires }: LintContext): LintFinding[] {
  const standing = chooseSigningKey(certificate, now);
  const expires = keyExpiry(certificate, standing.key, now);
  if (expires === null) return [];
  const { fingerprint } = standing.key;
  const when = formatInstant(expires);
  if (expires <= now)
    return [{ code: 'KEY_EXPIRED', message: `key ${fingerprint} expired at ${when}`, from: expires }];
  const days = WARN_DAYS.find((limit) => expires.getTime() - now.getTime() <= limit * DAY_MS);
  const left = Math.floor((expires.getTime() - now.getTime()) / DAY_MS);
  const soon = `key ${fingerprint} expires at ${when}, in ${left} days`;
  return [
    ...(days === undefined ? [] : [{ code: 'KEY_EXPIRES_SOON', message: soon, from: expires } as const]),
    ...(databaseExpires === null || databaseExpires <= expires
      ? []
      : [
          {
            code: 'KEY_EXPIRES_FIRST',
            message: `key ${fingerprint} expires at ${when}, before the published database`,
            from: expires,
          } as const,
        ]),
  ];
}

function addressFindings({ fingerprint, userIds }: Certificate): LintFinding[] {
  const without = userIds.filter((userId) => !/[^\s<>@]+@[^\s<>@]+/.test(userId));
  if (userIds.length === 0) {
    return [{ code: 'KEY_NO_ADDRESS', message: `key ${fingerprint} has no user id`, from: null }];
  }
  return without.map((userId) => ({
    code: 'KEY_NO_ADDRESS',
    message: `user id "${userId}" has no address: nobody can tell whom to ask`,
    from: null,
  }));
}

function publishedFindings(certificate: Certificate, { now, published }: LintContext): LintFinding[] {
  if (published === null) return [];
  const known = new Set(published.subkeys.map(({ fingerprint }) => fingerprint));
  return signingSubkeys(certificate)
    .filter((key) => !known.has(key.fingerprint) && revocationAt(key, now) === null)
    .map(({ fingerprint }) => ({
      code: 'KEY_NOT_PUBLISHED',
      message: `subkey ${fingerprint} is not in the published keys.asc: packsign key publish adds it`,
      from: null,
    }));
}
