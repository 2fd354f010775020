import fc from 'fast-check';
import { expect, test } from 'vitest';
import { faultIn } from '../../src/format/json-fault.js';

test.each([
  ['{\n  "a": 1,\n}', 3, 1, 'there is a comma before this }, and nothing behind it'],
  ['["a",]', 1, 6, 'there is a comma before this ], and nothing behind it'],
  ['{\n  "a": 1\n  "b": 2\n}', 3, 3, 'expected a comma or a }'],
  ["{ 'a': 1 }", 1, 3, 'expected a key in double quotes'],
  ['{ a: 1 }', 1, 3, 'expected a key in double quotes'],
  ['{ "a" 1 }', 1, 7, 'expected a colon after the key'],
  ['{ "a": }', 1, 8, 'expected a value'],
  ['{ "a": True }', 1, 8, 'expected a value'],
  ['{ "a": 01 }', 1, 8, 'expected a value'],
  ['{ "a": "b\n" }', 1, 8, 'this text has no end on its line, or a wrong backslash'],
  ['{\n  // why\n  "a": 1\n}', 2, 3, 'JSON has no comments'],
  ['{ "a": 1', 1, 9, 'it ends here, before a }'],
  ['{} {}', 1, 4, 'expected nothing more'],
  ['', 1, 1, 'it is empty'],
])('%j: line %i, column %i: %s', (text, ...at) => {
  const { line, column, what } = faultIn(text);
  expect([line, column, what]).toEqual(at);
});

test('finds a fault in whatever JSON.parse refuses', () => {
  const edits = fc.tuple(
    fc.json({ maxDepth: 3 }),
    fc.nat(),
    fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', '1', 'e', 'x', '-', ' '),
  );
  fc.assert(
    fc.property(edits, ([json, at, mark]) => {
      const place = at % (json.length + 1);
      const text = json.slice(0, place) + mark + json.slice(place);
      try {
        JSON.parse(text);
      } catch {
        expect(faultIn(text).column).toBeGreaterThan(0);
        expect(faultIn(text).what).not.toBe('it is empty');
      }
    }),
  );
});
