import { describe, expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import { encodeDatabase } from '../../src/format/encode-database.js';
import { encodeChain } from '../../src/format/chain.js';
import { chainOf } from '../../src/model/chain.js';
import type { Database } from '../../src/model/database.js';
import type { FileEntry } from '../../src/model/file-entry.js';
import { carryHistory, withoutOldRecords } from '../../src/model/ledger.js';
import { archive, databaseOf, date } from './databases.js';
import { compareFiles } from '../../src/model/file-difference.js';

const DAYS = 3650;
const FILES = 20;
/** Days from one database to the next. One takes minutes, and says what it is about in full: NIGHTLY_STEP=1. */
const STEP = Number(process.env['NIGHTLY_STEP'] ?? 10);

/** The last of ten years of nightly databases. */
function nightly(nameOf: (day: number, file: number) => string, more: Partial<FileEntry>): Database {
  let published: Database | null = null;
  for (let day = STEP; day <= DAYS; day += STEP) {
    const files = new Map<string, FileEntry>();
    for (let file = 0; file < FILES; file += 1) {
      const hash = (day * FILES + file).toString(16).padStart(64, '0');
      files.set(nameOf(day, file), archive(hash, { ...more, Since: date(day) }));
    }
    const { history, warnings } = carryHistory(published, files, {
      issued: date(day),
      allowed: new Map(),
      difference: compareFiles(published?.Files, files),
    });
    expect(warnings).toEqual([]);
    const entries = Object.fromEntries(Array.from(files).sort(([a], [b]) => (a < b ? -1 : 1)));
    const History = history.size === 0 ? {} : { History: history };
    published = withoutOldRecords(databaseOf(entries, { Issued: date(day), ...History }));
  }
  return published!;
}

function sizes(database: Database): { readonly database: number; readonly store: number } {
  const bytes = encodeDatabase(database);
  expect(decodeDatabase(bytes)).toEqual(database);
  return { database: bytes.length, store: Buffer.byteLength(encodeChain(chainOf(database))) };
}

describe(`ten years of builds every ${STEP} days, ${FILES} files each`, () => {
  test('under new names, the old ones withdrawn: the records of 730 days', () => {
    const database = nightly((day, file) => `nightly-${day}/lantern-${file}.tar.gz`, {});
    const { History } = database.Packsign;
    expect(History?.size).toBe((730 / STEP + 1) * FILES);
    const found = sizes(database);
    console.log('withdrawn:', found);
    expect(found.database).toBeLessThan(6e6);
    expect(found.store).toBeLessThan(2.5e6);
  });

  test('under names that are mutable: no records at all', () => {
    const database = nightly((_, file) => `nightly/lantern-${file}.tar.gz`, { Mutable: true });
    expect(database.Packsign.History).toBeUndefined();
    const found = sizes(database);
    console.log('mutable:', found);
    expect(found.database).toBeLessThan(20_000);
    expect(found.store).toBe(4);
  });
});
