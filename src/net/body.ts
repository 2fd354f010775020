import type { IncomingMessage } from 'node:http';
import { PacksignError } from '../errors.js';
import { failure, timeoutError } from './failure.js';

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
  let waitedMs = 0;
  try {
    for (;;) {
      const from = performance.now();
      const alarm = setTimeout(() => {
        if (bytes < leastBytes) response.destroy(bytes === 0 ? timeoutError(at) : tooSlow(at));
      }, patienceMs - waitedMs);
      const next = await chunks.next().finally(() => clearTimeout(alarm));
      if (next.done === true) return;
      const chunk = next.value as Uint8Array;
      bytes += chunk.length;
      // Only the time in which we wait for the server counts, not what we do with its bytes.
      waitedMs += performance.now() - from;
      if (waitedMs >= patienceMs) {
        if (bytes < leastBytes) throw tooSlow(at);
        waitedMs = 0;
        bytes = 0;
      }
      yield chunk;
    }
  } catch (error) {
    throw failure(at, error);
  } finally {
    cancel(response);
  }
}

/** Closes the connection of an answer that nobody wants to read further. */
export function cancel(response: IncomingMessage): void {
  if (response.readableEnded) return;
  // Without a listener its end would end the process.
  response.on('error', () => undefined);
  response.destroy();
}

function tooSlow(at: URL): PacksignError {
  return new PacksignError(
    'NETWORK_SLOW',
    `${at.href} sends less than ${LEAST_BYTES_PER_SECOND} bytes a second`,
    { hint: 'try again later, or name a mirror; --timeout 5m is more patient' },
  );
}
