import type { Origin } from './origin.js';
import { malformed } from './origin.js';

export type ArmorKind = 'SIGNATURE' | 'PUBLIC KEY BLOCK' | 'PRIVATE KEY BLOCK';

/** With trailing white space. The lookbehind keeps it from trying every suffix of a long run of spaces. */
const LINE_END = /(?<![ \t\r])[ \t\r]*\n/;
const BEGIN = /^-----BEGIN PGP ([A-Z0-9 ,/]+)-----$/;
const HEADER = /^[A-Za-z0-9-]+: ?.*$/;
const CHECKSUM = /^=[A-Za-z0-9+/]{4}$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Whether bytes are binary OpenPGP: every packet begins with an octet whose top bit is set, and text does not. */
export function isBinary(bytes: Uint8Array): boolean {
  return ((bytes[0] ?? 0) & 0x80) !== 0 && bytes[0] !== 0xef;
}

/**
 * The content of the one armor block of a file (docs/FORMAT.md §7, threat T2). Only white space may surround it:
 * OpenPGP.js skips text before and after, and some tools drop a second block that others read. Ignores the
 * checksum, as RFC 9580 §6.1 requires.
 *
 * @throws {PacksignError} the origin's code: not armor, another kind of block, anything beside the block.
 */
export function dearmorOnly(bytes: Uint8Array, kind: ArmorKind, origin: Origin): Uint8Array {
  const lines = Buffer.from(bytes).toString('latin1').trim().split(LINE_END);
  const found = BEGIN.exec(lines[0] ?? '')?.[1];
  if (found === undefined) throw malformed(origin, `does not begin with -----BEGIN PGP ${kind}-----`);
  if (found !== kind) throw malformed(origin, `holds a PGP ${found}, expected a PGP ${kind}`);

  const end = lines.indexOf(`-----END PGP ${kind}-----`);
  if (end === -1) throw malformed(origin, `has no line -----END PGP ${kind}-----`);
  if (end !== lines.length - 1) throw malformed(origin, 'holds more than one armor block');
  const blank = lines.indexOf('');
  if (blank === -1 || blank > end || !lines.slice(1, blank).every((line) => HEADER.test(line))) {
    throw malformed(origin, 'has armor headers that do not end with an empty line');
  }
  const body = lines.slice(blank + 1, end);
  if (CHECKSUM.test(body.at(-1) ?? '')) body.pop();
  const base64 = body.join('');
  if (base64 === '' || !BASE64.test(base64)) throw malformed(origin, 'has damaged armor');
  return Buffer.from(base64, 'base64');
}

/**
 * One armor block around packets, without header lines: the same packets give the same bytes. With a checksum, because
 * older GnuPG misreads a block without one if its base64 needs no padding.
 */
export function encodeArmor(binary: Uint8Array, kind: ArmorKind): Uint8Array {
  const base64 = Buffer.from(binary).toString('base64');
  const lines = base64.match(/.{1,64}/g) ?? [];
  const checksum = Buffer.from(crc24(binary)).toString('base64');
  return Buffer.from(
    [`-----BEGIN PGP ${kind}-----`, '', ...lines, `=${checksum}`, `-----END PGP ${kind}-----`, ''].join('\n'),
  );
}

/** RFC 9580 §6.1.1. */
function crc24(bytes: Uint8Array): readonly number[] {
  let crc = 0xb704ce;
  for (const octet of bytes) {
    crc ^= octet << 16;
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1;
      if ((crc & 0x1000000) !== 0) crc ^= 0x1864cfb;
    }
  }
  return [(crc >> 16) & 0xff, (crc >> 8) & 0xff, crc & 0xff];
}
