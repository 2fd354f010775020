import type { MetadataReading } from '../model/metadata.js';
import { decompress, fileChunks } from './decompress.js';
import type { OpenFile } from './decompress.js';
import { readAt } from './read-at.js';
import { readingOf } from './reading.js';
import { MAGIC_BYTES, recognise } from './recognise.js';
import type { Contents, TarContents } from './recognise.js';
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
  const contents = recognise(readAt(file, start, Math.min(MAGIC_BYTES, end - start)));
  if (!isTar(contents)) return readingOf(null);
  const stored = fileChunks(file, start, Math.min(end, start + INPUT_LIMIT_BYTES));
  const reader = createTarReader(search);
  for await (const piece of contents === 'tar' ? stored : decompress(contents, stored)) {
    const reading = search.reading(reader.push(piece));
    if (reading !== null) return reading;
  }
  return search.reading(reader.finish()) ?? readingOf(null);
}

function isTar(contents: Contents): contents is TarContents {
  return !['zip', 'ar', 'rpm', 'compress', 'unknown'].includes(contents);
}
