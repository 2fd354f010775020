import { crc32 } from 'node:zlib';
import type { OpenFile } from './decompress.js';
import { damage } from './fault.js';
import { readAt } from './read-at.js';

const MIB = 1024 * 1024;
const HEADER_LIMIT_BYTES = 64 * MIB;
const SEVEN_ZIP_BYTES = 32;
const NUMBER_BYTES = 8;

/** Says how much is missing, in a unit that suits. */
function missing(bytes: number): string {
  if (bytes < 1024) return `ends early: the last ${bytes} bytes are missing`;
  const [unit, size] = bytes < MIB ? ['kB', 1000] : ['MB', 1e6];
  return `ends early: the last ${Math.ceil(bytes / size)} ${unit} are missing`;
}

/** Throws `damage` if the file ends before that place. */
export function checkEnd(file: OpenFile, end: number): void {
  if (file.size < end) throw damage(missing(end - file.size));
}

/** Checks the header of a 7z file, and the one at its end (7zFormat.txt of the LZMA SDK). Throws `damage`. */
export function check7z(file: OpenFile): undefined {
  const start = readAt(file, 0, SEVEN_ZIP_BYTES);
  if (start.length < SEVEN_ZIP_BYTES) throw damage('ends early: even its header is not whole');
  if (crc32(start.subarray(12)) !== start.readUInt32LE(8)) throw damage('its header is damaged');
  const [offset, bytes] = [Number(start.readBigUInt64LE(12)), Number(start.readBigUInt64LE(20))];
  const at = SEVEN_ZIP_BYTES + offset;
  checkEnd(file, at + bytes);
  if (file.size > at + bytes) throw damage('has other data after its end');
  if (bytes > HEADER_LIMIT_BYTES) return;
  if (crc32(readAt(file, at, bytes)) !== start.readUInt32LE(28))
    throw damage('the header at its end is damaged');
}

/** A cabinet says how long it is; signatures follow it. Throws `damage`. */
export function checkCabinet(file: OpenFile): undefined {
  const header = readAt(file, 0, 12);
  if (header.length < 12) throw damage('ends early: even its header is not whole');
  // InstallShield has a format of its own under this name.
  if (header.toString('latin1', 0, 4) === 'MSCF') checkEnd(file, header.readUInt32LE(8));
}

/** An image of squashfs says how long it is; padding follows it. Throws `damage`. */
export function checkSquashfs(file: OpenFile): undefined {
  const header = readAt(file, 40, NUMBER_BYTES);
  const isLittle = readAt(file, 0, 4).toString('latin1') === 'hsqs';
  if (header.length < NUMBER_BYTES) throw damage('ends early: even its header is not whole');
  if (isLittle) checkEnd(file, Number(header.readBigUInt64LE(0)));
}
