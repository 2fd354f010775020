import { join } from 'node:path';
import { DATABASE_LIMIT_BYTES, SIGNATURE_LIMIT_BYTES } from '../model/database.js';
import { SECRET } from '../disk/access.js';
import {
  listFolder,
  makeFolder,
  quietly,
  readBounded,
  removeDurably,
  removeTemporaries,
  writeDurably,
} from '../disk/files.js';

/** A database from the cache, with its signature. It is verified again each time. */
export interface KeptDatabase {
  readonly bytes: Buffer;
  readonly signature: Buffer;
}

/** Reads a database from the cache; null if the cache does not have all of it. */
export function readKept(folder: string, sha256: string): KeptDatabase | null {
  try {
    const bytes = readBounded(join(folder, `${sha256}.plist`), DATABASE_LIMIT_BYTES);
    const signature = readBounded(join(folder, `${sha256}.asc`), SIGNATURE_LIMIT_BYTES);
    return bytes === null || signature === null ? null : { bytes, signature };
  } catch {
    // An unreadable cache costs a download, nothing else.
    return null;
  }
}

/** Keeps a database in the cache, if there is one. If that fails, the next run downloads it again. */
export function keepDatabase(
  folder: string | null,
  sha256: string,
  { bytes, signature }: Readonly<Record<keyof KeptDatabase, Uint8Array | null>>,
): void {
  if (folder === null || bytes === null || signature === null) return;
  // A full disk or a read-only home must not refuse a good database.
  quietly(() => {
    makeFolder(folder);
    writeDurably(join(folder, `${sha256}.asc`), signature, { mode: SECRET });
    writeDurably(join(folder, `${sha256}.plist`), bytes, { mode: SECRET });
  });
}

/** Removes everything but these databases from the cache, and what killed runs left there. Never throws. */
export function forgetDatabases(folder: string, needed: ReadonlySet<string>): void {
  // Nothing depends on it.
  quietly(() => {
    removeTemporaries(folder);
    for (const name of listFolder(folder)) {
      const [sha256 = ''] = name.split('.');
      if (/^[0-9a-f]{64}\.(?:plist|asc)$/.test(name) && !needed.has(sha256))
        removeDurably(join(folder, name));
    }
  });
}
