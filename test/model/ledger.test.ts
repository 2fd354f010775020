import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { breaksIn, chainOf } from '../../src/model/chain.js';
import type { Database, History, Withdrawal } from '../../src/model/database.js';
import type { FileEntry } from '../../src/model/file-entry.js';
import { changeWithoutReason, defectOfHistory } from '../../src/model/history-rules.js';
import {
  carryHistory,
  isOld,
  changedBytes,
  lostHistory,
  sinceOf,
  withoutOldRecords,
} from '../../src/model/ledger.js';
import { HASH_A, HASH_B, HASH_C, archive, databaseOf, date } from './databases.js';
import { updateOf } from '../../src/model/update.js';
import { compareFiles } from '../../src/model/file-difference.js';

const NOBODY: ReadonlyMap<string, string> = new Map();

function carry(published: Database | null, hashes: Readonly<Record<string, string>>, allowed = NOBODY) {
  const archives = new Map(Object.entries(hashes).map(([path, hash]) => [path, archive(hash)]));
  return carryHistory(published, archives, {
    issued: date(9),
    allowed,
    difference: compareFiles(published?.Files, archives),
  });
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
      { SHA256: HASH_A, Until: date(2) },
      { SHA256: HASH_A, Until: date(9), Reason: 'again' },
    ]);
  });
});

describe('files that change by design', () => {
  const mutable = { Mutable: true } as const;
  const fileOf = (hash: string, more = {}) => new Map([['a.zip', archive(hash, more)]]);
  const next = (published: Database, files: ReadonlyMap<string, FileEntry>, allowed = NOBODY) =>
    carryHistory(published, files, {
      issued: date(9),
      allowed,
      difference: compareFiles(published.Files, files),
    });

  test('change, come and go without a reason and without a record', () => {
    const before = databaseOf({ 'a.zip': archive(HASH_A, mutable) });
    for (const files of [fileOf(HASH_B, mutable), fileOf(HASH_A), fileOf(HASH_B), new Map<string, never>()]) {
      expect(next(before, files)).toEqual({ history: new Map(), warnings: [] });
    }
  });

  test('a final file becomes one only with a reason, also with the same bytes', () => {
    expect(next(listing(HASH_A), fileOf(HASH_A, mutable)).warnings).toMatchObject([
      { code: 'BYTES_CHANGED', path: 'a.zip' },
    ]);
    const told = next(listing(HASH_A), fileOf(HASH_A, mutable), reason('nightly now'));
    expect(told.warnings).toEqual([]);
    expect(told.history.get('a.zip')).toEqual([{ SHA256: HASH_A, Until: date(9), Reason: 'nightly now' }]);
  });

  test('nor does one that was withdrawn without a reason become one silently', () => {
    const gone = (more: object) =>
      databaseOf({}, { History: new Map([['a.zip', [{ SHA256: HASH_A, Until: date(2), ...more }]]]) });
    expect(next(gone({}), fileOf(HASH_A, mutable)).warnings).toHaveLength(1);
    expect(next(gone({ Reason: 'x' }), fileOf(HASH_B, mutable)).warnings).toEqual([]);
  });
});

describe('a path that differs only in case from a former one', () => {
  const published = databaseOf({}, { History: new Map([['a.zip', [{ SHA256: HASH_A, Until: date(2) }]]]) });
  const twin = (hash: string, more = {}) => new Map([['A.zip', archive(hash, more)]]);
  const next = (before: Database, files: ReadonlyMap<string, FileEntry>, allowed = NOBODY) =>
    carryHistory(before, files, { issued: date(9), allowed, difference: compareFiles(before.Files, files) });

  test('is that path coming back', () => {
    expect(next(published, twin(HASH_A)).warnings).toEqual([]);
    expect(next(published, twin(HASH_B)).warnings).toMatchObject([{ code: 'BYTES_CHANGED', path: 'A.zip' }]);
    expect(next(published, twin(HASH_A, { Mutable: true })).warnings).toHaveLength(1);
  });

  test.each(['a.zip', 'A.zip'])('whose reason may be given for %s', (path) => {
    const { history, warnings } = next(published, twin(HASH_B), new Map([[path, 'renamed']]));
    expect(warnings).toEqual([]);
    expect(history.get('a.zip')?.at(-1)).toEqual({ SHA256: HASH_A, Until: date(9), Reason: 'renamed' });
  });

  test('also where the former path is withdrawn by the same database', () => {
    expect(next(listing(HASH_A), twin(HASH_A)).warnings).toEqual([]);
    expect(next(listing(HASH_A), twin(HASH_B)).warnings).toMatchObject([{ path: 'A.zip' }]);
  });
});

