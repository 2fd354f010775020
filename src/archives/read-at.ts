import { readSync } from 'node:fs';
import type { OpenFile } from './decompress.js';

/** The bytes from `at` on: as many as asked for, fewer only at the end of the file. Throws what `readSync` throws. */
export function readAt(file: OpenFile, at: number, length: number): Buffer {
  const buffer = Buffer.alloc(Math.max(0, Math.min(length, file.size - at)));
  let filled = 0;
  while (filled < buffer.length) {
    const bytes = readSync(file.fd, buffer, filled, buffer.length - filled, at + filled);
    if (bytes === 0) break;
    filled += bytes;
  }
  return buffer.subarray(0, filled);
}
