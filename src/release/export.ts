import { join } from 'node:path';
import { PacksignError } from '../errors.js';
import type { FileEntry } from '../model/file-entry.js';
import { STATE_FOLDER } from '../model/layout.js';
import { readPublished } from '../published/read.js';

export interface ExportedDatabase {
  readonly database: string | null;
  readonly sha256: string;
  readonly issued: Date;
  readonly expires: Date | null;
  /** In byte order of the paths. */
  readonly files: readonly (FileEntry & { readonly path: string })[];
}

/**
 * The files that the published database lists, for other tools. Verifies the database against the directory's own
 * `keys.asc` first. Throws NOT_PUBLISHED, PREVIOUS_INVALID, FOREIGN_DATABASE.
 */
export async function exportDatabase(directory: string): Promise<ExportedDatabase> {
  const signed = await readPublished(directory, join(directory, STATE_FOLDER)).verified();
  if (signed === null) {
    throw new PacksignError('NOT_PUBLISHED', `nothing is published in ${directory}`, {
      hint: 'publish it first: packsign build DIRECTORY --key FILE',
    });
  }
  const { Files, Packsign } = signed.database;
  return {
    database: Packsign.Database ?? null,
    sha256: signed.content.sha256(),
    issued: Packsign.Issued,
    expires: Packsign.Expires ?? null,
    files: Array.from(Files, ([path, file]) => ({ path, ...file })),
  };
}
