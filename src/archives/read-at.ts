import type { OpenFile } from './decompress.js';

/** The bytes from `at` on: as many as asked for, fewer only at the end of the file. Throws what reading throws. */
export function readAt(file: OpenFile, at: number, length: number): Buffer {
  const buffer = Buffer.alloc(Math.max(0, Math.min(length, file.size - at)));
  let filled = 0;
  while (filled < buffer.length) {
    const bytes = file.read(buffer.subarray(filled), at + filled);
    if (bytes === 0) break;
    filled += bytes;
  }
  return buffer.subarray(0, filled);
}
