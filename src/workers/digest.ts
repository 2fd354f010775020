import { createHash, hash as hashOnce } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { reasonOf, systemCode } from '../errors.js';
import type { MetadataReading } from '../model/metadata.js';
import { READ_FLAGS } from '../disk/files.js';
import { readMetadata, readMetadataFromHead } from '../archives/member.js';
import { identityOf, isSameIdentity } from '../disk/identities.js';
import type { FileIdentity } from '../disk/identities.js';
import type { ScannedFile } from '../places/scan.js';

/** What one reading of a file gave. */
export type Digested =
  | {
      readonly kind: 'digested';
      /** Bytes, counted from what was hashed. */
      readonly size: number;
      /** Empty where this reading was for MD5 alone. */
      readonly sha256: string;
      /** Null where MD5 was not asked for. */
      readonly md5: string | null;
      readonly reading: MetadataReading | null;
    }
  | {
      readonly kind: 'failed';
      readonly code: 'CHANGED_WHILE_READ' | 'GONE' | 'UNREADABLE';
      readonly message: string;
    };

export type Hashed = Extract<Digested, { kind: 'digested' }>;

export interface DigestOptions {
  readonly directory: string;
  readonly sha256: boolean;
  readonly md5: boolean;
  /** Whether what the file says of itself is wanted too. */
  readonly metadata: boolean;
}

const BLOCK_BYTES = 256 * 1024;
/** Files up to here are hashed in one call, which costs a fifth of a running hash. */
const ONE_SHOT_BYTES = 64 * 1024;

// One buffer a thread: nobody else comes in between while a file is read into it.
let block = Buffer.alloc(0);

/**
 * Hashes one file and reads its metadata in the same pass. The file must be the one that was scanned,
 * before and after (threat T15). Never throws for anything that a file can be, and makes a promise only where the
 * metadata does not stand in the first bytes.
 */
export function digestFile(file: ScannedFile, options: DigestOptions): Digested | Promise<Digested> {
  let fd: number;
  try {
    fd = openSync(`${options.directory}/${file.path}`, READ_FLAGS);
  } catch (error) {
    return failed(error);
  }
  return leave(fd, file, { digested: digestOpen(fd, file, options), metadata: options.metadata });
}

/** Closes a file that was digested: at once, or after a look further into it where the first bytes did not tell its metadata. */
export function leave(
  fd: number,
  file: ScannedFile,
  { digested, metadata }: { digested: Digested; metadata: boolean },
): Digested | Promise<Digested> {
  if (metadata && digested.kind === 'digested' && digested.reading === null) {
    return lookFurther(fd, file, digested);
  }
  closeSync(fd);
  return digested;
}

export const CHANGED: Digested = {
  kind: 'failed',
  code: 'CHANGED_WHILE_READ',
  message: 'changed while it was read',
};

export function isStill(fd: number, identity: FileIdentity): boolean {
  return isSameIdentity(identityOf(fstatSync(fd, { bigint: true })), identity);
}

/** The start of a file, or all of it where it fits into a block. */
function readHead(fd: number, size: number): Buffer {
  if (block.length === 0) block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  return readAt(fd, 0, block.subarray(0, size));
}

/** The digests, and the metadata where the first bytes tell it. */
function digestOpen(fd: number, file: ScannedFile, options: DigestOptions): Digested {
  const size = Number(file.identity.size);
  try {
    // What is read at one go is judged afterwards, by a look that holds for before as well.
    if (size >= BLOCK_BYTES && !isStill(fd, file.identity)) return CHANGED;
    const head = readHead(fd, size);
    const isWhole = head.length === size;
    const reading = options.metadata ? readMetadataFromHead(file.path, head, isWhole) : null;
    const digests = isWhole && size <= ONE_SHOT_BYTES ? hashWhole(head, options) : hashOn(fd, head, options);
    if (digests.size !== size || !isStill(fd, file.identity)) return CHANGED;
    return { kind: 'digested', size, sha256: digests.sha256, md5: digests.md5, reading };
  } catch (error) {
    return failed(error);
  }
}

/** The metadata of what was digested, where the first bytes did not tell it. Closes the file. Never rejects. */
async function lookFurther(fd: number, file: ScannedFile, digested: Hashed): Promise<Digested> {
  try {
    const reading = await readMetadata(file.path, { fd, size: Number(file.identity.size) });
    return isStill(fd, file.identity) ? { ...digested, reading } : CHANGED;
  } catch (error) {
    return failed(error);
  } finally {
    closeSync(fd);
  }
}

interface Digests {
  readonly size: number;
  readonly sha256: string;
  readonly md5: string | null;
}

function hashWhole(bytes: Buffer, { sha256, md5 }: DigestOptions): Digests {
  return {
    size: bytes.length,
    sha256: sha256 ? hashOnce('sha256', bytes, 'hex') : '',
    md5: md5 ? hashOnce('md5', bytes, 'hex') : null,
  };
}

function hashOn(fd: number, head: Buffer, options: DigestOptions): Digests {
  const sha256 = options.sha256 ? createHash('sha256') : null;
  const md5 = options.md5 ? createHash('md5') : null;
  let size = 0;
  for (let bytes = head; bytes.length > 0; bytes = readAt(fd, size, block)) {
    sha256?.update(bytes);
    md5?.update(bytes);
    size += bytes.length;
  }
  return { size, sha256: sha256?.digest('hex') ?? '', md5: md5?.digest('hex') ?? null };
}

/** What a file holds from a position on, as far as it goes and there is room for. */
export function readAt(fd: number, position: number, room: Buffer): Buffer {
  let length = 0;
  while (length < room.length) {
    const read = readSync(fd, room, length, room.length - length, position + length);
    if (read === 0) break;
    length += read;
  }
  return room.subarray(0, length);
}

export function failed(error: unknown): Digested {
  const code = systemCode(error);
  if (code === 'ENOENT') return { kind: 'failed', code: 'GONE', message: 'is gone' };
  if (code === 'ELOOP')
    return { kind: 'failed', code: 'CHANGED_WHILE_READ', message: 'became a symbolic link' };
  return { kind: 'failed', code: 'UNREADABLE', message: `cannot be read: ${reasonOf(error)}` };
}
