import { describe, expect, test } from 'vitest';
import { breaksIn, chainOf, changedSince, newReasons } from '../../src/model/chain.js';
import type { Database, Withdrawal } from '../../src/model/database.js';
import type { FileEntry } from '../../src/model/file-entry.js';
import { changeWithoutReason, defectOfHistory } from '../../src/model/history-rules.js';
import { carryHistory, changedBytes, isOld, withoutOldRecords } from '../../src/model/ledger.js';
import { HASH_A, HASH_B, HASH_C, archive, databaseOf, date } from './databases.js';
import { updateOf } from '../../src/model/update.js';
import { compareFiles } from '../../src/model/file-difference.js';

type Files = Readonly<Record<string, FileEntry>>;
type Records = Readonly<Record<string, readonly Withdrawal[]>>;

const MUTABLE = { Mutable: true } as const;
const X = { 'x.zip': archive(HASH_C) };

function at(day: number, files: Files, records: Records = {}): Database {
  const History = new Map(Object.entries(records));
  return databaseOf(files, { Issued: date(day), ...(History.size === 0 ? {} : { History }) });
}

const record = (sha256: string, day: number, reason?: string): Withdrawal => ({
  SHA256: sha256,
  Until: date(day),
  ...(reason === undefined ? {} : { Reason: reason }),
});

/** Why a reader who accepted one database refuses the other; null if it takes it. */
function refusal(accepted: Database, next: Database): string | null {
  const path = changeWithoutReason(next);
  const defect = defectOfHistory(next) ?? (path === null ? null : `${path} changed without a reason`);
  if (defect !== null) return defect;
  const { Issued: issued } = accepted.Packsign;
  if (isOld(issued, next.Packsign.Issued)) return null;
  const breaks = breaksIn(next, { issued, chain: chainOf(accepted) });
  return breaks.length === 0 ? null : breaks.map(({ path, message }) => `${path} ${message}`).join('; ');
}

