import { readSync } from 'node:fs';
import { constants, gunzipSync } from 'node:zlib';
import { fileNameOf } from '../model/file-entry.js';
import { namesAgree, splitFileName } from '../model/file-name.js';
import { parsePackageJson, parsePkgInfo } from './metadata.js';
import type { Metadata, MetadataReading } from '../model/metadata.js';
import { decompress, fileChunks } from './decompress.js';
import type { Compression, OpenFile } from './decompress.js';
import { createTarReader, isTarHeader, READ_LIMIT_BYTES } from './tar.js';
import type { TarStep, TarVisitor } from './tar.js';

type Contents = Exclude<Compression, 'deflate'> | 'tar' | 'zip' | 'compress' | 'unknown';

/** Enough of a file to recognise its contents. */
const MAGIC_BYTES = 512;
/** How much of a head is unpacked first. */
const START_BYTES = 16 * 1024;
/** Heads that unpack to more than this are left to `readMetadata`. */
const HEAD_OUTPUT_BYTES = 8 * 1024 * 1024;
/** Compression makes nothing much longer: this much input unpacks to 64 MiB, if there is so much. */
const INPUT_LIMIT_BYTES = READ_LIMIT_BYTES + 2 * 1024 * 1024;

/** Exactly one folder deep; the folder may have any name but `.` and `..`. */
const TOP_MEMBER = /^(?:\.\/)*(?!\.\.?\/)[^/]+\/(PKG-INFO|package\.json)$/;

/**
 * Reads an archive's metadata from its first bytes, or from all of them (`whole`). Null if they do not suffice: ask
 * `readMetadata`, which otherwise gives the same answer. The file name may be a path. Never throws.
 */
export function readMetadataFromHead(fileName: string, head: Buffer, whole: boolean): MetadataReading | null {
  if (!whole && head.length < MAGIC_BYTES) return null;
  const contents = recognise(head);
  switch (contents) {
    case 'compress':
    case 'unknown':
      return unreadable(contents);
    case 'gzip':
      // Metadata is usually near the start; unpacking all of a long head costs a hundred times as much.
      return (
        (head.length > START_BYTES ? readGzipHead(fileName, head.subarray(0, START_BYTES), false) : null) ??
        readGzipHead(fileName, head, whole)
      );
    case 'tar':
      return readTarHead(fileName, head, whole);
    default:
      return null;
  }
}

/**
 * Reads an archive's metadata, as far into the file as needed. The file stays open. Rejects only if the file itself
 * cannot be read; for any contents the metadata is at worst `absent`.
 */
