import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PacksignError } from '../../src/errors.js';
import { databaseShape } from '../../src/format/database-shape.js';
import { decodeDatabase } from '../../src/format/database.js';
import { encodeDatabase } from '../../src/format/encode-database.js';
import { Misfit } from '../../src/format/misfit.js';
import type { Database } from '../../src/model/database.js';
import { decodePlist, encodePlist } from '../plist.js';
import type { PlistDict } from '../plist.js';
import { timesTried } from '../tools.js';

/**
 * A database is read line by line, as its shapes expect it. This must never give another value than reading it as any
 * document, and never take what reading it so refuses.
 */

const ISSUED = new Date('2026-11-22T14:05:09Z');
const HASH = 'ab'.repeat(32);

const BASE: Database = {
  Version: '0.5',
  Description: 'a & b',
  Packages: ['a', 'b', 'c', 'd'].map((Name) => ({
    Name,
    Version: '1.0',
    Flavor: 'source',
    Description: `does ${Name}`,
    ...(Name === 'b' ? { 'Home-page': 'https://example.org/b' } : {}),
    'Download-URL': `p/${Name}-1.0.tar.gz`,
    ...(Name === 'c' ? { MD5Sum: 'd'.repeat(32) } : {}),
    'Install-test': `import ${Name}`,
    ...(Name === 'd' ? { Prerequisites: ['x', { Name: 'y' }], 'Systemwide-only': true } : {}),
  })),
  Files: new Map(
    ['a', 'b', 'c', 'd', 'e'].map((name, index) => [
      `p/${name}-1.0.tar.gz`,
      {
        Name: name,
        Version: '1.0',
        Flavor: 'source',
        Size: 12 + index,
        SHA256: HASH,
        Since: ISSUED,
        ...(name === 'e' ? { Yanked: 'bad' } : {}),
      },
    ]),
  ),
  Maintainer: 'Ann',
  Packsign: {
    Format: 1,
    Database: 'https://example.org/packages.plist',
    Issued: ISSUED,
    Expires: new Date('2027-01-01T00:00:00Z'),
    Previous: HASH,
    Signers: { Threshold: 1, Fingerprints: ['A'.repeat(40)] },
    Notify: 'mailto:ann@example.org',
    Mirrors: ['https://mirror.example.org/'],
    Trusts: [{ URL: 'https://example.org/b.plist', Fingerprints: ['B'.repeat(40)], Maintainer: 'Bob' }],
    History: new Map([['old-1.0.zip', [{ SHA256: HASH, Until: ISSUED, Reason: 'leaks' }]]]),
  },
};
const TEXT = encodeDatabase(BASE).toString();
const KNOWN = new Set(Object.keys(BASE.Packsign));

interface Outcome {
  readonly value?: Database;
  readonly error?: string;
}

function outcomeOf(decode: () => Database): Outcome {
  try {
    return { value: decode() };
  } catch (error) {
    if (error instanceof PacksignError || error instanceof Misfit) return { error: error.message };
    throw error;
  }
}

/** Equality does not look at the order of keys. */
function written({ value }: Outcome): string | null {
  return value === undefined ? null : JSON.stringify([value, [...value.Files]]);
}

/** What comes of bytes, which is the same both ways. */
function outcome(bytes: Uint8Array): Outcome {
  const read = outcomeOf(() => decodeDatabase(bytes));
  const general = outcomeOf(() => databaseShape.read(decodePlist(bytes)));
  if (!isDeepStrictEqual(read.value, general.value)) expect(read).toEqual(general);
  expect(written(read)).toBe(written(general));
  expect(read.error === undefined).toBe(general.error === undefined);
  if (read.value !== undefined) expect(encodeDatabase(read.value).toString()).toBe(withoutUnknown(bytes));
  return read;
}

/** All that is there, but for unknown keys of Packsign. */
function withoutUnknown(bytes: Uint8Array): string {
  const document = decodePlist(bytes);
  const packsign = Array.from(document.get('Packsign') as PlistDict);
  return encodePlist(
    new Map([...document, ['Packsign', new Map(packsign.filter(([key]) => KNOWN.has(key)))]]),
  );
}

