import { describe, expect, test } from 'vitest';
import { isRefreshDue, nextIssued, refuseChangedBytes, refuseStaleBuild } from '../../src/model/policy.js';
import { HASH_A, HASH_B, archive, databaseOf, date } from './databases.js';
import { updateOf } from '../../src/model/update.js';

const code = (name: string) => expect.objectContaining({ code: name }) as Error;
const seconds = (from: Date, count: number) => new Date(from.getTime() + count * 1000);

describe('nextIssued', () => {
  const last = date(5);

  test('is now in whole seconds, or one second after the last', () => {
    expect(nextIssued(null, new Date(date(5).getTime() + 999))).toEqual(date(5));
    expect(nextIssued(last, seconds(date(5), 7))).toEqual(seconds(date(5), 7));
    expect(nextIssued(last, date(5))).toEqual(seconds(date(5), 1));
    expect(nextIssued(last, seconds(date(5), -299))).toEqual(seconds(date(5), 1));
  });

  test('CLOCK_BEHIND: never more than five minutes ahead of the clock', () => {
    expect(() => nextIssued(last, seconds(date(5), -300))).toThrow(code('CLOCK_BEHIND'));
    expect(() => nextIssued(last, date(4))).toThrow(code('CLOCK_BEHIND'));
  });
});

test('isRefreshDue: when a third of the validity or less is left', () => {
  const dates = { Issued: date(1), Expires: date(31) };
  expect(isRefreshDue(dates, seconds(date(21), -1))).toBe(false);
  expect(isRefreshDue(dates, date(21))).toBe(true);
  expect(isRefreshDue(dates, date(40))).toBe(true);
  expect(isRefreshDue({ Issued: date(1) }, new Date('9999-01-01'))).toBe(false);
});

describe('refuseChangedBytes', () => {
  test('says both hashes, sizes and dates, and what to type', () => {
    const published = databaseOf({ 'a.zip': archive(HASH_A, { Size: 5 }) });
    const error = caught(() =>
      refuseChangedBytes(updateOf(published, databaseOf({ 'a.zip': archive(HASH_B) }))),
    );
    expect(error.message).toContain(`was sha256 ${HASH_A}, 5 bytes, since 2026-01-01T00:00:00Z`);
    expect(error.message).toContain(`is  sha256 ${HASH_B}, 3 bytes`);
    expect((error as unknown as { hint: string }).hint).toContain('--allow-changed a.zip --reason');
  });

  test('of a path that was withdrawn says until when', () => {
    const History = new Map([['a.zip', [{ SHA256: HASH_A, Until: date(2) }]]]);
    const next = databaseOf({ 'a.zip': archive(HASH_B) }, { History });
    const error = caught(() => refuseChangedBytes(updateOf(databaseOf({}, { History }), next)));
    expect(error.message).toContain(`sha256 ${HASH_A}, withdrawn 2026-01-02T00:00:00Z`);
  });

  function caught(run: () => void): Error {
    try {
      run();
    } catch (error) {
      return error as Error;
    }
    throw new Error('nothing was refused');
  }
});

describe('refuseStaleBuild', () => {
  const next = databaseOf({}, { Issued: date(5), Previous: HASH_A });

  test.each<readonly [string, string | null, Date, string | null]>([
    ['follows what is published', HASH_A, date(5), null],
    ['follows another one', HASH_B, date(5), 'STALE_BUILD'],
    ['follows one where none is', null, date(5), 'STALE_BUILD'],
    ['is a day old', HASH_A, date(6), null],
    ['is older', HASH_A, seconds(date(6), 1), 'STALE_BUILD'],
    ['is five minutes ahead', HASH_A, seconds(date(5), -300), null],
    ['is further ahead', HASH_A, seconds(date(5), -301), 'CLOCK_BEHIND'],
  ])('%s', (...[, previous, now, refusal]) => {
    const run = () => refuseStaleBuild(next, { previous, now });
    if (refusal === null) expect(run).not.toThrow();
    else expect(run).toThrow(code(refusal));
  });

  test('a first one follows nothing', () => {
    const first = databaseOf({}, { Issued: date(5) });
    expect(() => refuseStaleBuild(first, { previous: null, now: date(5) })).not.toThrow();
    expect(() => refuseStaleBuild(first, { previous: HASH_A, now: date(5) })).toThrow(code('STALE_BUILD'));
  });
});
