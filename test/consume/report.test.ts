import { describe, expect, test } from 'vitest';
import { reportOf } from '../../src/consume/report.js';
import type { Suspect } from '../../src/consume/report.js';

const GOOD: Suspect = {
  ...{ database: 'https://example.org/packages.plist', status: 'refused', code: 'FILE_ALTERED' },
  ...{ message: '1 file is not as signed', sha256: 'a'.repeat(64), accepted: null, signatures: [] },
  ...{ findings: [], notify: null },
};
const AT = { now: new Date('2026-11-22T14:05:09Z'), version: '1.0.0' };

const report = (more: Partial<Suspect>) => reportOf({ ...GOOD, ...more }, AT);
const finding = (path: string) => ({ kind: 'unlisted', path, expected: null, found: null }) as const;

test('a report says what was found, when, and why it was refused', () => {
  const found = { kind: 'altered', path: 'a-1.0.zip', expected: 'sha256 b', found: 'sha256 c' } as const;
  const signed = { fingerprint: 'F', userId: null, signedAt: AT.now, counts: false, reason: 'expired' };
  expect(report({ findings: [found], signatures: [signed] })).toBe(
    `packsign 1.0.0 looked at https://example.org/packages.plist
at 2026-11-22T14:05:09Z, and says: refused (FILE_ALTERED)
because: 1 file is not as signed

sha256 of what was found: ${'a'.repeat(64)}
nothing was accepted from there before

signatures:
  F, 2026-11-22T14:05:09Z: expired

files:
  altered: a-1.0.zip
    expected sha256 b
    found    sha256 c
`,
  );
});

/** Ways to move a cursor, forge a line, or turn text round. */
const HARMFUL = [
  ...[
    '\u001b[2J',
    '\r',
    '\n',
    '\r\n',
    '\u0007',
    '\u0000',
    '\u007f',
    '\u0085',
    '\u009b31m',
    '\u2028',
    '\u2029',
  ],
  ...['\u202e', '\u2066', '\u200f', '\u061c', '\ufeff', '\ud800'],
];
const FORGED = 'sha256 of what was accepted before: forged';

describe('text from elsewhere is harmless in a report', () => {
  test.each(HARMFUL.map((text) => [JSON.stringify(text), text] as const))('%s', (_, harm) => {
    const text = `x${harm}${FORGED}`;
    const all = report({
      ...{ database: text, message: text, findings: [finding(text), { ...finding('a'), found: text }] },
      signatures: [{ fingerprint: null, userId: text, signedAt: null, counts: false, reason: text }],
    });
    // Line ends of our own, and nothing else that is not printed.
    expect(all).toMatch(/^[\P{C}\n]*$/u);
    expect(all).not.toMatch(/[\u2028\u2029]/);
    expect(all.split('\n')).toHaveLength(
      report({
        ...{ database: 'x', message: 'x', findings: [finding('x'), { ...finding('a'), found: 'x' }] },
        signatures: [{ fingerprint: null, userId: 'x', signedAt: null, counts: false, reason: 'x' }],
      }).split('\n').length,
    );
    expect(all).not.toMatch(new RegExp(`^${FORGED}`, 'm'));
  });

  test('and has a limit, in each line and in their number', () => {
    const long = '\u{1f512}'.repeat(100_000);
    const all = report({
      ...{ database: long, message: long },
      findings: Array.from({ length: 10_000 }, (_, index) => finding(`${index}${long.slice(0, 3000)}`)),
    });
    expect(all.length).toBeLessThan(500_000);
    expect(all).toContain('\n  … and 9800 more lines\n');
    expect(all).toMatch(/^[\P{C}\n]*$/u);
  });
});
