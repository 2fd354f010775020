import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { PacksignError, reasonOf, systemCode } from '../errors.js';
import type { Reply, Request } from './reply.js';

const BLOCK_BYTES = 256 * 1024;

/** Reads a `file:` address like a reply of a server. Refuses pipes, devices and folders. */
export async function openFile(url: string, { from = 0 }: Request): Promise<Reply> {
  let handle: FileHandle;
  try {
    handle = await open(fileURLToPath(url), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const isAbsent = ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '');
    if (isAbsent) return { kind: 'absent', isForbidden: false };
    throw unreadable(url, error);
  }
  const stats = await handle.stat();
  if (!stats.isFile()) {
    await handle.close();
    throw unreadable(url, 'it is not a regular file');
  }
  const start = from <= stats.size ? from : 0;
  return {
    kind: 'found',
    url,
    from: start,
    length: stats.size,
    isWhole: false,
    headers: {},
    body: blocksOf(handle, { url, start }),
    cancel: () => {
      handle.close().catch(() => undefined);
    },
  };
}

/** The stream closes the file. */
async function* blocksOf(
  handle: FileHandle,
  { url, start }: { url: string; start: number },
): AsyncIterable<Uint8Array> {
  try {
    yield* handle.createReadStream({ start, highWaterMark: BLOCK_BYTES }) as AsyncIterable<Buffer>;
  } catch (error) {
    throw unreadable(url, error);
  }
}

function unreadable(url: string, error: unknown): PacksignError {
  return new PacksignError('FILE_UNREADABLE', `cannot read ${url}: ${reasonOf(error)}`, { cause: error });
}
