import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { PIECE_BYTES, readOnce } from '../../src/workers/object-reader.js';

const bytes = randomBytes(10 * PIECE_BYTES + 17);

function open(whole = bytes) {
  const fetched: number[] = [];
  const passed: Buffer[] = [];
  const spare: Buffer[] = [];
  const fetch = (at: number, into: Buffer) => {
    fetched.push(at / PIECE_BYTES);
    return into.subarray(0, whole.copy(into, 0, at));
  };
  const { file, rest, close } = readOnce(whole.length, { fetch, spare }, (piece) =>
    passed.push(Buffer.from(piece)),
  );
  const read = (at: number, length: number) => {
    const room = Buffer.alloc(length);
    let filled = 0;
    for (let got = -1; filled < length && got !== 0; filled += got)
      got = file.read(room.subarray(filled), at + filled);
    return room.subarray(0, filled);
  };
  const end = () => {
    rest();
    close();
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

test('who looks at a piece may read on, and finds the piece as it was', () => {
  const spare: Buffer[] = [];
  const fetch = (at: number, into: Buffer) => into.subarray(0, bytes.copy(into, 0, at));
  const passed: Buffer[] = [];
  const { file, rest, close } = readOnce(bytes.length, { fetch, spare }, (piece) => {
    const number = passed.length;
    passed.push(piece);
    for (let far = 9; number === 0 && far > 4; far -= 1) file.read(Buffer.alloc(1), far * PIECE_BYTES);
    expect(piece.equals(bytes.subarray(number * PIECE_BYTES, (number + 1) * PIECE_BYTES)), `${number}`).toBe(
      true,
    );
  });
  rest();
  expect(passed).toHaveLength(11);
  close();
});

test('one object after the other is read into the same memory', () => {
  const spare: Buffer[] = [];
  const used = new Set<ArrayBufferLike>();
  const fetch = (at: number, into: Buffer) => {
    used.add(into.buffer);
    return into.subarray(0, bytes.copy(into, 0, at));
  };
  for (let object = 0; object < 5; object += 1) {
    const { rest, close } = readOnce(bytes.length, { fetch, spare }, () => undefined);
    rest();
    close();
  }
  expect(used.size).toBeLessThanOrEqual(4);
  expect(new Set(spare.map(({ buffer }) => buffer)).size).toBe(spare.length);
});

test('nothing is read beyond the end, nor of an empty object', () => {
  const empty = open(Buffer.of());
  expect(empty.read(0, 10)).toHaveLength(0);
  expect(empty.end()).toEqual({ fetched: [], isWhole: true });
  expect(open().read(bytes.length, 10)).toHaveLength(0);
});
