import { createHash } from 'node:crypto';
import { lstat, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { READ_FLAGS } from '../disk/files.js';
import { identityOf, isSameIdentity } from '../disk/identities.js';
import { reasonOf, systemCode } from '../errors.js';
import type { ScannedFile } from '../places/scan.js';

/** The result of reading a file again. */
export type Reread =
  | { readonly kind: 'read'; readonly sha256: string }
  /** The file is gone, or another file: its bytes say nothing. */
  | { readonly kind: 'other' }
  | { readonly kind: 'unreadable'; readonly reason: string };

const BLOCK_BYTES = 1024 * 1024;

/** The file at a path as a scan would see it; null if there is none. */
export async function lookAt(directory: string, path: string): Promise<ScannedFile | null> {
  try {
    return { path, identity: identityOf(await lstat(join(directory, path), { bigint: true })) };
  } catch {
    return null;
  }
}

/** Hashes a file in the background, with a pause after each block. It must stay the same file all the time (threat T15). */
export async function rereadFile(
  directory: string,
  file: ScannedFile,
  pause: (bytes: number) => Promise<unknown>,
): Promise<Reread> {
  let handle: FileHandle | null = null;
  try {
    handle = await open(join(directory, file.path), READ_FLAGS);
    if (!(await isStill(handle, file))) return { kind: 'other' };
    const hash = createHash('sha256');
    const block = Buffer.allocUnsafe(BLOCK_BYTES);
    for (;;) {
      const { bytesRead } = await handle.read(block, 0, block.length);
      if (bytesRead === 0) break;
      hash.update(block.subarray(0, bytesRead));
      await pause(bytesRead);
    }
    return (await isStill(handle, file)) ? { kind: 'read', sha256: hash.digest('hex') } : { kind: 'other' };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCode(error) ?? '')) return { kind: 'other' };
    return { kind: 'unreadable', reason: reasonOf(error) };
  } finally {
    await handle?.close();
  }
}

async function isStill(handle: FileHandle, { identity }: ScannedFile): Promise<boolean> {
  return isSameIdentity(identityOf(await handle.stat({ bigint: true })), identity);
}