const ZEBRA = '      <key>Zebra</key>\n      <true/>\n';

function edited(from: string | RegExp, to: string): Buffer {
  const text = TEXT.replace(from, to);
  expect(text).not.toBe(TEXT);
  return Buffer.from(text);
}

const archiveB = /( {6}<key>p\/b-1.0.tar.gz<\/key>\n[^]*?\n {6}<\/dict>\n)/;

describe('refused', () => {
  test.each<readonly [string, string | RegExp, string]>([
    ['a space too much before a key', '        <key>Name', '         <key>Name'],
    ['a space too few before a value', '        <string>a<', '       <string>a<'],
    ['a tab for spaces', '        <string>a<', '\t<string>a<'],
    ['keys out of order', /( {8}<key>Size[^]*?)( {8}<key>SHA256.*\n.*\n)/, '$2$1'],
    ['a key twice', /( {8}<key>Size.*\n.*\n)/, '$1$1'],
    ['a key that is required missing', / {8}<key>Size.*\n.*\n/, ''],
    ['a key that is unknown', '<key>Size<', '<key>Sise<'],
    ['a key with another case', '<key>Size<', '<key>size<'],
    ['a line end of two characters', '<key>Name</key>\n', '<key>Name</key>\r\n'],
    ['a space before a line end', '</string>\n        <key>Version', '</string> \n        <key>Version'],
    ['a blank line', '      <dict>\n', '      <dict>\n\n'],
    ['a comment', '      <dict>\n', '      <dict>\n<!-- -->\n'],
    ['a string that is too long', 'does a', 'x'.repeat(65537)],
    ['a string that is too long in bytes only', 'does a', '→'.repeat(21846)],
    ['a leading zero', '<integer>12<', '<integer>012<'],
    ['17 digits', '<integer>12<', '<integer>12345678901234567<'],
    ['an integer that is not exact', '<integer>12<', '<integer>9007199254740992<'],
    ['a negative integer', '<integer>12<', '<integer>-1<'],
    ['an integer without digits', '<integer>12<', '<integer><'],
    ['a fraction', '<integer>12<', '<integer>1.0<'],
    ['an exponent', '<integer>12<', '<integer>1e3<'],
    ['a size as a string', '<integer>12</integer>', '<string>12</string>'],
    ['a date that never was', /(Since.*\n.*)2026-11-22/, '$12026-02-30'],
    ['a date with a fraction', /(Since.*\n.*)14:05:09Z/, '$114:05:09.0Z'],
    ['a date without its zone', /(Since.*\n.*)14:05:09Z/, '$114:05:09'],
    ['a date of hour 24', /(Since.*\n.*)14:05:09Z/, '$124:00:00Z'],
    ['an upper-case hash', HASH, HASH.toUpperCase()],
    ['a short hash', HASH, HASH.slice(1)],
    ['a long hash', HASH, `${HASH}a`],
    ['a short MD5', 'd'.repeat(32), 'd'.repeat(31)],
    ['a space in a name', '<string>a<', '<string>a b<'],
    ['an accent in a name', '<string>a<', '<string>é<'],
    ['a control character', 'does a', 'does \u001b[31m'],
    ['a carriage return', 'does a', 'does\ra'],
    ['a C1 control', 'does a', 'does \u0085'],
    ['a line separator', 'does a', 'does \u2028'],
    ['a non-character', 'does a', 'does \uffff'],
    ['an override of direction', 'does a', 'does \u202e a'],
    ['an isolate', 'does a', 'does \u2066 a'],
    ['an ampersand that is not escaped', 'does a', 'a & b'],
    ['a greater-than that is not escaped', 'does a', 'a > b'],
    ['an element in a string', 'does a', 'a <b/>'],
    ['a description that is empty', '<string>does a</string>', '<string/>'],
    ['the long form of an empty string', 'import a', ''],
    ['a home page that is no web address', 'https://example.org/b', 'javascript:x'],
    ['a home page without a host', 'https://example.org/b', 'https://'],
    ['a home page with a user', 'https://example.org/b', 'https://ann@example.org/'],
    ['a home page in capitals', 'https://example.org/b', 'HTTPS://example.org/'],
    ['a home page at half an address', 'https://example.org/b', 'http://127.1/'],
    ['a home page of no international name', 'https://example.org/b', 'https://a.xn--a.org/'],
    ['a home page with a backslash', 'https://example.org/b', 'https://example.org/a\\b'],
    ['a description of spaces', 'does a', '  '],
    ['a description of blanks beyond ASCII', 'does a', '\u00a0\u3000'],
    ['a path above', /p\/a-1.0.tar.gz<\/key>/, '../a</key>'],
    ['an absolute path', /p\/a-1.0.tar.gz<\/key>/, '/a</key>'],
    ['a hidden path', /p\/a-1.0.tar.gz<\/key>/, 'p/.a</key>'],
    ['a path that ends in a slash', /p\/a-1.0.tar.gz<\/key>/, 'p/</key>'],
    ['a path with an empty segment', /p\/a-1.0.tar.gz<\/key>/, 'p//a</key>'],
    ['a path with a space', /p\/a-1.0.tar.gz<\/key>/, 'p/a b</key>'],
    ['a path with a dollar', /p\/a-1.0.tar.gz<\/key>/, 'p/$a</key>'],
    ['a path with a percent', /p\/a-1.0.tar.gz<\/key>/, 'p/%2e</key>'],
    ['a path that is too long', /p\/a-1.0.tar.gz<\/key>/, `${'a'.repeat(1025)}</key>`],
    ['a path that is empty', /<key>p\/a-1.0.tar.gz<\/key>/, '<key/>'],
    ['paths that are not sorted', /p\/a-1.0.tar.gz<\/key>/, 'p/bb-1.0.tar.gz</key>'],
    ['a path twice in a row', archiveB, '$1$1'],
    ['a path twice, the second escaped', archiveB, '$1      <key>p/b&amp;</key>\n      <true/>\n'],
    ['a path twice, far off', /(<key>Files[^]*?\n {4}<\/dict>)/, '$1<'],
    ['paths that differ in case only', /p\/a-1.0.tar.gz<\/key>/, 'P/b-1.0.tar.gz</key>'],
    ['unsorted packages', '<string>a<', '<string>bb<'],
    ['a package for an archive', archiveB, '      <key>p/b</key>\n      <string>x</string>\n'],
    ['packages as a dict', /<array>([^]*?)\n {4}<\/array>/, '<dict>$1\n    </dict>'],
    ['packages as text', / {4}<array>[^]*\n {4}<\/array>/, '    <string>x</string>'],
    ['a list that does not end', '    </array>\n', ''],
    ['a list that ends twice', '    </array>\n', '    </array>\n    </array>\n'],
    ['packages twice', /( {4}<key>Packages[^]*?\n {4}<\/array>\n)/, '$1$1'],
    ['a later format with a defect', /<integer>1</, '<integer>2<'],
    ['an unknown key twice', /( {6}<key>Issued)/, `${ZEBRA}${ZEBRA}$1`],
    ['an unknown key twice, apart', /( {6}<key>Issued[^]*)( {6}<key>Notify)/, `${ZEBRA}$1${ZEBRA}$2`],
    ['a known key in the place of an unknown one', /( {6}<key>Format[^]*?)( {6}<key>Issued.*\n.*\n)/, '$2$1'],
    ['a known key twice', /( {6}<key>Issued.*\n.*\n)/, '$1$1'],
    ['an unknown key whose value is not canonical', /( {6}<key>Issued)/, `${ZEBRA.replace('true', 'yes')}$1`],
    ['an unknown key without a value', /( {6}<key>Issued)/, '      <key>Zebra</key>\n$1'],
    ['an unknown key in the signers', /( {8}<key>Threshold)/, `${ZEBRA.replaceAll('      ', '        ')}$1`],
    ['an unknown key at the top', /( {4}<key>Packsign)/, `${ZEBRA.replaceAll('      ', '    ')}$1`],
    ['lines of the next field in a string', 'does a', 'x\n        <key>Flavor</key>\n        <string>y'],
    ['a field in place of a field that is absent', / {8}<key>MD5Sum.*\n.*\n/, '        <key>MD5Sum</key>\n'],
    [
      'a string in place of a prerequisite',
      '          <dict>\n            <key>Name',
      '          <string>          <dict>\n            <key>Name',
    ],
  ])('%s', (...[, from, to]) => {
    expect(outcome(edited(from, to)).error).toBeTypeOf('string');
  });

  test('bytes that are not UTF-8, of every kind', () => {
    for (const bad of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]) {
      const at = TEXT.indexOf('does b');
      const bytes = Buffer.concat([
        Buffer.from(TEXT.slice(0, at)),
        Buffer.from(bad),
        Buffer.from(TEXT.slice(at)),
      ]);
      expect(outcome(bytes).error).toContain('expected UTF-8');
    }
  });
});

