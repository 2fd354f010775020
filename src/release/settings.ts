import { basename, dirname, isAbsolute, join } from 'node:path';
import { kindOf, listFolder, readBounded } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { checkSettings, decodeSettings } from '../format/settings.js';
import { isBucketAddress } from '../model/destination.js';
import { SETTINGS_NAME } from '../model/layout.js';
import { nearestOf } from '../model/nearest.js';
import { orNull } from '../model/or-null.js';
import { shellWord } from '../model/shell.js';
import type { Settings } from '../model/settings.js';
import { isKeyPath } from '../signers/open.js';

export const SETTINGS_LIMIT_BYTES = 16 * 1024 * 1024;

/**
 * The settings of a directory: those of `packsign.json`, overridden by options with the same key names. Looks for a
 * `Key` that is a file beside `packsign.json`. Throws DIRECTORY_UNREADABLE before anything is written into a directory
 * that was named by mistake (unless `isAwaited`, when it may not exist yet), SETTINGS_INVALID, FILE_UNREADABLE. Without a
 * directory there are options alone.
 */
export function loadSettings(
  directory: string | null,
  options: Readonly<Record<string, unknown>> = {},
  { isAwaited = false }: { readonly isAwaited?: boolean } = {},
): Settings {
  if (directory === null) return checkSettings(options, 'options');
  if (!isAwaited) requireDirectory(directory);
  const path = join(directory, SETTINGS_NAME);
  const bytes = readBounded(path, SETTINGS_LIMIT_BYTES);
  const fromFile = bytes === null ? {} : decodeSettings(bytes, path);
  const fromOptions = checkSettings(options, 'options');
  const Key = fromFile.Key?.map((key) => keyBeside(directory, key));
  return { ...fromFile, ...(Key === undefined ? {} : { Key }), ...fromOptions };
}

/** The path of a key file that the settings name as from their own directory; anything else is a key in GnuPG. */
function keyBeside(directory: string, key: string): string {
  if (isAbsolute(key)) return key;
  const path = join(directory, key);
  return isKeyPath(key) || kindOf(path) !== null ? path : key;
}

/** Throws DIRECTORY_UNREADABLE, FILE_UNREADABLE. */
export function requireDirectory(directory: string): void {
  if (kindOf(directory) === 'folder') return;
  if (isBucketAddress(directory)) {
    const message = `this command works on a directory, not on ${directory}`;
    throw new PacksignError('DIRECTORY_UNREADABLE', message, {
      hint: 'build, diff, sign, status, watch, lint, page and verify read the files of a bucket: packsign build s3://BUCKET/PREFIX --state FOLDER',
    });
  }
  const above = dirname(directory);
  const others = (orNull(() => listFolder(above)) ?? []).filter(
    (name) => kindOf(join(above, name)) === 'folder',
  );
  const near = nearestOf(basename(directory), others);
  const meant = near === null ? '' : `; did you mean ${join(above, near)}?`;
  throw new PacksignError('DIRECTORY_UNREADABLE', `there is no directory ${directory}${meant}`, {
    hint: `name the directory that holds the files, or make it: mkdir -p ${shellWord(directory)}`,
  });
}
