import type { Origin } from './origin.js';
import { malformed } from './origin.js';

/** One OpenPGP packet: its type number and its body, without the header. */
export interface Packet {
  readonly tag: number;
  readonly body: Uint8Array;
}

/** Packet types of RFC 9580 §5 that packsign uses. */
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

/** The most packets in a file: so many small ones take a second to split (threat T29). */
const PACKET_LIMIT = 50_000;

interface Header {
  readonly tag: number;
  /** Where the body begins, from the header on. */
  readonly start: number;
  readonly length: number;
}

/**
 * Splits a binary sequence into all its packets. OpenPGP.js skips those it does not know, which would hide what a file
 * really holds.
 *
 * @throws {PacksignError} the origin's code: no packet at all, a truncated one, a partial or indeterminate length,
 * or more than 50,000.
 */
export function splitPackets(binary: Uint8Array, origin: Origin): readonly Packet[] {
  const packets: Packet[] = [];
  let at = 0;
  while (at < binary.length) {
    const header = readHeader(binary.subarray(at));
    const start = at + (header?.start ?? 0);
    if (header === null || start + header.length > binary.length) {
      throw malformed(origin, `is not a sequence of OpenPGP packets (byte ${at})`);
    }
    at = start + header.length;
    if (packets.length === PACKET_LIMIT) throw malformed(origin, `holds more than ${PACKET_LIMIT} packets`);
    packets.push({ tag: header.tag, body: binary.subarray(start, at) });
  }
  if (packets.length === 0) throw malformed(origin, 'is empty');
  return packets;
}

/** The packets one after the other, with headers of the new format and the shortest length. */
export function joinPackets(packets: readonly Packet[]): Uint8Array {
  return Buffer.concat(
    packets.flatMap(({ tag, body }) => [Buffer.from([0xc0 | tag, ...newLength(body.length)]), body]),
  );
}

/** The header of the packet that begins here; null if there is none, or its length is partial or indeterminate. */
export function readHeader(bytes: Uint8Array): Header | null {
  const first = bytes[0] ?? 0;
  if ((first & 0x80) === 0) return null;
  return (first & 0x40) === 0 ? readOldHeader(first, bytes) : readNewHeader(first & 0x3f, bytes);
}

function readOldHeader(first: number, bytes: Uint8Array): Header | null {
  const lengthType = first & 0x03;
  if (lengthType === 3) return null; // indeterminate length
  return header((first >> 2) & 0x0f, bytes, { at: 1, octets: 1 << lengthType });
}

function readNewHeader(tag: number, bytes: Uint8Array): Header | null {
  const [, first, second] = bytes;
  if (first === undefined) return null;
  if (first < 192) return { tag, start: 2, length: first };
  if (first < 224) {
    return second === undefined ? null : { tag, start: 3, length: ((first - 192) << 8) + second + 192 };
  }
  if (first < 255) return null; // partial length
  return header(tag, bytes, { at: 2, octets: 4 });
}

function header(
  tag: number,
  bytes: Uint8Array,
  { at, octets }: { readonly at: number; readonly octets: number },
): Header | null {
  const field = bytes.subarray(at, at + octets);
  if (field.length < octets) return null;
  return { tag, start: at + octets, length: field.reduce((sum, octet) => sum * 256 + octet, 0) };
}

function newLength(length: number): readonly number[] {
  if (length < 192) return [length];
  if (length < 8384) return [((length - 192) >> 8) + 192, (length - 192) & 0xff];
  return [0xff, (length >>> 24) & 0xff, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff];
}
