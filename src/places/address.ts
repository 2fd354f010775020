import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { PacksignError } from '../errors.js';
import { besideAddress } from '../model/address.js';
import { wholeOf } from '../net/body.js';
import { encodingName, networkError } from '../net/failure.js';
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
    readDatabase: ({ pastCaches = false, ...request }) =>
      read(network, pastCaches ? unseen(database) : database, request),
    readBeside: (path, request) => read(network, nameOf(path), request),
  };
}

/** Caches may ignore that they are asked to look again. An address that none of them has seen makes them. */
function unseen(address: string): string {
  const url = new URL(address);
  if (url.search === '' && url.protocol !== 'file:') url.search = `?again=${randomBytes(6).toString('hex')}`;
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
    const sent = await wholeOf(reply.body, limitBytes, excess);
    const { etag = null, 'content-encoding': encoding = 'identity' } = reply.headers;
    const bytes = plainBytes(sent, { encoding, limitBytes, url });
    return { kind: 'found', bytes, etag };
  });
}

const GZIP = Buffer.from([0x1f, 0x8b]);

/** Some servers compress although they are asked not to. Throws NETWORK, also for more than the limit. */
function plainBytes(
  bytes: Buffer,
  {
    encoding,
    limitBytes,
    url,
  }: { readonly encoding: string; readonly limitBytes: number; readonly url: string },
): Buffer {
  const name = encoding.trim().toLowerCase();
  const isGzip = name === 'gzip' || name === 'x-gzip';
  // Some servers name an encoding that they did not apply.
  if (name === '' || name === 'identity' || (isGzip && !bytes.subarray(0, 2).equals(GZIP))) return bytes;
  try {
    if (isGzip) return gunzipSync(bytes, { maxOutputLength: limitBytes });
  } catch {
    // Not gzip, or too much of it.
  }
  throw networkError(
    `${url} is sent with the Content-Encoding ${encodingName(encoding)}, which packsign cannot read`,
  );
}
