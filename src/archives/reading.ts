import type { Metadata, MetadataReading } from '../model/metadata.js';

/** The result for what was found. */
export function readingOf(metadata: Metadata | null): MetadataReading {
  return metadata === null
    ? absent('no metadata with a name and a version in it')
    : { kind: 'found', metadata };
}

export function absent(reason: string): MetadataReading {
  return { kind: 'absent', reason };
}

/** Two programs would not agree on which of them counts. */
export function contested(count: number): MetadataReading {
  return absent(`${count} members claim to be its metadata`);
}
