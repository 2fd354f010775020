import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { PacksignError, reasonOf, systemCode } from '../errors.js';
import type { ErrorCode } from '../errors.js';

/** How a file is opened that may have become something else since: no link is followed, no pipe waited for. */
export const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const TEMPORARY = /^\.packsign-[0-9a-f]{16}\.tmp$/;

export interface ReadCodes {
  /** Thrown for what is no regular file. */
  readonly misfit: ErrorCode;
  /** Thrown for a file above the limit. */
  readonly tooLarge: ErrorCode;
}

/** The last two: a text that no file can have as its name. */
const CODES_OF_NOTHING = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'];
const READ_CODES: ReadCodes = { misfit: 'FILE_UNREADABLE', tooLarge: 'FILE_UNREADABLE' };

/**
 * The bytes of a file, or null when there is none. Throws FILE_UNREADABLE, and the codes given, also for a
 * file above the limit: nothing that others write is read without one (docs/FORMAT.md §9).
 */
export function readBounded(path: string, limitBytes: number, codes: ReadCodes = READ_CODES): Buffer | null {
  let fd: number;
  try {
    // Without blocking: a named pipe in the place of a file must not hang us.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (CODES_OF_NOTHING.includes(systemCode(error) ?? '')) return null;
    throw unreadable(path, error);
  }
  try {
    return closing(fd, () => {
      if (!fstatSync(fd).isFile()) throw new PacksignError(codes.misfit, `${path} is not a regular file`);
      return readUpTo(fd, { path, limitBytes, code: codes.tooLarge });
    });
  } catch (error) {
    throw error instanceof PacksignError ? error : unreadable(path, error);
  }
}

/** What stands under a path, links followed; null where nothing does. Throws FILE_UNREADABLE. */
export function kindOf(path: string): 'file' | 'folder' | 'other' | null {
  try {
    const stats = statSync(path);
    return stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other';
  } catch (error) {
    if (CODES_OF_NOTHING.includes(systemCode(error) ?? '')) return null;
    throw unreadable(path, error);
  }
}

function readUpTo(
  fd: number,
  { path, limitBytes, code }: { path: string; limitBytes: number; code: ErrorCode },
): Buffer {
  const tooLarge = () =>
    new PacksignError(code, `${path} is larger than the ${limitBytes} bytes that are read of it`);
  const size = fstatSync(fd).size;
  if (size > limitBytes) throw tooLarge();
  // One byte more than it should have, so that growth is seen.
  let bytes = Buffer.allocUnsafe(size + 1);
  let length = 0;
  for (;;) {
    const read = readSync(fd, bytes, length, bytes.length - length, null);
    if (read === 0) return bytes.subarray(0, length);
    length += read;
    if (length > limitBytes) throw tooLarge();
    if (length === bytes.length) bytes = Buffer.concat([bytes], bytes.length * 2);
  }
}

export interface WriteOptions {
  /** Permissions of the file; 0o644 when not given. */
  readonly mode?: number;
}

interface WriteSpeed {
  /** Whether a crash may lose it: waiting for the disk takes as long as writing. */
  readonly isHint?: boolean;
}

/**
 * Puts a file in place so that at every instant the name holds the old bytes or all of the new ones, and
 * still does after a crash: temporary file, fsync, rename, fsync of the folder. Throws FILE_UNWRITABLE.
 */
export function writeDurably(path: string, bytes: Uint8Array, options: WriteOptions = {}): void {
  replaceFile(path, bytes, options);
}

/**
 * The same for what can be found out again: a crash may leave anything, which whoever reads it must notice. Throws
 * FILE_UNWRITABLE.
 */
export function writeHint(path: string, bytes: Uint8Array): void {
  replaceFile(path, bytes, { isHint: true });
}

