import type { MetadataReading } from '../model/metadata.js';
import type { OpenFile } from './decompress.js';
import { formatsOf, membersOf } from './formats.js';
import { contested, readingOf } from './reading.js';
import { readTar } from './read-tar.js';
import { searchFor, toBuffer } from './search.js';
import { findInZip } from './zip.js';

/** Reads the metadata of a zip. Rejects if it is damaged. */
export async function readZip(fileName: string, file: OpenFile): Promise<MetadataReading> {
  const rows = formatsOf(fileName, 'zip').map((format) => ({
    ...format,
    paths: membersOf(format, fileName),
  }));
  const matches = await findInZip(file, (path) => rows.find(({ paths }) => paths.test(path)) ?? null);
  for (const row of rows) {
    const match = matches.get(row);
    if (match === undefined) continue;
    if (match.count > 1) return contested(match.count);
    const metadata = row.parse?.(toBuffer(await match.read()), match.path) ?? null;
    if (metadata !== null) return readingOf(metadata);
  }
  return readingOf(null);
}

/** Reads a conda package of format 2: its metadata is in an archive of its own. Rejects if it is damaged. */
export async function readConda(fileName: string, file: OpenFile): Promise<MetadataReading> {
  const matches = await findInZip(file, (path) => (/^info-[^/]+\.tar\.zst$/.test(path) ? 'info' : null));
  const match = matches.get('info');
  if (match === undefined) return readingOf(null);
  if (match.count > 1) return contested(match.count);
  return readTar({ file, ...(await match.place()) }, await searchFor(fileName, 'conda'));
}
