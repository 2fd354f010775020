import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { build, parse } from 'plist';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { PacksignError } from '../../src/errors.js';
import { cleanText } from '../../src/model/text.js';
import { decodePlist, encodePlist } from '../plist.js';
import type { PlistDict, PlistValue } from '../plist.js';
import { timesTried } from '../tools.js';

/** What the `plist` package takes and gives. */
type Plain = string | number | boolean | Date | Plain[] | { [key: string]: Plain };

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

const ODD_UNITS = [
  '&',
  '<',
  '>',
  '"',
  "'",
  ']]>',
  '&amp;',
  '<!--',
  '</string>',
  '\n',
  '\t',
  ' ',
  'é',
  '→',
  '🔒',
  '\ufeff',
];

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: fc.constantFrom(...ODD_UNITS, 'a', 'b') }),
  fc.string({ unit: 'binary' }).map(cleanText),
);

/** Few keys, so that they repeat from entry to entry, some of them with a meaning in regular expressions. */
const fieldName = fc.constantFrom(
  'Name',
  'Home-page',
  'a.b',
  'a+(b)',
  '[^a]*',
  'x|y',
  '$&',
  'a/b',
  '\\d',
  '&',
  'é',
  '',
);
const pathName = fc.stringMatching(/^[a-z]{1,3}-[0-9]\.tgz$/);
const key = fc.oneof(
  { weight: 6, arbitrary: fieldName },
  { weight: 2, arbitrary: pathName },
  { weight: 1, arbitrary: text },
);

const date = fc
  .integer({ min: 0, max: Date.parse('9999-12-31T23:59:59Z') / 1000 })
  .map((seconds) => new Date(seconds * 1000));

const leaf: fc.Arbitrary<PlistValue> = fc.oneof(
  { weight: 6, arbitrary: text },
  { weight: 1, arbitrary: fc.maxSafeNat() },
  { weight: 1, arbitrary: fc.boolean() },
  { weight: 1, arbitrary: date },
  { weight: 1, arbitrary: fc.constant(new Date('2026-11-22T14:05:09Z')) },
);

function dictWith(name: fc.Arbitrary<string>, value: fc.Arbitrary<PlistValue>): fc.Arbitrary<PlistDict> {
  return fc
    .uniqueArray(fc.tuple(name, value), { selector: ([each]) => each, maxLength: 6 })
    .map((members) => new Map(members));
}

/** Any value over keys of one kind, with lists of entries that are alike. */
function documents(name: fc.Arbitrary<string>): fc.Arbitrary<PlistDict> {
  const { value } = fc.letrec<{ value: PlistValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaf,
      fc.array(tie('value'), { maxLength: 4 }),
      dictWith(name, tie('value')),
      alike(name),
    ),
  }));
  return dictWith(name, value);
}

function alike(name: fc.Arbitrary<string>): fc.Arbitrary<PlistValue> {
  const keys = fc.uniqueArray(name, { minLength: 1, maxLength: 5 });
  return keys.chain((names) => {
    const entry = fc
      .tuple(...names.map(() => fc.option(leaf, { freq: 6, nil: undefined })))
      .map((values) => new Map(names.flatMap((each, index) => pairOf(each, values[index]))));
    return fc.array(entry, { maxLength: 6 });
  });
}

function pairOf(name: string, value: PlistValue | undefined): readonly (readonly [string, PlistValue])[] {
  return value === undefined ? [] : [[name, value]];
}

function plainOf(value: PlistValue): Plain {
  if (value instanceof Map) {
    return Object.fromEntries(Array.from(value as PlistDict, ([name, each]) => [name, plainOf(each)]));
  }
  return Array.isArray(value) ? (value as readonly PlistValue[]).map(plainOf) : (value as Plain);
}

/** Objects put integer-like keys first, and `__proto__` is not a key of theirs. */
const plainKey = key.filter((name) => !/^\d+$/.test(name) && name !== '__proto__');

/** The bytes are refused, or are the canonical text of a value. */
function isRefusedOrCanonical(bytes: Uint8Array): boolean {
  try {
    return Buffer.from(encodePlist(decodePlist(bytes))).equals(bytes);
  } catch (error) {
    return error instanceof PacksignError && error.code === 'DATABASE_MALFORMED';
  }
}