describe('T33: a reader who saw the first and then the last database', () => {
  const first = at(1, { ...X, 'a.zip': archive(HASH_A) });

  test.each<[string, Database, RegExp]>([
    ['a path that vanished without a record', at(2, X), /^a.zip is gone, and no record says so$/],
    ['and returned with other bytes', at(3, { ...X, 'a.zip': archive(HASH_B) }), /^a.zip has other bytes/],
    ['nine databases later', at(10, { ...X, 'a.zip': archive(HASH_B) }), /^a.zip has other bytes/],
    [
      'with a record planted into the time before',
      at(3, { ...X, 'a.zip': archive(HASH_B) }, { 'a.zip': [record(HASH_A, 1, 'x')] }),
      /^a.zip has other bytes/,
    ],
    [
      'with a record of bytes that were never there',
      at(3, { ...X, 'a.zip': archive(HASH_B) }, { 'a.zip': [record(HASH_C, 2, 'x')] }),
      /^a.zip has other bytes/,
    ],
    [
      'with a record that gives no reason',
      at(3, { ...X, 'a.zip': archive(HASH_B) }, { 'a.zip': [record(HASH_A, 2)] }),
      /^a.zip changed without a reason/,
    ],
    [
      'with a record dated ahead',
      at(3, { ...X, 'a.zip': archive(HASH_B) }, { 'a.zip': [record(HASH_A, 4, 'x')] }),
      /dated 2026-01-04T00:00:00Z, later than the database/,
    ],
    [
      'under the record of a path that differs in case',
      at(3, { ...X, 'a.zip': archive(HASH_B) }, { 'A.zip': [record(HASH_A, 2, 'x')] }),
      /^a.zip has other bytes/,
    ],
    [
      'a path turned mutable at once',
      at(2, { ...X, 'a.zip': archive(HASH_A, MUTABLE) }),
      /^a.zip may change from now on, and no record says so$/,
    ],
    [
      'with a record that gives no reason',
      at(2, { ...X, 'a.zip': archive(HASH_A, MUTABLE) }, { 'a.zip': [record(HASH_A, 2)] }),
      /^a.zip changed without a reason/,
    ],
    [
      'in two steps, the first of which withdraws it',
      at(3, { ...X, 'a.zip': archive(HASH_B, MUTABLE) }, { 'a.zip': [record(HASH_A, 2)] }),
      /^a.zip changed without a reason/,
    ],
    [
      'a twin by case without a reason',
      at(3, { ...X, 'A.zip': archive(HASH_B) }, { 'a.zip': [record(HASH_A, 2)] }),
      /^A.zip changed without a reason/,
    ],
    ['a twin by case without a record', at(2, { ...X, 'A.zip': archive(HASH_A) }), /^a.zip is gone/],
  ])('refuses %s', (_, next, why) => {
    expect(refusal(first, next)).toMatch(why);
  });

  test.each<[string, Database]>([
    ['the same', at(2, { ...X, 'a.zip': archive(HASH_A) })],
    ['one file more', at(2, { ...X, 'a.zip': archive(HASH_A), 'n.zip': archive(HASH_B) })],
    ['a withdrawal', at(2, X, { 'a.zip': [record(HASH_A, 2)] })],
    ['its return', at(3, { ...X, 'a.zip': archive(HASH_A) }, { 'a.zip': [record(HASH_A, 2)] })],
    ['a replacement', at(3, { ...X, 'a.zip': archive(HASH_B) }, { 'a.zip': [record(HASH_A, 2, 'x')] })],
    [
      'its return under another case',
      at(3, { ...X, 'A.zip': archive(HASH_A) }, { 'a.zip': [record(HASH_A, 2)] }),
    ],
    [
      'a change to mutable',
      at(2, { ...X, 'a.zip': archive(HASH_B, MUTABLE) }, { 'a.zip': [record(HASH_A, 2, 'x')] }),
    ],
  ])('takes %s', (_, next) => {
    expect(refusal(first, next)).toBeNull();
  });

  test('holds it to no bytes that may change', () => {
    const mutable = at(1, { ...X, 'a.zip': archive(HASH_A, MUTABLE) });
    for (const files of [
      X,
      { ...X, 'a.zip': archive(HASH_B, MUTABLE) },
      { ...X, 'a.zip': archive(HASH_B) },
    ]) {
      expect(refusal(mutable, at(2, files))).toBeNull();
    }
  });
});