function replaceFile(path: string, bytes: Uint8Array, options: WriteOptions & WriteSpeed): void {
  const temporary = join(dirname(path), `.packsign-${randomBytes(8).toString('hex')}.tmp`);
  try {
    writeNew(temporary, bytes, options);
    renameSync(temporary, path);
    if (options.isHint !== true) syncFolder(dirname(path));
  } catch (error) {
    throw unwritable(path, error);
  } finally {
    removeQuietly(temporary);
  }
}

/** Writes a file that must not exist yet, and fsyncs it. Throws FILE_EXISTS, FILE_UNWRITABLE. */
export function createFile(path: string, bytes: Uint8Array, options: WriteOptions = {}): void {
  try {
    writeNew(path, bytes, options);
    syncFolder(dirname(path));
  } catch (error) {
    if (systemCode(error) === 'EEXIST') {
      throw new PacksignError('FILE_EXISTS', `${path} exists`, {
        hint: 'move it away or choose another name',
      });
    }
    removeQuietly(path);
    throw unwritable(path, error);
  }
}

function writeNew(
  path: string,
  bytes: Uint8Array,
  { mode = 0o644, isHint = false }: WriteOptions & WriteSpeed,
): void {
  const fd = openSync(path, 'wx', mode);
  closing(fd, () => {
    let written = 0;
    while (written < bytes.length) written += writeSync(fd, bytes, written);
    // A secret stays as narrow as it was asked for; everything else follows the umask.
    if (mode === 0o600) fchmodSync(fd, mode);
    if (!isHint) fsyncSync(fd);
  });
}

/** Makes a folder and those above it, durably. Throws FILE_UNWRITABLE. */
export function makeFolder(path: string): void {
  try {
    const first = mkdirSync(path, { recursive: true });
    if (first === undefined) return;
    for (let folder = path; ; folder = dirname(folder)) {
      syncFolder(dirname(folder));
      // The name of the first one that is new ends it, and so does `.`, which is its own parent.
      if (folder.length <= first.length) return;
    }
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** Removes a file if it is there, durably. Throws FILE_UNWRITABLE. */
export function removeDurably(path: string): void {
  try {
    unlinkSync(path);
    syncFolder(dirname(path));
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw unwritable(path, error);
  }
}

/** Removes the temporary files that a killed run left in a folder. */
export function removeTemporaries(folder: string, names: readonly string[] = listFolder(folder)): void {
  for (const name of names) {
    if (TEMPORARY.test(name)) removeDurably(join(folder, name));
  }
}

/** Names in a folder; none when there is no such folder. Throws DIRECTORY_UNREADABLE. */
export function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw new PacksignError('DIRECTORY_UNREADABLE', `cannot read ${folder}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** Makes what happened to the names in a folder outlive a crash. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  closing(fd, () => {
    try {
      fsyncSync(fd);
    } catch (error) {
      // Some network file systems and Windows have no fsync for folders.
      if (!['EINVAL', 'EPERM', 'ENOTSUP', 'EISDIR'].includes(systemCode(error) ?? '')) throw error;
    }
  });
}

/** Closes a file after its use. Where both fail, the first error is thrown. */
function closing<T>(fd: number, use: () => T): T {
  let result: T;
  try {
    result = use();
  } catch (error) {
    quietly(() => closeSync(fd));
    throw error;
  }
  closeSync(fd);
  return result;
}

/** Tidies up. What fails there must not hide the error that made it necessary. */
export function quietly(tidyUp: () => void): void {
  try {
    tidyUp();
  } catch {
    // A leftover is swept by the next run.
  }
}

/** Removes a file of our own that was perhaps renamed, or never made. */
export function removeQuietly(path: string): void {
  quietly(() => unlinkSync(path));
}

function unreadable(path: string, error: unknown): PacksignError {
  return new PacksignError('FILE_UNREADABLE', `cannot read ${path}: ${reasonOf(error)}`, { cause: error });
}

function unwritable(path: string, error: unknown): PacksignError {
  if (error instanceof PacksignError) return error;
  return new PacksignError('FILE_UNWRITABLE', `cannot write ${path}: ${reasonOf(error)}`, { cause: error });
}
