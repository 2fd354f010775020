import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { READ_FLAGS } from './files.js';

const LIMIT_BYTES = 1024 * 1024;
const ARMOR = /^-----BEGIN PGP PRIVATE KEY BLOCK-----[\t\r ]*$/m;

/**
 * Which of these files hold an armored secret key: a directory that is published must not (threat T19).
 * Paths are relative to the directory. A file that cannot be read cannot be published either.
 */
export function findSecrets(directory: string, paths: readonly string[]): readonly string[] {
  return paths.filter((path) => holdsSecret(join(directory, path)));
}

function holdsSecret(path: string): boolean {
  try {
    const fd = openSync(path, READ_FLAGS);
    try {
      const stats = fstatSync(fd);
      return stats.isFile() && stats.size <= LIMIT_BYTES && ARMOR.test(readFileSync(fd, 'latin1'));
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}
