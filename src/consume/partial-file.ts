import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  unlinkSync,
  write,
} from 'node:fs';
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PacksignError, systemCode } from '../errors.js';
import { listFolder, makeFolder, quietly, removeQuietly, unwritable } from '../disk/files.js';
import { timeOfDisk } from '../disk/lock-file.js';
import { MARK, lifeOfMaker, makerMark } from '../disk/maker.js';
import type { GrowingDigests } from '../workers/growing-digest.js';

/** A file while it is downloaded: it gets its name only when its bytes are known to be right. */
export interface PartialFile {
  /** How many bytes it has. */
  readonly length: () => number;
  /** Hash of the bytes that it has on the disk. Throws FILE_UNWRITABLE, like all that follow. */
  readonly sha256: () => Promise<string>;
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Empties the file. */
  readonly restart: () => void;
  /**
   * Gives the file its name; never replaces another file. As with other downloads, the disk may still be writing its
   * bytes: to wait for it would take longer than all the rest. Throws FILE_EXISTS.
   */
  readonly finish: (name: string) => void;
  /** Keeps the bytes for a later run to resume, and removes an empty file. Never throws, so that it hides no error. */
  readonly leave: () => void;
  readonly remove: () => void;
}

const NAME = new RegExp(`^\\.packsign-([0-9a-f]{64})\\.(${MARK})\\.[0-9a-f]+\\.part$`);
/** How long a run that cannot be seen from here may take for its next bytes. */
const SILENT_MS = 60_000;
const writePart = promisify(write);

/** Partial files that earlier runs left in a folder, by the SHA-256 of the whole file. Throws DIRECTORY_UNREADABLE, FILE_UNWRITABLE. */
export function findPartialFiles(folder: string): ReadonlyMap<string, string> {
  makeFolder(folder);
  const found = new Map<string, string>();
  for (const name of listFolder(folder)) {
    const [, sha256 = '', mark = ''] = NAME.exec(name) ?? [];
    if (sha256 === '' || isGrowing(folder, name, mark)) continue;
    const [longer, shorter] = bySize(join(folder, name), found.get(sha256));
    found.set(sha256, longer);
    if (shorter !== undefined) removeQuietly(shorter);
  }
  return found;
}

/** Whether the run that made a partial file may still be at work on it. */
function isGrowing(folder: string, name: string, mark: string): boolean {
  const life = lifeOfMaker(mark);
  if (life !== 'unknown') return life === 'alive';
  const stats = lstatSync(join(folder, name), { throwIfNoEntry: false });
  return stats !== undefined && Math.abs(timeOfDisk(folder) - stats.mtimeMs) <= SILENT_MS;
}

function bySize(path: string, other: string | undefined): readonly [string, string | undefined] {
  const isLonger = other !== undefined && sizeOf(other) > sizeOf(path);
  return isLonger ? [other, path] : [path, other];
}

function sizeOf(path: string): number {
  return lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Removes the partial file of a file that is there: a run was killed when it had given the name. */
export function dropPartialFile(left: ReadonlyMap<string, string>, sha256: string): void {
  const path = left.get(sha256);
  if (path !== undefined) removeQuietly(path);
}

export interface PartialFileOptions {
  /** SHA-256 of the whole file. */
  readonly sha256: string;
  /** Its size in bytes. */
  readonly size: number;
  /** The partial files of earlier runs. */
  readonly left: ReadonlyMap<string, string>;
  readonly digests: GrowingDigests;
}

/**
 * Opens a partial file, with the bytes that an earlier run downloaded. A file found is not a file made (threat T35): one
 * is continued only if it is as a new one is, and otherwise loses its name. Throws FILE_UNWRITABLE.
 */
export function openPartialFile(
  folder: string,
  { sha256, size, left, digests }: PartialFileOptions,
): PartialFile {
  const newPath = () =>
    join(folder, `.packsign-${sha256}.${makerMark()}.${randomBytes(4).toString('hex')}.part`);
  const part = { fd: -1, path: newPath() };
  return orUnwritable(part.path, () => {
    // Not even a link that leads nowhere may have the name.
    part.fd = openSync(part.path, 'wx+', 0o644);
    const taken = takeOver(left.get(sha256), { path: newPath(), size, made: fstatSync(part.fd) });
    if (taken === null) return partOf(part, folder, digests);
    closeSync(part.fd);
    unlinkSync(part.path);
    return partOf(taken, folder, digests);
  });
}

interface Part {
  readonly fd: number;
  readonly path: string;
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
function takeOver(from: string | undefined, { path, size, made }: TakeOver): Part | null {
  if (from === undefined) return null;
  const isOurs = (found: Stats) => isLike(found, made) && found.size <= size;
  try {
    // Opening a device can do things, and a folder can hold files of the user's: rename neither.
    if (isOurs(lstatSync(from))) {
      // The first process to rename it owns it.
      renameSync(from, path);
      const fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      // It may be another file by now.
      if (isOurs(fstatSync(fd))) return { fd, path };
      closeSync(fd);
    }
  } catch {
    // It is gone, or nothing to open.
  }
  // The name alone: what a link leads to stays as it is.
  removeQuietly(from);
  removeQuietly(path);
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

function partOf({ fd, path }: Part, folder: string, digests: GrowingDigests): PartialFile {
  let { size: length } = fstatSync(fd);
  let digest = digests.open(fd);
  const fail = (error: unknown): never => {
    throw unwritable(path, error);
  };
  const close = () => {
    digest.drop();
    orUnwritable(path, () => closeSync(fd));
  };
  const remove = () => {
    close();
    removeIfThere(path);
  };
  return {
    length: () => length,
    sha256: () => digest.end(length).catch(fail),
    write: async (bytes) => {
      await writeAll(fd, bytes, length).catch(fail);
      length += bytes.length;
      digest.grow(length);
    },
    restart: () => {
      orUnwritable(path, () => ftruncateSync(fd));
      digest.drop();
      digest = digests.open(fd);
      length = 0;
    },
    finish: (name) => {
      close();
      giveName(path, join(folder, name));
    },
    leave: () => quietly(length === 0 ? remove : close),
    remove,
  };
}

async function writeAll(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const part = await writePart(fd, bytes, written, bytes.length - written, position + written);
    written += part.bytesWritten;
  }
}

const NO_LINKS_HERE = ['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP'];

function giveName(path: string, target: string): void {
  try {
    // Unlike a rename, a link does not replace an existing file.
    linkSync(path, target);
  } catch (error) {
    const isThere = hasName(target);
    if (!isThere && NO_LINKS_HERE.includes(systemCode(error) ?? '')) {
      orUnwritable(target, () => renameSync(path, target));
      return;
    }
    removeQuietly(path);
    if (!isThere) throw unwritable(target, error);
    throw new PacksignError('FILE_EXISTS', `${target} exists, and is something else`, {
      hint: 'move it away, or name another folder with --output DIR',
    });
  }
  removeIfThere(path);
}

/** Whether anything has the name, be it a link that leads nowhere. */
function hasName(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Throws FILE_UNWRITABLE. */
function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw unwritable(path, error);
  }
}

function orUnwritable<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw unwritable(path, error);
  }
}