describe('changedBytes', () => {
  const record = (sha256: string, more = {}) => ({ SHA256: sha256, Until: date(9), ...more });
  const after = (database: Database): Database => ({
    ...database,
    Packsign: { ...database.Packsign, Issued: date(9) },
  });

  test('has nothing for a first database, or if bytes stay or are withdrawn', () => {
    expect(changedBytes(updateOf(null, listing(HASH_A)))).toEqual([]);
    expect(changedBytes(updateOf(listing(HASH_A), after(listing(HASH_A))))).toEqual([]);
    expect(changedBytes(updateOf(listing(HASH_A), after(databaseOf({}))))).toEqual([]);
  });

  test('other bytes count until a new record of this date names the old ones, with a reason', () => {
    const changed = (...records: Withdrawal[]) =>
      changedBytes(updateOf(listing(HASH_A), after(listing(HASH_B, new Map([['a.zip', records]])))));
    expect(changed()).toEqual(['a.zip']);
    expect(changed(record(HASH_C, { Reason: 'x' }))).toEqual(['a.zip']);
    expect(changed(record(HASH_A))).toEqual(['a.zip']);
    expect(changed(record(HASH_A, { Reason: 'x', Until: date(8) }))).toEqual(['a.zip']);
    expect(changed(record(HASH_A, { Reason: 'x' }))).toEqual([]);
  });

  test('bytes that may change from now on count as well', () => {
    const mutable = after(databaseOf({ 'a.zip': archive(HASH_A, { Mutable: true }) }));
    expect(changedBytes(updateOf(listing(HASH_A), mutable))).toEqual(['a.zip']);
  });

  test('an old record does not justify a second change', () => {
    // A was replaced by B, B by A; now A is to be replaced by C with nothing but the records of then.
    const then: History = new Map([
      [
        'a.zip',
        [record(HASH_A, { Until: date(2), Reason: 'x' }), record(HASH_B, { Until: date(3), Reason: 'y' })],
      ],
    ]);
    expect(changedBytes(updateOf(listing(HASH_A, then), after(listing(HASH_C, then))))).toEqual(['a.zip']);
  });

  test('different bytes of a path that comes back count until a new record has a reason', () => {
    const gone: History = new Map([['a.zip', [record(HASH_A, { Until: date(2), Reason: 'x' })]]]);
    const published = databaseOf({}, { History: gone });
    expect(changedBytes(updateOf(published, after(listing(HASH_A, gone))))).toEqual([]);
    expect(changedBytes(updateOf(published, after(listing(HASH_B, gone))))).toEqual(['a.zip']);
    const altered: History = new Map([['a.zip', [record(HASH_A, { Until: date(2), Reason: 'y' })]]]);
    expect(changedBytes(updateOf(published, after(listing(HASH_B, altered))))).toEqual(['a.zip']);
    const told: History = new Map([['a.zip', [...gone.get('a.zip')!, record(HASH_A, { Reason: 'y' })]]]);
    expect(changedBytes(updateOf(published, after(listing(HASH_B, told))))).toEqual([]);
  });
});

describe('lostHistory: History must only grow', () => {
  const first = { SHA256: HASH_A, Until: date(2) };
  const published = databaseOf({}, { History: new Map([['a.zip', [first]]]) });
  const after = (...records: Withdrawal[]) =>
    lostHistory(
      updateOf(published, databaseOf({}, { History: new Map([['a.zip', records]]), Issued: date(9) })),
    );

  test.each<[string, readonly Withdrawal[], readonly string[]]>([
    ['as it was', [first], []],
    ['gone', [], ['a.zip']],
    ['with other bytes', [{ ...first, SHA256: HASH_B }], ['a.zip']],
    ['with another date', [{ ...first, Until: date(1) }], ['a.zip']],
    ['with a reason that came later', [{ ...first, Reason: 'x' }], ['a.zip']],
    ['with one that nothing explains', [first, { ...first, Until: date(9), Reason: 'x' }], ['a.zip']],
  ])('a record %s', (_, records, lost) => {
    expect(after(...records)).toEqual(lost);
  });

  test('is not asked of a first database', () => {
    expect(lostHistory(updateOf(null, databaseOf({})))).toEqual([]);
  });
});

