import { RandomAccessReader, fromRandomAccessReaderPromise } from 'yauzl';
import type { Entry, ZipFile } from 'yauzl';
import { decompress, fileChunks } from './decompress.js';
import type { OpenFile } from './decompress.js';
import { MEMBER_COUNT_LIMIT, MEMBER_LIMIT_BYTES, READ_LIMIT_BYTES } from './tar.js';

const WINDOW_BYTES = 64 * 1024;

/** Where a member's bytes lie in the file. */
export interface ZipPlace {
  readonly start: number;
  readonly end: number;
}

/** The members of one kind: how many there are, and the first of them. */
export interface ZipMatch {
  readonly count: number;
  readonly path: string;
  /** Where the contents of the first member are. Rejects if they are compressed or encrypted. */
  readonly place: () => Promise<ZipPlace>;
  /** Reads the first `MEMBER_LIMIT_BYTES` of the first member's contents. */
  readonly read: () => Promise<Uint8Array>;
}

/**
 * Finds members that are regular files in the whole central directory of a zip. `kindOf` gives the kind of a path, or
 * null. Throws if the zip is damaged or exceeds the limits of docs/FORMAT.md §9. The file stays open.
 */
export async function findInZip<Kind>(
  file: OpenFile,
  kindOf: (path: string) => Kind | null,
): Promise<ReadonlyMap<Kind, ZipMatch>> {
  const zip = await fromRandomAccessReaderPromise(new WindowReader(file), file.size, {
    autoClose: false,
    // Read the other entries if one has an odd name or size.
    decodeStrings: false,
    validateEntrySizes: false,
  });
  if (zip.entryCount > MEMBER_COUNT_LIMIT) throw new Error('it has too many members');
  const matches = new Map<Kind, ZipMatch>();
  for await (const entry of zip.eachEntry()) {
    const path = entry.fileNameRaw.toString('utf8');
    const kind = kindOf(path);
    if (kind === null || !isRegular(entry)) continue;
    const first = matches.get(kind);
    const place = () => placeStored(zip, entry);
    const match = first ?? { count: 0, path, place, read: () => readEntry(file, zip, entry) };
    matches.set(kind, { ...match, count: match.count + 1 });
  }
  return matches;
}

async function placeStored(zip: ZipFile, entry: Entry): Promise<ZipPlace> {
  if (entry.compressionMethod !== 0) throw new Error('its metadata is compressed twice');
  return placeOf(zip, entry);
}

async function placeOf(zip: ZipFile, entry: Entry): Promise<ZipPlace> {
  if (entry.isEncrypted()) throw new Error('its metadata is encrypted');
  const { fileDataStart: start } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
  return { start, end: start + entry.compressedSize };
}

async function readEntry(file: OpenFile, zip: ZipFile, entry: Entry): Promise<Uint8Array> {
  const { start, end } = await placeOf(zip, entry);
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) {
    throw new Error('its metadata has an unknown compression');
  }
  const stored = fileChunks(file, start, end);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  // Do not trust the unpacked size in the directory.
  for await (const piece of entry.compressionMethod === 0 ? stored : decompress('deflate', stored)) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= MEMBER_LIMIT_BYTES) break;
  }
  return Buffer.concat(pieces).subarray(0, MEMBER_LIMIT_BYTES);
}

/** Zips from Unix have the file's mode; others have only regular files and folders. */
function isRegular(entry: Entry): boolean {
  const kind = entry.versionMadeBy >> 8 === 3 ? (entry.externalFileAttributes >>> 16) & 0o170000 : 0;
  return kind === 0 || kind === 0o100000;
}

/**
 * How yauzl reads a file (it requires a class to extend): through a window, since it reads the directory in many small
 * steps, and up to a limit.
 */
class WindowReader extends RandomAccessReader {
  readonly #file: OpenFile;
  #window = Buffer.alloc(0);
  #start = 0;
  #readBytes = 0;

  constructor(file: OpenFile) {
    super();
    this.#file = file;
  }

  override read(
    ...[buffer, offset, length, position, callback]: Parameters<RandomAccessReader['read']>
  ): void {
    try {
      this.#fill(position, length);
      const from = position - this.#start;
      const copied = this.#window.copy(buffer, offset, from, from + length);
      callback(copied < length ? new Error('it ends too early') : null);
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #fill(position: number, length: number): void {
    const end = position + length;
    if (position >= this.#start && end <= this.#start + this.#window.length) return;
    const pieces = [...fileChunks(this.#file, position, Math.max(end, position + WINDOW_BYTES))];
    this.#window = Buffer.concat(pieces);
    this.#start = position;
    this.#readBytes += this.#window.length;
    if (this.#readBytes > READ_LIMIT_BYTES) throw new Error('its directory is too large');
  }
}
