import { PacksignError } from '../errors.js';
import { besideAddress } from '../model/address.js';
import type { Request } from '../net/reply.js';
import type { Network } from '../net/transport.js';
import type { Place, Read, ReadLimits } from './place.js';

/**
 * The place of a database at an address. A connection that breaks is tried again from the start. Reading throws the
 * code given, NETWORK, NETWORK_TIMEOUT, NETWORK_SLOW, REDIRECT_REFUSED.
 */
export function addressPlace(network: Network, database: string): Place {
  const nameOf = (path: string) => besideAddress(database, path);
  return {
    database,
    mayLag: true,
    nameOf,
    readDatabase: ({ attempt = 0, ...request }) => read(network, pastCaches(database, attempt), request),
    readBeside: (path, request) => read(network, nameOf(path), request),
  };
}

/** Some caches ignore a request to look again; an address that they have not seen makes them. */
function pastCaches(address: string, attempt: number): string {
  const url = new URL(address);
  if (attempt >= 2 && url.search === '' && url.protocol !== 'file:') url.search = `?again=${attempt}`;
  return url.href;
}

/** Never reads more than the limit, whatever the server sends. */
async function read(network: Network, url: string, options: ReadLimits & Request): Promise<Read> {
  const { limitBytes, tooLarge } = options;
  const excess = () =>
    new PacksignError(tooLarge, `${url} sends more than the ${limitBytes} bytes that are read of it`);
  return await network.retrying(async () => {
    const reply = await network.get(url, options);
    if (reply.kind !== 'found') return reply;
    if (reply.length !== null && reply.length > limitBytes) {
      reply.cancel();
      throw excess();
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of reply.body) {
      length += chunk.length;
      if (length > limitBytes) throw excess();
      chunks.push(chunk);
    }
    return { kind: 'found', bytes: Buffer.concat(chunks, length), etag: reply.headers['etag'] ?? null };
  });
}
