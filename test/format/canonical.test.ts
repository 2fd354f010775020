import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { PacksignError } from '../../src/errors.js';
import { HEADER } from '../../src/format/plist.js';
import { TEXT_LIMIT_BYTES } from '../../src/model/text.js';
import { decodePlist, documentOf, encodePlist, keyLine } from '../plist.js';
import type { PlistDict, PlistValue } from '../plist.js';

const VECTORS = new URL('../vectors/plist/', import.meta.url);

const DECLARATION = 'expected <?xml version="1.0" encoding="UTF-8"?> and a line end';
const DOCTYPE =
  'expected <!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd"> and a line end';
const TEXT = 'expected text without forbidden or unescaped characters';
const NOT_EMPTY = 'expected text, or the short form of an empty element';
const INTEGER = 'expected an integer from 0 to 2^53 - 1';
const DATE = 'expected a date like 2026-11-22T14:05:09Z';
const UTF8 = 'expected UTF-8';
const ONCE = 'expected each key once';
const END = 'expected the end of the file';

/** Each vector is `good.plist` with one defect: the line and the reason that the reader gives for it. */
const REFUSED: Readonly<Record<string, readonly [line: number, reason: string]>> = {
  'array-ended-as-dict': [15, 'expected a value after 6 spaces'],
  'array-long-form': [28, 'expected a value after 6 spaces'],
  'attribute-of-string': [6, 'expected <string/> and a line end'],
  attribute: [4, 'expected <dict> and a line end'],
  'bare-ampersand': [11, TEXT],
  binary: [1, UTF8],
  'blank-line': [6, 'expected a value after 4 spaces'],
  'byte-order-mark': [1, DECLARATION],
  cdata: [6, NOT_EMPTY],
  'character-reference': [6, TEXT],
  'comment-between': [6, 'expected a value'],
  'comment-in-string': [6, 'expected </string> and a line end'],
  crlf: [1, DECLARATION],
  data: [6, 'expected <dict> and a line end'],
  'date-30-february': [23, DATE],
  'date-empty': [23, NOT_EMPTY],
  'date-fraction': [23, DATE],
  'date-hour-24': [23, DATE],
  'date-leap-second': [23, DATE],
  'date-month-13': [23, DATE],
  'date-no-zone': [23, DATE],
  'date-offset': [23, DATE],
  'date-year-0': [23, DATE],
  'date-year-10000': [23, DATE],
  'date-year-1969': [23, DATE],
  'deeper-indentation': [6, 'expected a value after 4 spaces'],
  'dict-long-form-on-one-line': [27, 'expected <dict> and a line end'],
  'dict-long-form': [28, 'expected a key after 6 spaces'],
  'doctype-entity': [2, DOCTYPE],
  'duplicate-data-key': [25, ONCE],
  'duplicate-escaped-key': [7, TEXT],
  'duplicate-key': [7, ONCE],
  'element-in-string': [6, NOT_EMPTY],
  'empty-plist': [3, 'expected <plist version="1.0"> and a line end'],
  empty: [1, DECLARATION],
  'end-tag-with-space': [6, 'expected </string> and a line end'],
  'final-newline': [29, END],
  'forbidden-arabic-letter-mark': [6, TEXT],
  'forbidden-beside-entity': [11, TEXT],
  'forbidden-carriage-return': [6, TEXT],
  'forbidden-delete': [6, TEXT],
  'forbidden-escape': [6, TEXT],
  'forbidden-in-key': [5, TEXT],
  'forbidden-isolate': [6, TEXT],
  'forbidden-line-separator': [6, TEXT],
  'forbidden-next-line': [6, TEXT],
  'forbidden-non-character': [6, TEXT],
  'forbidden-nul': [6, TEXT],
  'forbidden-paragraph-separator': [6, TEXT],
  'forbidden-right-to-left-override': [6, TEXT],
  'greater-than-in-key': [5, TEXT],
  'hex-character-reference': [6, TEXT],
  'integer-17-digits': [21, INTEGER],
  'integer-2-53': [21, INTEGER],
  'integer-empty': [21, NOT_EMPTY],
  'integer-exponent': [21, INTEGER],
  'integer-fraction': [21, INTEGER],
  'integer-hex': [21, INTEGER],
  'integer-leading-zero': [21, INTEGER],
  'integer-negative': [21, INTEGER],
  'integer-plus': [21, INTEGER],
  'integer-short-form': [21, 'expected <integer>'],
  'integer-space': [21, INTEGER],
  'key-and-value-on-one-line': [5, 'expected </key> and a line end'],
  'key-in-array': [9, 'expected a value'],
  'key-long-form': [26, NOT_EMPTY],
  'leading-space': [1, DECLARATION],
  'less-than-in-text': [6, 'expected </string> and a line end'],
  'missing-indentation': [6, 'expected a value after 4 spaces'],
  namespace: [3, 'expected <plist version="1.0"> and a line end'],
  'nesting-33': [68, 'expected at most 32 levels'],
  'no-declaration': [1, DECLARATION],
  'no-doctype': [2, DOCTYPE],
  'no-root': [4, 'expected a value after 2 spaces'],
  null: [13, 'expected a value'],
  openstep: [1, DECLARATION],
  'other-encoding': [1, DECLARATION],
  'other-version': [3, 'expected <plist version="1.0"> and a line end'],
  'processing-instruction': [4, 'expected a value'],
  'quote-entity': [6, TEXT],
  'raw-greater-than': [6, TEXT],
  real: [21, 'expected a value'],
  'root-array': [4, 'expected a dict as the root'],
  'root-string': [4, 'expected a dict as the root'],
  'second-document': [29, END],
  'second-root': [29, 'expected </plist>'],
  'space-before-line-end': [6, 'expected </string> and a line end'],
  'string-long-form': [27, NOT_EMPTY],
  'string-short-form-with-space': [27, 'expected <string/> and a line end'],
  'tab-indentation': [4, 'expected a value after 2 spaces'],
  'trailing-comment': [29, END],
  'trailing-junk': [29, END],
  'trailing-nul': [29, END],
  'true-long-form': [13, 'expected <true/> and a line end'],
  'true-with-space': [13, 'expected <true/> and a line end'],
  'truncated-before-end': [29, 'expected </plist>'],
  'truncated-in-key': [22, 'expected </key>'],
  'truncated-last-byte': [29, 'expected </plist>'],
  'truncated-line-end': [28, 'expected a key after 4 spaces'],
  truncated: [23, 'expected a value after 8 spaces'],
  'two-values': [28, 'expected a key after 4 spaces'],
  'unclosed-dict': [14, 'expected a key after 8 spaces'],
  'unfinished-entity': [11, TEXT],
  'unknown-element': [13, 'expected a value'],
  'unknown-entity': [6, TEXT],
  'upper-case-element': [13, 'expected a value'],
  'utf-16': [1, UTF8],
  'utf8-above-range': [6, UTF8],
  'utf8-cut-short': [6, UTF8],
  'utf8-latin-1': [6, UTF8],
  'utf8-lone-surrogate': [6, UTF8],
  'utf8-overlong-slash': [6, UTF8],
  'utf8-overlong': [6, UTF8],
  'utf8-stray-continuation': [6, UTF8],
  'utf8-surrogate-pair': [6, UTF8],
  'value-missing-before-key': [6, 'expected a value'],
  'value-missing': [27, 'expected a value after 4 spaces'],
  'value-without-key': [26, 'expected a key after 4 spaces'],
  'wrong-end-tag': [6, 'expected </string> and a line end'],
};

