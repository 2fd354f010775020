/** The longest piece of output. Unpacking needs this much memory, and one block. */
const PIECE_BYTES = 64 * 1024;
const LEVEL_BYTES = 100_000;
const LONGEST_CODE = 20;
/** A table has the codes up to this length. */
const SHORT_CODE = 10;
const GROUP_SYMBOLS = 50;
const RUN_B = 1;
/** After a run this long, a byte says how many more there are. */
const COUNTED_RUN = 4;

const STREAM_MAGIC = 0x425a68;
const BLOCK_MAGIC = [0x314159, 0x265359] as const;
const END_MAGIC = [0x177245, 0x385090] as const;

/** For each byte followed by 24 zero bits, by the polynomial 0x04c11db7, highest bit first. */
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
  return crc;
});

/** The input as bits: the lowest `count` of `held` are the next ones. */
interface Bits {
  readonly chunks: Iterator<Uint8Array>;
  chunk: Uint8Array;
  at: number;
  held: number;
  count: number;
}

/** One prefix code. A window is the next `LONGEST_CODE` bits. */
interface Code {
  /** By the first `SHORT_CODE` bits of a window: the symbol << 5 | the length of its code, or 0 if longer. */
  readonly short: Uint16Array;
  /** By length: the first window beyond all codes that long or shorter. */
  readonly ends: Int32Array;
  /** By length: what to add to a window's first bits of that number to get the index of its symbol. */
  readonly offsets: Int32Array;
  readonly symbols: Uint16Array;
}

/** The block that is being unpacked. */
interface Block {
  /** For each byte: its value, and above that the position of the next byte. As large as the largest block so far. */
  links: Uint32Array;
  position: number;
  leftBytes: number;
  last: number;
  /** How many bytes equal to `last` came one after another. */
  run: number;
  /** How many more times to write `last`. */
  owed: number;
  crc: number;
}

/**
 * Unpacks bzip2, one stream or several in a row, in pieces of at most 64 KiB, each its own buffer. A zero byte after a
 * stream is padding that ends the input. Refuses randomised blocks (bzip2 before 1.0). Throws if the input is damaged or
 * cut short; a wrong checksum shows only at the end of its block, after other pieces of it. A caller that stops early
 * stops the reading of `chunks`, and so does a failure.
 */
export function* bunzip2(chunks: Iterable<Uint8Array>): Generator<Uint8Array, void, undefined> {
  const iterator = chunks[Symbol.iterator]();
  const bits: Bits = { chunks: iterator, chunk: new Uint8Array(0), at: 0, held: 0, count: 0 };
  const links = new Uint32Array(0);
  const block: Block = { links, position: 0, leftBytes: 0, last: 0, run: 0, owed: 0, crc: 0 };
  try {
    do yield* unpackStream(bits, block);
    while (anotherStream(bits));
  } finally {
    iterator.return?.();
  }
}

function* unpackStream(bits: Bits, block: Block): Generator<Uint8Array, void, undefined> {
  if (take(bits, 24) !== STREAM_MAGIC) throw damage('no stream where one should begin');
  const capacityBytes = (take(bits, 8) - 0x30) * LEVEL_BYTES;
  if (capacityBytes < LEVEL_BYTES || capacityBytes > 9 * LEVEL_BYTES) throw damage('unknown level');
  if (block.links.length < capacityBytes) block.links = new Uint32Array(capacityBytes);
  let streamCrc = 0;
  while (blockFollows(bits)) {
    const blockCrc = takeCrc(bits);
    readBlock(bits, block, capacityBytes);
    let piece: Uint8Array;
    do {
      piece = nextPiece(block);
      if (piece.length < PIECE_BYTES && ~block.crc !== blockCrc) throw damage('wrong block checksum');
      if (piece.length > 0) yield piece;
    } while (piece.length === PIECE_BYTES);
    streamCrc = ((streamCrc << 1) | (streamCrc >>> 31)) ^ blockCrc;
  }
  if (takeCrc(bits) !== streamCrc) throw damage('wrong stream checksum');
}

/** Whether another stream follows. Drops the rest of the last byte. */
function anotherStream(bits: Bits): boolean {
  bits.count = 0;
  return (bits.at < bits.chunk.length || nextChunk(bits)) && bits.chunk[bits.at] !== 0;
}

function blockFollows(bits: Bits): boolean {
  const [high, low] = [take(bits, 24), take(bits, 24)];
  if (high === BLOCK_MAGIC[0] && low === BLOCK_MAGIC[1]) return true;
  if (high === END_MAGIC[0] && low === END_MAGIC[1]) return false;
  throw damage('neither a block nor the end where one should be');
}

