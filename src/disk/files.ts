import { AsyncLocalStorage } from 'node:async_hooks';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { PacksignError, reasonOf, systemCode } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { SECRET, accessOf, giveAccess } from './access.js';
import type { Access } from './access.js';
import { noFolder, notAFile, obstacleTo } from './obstacle.js';
import { renameOver } from './rename.js';
import { rememberSwept, removeNewTemporaries, removeQuietly, temporaryPath } from './temporaries.js';

export { removeQuietly, removeTemporaries, statsOf } from './temporaries.js';

/** Flags to open a file that something else may have replaced: follow no link, wait for no pipe. */
export const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const PIECE_BYTES = 256 * 1024;

export interface ReadCodes {
  /** Thrown if it is not a regular file. */
  readonly misfit: ErrorCode;
  /** Thrown for a file above the limit. */
  readonly tooLarge: ErrorCode;
}

export interface ReadOptions {
  readonly codes?: ReadCodes;
  /** Bytes that the file had earlier: returned as they are if it still has them. */
  readonly before?: Buffer | null;
}

/** There is no file. The last two: the text cannot be the name of a file. */
const CODES_OF_NOTHING = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'];
const READ_CODES: ReadCodes = { misfit: 'FILE_UNREADABLE', tooLarge: 'FILE_UNREADABLE' };

/**
 * The bytes of a file, or null if there is none. Throws FILE_UNREADABLE, or the codes given, also for a file above the
 * limit: every file that others may write has one (docs/FORMAT.md §9).
 */
export function readBounded(
  path: string,
  limitBytes: number,
  { codes = READ_CODES, before = null }: ReadOptions = {},
): Buffer | null {
  let fd: number;
  try {
    // Do not block: there may be a named pipe in place of the file.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (CODES_OF_NOTHING.includes(systemCode(error) ?? '')) return null;
    throw unreadable(path, error);
  }
  try {
    return closing(fd, () => {
      const stats = fstatSync(fd);
      if (!stats.isFile()) throw new PacksignError(codes.misfit, `${path} is not a regular file`);
      if (before !== null && stats.size === before.length && hasBytes(fd, before)) return before;
      return readUpTo(fd, { path, size: stats.size, limitBytes, code: codes.tooLarge });
    });
  } catch (error) {
    throw error instanceof PacksignError ? error : unreadable(path, error);
  }
}

/** The bytes of a file that the user named. Throws FILE_UNREADABLE, also where there is none. */
export function readNamed(path: string, limitBytes: number): Buffer {
  const bytes = readBounded(path, limitBytes);
  if (bytes !== null) return bytes;
  throw new PacksignError('FILE_UNREADABLE', `there is no file ${path}`);
}

/** Reads a file from a position on, until the end or until `room` is full. */
export function readAt(fd: number, position: number, room: Buffer): Buffer {
  let length = 0;
  while (length < room.length) {
    const read = readSync(fd, room, length, room.length - length, position + length);
    if (read === 0) break;
    length += read;
  }
  return room.subarray(0, length);
}

/** Reads of an open file, at any place: as many bytes as there are at once. Throws what the system says. */
export function readerOf(fd: number): (room: Buffer, at: number) => number {
  return (room, at) => readSync(fd, room, 0, room.length, at);
}

/** What a path leads to, following links; null if to nothing. Throws FILE_UNREADABLE. */
export function kindOf(path: string): 'file' | 'folder' | 'other' | null {
  try {
    const stats = statSync(path);
    return stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other';
  } catch (error) {
    if (CODES_OF_NOTHING.includes(systemCode(error) ?? '')) return null;
    throw unreadable(path, error);
  }
}

/** Whether a file of this size has these bytes. Compares piece by piece, because a second copy of a large file would cost memory, and its release time. */
function hasBytes(fd: number, bytes: Buffer): boolean {
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  for (let at = 0; at < bytes.length;) {
    const { length } = readAt(fd, at, piece.subarray(0, bytes.length - at));
    if (length === 0 || piece.compare(bytes, at, at + length, 0, length) !== 0) return false;
    at += length;
  }
  return true;
}

