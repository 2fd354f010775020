import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { READ_FLAGS } from '../../disk/files.js';
import { PacksignError, reasonOf } from '../../errors.js';
import { changed } from '../remote.js';
import type { Outgoing } from '../remote.js';

const BLOCK_BYTES = 256 * 1024;

/**
 * The bytes of a file to write, in blocks of at most so many. The last one comes when all are known to be the signed ones.
 * Throws FILE_ALTERED, FILE_UNREADABLE.
 */
export async function* blocksOf(
  file: Outgoing,
  directory: string,
  blockBytes = BLOCK_BYTES,
): AsyncIterable<Uint8Array> {
  const { path, size, sha256, bytes } = file;
  const hash = createHash('sha256');
  let length = 0;
  let held: Uint8Array | null = null;
  for await (const block of bytes === null ? readBlocks(join(directory, path), size, blockBytes) : [bytes]) {
    if (held !== null) yield held;
    held = block;
    hash.update(block);
    length += block.length;
  }
  if (length !== size || hash.digest('hex') !== sha256) throw changed(directory, path);
  if (held !== null) yield held;
}

/** Full blocks, but for the last one. */
async function* readBlocks(path: string, size: number, blockBytes: number): AsyncIterable<Uint8Array> {
  try {
    const handle = await open(path, READ_FLAGS);
    try {
      for (let at = 0; at < size;) {
        const block = Buffer.allocUnsafe(Math.min(blockBytes, size - at));
        let length = 0;
        while (length < block.length) {
          const { bytesRead } = await handle.read(block, length, block.length - length, at + length);
          if (bytesRead === 0) break;
          length += bytesRead;
        }
        at += length;
        yield block.subarray(0, length);
        if (length < block.length) return;
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new PacksignError('FILE_UNREADABLE', `cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
