import { dirname, join } from 'node:path';
import { readBounded } from '../disk/files.js';
import type { ReadCodes } from '../disk/files.js';
import type { Place, Read } from './place.js';

/** The place of a database file, with the other files of its folder. Reading throws FILE_UNREADABLE and the code given. */
export function directoryPlace(database: string): Place {
  const nameOf = (path: string) => join(dirname(database), path);
  return {
    database,
    mayLag: false,
    nameOf,
    readDatabase: ({ limitBytes, tooLarge }) =>
      read(database, limitBytes, { misfit: 'DATABASE_MALFORMED', tooLarge }),
    readBeside: (path, { limitBytes, tooLarge }) =>
      read(nameOf(path), limitBytes, { misfit: tooLarge, tooLarge }),
  };
}

async function read(path: string, limitBytes: number, codes: ReadCodes): Promise<Read> {
  const bytes = await Promise.resolve().then(() => readBounded(path, limitBytes, { codes }));
  return bytes === null ? { kind: 'absent', isForbidden: false } : { kind: 'found', bytes, etag: null };
}
