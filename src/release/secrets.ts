import { closeSync, lstatSync, openSync, readFileSync } from 'node:fs';
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
    const stats = lstatSync(join(published.directory, path));
    if (!stats.isFile() || stats.size > SECRET_LIMIT_BYTES) return false;
    const bytes = bytesOf(published, path);
    return bytes !== null && holdsSecretKey(bytes);
  } catch {
    return false;
  }
}

/** Published files are read once, through the value. */
function bytesOf(published: Published, path: string): Buffer | null {
  if (isPublishedName(path)) return published.bytes(path);
  const sha256 = published.sha256();
  if (sha256 !== null && path === signaturePath(sha256)) return published.signature();
  const fd = openSync(join(published.directory, path), READ_FLAGS);
  try {
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}
