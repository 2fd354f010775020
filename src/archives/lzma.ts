import { damage, unseen } from './fault.js';

const MIB = 1024 * 1024;
/** Nothing larger is kept in memory of what was unpacked (docs/FORMAT.md §5). */
const WINDOW_LIMIT_BYTES = 128 * MIB;
const FIRST_WINDOW_BYTES = 64 * 1024;
/** Moving the window costs less if it is not moved for each chunk. */
const SPARE_BYTES = 4 * MIB;

/** Probabilities have 11 bits, and follow the bits by a 32nd of the difference. */
const PROBABILITY_BITS = 11;
const EVEN = 1024;
const MOVE_BITS = 5;
const TOP = 0x1000000;

const STATES = 12;
/** States below this followed a literal. */
const LITERAL_STATES = 7;
const POSITION_STATES = 16;
const SHORTEST_MATCH = 2;
/** Where the probabilities of each decision begin. */
const IS_MATCH = 0;
const IS_REPEAT = IS_MATCH + STATES * POSITION_STATES;
const IS_REPEAT_0 = IS_REPEAT + STATES;
const IS_REPEAT_1 = IS_REPEAT_0 + STATES;
const IS_REPEAT_2 = IS_REPEAT_1 + STATES;
const IS_LONG_REPEAT_0 = IS_REPEAT_2 + STATES;
const SLOT = IS_LONG_REPEAT_0 + STATES * POSITION_STATES;
const SPECIAL = SLOT + 4 * 64;
const ALIGN = SPECIAL + 128;
const MATCH_LENGTH = ALIGN + 16;
const LENGTH_SIZE = 2 + 2 * POSITION_STATES * 8 + 256;
const REPEAT_LENGTH = MATCH_LENGTH + LENGTH_SIZE;
const LITERAL = REPEAT_LENGTH + LENGTH_SIZE;
const LITERAL_SIZE = 0x300;
const ALL = LITERAL + LITERAL_SIZE * 16;

/** One symbol takes fewer bytes than this. */
export const SYMBOL_BYTES = 64;

/** The state of an LZMA decoder, and its window: the last unpacked bytes. */
export interface Lzma {
  /** The packed bytes; at least `SYMBOL_BYTES` more than are to be read. */
  input: Uint8Array;
  at: number;
  /** Both unsigned, but kept as signed numbers of 32 bits: the engine stores larger ones on its heap. */
  range: number;
  code: number;
  readonly probabilities: Uint16Array;
  state: number;
  /** The last four distances, less 1. */
  readonly distances: Int32Array;
  literalContextBits: number;
  literalPositionMask: number;
  positionMask: number;
  window: Buffer;
  /** Where the next unpacked byte goes. */
  filled: number;
  /** Bytes before this one are out of reach. */
  reach: number;
  /** How many bytes were unpacked since the window was emptied. */
  position: number;
}

export function createLzma(): Lzma {
  return {
    input: new Uint8Array(SYMBOL_BYTES),
    at: 0,
    range: 0,
    code: 0,
    probabilities: new Uint16Array(ALL),
    state: 0,
    distances: new Int32Array(4),
    literalContextBits: 0,
    literalPositionMask: 0,
    positionMask: 0,
    window: Buffer.alloc(FIRST_WINDOW_BYTES),
    filled: 0,
    reach: 0,
    position: 0,
  };
}

/** Sets how literals and positions are coded. Throws `damage` if no writer may choose that. */
export function setProperties(lzma: Lzma, byte: number): void {
  const contextBits = byte % 9;
  const positionBits = Math.floor(byte / 9) % 5;
  if (byte >= 9 * 5 * 5 || contextBits + positionBits > 4) throw damage('its xz data is damaged');
  lzma.literalContextBits = contextBits;
  lzma.literalPositionMask = (1 << positionBits) - 1;
  lzma.positionMask = (1 << Math.floor(byte / 45)) - 1;
}

export function resetState(lzma: Lzma): void {
  lzma.probabilities.fill(EVEN);
  lzma.state = 0;
  lzma.distances.fill(0);
}

export function emptyWindow(lzma: Lzma): void {
  lzma.filled = 0;
  lzma.reach = 0;
  lzma.position = 0;
}

/**
 * Makes room for more bytes behind the last `keepBytes`. The window grows with what is unpacked, whatever a header asks
 * for. Throws `unseen` if it would grow beyond its limit.
 */
