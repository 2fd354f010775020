import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import { changeWithoutReason, compareRecords, defectOfHistory } from '../../src/model/history-rules.js';
import { encodeDatabase } from '../../src/format/encode-database.js';
import { findConflict, isSafePath } from '../../src/model/file-entry.js';
import type { FileEntry } from '../../src/model/file-entry.js';
import type { Database } from '../../src/model/database.js';
import type { Package } from '../../src/model/package.js';
import { comparePackages } from '../../src/model/package.js';
import { decodePlist, encodePlist } from '../plist.js';
import type { PlistDict, PlistValue } from '../plist.js';

const FINGERPRINTS = ['A', 'B'].map((digit) => digit.repeat(40));
const HASH = 'a'.repeat(64);
const ISSUED = new Date('2026-11-22T14:05:09Z');

/** Every key that the format knows, once. */
const FULL: Database = {
  Version: '0.5',
  Maintainer: 'Ann <ann@example.org>',
  Description: 'a & b < c > d',
  Include: ['https://example.org/other.plist'],
  Packages: [
    {
      Name: 'demo',
      Version: '1.0',
      Flavor: 'source',
      Description: 'does demo',
      'Home-page': 'https://example.org/',
      'Download-URL': 'demo-1.0.tar.gz',
      MD5Sum: 'd'.repeat(32),
      'Install-test': 'import demo',
      Prerequisites: ['a person', { Name: 'other', Version: '2', Flavor: 'source' }],
      'Install-command': 'make\nmake install',
      'Pre-install-command': 'id',
      'Post-install-command': '',
      'User-install-skips': ['/usr'],
      'Systemwide-only': true,
    },
  ],
  Files: new Map([
    [
      'demo-1.0.tar.gz',
      { Name: 'demo', Version: '1.0', Flavor: 'source', Size: 3, SHA256: HASH, Since: ISSUED },
    ],
    [
      'old-0.9.zip',
      { Name: 'demo', Version: '0.9', Flavor: 'source', Size: 3, SHA256: HASH, Since: ISSUED, Yanked: '' },
    ],
  ]),
  Packsign: {
    Format: 1,
    Database: 'https://example.org/packages.plist',
    Issued: ISSUED,
    Expires: new Date('2027-01-01T00:00:00Z'),
    Previous: HASH,
    Signers: { Threshold: 2, Fingerprints: FINGERPRINTS },
    Notify: 'mailto:ann@example.org',
    Mirrors: ['https://mirror.example.org/'],
    Trusts: [
      { URL: 'https://example.org/other.plist', Fingerprints: FINGERPRINTS, Threshold: 1, Maintainer: 'Bob' },
    ],
    History: new Map([['old-1.0.zip', [{ SHA256: HASH, Until: ISSUED, Reason: 'leaks' }]]]),
  },
};

const FULL_TEXT = encodeDatabase(FULL).toString();

test('every key is written in the order of the format, and read back', () => {
  expect(decodeDatabase(Buffer.from(FULL_TEXT))).toEqual(FULL);
  const keys = Array.from(FULL_TEXT.matchAll(/^ {4}<key>(.*)<\/key>/gm), ([, key]) => key);
  expect(keys).toEqual(['Version', 'Maintainer', 'Description', 'Include', 'Packages', 'Files', 'Packsign']);
  expect(encodePlist(decodePlist(Buffer.from(FULL_TEXT)))).toBe(FULL_TEXT);
});

test('the smallest database has five keys', () => {
  const { Description } = FULL;
  const smallest = {
    Version: '0.3',
    Description,
    Packages: [],
    Files: new Map(),
    Packsign: { Format: 1, Issued: ISSUED },
  };
  expect(decodeDatabase(encodeDatabase(smallest))).toEqual(smallest);
});

