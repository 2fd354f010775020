import { enums } from 'openpgp';
import { PacksignError } from '../errors.js';
import { isBinary } from '../pgp/armor.js';
import type { Certificate, CertificateKey, Revoker } from '../pgp/certificate.js';
import { readCertificates } from '../pgp/certificates.js';
import { chooseSigningKey, flagsAt, keyExpiry, revocationAt } from '../pgp/key-status.js';
import { KEY_FILE, malformed } from '../pgp/origin.js';
import { TAG, splitPackets } from '../pgp/packets.js';
import { openSecretKey, secretOf } from '../signers/secret-key.js';
import type { SecretKeyFile } from '../signers/secret-key.js';

export type KeyUsage = 'certify' | 'sign' | 'encrypt' | 'authenticate';

export interface DescribedKey {
  readonly fingerprint: string;
  /** `Ed25519`, `RSA 4096`, `NIST P-256`, … */
  readonly algorithm: string;
  readonly usage: readonly KeyUsage[];
  readonly created: Date;
  /** Null if it never expires. */
  readonly expires: Date | null;
  readonly revoked: boolean;
}

/** What a key file holds, for `key show`: plain values, none of them secret. */
export interface KeyDescription extends DescribedKey {
  /** Foreign text. */
  readonly userIds: readonly string[];
  readonly secret: boolean;
  /** Whether any secret key in it is locked with a passphrase. */
  readonly locked: boolean;
  readonly subkeys: readonly DescribedKey[];
  /** Fingerprint of the key that would sign now; null if none would, and `problem` says why. */
  readonly signsWith: string | null;
  readonly problem: string | null;
  /** The keys that may revoke it too. */
  readonly revokers: readonly Revoker[];
  readonly certificate: Certificate;
}

const FLAGS: readonly (readonly [number, KeyUsage])[] = [
  [enums.keyFlags.certifyKeys, 'certify'],
  [enums.keyFlags.signData, 'sign'],
  [enums.keyFlags.encryptCommunication | enums.keyFlags.encryptStorage, 'encrypt'],
  [enums.keyFlags.authentication, 'authenticate'],
];

/**
 * Describes the one key of a file, secret or public.
 *
 * @throws {PacksignError} `KEY_MALFORMED`: not exactly one key, or none that can be read.
 */
export async function describeKey(bytes: Uint8Array, date: Date): Promise<KeyDescription> {
  const { certificate, secrets }: SecretKeyFile = isSecret(bytes)
    ? await openSecretKey(bytes)
    : { certificate: await readOneCertificate(bytes), secrets: new Map() };
  const { primary, subkeys, userIds } = certificate;
  const mayHave = (key: CertificateKey) => secrets.size === 0 || secretOf(key, secrets) !== null;
  const status = chooseSigningKey(certificate, date, mayHave);
  return {
    ...describePart(certificate, primary, date),
    userIds,
    secret: secrets.size > 0,
    locked: Array.from(secrets.values()).some(
      (secret) => !secret.isMissingSecretKeyMaterial() && !secret.isDecrypted(),
    ),
    subkeys: subkeys.map((subkey) => describePart(certificate, subkey, date)),
    signsWith: status.kind === 'valid' ? status.key.fingerprint : null,
    problem: status.kind === 'valid' ? null : status.reason,
    revokers: certificate.revokers,
    certificate,
  };
}

function describePart(certificate: Certificate, key: CertificateKey, date: Date): DescribedKey {
  const flags = flagsAt(certificate, key, date);
  return {
    fingerprint: key.fingerprint,
    algorithm: key.algorithm.name,
    usage: FLAGS.filter(([bits]) => (flags & bits) !== 0).map(([, usage]) => usage),
    created: key.created,
    expires: keyExpiry(certificate, key, date),
    revoked: revocationAt(key, date) !== null || revocationAt(certificate.primary, date) !== null,
  };
}

function isSecret(bytes: Uint8Array): boolean {
  if (isBinary(bytes)) return splitPackets(bytes, KEY_FILE).some(({ tag }) => tag === TAG.secretKey);
  const text = Buffer.from(bytes).toString('latin1');
  return text.trimStart().startsWith('-----BEGIN PGP PRIVATE KEY BLOCK-----');
}

async function readOneCertificate(bytes: Uint8Array): Promise<Certificate> {
  const [certificate, another] = await readCertificates(bytes).catch((error: unknown) => {
    if (!(error instanceof PacksignError)) throw error;
    // Here the file is a key that the user named, not a directory's keys.asc.
    throw new PacksignError('KEY_MALFORMED', error.message, { cause: error });
  });
  if (certificate === undefined) throw malformed(KEY_FILE, 'holds no key');
  if (another !== undefined) throw malformed(KEY_FILE, 'holds more than one key');
  return certificate;
}
