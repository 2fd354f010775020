import { gunzipSync } from 'node:zlib';
import type { Gunzip } from 'node:zlib';
import { damage } from './fault.js';

/** What a gzip file in memory unpacks to; null if that is more than `limitBytes`. Throws `damage`. */
export function gunzipWhole(bytes: Buffer, limitBytes: number): Buffer | null {
  // A gzip file ends with the length of its contents: use one buffer of that size.
  const length = bytes.length >= 18 ? bytes.readUInt32LE(bytes.length - 4) + 1 : 1024;
  const chunkSize = Math.min(Math.max(length, 1024), 256 * 1024);
  try {
    const options = { maxOutputLength: limitBytes, chunkSize, info: true };
    const { buffer, engine } = gunzipSync(bytes, options) as unknown as { buffer: Buffer; engine: Gunzip };
    checkPadding(bytes.subarray(engine.bytesWritten));
    return buffer;
  } catch (error) {
    if (codeOf(error) === 'ERR_BUFFER_TOO_LARGE') return null;
    throw gzipFault(error);
  }
}

/** Some programs fill the last block of a tape or disk with zeros. */
export function checkPadding(rest: Buffer): void {
  if (rest.some((byte) => byte !== 0)) throw damage('has other data after the end of the gzip data');
}

/** What an error of zlib says about a gzip file. */
export function gzipFault(error: unknown): unknown {
  const code = codeOf(error);
  const text = error instanceof Error ? error.message : '';
  if (code === 'Z_BUF_ERROR') return damage('ends early: the rest of the gzip data is missing');
  if (code !== 'Z_DATA_ERROR') return error;
  if (/data check|length check/.test(text)) return damage('its contents do not match their checksum');
  if (text.includes('incorrect header check')) return damage('has other data after the end of the gzip data');
  return damage('its gzip data is damaged');
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null;
}
