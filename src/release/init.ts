import { join } from 'node:path';
import { createFile, takeBackHalf } from '../disk/create.js';
import { kindOf, writeDurably } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { checkSettings } from '../format/settings.js';
import { SETTINGS_NAME } from '../model/layout.js';
import { requireDirectory } from './settings.js';

/** The answers to the first questions; null for one without an answer. */
export interface InitAnswers {
  readonly maintainer: string | null;
  readonly description: string | null;
  readonly baseUrl: string | null;
  readonly databaseUrl: string | null;
  readonly key: string | null;
}

/** Makes the checks of `init` before it asks its questions. Throws FILE_EXISTS, DIRECTORY_UNREADABLE. */
export function checkInit(directory: string, { force }: { force: boolean }): string {
  requireDirectory(directory);
  const path = join(directory, SETTINGS_NAME);
  takeBackHalf([path]);
  if (!force && kindOf(path) !== null) {
    throw new PacksignError('FILE_EXISTS', `${path} exists`, {
      hint: 'edit it, or overwrite it with --force',
    });
  }
  return path;
}

/** Writes a `packsign.json` and gives its path. Throws as `checkInit`, and SETTINGS_INVALID, FILE_UNWRITABLE. */
export function init(directory: string, answers: InitAnswers, { force }: { force: boolean }): string {
  const path = checkInit(directory, { force });
  const settings = Object.fromEntries(
    Object.entries({
      Maintainer: answers.maintainer,
      Description: answers.description ?? '',
      'Base-URL': answers.baseUrl,
      Database: answers.databaseUrl,
      Key: answers.key,
    }).filter(([, value]) => value !== null),
  );
  checkSettings(settings);
  const bytes = Buffer.from(`${JSON.stringify(settings, null, 2)}\n`);
  if (force) writeDurably(path, bytes);
  else createFile(path, bytes);
  return path;
}
