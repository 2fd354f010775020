import { describe, expect, test } from 'vitest';
import type { NamedPart } from '../../src/format/part.js';
import type { ObjectRow, Seen } from '../../src/format/object-rows.js';
import type { Stored } from '../../src/model/listing.js';
import { openTold } from '../../src/release/told.js';

const MD5 = 'b'.repeat(32);
const STORED: Stored = { size: 3, etag: MD5, modifiedMs: 1_767_225_600_000 };
const SEEN: Seen = {
  sha256: 'a'.repeat(64),
  md5: MD5,
  reading: { kind: 'absent', reason: 'nothing' },
  inspection: { kind: 'sound', inspect: 'whole' },
};

const row = (path: string, more: Partial<ObjectRow> = {}): ObjectRow => ({
  ...{ path, ...STORED, isProgram: null, seen: SEEN },
  ...more,
});

function part(file: string, ...rows: readonly ObjectRow[]): NamedPart {
  const shard = { index: 1, count: 1 };
  return { file, address: 's3://bucket', shard, settings: {}, objects: { inspect: 'whole', rows } };
}

/** What is believed of the paths of rows, where the store lists these versions. */
function believed(parts: readonly NamedPart[], listed: Readonly<Record<string, Stored>>): readonly string[] {
  const { find } = openTold(parts, new Map(Object.entries(listed)));
  return Object.keys(listed).filter((path) => find(path, null) !== null);
}

describe('what parts say', () => {
  test('counts for the version that is listed', () => {
    const rows = ['a', 'b', 'c', 'd', 'e'].map((path) => row(path));
    const listed = {
      a: STORED,
      b: { ...STORED, size: 4 },
      c: { ...STORED, etag: 'c'.repeat(32) },
      d: { ...STORED, modifiedMs: 1 },
      e: { ...STORED, etag: null },
      f: STORED,
    };
    expect(believed([part('p', ...rows)], listed)).toEqual(['a']);
  });

  test('does not count without an ETag, which names the bytes', () => {
    const plain = { ...STORED, etag: null };
    expect(believed([part('p', row('a', plain))], { a: plain })).toEqual([]);
  });

  test('does not count where its MD5 is not the ETag of a store whose ETags are MD5', () => {
    const [wrong, parts] = [
      { ...STORED, etag: 'c'.repeat(32) },
      { ...STORED, etag: `${'c'.repeat(32)}-2` },
    ];
    const none = { ...SEEN, md5: null };
    const rows = [row('a'), row('b', wrong), row('c', parts), row('d', { ...wrong, seen: none })];
    expect(believed([part('p', ...rows)], { a: STORED, b: wrong, c: parts, d: wrong })).toEqual([
      'a',
      'c',
      'd',
    ]);
  });

  test('counts where the ETag of an encrypted object only looks like an MD5', () => {
    const other = { ...STORED, etag: 'c'.repeat(32) };
    expect(believed([part('p', row('a', other), row('b', other))], { a: other, b: other })).toEqual([
      'a',
      'b',
    ]);
  });

  test('does not count if it is contradicted, if it is of damage, or of nothing but the beginning', () => {
    const rows = [
      row('a'),
      row('b', { seen: { ...SEEN, inspection: { kind: 'damaged', reason: 'ends early' } } }),
      row('c', { isProgram: false, seen: null }),
      row('d'),
      row('e'),
    ];
    const more = [
      row('a', { seen: { ...SEEN, sha256: 'f'.repeat(64) } }),
      row('d', { seen: { ...SEEN, md5: null } }),
      row('e', { seen: { ...SEEN, reading: { kind: 'absent', reason: 'another' } } }),
    ];
    const listed = { a: STORED, b: STORED, c: STORED, d: STORED, e: STORED };
    expect(believed([part('p', ...rows), part('q', ...more)], listed)).toEqual(['d']);
  });

  test('of programs counts unless parts contradict each other', () => {
    const [no, yes] = [{ isProgram: false, seen: null }, { isProgram: true }];
    const first = part('p', row('a', no), row('b', yes), row('c', no));
    const second = part('q', row('a', yes), row('b', yes));
    const listing = new Map(['a', 'b', 'c', 'd'].map((path) => [path, STORED]));
    const { kindOf } = openTold([first, second], listing);
    expect(['a', 'b', 'c', 'd'].map(kindOf)).toEqual([null, true, false, null]);
  });
});
