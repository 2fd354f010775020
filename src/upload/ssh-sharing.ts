import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { withFiles } from '../disk/scratch.js';
import { runChild } from '../programs/child.js';
import type { ChildOptions } from '../programs/child.js';

/** How one connection of ssh serves all programs that want one to its host. */
export interface Sharing {
  /** Options of ssh for the one that makes the connection; it lasts as long as that one. */
  readonly making: readonly string[];
  /** Options for the others. Without the connection they make one of their own. */
  readonly using: readonly string[];
}

export const NOT_SHARED: Sharing = { making: [], using: [] };
const LOOK_MS = 10_000;
/** What every system has room for in the path of a socket, without the folder in it and what ssh adds while it makes it. */
const ROOM = 103 - 43 - 17;

/**
 * Lends the way to share a connection; none where ssh shares them already, as the user said in its settings, and where
 * it cannot: on Windows, and with another program. It gets the words for ssh and those for the host.
 */
export async function withSharing<T>(
  [shell, host]: readonly [shell: readonly string[], host: readonly string[]],
  environment: ChildOptions['environment'],
  use: (sharing: Sharing) => Promise<T>,
): Promise<T> {
  // The folder for temporary files of macOS is too deep for a socket. Other signs would mean something to ssh, or rsync.
  const parent = [tmpdir(), '/tmp'].find((path) => /^\/[\w./-]*$/.test(path) && path.length <= ROOM);
  const mayShare = process.platform !== 'win32' && basename(shell[0] ?? '') === 'ssh';
  if (!mayShare || parent === undefined) return await use(NOT_SHARED);
  const told = await runChild([...shell, '-G', ...host], { environment, timeoutMs: LOOK_MS });
  if (told.status !== 0 || /^controlpath /m.test(told.stdout.toString('latin1')))
    return await use(NOT_SHARED);
  return await withFiles(
    {},
    async (folder) => {
      const path = `ControlPath=${join(folder, 's')}`;
      return await use({
        making: ['-o', path, '-o', 'ControlMaster=yes', '-o', 'ControlPersist=no'],
        using: ['-o', path, '-o', 'ControlMaster=no'],
      });
    },
    parent,
  );
}