describe('accepted', () => {
  test.each<readonly [string, string | RegExp, string]>([
    ['escaped text', 'does a', 'a &amp; b &lt;&gt;'],
    ['text of lines, with a tab', 'does a', 'a\n\tb\n      </dict'.replace('</dict', '')],
    ['text of two, three and four bytes', 'does a', 'é → 🔒'],
    ['the longest text', 'does a', 'x'.repeat(65536)],
    ['the longest text in bytes', 'does a', '→'.repeat(21845)],
    ['an empty test', '<string>import a</string>', '<string/>'],
    ['an escaped name', '<string>a<', '<string>&amp;<'],
    ['an address that is escaped', 'https://example.org/b', 'https://example.org/?a&amp;b'],
    ['a byte-order mark in text', 'does a', '\ufeffdoes'],
    ['the greatest integer', '<integer>12<', '<integer>9007199254740991<'],
    ['none', '<integer>12<', '<integer>0<'],
    ['another date', /(Since.*\n.*)2026-11-22/, '$12024-02-29'],
    ['the first date', /(Since.*\n.*)2026-11-22T14:05:09Z/, '$11970-01-01T00:00:00Z'],
    ['a home page at a number', 'https://example.org/b', 'http://127.0.0.1:8080/?a#b'],
    ['a home page of international name', 'https://example.org/b', 'https://xn--bcher-kva.example'],
    ['text that begins with a space', 'does a', ' does a'],
    ['a capital in a path', /p\/a-1.0.tar.gz<\/key>/, 'P/a-1.0.tar.gz</key>'],
    ['no version', / {8}<key>Version.*\n.*\n/, ''],
    ['a package twice', /( {6}<dict>\n {8}<key>Name[^]*?\n {6}<\/dict>\n)/, '$1$1'],
    ['an empty reason', '<string>bad</string>', '<string/>'],
    ['an unknown key first', /( {6}<key>Format)/, `${ZEBRA}$1`],
    ['an unknown key last', /(\n {4}<\/dict>\n {2}<\/dict>)/, `\n${ZEBRA.trimEnd()}$1`],
    ['no packages', / {4}<array>\n {6}<dict>[^]*?\n {4}<\/array>/, '    <array/>'],
    ['no archives', / {4}<dict>\n {6}<key>p[^]*?\n {4}<\/dict>/, '    <dict/>'],
  ])('%s', (...[, from, to]) => {
    const bytes = edited(from, to);
    const { value } = outcome(bytes);
    expect(value).toBeDefined();
  });

  test('equal dates are one object', () => {
    const { value } = outcome(Buffer.from(TEXT));
    const files = Array.from(value?.Files.values() ?? []);
    expect(new Set([value?.Packsign.Issued, ...files.map(({ Since }) => Since)]).size).toBe(1);
  });
});

