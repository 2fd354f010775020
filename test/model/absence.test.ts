import { describe, expect, test } from 'vitest';
import { absenceRule, refuseMassRemoval } from '../../src/model/absence.js';
import type { Absent, AbsenceRule } from '../../src/model/absence.js';

const ask: AbsenceRule = { absent: 'ask', isTyped: false, previous: null };
const code = expect.objectContaining({ code: 'MASS_REMOVAL' }) as Error;

function isRefused(
  [count, listed]: readonly [gone: number, listed: number],
  rule: AbsenceRule,
  isEmpty = false,
): boolean {
  const paths = Array.from({ length: count }, (_, index) => `p${index}.zip`);
  const run = () => refuseMassRemoval({ gone: paths, listed, isEmpty }, rule);
  try {
    run();
    return false;
  } catch (error) {
    expect(error).toEqual(code);
    return true;
  }
}

describe('refuseMassRemoval', () => {
  test.each([
    [0, 4, false],
    [1, 1, false],
    [1, 2, false],
    [2, 2, true],
    [2, 3, true],
    [2, 4, false],
    [10, 20, false],
    [11, 20, true],
  ])('%i of %i gone, unasked: refused %s', (gone, listed, refused) => {
    expect(isRefused([gone, listed], ask)).toBe(refused);
    // What the settings exclude goes under the same rule, whatever is kept.
    expect(isRefused([gone, listed], { ...ask, absent: 'keep', isTyped: true })).toBe(refused);
    expect(isRefused([gone, listed], { ...ask, absent: 'withdraw' })).toBe(false);
  });

  test('an empty list must be typed', () => {
    for (const absent of ['ask', 'keep', 'withdraw'] as const) {
      for (const isTyped of [false, true]) {
        const refused = !(absent === 'withdraw' && isTyped);
        expect(isRefused([1, 1], { ...ask, absent, isTyped }, true), `${absent} ${isTyped}`).toBe(refused);
      }
    }
    expect(isRefused([0, 0], ask, true)).toBe(false);
  });

  test('upon a database from elsewhere, any absence needs a word', () => {
    const rule = (absent: Absent) => ({ absent, isTyped: false, previous: 'https://example.org/' });
    expect(isRefused([1, 100], rule('ask'))).toBe(true);
    expect(isRefused([1, 100], rule('keep'))).toBe(false);
    expect(isRefused([100, 101], rule('withdraw'))).toBe(false);
  });

  test('names the files and the commands of the three ways out', () => {
    const gone = Array.from({ length: 12 }, (_, index) => `p${index}.zip`);
    const rule = { ...ask, previous: 'https://example.org/a b' };
    expect(() => refuseMassRemoval({ gone, listed: 12, isEmpty: false }, rule)).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(
          /^12 of 12 published files are not here, or excluded:\n {2}p0\.zip\n[^]*and 2 more$/,
        ) as string,
        hint: expect.stringMatching(
          /put the files back; .*--previous 'https:\/\/example.org\/a b' --absent keep; .* --absent withdraw$/,
        ) as string,
      }) as Error,
    );
  });
});

test('absenceRule: what is typed wins over the setting', () => {
  const previous = null;
  expect(absenceRule({}, { absent: null, previous })).toEqual(ask);
  expect(absenceRule({ Absent: 'keep' }, { absent: null, previous })).toMatchObject({
    absent: 'keep',
    isTyped: false,
  });
  expect(absenceRule({ Absent: 'keep' }, { absent: 'withdraw', previous })).toMatchObject({
    absent: 'withdraw',
    isTyped: true,
  });
});