describe('T33: records that a reader saw', () => {
  const first = at(3, X, { 'a.zip': [record(HASH_A, 2, 'leaks'), record(HASH_B, 3)] });

  test.each<[string, Records]>([
    ['vanished', {}],
    ['vanished in part', { 'a.zip': [record(HASH_B, 3)] }],
    ['have other bytes', { 'a.zip': [record(HASH_C, 2, 'leaks'), record(HASH_B, 3)] }],
    ['have another date', { 'a.zip': [record(HASH_A, 1, 'leaks'), record(HASH_B, 3)] }],
    ['have another reason', { 'a.zip': [record(HASH_A, 2, 'better'), record(HASH_B, 3)] }],
    ['got a reason', { 'a.zip': [record(HASH_A, 2, 'leaks'), record(HASH_B, 3, 'x')] }],
    ['moved to another path', { 'b.zip': [record(HASH_A, 2, 'leaks'), record(HASH_B, 3)] }],
  ])('are missed if they %s', (_, records) => {
    expect(refusal(first, at(4, X, records))).toMatch(/^a.zip its record of sha256 .* is gone or altered/);
  });

  test('are not missed once they are older than 730 days', () => {
    const day = 3 + 730;
    expect(refusal(first, at(day - 1, X, {}))).toMatch(/a.zip/);
    const seen = at(day - 1, X, { 'a.zip': [record(HASH_A, 2, 'leaks'), record(HASH_B, 3)] });
    expect(refusal(seen, at(day, X, { 'a.zip': [record(HASH_B, 3)] }))).toBeNull();
    expect(refusal(seen, at(day, X, {}))).toMatch(/^a.zip its record of sha256 b/);
    expect(refusal(seen, at(day + 1, X, {}))).toBeNull();
  });

  test('a reader who comes back after more than 730 days misses nothing, and learns what changed', () => {
    const old = at(1, { 'a.zip': archive(HASH_A), 'b.zip': archive(HASH_A) });
    const next = at(1 + 731, { 'a.zip': archive(HASH_B), 'b.zip': archive(HASH_A) });
    expect(refusal(old, next)).toBeNull();
    expect(changedSince(next, chainOf(old))).toEqual(['a.zip']);
    expect(refusal(old, at(1 + 730, { 'a.zip': archive(HASH_B) }))).toMatch(/a.zip has other bytes/);
  });

  test('new reasons of listed paths are news', () => {
    const next = at(
      5,
      { ...X, 'a.zip': archive(HASH_C) },
      {
        'a.zip': [record(HASH_A, 2, 'leaks'), record(HASH_B, 3), record(HASH_B, 5, 'rebuilt')],
        'z.zip': [record(HASH_A, 5, 'gone')],
      },
    );
    expect(newReasons(next, chainOf(first))).toEqual([
      { code: 'FILE_REPLACED', path: 'a.zip', message: 'its maintainer changed it: rebuilt' },
    ]);
    expect(newReasons(next, chainOf(next))).toEqual([]);
  });
});

/** A maintainer who does everything that maintainers do; always the same, by a seed. */
function maintain(count: number, seed: number): readonly Database[] {
  let state = seed;
  const random = (below: number) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * below);
  };
  const hash = () => Array.from({ length: 64 }, () => random(16).toString(16)).join('');
  const names = ['a', 'b', 'C', 'c', 'd', 'E', 'e', 'f'].map((name) => `${name}-1.0.zip`);
  const rows: Database[] = [];
  let day = 1;
  let published: Database | null = null;
  const shelf = new Map<string, string>();
  for (let index = 0; index < count; index += 1) {
    day += 1 + random(random(20) === 0 ? 200 : 3);
    const files = new Map<string, FileEntry>(published?.Files);
    for (let change = 0; change < 3; change += 1) {
      const name = names[random(names.length)] ?? '';
      const twin = Array.from(files.keys()).find(
        (one) => one !== name && one.toLowerCase() === name.toLowerCase(),
      );
      if (twin !== undefined) files.delete(twin);
      if (random(4) === 0) files.delete(name);
      else {
        const bytes = random(2) === 0 ? (shelf.get(name.toLowerCase()) ?? hash()) : hash();
        shelf.set(name.toLowerCase(), bytes);
        files.set(name, archive(bytes, random(3) === 0 ? MUTABLE : {}));
      }
    }
    const allowed = new Map(names.map((name) => [name, `reason of day ${day}`]));
    const { history, warnings } = carryHistory(published, files, {
      issued: date(day),
      allowed,
      difference: compareFiles(published?.Files, files),
    });
    expect(warnings).toEqual([]);
    const next: Database = withoutOldRecords(
      databaseOf(Object.fromEntries(files), { Issued: date(day), History: history }),
    );
    expect(changedBytes(updateOf(published, next))).toEqual([]);
    published = next;
    rows.push(next);
  }
  return rows;
}

describe('an honest row of 200 databases', () => {
  test.each([1, 2, 3, 4, 5])('is accepted, also by a reader who skips some (row %i)', (seed) => {
    const rows = maintain(200, seed);
    for (const step of [1, 2, 11, 101]) {
      for (let index = step; index < rows.length; index += 1) {
        expect(refusal(rows[index - step]!, rows[index]!)).toBeNull();
      }
    }
  });
});
