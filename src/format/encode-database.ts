import type { Database } from '../model/database.js';
import { draftShape } from './database-shape.js';
import { FOOTER, HEADER } from './plist.js';

const { write, writePieces = (database: Database) => [write(database)] } = draftShape.at(1);

/** The canonical bytes of a database (docs/FORMAT.md §2), made from its values. `decodeDatabase` gives them back. */
export function encodeDatabase(database: Database): Buffer {
  const pieces = [HEADER, ...writePieces(database), FOOTER];
  const bytes = Buffer.allocUnsafe(pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0));
  let at = 0;
  for (const piece of pieces) at += bytes.write(piece, at);
  return bytes;
}
