import { createHash } from 'node:crypto';
import {
  enums,
  LiteralDataPacket,
  PublicKeyPacket,
  PublicSubkeyPacket,
  SecretKeyPacket,
  SecretSubkeyPacket,
  SignaturePacket,
} from 'openpgp';
import type { AnyKeyPacket, AnySecretKeyPacket, Config } from 'openpgp';
import type { Content, ContentHash } from './content.js';
import type { Packet } from './packets.js';
import { TAG } from './packets.js';

/** What a signature is over: a document, a key with a user id, or a key with a subkey. */
export type Subject = Uint8Array | Content | KeySubject;

export interface KeySubject {
  readonly key: HashedKey;
  readonly bind?: HashedKey;
  readonly userID?: HashedUser;
  readonly userAttribute?: HashedUser;
}

/** A key as the hash takes it. Keys of unknown algorithms can be bound and revoked too. */
export interface HashedKey {
  writeForHash(): Uint8Array;
}

/** A user id or attribute as the hash takes it: its own bytes, in any encoding. */
export interface HashedUser {
  write(): Uint8Array;
}

export interface VerifyOptions {
  readonly by: AnyKeyPacket;
  readonly over: Subject;
  readonly config: Config;
}

export interface SignOptions extends Omit<VerifyOptions, 'by'> {
  readonly by: AnySecretKeyPacket;
  readonly date: Date;
}

/** OpenPGP.js takes these arguments; its type declarations omit some. */
interface Verifier {
  verify(
    key: AnyKeyPacket,
    type: number,
    data: object,
    date: null,
    detached: boolean,
    config: Config,
  ): Promise<void>;
}
interface Hashing {
  hash(type: number, data: object, bytes: Uint8Array): Promise<Uint8Array>;
}
interface Signing {
  sign(key: AnySecretKeyPacket, data: object, date: Date, detached: boolean, config: Config): Promise<void>;
}

/** Throws the error of OpenPGP.js for a signature that it cannot read. */
export function readSignaturePacket(body: Uint8Array): SignaturePacket {
  const packet = new SignaturePacket();
  packet.read(body);
  return packet;
}

export async function readPublicKeyPacket(packet: Packet): Promise<AnyKeyPacket> {
  const key = packet.tag === TAG.publicKey ? new PublicKeyPacket() : new PublicSubkeyPacket();
  await key.read(packet.body);
  return key;
}

export async function readSecretKeyPacket(packet: Packet): Promise<AnySecretKeyPacket> {
  const key = packet.tag === TAG.secretKey ? new SecretKeyPacket() : new SecretSubkeyPacket();
  await key.read(packet.body);
  return key;
}

/** The public half of a secret key packet. */
export function publicPacketOf(secret: AnySecretKeyPacket, tag: number): Packet {
  const key = secret as unknown as { writePublicKey(): Uint8Array };
  return { tag: tag === TAG.secretKey ? TAG.publicKey : TAG.publicSubkey, body: key.writePublicKey() };
}

/** Checks the mathematics, the hash and critical subpackets, but no dates. Throws with the reason. */
export async function verifyPacket(signature: SignaturePacket, options: VerifyOptions): Promise<void> {
  const verifier = signature as unknown as Verifier;
  // OpenPGP.js hashes according to the type that it is given, so give it the packet's own.
  const type = signature.signatureType ?? -1;
  hashOnce(signature, options.over);
  await verifier.verify(options.by, type, subjectOf(options.over), null, true, options.config);
}

export async function signPacket(signature: SignaturePacket, options: SignOptions): Promise<void> {
  signature.publicKeyAlgorithm = options.by.algorithm;
  const { by, over, date, config } = options;
  hashOnce(signature, over);
  await (signature as unknown as Signing).sign(by, subjectOf(over), date, true, config);
}

/** RFC 9580 §5.2.4, for version 4 signatures. */
export function hashedKey(body: Uint8Array): HashedKey {
  const hashed = Buffer.concat([Buffer.from([0x99, body.length >> 8, body.length & 0xff]), body]);
  return { writeForHash: () => hashed };
}

