import { posix, relative, resolve, sep } from 'node:path';
import { statsOf } from '../disk/files.js';
import type { Published } from '../published/published.js';

/**
 * The path in the directory of a file that someone names: from the directory, from the current folder, or from the root; the
 * first of these where a file is. Null if there is none. `isKnown`: whether a path is known to be one of the directory.
 */
export function typedPath(
  given: string,
  { directory, stateFolder }: Pick<Published, 'directory' | 'stateFolder'>,
  isKnown: (path: string) => boolean,
): string | null {
  if (isKnown(given)) return given;
  for (const from of [directory, '.']) {
    const file = resolve(from, given);
    const path = relative(resolve(directory), file).split(sep).join(posix.sep);
    const isInside = path !== '' && !isAbove(path) && isAbove(relative(resolve(stateFolder), file));
    if (isInside && (isKnown(path) || statsOf(file)?.isFile() === true)) return path;
  }
  return null;
}

/** Whether a relative path leads out of its folder. */
function isAbove(path: string): boolean {
  return path === '..' || path.startsWith(`..${sep}`);
}
