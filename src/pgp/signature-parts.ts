import type { Packet } from './packets.js';
import { TAG } from './packets.js';

/** Subpacket types of RFC 9580 §5.2.3.7 that packsign reads itself. */
export const SUBPACKET = {
  created: 2,
  revocationKey: 12,
  issuer: 16,
  embeddedSignature: 32,
  issuerFingerprint: 33,
  /** A key block, as GnuPG's --include-key-block writes it: a zero, then the packets of the key that signed. */
  keyBlock: 38,
} as const;

export interface Subpacket {
  readonly type: number;
  readonly body: Uint8Array;
}

/** A version 4 signature packet (RFC 9580 §5.2.3), split into what it signs and what anybody can change. */
export interface SignatureParts {
  readonly type: number;
  readonly keyAlgorithm: number;
  readonly hashAlgorithm: number;
  /** From the version to the end of the hashed area: what it signs beside its subject. */
  readonly signed: Uint8Array;
  /** Names this statement: equal for all copies of it. */
  readonly name: string;
  readonly hashed: readonly Subpacket[];
  /** Unsigned: take nothing from it that does not prove itself. Up to where it can be read. */
  readonly unhashed: readonly Subpacket[];
  /** The left 16 bits of the digest, then the numbers of the signature. */
  readonly rest: Uint8Array;
}

/** Null for other versions, and for packets whose parts do not fit. */
export function partsOf({ tag, body }: Packet): SignatureParts | null {
  if (tag !== TAG.signature || body[0] !== 4) return null;
  const hashed = areaAt(body, 4);
  const unhashed = hashed === null ? null : areaAt(body, hashed.end);
  if (hashed === null || unhashed === null || unhashed.end + 2 > body.length) return null;
  const signed = body.subarray(0, hashed.end);
  return {
    type: body[1] ?? 0,
    keyAlgorithm: body[2] ?? 0,
    hashAlgorithm: body[3] ?? 0,
    signed,
    name: Buffer.from(signed).toString('latin1'),
    hashed: subpacketsOf(hashed.bytes),
    unhashed: subpacketsOf(unhashed.bytes),
    rest: body.subarray(unhashed.end),
  };
}

/** The packet of a signature with this unhashed area, its numbers in their one right encoding. */
export function packetWith(
  { signed, rest }: Pick<SignatureParts, 'signed' | 'rest'>,
  unhashed: readonly Subpacket[],
): Packet {
  const area = Buffer.concat(unhashed.map(encodeSubpacket));
  const body = Buffer.concat([signed, uint16(area.length), area, rest.subarray(0, 2), plainNumbers(rest)]);
  return { tag: TAG.signature, body };
}

/** The bodies of all subpackets of a type. */
export function bodiesOf(subpackets: readonly Subpacket[], type: number): readonly Uint8Array[] {
  return subpackets.filter((subpacket) => subpacket.type === type).map(({ body }) => body);
}

/** Key ids, 16 upper-case hex digits, that an area names as issuer. */
export function issuersIn(subpackets: readonly Subpacket[]): readonly string[] {
  const ids = bodiesOf(subpackets, SUBPACKET.issuer).filter(({ length }) => length === 8);
  return [...ids.map(hex), ...fingerprintsIn(subpackets).map((fingerprint) => fingerprint.slice(-16))];
}

/** Fingerprints of version 4 keys, 40 upper-case hex digits, that an area names as issuer. */
export function fingerprintsIn(subpackets: readonly Subpacket[]): readonly string[] {
  const bodies = bodiesOf(subpackets, SUBPACKET.issuerFingerprint);
  return bodies.filter((body) => body[0] === 4 && body.length === 21).map((body) => hex(body.subarray(1)));
}

/** The creation time in the hashed area; null if there is none. */
export function createdIn({ hashed }: SignatureParts): Date | null {
  const time = bodiesOf(hashed, SUBPACKET.created).at(-1);
  return time?.length === 4 ? new Date(Buffer.from(time).readUInt32BE(0) * 1000) : null;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').toUpperCase();
}

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}

function areaAt(body: Uint8Array, at: number): { readonly bytes: Uint8Array; readonly end: number } | null {
  if (at + 2 > body.length) return null;
  const end = at + 2 + ((body[at] ?? 0) << 8) + (body[at + 1] ?? 0);
  return end > body.length ? null : { bytes: body.subarray(at + 2, end), end };
}

/** Stops where a length does not fit. */
function subpacketsOf(area: Uint8Array): readonly Subpacket[] {
  const subpackets: Subpacket[] = [];
  for (let at = 0; at < area.length;) {
    const { start, length } = lengthAt(area, at);
    const end = start + length;
    if (length === 0 || end > area.length) break;
    subpackets.push({ type: (area[start] ?? 0) & 0x7f, body: area.subarray(start + 1, end) });
    at = end;
  }
  return subpackets;
}

/** RFC 9580 §5.2.3.7: one, two or five octets. */
function lengthAt(area: Uint8Array, at: number): { readonly start: number; readonly length: number } {
  const [first = 0, second = 0] = area.subarray(at, at + 2);
  if (first < 192) return { start: at + 1, length: first };
  if (first < 255) return { start: at + 2, length: ((first - 192) << 8) + second + 192 };
  const field = area.subarray(at + 1, at + 5);
  return { start: at + 5, length: field.reduce((sum, octet) => sum * 256 + octet, 0) };
}

function encodeSubpacket({ type, body }: Subpacket): Uint8Array {
  const length = body.length + 1;
  const header =
    length < 192
      ? [length]
      : length < 16_320
        ? [((length - 192) >> 8) + 192, (length - 192) & 0xff]
        : [0xff, 0, 0, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(...header, type), body]);
}

/** Numbers without leading zeros and with their true count of bits (RFC 9580 §3.2); others unchanged. */
function plainNumbers(rest: Uint8Array): Uint8Array {
  const numbers: Uint8Array[] = [];
  for (let at = 2; at < rest.length;) {
    const end = at + 2 + ((((rest[at] ?? 0) << 8) + (rest[at + 1] ?? 0) + 7) >> 3);
    if (end > rest.length) return rest.subarray(2);
    const octets = rest.subarray(at + 2, end);
    const first = octets.findIndex((octet) => octet !== 0);
    const plain = first === -1 ? octets.subarray(0, 0) : octets.subarray(first);
    const bits = plain.length === 0 ? 0 : plain.length * 8 - Math.clz32(plain[0] ?? 0) + 24;
    numbers.push(uint16(bits), plain);
    at = end;
  }
  return Buffer.concat(numbers);
}