describe('any valid database comes back from its bytes', () => {
  const text = fc
    .string({ unit: 'grapheme', maxLength: 20 })
    .filter((value) => /^[ -~\u00a1-\u0600\u4e00-\u9fff\n\t]*$/.test(value));
  const word = fc.stringMatching(/^[!-~]{1,10}$/);
  const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
  const instant = fc
    .integer({ min: Date.UTC(1970) / 1000, max: Date.UTC(9999, 11, 31) / 1000 })
    .map((second) => new Date(second * 1000));
  const earlier = fc.integer({ min: 0, max: Date.UTC(2000) / 1000 }).map((second) => new Date(second * 1000));
  const path = fc
    .stringMatching(/^[a-z0-9_][a-z0-9._+~=@,!-]{0,8}(?:\/[a-z0-9_][a-z0-9.]{0,5}){0,2}$/)
    .filter(isSafePath);
  const address = fc.stringMatching(/^https?:\/\/[a-z][a-z0-9]{0,7}\/[!-[\]-~]{0,8}$/);
  const place = address.map((value) => value.replace(/[?#]/g, '-'));
  const optional = <T>(value: fc.Arbitrary<T>) => ({ value });
  const archive: fc.Arbitrary<FileEntry> = fc.record(
    {
      Name: word,
      Version: word,
      Flavor: word,
      Size: fc.maxSafeNat(),
      SHA256: hex(64),
      Since: earlier,
      Mutable: fc.constant(true as const),
      Yanked: optional(text).value,
    },
    { requiredKeys: ['Name', 'Version', 'Flavor', 'Size', 'SHA256', 'Since'] },
  );
  const prerequisite = fc.oneof(
    text,
    fc.record({ Name: word }),
    fc.record({ Name: word, Version: text, Flavor: text }),
  );
  const entry: fc.Arbitrary<Package> = fc.record(
    {
      Name: word,
      Version: word,
      Flavor: word,
      Description: text.filter((value) => value.trim() !== ''),
      'Home-page': address,
      'Download-URL': word,
      MD5Sum: hex(32),
      'Install-test': text,
      Prerequisites: fc.array(prerequisite, { maxLength: 2 }),
      'Install-command': text,
      'Pre-install-command': text,
      'Post-install-command': text,
      'User-install-skips': fc.array(text, { maxLength: 2 }),
      'Systemwide-only': fc.boolean(),
    },
    { requiredKeys: ['Name', 'Description', 'Install-test'] },
  );
  const byPath = <T>(value: fc.Arbitrary<T>) =>
    fc
      .uniqueArray(fc.tuple(path, value), { selector: ([name]) => name, maxLength: 4 })
      .map((entries) => new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1))))
      .filter((entries) => findConflict(entries.keys()) === null);
  const withdrawal = fc.record(
    { SHA256: hex(64), Until: earlier, Reason: text.filter((value) => value.trim() !== '') },
    { requiredKeys: ['SHA256', 'Until'] },
  );
  const database = fc
    .record(
      {
        Version: fc.constant('0.5'),
        Maintainer: text.filter((value) => value.trim() !== ''),
        Description: text,
        Include: fc.array(place, { maxLength: 2 }),
        Packages: fc.array(entry, { maxLength: 4 }).map((packages) => packages.sort(comparePackages)),
        Files: byPath(archive),
        Packsign: fc.record(
          {
            Format: fc.constant(1),
            Database: place,
            Issued: instant.filter((date) => date.getUTCFullYear() >= 2000),
            Expires: fc.constant(new Date('9999-12-31T23:59:59Z')),
            Previous: hex(64),
            Signers: fc.constantFrom(
              { Threshold: 1, Fingerprints: FINGERPRINTS },
              { Threshold: 2, Fingerprints: FINGERPRINTS },
            ),
            Notify: fc.constant('https://example.org/report'),
            Mirrors: fc.array(place, { maxLength: 2 }),
            Trusts: fc.array(fc.record({ URL: place, Fingerprints: fc.constant(FINGERPRINTS) }), {
              maxLength: 2,
            }),
            History: byPath(
              fc
                .array(withdrawal, { minLength: 1, maxLength: 2 })
                .map((records) => records.sort(compareRecords)),
            ),
          },
          { requiredKeys: ['Format', 'Issued', 'Signers'] },
        ),
      },
      { requiredKeys: ['Version', 'Maintainer', 'Description', 'Packages', 'Files', 'Packsign'] },
    )
    .filter(
      (value) =>
        defectOfHistory(value as Database) === null && changeWithoutReason(value as Database) === null,
    ) as fc.Arbitrary<Database>;

  test('decode after encode gives the value, encode after decode the bytes', () => {
    fc.assert(
      fc.property(database, (value) => {
        const bytes = encodeDatabase(value);
        const read = decodeDatabase(bytes);
        expect(read).toEqual(value);
        expect(encodeDatabase(read).equals(bytes)).toBe(true);
        expect(encodePlist(decodePlist(bytes))).toBe(bytes.toString());
      }),
      { numRuns: 300 },
    );
  });

  test('any one byte changed gives another value or a refusal, never the same', () => {
    const bytes = Buffer.from(FULL_TEXT);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(bytes);
        changed[at] = bytes[at]! ^ flip;
        let value: Database;
        try {
          value = decodeDatabase(changed);
        } catch (error) {
          expect(error).toMatchObject({ name: 'PacksignError' });
          return;
        }
        expect(value).not.toEqual(FULL);
        // But for unknown keys of Packsign, what was read is all that was there.
        if (!isInPacksign(at)) expect(encodeDatabase(value).equals(changed)).toBe(true);
      }),
      { numRuns: 1500 },
    );
  });

  function isInPacksign(at: number): boolean {
    return at > FULL_TEXT.indexOf('<key>Packsign</key>');
  }
});

