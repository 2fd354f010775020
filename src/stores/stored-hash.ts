import type { Listing } from '../model/listing.js';
import type { Objects } from '../places/objects.js';
import type { Bucket } from './bucket.js';
import type { Refusal } from './failure.js';
import { plainEtag } from './list.js';
import { wholeBody } from './store.js';

/** The SHA-256 of the whole object, in base64: that of parts together has a `-` and their number at its end. */
const SHA256 = /^[A-Za-z0-9+/]{43}=$/;

/**
 * Asks a store for the SHA-256 that it was given with an object, and that it checked when it took the object. Only of a
 * whole object, and only of the version that was listed.
 */
export function storedHashes({ store, prefix }: Bucket, listing: Listing): Objects['storedSha256'] {
  return async ({ path, identity }) => {
    const etag = listing.get(path)?.etag ?? null;
    if (etag === null) return null;
    const outcome = await store.ask(
      {
        ...{ doing: `look at ${path}`, method: 'HEAD', key: `${prefix}${path}`, expects: isAnswer },
        headers: { 'if-match': `"${etag}"`, 'x-amz-checksum-mode': 'ENABLED' },
      },
      async (answer) => {
        await wholeBody(answer);
        return answer.headers;
      },
    );
    if (outcome.kind === 'refused') return null;
    const headers = outcome.value;
    const text = headers['x-amz-checksum-sha256'] ?? '';
    const isThis = plainEtag(headers['etag'] ?? '') === etag;
    const isWhole = headers['x-amz-checksum-type'] === 'FULL_OBJECT' && SHA256.test(text);
    if (!isThis || !isWhole || headers['content-length'] !== identity.size.toString()) return null;
    return Buffer.from(text, 'base64').toString('hex');
  };
}

/** A refusal has no body that would say more: reading the object does. */
function isAnswer({ status }: Refusal): boolean {
  return status === 501 || (status >= 400 && status < 500 && ![408, 425, 429].includes(status));
}
