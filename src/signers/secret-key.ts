import { enums, SignaturePacket } from 'openpgp';
import type { AnySecretKeyPacket } from 'openpgp';
import { PacksignError, reasonOf } from '../errors.js';
import { wholeSeconds } from '../model/time.js';
import type { Components, Component } from '../pgp/components.js';
import { splitComponents } from '../pgp/components.js';
import { dearmorOnly, isBinary } from '../pgp/armor.js';
import type { Certificate, CertificateKey } from '../pgp/certificate.js';
import { inspectCertificate } from '../pgp/certificate.js';
import { CERTIFICATES_LIMIT_BYTES } from '../pgp/certificates.js';
import { joinPackets, splitPackets, TAG } from '../pgp/packets.js';
import { chooseHash } from '../pgp/hash.js';
import { KEY_FILE, malformed } from '../pgp/origin.js';
import { publicPacketOf, readSecretKeyPacket, signPacket } from '../pgp/packet-objects.js';
import { POLICY } from '../pgp/policy.js';
import type { Signer } from './signer.js';
import { chooseSigningKey, keyStatusToSign } from '../pgp/key-status.js';
import { requireValid } from '../pgp/usable.js';

export interface ReadSecretKeyOptions {
  /** Asked only when the key that signs is locked. Null: there is none to be had. */
  readonly passphrase: () => Promise<string | null>;
  /** The moment for which a signing key is chosen. */
  readonly date: Date;
}

/** A secret key file taken apart; some secret halves may be missing (`gnu-dummy`, smart card). */
export interface SecretKeyFile {
  readonly certificate: Certificate;
  /** By fingerprint; locked ones still are. */
  readonly secrets: ReadonlyMap<string, AnySecretKeyPacket>;
}

/**
 * A signer from a secret key, armored or binary, whole or with a signing subkey alone. Its newest valid signing
 * subkey signs, or the primary key where there never was one (threat T25).
 *
 * @throws {PacksignError} `KEY_MALFORMED`: not exactly one secret key. `KEY_EXPIRED`, `KEY_REVOKED`,
 * `KEY_NOT_YET_VALID`, `KEY_WEAK`, `KEY_UNUSABLE`: it cannot sign. `PASSPHRASE_NEEDED`, `PASSPHRASE_WRONG`.
 */
export async function readSecretKey(bytes: Uint8Array, options: ReadSecretKeyOptions): Promise<Signer> {
  const { certificate, secrets } = await openSecretKey(bytes);
  const has = ({ fingerprint }: CertificateKey): boolean =>
    secrets.get(fingerprint)?.isMissingSecretKeyMaterial() === false;
  const { key } = requireValid(certificate, chooseSigningKey(certificate, options.date, has));
  const secret = secrets.get(key.fingerprint);
  if (secret === undefined) throw malformed(KEY_FILE, 'holds no secret key that signs');
  await unlock(secret, { fingerprint: key.fingerprint, passphrase: options.passphrase });
  return signerOf(certificate, key, secret);
}

/**
 * The certificate that belongs to a secret key file; no passphrase is needed for it.
 *
 * @throws {PacksignError} `KEY_MALFORMED`.
 */
export async function readSecretCertificate(bytes: Uint8Array): Promise<Certificate> {
  const { certificate } = await openSecretKey(bytes);
  return certificate;
}

/** A secret key file with everything in it, still locked. Throws `KEY_MALFORMED`. */
export async function openSecretKey(bytes: Uint8Array): Promise<SecretKeyFile> {
  const { anatomy, secrets } = await publicComponentsOf(secretComponentsOf(bytes));
  return { certificate: await inspectCertificate(anatomy, KEY_FILE), secrets };
}

/** The public half of a dissected secret key, and its secret packets by fingerprint. Throws `KEY_MALFORMED`. */
export async function publicComponentsOf(anatomy: Components): Promise<{
  readonly anatomy: Components;
  readonly secrets: ReadonlyMap<string, AnySecretKeyPacket>;
}> {
  const secrets = new Map<string, AnySecretKeyPacket>();
  const primary = await publicComponentOf(anatomy.primary, secrets);
  if (primary === null) throw malformed(KEY_FILE, 'holds a key that cannot be read');
  const subkeys: Component[] = [];
  for (const subkey of anatomy.subkeys) {
    const component = await publicComponentOf(subkey, secrets);
    if (component !== null) subkeys.push(component);
  }
  return { anatomy: { primary, users: anatomy.users, subkeys }, secrets };
}

