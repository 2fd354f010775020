import type { Database } from '../model/database.js';
import { draftShape } from './database-shape.js';
import { FOOTER, HEADER } from './plist.js';

const { write } = draftShape.at(1);

/** The canonical bytes of a database (docs/FORMAT.md §2), made from its values. `decodeDatabase` gives them back. */
export function encodeDatabase(database: Database): Buffer {
  return Buffer.from(HEADER + write(database) + FOOTER);
}
