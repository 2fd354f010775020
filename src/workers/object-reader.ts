import type { OpenFile } from '../archives/decompress.js';

/** Gives a part of an object, and waits until it is there. Throws if it cannot be had. */
export type FetchPart = (at: number, length: number) => Buffer;

/** An object of a store that is read while it is fetched. */
export interface ObjectReader {
  readonly file: OpenFile;
  /** Fetches what has not been fetched yet. */
  readonly rest: () => void;
}

/** How much is fetched at once: enough that a request costs little beside it, and little enough for many threads. */
export const PIECE_BYTES = 1024 * 1024;
/** Archives that have their directory at their end begin there. */
const LAST_PIECES = 2;

interface Piece {
  readonly start: number;
  readonly bytes: Buffer;
}

/**
 * Fetches an object piece by piece, from its beginning to its end, whatever is read of it: `onPiece` gets each of them
 * once, in their order. What is read far from there is fetched aside.
 */
export function readOnce(size: number, fetch: FetchPart, onPiece: (bytes: Buffer) => void): ObjectReader {
  let position = 0;
  const held: Piece[] = [];
  const pieceAt = (start: number): Piece => {
    const bytes = fetch(start, Math.min(PIECE_BYTES, size - start));
    const piece = { start, bytes };
    held.push(piece);
    if (held.length > 3) held.shift();
    return piece;
  };
  const advance = (): Piece => {
    const piece = pieceAt(position);
    position += piece.bytes.length;
    onPiece(piece.bytes);
    return piece;
  };
  const pieceWith = (at: number): Piece => {
    const start = at - (at % PIECE_BYTES);
    const known = held.find((one) => one.start === start);
    if (known !== undefined) return known;
    const isAside = start < position || (start > position && size - start <= LAST_PIECES * PIECE_BYTES);
    if (isAside) return pieceAt(start);
    let piece = advance();
    while (piece.start < start) piece = advance();
    return piece;
  };
  return {
    file: {
      size,
      read: (room, at) => {
        if (at >= size || room.length === 0) return 0;
        const { start, bytes } = pieceWith(at);
        return bytes.copy(room, 0, at - start);
      },
    },
    rest: () => {
      while (position < size) advance();
    },
  };
}
