import type { MetadataReading } from '../model/metadata.js';
import { MAGIC_BYTES, formatOf } from './contents.js';
import type { Format } from './contents.js';
import { decompress, fileChunks } from './decompress.js';
import type { OpenFile } from './decompress.js';
import { isStream } from './inspect-stream.js';
import type { StreamFormat } from './inspect-stream.js';
import { readAt } from './read-at.js';
import { readingOf } from './reading.js';
import type { Search } from './search.js';
import { createTarReader, READ_LIMIT_BYTES } from './tar.js';

/** Compression makes nothing much longer: this much input unpacks to 64 MiB, if there is so much. */
const INPUT_LIMIT_BYTES = READ_LIMIT_BYTES + 2 * 1024 * 1024;

/** A part of a file. */
export interface FilePart {
  readonly file: OpenFile;
  readonly start: number;
  readonly end: number;
}

/** Searches the tar archive that a part of a file is, compressed or not. Rejects if it cannot be decompressed. */
export async function readTar(part: FilePart, search: Search): Promise<MetadataReading> {
  const { file, start, end } = part;
  const format = formatOf(readAt(file, start, Math.min(MAGIC_BYTES, end - start)));
  if (!isTar(format)) return readingOf(null);
  const stored = fileChunks(file, start, Math.min(end, start + INPUT_LIMIT_BYTES));
  const reader = createTarReader(search);
  for await (const piece of format === 'tar' ? stored : decompress(format, stored)) {
    const reading = search.reading(reader.push(piece));
    if (reading !== null) return reading;
  }
  return search.reading(reader.finish()) ?? readingOf(null);
}

/** Whether a file is a tar archive, or in a compression that may hold one. */
export function isTar(format: Format | null): format is 'tar' | StreamFormat {
  return format !== null && (format === 'tar' || isStream(format));
}
