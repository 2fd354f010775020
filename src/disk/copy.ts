import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PUBLIC, accessOf, giveAccess } from './access.js';
import { READ_FLAGS, removeQuietly, requireHeld, syncFolder, unreadable, unwritable } from './files.js';
import { renameOver } from './rename.js';
import { temporaryPath } from './temporaries.js';

const BLOCK_BYTES = 1024 * 1024;

export interface Copying {
  readonly from: string;
  readonly to: string;
  /** Files of other bytes are not copied. */
  readonly sha256: string;
  /** A file whose permissions and owner a new file gets. */
  readonly like: string;
  readonly onBytes: (count: number) => void;
}

/**
 * Copies a file durably, if its bytes are the expected ones: temporary file, fsync, rename, fsync of the folder. False,
 * with nothing written, if they are not. Throws FILE_UNWRITABLE, FILE_UNREADABLE, and the system's errors of opening the source.
 */
export async function copyDurably({ from, to, sha256, like, onBytes }: Copying): Promise<boolean> {
  const temporary = temporaryPath(dirname(to));
  const source = await open(from, READ_FLAGS);
  try {
    if (
      (await writeHashed(blocksOf(source, from), {
        temporary,
        to,
        like,
        onBytes,
      })) !== sha256
    )
      return false;
    requireHeld();
    try {
      renameOver(temporary, to);
      syncFolder(dirname(to));
    } catch (error) {
      throw unwritable(to, error);
    }
    return true;
  } finally {
    removeQuietly(temporary);
    await source.close();
  }
}

/** Throws FILE_UNREADABLE: what cannot be read must not pass for what cannot be written. */
async function* blocksOf(source: FileHandle, path: string): AsyncGenerator<Buffer> {
  try {
    yield* source.createReadStream({ highWaterMark: BLOCK_BYTES, autoClose: false });
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** SHA-256 of what was written. */
async function writeHashed(
  blocks: AsyncIterable<Buffer>,
  { temporary, to, like, onBytes }: Pick<Copying, 'to' | 'like' | 'onBytes'> & { readonly temporary: string },
): Promise<string> {
  const hash = createHash('sha256');
  try {
    const target = await open(temporary, 'wx', 0o600);
    try {
      for await (const block of blocks) {
        hash.update(block);
        for (let at = 0; at < block.length;) at += (await target.write(block, at)).bytesWritten;
        onBytes(block.length);
      }
      giveAccess(target.fd, accessOf(to) ?? accessOf(like) ?? { mode: PUBLIC, owner: null }, to);
      await target.sync();
    } finally {
      await target.close();
    }
  } catch (error) {
    throw unwritable(to, error);
  }
  return hash.digest('hex');
}