function readBlock(bits: Bits, block: Block, capacityBytes: number): void {
  if (take(bits, 1) === 1) throw damage('randomised block');
  const start = take(bits, 24);
  const alphabet = readAlphabet(bits);
  const codeCount = take(bits, 3);
  if (codeCount < 2 || codeCount > 6) throw damage('impossible number of codes');
  const selectors = readSelectors(bits, codeCount);
  const codes = Array.from({ length: codeCount }, () => readCodeLengths(bits, alphabet.length + 2));
  const symbols = createSymbolReader(bits, codes, selectors);
  const bytes = readBytes(block.links.subarray(0, capacityBytes), alphabet, symbols);
  if (start >= bytes) throw damage('start outside its block');
  link(block.links.subarray(0, bytes));
  block.position = (block.links[start] ?? 0) >>> 8;
  block.leftBytes = bytes;
  block.run = 0;
  block.owed = 0;
  block.crc = -1;
}

/** The byte values that occur, in order. */
function readAlphabet(bits: Bits): Uint8Array {
  const rows = take(bits, 16);
  const values: number[] = [];
  for (let row = 0; row < 16; row += 1) {
    if (((rows << row) & 0x8000) === 0) continue;
    const columns = take(bits, 16);
    for (let column = 0; column < 16; column += 1)
      if (((columns << column) & 0x8000) !== 0) values.push(row * 16 + column);
  }
  if (values.length === 0) throw damage('empty alphabet');
  return Uint8Array.from(values);
}

/** The code of each group of symbols. */
function readSelectors(bits: Bits, codeCount: number): Uint8Array {
  const recent = Uint8Array.from({ length: codeCount }, (_, index) => index);
  const selectors = new Uint8Array(take(bits, 15));
  for (let group = 0; group < selectors.length; group += 1) {
    let rank = 0;
    while (take(bits, 1) === 1) rank += 1;
    if (rank >= codeCount) throw damage('unknown code');
    selectors[group] = moveToFront(recent, rank);
  }
  return selectors;
}

function readCodeLengths(bits: Bits, symbolCount: number): Uint8Array {
  const lengths = new Uint8Array(symbolCount);
  let length = take(bits, 5);
  for (let symbol = 0; symbol < symbolCount; symbol += 1) {
    while (take(bits, 1) === 1) length += take(bits, 1) === 1 ? -1 : 1;
    if (length < 1 || length > LONGEST_CODE) throw damage('impossible code length');
    lengths[symbol] = length;
  }
  return lengths;
}

/** The canonical code: shorter codes first, those of one length in the order of their symbols. */
function createCode(lengths: Uint8Array): Code {
  const short = new Uint16Array(1 << SHORT_CODE);
  const ends = new Int32Array(LONGEST_CODE + 1);
  const offsets = new Int32Array(LONGEST_CODE + 1);
  const symbols = new Uint16Array(lengths.length);
  const longest = Math.max(...lengths);
  let end = 0;
  let index = 0;
  for (let length = 1; length <= longest; length += 1) {
    const spare = LONGEST_CODE - length;
    offsets[length] = index - (end >>> spare);
    for (let symbol = lengths.indexOf(length); symbol >= 0; symbol = lengths.indexOf(length, symbol + 1)) {
      symbols[index++] = symbol;
      const first = end >>> (LONGEST_CODE - SHORT_CODE);
      end += 1 << spare;
      if (length <= SHORT_CODE)
        short.fill((symbol << 5) | length, first, end >>> (LONGEST_CODE - SHORT_CODE));
    }
    ends[length] = end;
  }
  if (end > 1 << LONGEST_CODE) throw damage('ambiguous code');
  return { short, ends, offsets, symbols };
}

/** Reads the symbols of a block one by one. Makes only the codes that the block uses: each costs more than its bits. */
function createSymbolReader(bits: Bits, lengths: readonly Uint8Array[], selectors: Uint8Array): () => number {
  const codes = new Map<number, Code>();
  let group = 0;
  let leftSymbols = 0;
  let code: Code;

  function nextCode(): Code {
    const selector = selectors[group++];
    const codeLengths = lengths[selector ?? lengths.length];
    if (selector === undefined || codeLengths === undefined) throw damage('more symbols than announced');
    const made = codes.get(selector) ?? createCode(codeLengths);
    codes.set(selector, made);
    return made;
  }

  return () => {
    if (leftSymbols === 0) {
      code = nextCode();
      leftSymbols = GROUP_SYMBOLS;
    }
    leftSymbols -= 1;
    return readSymbol(bits, code);
  };
}

function readSymbol(bits: Bits, code: Code): number {
  // These bits exist: the end mark and checksum after the last symbol are longer.
  need(bits, LONGEST_CODE);
  const window = (bits.held >>> (bits.count - LONGEST_CODE)) & ((1 << LONGEST_CODE) - 1);
  const entry = code.short[window >>> (LONGEST_CODE - SHORT_CODE)] ?? 0;
  if (entry !== 0) {
    bits.count -= entry & 31;
    return entry >>> 5;
  }
  let length = SHORT_CODE + 1;
  while (length <= LONGEST_CODE && window >= (code.ends[length] ?? 0)) length += 1;
  if (length > LONGEST_CODE) throw damage('no such code');
  bits.count -= length;
  return code.symbols[(window >>> (LONGEST_CODE - length)) + (code.offsets[length] ?? 0)] ?? 0;
}

