import { closeSync, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PacksignError } from '../errors.js';
import { READ_FLAGS } from '../disk/files.js';
import { signaturePath } from '../model/layout.js';
import { SECRET_LIMIT_BYTES, holdsSecretKey } from '../pgp/secret-material.js';
import type { Published } from '../published/published.js';
import { isPublishedName } from '../published/read.js';

/**
 * Refuses a directory in which one of these files holds an armored secret key: it must never be published (threat T19).
 * Paths are relative to the directory. A file that cannot be read cannot be published either. Throws SECRET_IN_DIRECTORY.
 */
export function refuseSecrets(published: Published, paths: readonly string[]): void {
  const secrets = paths.filter((path) => holdsSecret(published, path));
  if (secrets.length === 0) return;
  throw new PacksignError(
    'SECRET_IN_DIRECTORY',
    `there is a secret key in the directory: ${secrets.join(', ')}`,
    { hint: 'move it to a place that is never published' },
  );
}

function holdsSecret(published: Published, path: string): boolean {
  try {
    const bytes = isOfPublication(published, path) ? readOnce(published, path) : readSmall(published, path);
    return bytes !== null && holdsSecretKey(bytes);
  } catch {
    return false;
  }
}

function isOfPublication(published: Published, path: string): boolean {
  if (isPublishedName(path)) return true;
  const sha256 = published.sha256();
  return sha256 !== null && path === signaturePath(sha256);
}

/** Published files are read once, through the value; a database that is too large for a key not at all. */
function readOnce(published: Published, path: string): Buffer | null {
  const stats = lstatSync(join(published.directory, path));
  if (!stats.isFile() || stats.size > SECRET_LIMIT_BYTES) return null;
  return isPublishedName(path) ? published.bytes(path) : published.signature();
}

function readSmall({ directory }: Published, path: string): Buffer | null {
  const fd = openSync(join(directory, path), READ_FLAGS);
  try {
    const stats = fstatSync(fd);
    return stats.isFile() && stats.size <= SECRET_LIMIT_BYTES ? readFileSync(fd) : null;
  } finally {
    closeSync(fd);
  }
}
