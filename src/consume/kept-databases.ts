import { join } from 'node:path';
import { DATABASE_LIMIT_BYTES, SIGNATURE_LIMIT_BYTES } from '../model/database.js';
import { listFolder, makeFolder, readBounded, removeDurably, writeDurably } from '../disk/files.js';

/** A database that was fetched once, with its signature: verified anew each time it is used. */
export interface KeptDatabase {
  readonly bytes: Buffer;
  readonly signature: Buffer;
}

interface KeptBytes {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** What is kept of a database under the address that it was fetched from; null where there is nothing whole. */
export function readKept(folder: string, sha256: string): KeptDatabase | null {
  try {
    const bytes = readBounded(join(folder, `${sha256}.plist`), DATABASE_LIMIT_BYTES);
    const signature = readBounded(join(folder, `${sha256}.asc`), SIGNATURE_LIMIT_BYTES);
    return bytes === null || signature === null ? null : { bytes, signature };
  } catch {
    // A cache that cannot be read costs a download, nothing else.
    return null;
  }
}

/** Keeps a database in place of the one before it. What cannot be kept is fetched again. */
export function keepDatabase(folder: string, sha256: string, { bytes, signature }: KeptBytes): void {
  try {
    makeFolder(folder);
    writeDurably(join(folder, `${sha256}.asc`), signature, { mode: 0o600 });
    writeDurably(join(folder, `${sha256}.plist`), bytes, { mode: 0o600 });
  } catch {
    // A full disk or a read-only home is no reason to refuse a good database.
  }
}

/** Removes what none of these databases needs any more. */
export function forgetDatabases(folder: string, needed: ReadonlySet<string>): void {
  try {
    for (const name of listFolder(folder)) {
      const [sha256 = ''] = name.split('.');
      if (/^[0-9a-f]{64}\.(?:plist|asc)$/.test(name) && !needed.has(sha256))
        removeDurably(join(folder, name));
    }
  } catch {
    // It is in nobody's way.
  }
}