export function makeRoom(lzma: Lzma, bytes: number, keepBytes: number): void {
  const kept = Math.min(lzma.filled, keepBytes);
  if (kept > WINDOW_LIMIT_BYTES) throw unseen('needs more than 128 MiB of memory to unpack');
  if (lzma.filled + bytes > lzma.window.length) {
    const needed = kept + bytes;
    const from = lzma.filled - kept;
    if (needed > lzma.window.length) {
      const doubled = Math.min(needed * 2, keepBytes + SPARE_BYTES, WINDOW_LIMIT_BYTES + SPARE_BYTES);
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, doubled));
      lzma.window.copy(larger, 0, from, lzma.filled);
      lzma.window = larger;
    } else lzma.window.copyWithin(0, from, lzma.filled);
    lzma.filled = kept;
  }
  lzma.reach = lzma.filled - kept;
}

/** Begins to read `input`. Throws `damage` if no packed bytes begin there. */
export function startRange(lzma: Lzma, input: Uint8Array): void {
  if (input[0] !== 0) throw damage('its xz data is damaged');
  lzma.input = input;
  lzma.at = 5;
  lzma.range = -1;
  lzma.code = new DataView(input.buffer, input.byteOffset).getInt32(1);
}

/** Whether the packed bytes ended where the unpacked ones do, `length` bytes after their start. */
export function isAtEnd(lzma: Lzma, length: number): boolean {
  normalize(lzma);
  return lzma.at === length && lzma.code === 0;
}

/** Unpacks `bytes` into the window, for which there must be room. Throws `damage`. */
export function unpack(lzma: Lzma, bytes: number): void {
  const { probabilities, positionMask } = lzma;
  const end = lzma.filled + bytes;
  const limit = lzma.input.length - SYMBOL_BYTES;
  while (lzma.filled < end) {
    if (lzma.at > limit) throw damage('its xz data is damaged');
    const { state } = lzma;
    const positionState = lzma.position & positionMask;
    if (bit(lzma, probabilities, IS_MATCH + state * POSITION_STATES + positionState) === 0) {
      unpackLiteral(lzma);
      continue;
    }
    const length = unpackMatch(lzma, positionState);
    copyMatch(lzma, length, end);
  }
}

function bit(lzma: Lzma, probabilities: Uint16Array, index: number): number {
  let { range, code } = lzma;
  if (range >>> 0 < TOP) {
    range <<= 8;
    code = (code << 8) | (lzma.input[lzma.at++] ?? 0);
  }
  const probability = probabilities[index] ?? 0;
  const bound = Math.imul(range >>> PROBABILITY_BITS, probability);
  const isOne = code >>> 0 >= bound >>> 0;
  if (isOne) {
    lzma.range = (range - bound) | 0;
    lzma.code = (code - bound) | 0;
    probabilities[index] = probability - (probability >>> MOVE_BITS);
    return 1;
  }
  lzma.range = bound;
  lzma.code = code;
  probabilities[index] = probability + (((1 << PROBABILITY_BITS) - probability) >>> MOVE_BITS);
  return 0;
}

function normalize(lzma: Lzma): void {
  if (lzma.range >>> 0 >= TOP) return;
  lzma.range <<= 8;
  lzma.code = (lzma.code << 8) | (lzma.input[lzma.at++] ?? 0);
}

function unpackLiteral(lzma: Lzma): void {
  const { probabilities, window, filled, state, literalContextBits } = lzma;
  const previous = filled > lzma.reach ? (window[filled - 1] ?? 0) : 0;
  const context =
    ((lzma.position & lzma.literalPositionMask) << literalContextBits) +
    (previous >>> (8 - literalContextBits));
  const base = LITERAL + LITERAL_SIZE * context;
  let symbol = 1;
  if (state >= LITERAL_STATES) {
    let matched = window[filled - (lzma.distances[0] ?? 0) - 1] ?? 0;
    do {
      const expected = (matched >>> 7) & 1;
      matched <<= 1;
      const found = bit(lzma, probabilities, base + ((1 + expected) << 8) + symbol);
      symbol = (symbol << 1) | found;
      if (expected !== found) break;
    } while (symbol < 0x100);
  }
  while (symbol < 0x100) symbol = (symbol << 1) | bit(lzma, probabilities, base + symbol);
  window[filled] = symbol;
  lzma.filled = filled + 1;
  lzma.position = (lzma.position + 1) | 0;
  lzma.state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
}

