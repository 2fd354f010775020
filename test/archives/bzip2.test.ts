import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { bunzip2 } from '../../src/archives/bzip2.js';
import { decompress } from '../../src/archives/decompress.js';
import { hasTool } from '../tools.js';

const PIECE_BYTES = 64 * 1024;
const MIB = 1024 * 1024;

const hasBzip2 = hasTool('bzip2');

function bzip2(input: Uint8Array | string, level = 9): Buffer {
  return execFileSync('bzip2', ['-c', `-${level}`], { input, maxBuffer: 1 << 30 });
}

function* chunked(bytes: Uint8Array, chunkBytes: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes)
    yield Buffer.from(bytes.subarray(at, at + chunkBytes));
}

interface Tried {
  readonly bytes: Buffer;
  readonly error: string | null;
}

/** What is given out until the end or the failure. */
function unpack(packed: Uint8Array, chunkBytes = PIECE_BYTES): Tried {
  const pieces: Uint8Array[] = [];
  let error: string | null = null;
  try {
    for (const piece of bunzip2(chunked(packed, chunkBytes))) {
      if (piece.length === 0 || piece.length > PIECE_BYTES)
        throw new RangeError(`a piece of ${piece.length}`);
      pieces.push(piece);
    }
  } catch (thrown) {
    error = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : 'no error';
  }
  return { bytes: Buffer.concat(pieces), error };
}

/** Compared without a diff: of a million bytes it would take minutes. */
function expectUnpacked(packed: Uint8Array, original: Uint8Array, chunkBytes?: number): void {
  const { bytes, error } = unpack(packed, chunkBytes);
  expect(error).toBeNull();
  expect(bytes.length).toBe(original.length);
  expect(bytes.equals(original)).toBe(true);
}

/** Bytes that are the same for the same seed. */
function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed | 1;
  for (let at = 0; at < length; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state;
  }
  return bytes;
}

/** Runs of every length around those that bzip2 treats differently: 3, 4, 5, 255 and what follows. */
function runs(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  const choices = noise(length * 2, seed);
  for (let at = 0, turn = 0; at < length; turn += 2) {
    const runBytes = [1, 2, 3, 4, 5, 254, 255, 256, 258, 259, 260, 600][choices[turn]! % 12]!;
    bytes.fill(choices[turn + 1]! % 3, at, Math.min(at + runBytes, length));
    at += runBytes;
  }
  return bytes;
}

const MAKERS = {
  noise,
  runs,
  zeros: (length: number) => Buffer.alloc(length),
  text: (length: number, seed: number) =>
    Buffer.from(
      Array.from(noise((length >> 2) + 1, seed), (byte) => `${['the', 'a', 'of', '\n'][byte & 3]!} ${byte} `)
        .join('')
        .slice(0, length),
    ),
  cycle: (length: number, seed: number) => Buffer.alloc(length, noise((seed % 7) + 1, seed)),
};
const kinds = Object.keys(MAKERS) as (keyof typeof MAKERS)[];

describe.runIf(hasBzip2)('what the bzip2 tool packed is unpacked', () => {
  it.each(kinds)('at any size and level, from chunks of any size: %s', (kind) => {
    fc.assert(
      fc.property(
        fc.oneof(fc.nat(300), fc.nat(20_000), fc.integer({ min: 90_000, max: 320_000 })),
        fc.integer({ min: 1, max: 9 }),
        fc.record({ seed: fc.nat(), chunkBytes: fc.constantFrom(1, 7, 1000, PIECE_BYTES) }),
        (length, level, { seed, chunkBytes }) => {
          const original = MAKERS[kind](length, seed);
          expectUnpacked(bzip2(original, level), original, chunkBytes);
        },
      ),
      { numRuns: 10 },
    );
  });

  it('empty, one byte, a few blocks of three levels, and an exact number of pieces', () => {
    for (const length of [0, 1, PIECE_BYTES, 3 * PIECE_BYTES, PIECE_BYTES + 1])
      for (const kind of kinds) expectUnpacked(bzip2(MAKERS[kind](length, 5)), MAKERS[kind](length, 5));
    for (const level of [1, 5, 9])
      for (const kind of kinds) {
        const original = MAKERS[kind](level * 100_000 + 1900, level);
        expectUnpacked(bzip2(original, level), original);
      }
    expectUnpacked(bzip2(MAKERS.text(2_500_000, 3)), MAKERS.text(2_500_000, 3));
  });

  it('several streams in a row, also empty ones and of other levels', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ length: fc.nat(3000), level: fc.integer({ min: 1, max: 9 }), seed: fc.nat() }), {
          minLength: 2,
          maxLength: 4,
        }),
        fc.constantFrom(1, 13, PIECE_BYTES),
        (parts, chunkBytes) => {
          const originals = parts.map(({ length, seed }) => MAKERS.text(length, seed));
          const packed = originals.map((original, at) => bzip2(original, parts[at]!.level));
          expectUnpacked(Buffer.concat(packed), Buffer.concat(originals), chunkBytes);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('with zeros after it, and from chunks of which some are empty', () => {
    const original = MAKERS.text(5000, 1);
    const packed = bzip2(original);
    expectUnpacked(Buffer.concat([packed, Buffer.alloc(10_000)]), original);
    const chunks = [
      packed.subarray(0, 0),
      packed.subarray(0, 50),
      packed.subarray(0, 0),
      packed.subarray(50),
    ];
    expect(Buffer.concat([...bunzip2([...chunks, packed.subarray(0, 0)])]).equals(original)).toBe(true);
  });
});

