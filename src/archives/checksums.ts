import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** A checksum of bytes that come in pieces. */
export interface Checksum {
  readonly add: (bytes: Buffer) => void;
  /** As the xz format stores it. */
  readonly digest: () => Buffer;
}

export function startCrc32(): Checksum {
  let value = 0;
  return {
    add(bytes) {
      value = crc32(bytes, value);
    },
    digest() {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(value);
      return bytes;
    },
  };
}

export function startSha256(): Checksum {
  const hash = createHash('sha256');
  return { add: (bytes) => hash.update(bytes), digest: () => hash.digest() };
}

/** The polynomial of ECMA-182, lowest bit first, in two halves. */
const POLYNOMIAL_LOW = 0xd7870f42;
const POLYNOMIAL_HIGH = 0xc96c5795;
/** How many bytes are added in one step. */
const STEP = 4;

interface Crc64Tables {
  readonly low: Int32Array;
  readonly high: Int32Array;
}

let tables: Crc64Tables | null = null;

/** For each byte, and for each byte with up to three zero bytes behind it. */
function makeTables(): Crc64Tables {
  const low = new Int32Array(STEP * 256);
  const high = new Int32Array(STEP * 256);
  for (let at = 0; at < STEP * 256; at += 1) {
    let l = at < 256 ? at : (low[at - 256] ?? 0);
    let h = at < 256 ? 0 : (high[at - 256] ?? 0);
    for (let bit = 0; bit < 8; bit += 1) {
      const isOdd = (l & 1) === 1;
      l = (l >>> 1) | (h << 31);
      h >>>= 1;
      if (!isOdd) continue;
      l ^= POLYNOMIAL_LOW;
      h ^= POLYNOMIAL_HIGH;
    }
    low[at] = l;
    high[at] = h;
  }
  return { low, high };
}

export function startCrc64(): Checksum {
  const { low, high } = (tables ??= makeTables());
  let l = -1;
  let h = -1;
  return {
    add(bytes) {
      let at = 0;
      for (const end = bytes.length - STEP; at <= end; at += STEP) {
        const word =
          l ^
          ((bytes[at] ?? 0) |
            ((bytes[at + 1] ?? 0) << 8) |
            ((bytes[at + 2] ?? 0) << 16) |
            ((bytes[at + 3] ?? 0) << 24));
        const [a, b] = [(word & 0xff) + 768, ((word >>> 8) & 0xff) + 512];
        const [c, d] = [((word >>> 16) & 0xff) + 256, word >>> 24];
        l = h ^ (low[a] ?? 0) ^ (low[b] ?? 0) ^ (low[c] ?? 0) ^ (low[d] ?? 0);
        h = (high[a] ?? 0) ^ (high[b] ?? 0) ^ (high[c] ?? 0) ^ (high[d] ?? 0);
      }
      for (; at < bytes.length; at += 1) {
        const index = (l ^ (bytes[at] ?? 0)) & 0xff;
        l = ((l >>> 8) | (h << 24)) ^ (low[index] ?? 0);
        h = (h >>> 8) ^ (high[index] ?? 0);
      }
    },
    digest() {
      const bytes = Buffer.alloc(8);
      bytes.writeInt32LE(~l, 0);
      bytes.writeInt32LE(~h, 4);
      return bytes;
    },
  };
}
