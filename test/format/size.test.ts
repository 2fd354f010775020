import { expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import { encodeDatabase } from '../../src/format/encode-database.js';
import { FILE_LIMIT } from '../../src/model/file-entry.js';
import type { FileEntry } from '../../src/model/file-entry.js';
import type { Database } from '../../src/model/database.js';

const ISSUED = new Date('2026-11-22T14:05:09Z');

/** As many archives as a database may list, each with its package. */
function largest(): Database {
  const numbers = Array.from({ length: FILE_LIMIT }, (_, index) => String(index).padStart(6, '0'));
  const identity = (number: string) => ({ Name: `p${number}`, Version: '1.0', Flavor: 'source' });
  const archive = (number: string): FileEntry => ({
    ...identity(number),
    Size: 1,
    SHA256: number.padStart(64, '0'),
    Since: ISSUED,
  });
  return {
    Version: '0.5',
    Description: '',
    Packages: numbers.map((number) => ({
      ...identity(number),
      Description: 'x',
      'Download-URL': `p${number}-1.0.zip`,
      'Install-test': '',
    })),
    Files: new Map(numbers.map((number) => [`p${number}-1.0.zip`, archive(number)])),
    Packsign: { Format: 1, Issued: ISSUED },
  };
}

test('a database with the most files allowed is written and read back', () => {
  const database = largest();
  const bytes = encodeDatabase(database);
  const back = decodeDatabase(bytes);
  expect(back.Packages).toHaveLength(FILE_LIMIT);
  expect(back.Files.size).toBe(FILE_LIMIT);
  expect(encodeDatabase(back).equals(bytes)).toBe(true);
});