function readUpTo(
  fd: number,
  { path, size, limitBytes, code }: { path: string; size: number; limitBytes: number; code: ErrorCode },
): Buffer {
  const tooLarge = () => new PacksignError(code, `${path} is larger than ${limitBytes} bytes`);
  if (size > limitBytes) throw tooLarge();
  // One byte more than its size, to notice growth.
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

/** The locks that the work at hand is done under; each check throws if its lock is lost. */
const locks = new AsyncLocalStorage<readonly (() => void)[]>();

/** Does work under a lock: before each change of a final name, `check` may refuse it. */
export async function underLock<T>(check: () => void, work: () => Promise<T>): Promise<T> {
  return await locks.run([...(locks.getStore() ?? []), check], work);
}

/** To be called before the change of a final name. Throws LOCK_LOST, FILE_UNWRITABLE. */
export function requireHeld(): void {
  for (const check of locks.getStore() ?? []) check();
}

export interface WriteOptions {
  /** Permissions of a new file: `PUBLIC` or `SECRET`; those of the umask if not given. */
  readonly mode?: number;
  /** A file whose permissions and owner a new file gets; a secret gets only the owner. */
  readonly like?: string;
  /** Whether a crash may lose the file: waiting for the disk takes as long as writing. */
  readonly isHint?: boolean;
}

/**
 * Replaces a file. At every instant, and after a crash, the name has the old bytes or all of the new ones: temporary
 * file, fsync, rename, fsync of the folder. All but a secret keep their permissions, and where the system allows it their
 * owner and group. Throws FILE_UNWRITABLE.
 */
export function writeDurably(path: string, bytes: Uint8Array, options: WriteOptions = {}): void {
  const temporary = temporaryPath(dirname(path));
  removeNewTemporaries(dirname(path));
  try {
    writeNew(temporary, bytes, { ...options, path });
    requireHeld();
    renameOver(temporary, path);
    rememberSwept(dirname(path));
    if (options.isHint !== true) syncFolder(dirname(path));
  } catch (error) {
    removeQuietly(temporary);
    throw unwritable(path, error);
  }
}

/** The same for content that can be computed again: a crash may leave anything, and readers must notice that. */
export function writeHint(path: string, bytes: Uint8Array): void {
  writeDurably(path, bytes, { isHint: true });
}

interface Writing extends WriteOptions {
  /** The name that the file gets. */
  readonly path: string;
}

/** Writes a file under a temporary name. It has its permissions before it gets its own. */
export function writeNew(
  temporary: string,
  bytes: Uint8Array,
  { path, isHint = false, ...options }: Writing,
): void {
  const access = accessFor(path, options);
  const fd = openSync(temporary, 'wx', access === null ? 0o644 : SECRET);
  closing(fd, () => {
    let written = 0;
    while (written < bytes.length) written += writeSync(fd, bytes, written);
    if (access !== null) giveAccess(fd, access, path);
    if (!isHint) fsyncSync(fd);
  });
}

/** Null leaves it to the umask. */
function accessFor(path: string, { mode, like }: Pick<WriteOptions, 'mode' | 'like'>): Access | null {
  const model = like === undefined ? null : accessOf(like);
  if (mode === SECRET) return { mode, owner: model?.owner ?? null };
  return accessOf(path) ?? model ?? (mode === undefined ? null : { mode, owner: null });
}

/** Makes a folder and those above it, durably. Throws FILE_UNWRITABLE. */
export function makeFolder(path: string): void {
  try {
    const first = mkdirRecursively(path);
    if (first === undefined) return;
    for (let folder = path; ; folder = dirname(folder)) {
      syncFolder(dirname(folder));
      // Stop at the first new folder, or at `.`, which is its own parent.
      if (folder.length <= first.length) return;
    }
  } catch (error) {
    const obstacle = obstacleTo(path);
    throw obstacle === null ? unwritable(path, error) : noFolder(obstacle, 'FILE_UNWRITABLE', error);
  }
}

/** Returns the first folder that it made. */
function mkdirRecursively(path: string): string | undefined {
  try {
    return mkdirSync(path, { recursive: true });
  } catch (error) {
    // On a read-only disk, Node says that there is no such folder. Without `recursive` it tells the truth.
    if (systemCode(error) === 'ENOENT') mkdirSync(path);
    throw error;
  }
}

/** Removes a file if it exists, durably. Throws FILE_UNWRITABLE. */
export function removeDurably(path: string): void {
  requireHeld();
  try {
    unlinkSync(path);
    syncFolder(dirname(path));
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw unwritable(path, error);
  }
}

/** Names in a folder; none if there is no such folder. Throws DIRECTORY_UNREADABLE. */
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

/** Makes changes of names in a folder survive a crash. */
export function syncFolder(folder: string): void {
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

/** Closes a file after its use. If both fail, throws the first error. */
export function closing<T>(fd: number, use: () => T): T {
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

/** Tidies up, ignoring failures: they must not hide the error that made it necessary. */
export function quietly(tidyUp: () => void): void {
  try {
    tidyUp();
  } catch {
    // The next run sweeps leftovers.
  }
}

/** The error of a failed read. */
export function unreadable(path: string, error: unknown): PacksignError {
  return new PacksignError('FILE_UNREADABLE', `cannot read ${path}: ${reasonOf(error)}`, { cause: error });
}

/** The error of a failed write, unless it is one of ours already. */
export function unwritable(path: string, error: unknown): PacksignError {
  if (error instanceof PacksignError) return error;
  const hint = systemCode(error) === 'EISDIR' ? { hint: notAFile(path) } : {};
  const message = `cannot write ${path}: ${reasonOf(error)}`;
  return new PacksignError('FILE_UNWRITABLE', message, { ...hint, cause: error });
}