export async function readMetadata(fileName: string, file: OpenFile): Promise<MetadataReading> {
  const magic = Buffer.alloc(MAGIC_BYTES);
  const contents = recognise(magic.subarray(0, readSync(file.fd, magic, 0, MAGIC_BYTES, 0)));
  if (contents === 'compress' || contents === 'unknown') return unreadable(contents);
  try {
    return contents === 'zip' ? await readZip(fileName, file) : await readTar(fileName, file, contents);
  } catch (error) {
    if (error instanceof Error && 'syscall' in error && error.syscall === 'read') throw error;
    return absent(`the archive cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The format of the bytes, regardless of the file's name. */
function recognise(head: Buffer): Contents {
  // Most archives.
  if (head[0] === 0x1f && head[1] === 0x8b && head[2] === 8) return 'gzip';
  const start = head.toString('hex', 0, 10);
  if (start.startsWith('1f9d')) return 'compress';
  if (start.startsWith('fd377a585a00')) return 'xz';
  if (/^(?:28b52ffd|5.2a4d18)/.test(start)) return 'zstd';
  if (/^504b0(?:304|506)/.test(start)) return 'zip';
  // The level, then a block or the end of an empty file: a tar may begin with a member called BZh9.
  if (/^425a683[1-9](?:314159265359|177245385090)/.test(start)) return 'bzip2';
  return isTarHeader(head, 0) ? 'tar' : 'unknown';
}

function unreadable(contents: 'compress' | 'unknown'): MetadataReading {
  return absent(
    contents === 'compress' ? 'packsign does not read compress(1)' : 'not an archive of a known kind',
  );
}

function readGzipHead(fileName: string, head: Buffer, whole: boolean): MetadataReading | null {
  const bytes = inflateHead(head, whole);
  // Never `whole`: `readMetadata` decides on a gzip file that is cut short.
  return bytes === null ? null : readTarHead(fileName, bytes, false);
}

function readTarHead(fileName: string, bytes: Buffer, whole: boolean): MetadataReading | null {
  const decision = createDecision(fileName);
  const reader = createTarReader(decision);
  const step = reader.push(bytes);
  return decision.reading(whole ? reader.finish() : step);
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

async function readTar(
  fileName: string,
  file: OpenFile,
  contents: Compression | 'tar',
): Promise<MetadataReading> {
  const stored = fileChunks(file, 0, INPUT_LIMIT_BYTES);
  const decision = createDecision(fileName);
  const reader = createTarReader(decision);
  for await (const piece of contents === 'tar' ? stored : decompress(contents, stored)) {
    const reading = decision.reading(reader.push(piece));
    if (reading !== null) return reading;
  }
  return decision.reading(reader.finish()) ?? nothingInside();
}

interface Decision extends TarVisitor {
  /** The answer at this point of the archive; null while more must be read. */
  readonly reading: (step: TarStep) => MetadataReading | null;
}

/**
 * Decides which member of a tar archive has the metadata: the first `PKG-INFO`, or a `package.json` if the file name is
 * that of its npm package. Any other `package.json` counts only if no `PKG-INFO` follows, since a Python sdist may
 * contain one.
 */
function createDecision(fileName: string): Decision {
  let decided: Metadata | null = null;
  let remembered: Metadata | null = null;

  function answer(fallback: MetadataReading): MetadataReading {
    const metadata = decided ?? remembered;
    return metadata === null ? fallback : { kind: 'found', metadata };
  }

  return {
    wants(path) {
      const member = TOP_MEMBER.exec(path)?.[1];
      return member === 'PKG-INFO' || (member !== undefined && remembered === null);
    },
    found(path, bytes) {
      if (path.endsWith('PKG-INFO')) decided = parsePkgInfo(bytes, 'sdist');
      else {
        remembered = parsePackageJson(bytes);
        decided = remembered !== null && isNpmName(fileName, remembered) ? remembered : null;
      }
      return decided === null ? 'more' : 'stop';
    },
    reading(step) {
      switch (step.kind) {
        case 'more':
          return null;
        case 'stopped':
        case 'end':
          return answer(nothingInside());
        case 'limit':
          return answer(absent(step.reason));
        case 'damaged':
          return absent(`the archive is damaged: ${step.reason}`);
      }
    },
  };
}

function isNpmName(fileName: string, metadata: Metadata): boolean {
  if (!/\.tgz$/i.test(fileName)) return false;
  const parts = splitFileName(fileNameOf(fileName));
  return parts !== null && namesAgree(metadata, parts);
}

async function readZip(fileName: string, file: OpenFile): Promise<MetadataReading> {
  // Load it only for zips.
  const { findInZip } = await import('./zip.js');
  const extension = /\.(?:whl|egg)$/i.exec(fileName)?.[0].toLowerCase();
  const matches = await findInZip(file, (path) => zipKind(path, extension));
  for (const kind of ['wheel', 'egg', 'sdist', 'npm'] as const) {
    const match = matches.get(kind);
    if (match === undefined) continue;
    // Zip readers differ in which of them they take.
    if (match.count > 1) return absent(`${match.count} members claim to be its metadata`);
    const bytes = await match.read();
    const metadata = kind === 'npm' ? parsePackageJson(bytes) : parsePkgInfo(bytes, kind);
    if (metadata !== null) return { kind: 'found', metadata };
  }
  return nothingInside();
}

function zipKind(path: string, extension: string | undefined): Metadata['kind'] | null {
  if (extension === '.whl') return /^[^/]+\.dist-info\/METADATA$/.test(path) ? 'wheel' : null;
  if (extension === '.egg') return path === 'EGG-INFO/PKG-INFO' ? 'egg' : null;
  const member = TOP_MEMBER.exec(path)?.[1];
  return member === undefined ? null : member === 'PKG-INFO' ? 'sdist' : 'npm';
}

function nothingInside(): MetadataReading {
  return absent('no metadata with a name and a version in it');
}

function absent(reason: string): MetadataReading {
  return { kind: 'absent', reason };
}