describe('all bytes are refused, or canonical for what is read', () => {
  const lines = TEXT.split('\n');
  const token = fc.constantFrom(
    ...['&', '<', '>', '&amp;', '\n', '\r\n', '\t', ' ', '  ', 'é', '→', '🔒', '\u202e', '\u0000', '0', '/'],
    ...[
      'A',
      '.',
      '-',
      '<key/>\n',
      '<string/>',
      '<string></string>',
      '</dict>\n',
      '      </dict>\n',
      '<true/>',
      '      <key>Zebra</key>\n      <true/>\n',
      '      <key>Format</key>\n      <integer>1</integer>\n',
      '      <key/>\n      <array>\n        <dict/>\n      </array>\n',
    ],
    ...lines.map((line) => `${line}\n`),
  );
  const edit = fc.record({
    from: fc.nat(TEXT.length),
    length: fc.oneof(fc.constant(0), fc.nat(8), fc.nat(600)),
    piece: fc.oneof(token, fc.string({ maxLength: 4 })),
  });

  test('after edits', () => {
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
        let text = TEXT;
        for (const { from, length, piece } of edits)
          text = text.slice(0, from) + piece + text.slice(from + length);
        outcome(Buffer.from(text));
      }),
      { numRuns: timesTried(3000) },
    );
  });

  test('with other values', () => {
    const value = fc.oneof(
      token,
      fc.stringMatching(/^[ -~]{0,12}$/),
      fc.string({ unit: 'binary', maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.nat(), value, (place, piece) => {
        let left = place % (TEXT.match(/>[^<>\n]+</g)?.length ?? 1);
        const text = TEXT.replace(/>[^<>\n]+</g, (found) => (left-- === 0 ? `>${piece}<` : found));
        outcome(Buffer.from(text));
      }),
      { numRuns: timesTried(2000) },
    );
  });

  test('with lines left out, doubled and moved', () => {
    const move = fc.record({
      from: fc.nat(),
      count: fc.integer({ min: 1, max: 20 }),
      to: fc.nat(),
      keep: fc.boolean(),
    });
    fc.assert(
      fc.property(move, ({ from, count, to, keep }) => {
        const start = from % lines.length;
        const rest = keep ? lines : lines.toSpliced(start, count);
        const moved = rest.toSpliced(to % (rest.length + 1), 0, ...lines.slice(start, start + count));
        outcome(Buffer.from(moved.join('\n')));
      }),
      { numRuns: timesTried(2000) },
    );
  });

  test('with one bit of any byte changed', () => {
    const bytes = Buffer.from(TEXT);
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1 << (at % 8);
      outcome(changed);
    }
  });

  test('cut off anywhere', () => {
    for (let end = 0; end < TEXT.length; end += 7) outcome(Buffer.from(TEXT.slice(0, end)));
  });
});