describe('old records', () => {
  const DAY = 24 * 60 * 60 * 1000;
  const issued = date(1);
  const agedRecord = (days: number) => ({ SHA256: HASH_A, Until: new Date(issued.getTime() - days * DAY) });
  const aged = (files: Readonly<Record<string, FileEntry>>) =>
    databaseOf(files, { Issued: issued, History: new Map([['a.zip', [agedRecord(731), agedRecord(730)]]]) });

  test('go after 730 days, if their path is not listed', () => {
    const kept = withoutOldRecords(aged({}));
    expect(kept.Packsign.History).toEqual(new Map([['a.zip', [agedRecord(730)]]]));
    expect(withoutOldRecords(aged({ 'a.zip': archive(HASH_A) }))).toEqual(aged({ 'a.zip': archive(HASH_A) }));
    expect(lostHistory(updateOf(aged({}), kept))).toEqual([]);
  });

  test('may not go earlier, nor for a listed path', () => {
    const without = (files: Readonly<Record<string, FileEntry>>) =>
      databaseOf(files, { Issued: issued, History: new Map([['a.zip', []]]) });
    expect(lostHistory(updateOf(aged({}), without({})))).toEqual(['a.zip']);
    const listed = { 'a.zip': archive(HASH_A) };
    const history = new Map([['a.zip', [agedRecord(730)]]]);
    expect(
      lostHistory(updateOf(aged(listed), databaseOf(listed, { Issued: issued, History: history }))),
    ).toEqual(['a.zip']);
  });
});

test('sinceOf: the published date while the bytes are the same', () => {
  const listed = archive(HASH_A, { Since: date(3) });
  expect(sinceOf(listed, HASH_A, date(9))).toEqual(date(3));
  expect(sinceOf(listed, HASH_B, date(9))).toEqual(date(9));
  expect(sinceOf(undefined, HASH_A, date(9))).toEqual(date(9));
});

test('every change of a path gives a warning or a record, no record is lost, and readers take the result', () => {
  const file = fc.record({
    path: fc.constantFrom('a.zip', 'A.zip', 'b.zip'),
    bytes: fc.constantFrom(HASH_A, HASH_B, HASH_C, null),
    isMutable: fc.boolean(),
  });
  const step = fc.record({
    files: fc.array(file, { maxLength: 2 }),
    reasons: fc.subarray(['a.zip', 'A.zip', 'b.zip']),
    days: fc.constantFrom(1, 1, 400),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      let published: Database | null = null;
      let day = 1;
      for (const { files: wanted, reasons, days } of steps) {
        day += days;
        const entries = wanted.flatMap(({ path, bytes, isMutable }) =>
          bytes === null ? [] : [[path, archive(bytes, isMutable ? { Mutable: true } : {})] as const],
        );
        const files = new Map(
          entries.filter(([path]) => path !== 'A.zip' || !entries.some(([one]) => one === 'a.zip')),
        );
        const allowed = new Map(reasons.map((path) => [path, `day ${day}`]));
        const { history, warnings } = carryHistory(published, files, {
          issued: date(day),
          allowed,
          difference: compareFiles(published?.Files, files),
        });
        const next = withoutOldRecords(
          databaseOf(Object.fromEntries(files), { Issued: date(day), History: history }),
        );
        expect([...new Set(warnings.map(({ path }) => path))].sort()).toEqual(
          [...changedBytes(updateOf(published, next))].sort(),
        );
        if (warnings.length > 0) continue;
        expect(lostHistory(updateOf(published, next))).toEqual([]);
        expect([defectOfHistory(next), changeWithoutReason(next)]).toEqual([null, null]);
        const accepted = published;
        if (accepted !== null) {
          const { Issued: issued } = accepted.Packsign;
          expect(
            isOld(issued, next.Packsign.Issued) ? [] : breaksIn(next, { issued, chain: chainOf(accepted) }),
          ).toEqual([]);
        }
        published = next;
      }
    }),
    { numRuns: 2000 },
  );
});