/** The packets of a secret key file as they stand there. Throws `KEY_MALFORMED`. */
export function secretComponentsOf(bytes: Uint8Array): Components {
  if (bytes.length > CERTIFICATES_LIMIT_BYTES) throw malformed(KEY_FILE, 'is larger than 1 MiB');
  if (Buffer.from(bytes).toString('latin1').trimStart().startsWith('-----BEGIN PGP PUBLIC KEY BLOCK-----')) {
    throw publicKeyGiven();
  }
  const binary = isBinary(bytes) ? bytes : dearmorOnly(bytes, 'PRIVATE KEY BLOCK', KEY_FILE);
  const [anatomy, another] = splitComponents(splitPackets(binary, KEY_FILE), KEY_FILE);
  if (anatomy === undefined) throw malformed(KEY_FILE, 'holds no key');
  if (another !== undefined)
    throw malformed(KEY_FILE, 'holds more than one key', 'export one key into a file of its own');
  if (anatomy.primary.packet.tag !== TAG.secretKey) throw publicKeyGiven();
  return anatomy;
}

function publicKeyGiven(): PacksignError {
  return malformed(
    KEY_FILE,
    'holds a public key',
    'signing takes the secret one: gpg --armor --export-secret-keys KEY',
  );
}

/** Null where OpenPGP.js cannot read the key; such a subkey can sign nothing here. */
async function publicComponentOf(
  { packet, signatures }: Component,
  secrets: Map<string, AnySecretKeyPacket>,
): Promise<Component | null> {
  if (packet.tag !== TAG.secretKey && packet.tag !== TAG.secretSubkey) return { packet, signatures };
  try {
    const secret = await readSecretKeyPacket(packet);
    secrets.set(secret.getFingerprint().toUpperCase(), secret);
    return { packet: publicPacketOf(secret, packet.tag), signatures };
  } catch {
    return null;
  }
}

interface Unlocking {
  readonly fingerprint: string;
  readonly passphrase: () => Promise<string | null>;
}

/**
 * Unlocks a secret key and holds its halves against each other. Throws `PASSPHRASE_NEEDED`, `PASSPHRASE_WRONG`,
 * `KEY_UNUSABLE`, `KEY_MALFORMED`. No error carries a cause here: nothing of the key or the passphrase may get into one (threat T19).
 */
export async function unlock(
  secret: AnySecretKeyPacket,
  { fingerprint, passphrase }: Unlocking,
): Promise<void> {
  if (!secret.isDecrypted()) {
    const words = await passphrase();
    if (words === null) {
      throw new PacksignError('PASSPHRASE_NEEDED', `key ${fingerprint} is locked with a passphrase`, {
        hint: 'give it with --passphrase-file FILE or in PACKSIGN_PASSPHRASE',
      });
    }
    await decrypt(secret, words, fingerprint);
  }
  try {
    // A key file whose public half was tampered with can make a signature that gives the secret away.
    await secret.validate();
  } catch {
    throw malformed(KEY_FILE, `is damaged: the halves of key ${fingerprint} do not belong together`);
  }
}

async function decrypt(secret: AnySecretKeyPacket, words: string, fingerprint: string): Promise<void> {
  try {
    await secret.decrypt(words);
  } catch (error) {
    const reason = reasonOf(error);
    if (reason.startsWith('Incorrect key passphrase')) {
      throw new PacksignError('PASSPHRASE_WRONG', `that is not the passphrase of key ${fingerprint}`);
    }
    throw new PacksignError('KEY_UNUSABLE', `key ${fingerprint} is locked in a way that is not supported`, {
      hint: 'give it a new passphrase with a current version of gpg, and export it again',
    });
  }
}

function signerOf(certificate: Certificate, key: CertificateKey, secret: AnySecretKeyPacket): Signer {
  return {
    fingerprint: certificate.fingerprint,
    certificate,
    signingKey: key.fingerprint,
    sign: async (document, { date, deterministic }) => {
      const created = wholeSeconds(date);
      const { preferredHashes } = requireValid(certificate, keyStatusToSign(certificate, key, created));
      const signature = new SignaturePacket();
      signature.signatureType = enums.signature.binary;
      signature.hashAlgorithm = chooseHash(key.algorithm.name, preferredHashes);
      const config = { ...POLICY, nonDeterministicSignaturesViaNotation: !deterministic };
      await signPacket(signature, {
        by: secret,
        over: document,
        date: created,
        config,
      });
      requireIssuer(signature, key);
      return joinPackets([{ tag: TAG.signature, body: signature.write() }]);
    },
  };
}

/** Threat T25: what signed is looked at, not assumed. */
function requireIssuer(signature: SignaturePacket, { fingerprint }: CertificateKey): void {
  const issuer = Buffer.from(signature.issuerFingerprint ?? [])
    .toString('hex')
    .toUpperCase();
  if (issuer === fingerprint) return;
  throw new PacksignError('SELF_CHECK_FAILED', `key ${fingerprint} was to sign, and ${issuer} did`);
}
