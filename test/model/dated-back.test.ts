import { expect, test } from 'vitest';
import { breaksIn, chainOf } from '../../src/model/chain.js';
import type { Withdrawal } from '../../src/model/database.js';
import { dateBefore, datedBack, isFromFuture } from '../../src/model/dated-back.js';
import { changeWithoutReason, defectOfHistory } from '../../src/model/history-rules.js';
import { HASH_A, HASH_B, HASH_C, archive, databaseOf, date } from './databases.js';

const NOW = date(10);
const seconds = (count: number) => new Date(NOW.getTime() + count * 1000);
const record = (sha256: string, until: Date, reason?: string): Withdrawal => ({
  SHA256: sha256,
  Until: until,
  ...(reason === undefined ? {} : { Reason: reason }),
});

// Under a clock a year ahead: a.zip got other bytes twice, was withdrawn, and came back.
const GOOD = databaseOf(
  { 'a.zip': archive(HASH_A), 'b.zip': archive(HASH_B) },
  { Issued: date(5), History: new Map([['c.zip', [record(HASH_C, date(4))]]]) },
);
const FUTURE = databaseOf(
  { 'a.zip': archive(HASH_B, { Since: date(379) }) },
  {
    Issued: date(380),
    History: new Map([
      ['a.zip', [record(HASH_A, date(375), 'x'), record(HASH_C, date(376), 'y'), record(HASH_B, date(377))]],
      ['b.zip', [record(HASH_B, date(375))]],
      ['c.zip', [record(HASH_C, date(4))]],
    ]),
  },
);

test('a database is from the future beyond the slack', () => {
  const at = (count: number) => databaseOf({}, { Issued: seconds(count) });
  expect([600, 601].map((count) => isFromFuture(at(count), NOW))).toEqual([false, true]);
});

test('it stays fresh for as long as before', () => {
  const back = datedBack(databaseOf({}, { Issued: date(380), Expires: date(390) }), NOW);
  expect(back.Packsign).toMatchObject({ Issued: NOW, Expires: date(20) });
});

test('records keep their order, a second apart, and all are dated after now', () => {
  const latest = dateBefore([FUTURE], NOW);
  expect(latest).toEqual(seconds(3));
  const { Files, Packsign } = datedBack(FUTURE, latest);
  expect(Packsign.Issued).toEqual(seconds(3));
  expect(Files.get('a.zip')?.Since).toEqual(seconds(3));
  expect(Packsign.History).toEqual(
    new Map([
      [
        'a.zip',
        [record(HASH_A, seconds(1), 'x'), record(HASH_C, seconds(2), 'y'), record(HASH_B, seconds(3))],
      ],
      ['b.zip', [record(HASH_B, seconds(3))]],
      ['c.zip', [record(HASH_C, date(4))]],
    ]),
  );
});

test('T33: it is sound, and continues the last database of a right clock', () => {
  const back = datedBack(FUTURE, dateBefore([FUTURE], NOW));
  expect([defectOfHistory(back), changeWithoutReason(back)]).toEqual([null, null]);
  expect(breaksIn(back, { issued: GOOD.Packsign.Issued, chain: chainOf(GOOD) })).toEqual([]);
});

test('without such records the next database is dated now', () => {
  expect(dateBefore([GOOD], NOW)).toEqual(NOW);
  expect(datedBack(GOOD, NOW)).toBe(GOOD);
});
