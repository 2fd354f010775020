import { describe, expect, test } from 'vitest';
import { fingerprintOf, parseFingerprint } from '../../src/model/fingerprint.js';

const SHORT = '0123456789ABCDEF0123456789ABCDEF01234567';
const LONG = '0123456789ABCDEF'.repeat(4);

describe('a fingerprint is read as people write it', () => {
  test.each([
    SHORT.toLowerCase(),
    `0x${SHORT}`,
    `0X${SHORT.toLowerCase()}`,
    `  ${SHORT}\n`,
    SHORT.replace(/(.{4})(?=.)/g, '$1 '),
    '0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567',
    '0123\u00a04567\u00a089AB CDEF 0123\t4567 89AB CDEF 0123 4567',
    SHORT.replace(/(..)(?=.)/g, '$1:'),
    `0x ${SHORT.replace(/(.{4})(?=.)/g, '$1 ')}`,
    `OPENPGP4FPR:${SHORT}`,
    `openpgp4fpr:${SHORT.toLowerCase()}`,
  ])('%j', (text) => expect(fingerprintOf(text)).toBe(SHORT));

  test('of a key of version 6', () => {
    expect(fingerprintOf(LONG.toLowerCase().replace(/(.{4})(?=.)/g, '$1 '))).toBe(LONG);
  });
});

describe('any other text is refused, with the reason', () => {
  test.each([
    ['a short key id', SHORT.slice(-8)],
    ['a long key id', `0x${SHORT.slice(-16)}`],
    ['an MD5 fingerprint of version 3', SHORT.slice(-32)],
    ['a digit too few', SHORT.slice(1)],
    ['a digit too many', `${SHORT}0`],
    ['two fingerprints', `${SHORT} ${SHORT}`],
    ['another letter', `G${SHORT.slice(1)}`],
    ['a digit of another script', `٠${SHORT.slice(1)}`],
    ['a user id', 'Ann <ann@example.org>'],
    ['nothing', ''],
  ])('%s', (_, text) => {
    expect(fingerprintOf(text)).toBeNull();
    expect(() => parseFingerprint(text)).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: `"${text}" is not a full fingerprint`,
        hint: 'a fingerprint has 40 hex digits; shorter key ids can be forged',
      }),
    );
  });
});
