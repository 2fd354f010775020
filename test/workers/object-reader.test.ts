import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { PIECE_BYTES, readOnce } from '../../src/workers/object-reader.js';

const bytes = randomBytes(10 * PIECE_BYTES + 17);

function open(whole = bytes) {
  const fetched: number[] = [];
  const passed: Buffer[] = [];
  const fetch = (at: number, length: number) => {
    fetched.push(at / PIECE_BYTES);
    return Buffer.from(whole.subarray(at, at + length));
  };
  const { file, rest } = readOnce(whole.length, fetch, (piece) => passed.push(Buffer.from(piece)));
  const read = (at: number, length: number) => {
    const room = Buffer.alloc(length);
    let filled = 0;
    for (let got = -1; filled < length && got !== 0; filled += got)
      got = file.read(room.subarray(filled), at + filled);
    return room.subarray(0, filled);
  };
  const end = () => {
    rest();
    return { fetched, isWhole: Buffer.concat(passed).equals(whole) };
  };
  return { read, end };
}

test('what is read in order is fetched once, piece by piece', () => {
  const { read, end } = open();
  for (let at = 0; at < bytes.length; at += 100_000) {
    expect(read(at, 100_000).equals(bytes.subarray(at, at + 100_000))).toBe(true);
  }
  expect(end()).toEqual({ fetched: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], isWhole: true });
});

test('a directory at the end costs no more than the pieces that it lies in', () => {
  const { read, end } = open();
  const at = bytes.length - 50_000;
  expect(read(at, 50_000).equals(bytes.subarray(at))).toBe(true);
  expect(read(5, 10).equals(bytes.subarray(5, 15))).toBe(true);
  expect(read(PIECE_BYTES * 4, 9).equals(bytes.subarray(PIECE_BYTES * 4, PIECE_BYTES * 4 + 9))).toBe(true);
  const { fetched, isWhole } = end();
  expect(isWhole).toBe(true);
  expect(fetched.length).toBeLessThanOrEqual(13);
});

test('any order of reading gives the same bytes, and passes on all of them in order', () => {
  const { read, end } = open();
  for (let round = 0; round < 200; round += 1) {
    const at = Math.floor(Math.random() * bytes.length);
    const length = Math.floor(Math.random() * 300_000);
    expect(read(at, length).equals(bytes.subarray(at, at + length)), `${at} ${length}`).toBe(true);
  }
  expect(end().isWhole).toBe(true);
});

test('nothing is read beyond the end, nor of an empty object', () => {
  const empty = open(Buffer.of());
  expect(empty.read(0, 10)).toHaveLength(0);
  expect(empty.end()).toEqual({ fetched: [], isWhole: true });
  expect(open().read(bytes.length, 10)).toHaveLength(0);
});
