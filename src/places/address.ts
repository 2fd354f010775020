import { PacksignError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import type { Absent, Request } from '../net/reply.js';
import type { Network } from '../net/transport.js';

export interface ReadOptions extends Request {
  readonly limitBytes: number;
  /** Thrown for more than that. */
  readonly tooLarge: ErrorCode;
}

export type Read =
  | {
      readonly kind: 'found';
      readonly bytes: Buffer;
      readonly etag: string | null;
      readonly headers: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'unchanged' }
  | Absent;

/**
 * A whole small thing, never more than its limit of it (endless data). A connection that breaks is tried
 * again from the start. Throws the code given, NETWORK, NETWORK_TIMEOUT, NETWORK_SLOW, REDIRECT_REFUSED.
 */
export async function readAddress(network: Network, url: string, options: ReadOptions): Promise<Read> {
  return await network.retrying(async () => {
    const reply = await network.get(url, options);
    if (reply.kind !== 'found') return reply;
    const { limitBytes, tooLarge } = options;
    if (reply.length !== null && reply.length > limitBytes) {
      reply.cancel();
      throw excess(url, { limitBytes, tooLarge });
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of reply.body) {
      length += chunk.length;
      if (length > limitBytes) throw excess(url, { limitBytes, tooLarge });
      chunks.push(chunk);
    }
    const { headers } = reply;
    return { kind: 'found', bytes: Buffer.concat(chunks, length), etag: headers['etag'] ?? null, headers };
  });
}

function excess(
  url: string,
  { limitBytes, tooLarge }: { limitBytes: number; tooLarge: ErrorCode },
): PacksignError {
  return new PacksignError(tooLarge, `${url} sends more than the ${limitBytes} bytes that are read of it`);
}
