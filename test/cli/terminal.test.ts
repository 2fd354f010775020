import { expect, test } from 'vitest';
import { formatInteger, shown } from '../../src/cli/terminal.js';

test('numbers have a comma after every three digits', () => {
  for (const number of [0, 7, 999, 1000, 12_345, 123_456, 1_000_000, 2 ** 53 - 1, -1234, 1234.5]) {
    expect(formatInteger(number)).toBe(Math.round(number).toLocaleString('en-US'));
  }
});

test.each([
  ['dist', 'linux', 'dist'],
  ["it's here", 'linux', "'it'\\''s here'"],
  ['C:\\releases\\dist', 'win32', 'C:\\releases\\dist'],
  ['C:\\My releases', 'win32', '"C:\\My releases"'],
  ["C:\\it's & more", 'win32', '"C:\\it\'s & more"'],
  ['a$(calc)', 'win32', "'a$(calc)'"],
  ["a'$(calc)", 'win32', "'a''$(calc)'"],
  ['a\u2019$(calc)', 'win32', "'a\u2019\u2019$(calc)'"],
  ['a\u201d;calc', 'win32', "'a\u201d;calc'"],
  ['a,b', 'win32', '"a,b"'],
] as const)('a word that people paste into a shell: %s on %s', (word, platform, text) => {
  expect(shown(word, platform)).toBe(text);
});
