import type { OpenFile } from '../archives/decompress.js';

/** Fetches a part of an object into memory that it gets, and waits until it is there: gives what it has filled. */
export type FetchPart<Result = Buffer> = (at: number, into: Buffer) => Result;

/** Where the parts of an object come from. */
export interface PartSource<Result = Buffer> {
  readonly fetch: FetchPart<Result>;
  /**
   * Memory for pieces that one object leaves to the next: a thread gives back what it no longer needs only after
   * it has taken many times as much.
   */
  readonly spare: Buffer[];
}

/** An object of a store that is read while it is fetched. */
export interface ObjectReader {
  readonly file: OpenFile;
  /** Fetches what has not been fetched yet. */
  readonly rest: () => void;
  /** Leaves its memory to the next object; nothing may be read after it. */
  readonly close: () => void;
}

/** How much is fetched at once: enough that a request costs little beside it, and little enough for many threads. */
export const PIECE_BYTES = 1024 * 1024;
/** Archives that have their directory at their end begin there. */
const LAST_PIECES = 2;
/** So many are kept, in case they are read again. */
const MOST_HELD = 3;

interface Piece {
  readonly start: number;
  readonly bytes: Buffer;
  readonly room: Buffer;
}

/**
 * Fetches an object piece by piece, from its beginning to its end, whatever is read of it: `onPiece` gets each of them
 * once, in their order, and must not keep it. What is read far from there is fetched aside. Throws what `fetch` throws.
 */
export function readOnce(
  size: number,
  { fetch, spare }: PartSource,
  onPiece: (bytes: Buffer) => void,
): ObjectReader {
  let position = 0;
  const held: Piece[] = [];
  // `onPiece` may read on while it looks at one.
  const inUse = new Set<Piece>();
  const letGo = (piece: Piece) => {
    if (!inUse.has(piece)) spare.push(piece.room);
  };
  const pieceAt = (start: number): Piece => {
    const room = spare.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES);
    const bytes = fetch(start, room.subarray(0, Math.min(PIECE_BYTES, size - start)));
    const piece = { start, bytes, room };
    held.push(piece);
    if (held.length > MOST_HELD) held.splice(0, 1).forEach(letGo);
    return piece;
  };
  const advance = (): Piece => {
    const piece = pieceAt(position);
    position += piece.bytes.length;
    inUse.add(piece);
    onPiece(piece.bytes);
    inUse.delete(piece);
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
    close: () => {
      held.splice(0).forEach(letGo);
    },
  };
}
