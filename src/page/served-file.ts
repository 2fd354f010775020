import { open, realpath } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { READ_FLAGS } from '../disk/files.js';
import { SECRET_LIMIT_BYTES, holdsSecretKey } from '../pgp/secret-material.js';

/** A regular file that is open for sending. The caller closes it. */
export interface OpenFile {
  readonly size: number;
  readonly modified: Date;
  /** Bytes from `start` to `end`, both included. Closes the file when it ends. */
  readonly read: (start: number, end: number) => Readable;
  readonly close: () => Promise<void>;
}

/**
 * Opens a file below a directory. Returns null if it cannot be read, if a link leads out of the directory, if its real path
 * is private (a link, or a file system that knows several names, may have led there), or if it holds a secret key.
 */
export async function openBelow(
  directory: string,
  path: string,
  isPrivate: (path: string) => boolean,
): Promise<OpenFile | null> {
  try {
    const root = await realpath(directory);
    const real = await realpath(join(root, path));
    const above = root.endsWith(sep) ? root : root + sep;
    if (!real.startsWith(above) || isPrivate(real.slice(above.length).replaceAll(sep, '/'))) return null;
    return await openPublic(real);
  } catch {
    return null;
  }
}

async function openPublic(path: string): Promise<OpenFile | null> {
  // The path may lead to another file by now: these flags follow no link and wait for no pipe.
  const handle = await open(path, READ_FLAGS);
  try {
    const stats = await handle.stat();
    if (stats.isFile() && !(await holdsSecret(handle, stats.size))) {
      return {
        size: stats.size,
        modified: stats.mtime,
        read: (start, end) => handle.createReadStream({ start, end }),
        close: () => handle.close(),
      };
    }
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return null;
}

async function holdsSecret(handle: FileHandle, size: number): Promise<boolean> {
  if (size > SECRET_LIMIT_BYTES) return false;
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, 0);
  return holdsSecretKey(buffer.subarray(0, bytesRead));
}