/** Reads a match: sets the distance and gives the length. */
function unpackMatch(lzma: Lzma, positionState: number): number {
  const { probabilities, distances, state } = lzma;
  const isAfterLiteral = state < LITERAL_STATES;
  if (bit(lzma, probabilities, IS_REPEAT + state) === 0) {
    distances.copyWithin(1, 0, 3);
    lzma.state = isAfterLiteral ? 7 : 10;
    const length = unpackLength(lzma, MATCH_LENGTH, positionState);
    distances[0] = unpackDistance(lzma, length);
    return length;
  }
  if (bit(lzma, probabilities, IS_REPEAT_0 + state) === 0) {
    const isLong = bit(lzma, probabilities, IS_LONG_REPEAT_0 + state * POSITION_STATES + positionState);
    if (isLong === 0) {
      lzma.state = isAfterLiteral ? 9 : 11;
      return 1;
    }
  } else {
    let which = 1;
    if (bit(lzma, probabilities, IS_REPEAT_1 + state) === 1) {
      which = bit(lzma, probabilities, IS_REPEAT_2 + state) === 0 ? 2 : 3;
    }
    const distance = distances[which] ?? 0;
    distances.copyWithin(1, 0, which);
    distances[0] = distance;
  }
  lzma.state = isAfterLiteral ? 8 : 11;
  return unpackLength(lzma, REPEAT_LENGTH, positionState);
}

function unpackLength(lzma: Lzma, base: number, positionState: number): number {
  const { probabilities } = lzma;
  if (bit(lzma, probabilities, base) === 0) {
    return SHORTEST_MATCH + tree(lzma, base + 2 + positionState * 8, 3);
  }
  if (bit(lzma, probabilities, base + 1) === 0) {
    return SHORTEST_MATCH + 8 + tree(lzma, base + 2 + (POSITION_STATES + positionState) * 8, 3);
  }
  return SHORTEST_MATCH + 16 + tree(lzma, base + 2 + 2 * POSITION_STATES * 8, 8);
}

function tree(lzma: Lzma, base: number, bits: number): number {
  const { probabilities } = lzma;
  let symbol = 1;
  for (let left = bits; left > 0; left -= 1) symbol = (symbol << 1) | bit(lzma, probabilities, base + symbol);
  return symbol - (1 << bits);
}

function reverseTree(lzma: Lzma, base: number, bits: number): number {
  const { probabilities } = lzma;
  let node = 1;
  let symbol = 0;
  for (let at = 0; at < bits; at += 1) {
    const found = bit(lzma, probabilities, base + node);
    node = (node << 1) | found;
    symbol |= found << at;
  }
  return symbol;
}

/** The distance of a match, less 1. */
function unpackDistance(lzma: Lzma, length: number): number {
  const slot = tree(lzma, SLOT + Math.min(length - SHORTEST_MATCH, 3) * 64, 6);
  if (slot < 4) return slot;
  const bits = (slot >>> 1) - 1;
  const high = (2 | (slot & 1)) << bits;
  if (slot < 14) return high + reverseTree(lzma, SPECIAL + high - slot, bits);
  return (high + (direct(lzma, bits - 4) << 4) + reverseTree(lzma, ALIGN, 4)) | 0;
}

/** Bits of even probability. */
function direct(lzma: Lzma, bits: number): number {
  let value = 0;
  for (let left = bits; left > 0; left -= 1) {
    normalize(lzma);
    lzma.range = lzma.range >>> 1;
    const isOne = lzma.code >>> 0 >= lzma.range;
    if (isOne) lzma.code = (lzma.code - lzma.range) | 0;
    value = (value << 1) | (isOne ? 1 : 0);
  }
  return value;
}

/** Copies a match. It must lie within reach, and end where the chunk ends or before. */
function copyMatch(lzma: Lzma, length: number, end: number): void {
  const { window, filled } = lzma;
  const from = filled - (lzma.distances[0] ?? 0) - 1;
  // A distance of 2 GiB or more is negative.
  if (from < lzma.reach || from >= filled || filled + length > end) throw damage('its xz data is damaged');
  for (let at = 0; at < length; at += 1) window[filled + at] = window[from + at] ?? 0;
  lzma.filled = filled + length;
  lzma.position = (lzma.position + length) | 0;
}
