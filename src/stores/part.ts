import type { Listing } from '../model/listing.js';
import type { Objects, Part } from '../places/objects.js';
import type { Bucket } from './bucket.js';
import { isAbsent } from './failure.js';
import type { Refusal } from './failure.js';
import { plainEtag } from './list.js';
import { wholeBody } from './store.js';

/** Reads parts of objects: those of the versions that were listed, and of no others. */
export function partsOf(
  { store, prefix }: Omit<Bucket, 'close'>,
  listing: Pick<Listing, 'get'>,
): Objects['read'] {
  return async ({ path, identity }, at, length): Promise<Part> => {
    const etag = listing.get(path)?.etag ?? null;
    const isWhole = at === 0 && BigInt(length) === identity.size;
    const outcome = await store.ask(
      {
        ...{ doing: `read ${path}`, method: 'GET', key: `${prefix}${path}`, expects: isLost },
        headers: {
          ...(isWhole ? {} : { range: `bytes=${at}-${at + length - 1}` }),
          ...(etag === null ? {} : { 'if-match': `"${etag}"` }),
        },
      },
      async (answer): Promise<Part> => {
        const { status, headers, cancel } = answer;
        // Not every store compares: it says what it gives.
        if (etag !== null && plainEtag(headers['etag'] ?? '') !== etag) {
          cancel();
          return 'changed';
        }
        const bytes = await wholeBody(answer, length);
        return bytes.length === length && (isWhole || status === 206) ? bytes : 'changed';
      },
    );
    if (outcome.kind === 'done') return outcome.value;
    return isAbsent(outcome.refusal) ? 'gone' : 'changed';
  };
}

/** Gone, replaced by another, or shorter by now. */
function isLost(refusal: Refusal): boolean {
  return isAbsent(refusal) || [412, 416].includes(refusal.status);
}
