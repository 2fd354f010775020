import { describe, expect, test } from 'vitest';
import { listOf, mapOf } from '../../src/format/collections.js';
import { date, flag, integer, text } from '../../src/format/elements.js';
import type { Shape } from '../../src/format/shape.js';
import { TEXT_LIMIT_BYTES } from '../../src/model/text.js';

const strings = mapOf(text(), () => null);

function write<T>(shape: Shape<T>, value: T): string {
  return shape.at(1).write(value);
}

/** What is read where lines begin, and what is left. */
function take<T>(shape: Shape<T>, lines: string): readonly [value: T | undefined, rest: string] {
  const none = { starts: [], share: null };
  const reading = { text: lines, at: 0, dates: new Map(), entries: { Packages: none, Files: none } };
  return [shape.at(1).take(reading), lines.slice(reading.at)];
}

test.each<readonly [string, Shape<unknown>, unknown, string]>([
  ['text', text(), 'a & b < c > d\n"é→🔒', '  <string>a &amp; b &lt; c &gt; d\n"é→🔒</string>\n'],
  ['no text', text(), '', '  <string/>\n'],
  ['an integer', integer, 2 ** 53 - 1, '  <integer>9007199254740991</integer>\n'],
  ['none', integer, 0, '  <integer>0</integer>\n'],
  ['a date', date, new Date(0), '  <date>1970-01-01T00:00:00Z</date>\n'],
  ['true', flag, true, '  <true/>\n'],
  ['false', flag, false, '  <false/>\n'],
  ['an empty list', listOf(text()), [], '  <array/>\n'],
  ['a list', listOf(flag), [true, false], '  <array>\n    <true/>\n    <false/>\n  </array>\n'],
  ['an empty dictionary', strings, new Map(), '  <dict/>\n'],
  [
    'a dictionary',
    strings,
    new Map([['a&b', 'x']]),
    '  <dict>\n    <key>a&amp;b</key>\n    <string>x</string>\n  </dict>\n',
  ],
] as readonly (readonly [string, Shape<unknown>, unknown, string])[])(
  '%s is written in one way, and read back',
  (...[, shape, value, lines]) => {
    expect(write(shape, value)).toBe(lines);
    expect(take(shape, `${lines}  <x`)).toEqual([value, '  <x']);
    for (let end = 0; end < lines.length; end += 1) {
      expect(take(shape, lines.slice(0, end))[0]).toBeUndefined();
      expect(take(shape, `${lines.slice(0, end)} ${lines.slice(end)}`)[0]).not.toEqual(value);
    }
  },
);

test('a long list is written whole', () => {
  const items = Array.from({ length: 1000 }, (_, index) => index);
  expect(take(listOf(integer), write(listOf(integer), items))).toEqual([items, '']);
});

describe('no canonical text holds', () => {
  test.each([
    ['a control character', 'a\u0000b'],
    ['a carriage return', 'a\rb'],
    ['a C1 control', 'a\u0085b'],
    ['a line separator', 'a\u2028b'],
    ['a bidirectional control', 'a\u202eb'],
    ['a non-character', 'a\uffffb'],
    ['a lone high surrogate', 'a\ud800b'],
    ['a lone low surrogate', 'a\udc00'],
    ['surrogates the wrong way round', '\udd12\ud83d'],
    ['a long text', 'x'.repeat(TEXT_LIMIT_BYTES + 1)],
    ['a text that is long in bytes', '→'.repeat(TEXT_LIMIT_BYTES / 3 + 1)],
  ])('%s', (_, odd) => {
    expect(() => write(text(), odd)).toThrow(TypeError);
    expect(() => write(text(), `<${odd}`)).toThrow(TypeError);
    expect(() => write(strings, new Map([[odd, 'x']]))).toThrow(TypeError);
  });

  test.each([-1, -0, 0.5, 2 ** 53, 1e21, Number.NaN, Number.POSITIVE_INFINITY])('the number %s', (value) => {
    expect(() => write(integer, value)).toThrow(TypeError);
  });

  test.each([
    Number.NaN,
    Date.parse('2026-11-22T14:05:09.001Z'),
    -1000,
    Date.parse('9999-12-31T23:59:59Z') + 1000,
    8.64e15,
    -8.64e15,
  ])('the date of %s', (time) => {
    expect(() => write(date, new Date(time))).toThrow(TypeError);
  });
});
