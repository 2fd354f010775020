import { lstatSync, mkdirSync } from 'node:fs';
import * as module from 'node:module';
import { compiledFolder } from './folders.js';
import type { Outside } from './streams.js';

/** Node's own way to keep compiled code, from 22.8 on (22.1 as an experiment); it must not fail for want of a folder. */
type Enable = (folder: string) => unknown;

const OF_OTHERS = 0o022;

/**
 * Has Node keep what it compiled for the next run: half of what a build of a small directory takes. Code from there is
 * run as it is, so nobody but this user may be able to put any there.
 */
export function keepCompiled(
  outside: Pick<Outside, 'environment'>,
  enable: Enable | undefined = (module as { enableCompileCache?: Enable }).enableCompileCache,
): void {
  if (enable === undefined) return;
  const folder = compiledFolder(outside);
  if (isOwn(folder)) enable(folder);
}

function isOwn(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const stats = lstatSync(folder);
    // Where there are no such owners and modes, it lies in the user's profile.
    const isMine =
      process.getuid === undefined || (stats.uid === process.getuid() && (stats.mode & OF_OTHERS) === 0);
    return stats.isDirectory() && isMine;
  } catch {
    // Nothing is kept where nothing can be written.
    return false;
  }
}
