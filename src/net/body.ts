import type { IncomingMessage } from 'node:http';
import { PacksignError } from '../errors.js';
import { failure, networkError, timeoutError } from './failure.js';

/** A server that sends less than this for as long as we are patient is as good as silent. */
const LEAST_BYTES_PER_SECOND = 1024;

/**
 * The bytes of an answer. Ends with an error when they drip, since a byte now and then would hold a reader for ever
 * (slow retrieval): in each `patienceMs` of waiting for the server 1 KiB a second has to come. Only one reader may read
 * it. Throws NETWORK_SLOW, NETWORK_TIMEOUT, NETWORK.
 */
export async function* bodyOf(
  response: IncomingMessage,
  { at, patienceMs }: { readonly at: URL; readonly patienceMs: number },
): AsyncIterable<Uint8Array> {
  const leastBytes = (LEAST_BYTES_PER_SECOND * patienceMs) / 1000;
  const chunks = response.iterator({ destroyOnReturn: true })[Symbol.asyncIterator]();
  let bytes = 0;
  // Only the time in which we wait for the server counts, not what we do with its bytes.
  const waiting = stopwatch(patienceMs, () => {
    if (bytes < leastBytes) response.destroy(bytes === 0 ? timeoutError(at) : tooSlow(at));
    bytes = 0;
  });
  try {
    for (;;) {
      waiting.start();
      const next = await chunks.next();
      waiting.stop();
      if (next.done === true) {
        // The bytes of a connection that broke just before we read them also end without an error.
        if (!response.readableEnded || !response.complete) throw closed(at);
        return;
      }
      const chunk = next.value as Uint8Array;
      bytes += chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw failure(at, error);
  } finally {
    waiting.stop();
    cancel(response);
  }
}

/** All bytes of a body. Throws what `excess` makes for more than so many. */
export async function wholeOf(
  body: AsyncIterable<Uint8Array>,
  limitBytes: number,
  excess: () => Error,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > limitBytes) throw excess();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/** Calls back each time that it has run for so long in all. */
function stopwatch(periodMs: number, ring: () => void) {
  let leftMs = periodMs;
  let started = 0;
  let timer: NodeJS.Timeout | undefined;
  const start = (): void => {
    started = performance.now();
    timer = setTimeout(() => {
      leftMs = periodMs;
      ring();
      start();
    }, leftMs);
  };
  const stop = (): void => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = undefined;
    leftMs = Math.max(0, leftMs - (performance.now() - started));
  };
  return { start, stop };
}

/** Closes the connection of an answer that nobody wants to read further. */
export function cancel(response: IncomingMessage): void {
  if (response.readableEnded) return;
  // Without a listener its end would end the process.
  response.on('error', () => undefined);
  response.destroy();
}

function closed(at: URL): PacksignError {
  return networkError(`${at.host} closed the connection in the middle of its answer`, null, {
    isFinal: false,
  });
}

function tooSlow(at: URL): PacksignError {
  const message = `${at.href} sends less than ${LEAST_BYTES_PER_SECOND} bytes a second`;
  const hint = 'try again later, or name a mirror; --timeout 5m is more patient';
  return new PacksignError('NETWORK_SLOW', message, { hint });
}
