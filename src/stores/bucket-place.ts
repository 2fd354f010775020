import { PacksignError } from '../errors.js';
import { DATABASE_NAME } from '../model/layout.js';
import type { DatabaseRequest, Place, Read, ReadLimits } from '../places/place.js';
import type { Bucket } from './bucket.js';
import { isAbsent } from './failure.js';
import type { Refusal } from './failure.js';
import { plainEtag } from './list.js';
import { wholeBody } from './store.js';
import type { Ask } from './store.js';

type FileRequest = ReadLimits & Pick<DatabaseRequest, 'etag'>;

/** The place of the published files in a bucket. Reading throws the code given, and DESTINATION_FAILED. */
export function bucketPlace({ store, address, prefix }: Omit<Bucket, 'close'>): Place {
  const nameOf = (path: string) => `${address.replace(/\/+$/, '')}/${path}`;
  const read = async (path: string, { limitBytes, tooLarge, etag }: FileRequest): Promise<Read> => {
    const ask: Ask = {
      ...{ doing: `read ${path}`, method: 'GET', key: `${prefix}${path}` },
      ...(typeof etag === 'string' ? { headers: { 'if-none-match': `"${etag}"` } } : {}),
      expects: (refusal) => isAbsent(refusal) || isUnchanged(refusal),
    };
    const excess = () =>
      new PacksignError(
        tooLarge,
        `${nameOf(path)} has more than the ${limitBytes} bytes that are read of it`,
      );
    const outcome = await store.ask(ask, async (answer) => ({
      bytes: await wholeBody(answer, limitBytes, excess),
      etag: plainEtag(answer.headers['etag'] ?? ''),
    }));
    if (outcome.kind === 'done') return { kind: 'found', ...outcome.value };
    return isUnchanged(outcome.refusal) ? { kind: 'unchanged' } : { kind: 'absent', isForbidden: false };
  };
  return {
    ...{ database: nameOf(DATABASE_NAME), mayLag: false, nameOf },
    readDatabase: async (request) => await read(DATABASE_NAME, request),
    readBeside: read,
  };
}

function isUnchanged({ status }: Refusal): boolean {
  return status === 304;
}
