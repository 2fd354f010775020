import { config, enums, generateKey, SignaturePacket } from 'openpgp';
import type { AnySecretKeyPacket, PrivateKey, SubkeyOptions } from 'openpgp';
import { joinPackets } from '../../src/pgp/packets.js';
import type { Packet } from '../../src/pgp/packets.js';
import type { Certificate } from '../../src/pgp/certificates.js';
import { readCertificates } from '../../src/pgp/certificates.js';
import { hashedKey, publicPacketOf, signPacket } from '../../src/pgp/packet-objects.js';
import type { KeySubject } from '../../src/pgp/packet-objects.js';

/** What an attacker or an old tool would make: keys and signatures with whatever in them. */

export const BORN = new Date('2025-01-01T00:00:00Z');
export const DOCUMENT = Buffer.from('what was reviewed\n');

export function day(number: number): Date {
  return new Date(BORN.getTime() + number * 86_400_000);
}

export interface ForgeKeyOptions {
  readonly name?: string;
  readonly rsa?: boolean;
  readonly curve?: 'nistP256' | 'nistP384' | 'nistP521';
  readonly date?: Date;
  readonly expires?: number;
  readonly subkeys?: readonly SubkeyOptions[];
}

/** A primary key that signs and, unless told otherwise, one signing subkey. */
export async function forgeKey(options: ForgeKeyOptions = {}): Promise<PrivateKey> {
  const { name = 'Ann', date = BORN, expires = 0, subkeys = [{ sign: true }] } = options;
  const { privateKey } = await generateKey({
    ...(options.rsa === true
      ? { type: 'rsa', rsaBits: 2048 }
      : { type: 'ecc', curve: options.curve ?? 'ed25519Legacy' }),
    userIDs: [{ name, email: `${name.toLowerCase()}@example.org` }],
    subkeys: [...subkeys],
    date,
    keyExpirationTime: expires,
    format: 'object',
  });
  return privateKey;
}

export function primaryOf(key: PrivateKey): AnySecretKeyPacket {
  return key.keyPacket as AnySecretKeyPacket;
}

export function subkeyOf(key: PrivateKey, index = 0): AnySecretKeyPacket {
  return key.subkeys[index]!.keyPacket as AnySecretKeyPacket;
}

export function fingerprint(key: { getFingerprint(): string }): string {
  return key.getFingerprint().toUpperCase();
}

export function publicBytes(key: PrivateKey): Uint8Array {
  return key.toPublic().write();
}

export async function certificateOf(key: PrivateKey): Promise<Certificate> {
  const [certificate] = await readCertificates(publicBytes(key));
  return certificate!;
}

export interface ForgeSignatureOptions {
  readonly date?: Date;
  readonly type?: enums.signature;
  readonly hash?: enums.hash;
  readonly prepare?: (packet: SignaturePacket) => void;
}

/** A signature packet with its header over a document. */
export async function forgeSignature(
  by: AnySecretKeyPacket,
  bytes: Uint8Array = DOCUMENT,
  options: ForgeSignatureOptions = {},
): Promise<Uint8Array> {
  const packet = await forgePacket(by, bytes, options);
  return joinPackets([{ tag: 2, body: packet.write() }]);
}

/** A signature over a document or a key, of any type and hash. */
export async function forgePacket(
  by: AnySecretKeyPacket,
  over: Uint8Array | KeySubject,
  options: ForgeSignatureOptions = {},
): Promise<SignaturePacket> {
  const packet = new SignaturePacket();
  packet.signatureType = options.type ?? enums.signature.binary;
  packet.hashAlgorithm = options.hash ?? enums.hash.sha256;
  options.prepare?.(packet);
  const plain = { ...config, nonDeterministicSignaturesViaNotation: false };
  await signPacket(packet, { by, over, date: options.date ?? day(10), config: plain });
  return packet;
}

/** A key and its subkey as they are hashed for a binding. */
export function bindingSubject(primary: AnySecretKeyPacket, subkey: AnySecretKeyPacket): KeySubject {
  return { key: hashedKey(publicPacketOf(primary, 5).body), bind: hashedKey(publicPacketOf(subkey, 7).body) };
}

/** The packet with another unhashed area, of any length that its two octets can say. */
export function withUnhashed({ tag, body }: Packet, area: Uint8Array): Packet {
  const bytes = Buffer.from(body);
  const hashedEnd = 6 + bytes.readUInt16BE(4);
  const end = hashedEnd + 2 + bytes.readUInt16BE(hashedEnd);
  const length = Buffer.from([area.length >> 8, area.length & 0xff]);
  return { tag, body: Buffer.concat([bytes.subarray(0, hashedEnd), length, area, bytes.subarray(end)]) };
}
