import { hasModes, isOpenToOthers } from '../disk/access.js';
import type { Warning } from '../model/finding.js';
import { shellWord } from '../model/shell.js';

/** Warns of a secret key that other users of this machine can get at, where its owner can change that. */
export function openKeyWarnings(path: string): readonly Warning[] {
  if (!isOpenToOthers(path) || !hasModes(path)) return [];
  return [keyWarning(path, `other users can read or change this secret key: chmod 600 ${shellWord(path)}`)];
}

/** The same for a file that packsign has just made: only the file system can have left it open. */
export function exposedKeyWarnings(path: string): readonly Warning[] {
  if (!isOpenToOthers(path)) return [];
  const message =
    'its file system has no permissions, so all users of this computer can read this secret key: move it elsewhere';
  return [keyWarning(path, message)];
}

function keyWarning(path: string, message: string): Warning {
  // The path of a warning is that of a listed file.
  return { code: 'KEY_FILE_OPEN', path: null, message: `${path}: ${message}` };
}
