import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { PacksignError } from '../errors.js';
import { readBounded } from '../disk/files.js';
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
    const bytes = readOnce(published, path);
    return bytes !== null && holdsSecretKey(bytes);
  } catch {
    return false;
  }
}

/** Published files are read once, through the value. A file that is too large for a key is not read. */
function readOnce(published: Published, path: string): Buffer | null {
  const file = join(published.directory, path);
  const stats = lstatSync(file);
  if (!stats.isFile() || stats.size > SECRET_LIMIT_BYTES) return null;
  if (isPublishedName(path)) return published.bytes(path);
  const sha256 = published.sha256();
  const isSignature = sha256 !== null && path === signaturePath(sha256);
  return isSignature ? published.signature() : readBounded(file, SECRET_LIMIT_BYTES);
}