/** Fills `links` with the bytes of the sorted block, still without links; returns their number. */
function readBytes(links: Uint32Array, alphabet: Uint8Array, nextSymbol: () => number): number {
  const endOfBlock = alphabet.length + 1;
  let at = 0;
  // A run's length has the digits 1 and 2 instead of 0 and 1, lowest first.
  let runBytes = 0;
  let digit = 1;
  for (;;) {
    const symbol = nextSymbol();
    if (symbol <= RUN_B) {
      runBytes += digit << symbol;
      digit <<= 1;
      if (runBytes > links.length - at) throw damage('block longer than announced');
      continue;
    }
    if (runBytes > 0) {
      links.fill(alphabet[0] ?? 0, at, at + runBytes);
      at += runBytes;
      runBytes = 0;
      digit = 1;
    }
    if (symbol === endOfBlock) return at;
    if (at === links.length) throw damage('block longer than announced');
    links[at++] = moveToFront(alphabet, symbol - 1);
  }
}

function moveToFront(values: Uint8Array, rank: number): number {
  const value = values[rank] ?? 0;
  // For a few values, the call would cost more than the loop.
  if (rank > 24) values.copyWithin(1, 0, rank);
  else for (let at = rank; at > 0; at -= 1) values[at] = values[at - 1] ?? 0;
  values[0] = value;
  return value;
}

/** Undoes the sorting (Burrows and Wheeler): the byte at the nth place of equal bytes follows the nth of them. */
function link(links: Uint32Array): void {
  const places = new Uint32Array(257);
  for (const byte of links) places[byte + 1] = (places[byte + 1] ?? 0) + 1;
  for (let byte = 1; byte < 257; byte += 1) places[byte] = (places[byte] ?? 0) + (places[byte - 1] ?? 0);
  for (let at = 0; at < links.length; at += 1) {
    const byte = (links[at] ?? 0) & 0xff;
    const place = places[byte] ?? 0;
    places[byte] = place + 1;
    links[place] = (links[place] ?? 0) | (at << 8);
  }
}

/** The next bytes of the block; fewer than `PIECE_BYTES` are the last. */
function nextPiece(block: Block): Uint8Array {
  const { links } = block;
  let { position, leftBytes, last, run, owed } = block;
  const piece = new Uint8Array(Math.min(owed + leftBytes * 255, PIECE_BYTES));
  let at = 0;
  while (at < piece.length) {
    if (owed > 0) {
      const end = Math.min(at + owed, piece.length);
      piece.fill(last, at, end);
      owed -= end - at;
      at = end;
      continue;
    }
    if (leftBytes === 0) break;
    const entry = links[position] ?? 0;
    position = entry >>> 8;
    leftBytes -= 1;
    const byte = entry & 0xff;
    if (run === COUNTED_RUN) {
      owed = byte;
      run = 0;
    } else {
      run = byte === last ? run + 1 : 1;
      last = byte;
      piece[at++] = byte;
    }
  }
  if (leftBytes === 0 && run === COUNTED_RUN) throw damage('run without its length');
  Object.assign(block, { position, leftBytes, last, run, owed });
  block.crc = addToCrc(block.crc, piece.subarray(0, at));
  return piece.subarray(0, at);
}

function addToCrc(start: number, bytes: Uint8Array): number {
  let crc = start;
  for (const byte of bytes) crc = (crc << 8) ^ (CRC_TABLE[(crc >>> 24) ^ byte] ?? 0);
  return crc;
}

function takeCrc(bits: Bits): number {
  return (take(bits, 16) << 16) | take(bits, 16);
}

/** The next bits as a number, 24 at most. */
function take(bits: Bits, count: number): number {
  need(bits, count);
  bits.count -= count;
  return (bits.held >>> bits.count) & ((1 << count) - 1);
}

function need(bits: Bits, count: number): void {
  while (bits.count < count) {
    if (bits.at === bits.chunk.length && !nextChunk(bits)) throw damage('cut short');
    bits.held = (bits.held << 8) | (bits.chunk[bits.at++] ?? 0);
    bits.count += 8;
  }
}

/** Goes to the next chunk that is not empty. */
function nextChunk(bits: Bits): boolean {
  for (;;) {
    const next = bits.chunks.next();
    if (next.done === true) return false;
    bits.chunk = next.value;
    bits.at = 0;
    if (bits.chunk.length > 0) return true;
  }
}

function damage(what: string): Error {
  return new Error(`bzip2: ${what}`);
}
