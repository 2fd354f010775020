import type { MetadataReading } from '../model/metadata.js';
import { arMembers } from './ar.js';
import type { OpenFile } from './decompress.js';
import { readingOf } from './reading.js';
import { readTar } from './read-tar.js';
import { searchFor } from './search.js';

/**
 * Reads a Debian package (deb(5)). Its control archive is that of dpkg: the first member behind `debian-binary` whose
 * name does not begin with `_`. Rejects if the structure before it is broken.
 */
export async function readDebian(fileName: string, file: OpenFile): Promise<MetadataReading> {
  const members = arMembers(file);
  const first = members.next();
  if (first.done === true || first.value.name !== 'debian-binary') return readingOf(null);
  for (const { name, start, size } of members) {
    if (name.startsWith('_')) continue;
    return name.startsWith('control.tar')
      ? readTar({ file, start, end: start + size }, await searchFor(fileName, 'deb'))
      : readingOf(null);
  }
  return readingOf(null);
}
