import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LANES, openLanes } from '../../src/workers/lanes.js';
import type { Lanes } from '../../src/workers/lanes.js';

/** MD5 of several messages at once must never be anything but MD5 of each, however they are divided into parts. */

const lanes = openLanes() ?? fail();
const room = lanes.slot(0).length;

function fail(): never {
  throw new Error('this platform has no WebAssembly with vectors');
}

const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex');

/** Feeds messages in parts of at most so many bytes each. */
function digests(messages: readonly Uint8Array[], partBytes: readonly number[]): readonly string[] {
  const { slot, start, update, digest }: Lanes = lanes;
  const positions = messages.map(() => 0);
  const over = messages.map(() => false);
  start();
  while (over.includes(false)) {
    update(
      messages.map((message, lane) => {
        if (over[lane] === true) return { length: 0, isLast: false };
        const from = positions[lane] ?? 0;
        const part = message.subarray(from, from + (partBytes[lane] ?? room));
        slot(lane).set(part);
        positions[lane] = from + part.length;
        over[lane] = positions[lane] === message.length;
        return { length: part.length, isLast: over[lane] };
      }),
    );
  }
  return messages.map((_, lane) => digest(lane));
}

const message = (maxLength: number) => fc.uint8Array({ maxLength });
const wholeBlocks = fc.integer({ min: 1, max: room / 64 }).map((blocks) => blocks * 64);
const partSizes = fc.array(wholeBlocks, { minLength: LANES, maxLength: LANES });

describe('MD5 in lanes', () => {
  test('is the MD5 of each message, for any lengths and parts', () => {
    const messages = fc.array(fc.oneof(message(200), message(5000)), { minLength: 1, maxLength: LANES });
    fc.assert(
      fc.property(messages, partSizes, (some, sizes) => {
        expect(digests(some, sizes)).toEqual(some.map(md5));
      }),
      { numRuns: 500 },
    );
  });

  test('is right for every length around the end of a block, next to longer and finished messages', () => {
    const long = Uint8Array.from({ length: 1000 }, (_, at) => (at * 7) & 255);
    for (let length = 0; length <= 200; length += 1) {
      const some = [long.subarray(0, length), long, long.subarray(0, 1), long.subarray(0, length + 64), long];
      expect(digests(some, [64, 128, 64, 192, room])).toEqual(some.map(md5));
    }
  });

  test.each([-73, -72, -65, -64, -57, -56, -55, -9, -8, -1, 0, 1, 8, 64])(
    'is right where a message ends at the end of the room that it has, and %i bytes',
    (more) => {
      const bytes = Buffer.alloc(room + more, 'packsign');
      const some = Array.from({ length: LANES }, (_, lane) => bytes.subarray(lane * (lane % 2)));
      expect(digests(some, [])).toEqual(some.map(md5));
    },
  );

  test('is right beyond 512 MiB, where the count of bits exceeds 32 bits', () => {
    const part = Buffer.alloc(room, 'x');
    const parts = 2 ** 29 / room;
    const whole = createHash('md5');
    lanes.start();
    lanes.slot(3).set(part);
    const rest = { length: 0, isLast: false };
    for (let at = 0; at < parts; at += 1) {
      lanes.update([rest, rest, rest, { length: room, isLast: false }]);
      whole.update(part);
    }
    lanes.update([rest, rest, rest, { length: 10, isLast: true }]);
    expect(lanes.digest(3)).toBe(whole.update(part.subarray(0, 10)).digest('hex'));
  });
});
