import { describe, expect, test } from 'vitest';
import { decodeRows, encodeRows } from '../../src/format/object-rows.js';
import type { ObjectRow, ObjectRows } from '../../src/format/object-rows.js';
import { Misfit } from '../../src/format/misfit.js';

const STORED = { size: 3, etag: 'abc', modifiedMs: 1_767_225_600_000 };
const SEEN = {
  sha256: 'a'.repeat(64),
  md5: 'b'.repeat(32),
  reading: { kind: 'absent', reason: 'no metadata with a name and a version in it' },
  inspection: { kind: 'sound', inspect: 'whole' },
} as const;
const METADATA = {
  ...({ kind: 'npm', name: 'a', version: '1.0', platform: 'linux-x64' } as const),
  ...{ summary: 'größer', homePage: 'https://example.org/a' },
};

const row = (path: string, more: Partial<ObjectRow> = {}): ObjectRow => ({
  ...{ path, ...STORED, isProgram: null, seen: SEEN },
  ...more,
});

const ROWS: ObjectRows = {
  inspect: 'whole',
  rows: [
    row('a-1.0.tgz', { seen: { ...SEEN, reading: { kind: 'found', metadata: METADATA } } }),
    row('b-1.0.tgz', {
      etag: null,
      seen: { ...SEEN, md5: null, inspection: { kind: 'damaged', reason: 'ends early' } },
    }),
    row('c', { isProgram: true, seen: { ...SEEN, inspection: { kind: 'unseen', reason: '' } } }),
    row('d/notes.txt', { isProgram: false, seen: null }),
  ],
};

const refusalOf = (text: string): string => {
  try {
    decodeRows(text);
  } catch (error) {
    if (error instanceof Misfit) return error.describe();
    throw error;
  }
  return 'none';
};

