// MD5 (RFC 1321) of several messages at once, as a WebAssembly module. This file makes the module from the tables of the
// RFC, so that nobody has to trust a binary or compile one.

/** A vector holds a number of each of four messages; with two, the processor works on one while the other waits. */
const VECTORS = 2;
const VECTOR_LANES = 4;
/** How many messages are hashed at once. */
export const LANES = VECTORS * VECTOR_LANES;

/** The most bytes of a message that are in memory at a time. */
export const SLOT_BYTES = 256 * 1024;
/** With room for a message's padding, at most 72 bytes; the rest keeps the slots off the same cache lines. */
const SLOT_ROOM = SLOT_BYTES + 128;
const PAGE_BYTES = 64 * 1024;

const WORD_BYTES = 4;
const STATE_WORDS = 4;
const VECTOR_BYTES = 16;
export const BLOCK_BYTES = 64;
/** The states come first, then the slots. */
const SLOTS_AT = VECTORS * STATE_WORDS * VECTOR_BYTES;

/** Where the bytes of a message are in memory. */
export function slotAt(lane: number): number {
  return SLOTS_AT + lane * SLOT_ROOM;
}

/** Where a word of the state of a message is in memory, counted in words. */
export function stateWordAt(lane: number, word: number): number {
  const vector = Math.floor(lane / VECTOR_LANES) * STATE_WORDS + word;
  return vector * VECTOR_LANES + (lane % VECTOR_LANES);
}

export interface LanesExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Hashes so many blocks of every slot, from an offset in bytes on. */
  readonly advance: (offset: number, blocks: number) => void;
}

/** RFC 1321, 3.4: by how many bits the steps of each round rotate; they repeat after four steps. */
const ROTATIONS: readonly (readonly number[])[] = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
];
/** Which word of the block each step of a round takes, modulo 16. */
const WORD_OF_STEP: readonly ((step: number) => number)[] = [
  (step) => step,
  (step) => 5 * step + 1,
  (step) => 3 * step + 5,
  (step) => 7 * step,
];
/** The functions F, G, H and I. */
const MIXES: readonly ((b: Code, c: Code, d: Code) => Code)[] = [
  (b, c, d) => xor(d, and(b, xor(c, d))),
  (b, c, d) => or(and(b, d), andNot(c, d)),
  xor3,
  (b, c, d) => xor(c, or(b, not(d))),
];
function xor3(b: Code, c: Code, d: Code): Code {
  return xor(b, xor(c, d));
}
/** The table T. */
const constantOf = (step: number) => Math.floor(2 ** 32 * Math.abs(Math.sin(step + 1)));

/** Writes instructions of the WebAssembly core specification (5.4), operands first. */
type Code = (out: number[]) => void;

const bytes =
  (...values: readonly number[]): Code =>
  (out) => {
    for (const value of values) out.push(value);
  };
const all =
  (...parts: readonly Code[]): Code =>
  (out) => {
    for (const part of parts) part(out);
  };

const get = (local: number): Code => bytes(0x20, ...unsigned(local));
const set = (local: number, value: Code): Code => all(value, bytes(0x21, ...unsigned(local)));
const number = (value: number): Code => bytes(0x41, ...signed(value));
const plus = (a: Code, b: Code): Code => all(a, b, bytes(0x6a));
const minus = (a: Code, b: Code): Code => all(a, b, bytes(0x6b));
const repeatWhile = (body: Code, condition: Code): Code =>
  all(bytes(0x03, 0x40), body, condition, bytes(0x0d, 0, 0x0b));

const vector = (opcode: number, ...operands: readonly Code[]): Code =>
  all(...operands, bytes(0xfd, ...unsigned(opcode)));
/** Aligned to at least 2^2 bytes. */
const load = (address: Code, offset: number): Code =>
  all(vector(0x00, address), bytes(2, ...unsigned(offset)));
const store = (address: Code, offset: number, value: Code): Code =>
  all(vector(0x0b, address, value), bytes(2, ...unsigned(offset)));
const shuffle = (a: Code, b: Code, places: readonly number[]): Code =>
  all(vector(0x0d, a, b), bytes(...places));
const splat = (value: number): Code => vector(0x11, number(value | 0));
const not = (a: Code): Code => vector(0x4d, a);
const and = (a: Code, b: Code): Code => vector(0x4e, a, b);
const andNot = (a: Code, b: Code): Code => vector(0x4f, a, b);
const or = (a: Code, b: Code): Code => vector(0x50, a, b);
const xor = (a: Code, b: Code): Code => vector(0x51, a, b);
const shiftLeft = (a: Code, bits: number): Code => vector(0xab, a, number(bits));
const shiftRight = (a: Code, bits: number): Code => vector(0xad, a, number(bits));
const add = (a: Code, b: Code): Code => vector(0xae, a, b);

/** Little endian, seven bits a byte (5.2.2). */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  return value >= -0x40 && value < 0x40 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}

const POINTER = 0;
const BLOCKS = 1;
const FIRST_VECTOR = 2;

