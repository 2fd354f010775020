import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Database, History } from '../../src/model/database.js';
import { carryHistory, changedBytes, lostHistory, sinceOf } from '../../src/model/ledger.js';
import { HASH_A, HASH_B, HASH_C, archive, databaseOf, date } from './databases.js';

const NOBODY: ReadonlyMap<string, string> = new Map();

function carry(published: Database | null, hashes: Readonly<Record<string, string>>, allowed = NOBODY) {
  const archives = new Map(Object.entries(hashes).map(([path, hash]) => [path, archive(hash)]));
  return carryHistory(published, archives, { issued: date(9), allowed });
}

function listing(sha256: string, history: History = new Map()): Database {
  return databaseOf({ 'a.zip': archive(sha256) }, history.size === 0 ? {} : { History: history });
}

const reason = (text: string): ReadonlyMap<string, string> => new Map([['a.zip', text]]);

describe('History', () => {
  test('is empty for a first database, and unchanged while nothing is withdrawn', () => {
    expect(carry(null, { 'a.zip': HASH_A })).toEqual({ history: new Map(), warnings: [] });
    const history: History = new Map([['old.zip', [{ SHA256: HASH_C, Until: date(2) }]]]);
    expect(carry(listing(HASH_A, history), { 'a.zip': HASH_A }).history).toEqual(history);
  });

  test('gets withdrawn files, without a reason if none was given', () => {
    expect(carry(listing(HASH_A), {}).history).toEqual(
      new Map([['a.zip', [{ SHA256: HASH_A, Until: date(9) }]]]),
    );
    expect(carry(listing(HASH_A), {}, reason('leaks')).history).toEqual(
      new Map([['a.zip', [{ SHA256: HASH_A, Until: date(9), Reason: 'leaks' }]]]),
    );
  });

  test('gets changed files only with a reason; otherwise there is a warning', () => {
    const silent = carry(listing(HASH_A), { 'a.zip': HASH_B });
    expect([silent.history.size, silent.warnings]).toMatchObject([
      0,
      [{ code: 'BYTES_CHANGED', path: 'a.zip' }],
    ]);
    const told = carry(listing(HASH_A), { 'a.zip': HASH_B }, reason('rebuilt'));
    expect(told.warnings).toEqual([]);
    expect(told.history.get('a.zip')).toEqual([{ SHA256: HASH_A, Until: date(9), Reason: 'rebuilt' }]);
  });

  test('is in byte order of its paths', () => {
    const published = databaseOf({ b: archive(), a: archive(), Z: archive() });
    expect(Array.from(carry(published, {}).history.keys())).toEqual(['Z', 'a', 'b']);
  });

  test('a path that comes back', () => {
    const gone = databaseOf({}, { History: new Map([['a.zip', [{ SHA256: HASH_A, Until: date(2) }]]]) });
    expect(carry(gone, { 'a.zip': HASH_A }).warnings).toEqual([]);
    expect(carry(gone, { 'a.zip': HASH_B }).warnings).toMatchObject([{ code: 'BYTES_CHANGED' }]);
    expect(carry(gone, { 'a.zip': HASH_B }, reason('again')).history.get('a.zip')).toEqual([
      { SHA256: HASH_A, Until: date(2), Reason: 'again' },
    ]);
  });
});

describe('changedBytes', () => {
  const record = (sha256: string, more = {}) => ({ SHA256: sha256, Until: date(2), ...more });

  test('has nothing for a first database, or if bytes stay or are withdrawn', () => {
    expect(changedBytes(null, listing(HASH_A))).toEqual([]);
    expect(changedBytes(listing(HASH_A), listing(HASH_A))).toEqual([]);
    expect(changedBytes(listing(HASH_A), databaseOf({}))).toEqual([]);
  });

  test('other bytes count until a new record names the old ones', () => {
    expect(changedBytes(listing(HASH_A), listing(HASH_B))).toEqual(['a.zip']);
    const wrong: History = new Map([['a.zip', [record(HASH_C)]]]);
    expect(changedBytes(listing(HASH_A), listing(HASH_B, wrong))).toEqual(['a.zip']);
    const right: History = new Map([['a.zip', [record(HASH_A)]]]);
    expect(changedBytes(listing(HASH_A), listing(HASH_B, right))).toEqual([]);
  });

  test('an old record does not justify a second change', () => {
    // A was replaced by B, B by A; now A is to be replaced by C with nothing but the records of then.
    const then: History = new Map([
      ['a.zip', [record(HASH_A, { Reason: 'x' }), record(HASH_B, { Reason: 'y' })]],
    ]);
    expect(changedBytes(listing(HASH_A, then), listing(HASH_C, then))).toEqual(['a.zip']);
  });

  test('different bytes of a path that comes back count until the newest record has a new reason', () => {
    const gone: History = new Map([['a.zip', [record(HASH_A, { Reason: 'x' })]]]);
    const published = databaseOf({}, { History: gone });
    expect(changedBytes(published, listing(HASH_A, gone))).toEqual([]);
    expect(changedBytes(published, listing(HASH_B, gone))).toEqual(['a.zip']);
    const told: History = new Map([['a.zip', [record(HASH_A, { Reason: 'y' })]]]);
    expect(changedBytes(published, listing(HASH_B, told))).toEqual([]);
  });
});

test('lostHistory: History must only grow', () => {
  const history: History = new Map([['a.zip', [{ SHA256: HASH_A, Until: date(2) }]]]);
  const published = databaseOf({}, { History: history });
  expect(lostHistory(published, databaseOf({}, { History: history }))).toEqual([]);
  expect(lostHistory(published, databaseOf({}))).toEqual(['a.zip']);
  const other: History = new Map([['a.zip', [{ SHA256: HASH_B, Until: date(2) }]]]);
  expect(lostHistory(published, databaseOf({}, { History: other }))).toEqual(['a.zip']);
  expect(lostHistory(null, databaseOf({}))).toEqual([]);
});

test('sinceOf: the published date while the bytes are the same', () => {
  const listed = archive(HASH_A, { Since: date(3) });
  expect(sinceOf(listed, HASH_A, date(9))).toEqual(date(3));
  expect(sinceOf(listed, HASH_B, date(9))).toEqual(date(9));
  expect(sinceOf(undefined, HASH_A, date(9))).toEqual(date(9));
});

test('every change of a path gives a warning or a record, and no record is lost', () => {
  const step = fc.record({
    bytes: fc.constantFrom(HASH_A, HASH_B, HASH_C, null),
    reason: fc.constantFrom(null, 'x', 'y'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      let published: Database | null = null;
      for (const [day, { bytes, reason: given }] of steps.entries()) {
        const archives = new Map(bytes === null ? [] : [['a.zip', archive(bytes)]]);
        const allowed = given === null ? NOBODY : reason(`${given} ${day}`);
        const { history, warnings } = carryHistory(published, archives, { issued: date(day + 2), allowed });
        const next: Database = databaseOf(bytes === null ? {} : { 'a.zip': archive(bytes) }, {
          Issued: date(day + 2),
          History: history,
        });
        expect(changedBytes(published, next)).toEqual(warnings.map(({ path }) => path));
        expect(lostHistory(published, next)).toEqual([]);
        if (warnings.length === 0) published = next;
      }
    }),
  );
});
