import type { Compression } from './decompress.js';
import { isTarHeader } from './tar.js';

/** What a tar archive may be in: a compression, or nothing. */
export type TarContents = Exclude<Compression, 'deflate'> | 'tar';

/** The format of a file. */
export type Contents = TarContents | 'zip' | 'ar' | 'rpm' | 'compress' | 'unknown';

/** Enough of a file to recognise its contents. */
export const MAGIC_BYTES = 512;

/** The format of the bytes, regardless of the file's name. */
export function recognise(head: Buffer): Contents {
  // Most archives.
  if (head[0] === 0x1f && head[1] === 0x8b && head[2] === 8) return 'gzip';
  const start = head.toString('hex', 0, 10);
  if (start.startsWith('1f9d')) return 'compress';
  if (start.startsWith('fd377a585a00')) return 'xz';
  if (/^(?:28b52ffd|5.2a4d18)/.test(start)) return 'zstd';
  if (/^504b0(?:304|506)/.test(start)) return 'zip';
  if (start.startsWith('213c617263683e0a')) return 'ar';
  if (start.startsWith('edabeedb')) return 'rpm';
  // The level, then a block or the end of an empty file: a tar may begin with a member called BZh9.
  if (/^425a683[1-9](?:314159265359|177245385090)/.test(start)) return 'bzip2';
  return isTarHeader(head, 0) ? 'tar' : 'unknown';
}
