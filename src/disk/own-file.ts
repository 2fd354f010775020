import { PacksignError } from '../errors.js';
import { kindOf, readBounded } from './files.js';
import { notAFile } from './obstacle.js';

/** Reads a file of packsign's own, or null if there is none. Says what to do about a folder in its place. Throws FILE_UNREADABLE. */
export function readOwn(path: string, limitBytes: number, before: Buffer | null = null): Buffer | null {
  try {
    return readBounded(path, limitBytes, { before });
  } catch (error) {
    if (!(error instanceof PacksignError) || kindOf(path) !== 'folder') throw error;
    throw new PacksignError(error.code, error.message, { hint: notAFile(path), cause: error });
  }
}