beforeAll(() => {
  // Most bytes are refused here, and collecting the stack takes longer than to refuse.
  Error.stackTraceLimit = 0;
  // The parser of `plist` speaks on the console.
  vi.spyOn(console, 'error').mockReturnValue(undefined);
  vi.spyOn(console, 'warn').mockReturnValue(undefined);
});
afterAll(() => {
  vi.restoreAllMocks();
});

describe('compared with the plist package', () => {
  test('writes the same bytes', () => {
    fc.assert(
      fc.property(documents(plainKey), (document) => {
        expect(encodePlist(document)).toBe(build(plainOf(document)));
      }),
      { numRuns: timesTried(4000) },
    );
  });

  test('reads the same values', () => {
    fc.assert(
      fc.property(documents(plainKey), (document) => {
        const written = build(plainOf(document));
        expect(plainOf(decodePlist(bytesOf(written)))).toEqual(parse(written));
      }),
      { numRuns: timesTried(1500) },
    );
  });
});

describe('reading', () => {
  test('gives back what was written', () => {
    fc.assert(
      fc.property(documents(key), (document) => {
        const bytes = bytesOf(encodePlist(document));
        const back = decodePlist(bytes);
        return isDeepStrictEqual(back, document) && Buffer.from(encodePlist(back)).equals(bytes);
      }),
      { numRuns: timesTried(4000) },
    );
  });

  test('takes nothing but canonical text: random edits', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(...ODD_UNITS, '<key>', '</key>\n', '<dict>\n', '  ', '<key/>\n'),
    );
    const edit = fc.record({ from: fc.nat(), length: fc.nat({ max: 60 }), piece });
    fc.assert(
      fc.property(documents(key), edit, (document, { from, length, piece }) => {
        const written = encodePlist(document);
        const at = from % written.length;
        return isRefusedOrCanonical(bytesOf(written.slice(0, at) + piece + written.slice(at + length)));
      }),
      { numRuns: timesTried(10_000) },
    );
  });

  test('takes nothing but canonical text: lines left out, doubled and moved', () => {
    const move = fc.record({
      from: fc.nat(),
      count: fc.integer({ min: 1, max: 6 }),
      to: fc.nat(),
      keep: fc.boolean(),
    });
    fc.assert(
      fc.property(documents(key), move, (document, { from, count, to, keep }) => {
        const lines = encodePlist(document).split('\n');
        const start = from % lines.length;
        const taken = lines.slice(start, start + count);
        const rest = keep ? lines : lines.toSpliced(start, count);
        return isRefusedOrCanonical(bytesOf(rest.toSpliced(to % (rest.length + 1), 0, ...taken).join('\n')));
      }),
      { numRuns: timesTried(10_000) },
    );
  });

  const entry = (name: string): PlistDict =>
    new Map<string, PlistValue>([
      ['Name', name],
      ['Size', 10],
    ]);
  const small = bytesOf(
    encodePlist(
      new Map<string, PlistValue>([
        ['List', [entry('a&é'), entry('b🔒'), entry('c'), true]],
        ['', new Map([['__proto__', '']])],
        ['Since', new Date('2026-02-28T23:59:09Z')],
      ]),
    ),
  );

  test('takes nothing but canonical text: every other byte in every place', () => {
    for (let at = 0; at < small.length; at += 1) {
      for (let change = 1; change < 256; change += 1) {
        const bytes = small.slice();
        bytes[at]! ^= change;
        if (!isRefusedOrCanonical(bytes)) expect.fail(`byte ${at} with ${change}`);
      }
    }
  });

  test('takes nothing but canonical text: one byte more or less in every place', () => {
    for (let at = 0; at <= small.length; at += 1) {
      for (const inserted of ['', '\t', '\n', '\r', ' ', '<', '>', '&', '/', '0', '-', 'Z', '.', ';'].map(
        bytesOf,
      )) {
        const skipped = inserted.length === 0 ? 1 : 0;
        const bytes = Buffer.concat([small.subarray(0, at), inserted, small.subarray(at + skipped)]);
        if (!isRefusedOrCanonical(bytes)) expect.fail(`byte ${at} with ${JSON.stringify(inserted)}`);
      }
      if (at < small.length) expect(() => decodePlist(small.subarray(0, at))).toThrow(PacksignError);
    }
  });

  test('refuses any other bytes with its own error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => isRefusedOrCanonical(bytes)),
      { numRuns: timesTried(2000) },
    );
  });
});
