import type { Database } from '../model/database.js';
import { draftShape } from './database-shape.js';
import { FOOTER, HEADER } from './plist.js';

const lines = draftShape.at(1);

/** More than nearly all entries take. What is not written to takes no memory. */
const ENTRY_BYTES = 1024;
const HEAD_BYTES = 64 * 1024;

/** The canonical bytes of a database (docs/FORMAT.md §2), made from its values. `decodeDatabase` gives them back. */
export function encodeDatabase(database: Database): Buffer {
  let bytes = Buffer.allocUnsafe(HEAD_BYTES + ENTRY_BYTES * (database.Files.size + database.Packages.length));
  let used = 0;
  const put = (piece: string): void => {
    const end = used + Buffer.byteLength(piece);
    if (end > bytes.length) bytes = Buffer.concat([bytes.subarray(0, used)], 2 * end);
    used += bytes.write(piece, used);
  };
  put(HEADER);
  lines.writePieces?.(database, put);
  put(FOOTER);
  return bytes.subarray(0, used);
}
