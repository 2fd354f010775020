import { constants, gunzipSync } from 'node:zlib';
import type { MetadataReading } from '../model/metadata.js';
import { MAGIC_BYTES, formatOf } from './contents.js';
import type { Format } from './contents.js';
import type { OpenFile } from './decompress.js';
import { formatsOf } from './formats.js';
import { describeRpm } from './metadata-rpm.js';
import { readAt } from './read-at.js';
import { absent, readingOf } from './reading.js';
import { readDebian } from './read-debian.js';
import { isTar, readTar } from './read-tar.js';
import { readRpm } from './rpm.js';
import { createSearch, searchFor } from './search.js';
import { createTarReader } from './tar.js';

/** Formats that are read from several places of the file. */
const NEEDS_FILE: readonly (Format | null)[] = ['zip', 'ar', 'rpm'];
/** How much of a head is unpacked first. */
const START_BYTES = 16 * 1024;
/** Heads that unpack to more than this are left to who reads the file. */
export const HEAD_OUTPUT_BYTES = 8 * 1024 * 1024;

/**
 * Reads an archive's metadata from its first bytes, or from all of them (`whole`). Null if they do not suffice: ask
 * `readMetadata`, which otherwise gives the same answer. The file name may be a path. Never throws.
 */
export function readMetadataFromHead(fileName: string, head: Buffer, whole: boolean): MetadataReading | null {
  if (!whole && head.length < MAGIC_BYTES) return null;
  const format = formatOf(head);
  if (format === 'tar') return readTarHead(fileName, head, whole);
  if (format !== 'gzip') return isTar(format) || NEEDS_FILE.includes(format) ? null : unreadable(format);
  // Metadata is usually near the start; unpacking all of a long head costs a hundred times as much.
  const start = head.length > START_BYTES ? head.subarray(0, START_BYTES) : null;
  const found = start === null ? null : readGzipHead(fileName, start, false);
  return found ?? readGzipHead(fileName, head, whole);
}

/**
 * Reads an archive's metadata, as far into the file as needed. The file stays open. Rejects only if the file itself
 * cannot be read; for any contents the metadata is at worst `absent`.
 */
export async function readMetadata(fileName: string, file: OpenFile): Promise<MetadataReading> {
  try {
    return await readContents(fileName, file);
  } catch (error) {
    if (error instanceof Error && 'syscall' in error && error.syscall === 'read') throw error;
    return absent(`the archive cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function readContents(fileName: string, file: OpenFile): Promise<MetadataReading> {
  const format = formatOf(readAt(file, 0, MAGIC_BYTES));
  if (isTar(format)) return readTar({ file, start: 0, end: file.size }, await searchFor(fileName, 'tar'));
  switch (format) {
    case 'rpm':
      return readingOf(describeRpm(readRpm(file)));
    case 'ar':
      return readDebian(fileName, file);
    case 'zip': {
      // Load it only for zips.
      const { readConda, readZip } = await import('./read-zip.js');
      return /\.conda$/i.test(fileName) ? readConda(fileName, file) : readZip(fileName, file);
    }
    default:
      return unreadable(format);
  }
}

function unreadable(format: Format | null): MetadataReading {
  return absent(
    format === 'compress' ? 'packsign does not read compress(1)' : 'not an archive of a known kind',
  );
}

function readGzipHead(fileName: string, head: Buffer, whole: boolean): MetadataReading | null {
  const bytes = inflateHead(head, whole);
  // Never `whole`: `readMetadata` decides on a gzip file that is cut short.
  return bytes === null ? null : readTarHead(fileName, bytes, false);
}

function readTarHead(fileName: string, bytes: Buffer, whole: boolean): MetadataReading | null {
  const search = createSearch(fileName, formatsOf(fileName, 'tar'));
  const reader = createTarReader(search);
  const step = reader.push(bytes);
  return search.reading(whole ? reader.finish() : step);
}

/** Unpacks the head. Null if it is damaged (metadata may precede the damage) or unpacks to too much. */
function inflateHead(head: Buffer, whole: boolean): Buffer | null {
  // A gzip file ends with the length of its contents: use one buffer of that size.
  const length = whole && head.length >= 18 ? head.readUInt32LE(head.length - 4) + 1 : head.length * 4;
  try {
    return gunzipSync(head, {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: HEAD_OUTPUT_BYTES,
      chunkSize: Math.min(Math.max(length, 1024), 256 * 1024),
    });
  } catch {
    return null;
  }
}
