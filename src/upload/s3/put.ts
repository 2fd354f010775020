import { createHash } from 'node:crypto';
import { webFileOf } from '../../model/web-file.js';
import { raced } from '../remote.js';
import type { Stored } from '../../model/listing.js';
import type { Outgoing } from '../remote.js';
import { isAbsent } from '../../stores/failure.js';
import type { Refusal } from '../../stores/failure.js';
import { plainEtag } from '../../stores/list.js';
import { SINGLE_LIMIT_BYTES, counted, etagOfWritten, writeInParts } from './multipart.js';
import { blocksOf } from './source.js';
import type { Ask, Outcome, Store } from '../../stores/store.js';

export interface Putting {
  readonly destination: string;
  readonly directory: string;
  readonly prefix: string;
  readonly onBytes: (count: number) => void;
  readonly conditions: Conditions;
  /** Called right before a file takes its place. */
  readonly check: () => Promise<void>;
}

/** Whether the store compares before it writes, as far as we know. Found out by trying. */
export interface Conditions {
  readonly areOffered: () => boolean;
  readonly areMissing: () => void;
}

export function makeConditions(): Conditions {
  let areOffered = true;
  return {
    areOffered: () => areOffered,
    areMissing: () => {
      areOffered = false;
    },
  };
}

/**
 * Writes a file, if what it replaces is what it may replace. Returns its ETag, null if the store does not say.
 * Throws DESTINATION_RACED, FILE_ALTERED, DESTINATION_FAILED.
 */
export async function putFile(store: Store, file: Outgoing, putting: Putting): Promise<string | null> {
  const { directory, prefix, destination, onBytes } = putting;
  const { type, cacheControl } = webFileOf(file.path);
  const [key, doing] = [`${prefix}${file.path}`, `write ${file.path}`];
  const headers = { 'content-type': type, 'cache-control': cacheControl };
  const finish = (send: Last) => underCondition(file, send, putting);
  const plain = { length: file.size, sha256: file.sha256, read: () => blocksOf(file, directory) };
  const body = counted(plain, onBytes);
  const outcome =
    file.size > SINGLE_LIMIT_BYTES
      ? await writeInParts(store, file, { key, directory, headers, finish, onBytes })
      : await finish(({ expects, headers: condition }) =>
          store.ask(
            { doing, key, body, method: 'PUT', expects, headers: { ...headers, ...condition } },
            etagOfWritten,
          ),
        );
  if (outcome.kind === 'done') return typeof outcome.value === 'string' ? outcome.value : null;
  // Somebody may have written the very same, or we have, and did not hear of it.
  const same = await findSame(store, file, { prefix });
  if (same !== null) return same.etag;
  throw raced(destination);
}

type Final = Required<Pick<Ask, 'headers' | 'expects'>>;
type Last = (final: Final) => Promise<Outcome<unknown>>;

async function underCondition(
  { over }: Outgoing,
  send: Last,
  { conditions, check }: Putting,
): Promise<Outcome<unknown>> {
  await check();
  const plain: Final = { headers: {}, expects: isLost };
  if (over === 'anything' || !conditions.areOffered()) return await send(plain);
  const headers = over === 'nothing' ? { 'if-none-match': '*' } : { 'if-match': `"${over.etag}"` };
  const outcome = await send({ headers, expects: (refusal) => isLost(refusal) || isUnknown(refusal) });
  if (outcome.kind === 'done' || !isUnknown(outcome.refusal)) return outcome;
  const again = await send(plain);
  if (again.kind === 'done') conditions.areMissing();
  return again;
}

/** The file there has been replaced meanwhile, or the upload has already ended. */
export function isLost(refusal: Refusal): boolean {
  const { status, code } = refusal;
  return status === 412 || isAbsent(refusal) || (status === 409 && code === 'ConditionalRequestConflict');
}

/** Stores that cannot compare say so, each in its own words. */
export function isUnknown({ status, code }: Refusal): boolean {
  return (
    status === 501 ||
    (status === 400 && /^(?:NotImplemented|Invalid(?:Argument|Request)|Unsupported)/.test(code))
  );
}

/** The file at the store, if it has these bytes; else null. Reads it. */
export async function findSame(
  store: Store,
  file: Outgoing,
  {
    prefix,
    onBytes = () => undefined,
  }: { readonly prefix: string; readonly onBytes?: (count: number) => void },
): Promise<Pick<Stored, 'etag'> | null> {
  const { path, size, sha256 } = file;
  const outcome = await store.ask(
    { doing: `read ${path}`, method: 'GET', key: `${prefix}${path}`, expects: isAbsent },
    async ({ headers, body, cancel }) => {
      if (Number(headers['content-length'] ?? size) !== size) {
        cancel();
        return null;
      }
      const hash = createHash('sha256');
      let length = 0;
      for await (const chunk of body) {
        hash.update(chunk);
        length += chunk.length;
        onBytes(chunk.length);
        if (length > size) return null;
      }
      return hash.digest('hex') === sha256 ? { etag: plainEtag(headers['etag'] ?? '') } : null;
    },
  );
  return outcome.kind === 'done' ? outcome.value : null;
}