describe('rows of objects', () => {
  test('are read as they were written, with all that they say', () => {
    expect(decodeRows(encodeRows(ROWS))).toEqual(ROWS);
    expect(decodeRows(encodeRows({ inspect: 'ends', rows: [] }))).toEqual({ inspect: 'ends', rows: [] });
  });

  test('a row that could not be read is not written', () => {
    const odd = [
      row('a b'),
      row('c-1.0.tgz', { etag: 'x'.repeat(2000) }),
      row('d-1.0.tgz', { seen: { ...SEEN, reading: { kind: 'absent', reason: 'a\u0007b' } } }),
      row('e-1.0.tgz', { seen: { ...SEEN, inspection: { kind: 'unseen', reason: 'x'.repeat(70_000) } } }),
      row('f-1.0.tgz', {
        seen: { ...SEEN, reading: { kind: 'found', metadata: { ...METADATA, homePage: 'javascript:' } } },
      }),
    ];
    expect(decodeRows(encodeRows({ inspect: 'whole', rows: [...odd, row('g-1.0.tgz')] })).rows).toEqual([
      row('g-1.0.tgz'),
    ]);
  });

  const text = encodeRows({ inspect: 'whole', rows: [row('a-1.0.tgz'), row('b-1.0.tgz')] });
  const changes: readonly (readonly [what: string, from: string | RegExp, to: string, why: string])[] = [
    [
      'another version of the readers',
      '"readers":2',
      '"readers":3',
      'another version of packsign made it, whose readers may find something else',
    ],
    [
      'an unknown way of looking',
      '"inspect":"whole"',
      '"inspect":"none"',
      'is not written as packsign writes it',
    ],
    ['an unknown key', '{"path":"a', '{"more":1,"path":"a', 'row-1 › more › is not a known key'],
    ['keys in another order', /"size":3,("etag":"abc"),/, '$1,"size":3,', 'row-1 › size › is out of order'],
    [
      'a key that is there twice',
      '"size":3',
      '"size":9,"size":3',
      'row-1: is not written as packsign writes it',
    ],
    [
      'another way to write a number',
      '"size":3',
      '"size":3e0',
      'row-1: is not written as packsign writes it',
    ],
    ['a blank', '"size":3', '"size": 3', 'row-1: is not written as packsign writes it'],
    ['something behind it', /$/, ' ', 'has no end'],
    ['a size that is a text', '"size":3', '"size":"3"', 'row-1 › size › expected an integer'],
    [
      'a size below zero',
      '"size":3',
      '"size":-3',
      'row-1 › size › expected a number from 0 to 999999999999999',
    ],
    [
      'a size that nothing has',
      '"size":3',
      '"size":1e15',
      'row-1 › size › expected a number from 0 to 999999999999999',
    ],
    ['half a byte', '"size":3', '"size":3.5', 'row-1 › size › 3.5 is not allowed here'],
    ['no time', /"modifiedMs":\d+,/, '', 'row-1 › modifiedMs › is missing'],
    ['null', '"etag":"abc"', '"etag":null', 'row-1 › etag › null is not allowed here'],
    ['an ETag with a quotation mark', '"etag":"abc"', '"etag":"a\\"c"', 'row-1 › etag › expected an ETag'],
    [
      'a path that leads out',
      'a-1.0.tgz',
      '../a.tgz',
      'row-1 › path › a name may hold letters, digits and . _ + ~ = @ , ! - and begins with a letter, digit or _',
    ],
    [
      'a path of packsign itself',
      'a-1.0.tgz',
      'packages.plist',
      'row-1 › path › a name must not be that of a file or folder of packsign itself',
    ],
    ['a path that is there twice', 'a-1.0.tgz', 'b-1.0.tgz', 'b-1.0.tgz is there twice, or not in its order'],
    ['another order of the paths', 'a-1.0.tgz', 'c-1.0.tgz', 'b-1.0.tgz is there twice, or not in its order'],
    ['a hash in capitals', /a{64}/, 'A'.repeat(64), 'row-1 › sha256 › expected 64 lower-case hex digits'],
    ['half a hash', /a{64}/, 'a'.repeat(32), 'row-1 › sha256 › expected 64 lower-case hex digits'],
    ['no MD5', /b{32}/, 'b'.repeat(31), 'row-1 › md5 › expected an MD5 of 32 lower-case hex digits'],
    ['no hash at all', /"sha256":"a*",/, '', 'row-1: sha256 is missing'],
    [
      'no program with a hash',
      '"sha256"',
      '"program":false,"sha256"',
      'row-1: what is no program has no sha256',
    ],
    [
      'two findings',
      '"sound":"whole"',
      '"sound":"whole","damaged":"no"',
      'row-1: expected one of sound, damaged and unseen',
    ],
    ['no finding', ',"sound":"whole"', '', 'row-1: expected one of sound, damaged and unseen'],
    ['no word of its metadata', /"noMetadata":"[^"]*",/, '', 'row-1: expected either metadata or noMetadata'],
    [
      'metadata of an unknown kind',
      /"noMetadata":"[^"]*"/,
      '"metadata":{"kind":"spam","name":"a","version":"1","summary":""}',
      'row-1 › metadata › kind › expected one of: sdist, wheel, egg, npm, deb, rpm, gem, crate, helm, conda, nupkg, vsix, jar, pacman, alpine',
    ],
    [
      'a name with a blank',
      /"noMetadata":"[^"]*"/,
      '"metadata":{"kind":"npm","name":"a b","version":"1","summary":""}',
      'row-1 › metadata › name › expected at most 1024 characters of ASCII without spaces',
    ],
    [
      'a summary of two lines',
      /"noMetadata":"[^"]*"/,
      '"metadata":{"kind":"npm","name":"a","version":"1","summary":"a\\nb"}',
      'row-1 › metadata › summary › expected one tidy line',
    ],
    [
      'a home page that is a program',
      /"noMetadata":"[^"]*"/,
      '"metadata":{"kind":"npm","name":"a","version":"1","summary":"","homePage":"javascript:x"}',
      'row-1 › metadata › homePage › expected an http or https address',
    ],
    [
      'a list without end',
      '"etag":"abc"',
      `"etag":${'['.repeat(100_000)}${']'.repeat(100_000)}`,
      'row-1: nests too deep',
    ],
    ['half of it', /.{100}$/s, '', 'has no end'],
    ['a row that is no JSON', '"size":3', '"size":', 'row-1: is not JSON'],
    ['no mark between rows', '},\n{', '}\n{', 'row-1: is not JSON'],
    ['nothing', /^.*$/s, '', 'is not written as packsign writes it'],
    ['a list', /^.*$/s, '[]', 'is not written as packsign writes it'],
    ['a number', /^.*$/s, '7', 'is not written as packsign writes it'],
  ];

  test.each(changes)('are refused with %s', (...[, from, to, why]) => {
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    expect(refusalOf(changed)).toBe(why);
  });
});
