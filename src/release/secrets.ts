import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PacksignError } from '../errors.js';
import { READ_FLAGS } from '../disk/files.js';
import { SECRET_LIMIT_BYTES, holdsSecretKey } from '../pgp/secret-material.js';

/**
 * Refuses a directory in which one of these files holds an armored secret key: what is published must not (threat T19).
 * Paths are relative to the directory. A file that cannot be read cannot be published either. Throws SECRET_IN_DIRECTORY.
 */
export function refuseSecrets(directory: string, paths: readonly string[]): void {
  const secrets = paths.filter((path) => holdsSecret(join(directory, path)));
  if (secrets.length === 0) return;
  throw new PacksignError(
    'SECRET_IN_DIRECTORY',
    `a secret key lies in the directory: ${secrets.join(', ')}`,
    { hint: 'move it to a place that is never published' },
  );
}

function holdsSecret(path: string): boolean {
  try {
    const fd = openSync(path, READ_FLAGS);
    try {
      const stats = fstatSync(fd);
      return stats.isFile() && stats.size <= SECRET_LIMIT_BYTES && holdsSecretKey(readFileSync(fd));
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}
