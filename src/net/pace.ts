import { PacksignError } from '../errors.js';

/** A server that sends less than this for `patienceMs` is as good as silent. */
const LEAST_BYTES_PER_SECOND = 1024;

export interface PaceOptions {
  readonly patienceMs: number;
  /** Turns an error of the stream into one for the user. */
  readonly explain: (error: unknown) => Error;
  /** Where the bytes come from, for messages. */
  readonly at: string;
}

/**
 * A stream that fails if it is too slow: a byte now and then would keep a reader waiting for ever (slow retrieval). Throws
 * NETWORK_SLOW, and other errors as `explain` turns them.
 */
export async function* bounded(
  stream: AsyncIterable<Uint8Array>,
  { patienceMs, explain, at }: PaceOptions,
): AsyncIterable<Uint8Array> {
  const leastBytes = (LEAST_BYTES_PER_SECOND * patienceMs) / 1000;
  let windowStart = performance.now();
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      bytes += chunk.length;
      yield chunk;
      // This counts the reader's own time too, but then also the bytes that waited for it.
      const now = performance.now();
      if (now - windowStart < patienceMs) continue;
      if (bytes < leastBytes) throw tooSlow(at);
      windowStart = now;
      bytes = 0;
    }
  } catch (error) {
    throw explain(error);
  }
}

function tooSlow(at: string): PacksignError {
  return new PacksignError('NETWORK_SLOW', `${at} sends less than ${LEAST_BYTES_PER_SECOND} bytes a second`, {
    hint: 'try again later, or name a mirror; --timeout 5m is more patient',
  });
}