describe.runIf(hasBzip2)('T16: damage', () => {
  const originals = [MAKERS.text(900, 2), runs(2000, 3)];
  const original = Buffer.concat(originals);
  let streams: readonly Buffer[];
  let packed: Buffer;

  beforeAll(() => {
    streams = originals.map((one) => bzip2(one, 1));
    packed = Buffer.concat(streams);
  });

  it('input cut short anywhere fails after a prefix of the output', () => {
    for (let cut = 0; cut < packed.length; cut += 1) {
      const { bytes, error } = unpack(packed.subarray(0, cut));
      expect(original.subarray(0, bytes.length).equals(bytes)).toBe(true);
      if (cut === streams[0]!.length) expect(error).toBeNull();
      else expect(error, `cut at ${cut}`).toBe('Error: bzip2: cut short');
    }
  });

  it('any flipped bit fails cleanly or changes nothing', () => {
    for (let bit = 0; bit < packed.length * 8; bit += 1) {
      const changed = Buffer.from(packed);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const { bytes, error } = unpack(changed);
      if (error === null) expect(bytes.equals(original), `bit ${bit}`).toBe(true);
      else expect(error, `bit ${bit}`).toMatch(/^Error: bzip2: [a-z ]+$/);
    }
  });

  it('bytes changed at random fail cleanly or change nothing', () => {
    const large = MAKERS.text(150_000, 4);
    const good = bzip2(large, 1);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        (changes) => {
          const changed = Buffer.from(good);
          for (const [at, byte] of changes) changed[at] = byte;
          const { bytes, error } = unpack(changed);
          if (error === null) expect(bytes.equals(large)).toBe(true);
          else expect(error).toMatch(/^Error: bzip2: [a-z ]+$/);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('anything but zeros after a stream fails', () => {
    const { bytes, error } = unpack(Buffer.concat([packed, Buffer.from('junk')]));
    expect(bytes.equals(original)).toBe(true);
    expect(error).toBe('Error: bzip2: no stream where one should begin');
  });

  it('a failure to read the input is passed on as it is', () => {
    const failure = new Error('EIO');
    function* failing(): Generator<Buffer> {
      yield packed.subarray(0, 20);
      throw failure;
    }
    expect(() => [...bunzip2(failing())]).toThrow(failure);
  });
});

/** The lengths 1, 2, 2, so that RUNA is 0, RUNB 10, the end 11: five bits to start with, `10` adds one, `0` goes on. */
const CODE = '000010' + '100' + '0';

/** The parts of a stream that holds one byte `a`, in bits. */
const PARTS = {
  level: '00111001',
  blockCrc: bitsOf(Buffer.from('19939b6b', 'hex')),
  randomised: '0',
  start: '0'.repeat(24),
  // The rows of sixteen values that occur, then those of the row: `a` is 0x61.
  alphabet: `${'0000001'.padEnd(16, '0')}${'01'.padEnd(16, '0')}`,
  codeCount: '010',
  selectors: `${'1'.padStart(15, '0')}0`,
  codes: CODE.repeat(2),
  symbols: '011',
};

function bitsOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
}

function stream(changes: Partial<typeof PARTS>): Buffer {
  const { level, blockCrc, randomised, start, alphabet, codeCount, selectors, codes, symbols } = {
    ...PARTS,
    ...changes,
  };
  const block = `${blockCrc}${randomised}${start}${alphabet}${codeCount}${selectors}${codes}${symbols}`;
  const bits = [
    `${bitsOf(Buffer.from('BZh'))}${level}${bitsOf(Buffer.from('314159265359', 'hex'))}${block}`,
    `${bitsOf(Buffer.from('177245385090', 'hex'))}${PARTS.blockCrc}`,
  ].join('');
  return Buffer.from(bits.match(/.{1,8}/g)!.map((byte) => parseInt(byte.padEnd(8, '0'), 2)));
}

describe('T16: made by hand, refused', () => {
  it('only for its one defect', () => {
    expectUnpacked(stream({}), Buffer.from('a'));
  });

  const unused = { codes: `${CODE}00001000` };
  it('a code that nothing uses may be nonsense', () => {
    expectUnpacked(stream(unused), Buffer.from('a'));
  });

  it.runIf(hasBzip2)('the bzip2 tool takes such a code too', () => {
    const packed = stream(unused);
    expect(execFileSync('bzip2', ['-dc'], { input: packed }).toString()).toBe('a');
  });

  const length20 = '10100';
  it.each<[string, Partial<typeof PARTS>]>([
    ['unknown level', { level: '00110000' }],
    ['randomised block', { randomised: '1' }],
    ['start outside its block', { start: '1'.padStart(24, '0') }],
    ['start outside its block', { symbols: '11' }],
    ['empty alphabet', { alphabet: '0'.repeat(16) }],
    ['empty alphabet', { alphabet: `${'1'.padEnd(16, '0')}${'0'.repeat(16)}` }],
    ['impossible number of codes', { codeCount: '001' }],
    ['impossible number of codes', { codeCount: '111' }],
    ['more symbols than announced', { selectors: '0'.repeat(15) }],
    ['more symbols than announced', { symbols: '10'.repeat(8) + '0'.repeat(8), selectors: '0'.repeat(15) }],
    ['unknown code', { selectors: `${'1'.padStart(15, '0')}110` }],
    ['impossible code length', { codes: '000000000000' }],
    ['impossible code length', { codes: '10101000' }],
    ['impossible code length', { codes: `${length20}10000` }],
    ['ambiguous code', { codes: '00001000'.repeat(2) }],
    ['no such code', { codes: `${length20}000`.repeat(2), symbols: '1'.repeat(20) }],
    // Twenty RUNB make a run of two million.
    ['block longer than announced', { symbols: '10'.repeat(20) }],
    ['wrong block checksum', { blockCrc: '0'.repeat(32) }],
    // Four equal bytes and no count: a run of 4 is RUNB, RUNA (2 + 2).
    ['run without its length', { symbols: '10011' }],
  ])('%s', (what, changes) => {
    expect(unpack(stream(changes)).error).toBe(`Error: bzip2: ${what}`);
  });

  it('a wrong stream checksum, after its contents', () => {
    const packed = stream({});
    packed[packed.length - 2]! ^= 0x10;
    expect(unpack(packed)).toEqual({
      bytes: Buffer.from('a'),
      error: 'Error: bzip2: wrong stream checksum',
    });
  });
});

describe.runIf(hasBzip2)('T16: what it costs', () => {
  it('a block that unpacks to half a million times its size costs memory for its pieces only', () => {
    const packed = bzip2(Buffer.alloc(45_000_000));
    expect(packed.length).toBeLessThan(100);
    const folder = mkdtempSync(join(tmpdir(), 'packsign-bzip2-'));
    const path = join(folder, 'zeros.bz2');
    writeFileSync(path, packed);
    const script = `
      import { readFileSync } from 'node:fs';
      import { bunzip2 } from ${JSON.stringify(pathToFileURL(resolve('dist/src/archives/bzip2.js')).href)};
      const chunks = [readFileSync(process.argv[1])];
      const before = process.resourceUsage().maxRSS;
      let bytes = 0;
      let longest = 0;
      for (const piece of bunzip2(chunks)) {
        bytes += piece.length;
        longest = Math.max(longest, piece.length);
      }
      console.log(JSON.stringify({ bytes, longest, grownBytes: (process.resourceUsage().maxRSS - before) * 1024 }));`;
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script, path]).toString();
    rmSync(folder, { recursive: true });
    const cost = JSON.parse(output) as { bytes: number; longest: number; grownBytes: number };
    expect(cost).toMatchObject({ bytes: 45_000_000, longest: PIECE_BYTES });
    expect(cost.grownBytes).toBeLessThan(100 * MIB);
  });

  it('a hundred thousand empty streams, and as many of a byte, need no memory each', () => {
    const empty = bzip2('');
    expect(unpack(Buffer.alloc(empty.length * 100_000, empty))).toEqual({
      bytes: Buffer.alloc(0),
      error: null,
    });
    const one = bzip2('a');
    let bytes = 0;
    for (const piece of bunzip2([Buffer.alloc(one.length * 20_000, one)])) {
      expect(piece.buffer.byteLength).toBeLessThan(1024);
      bytes += piece.length;
    }
    expect(bytes).toBe(20_000);
  });

  it('a caller that stops early, or meets damage, has read no further', async () => {
    const packed = bzip2(noise(3_000_000, 9));
    const damaged = Buffer.from(packed);
    damaged[40] = 0;
    for (const input of [packed, damaged]) {
      let chunks = 0;
      let closed = 0;
      const source = (function* () {
        try {
          for (const chunk of chunked(input, 1000)) {
            chunks += 1;
            yield chunk;
          }
        } finally {
          closed += 1;
        }
      })();
      const pieces = decompress('bzip2', source);
      try {
        for await (const piece of pieces) {
          expect(piece.length).toBe(PIECE_BYTES);
          break;
        }
      } catch (error) {
        expect(input).toBe(damaged);
        expect(error).toMatchObject({ cause: 'damaged' });
      }
      expect(closed).toBe(1);
      expect(chunks).toBeLessThan(1000);
    }
  });
});
