import { chownSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PUBLIC, accessOf } from '../disk/access.js';
import { kindOf, makeFolder, quietly, writeDurably } from '../disk/files.js';
import { DATABASE_NAME } from '../model/layout.js';
import { orElse } from '../model/or-null.js';

/**
 * Writes a file that web servers read. It keeps the permissions, owner and group of the one that it replaces; a new file
 * gets those of the database, or else everybody may read it, whatever the umask (docs/FORMAT.md §1). Throws FILE_UNWRITABLE.
 */
export function writePublished(directory: string, name: string, bytes: Uint8Array): void {
  writeDurably(join(directory, name), bytes, { mode: PUBLIC, like: join(directory, DATABASE_NAME) });
}

/** Makes a folder of published files, and those above it: everybody may read them, whatever the umask. Throws FILE_UNWRITABLE. */
export function makePublishedFolder(directory: string, name: string): void {
  const path = join(directory, name);
  if (kindOf(path) === 'folder') return;
  if (dirname(name) !== '.') makePublishedFolder(directory, dirname(name));
  const back = setUmask(0o022);
  try {
    makeFolder(path);
  } finally {
    if (back !== null) setUmask(back);
  }
  // Only root can.
  quietly(() => {
    const { uid, gid } = accessOf(join(directory, DATABASE_NAME))?.owner ?? statSync(directory);
    chownSync(path, uid, gid);
  });
}

/** A `chmod` after a kill would be missing for ever. Null in a worker thread, which has no umask of its own. */
function setUmask(mask: number): number | null {
  return orElse(() => process.umask(mask), null);
}
