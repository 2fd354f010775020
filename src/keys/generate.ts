import { enums, generateKey as generatePackets, SignaturePacket } from 'openpgp';
import type { AnySecretKeyPacket, PrivateKey } from 'openpgp';
import { PacksignError } from '../errors.js';
import { wholeSeconds } from '../model/time.js';
import { dearmorOnly, encodeArmor } from '../pgp/armor.js';
import type { Packet } from '../pgp/packets.js';
import { joinPackets, splitPackets, TAG } from '../pgp/packets.js';
import { KEY_FILE } from '../pgp/origin.js';
import { fingerprintOf, hashedKey, publicPacketOf, signPacket } from '../pgp/packet-objects.js';
import { POLICY } from '../pgp/policy.js';

const { compression, hash, keyFlags, signature: signatureType, symmetric } = enums;

/** RFC 9580 §5.2.3.32: what every tool in use can do. */
const MODIFICATION_DETECTION = 0x01;

export interface GenerateKeyOptions {
  /** `NAME <ADDRESS>`. */
  readonly userId: string;
  /** Null: no lock. */
  readonly passphrase: string | null;
  /** Null: it never expires. */
  readonly expiresInSeconds: number | null;
  /** RSA 4096 instead of Ed25519. */
  readonly rsa: boolean;
  readonly date: Date;
}

/** A new key in its four forms, each one armor block. */
export interface NewKey {
  /** Of the primary key, 40 upper-case hex digits. */
  readonly fingerprint: string;
  /** The whole secret key. */
  readonly secret: Uint8Array;
  /** The secret signing subkey without the secret primary key, for release machines. */
  readonly signing: Uint8Array;
  readonly certificate: Uint8Array;
  readonly revocation: Uint8Array;
}

/**
 * A version 4 key that every OpenPGP tool in use reads (docs/FORMAT.md §7): a primary key that only certifies,
 * and a subkey that signs. A release machine needs the second alone, and a stolen subkey cannot certify
 * (threat T24).
 *
 * @throws {PacksignError} `USAGE`: an empty user id.
 */
export async function generateKey(options: GenerateKeyOptions): Promise<NewKey> {
  if (options.userId.trim() === '') throw new PacksignError('USAGE', 'a key needs a user id');
  const date = wholeSeconds(options.date);
  const { key, revocation } = await generateParts({ ...options, date });
  const [subkey] = key.subkeys;
  const [binding] = subkey?.bindingSignatures ?? [];
  if (subkey === undefined || binding === undefined) throw new Error('OpenPGP.js made no subkey');

  const primarySecret = key.keyPacket as AnySecretKeyPacket;
  const subkeySecret = subkey.keyPacket as AnySecretKeyPacket;
  const userId = Buffer.from(options.userId, 'utf8');
  const primaryPublic = publicPacketOf(primarySecret, TAG.secretKey);
  const certification = await certify(primarySecret, {
    userId,
    primary: primaryPublic,
    options: { ...options, date },
  });
  const middle: readonly Packet[] = [
    { tag: TAG.userId, body: userId },
    { tag: TAG.signature, body: certification },
  ];
  const end: Packet = { tag: TAG.signature, body: binding.write() };
  const certificate = [primaryPublic, ...middle, publicPacketOf(subkeySecret, TAG.secretSubkey), end];

  await lock([primarySecret, subkeySecret], options.passphrase);
  const subkeyPacket: Packet = { tag: TAG.secretSubkey, body: subkeySecret.write() };
  const secret = [{ tag: TAG.secretKey, body: primarySecret.write() }, ...middle, subkeyPacket, end];
  primarySecret.makeDummy(POLICY);
  const signing = [{ tag: TAG.secretKey, body: primarySecret.write() }, ...middle, subkeyPacket, end];
  return {
    fingerprint: fingerprintOf(primaryPublic.body),
    secret: encodeArmor(joinPackets(secret), 'PRIVATE KEY BLOCK'),
    signing: encodeArmor(joinPackets(signing), 'PRIVATE KEY BLOCK'),
    certificate: encodeArmor(joinPackets(certificate), 'PUBLIC KEY BLOCK'),
    revocation: encodeArmor(revocation, 'PUBLIC KEY BLOCK'),
  };
}

/** OpenPGP.js makes the keys, the binding with its signature back, and the revocation certificate. */
async function generateParts({ rsa, expiresInSeconds, date }: GenerateKeyOptions): Promise<{
  readonly key: PrivateKey;
  readonly revocation: Uint8Array;
}> {
  const kind = rsa
    ? ({ type: 'rsa', rsaBits: 4096 } as const)
    : ({ type: 'ecc', curve: 'ed25519Legacy' } as const);
  const { privateKey, revocationCertificate } = await generatePackets({
    ...kind,
    // Takes the place of the real one, which OpenPGP.js would take apart and put together anew.
    userIDs: [{ name: 'packsign' }],
    subkeys: [{ sign: true }],
    keyExpirationTime: expiresInSeconds ?? 0,
    date,
    format: 'object',
    config: POLICY,
  });
  const armored = Buffer.from(revocationCertificate);
  const packets = splitPackets(dearmorOnly(armored, 'PUBLIC KEY BLOCK', KEY_FILE), KEY_FILE);
  return { key: privateKey, revocation: joinPackets(packets) };
}

interface Certification {
  readonly userId: Uint8Array;
  readonly primary: Packet;
  readonly options: GenerateKeyOptions;
}

/** The self-certification; that of OpenPGP.js would let the primary key sign also. */
async function certify(
  by: AnySecretKeyPacket,
  { userId, primary, options }: Certification,
): Promise<Uint8Array> {
  const { expiresInSeconds, date } = options;
  const signature = new SignaturePacket();
  signature.signatureType = signatureType.certPositive;
  signature.hashAlgorithm = hash.sha512;
  signature.keyFlags = new Uint8Array([keyFlags.certifyKeys]);
  signature.isPrimaryUserID = true;
  signature.preferredHashAlgorithms = [hash.sha256, hash.sha512, hash.sha384];
  signature.preferredSymmetricAlgorithms = [symmetric.aes256, symmetric.aes128];
  signature.preferredCompressionAlgorithms = [compression.uncompressed, compression.zlib, compression.zip];
  signature.features = new Uint8Array([MODIFICATION_DETECTION]);
  if (expiresInSeconds !== null) {
    signature.keyExpirationTime = expiresInSeconds;
    signature.keyNeverExpires = false;
  }
  const over = { key: hashedKey(primary.body), userID: { write: () => userId } };
  await signPacket(signature, { by, over, date, config: POLICY });
  return signature.write();
}

async function lock(secrets: readonly AnySecretKeyPacket[], passphrase: string | null): Promise<void> {
  if (passphrase === null || passphrase === '') return;
  for (const secret of secrets) await secret.encrypt(passphrase, POLICY);
}