describe('the time grows in proportion to the input', () => {
  const LENGTH = 10_000_000;

  test.each<readonly [string, string | RegExp, (length: number) => string]>([
    ['a path of segments', /p\/a-1.0.tar.gz<\/key>/, (length) => `${'a/'.repeat(length / 2)}a</key>`],
    ['a path without an end', /p\/a-1.0.tar.gz<\/key>/, (length) => `${'a/'.repeat(length / 2)} `],
    ['a name', '<string>a<', (length) => `<string>${'a'.repeat(length)}<`],
    ['a name without an end', '<string>a<', (length) => `<string>${'a'.repeat(length)} <`],
    ['a description', 'does a', (length) => '→'.repeat(length)],
    ['a description without an end', 'does a', (length) => `${'x'.repeat(length)}<x>`],
    ['an address', 'https://example.org/b', (length) => `https://${'http://'.repeat(length / 7)}`],
    ['a hash', HASH, (length) => 'a'.repeat(length)],
    ['an integer', '<integer>12<', (length) => `<integer>${'1'.repeat(length)}<`],
    ['a date', /(Since.*\n.*)2026-11-22/, (length) => '2026-'.repeat(length / 5)],
  ])('%s', (...[, from, textOf]) => {
    expect(outcome(edited(from, textOf(LENGTH))).error).toBeTypeOf('string');
  });

  test('fifty thousand entries that begin plain and end otherwise', () => {
    const [, entry = ''] = / {4}<array>\n( {6}<dict>\n[^]*?)\n {6}<\/dict>\n/.exec(TEXT) ?? [];
    const odd = `${entry}\n        <key>Install-command</key>\n        <string>&amp;</string>\n      </dict>\n`;
    const { value } = outcome(edited('    <array>\n', `    <array>\n${odd.repeat(50_000)}`));
    expect(value?.Packages).toHaveLength(50_004);
  });
});
