import type { Origin } from './origin.js';
import { malformed } from './origin.js';

/** One OpenPGP packet: its type number and its body, without the header. */
export interface Packet {
  readonly tag: number;
  readonly body: Uint8Array;
}

/** Packet types of RFC 9580 §5 that packsign meets. */
export const TAG = {
  signature: 2,
  secretKey: 5,
  publicKey: 6,
  secretSubkey: 7,
  marker: 10,
  trust: 12,
  userId: 13,
  publicSubkey: 14,
  userAttribute: 17,
  padding: 21,
} as const;

interface Header {
  readonly tag: number;
  readonly start: number;
  readonly length: number;
}

/**
 * Cuts a binary sequence into its packets, all of them: OpenPGP.js skips those it does not know, which
 * would hide from the caller what a file really holds.
 *
 * @throws {PacksignError} the origin's code: no packet at all, a truncated one, or a partial or indeterminate length.
 */
export function splitPackets(binary: Uint8Array, origin: Origin): readonly Packet[] {
  const packets: Packet[] = [];
  let at = 0;
  while (at < binary.length) {
    const header = readHeader(binary, at);
    if (header === null || header.start + header.length > binary.length) {
      throw malformed(origin, `is not a sequence of OpenPGP packets (byte ${at})`);
    }
    at = header.start + header.length;
    packets.push({ tag: header.tag, body: binary.subarray(header.start, at) });
  }
  if (packets.length === 0) throw malformed(origin, 'is empty');
  return packets;
}

/** The packets one after the other, each with the header that has only one form: new, shortest length. */
export function joinPackets(packets: readonly Packet[]): Uint8Array {
  return Buffer.concat(
    packets.flatMap(({ tag, body }) => [Buffer.from([0xc0 | tag, ...newLength(body.length)]), body]),
  );
}

function readHeader(binary: Uint8Array, at: number): Header | null {
  const first = binary[at] ?? 0;
  if ((first & 0x80) === 0) return null;
  return (first & 0x40) === 0 ? readOldHeader(binary, at) : readNewHeader(binary, at);
}

function readOldHeader(binary: Uint8Array, at: number): Header | null {
  const first = binary[at] ?? 0;
  const lengthType = first & 0x03;
  if (lengthType === 3) return null; // of indeterminate length
  const octets = 1 << lengthType;
  return header((first >> 2) & 0x0f, { at: at + 1, octets, binary });
}

function readNewHeader(binary: Uint8Array, at: number): Header | null {
  const tag = (binary[at] ?? 0) & 0x3f;
  const first = binary[at + 1];
  if (first === undefined) return null;
  if (first < 192) return { tag, start: at + 2, length: first };
  if (first < 224) {
    const second = binary[at + 2];
    return second === undefined ? null : { tag, start: at + 3, length: ((first - 192) << 8) + second + 192 };
  }
  if (first < 255) return null; // a partial length
  return header(tag, { at: at + 2, octets: 4, binary });
}

interface LengthField {
  readonly binary: Uint8Array;
  readonly at: number;
  readonly octets: number;
}

function header(tag: number, { binary, at, octets }: LengthField): Header | null {
  const field = binary.subarray(at, at + octets);
  if (field.length < octets) return null;
  const length = field.reduce((sum, octet) => sum * 256 + octet, 0);
  return { tag, start: at + octets, length };
}

function newLength(length: number): readonly number[] {
  if (length < 192) return [length];
  if (length < 8384) return [((length - 192) >> 8) + 192, (length - 192) & 0xff];
  return [0xff, (length >>> 24) & 0xff, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff];
}
