import { damage } from './fault.js';

/** Bytes that come in chunks, taken in pieces of any length. */
export interface ByteInput {
  /** How many bytes were taken. */
  readonly position: () => number;
  /** Whether there is another byte. */
  readonly hasMore: () => boolean;
  /** The next bytes, valid until the next call. Throws `damage` if there are fewer. */
  readonly take: (length: number) => Buffer;
  /** The next byte, which stays. Throws `damage` if there is none. */
  readonly peek: () => number;
}

/** `cut` says what is missing if the bytes end too early. */
export function openBytes(chunks: Iterator<Buffer>, cut: string): ByteInput {
  let chunk: Buffer = Buffer.alloc(0);
  let at = 0;
  let taken = 0;

  function refill(): boolean {
    const next = chunks.next();
    if (next.done === true) return false;
    chunk = at === chunk.length ? next.value : Buffer.concat([chunk.subarray(at), next.value]);
    at = 0;
    return true;
  }

  return {
    position: () => taken,
    hasMore() {
      while (at === chunk.length) if (!refill()) return false;
      return true;
    },
    peek() {
      while (at === chunk.length) if (!refill()) throw damage(cut);
      return chunk[at] ?? 0;
    },
    take(length) {
      while (chunk.length - at < length) if (!refill()) throw damage(cut);
      at += length;
      taken += length;
      return chunk.subarray(at - length, at);
    },
  };
}