const vectorNames = readdirSync(VECTORS)
  .filter((file) => file.endsWith('.plist'))
  .map((file) => file.replace('.plist', ''))
  .sort();

function vector(name: string): Uint8Array {
  return readFileSync(new URL(`${name}.plist`, VECTORS));
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function refusalOf(bytes: Uint8Array): string {
  try {
    decodePlist(bytes);
  } catch (error) {
    if (error instanceof PacksignError && error.code === 'DATABASE_MALFORMED') return error.message;
    throw error;
  }
  throw new Error('nothing was refused');
}

function dictOf(value: PlistValue): PlistDict {
  return new Map([['key', value]]);
}

function nested(depth: number): PlistDict {
  return depth === 1 ? new Map() : dictOf(nested(depth - 1));
}

/** A document of one key, whose value has this line. */
function withLine(line: string): Uint8Array {
  return bytesOf(documentOf(`  <dict>\n${keyLine('key', 2)}${line}\n  </dict>\n`));
}

describe('vectors', () => {
  test('each is valid or in the table', () => {
    expect(vectorNames.filter((name) => !name.startsWith('good'))).toEqual(Object.keys(REFUSED).sort());
  });

  test.each(vectorNames.filter((name) => name.startsWith('good')))('%s is read and written back', (name) => {
    const bytes = vector(name);
    expect(bytesOf(encodePlist(decodePlist(bytes)))).toEqual(new Uint8Array(bytes));
  });

  test.each(Object.entries(REFUSED))('%s is refused', (name, [line, reason]) => {
    const [said] = refusalOf(vector(name)).split(', found ');
    expect(said).toBe(`not canonical text: line ${line}: ${reason}`);
  });
});

describe('reading', () => {
  test('gives the values', () => {
    expect(decodePlist(vector('good'))).toEqual(
      new Map<string, unknown>([
        ['Version', '0.3'],
        [
          'Packages',
          [
            new Map<string, unknown>([
              ['Name', 'a&b'],
              ['Systemwide-only', true],
            ]),
          ],
        ],
        [
          'Files',
          new Map([
            [
              'a-1.tar.gz',
              new Map<string, unknown>([
                ['Size', 12],
                ['Since', new Date('2026-11-22T14:05:09Z')],
              ]),
            ],
          ]),
        ],
        ['Notes', ''],
      ]),
    );
  });

  test('keeps the order of keys that look like integers, and __proto__ is a key', () => {
    const keys = ['10', '9', '__proto__', 'constructor', '1', ''];
    const dict = new Map(keys.map((key) => [key, key]));
    const back = decodePlist(bytesOf(encodePlist(dict)));
    expect([...back]).toEqual([...dict]);
  });

  test('a string may be as long as the limit, in bytes before escaping, and no longer', () => {
    for (const [unit, size] of [
      ['x', 1],
      ['é', 2],
      ['→', 3],
      ['🔒', 4],
      ['&', 1],
    ] as const) {
      const longest = unit.repeat(Math.floor(TEXT_LIMIT_BYTES / size));
      const bytes = bytesOf(encodePlist(new Map([[longest, longest]])));
      expect(decodePlist(bytes).get(longest)).toBe(longest);
      const escaped = `${longest}${unit}`.replaceAll('&', '&amp;');
      expect(refusalOf(withLine(`    <string>${escaped}</string>`))).toContain(
        'expected at most 65536 bytes',
      );
      const key = documentOf(`  <dict>\n    <key>${escaped}</key>\n    <true/>\n  </dict>\n`);
      expect(refusalOf(bytesOf(key))).toContain('expected at most 65536 bytes');
    }
  });

  test('limits the nesting of dicts and arrays', () => {
    for (const close of ['dict', 'array']) {
      const deep = `${HEADER}${Array.from({ length: 100_000 }, (_, index) => `${'  '.repeat(Math.min(index + 1, 40))}<${close}>\n`).join('')}`;
      expect(refusalOf(bytesOf(deep))).toContain('expected');
    }
    expect(decodePlist(bytesOf(encodePlist(nested(32))))).toEqual(nested(32));
  });

  test('a very long string does not exhaust the reader', () => {
    const long = '→'.repeat(20_000_000);
    expect(refusalOf(withLine(`    <string>${long}</string>`))).toContain('expected at most 65536 bytes');
  });

  test('a refusal quotes one short, escaped line', () => {
    const message = refusalOf(withLine(`    <string>\u001b[31m\u009b\u202e"é${'x'.repeat(500)}</string>\n`));
    expect(message).toMatch(/^[ -~]+$/);
    expect(message).toContain('found "\\u001b[31m\\u009b\\u202e\\"\\u00e9xxx');
    expect(message.length).toBeLessThan(200);
  });

  test('finds the line of bytes that are not UTF-8', () => {
    const lines = Array.from({ length: 1000 }, (_, index) => `line ${index + 1} é`);
    for (const line of [1, 2, 3, 499, 500, 501, 998, 999, 1000]) {
      const parts = lines.map((text, index) =>
        Buffer.concat([Buffer.from(`${text}\n`), Buffer.from(index + 1 === line ? [0xff] : [])]),
      );
      const at = line === 1000 ? 1001 : line + 1;
      expect(refusalOf(Buffer.concat(parts))).toBe(`not canonical text: line ${at}: expected UTF-8`);
      expect(refusalOf(Buffer.concat([Buffer.from([0xff]), ...parts]))).toContain('line 1:');
    }
  });
});
