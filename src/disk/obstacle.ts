import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { PacksignError } from '../errors.js';
import { shellWord } from '../model/shell.js';
import { statsOf } from './temporaries.js';

/** A file, or a link to nothing, that keeps a path from being a folder: there or above it. Null if nothing does. */
export function obstacleTo(folder: string): string | null {
  // Null also where a file is above the path, or nobody may look.
  if (statsOf(folder) === null) return dirname(folder) === folder ? null : obstacleTo(dirname(folder));
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? null : folder;
}

/** Says what to do about an obstacle. */
export function noFolder(
  obstacle: string,
  code: 'FILE_UNREADABLE' | 'FILE_UNWRITABLE',
  cause: unknown = null,
): PacksignError {
  const hint = `packsign needs a folder there: ${moveAway(obstacle)}, then run the same command again`;
  return new PacksignError(code, `${obstacle} is not a folder`, { hint, cause });
}

/** What to do about a folder in the place of a file of packsign. */
export function notAFile(path: string): string {
  return `a file of packsign belongs there: ${moveAway(path)}, then run the same command again`;
}

function moveAway(path: string): string {
  return `mv ${shellWord(path)} ${shellWord(`${path}.old`)}`;
}
