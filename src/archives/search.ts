import type { Metadata, MetadataReading } from '../model/metadata.js';
import { formatsOf, loadFormats, membersOf } from './formats.js';
import type { Container, Format } from './formats.js';
import { absent, contested, readingOf } from './reading.js';
import type { TarStep, TarVisitor } from './tar.js';

/** Looks for the metadata in a tar archive. */
export interface Search extends TarVisitor {
  /** The answer at this point of the archive; null while more must be read, or a library is not loaded. */
  readonly reading: (step: TarStep) => MetadataReading | null;
}

/** A search that loads the libraries that it may need. */
export async function searchFor(fileName: string, container: Container): Promise<Search> {
  return createSearch(fileName, await loadFormats(formatsOf(fileName, container)));
}

/** Finds the first member that is one of these formats' and has a usable name and version. */
export function createSearch(fileName: string, formats: readonly Format[]): Search {
  const rows = formats.map((format) => ({ ...format, member: membersOf(format, fileName) }));
  const rowOf = (path: string) => rows.find(({ member }) => member.test(path));
  let decided: Metadata | null = null;
  let remembered: Metadata | null = null;
  let isUndecided = false;
  let count = 0;
  const isContested = () => count > 1 && rows.some(({ isSole }) => isSole === true);
  return {
    wants: (path) => rowOf(path) !== undefined,
    found(path, bytes) {
      const row = rowOf(path);
      if (row?.parse == null) {
        isUndecided = true;
        return 'stop';
      }
      const metadata = row.parse(toBuffer(bytes), path);
      count += 1;
      if (metadata === null) return 'more';
      remembered ??= metadata;
      if (row.isSole === true || row.isSure?.(metadata, fileName) === false) return 'more';
      decided = metadata;
      return 'stop';
    },
    reading(step) {
      switch (step.kind) {
        case 'more':
          return null;
        case 'stopped':
          return isUndecided ? null : readingOf(decided);
        case 'end':
          return isContested() ? contested(count) : readingOf(remembered);
        case 'limit':
          return remembered === null || isContested() ? absent(step.reason) : readingOf(remembered);
        case 'damaged':
          return absent(`the archive is damaged: ${step.reason}`);
      }
    },
  };
}

/** The same bytes, for readers that use what a Buffer has. */
export function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
