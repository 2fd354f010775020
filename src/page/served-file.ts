import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Readable } from 'node:stream';

/** A regular file that is open to be sent. Whoever has one closes it. */
export interface OpenFile {
  readonly size: number;
  readonly modified: Date;
  /** Bytes from `start` to `end`, both included. Closes the file when it ends. */
  readonly read: (start: number, end: number) => Readable;
  readonly close: () => Promise<void>;
}

/** Opens a file below a directory; null where there is none that can be read, or where a link leads out of it. */
export async function openBelow(directory: string, path: string): Promise<OpenFile | null> {
  try {
    const root = await realpath(directory);
    const real = await realpath(join(root, path));
    if (!real.startsWith(root.endsWith(sep) ? root : root + sep)) return null;
    return await openRegular(real);
  } catch {
    return null;
  }
}

async function openRegular(path: string): Promise<OpenFile | null> {
  // Without blocking: a named pipe in the place of a file must not hang us.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stats = await handle.stat();
  if (!stats.isFile()) {
    await handle.close();
    return null;
  }
  return {
    size: stats.size,
    modified: stats.mtime,
    read: (start, end) => handle.createReadStream({ start, end }),
    close: () => handle.close(),
  };
}
