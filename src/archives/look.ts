import { NOT_INSPECTED } from '../model/inspection.js';
import type { Inspect, Inspection } from '../model/inspection.js';
import type { MetadataReading } from '../model/metadata.js';
import type { OpenFile } from './decompress.js';
import { readMetadata, readMetadataFromHead } from './member.js';

/** What is wanted of a file's contents. */
export interface LookOptions {
  readonly metadata: boolean;
  readonly inspect: Inspect;
}

/** What a file's contents say. */
export interface Look {
  readonly reading: MetadataReading;
  readonly inspection: Inspection;
}

const NOT_READ: MetadataReading = { kind: 'absent', reason: 'not looked into' };
export const NO_LOOK: Look = { reading: NOT_READ, inspection: NOT_INSPECTED };

/**
 * Looks at a file's first bytes, or at all of them (`whole`). Null if they do not suffice: ask `look`, which otherwise
 * gives the same answer. The file name may be a path. Never throws.
 */
export function lookAtHead(
  fileName: string,
  head: Buffer,
  { whole, metadata, inspect }: LookOptions & { readonly whole: boolean },
): Look | null {
  if (!metadata && inspect === 'none') return NO_LOOK;
  const reading = metadata ? readMetadataFromHead(fileName, head, whole) : NOT_READ;
  return reading === null ? null : { reading, inspection: NOT_INSPECTED };
}

/**
 * Looks into a file as far as needed. The file stays open. Rejects only if the file itself cannot be read; for any
 * contents the metadata is at worst `absent`.
 */
export async function look(fileName: string, file: OpenFile, { metadata }: LookOptions): Promise<Look> {
  const reading = metadata ? await readMetadata(fileName, file) : NOT_READ;
  return { reading, inspection: NOT_INSPECTED };
}
