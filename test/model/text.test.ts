import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cleanText, oneLine } from '../../src/model/text.js';

test.each([
  ['', ''],
  ['as it is', 'as it is'],
  ['two  spaces', 'two spaces'],
  [' around ', 'around'],
  [' ', ''],
  ['a\tb\nc\r\nd', 'a b c d'],
  ['a\u0000b\u007fc', 'a b c'],
  ['a\u202eb\u00a0c\ud800d', 'a b c d'],
  ['größer', 'größer'],
])('%j on one line is %j', (text, line) => {
  expect(oneLine(text, 100)).toBe(line);
});

test('one line is cut at code points, and has no blank at its end', () => {
  expect(oneLine('abc def', 7)).toBe('abc def');
  expect(oneLine('abc def', 6)).toBe('abc de');
  expect(oneLine('abc def', 4)).toBe('abc');
  expect(oneLine('😀😀', 1)).toBe('😀');
});

test('one line is what cleaning and joining with single spaces make of any text', () => {
  const unit = fc.constantFrom('a', '~', ' ', ' ', '\t', '\n', '\u0000', 'é', '\u2028', '😀');
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit }), fc.string({ unit: 'binary' })), (text) => {
      const words = cleanText(text)
        .split(/\s+/)
        .filter((word) => word !== '');
      expect(oneLine(text, text.length)).toBe(words.join(' '));
    }),
  );
});
