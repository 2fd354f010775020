import { enums, generateKey as generatePackets } from 'openpgp';
import type { AnySecretKeyPacket } from 'openpgp';
import { PacksignError } from '../errors.js';
import { wholeSeconds } from '../model/time.js';
import { dearmorOnly, encodeArmor } from '../pgp/armor.js';
import { KEY_FILE } from '../pgp/origin.js';
import { fingerprintOf, hashedKey, publicPacketOf } from '../pgp/packet-objects.js';
import { joinPackets, splitPackets, TAG } from '../pgp/packets.js';
import type { Packet } from '../pgp/packets.js';
import { POLICY } from '../pgp/policy.js';
import { makeSignature, packetOf } from './make-self-signature.js';

const { compression, hash, keyFlags, signature: signatureType, symmetric } = enums;

/** RFC 9580 §5.2.3.32: what every tool in use can do. */
const MODIFICATION_DETECTION = 0x01;

export interface GenerateKeyOptions {
  /** `NAME <ADDRESS>`. */
  readonly userId: string;
  /** Null leaves the key unlocked. */
  readonly passphrase: string | null;
  /** Null if the key never expires. */
  readonly expiresInSeconds: number | null;
  /** RSA 4096 instead of Ed25519. */
  readonly rsa: boolean;
  readonly date: Date;
}

/**
 * The four forms of a key, as armored bytes or as paths: the whole secret key, for a safe place; the secret signing
 * subkey without the secret primary key, for release machines; the public certificate; the revocation certificate.
 */
export type KeyForms<Form> = Readonly<Record<'secret' | 'signing' | 'certificate' | 'revocation', Form>>;

export interface NewKey extends KeyForms<Uint8Array> {
  /** Of the primary key, 40 upper-case hex digits. */
  readonly fingerprint: string;
}

/**
 * Makes a version 4 key that every OpenPGP tool in use can read (docs/FORMAT.md §7): a primary key that only certifies,
 * and a subkey that signs. A release machine needs only the subkey, and a stolen subkey cannot certify (threat T24).
 *
 * @throws {PacksignError} `USAGE`: an empty user id.
 */
export async function generateKey(options: GenerateKeyOptions): Promise<NewKey> {
  if (options.userId.trim() === '') throw new PacksignError('USAGE', 'a key needs a user id');
  const date = wholeSeconds(options.date);
  const { primary, subkey, binding, revocation } = await generateParts({ ...options, date });
  const user: Packet = { tag: TAG.userId, body: Buffer.from(options.userId, 'utf8') };
  const publicPrimary = publicPacketOf(primary, TAG.secretKey);
  const certification = await certify(primary, user, { ...options, date });
  const publicSubkey = publicPacketOf(subkey, TAG.secretSubkey);
  await lock([primary, subkey], options.passphrase);
  const secretSubkey: Packet = { tag: TAG.secretSubkey, body: subkey.write() };
  const wholePrimary: Packet = { tag: TAG.secretKey, body: primary.write() };
  primary.makeDummy(POLICY);
  const dummyPrimary: Packet = { tag: TAG.secretKey, body: primary.write() };
  const join = (first: Packet, last: Packet) => joinPackets([first, user, certification, last, binding]);
  return {
    fingerprint: fingerprintOf(publicPrimary.body),
    secret: encodeArmor(join(wholePrimary, secretSubkey), 'PRIVATE KEY BLOCK'),
    signing: encodeArmor(join(dummyPrimary, secretSubkey), 'PRIVATE KEY BLOCK'),
    certificate: encodeArmor(join(publicPrimary, publicSubkey), 'PUBLIC KEY BLOCK'),
    revocation: encodeArmor(revocation, 'PUBLIC KEY BLOCK'),
  };
}

interface GeneratedParts {
  readonly primary: AnySecretKeyPacket;
  readonly subkey: AnySecretKeyPacket;
  /** Binds the subkey to the primary key, with its signature back. */
  readonly binding: Packet;
  readonly revocation: Uint8Array;
}

/** The parts of a key that OpenPGP.js makes. */
export async function generateParts({
  rsa,
  expiresInSeconds,
  date,
}: Pick<GenerateKeyOptions, 'rsa' | 'expiresInSeconds' | 'date'>): Promise<GeneratedParts> {
  const { privateKey, revocationCertificate } = await generatePackets({
    ...(rsa ? ({ type: 'rsa', rsaBits: 4096 } as const) : ({ type: 'ecc', curve: 'ed25519Legacy' } as const)),
    // A placeholder: OpenPGP.js would parse the real user id and write it in another form.
    userIDs: [{ name: 'packsign' }],
    subkeys: [{ sign: true }],
    keyExpirationTime: expiresInSeconds ?? 0,
    date,
    format: 'object',
    config: POLICY,
  });
  const [subkey] = privateKey.subkeys;
  const [binding] = subkey?.bindingSignatures ?? [];
  if (subkey === undefined || binding === undefined) throw new Error('OpenPGP.js made no subkey');
  const armored = Buffer.from(revocationCertificate);
  const packets = splitPackets(dearmorOnly(armored, 'PUBLIC KEY BLOCK', KEY_FILE), KEY_FILE);
  return {
    primary: privateKey.keyPacket as AnySecretKeyPacket,
    subkey: subkey.keyPacket as AnySecretKeyPacket,
    binding: packetOf(binding),
    revocation: joinPackets(packets),
  };
}

/** The self-certification; with that of OpenPGP.js the primary key could sign too. */
async function certify(
  by: AnySecretKeyPacket,
  { body }: Packet,
  { expiresInSeconds, date }: GenerateKeyOptions,
): Promise<Packet> {
  const claims = {
    signatureType: signatureType.certPositive,
    keyFlags: new Uint8Array([keyFlags.certifyKeys]),
    isPrimaryUserID: true,
    preferredHashAlgorithms: [hash.sha256, hash.sha512, hash.sha384],
    preferredSymmetricAlgorithms: [symmetric.aes256, symmetric.aes128],
    preferredCompressionAlgorithms: [compression.uncompressed, compression.zlib, compression.zip],
    features: new Uint8Array([MODIFICATION_DETECTION]),
    ...(expiresInSeconds === null ? {} : { keyExpirationTime: expiresInSeconds, keyNeverExpires: false }),
  };
  const key = hashedKey(publicPacketOf(by, TAG.secretKey).body);
  return packetOf(await makeSignature(claims, { by, over: { key, userID: { write: () => body } }, date }));
}

async function lock(secrets: readonly AnySecretKeyPacket[], passphrase: string | null): Promise<void> {
  if (passphrase === null || passphrase === '') return;
  for (const secret of secrets) await secret.encrypt(passphrase, POLICY);
}
