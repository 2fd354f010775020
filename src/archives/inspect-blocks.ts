import { crc32 } from 'node:zlib';
import type { OpenFile } from './decompress.js';
import { damage, unseen } from './fault.js';
import { checkEnd } from './inspect-sizes.js';
import { readAt } from './read-at.js';

const MIB = 1024 * 1024;
const LZIP_HEADER_BYTES = 6;
const LZIP_TRAILER_BYTES = 20;

/** Checks that the members of an lzip file follow each other from its beginning to its end. Throws `damage` or `unseen`. */
export function checkLzip(file: OpenFile): undefined {
  if (readAt(file, 4, 1)[0] === 0) throw unseen('is a kind of lzip that packsign does not know');
  for (let end = file.size; end > 0;) {
    const trailer = readAt(file, Math.max(0, end - LZIP_TRAILER_BYTES), LZIP_TRAILER_BYTES);
    const bytes = trailer.length < LZIP_TRAILER_BYTES ? 0 : Number(trailer.readBigUInt64LE(12));
    const start = end - bytes;
    const isMember = bytes >= LZIP_HEADER_BYTES + LZIP_TRAILER_BYTES && start >= 0;
    if (!isMember || readAt(file, start, 4).toString('latin1') !== 'LZIP')
      throw damage('ends early, or its lzip data is damaged');
    end = start;
  }
}

const LZ4_FRAME = 0x184d2204;
const LZ4_LEGACY = 0x184c2102;
/** The last digit of this number may be any. */
const LZ4_SKIPPABLE = 0x184d2a50;
const LZ4_CUT = 'ends early: the rest of the lz4 data is missing';

/** Checks that the blocks of an lz4 file follow each other to its end, without unpacking them. Throws `damage` or `unseen`. */
export function checkLz4(file: OpenFile): undefined {
  for (let at = 0; at < file.size;) {
    const magic = lz4Number(file, at);
    if (magic === LZ4_LEGACY) throw unseen('is an lz4 file of the old kind');
    if (magic === LZ4_FRAME) at = lz4FrameEnd(file, at + 4);
    else if ((magic & ~15) >>> 0 === LZ4_SKIPPABLE) at += 8 + lz4Number(file, at + 4);
    else throw damage('has other data after the end of the lz4 data');
    checkEnd(file, at);
  }
}

function lz4FrameEnd(file: OpenFile, start: number): number {
  const flags = readAt(file, start, 1)[0] ?? 0;
  const has = (bit: number, bytes: number) => ((flags & bit) === 0 ? 0 : bytes);
  if (flags >> 6 !== 1) throw damage('a header in its lz4 data is damaged');
  // Two bytes of options and one of their checksum, with a size of the contents and the number of a dictionary.
  let at = start + 3 + has(8, 8) + has(1, 4);
  for (;;) {
    const size = lz4Number(file, at);
    at += 4;
    if (size === 0) return at + has(4, 4);
    // The highest bit marks a block that is stored as it is.
    at += (size & 0x7fffffff) + has(16, 4);
  }
}

function lz4Number(file: OpenFile, at: number): number {
  const bytes = readAt(file, at, 4);
  if (bytes.length < 4) throw damage(LZ4_CUT);
  return bytes.readUInt32LE(0);
}

const XZ_FOOTER_BYTES = 12;
const XZ_WINDOW_BYTES = 64 * 1024;
const XZ_CUT = 'ends early: the rest of the xz data is missing';

/** Checks the end of an xz file: its footer, and the index that it points to. Throws `damage`. */
export function checkXzEnd(file: OpenFile): void {
  const end = xzEnd(file);
  const footer = readAt(file, Math.max(0, end - XZ_FOOTER_BYTES), XZ_FOOTER_BYTES);
  if (footer.length < XZ_FOOTER_BYTES || footer.toString('latin1', 10) !== 'YZ') throw damage(XZ_CUT);
  if (crc32(footer.subarray(4, 10)) !== footer.readUInt32LE(0))
    throw damage('the end of its xz data is damaged');
  const indexBytes = (footer.readUInt32LE(4) + 1) * 4;
  const start = end - XZ_FOOTER_BYTES - indexBytes;
  if (start < XZ_FOOTER_BYTES || readAt(file, start, 1)[0] !== 0)
    throw damage('the end of its xz data is damaged');
  if (indexBytes > 64 * MIB) return;
  const index = readAt(file, start, indexBytes);
  if (crc32(index.subarray(0, -4)) !== index.readUInt32LE(indexBytes - 4))
    throw damage('the index of its xz data is damaged');
}

/** Where the last stream ends: padding in steps of four zeros may follow it. */
function xzEnd(file: OpenFile): number {
  for (let end = file.size; end > 0;) {
    const start = Math.max(0, end - XZ_WINDOW_BYTES);
    const last = readAt(file, start, end - start).findLastIndex((byte) => byte !== 0);
    if (last < 0) {
      end = start;
      continue;
    }
    const padding = Math.floor((file.size - start - last - 1) / 4) * 4;
    return file.size - padding;
  }
  return 0;
}
