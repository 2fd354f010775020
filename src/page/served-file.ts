import { readSync } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { READ_FLAGS } from '../disk/files.js';
import { identityOf, nameIdentity } from '../disk/identities.js';
import { startSecretSearch } from '../pgp/secret-material.js';

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
    const stats = await handle.stat({ bigint: true });
    if (stats.isFile() && !(await holdsSecret(handle, stats))) {
      return {
        size: Number(stats.size),
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

const BLOCK_BYTES = 256 * 1024;
/** Large files without a secret, by their identities: clients ask for many parts of one. */
const searched = new Set<string>();

async function holdsSecret(handle: FileHandle, stats: BigIntStats): Promise<boolean> {
  const name = nameIdentity(identityOf(stats));
  if (searched.has(name)) return false;
  const read = (position: number, length: number) => {
    const bytes = Buffer.allocUnsafe(length);
    return bytes.subarray(0, readSync(handle.fd, bytes, 0, length, position));
  };
  const search = startSecretSearch({ size: Number(stats.size), read });
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  for (let position = 0; search.found() === null;) {
    const { bytesRead } = await handle.read(block, 0, BLOCK_BYTES, position);
    if (bytesRead === 0) {
      if (stats.size > BLOCK_BYTES) searched.add(name);
      return false;
    }
    search.take(block.subarray(0, bytesRead));
    position += bytesRead;
  }
  return true;
}