/** The local variables of one vector: the words of a block, the state, the state before the block. */
function localsOf(index: number) {
  const first = FIRST_VECTOR + index * (16 + 2 * STATE_WORDS);
  const from = (start: number, count: number) => Array.from({ length: count }, (_, at) => start + at);
  return {
    words: from(first, 16),
    state: from(first + 16, STATE_WORDS),
    before: from(first + 16 + STATE_WORDS, STATE_WORDS),
  };
}
const LOCALS = Array.from({ length: VECTORS }, (_, index) => ({ index, ...localsOf(index) }));
type Locals = (typeof LOCALS)[number];
const COUNT_OF_LOCALS = VECTORS * (16 + 2 * STATE_WORDS);

/** The bytes of a module that exports `LanesExports`. */
export function lanesModule(): Uint8Array {
  const code: number[] = [1, ...unsigned(COUNT_OF_LOCALS), 0x7b];
  const countDown = all(set(BLOCKS, minus(get(BLOCKS), number(1))), get(BLOCKS));
  all(everyVector(loadState), repeatWhile(oneBlock(), countDown), everyVector(storeState), bytes(0x0b))(code);
  const pages = Math.ceil(slotAt(LANES) / PAGE_BYTES);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    // A function from two numbers to nothing; one such function; one memory; both exported.
    ...section(1, [1, 0x60, 2, 0x7f, 0x7f, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 1, ...unsigned(pages), ...unsigned(pages)]),
    ...section(7, [2, ...exported('memory', 2), ...exported('advance', 0)]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ]);
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function exported(name: string, kind: number): number[] {
  return [name.length, ...Buffer.from(name), kind, 0];
}

function everyVector(make: (locals: Locals) => Code): Code {
  return all(...LOCALS.map(make));
}

function loadState({ index, state }: Locals): Code {
  return all(...state.map((local, word) => set(local, load(number(0), stateBytesAt(index, word)))));
}

function storeState({ index, state }: Locals): Code {
  return all(...state.map((local, word) => store(number(0), stateBytesAt(index, word), get(local))));
}

function stateBytesAt(index: number, word: number): number {
  return stateWordAt(index * VECTOR_LANES, word) * WORD_BYTES;
}

/** Hashes one block of each message, and goes on to the next. */
function oneBlock(): Code {
  const steps = Array.from({ length: 64 }, (_, step) => everyVector((locals) => oneStep(locals, step)));
  return all(
    everyVector(loadWords),
    everyVector(({ state, before }) => setAll(before, state.map(get))),
    ...steps,
    everyVector(({ state, before }) =>
      setAll(
        state,
        state.map((local, word) => add(get(local), get(before[word] ?? 0))),
      ),
    ),
    set(POINTER, plus(get(POINTER), number(BLOCK_BYTES))),
  );
}

function setAll(locals: readonly number[], values: readonly Code[]): Code {
  return all(...values.map((value, at) => set(locals[at] ?? 0, value)));
}

// Bytes of two vectors: the first two words of both, alternating, or the last two; the first halves of both, or the last.
const LOW_WORDS = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
const HIGH_WORDS = [8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31];
const LOW_HALVES = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const HIGH_HALVES = [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31];

/** Transposes four words of each of four messages into four vectors with one word of each; four times. */
function loadWords({ index, words, before }: Locals): Code {
  // Still unused.
  const scratch = before;
  return all(
    ...[0, 4, 8, 12].map((first) => {
      const four = words.slice(first, first + 4);
      const loads = four.map((_, lane) =>
        load(get(POINTER), slotAt(index * VECTOR_LANES + lane) + first * WORD_BYTES),
      );
      const [a, b, c, d] = four.map(get) as [Code, Code, Code, Code];
      const [t, u, v, w] = scratch.map(get) as [Code, Code, Code, Code];
      const pairs = [
        shuffle(a, b, LOW_WORDS),
        shuffle(c, d, LOW_WORDS),
        shuffle(a, b, HIGH_WORDS),
        shuffle(c, d, HIGH_WORDS),
      ];
      const turned = [
        shuffle(t, u, LOW_HALVES),
        shuffle(t, u, HIGH_HALVES),
        shuffle(v, w, LOW_HALVES),
        shuffle(v, w, HIGH_HALVES),
      ];
      return all(setAll(four, loads), setAll(scratch, pairs), setAll(four, turned));
    }),
  );
}

/** a = b + ((a + mix(b, c, d) + word + constant) <<< rotation); then the four rotate their roles. */
function oneStep({ state, words }: Locals, step: number): Code {
  const round = Math.floor(step / 16);
  const places = [0, 1, 2, 3].map((place) => state[(place + 64 - step) % STATE_WORDS] ?? 0);
  const [a, b, c, d] = places.map(get) as [Code, Code, Code, Code];
  const [target = 0] = places;
  const mix = MIXES[round] ?? xor3;
  const word = get(words[(WORD_OF_STEP[round]?.(step) ?? 0) % 16] ?? 0);
  const rotation = ROTATIONS[round]?.[step % 4] ?? 0;
  const sum = add(add(add(a, splat(constantOf(step))), word), mix(b, c, d));
  return all(set(target, sum), set(target, add(or(shiftLeft(a, rotation), shiftRight(a, 32 - rotation)), b)));
}
