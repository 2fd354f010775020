import type { ByteInput } from './byte-input.js';
import { damage } from './fault.js';
import {
  SYMBOL_BYTES,
  emptyWindow,
  isAtEnd,
  makeRoom,
  resetState,
  setProperties,
  startRange,
  unpack,
} from './lzma.js';
import type { Lzma } from './lzma.js';

const LONGEST_PACKED = 64 * 1024;
const packed = Buffer.alloc(LONGEST_PACKED + SYMBOL_BYTES);

/** The first byte of a chunk: from here on packed, with ever more that is set anew. */
const PACKED = 0x80;
const RESETS_STATE = 0xa0;
const SETS_PROPERTIES = 0xc0;
const EMPTIES_WINDOW = 0xe0;

/**
 * Unpacks LZMA2, in pieces of at most 2 MiB, each its own buffer. Matches reach at most `dictionaryBytes` back. Throws
 * `damage` or `unseen`.
 */
export function* unpackLzma2(input: ByteInput, lzma: Lzma, dictionaryBytes: number): Generator<Buffer> {
  let isEmptied = false;
  let hasProperties = false;
  for (;;) {
    const [control = 0] = input.take(1);
    if (control === 0) return;
    if (control > 2 && control < PACKED) throw wrong();
    if (control >= EMPTIES_WINDOW || control === 1) {
      emptyWindow(lzma);
      isEmptied = true;
      hasProperties = false;
    }
    if (!isEmptied || (control >= PACKED && control < SETS_PROPERTIES && !hasProperties)) throw wrong();
    hasProperties ||= control >= SETS_PROPERTIES;
    const bytes =
      control < PACKED
        ? copyChunk(input, lzma, dictionaryBytes)
        : unpackChunk(input, lzma, { control, dictionaryBytes });
    yield Buffer.from(lzma.window.subarray(lzma.filled - bytes, lzma.filled));
  }
}

/** Copies a chunk that is not packed; gives its length. */
function copyChunk(input: ByteInput, lzma: Lzma, dictionaryBytes: number): number {
  const bytes = input.take(2).readUInt16BE() + 1;
  makeRoom(lzma, bytes, dictionaryBytes);
  input.take(bytes).copy(lzma.window, lzma.filled);
  lzma.filled += bytes;
  lzma.position = (lzma.position + bytes) | 0;
  return bytes;
}

interface Chunk {
  readonly control: number;
  readonly dictionaryBytes: number;
}

/** Unpacks a chunk; gives how many bytes it holds. */
function unpackChunk(input: ByteInput, lzma: Lzma, { control, dictionaryBytes }: Chunk): number {
  const sizes = input.take(4);
  const bytes = ((control & 0x1f) << 16) + sizes.readUInt16BE(0) + 1;
  const packedBytes = sizes.readUInt16BE(2) + 1;
  if (control >= SETS_PROPERTIES) setProperties(lzma, input.take(1)[0] ?? 0);
  if (control >= RESETS_STATE) resetState(lzma);
  makeRoom(lzma, bytes, dictionaryBytes);
  // What the decoder reads beyond the chunk is the same for the same chunk.
  input.take(packedBytes).copy(packed);
  packed.fill(0, packedBytes, packedBytes + SYMBOL_BYTES);
  startRange(lzma, packed.subarray(0, packedBytes + SYMBOL_BYTES));
  unpack(lzma, bytes);
  if (!isAtEnd(lzma, packedBytes)) throw wrong();
  return bytes;
}

function wrong(): Error {
  return damage('its xz data is damaged');
}
