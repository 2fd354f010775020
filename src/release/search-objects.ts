import { inParallel } from '../consume/parallel.js';
import { fileNameOf } from '../model/file-entry.js';
import { PUBLISHING_NAME, isOwnPath } from '../model/layout.js';
import { findSecret } from '../pgp/secret-material.js';
import type { Secret } from '../pgp/secret-packets.js';
import type { Objects } from '../places/objects.js';
import type { SearchedFiles } from './searched-files.js';

/** No key in a file of its own is larger. To fetch everything that nobody lists would cost more than it finds. */
const SMALL_BYTES = 64 * 1024;
/** Key rings may be. */
const KEYRING_BYTES = 1024 * 1024;
const LIKE_KEY = /key|secr|private|\.(?:asc|gpg|pgp|pem|p12|pfx|ppk|jks|kbx)$/i;

/**
 * Looks for secrets in objects that are not listed, once in each: in small ones, and in those with the names of key rings.
 * Throws DESTINATION_FAILED.
 */
export async function searchObjects(
  paths: readonly string[],
  objects: Objects,
  store: SearchedFiles,
): Promise<ReadonlyMap<string, Secret>> {
  const secrets = new Map<string, Secret>();
  await inParallel(paths, objects.concurrency, async (path) => {
    const identity = objects.identityOf(path);
    if (identity === null || !isWorthwhile(path, Number(identity.size)) || store.has(identity)) return;
    const bytes = await objects.read({ path, identity }, 0, Number(identity.size));
    // What was replaced meanwhile is another object in the next list.
    if (typeof bytes === 'string') return;
    const found = findSecret(Buffer.from(bytes));
    if (found === null) store.add(identity);
    else secrets.set(path, found);
  });
  return secrets;
}

/** What packsign itself publishes there is searched in the directory. */
function isWorthwhile(path: string, bytes: number): boolean {
  if (bytes === 0 || isOwnPath(path) || path === PUBLISHING_NAME) return false;
  return bytes <= SMALL_BYTES || (bytes <= KEYRING_BYTES && LIKE_KEY.test(fileNameOf(path)));
}