describe('one defect each', () => {
  /** The document after an edit of the dictionary at a path. */
  function after(path: readonly (string | number)[], edit: (dict: Map<string, PlistValue>) => void): Buffer {
    const document = new Map(decodePlist(Buffer.from(FULL_TEXT)));
    let dict: PlistValue = document;
    for (const step of path) {
      dict =
        typeof step === 'number' ? (dict as readonly PlistValue[])[step]! : (dict as PlistDict).get(step)!;
    }
    edit(dict as Map<string, PlistValue>);
    return Buffer.from(encodePlist(document));
  }

  const set = (key: string, value: PlistValue) => (dict: Map<string, PlistValue>) => {
    expect(dict.has(key)).toBe(true);
    dict.set(key, value);
  };
  const drop = (key: string) => (dict: Map<string, PlistValue>) => {
    expect(dict.delete(key)).toBe(true);
  };
  const last = (key: string) => (dict: Map<string, PlistValue>) => {
    const value = dict.get(key)!;
    dict.delete(key);
    dict.set(key, value);
  };

  const insert = (dict: Map<string, PlistValue>, behind: string | null, added: [string, PlistValue]) => {
    const rows = Array.from(dict);
    rows.splice(rows.findIndex(([key]) => key === behind) + 1, 0, added);
    dict.clear();
    for (const [key, value] of rows) dict.set(key, value);
  };
  const recordOf = (record: object): PlistDict => new Map(Object.entries(record) as [string, PlistValue][]);
  const records =
    (...all: readonly object[]) =>
    (dict: Map<string, PlistValue>) =>
      dict.set('old-1.0.zip', all.map(recordOf));
  const EARLY = new Date(0);
  const LATER = new Date('9999-01-01T00:00:00Z');
  const RECORD = { SHA256: 'd'.repeat(64), Until: new Date(1000) };

  const PACKAGE = ['Packages', 0];
  const ENTRY = ['Files', 'demo-1.0.tar.gz'];
  const PACKSIGN = ['Packsign'];
  const HISTORY = ['Packsign', 'History', 'old-1.0.zip', 0];
  const TRUST = ['Packsign', 'Trusts', 0];

  test.each<readonly [string, readonly (string | number)[], (dict: Map<string, PlistValue>) => void, RegExp]>(
    [
      ['no Name of a package', PACKAGE, drop('Name'), /Packages .* Name .*is missing/],
      ['no Description of a package', PACKAGE, drop('Description'), /Description/],
      ['an empty Description of a package', PACKAGE, set('Description', ''), /Description/],
      ['no Install-test', PACKAGE, drop('Install-test'), /Install-test/],
      ['a short MD5Sum', PACKAGE, set('MD5Sum', 'd'.repeat(31)), /MD5Sum/],
      ['a home page that is no web address', PACKAGE, set('Home-page', 'javascript:x'), /Home-page/],
      ['an address with a space', PACKAGE, set('Download-URL', 'a b'), /Download-URL/],
      ['Systemwide-only as text', PACKAGE, set('Systemwide-only', 'true'), /Systemwide-only/],
      ['Prerequisites as text', PACKAGE, set('Prerequisites', 'other'), /Prerequisites/],
      [
        'a prerequisite without a name',
        PACKAGE,
        set('Prerequisites', [new Map([['Version', '1']])]),
        /Prerequisites/,
      ],
      ['package keys out of order', PACKAGE, last('Name'), /Name/],
      ['an unknown package key', PACKAGE, (dict) => dict.set('Sha1', 'x'), /Sha1/],
      ['a negative size is no integer of ours', ENTRY, set('Size', '3'), /Size/],
      ['entry keys out of order', ENTRY, last('SHA256'), /SHA256/],
      ['a withdrawal without its hash', HISTORY, drop('SHA256'), /SHA256/],
      ['a withdrawal without its date', HISTORY, drop('Until'), /Until/],
      [
        'an entry that may be Mutable, or not',
        ENTRY,
        (dict) => insert(dict, 'Since', ['Mutable', false]),
        /Mutable/,
      ],
      ['an entry dated ahead', ENTRY, set('Since', LATER), /demo-1.0.tar.gz is dated .* later/],
      ['a record dated ahead', HISTORY, set('Until', LATER), /a record of old-1.0.zip is dated .* later/],
      ['a path without records', ['Packsign', 'History'], set('old-1.0.zip', []), /old-1.0.zip is empty/],
      ['a blank reason', HISTORY, (dict) => dict.set('Reason', ' '), /Reason/],
      ['a record that is there twice', ['Packsign', 'History'], records(RECORD, RECORD), /sorted by date/],
      [
        'a later record first',
        ['Packsign', 'History'],
        records(RECORD, { ...RECORD, Until: EARLY }),
        /sorted/,
      ],
      [
        'other bytes in the next record, without a reason',
        ['Packsign', 'History'],
        records({ ...RECORD, Until: EARLY }, { ...RECORD, SHA256: 'e'.repeat(64) }),
        /other bytes in its next record, without a reason/,
      ],
      [
        'a file with other bytes than its history says, without a reason',
        ['Packsign', 'History'],
        (dict) => insert(dict, null, ['demo-1.0.tar.gz', [recordOf(RECORD)]]),
        /demo-1.0.tar.gz has changed, and its history gives no reason/,
      ],
      [
        'the same under a name that differs in case',
        ['Packsign', 'History'],
        (dict) => insert(dict, null, ['Demo-1.0.tar.gz', [recordOf(RECORD)]]),
        /demo-1.0.tar.gz has changed/,
      ],
      ['a withdrawal with an unknown key', HISTORY, (dict) => dict.set('Why', 'x'), /Why/],
      ['a trust without its address', TRUST, drop('URL'), /URL/],
      ['a trust without fingerprints', TRUST, drop('Fingerprints'), /Fingerprints/],
      ['a trust with a short fingerprint', TRUST, set('Fingerprints', ['A']), /Fingerprints/],
      ['Packsign keys out of order', PACKSIGN, last('Issued'), /Issued/],
      ['top-level keys out of order', [], last('Version'), /Version/],
    ],
  )('%s', (...[, path, edit, message]) => {
    const bytes = after(path, edit);
    expect(() => decodeDatabase(bytes)).toThrow(
      expect.objectContaining({
        code: 'DATABASE_MALFORMED',
        message: expect.stringMatching(message) as string,
      }) as Error,
    );
  });

  test('unsorted packages', () => {
    const [entry] = FULL.Packages;
    const Packages = [
      { ...entry!, Name: 'b' },
      { ...entry!, Name: 'a' },
    ];
    expect(() => decodeDatabase(encodeDatabase({ ...FULL, Packages }))).toThrow(/packages must be sorted/);
  });

  test('a message escapes a hostile key', () => {
    const bytes = after([], (dict) => dict.set('x'.repeat(500), 'x'));
    expect(() => decodeDatabase(bytes)).toThrow(/^(?!.*x{100})/);
  });
});
