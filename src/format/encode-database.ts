import type { Database } from '../model/database.js';
import { draftShape } from './database-shape.js';
import { divide } from './entry-blocks.js';
import type { Block } from './entry-blocks.js';
import { FOOTER, HEADER } from './plist.js';
import type { EntryList } from './shape.js';

const lines = draftShape.at(1);

/** More than nearly all entries take. What is not written to takes no memory. */
const ENTRY_BYTES = 1024;
const HEAD_BYTES = 64 * 1024;

/** A database that was written, with what makes it faster to write the next one. */
export interface DatabaseWritten {
  readonly bytes: Buffer;
  /** Where its entries stand. */
  readonly blocks: Readonly<Record<EntryList, readonly Block[]>>;
}

/** The canonical bytes of a database (docs/FORMAT.md §2), made from its values. `decodeDatabase` gives them back. */
export function encodeDatabase(database: Database): Buffer {
  return writeDatabase(database).bytes;
}

/** The same. What this process has `written` of entries that are the same objects, it takes from there. */
export function writeDatabase(database: Database, written: DatabaseWritten | null = null): DatabaseWritten {
  let bytes = Buffer.allocUnsafe(HEAD_BYTES + ENTRY_BYTES * (database.Files.size + database.Packages.length));
  let used = 0;
  const blocks: Record<EntryList, Block[]> = { Packages: [], Files: [] };
  const reserve = (length: number) => {
    if (used + length > bytes.length) bytes = Buffer.concat([bytes.subarray(0, used)], 2 * (used + length));
  };
  const put = (text: string): void => {
    reserve(Buffer.byteLength(text));
    used += bytes.write(text, used);
  };
  put(HEADER);
  lines.writePieces?.(database, {
    put,
    putEntries: (list, members, write) => {
      for (const { entries, block } of divide(members, written?.blocks[list] ?? [])) {
        const start = used;
        if (written === null || block === null) put(entries.map(write).join(''));
        else {
          reserve(block.end - block.start);
          used += written.bytes.copy(bytes, used, block.start, block.end);
        }
        blocks[list].push({ entries, start, end: used });
      }
    },
  });
  put(FOOTER);
  return { bytes: bytes.subarray(0, used), blocks };
}
