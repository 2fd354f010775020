import { TAG, readHeader } from './packets.js';

/** What must never be published, in the words of an error message. */
export type Secret = 'an OpenPGP secret key' | 'a private key' | 'a revocation certificate';

/** Bytes that can be read anywhere: a file, or memory. */
export interface Readable {
  readonly size: number;
  /** Fewer bytes than asked for only at the end. */
  readonly read: (position: number, length: number) => Buffer;
}

export function inMemory(bytes: Buffer): Readable {
  return { size: bytes.length, read: (position, length) => bytes.subarray(position, position + length) };
}

/** Enough for a header, and for the first octets of a signature. */
const GLANCE_BYTES = 16;
/** Headers are read in pieces of this size: a keyring may have very many packets. */
const PIECE_BYTES = 64 * 1024;
/** No public part of a key is longer. */
const BODY_BYTES = 64 * 1024;

const SECRET_TAGS: readonly number[] = [TAG.secretKey, TAG.secretSubkey];
const KEY_REVOCATION = 0x20;

/**
 * What a sequence of OpenPGP packets (RFC 9580 §4) holds: a secret key behind any number of other packets, or nothing but
 * revocations of keys. Null for anything else, and for what is no such sequence.
 */
export function secretInPackets(bytes: Readable): Secret | null {
  const glance = glancesAt(bytes);
  let isRevocation = bytes.size > 0;
  for (let at = 0; at < bytes.size;) {
    const head = glance(at);
    const header = readHeader(head);
    if (header === null || header.tag === 0 || at + header.start + header.length > bytes.size) return null;
    const start = at + header.start;
    if (SECRET_TAGS.includes(header.tag)) {
      if (isSecretKey(bytes.read(start, Math.min(header.length, BODY_BYTES)))) return 'an OpenPGP secret key';
    }
    isRevocation &&= header.tag === TAG.signature && isKeyRevocation(head.subarray(header.start));
    at = start + header.length;
  }
  return isRevocation ? 'a revocation certificate' : null;
}

function glancesAt({ size, read }: Readable): (at: number) => Buffer {
  let from = 0;
  let piece: Buffer = Buffer.alloc(0);
  return (at) => {
    const end = Math.min(size, at + GLANCE_BYTES);
    if (end > from + piece.length) {
      piece = read(at, PIECE_BYTES);
      from = at;
    }
    return piece.subarray(at - from, end - from);
  };
}

/** RFC 9580 §5.2: the type of a signature follows its version; in version 3, also the length of what is hashed. */
function isKeyRevocation(signature: Buffer): boolean {
  const [version = 0, second, third] = signature;
  return version === 3 ? third === KEY_REVOCATION : version > 3 && second === KEY_REVOCATION;
}

/** Public algorithm → how many numbers its public key has (RFC 9580 §5.5.5). */
const NUMBERS: Readonly<Record<number, number>> = { 1: 2, 2: 2, 3: 2, 16: 3, 17: 4, 20: 3 };
/** ECDH, ECDSA, EdDSA: a curve and a point; ECDH has parameters behind them. */
const ON_CURVES: readonly number[] = [18, 19, 22];
const ECDH = 18;
/** X25519, X448, Ed25519, Ed448: so many octets. */
const OCTETS: Readonly<Record<number, number>> = { 25: 32, 26: 56, 27: 32, 28: 57 };
/** How the secret part is protected: not, by a cipher of this number, or as the next octets say (RFC 9580 §3.7.2.1). */
const isUsage = (octet: number): boolean => octet <= 13 || octet >= 253;
/** The shortest secret part: an octet, and a checksum of two. */
const SECRET_BYTES = 3;

/** Whether the body of a packet really is a secret key: a header alone is a matter of luck in other files. */
function isSecretKey(body: Buffer): boolean {
  const version = body[0] ?? 0;
  if (version < 2 || version > 6) return false;
  // Versions 2 and 3 have a validity in days before the algorithm, 5 and 6 the length of the public part behind it.
  const algorithmAt = version < 4 ? 7 : 5;
  const start = algorithmAt + 1 + (version < 5 ? 0 : 4);
  const known = endOfPublic(body, start, body[algorithmAt] ?? 0);
  const end = known ?? (version < 5 || body.length < start ? null : start + body.readUInt32BE(start - 4));
  return end !== null && end + SECRET_BYTES <= body.length && isUsage(body[end] ?? 0);
}

/** Where the public part of a key ends; null if it is none of this algorithm. */
function endOfPublic(body: Buffer, start: number, algorithm: number): number | null {
  const octets = OCTETS[algorithm];
  if (octets !== undefined) return start + octets;
  if (!ON_CURVES.includes(algorithm)) return endOfNumbers(body, start, NUMBERS[algorithm] ?? 0);
  const curve = body[start] ?? 0;
  const end = curve === 0 || curve === 0xff ? null : endOfNumbers(body, start + 1 + curve, 1);
  return end === null || algorithm !== ECDH ? end : end + 1 + (body[end] ?? 0);
}

/** Numbers with their count of bits before them (RFC 9580 §3.2), of which the highest is set. */
function endOfNumbers(body: Buffer, start: number, count: number): number | null {
  let at = start;
  for (let index = 0; index < count; index += 1) {
    if (at + 3 > body.length) return null;
    const bits = body.readUInt16BE(at);
    const highest = (bits + 7) % 8;
    if (bits === 0 || (body[at + 2] ?? 0) >> highest !== 1) return null;
    at += 2 + Math.ceil(bits / 8);
  }
  return count === 0 || at > body.length ? null : at;
}
