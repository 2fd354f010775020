import { NOT_READ, NO_LOOK } from '../model/inspection.js';
import type { Inspect, Inspection, Look } from '../model/inspection.js';
import type { MetadataReading } from '../model/metadata.js';
import { formatOf } from './contents.js';
import type { OpenFile } from './decompress.js';
import { inspectionOf } from './fault.js';
import { formatsOf } from './formats.js';
import { gunzipWhole } from './gzip.js';
import { checkContents, createContentsCheck, requireWhole } from './inspect-tar.js';
import { isStream, unpack } from './inspect-stream.js';
import type { StreamFormat } from './inspect-stream.js';
import { checkFormat, hasCheck, inspectBeginning, readBeginning } from './inspect.js';
import { HEAD_OUTPUT_BYTES, readMetadata, readMetadataFromHead } from './member.js';
import { absent, readingOf } from './reading.js';
import { createSearch, searchFor } from './search.js';
import { TEXT_BYTES } from './substitute.js';
import { createTarReader, NO_LIMITS } from './tar.js';
import type { TarVisitor } from './tar.js';

/** What to look for in a file. */
export interface LookOptions {
  readonly metadata: boolean;
  readonly inspect: Inspect;
}

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
  if (!whole && head.length < TEXT_BYTES) return null;
  const beginning = inspectBeginning(fileName, head, inspect);
  const readHead = () => (metadata ? readMetadataFromHead(fileName, head, whole) : NOT_READ);
  if (beginning.kind === 'answer') return withReading(readHead(), beginning.inspection);
  const { format } = beginning;
  if (inspect === 'whole' && whole && format === 'gzip') return lookIntoGzip(fileName, head, metadata);
  return hasCheck(format, inspect) ? null : withReading(readHead(), { kind: 'sound', inspect });
}

function withReading(reading: MetadataReading | null, inspection: Inspection): Look | null {
  return reading === null ? null : { reading, inspection };
}

/** Unpacks a small file once, for both. */
function lookIntoGzip(fileName: string, head: Buffer, metadata: boolean): Look | null {
  const readHead = () => (metadata ? readMetadataFromHead(fileName, head, true) : NOT_READ);
  try {
    const bytes = gunzipWhole(head, HEAD_OUTPUT_BYTES);
    if (bytes === null) return null;
    if (metadata && formatOf(bytes) === 'tar') return lookIntoTar(fileName, bytes);
    const inspection = inspectionFrom(() => checkContents(fileName, [bytes]));
    return withReading(readHead(), inspection);
  } catch (error) {
    return withReading(readHead(), inspectionOf(error));
  }
}

/** Reads a whole archive once, for both. It is too short to exceed the limits of a search. */
function lookIntoTar(fileName: string, bytes: Buffer): Look | null {
  const search = createSearch(fileName, formatsOf(fileName, 'tar'));
  const progress = { hasFound: false };
  const visitor: TarVisitor = {
    wants: (path) => !progress.hasFound && search.wants(path),
    found: (path, member) => {
      progress.hasFound = search.found(path, member) === 'stop';
      return 'more';
    },
  };
  const reader = createTarReader(visitor, NO_LIMITS);
  reader.push(bytes);
  const last = reader.finish();
  const reading = search.reading(progress.hasFound ? { kind: 'stopped' } : last);
  return withReading(
    reading,
    inspectionFrom(() => requireWhole(last)),
  );
}

function inspectionFrom(check: () => void): Inspection {
  try {
    check();
    return { kind: 'sound', inspect: 'whole' };
  } catch (error) {
    return inspectionOf(error);
  }
}

/**
 * Looks into a file as far as needed. The file stays open. Rejects only if the file itself cannot be read; for any
 * contents the metadata is at worst `absent`.
 */
export async function look(
  fileName: string,
  file: OpenFile,
  { metadata, inspect }: LookOptions,
): Promise<Look> {
  const beginning = inspectBeginning(fileName, readBeginning(file), inspect);
  if (metadata && inspect === 'whole' && beginning.kind === 'format' && isStream(beginning.format)) {
    return await lookThrough(fileName, file, beginning.format);
  }
  const reading = metadata ? await readMetadata(fileName, file) : NOT_READ;
  if (beginning.kind === 'answer') return { reading, inspection: beginning.inspection };
  try {
    await checkFormat(beginning.format, file, { fileName, inspect });
    return { reading, inspection: { kind: 'sound', inspect } };
  } catch (error) {
    return { reading, inspection: inspectionOf(error) };
  }
}

/** Unpacks a file once, for both. */
async function lookThrough(fileName: string, file: OpenFile, compression: StreamFormat): Promise<Look> {
  const search = await searchFor(fileName, 'tar');
  const tar = createTarReader(search);
  const check = createContentsCheck(fileName);
  let reading: MetadataReading | null = null;
  try {
    for await (const piece of unpack({ file, start: 0, end: file.size, compression })) {
      reading ??= search.reading(tar.push(piece));
      check.push(piece);
    }
    reading ??= search.reading(tar.finish());
    check.finish();
    return { reading: reading ?? readingOf(null), inspection: { kind: 'sound', inspect: 'whole' } };
  } catch (error) {
    const inspection = inspectionOf(error);
    const reason = inspection.kind === 'sound' ? '' : inspection.reason;
    return { reading: reading ?? absent(`the archive cannot be read: ${reason}`), inspection };
  }
}
