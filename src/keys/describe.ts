import { enums } from 'openpgp';
import type { AnySecretKeyPacket } from 'openpgp';
import { PacksignError } from '../errors.js';
import { TAG, splitPackets } from '../pgp/packets.js';
import { isBinary } from '../pgp/armor.js';
import type { Certificate, CertificateKey } from '../pgp/certificate.js';
import { readCertificates } from '../pgp/certificates.js';
import { KEY_FILE, malformed } from '../pgp/origin.js';
import { openSecretKey } from '../signers/secret-key.js';
import type { KeyStatus } from '../pgp/key-status.js';
import { chooseSigningKey, flagsAt, keyExpiry, revocationAt } from '../pgp/key-status.js';

export type KeyUsage = 'certify' | 'sign' | 'encrypt' | 'authenticate';

export interface DescribedKey {
  readonly fingerprint: string;
  /** `Ed25519`, `RSA 4096`, `NIST P-256`, … */
  readonly algorithm: string;
  readonly usage: readonly KeyUsage[];
  readonly created: Date;
  /** Null: never. */
  readonly expires: Date | null;
  readonly revoked: boolean;
}

/** What a key file holds, for `key show`: plain values, with nothing secret among them. */
export interface KeyDescription extends DescribedKey {
  /** Foreign text. */
  readonly userIds: readonly string[];
  readonly secret: boolean;
  /** Whether any secret key in it is locked with a passphrase. */
  readonly locked: boolean;
  readonly subkeys: readonly DescribedKey[];
  /** Fingerprint of the key that would sign now, or null with `problem` saying why none would. */
  readonly signsWith: string | null;
  readonly problem: string | null;
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
  const { certificate, secrets } = isSecret(bytes)
    ? await openSecretKey(bytes)
    : { certificate: await readOneCertificate(bytes), secrets: new Map<string, AnySecretKeyPacket>() };
  const has = ({ fingerprint }: CertificateKey): boolean =>
    secrets.size === 0 || secrets.get(fingerprint)?.isMissingSecretKeyMaterial() === false;
  const signing = chooseSigningKey(certificate, date, has);
  return {
    ...describePart(certificate, certificate.primary, date),
    userIds: certificate.userIds,
    secret: secrets.size > 0,
    locked: [...secrets.values()].some(
      (secret) => !secret.isMissingSecretKeyMaterial() && !secret.isDecrypted(),
    ),
    subkeys: certificate.subkeys.map((subkey) => describePart(certificate, subkey, date)),
    ...outlook(signing),
    certificate,
  };
}

function outlook(standing: KeyStatus): Pick<KeyDescription, 'signsWith' | 'problem'> {
  if (standing.kind === 'valid') return { signsWith: standing.key.fingerprint, problem: null };
  return { signsWith: null, problem: standing.reason };
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
  const text = Buffer.from(bytes).toString('latin1').trimStart();
  if (!isBinary(bytes)) return text.startsWith('-----BEGIN PGP PRIVATE KEY BLOCK-----');
  return splitPackets(bytes, KEY_FILE).some(({ tag }) => tag === TAG.secretKey);
}

async function readOneCertificate(bytes: Uint8Array): Promise<Certificate> {
  const [certificate, another] = await certificatesOf(bytes);
  if (certificate === undefined) throw malformed(KEY_FILE, 'holds no key');
  if (another !== undefined) throw malformed(KEY_FILE, 'holds more than one key');
  return certificate;
}

async function certificatesOf(bytes: Uint8Array): Promise<readonly Certificate[]> {
  try {
    return await readCertificates(bytes);
  } catch (error) {
    // Here the file is a key that a user named, not a directory's keys.asc.
    if (error instanceof PacksignError)
      throw new PacksignError('KEY_MALFORMED', error.message, { cause: error });
    throw error;
  }
}
