import { createHash, randomBytes } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { link, lstat, open, rename, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { PacksignError, reasonOf, systemCode } from '../errors.js';
import { listFolder, makeFolder } from '../disk/files.js';

/** A file while it is downloaded: it gets its name only when its bytes are known to be right. */
export interface PartialFile {
  /** How many bytes it has. */
  readonly length: () => number;
  /** Hash of these bytes. */
  readonly sha256: () => string;
  /** Throws FILE_UNWRITABLE, like all that follow. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Empties the file. */
  readonly restart: () => Promise<void>;
  /** Gives the file its name, durably; never replaces another file. Throws FILE_EXISTS. */
  readonly finish: (name: string) => Promise<void>;
  /** Keeps the bytes for a later run to resume, and removes an empty file. Never throws, so that it hides no error. */
  readonly leave: () => Promise<void>;
  readonly remove: () => Promise<void>;
}

const NAME = /^\.packsign-([0-9a-f]{64})\.(\d+)\.[0-9a-f]+\.part$/;
const BLOCK_BYTES = 256 * 1024;

/** Partial files that earlier runs left in a folder, by the SHA-256 of the whole file. Throws DIRECTORY_UNREADABLE, FILE_UNWRITABLE. */
export function findPartialFiles(folder: string): ReadonlyMap<string, string> {
  makeFolder(folder);
  const names = listFolder(folder);
  return new Map(
    names.flatMap((name) => {
      const [, sha256 = '', pid = ''] = NAME.exec(name) ?? [];
      return sha256 === '' || isAlive(Number(pid)) ? [] : [[sha256, join(folder, name)] as const];
    }),
  );
}

/** A run that is still alive keeps its own partial file. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

export interface PartialFileOptions {
  /** SHA-256 of the whole file. */
  readonly sha256: string;
  /** Its size in bytes. */
  readonly size: number;
  /** The partial files of earlier runs. */
  readonly left: ReadonlyMap<string, string>;
}

/**
 * Opens a partial file, with the bytes that an earlier run downloaded. A file found is not a file made (threat T35): one
 * is continued only if it is as a new one is, and otherwise loses its name. Throws FILE_UNWRITABLE.
 */
export async function openPartialFile(
  folder: string,
  { sha256, size, left }: PartialFileOptions,
): Promise<PartialFile> {
  const newPath = () =>
    join(folder, `.packsign-${sha256}.${process.pid}.${randomBytes(4).toString('hex')}.part`);
  const path = newPath();
  try {
    // Not even a link that leads nowhere may have the name.
    const handle = await open(path, 'wx+', 0o644);
    const taken = await takeOver(left.get(sha256), { path: newPath(), size, made: await handle.stat() });
    if (taken === null) return await partOf(handle, { path, folder });
    await handle.close();
    await removeIfThere(path);
    return await partOf(taken.handle, { path: taken.path, folder });
  } catch (error) {
    throw unwritable(path, error);
  }
}

interface TakeOver {
  /** The name that it gets. */
  readonly path: string;
  /** The size of the whole file. */
  readonly size: number;
  /** What a file is like that this process has just made in the same folder. */
  readonly made: Stats;
}

/** Takes over what an earlier run left, under a name of our own. Null if there is nothing that we may write to. */
async function takeOver(
  from: string | undefined,
  { path, size, made }: TakeOver,
): Promise<{ readonly handle: FileHandle; readonly path: string } | null> {
  if (from === undefined) return null;
  const isOurs = (found: Stats) => isLike(found, made) && found.size <= size;
  let handle: FileHandle | null = null;
  try {
    // Opening a device can do things, and a folder can hold files of the user's: rename neither.
    if (isOurs(await lstat(from))) {
      // The first process to rename it owns it.
      await rename(from, path);
      handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      // It may be another file by now.
      if (isOurs(await handle.stat())) return { handle, path };
      await handle.close();
    }
  } catch {
    await handle?.close().catch(() => undefined);
  }
  // The name alone: what a link leads to stays as it is.
  for (const name of [from, path]) await unlink(name).catch(() => undefined);
  return null;
}

/** A regular file with one name, and the owner, the permissions and the disk of a new one. */
function isLike(found: Stats, made: Stats): boolean {
  return (
    found.isFile() &&
    found.nlink === 1 &&
    found.uid === made.uid &&
    found.mode === made.mode &&
    found.dev === made.dev
  );
}

async function partOf(
  handle: FileHandle,
  { path, folder }: { path: string; folder: string },
): Promise<PartialFile> {
  let { hash, length } = await hashSoFar(handle).catch(async (error: unknown) => {
    await handle.close();
    throw error;
  });
  const orUnwritable = async (work: Promise<unknown>) => {
    try {
      await work;
    } catch (error) {
      throw unwritable(path, error);
    }
  };
  const close = () => orUnwritable(handle.close());
  const remove = async () => {
    await close();
    await removeIfThere(path);
  };
  return {
    length: () => length,
    sha256: () => hash.copy().digest('hex'),
    write: async (bytes) => {
      await orUnwritable(writeAll(handle, bytes, length));
      hash.update(bytes);
      length += bytes.length;
    },
    restart: async () => {
      await orUnwritable(handle.truncate(0));
      hash = createHash('sha256');
      length = 0;
    },
    finish: async (name) => {
      await orUnwritable(handle.datasync());
      await close();
      await giveName(path, join(folder, name));
    },
    leave: () => (length === 0 ? remove() : close()).catch(() => undefined),
    remove,
  };
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

async function hashSoFar(handle: FileHandle): Promise<{ hash: Hash; length: number }> {
  const hash = createHash('sha256');
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  for (let length = 0; ;) {
    const { bytesRead } = await handle.read(block, 0, block.length, length);
    if (bytesRead === 0) return { hash, length };
    hash.update(block.subarray(0, bytesRead));
    length += bytesRead;
  }
}

const NO_LINKS_HERE = ['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP'];

async function giveName(path: string, target: string): Promise<void> {
  try {
    // Unlike a rename, a link does not replace an existing file.
    await link(path, target);
  } catch (error) {
    const isThere = await hasName(target);
    if (!isThere && NO_LINKS_HERE.includes(systemCode(error) ?? '')) {
      await renameFile(path, target);
      return;
    }
    await removeIfThere(path).catch(() => undefined);
    if (!isThere) throw unwritable(target, error);
    throw new PacksignError('FILE_EXISTS', `${target} exists, and is something else`, {
      hint: 'move it away, or name another folder with --output DIR',
    });
  }
  await removeIfThere(path);
}

async function renameFile(path: string, target: string): Promise<void> {
  try {
    await rename(path, target);
  } catch (error) {
    throw unwritable(target, error);
  }
}

/** Whether anything has the name, be it a link that leads nowhere. */
async function hasName(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    return false;
  }
}

/** Throws FILE_UNWRITABLE. */
async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw unwritable(path, error);
  }
}

function unwritable(path: string, error: unknown): PacksignError {
  if (error instanceof PacksignError) return error;
  return new PacksignError('FILE_UNWRITABLE', `cannot write ${path}: ${reasonOf(error)}`, { cause: error });
}