/** Fingerprint of a version 4 key, 40 upper-case hex digits, also of a key that OpenPGP.js cannot read. */
export function fingerprintOf(body: Uint8Array): string {
  return createHash('sha1').update(hashedKey(body).writeForHash()).digest('hex').toUpperCase();
}

/** Signatures by these algorithms need only the digest; for the others OpenPGP.js needs the bytes themselves. */
const OVER_DIGEST: ReadonlySet<number | null> = new Set([
  enums.publicKey.eddsaLegacy,
  enums.publicKey.ed25519,
]);

const HASH_NAMES: ReadonlyMap<number, ContentHash> = new Map([
  [enums.hash.sha1, 'sha1'],
  [enums.hash.ripemd, 'ripemd160'],
  [enums.hash.sha224, 'sha224'],
  [enums.hash.sha256, 'sha256'],
  [enums.hash.sha384, 'sha384'],
  [enums.hash.sha512, 'sha512'],
  [enums.hash.sha3_256, 'sha3-256'],
  [enums.hash.sha3_512, 'sha3-512'],
]);

/**
 * Gives a signature packet this digest. OpenPGP.js refuses to check EdDSA over SHA-1, which GnuPG makes and counts if it
 * is told to: the caller decides which hashes are too weak.
 */
export function presetDigest(signature: SignaturePacket, digest: Uint8Array): void {
  if (!OVER_DIGEST.has(signature.publicKeyAlgorithm)) return;
  const hashAlgorithm = enums.hash.sha256;
  Object.assign(signature, { hashAlgorithm, toHash: () => null, hash: () => Promise.resolve(digest) });
}

/**
 * Gives a signature packet the digest of its document. OpenPGP.js would copy the whole document to hash it, once for
 * each signature: seconds and hundreds of megabytes for a large database.
 */
function hashOnce(signature: SignaturePacket, over: Subject): void {
  const hashAlgorithm = signature.hashAlgorithm ?? -1;
  if (!isContent(over) || !HASH_NAMES.has(hashAlgorithm) || !OVER_DIGEST.has(signature.publicKeyAlgorithm))
    return;
  Object.assign(signature, {
    toHash: () => null,
    hash: () => digestOf(over, { hashAlgorithm, signed: signature.signatureData ?? new Uint8Array() }),
  });
}

/** The digest of a version 4 signature over this content; null for MD5 and for hashes that nobody knows. */
export async function digestOf(
  content: Content,
  { hashAlgorithm, signed }: { readonly hashAlgorithm: number; readonly signed: Uint8Array },
): Promise<Uint8Array | null> {
  const name = HASH_NAMES.get(hashAlgorithm);
  if (name === undefined) return null;
  const tail = tailOf(signed);
  const hashing = Object.assign(new SignaturePacket(), { hashAlgorithm }) as unknown as Hashing;
  return content.digest(name, tail) ?? (await hashing.hash(0, {}, Buffer.concat([content.bytes, tail])));
}

/** What a signature over a key, a user id or a subkey hashes before itself (RFC 9580 §5.2.4). */
export function signedBytes({ key, bind, userID, userAttribute }: KeySubject): Uint8Array {
  const user = userID?.write() ?? userAttribute?.write() ?? null;
  const length = Buffer.alloc(4);
  if (user !== null) length.writeUInt32BE(user.length);
  const head = Uint8Array.of(userID === undefined ? 0xd1 : 0xb4);
  return Buffer.concat([
    key.writeForHash(),
    ...(bind === undefined ? [] : [bind.writeForHash()]),
    ...(user === null ? [] : [head, length, user]),
  ]);
}

/** The bytes that a version 4 signature appends to the document before hashing (RFC 9580 §5.2.4). */
function tailOf(signed: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(signed.length);
  return Buffer.concat([signed, Buffer.from([4, 0xff]), length]);
}

function isContent(over: Subject): over is Content {
  return 'bytes' in over;
}

function subjectOf(over: Subject): object {
  const bytes = isContent(over) ? over.bytes : over;
  if (!(bytes instanceof Uint8Array)) return bytes;
  const literal = new LiteralDataPacket() as unknown as { setBytes(bytes: Uint8Array, format: number): void };
  literal.setBytes(bytes, enums.literal.binary);
  return literal;
}
