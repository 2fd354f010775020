import { createHash } from 'node:crypto';
import { PacksignError } from '../errors.js';
import { wholeOf } from '../net/body.js';
import type { Answer, Sending } from '../net/reply.js';
import type { Network } from '../net/transport.js';
import { explained, refusalFrom } from './failure.js';
import type { Refusal } from './failure.js';
import { makeSign } from './sign.js';
import type { StoreSettings } from './settings.js';

/** A request to a bucket. */
export interface Ask {
  /** What it is for, for messages: `write lantern-1.0.tar.gz`. */
  readonly doing: string;
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Null for the bucket itself. */
  readonly key: string | null;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body;
  /** Answers that are none of its usual ones, and not errors either. */
  readonly expects?: (refusal: Refusal) => boolean;
}

export interface Body {
  readonly length: number;
  readonly sha256: string;
  readonly read: NonNullable<Sending['body']>;
}

/** What came of a request: what `use` made of the answer, or a refusal that was expected. */
export type Outcome<T> =
  { readonly kind: 'done'; readonly value: T } | { readonly kind: 'refused'; readonly refusal: Refusal };

/** A bucket of an S3-compatible store. */
export interface Store {
  /** The address of a key, without a query. */
  readonly urlOf: (key: string) => string;
  /** Asks until there is an answer worth having. Throws DESTINATION_FAILED and what `use` and the body throw. */
  readonly ask: <T>(ask: Ask, use: (answer: Answer) => Promise<T>) => Promise<Outcome<T>>;
}

export interface StoreOptions {
  readonly destination: string;
  readonly bucket: string;
  readonly settings: StoreSettings;
  readonly network: Network;
  readonly clock: () => Date;
}

/** Answers of a store are small: pages of a list take some hundred kilobytes. */
const ANSWER_LIMIT_BYTES = 4 * 1024 * 1024;
const EMPTY_SHA256 = createHash('sha256').digest('hex');

export function openStore(options: StoreOptions): Store {
  const { bucket, settings, network, clock, destination } = options;
  const base = bucketAddress(bucket, settings);
  const sign = makeSign({ ...settings, clock });
  const urlOf = (key: string) => `${base}${escaped(key).replaceAll('%2F', '/')}`;
  const once = async <T>(ask: Ask, use: (answer: Answer) => Promise<T>): Promise<Outcome<T>> => {
    const { method, key, query = {}, body } = ask;
    const search = Object.entries(query).map(([name, value]) => `${escaped(name)}=${escaped(value)}`);
    const url = `${key === null ? base.replace(/\/$/, '') : urlOf(key)}${search.length > 0 ? `?${search.join('&')}` : ''}`;
    const headers = await sign({
      method,
      url,
      headers: ask.headers ?? {},
      sha256: body?.sha256 ?? EMPTY_SHA256,
    });
    const length =
      method === 'GET' || method === 'HEAD' ? {} : { 'content-length': String(body?.length ?? 0) };
    const answer = await network.send(url, {
      method,
      headers: { ...headers, ...length },
      body: body?.read ?? null,
    });
    if (answer.status >= 200 && answer.status < 300) return { kind: 'done', value: await use(answer) };
    const refusal = refusalFrom(await wholeBody(answer), answer);
    if (ask.expects?.(refusal) === true) return { kind: 'refused', refusal };
    throw explained(refusal, {
      ...{ doing: ask.doing, destination, bucket, region: settings.region },
      ...{ host: new URL(base).host, now: clock() },
    });
  };
  return {
    urlOf,
    ask: async (ask, use) => {
      try {
        return await network.retrying(() => once(ask, use));
      } catch (error) {
        if (!(error instanceof PacksignError) || !error.code.startsWith('NETWORK')) throw error;
        const message = error.message.replace(/^cannot fetch \S+: /, '');
        const said = message.startsWith('cannot ')
          ? message
          : `cannot ${ask.doing} at ${destination}: ${message}`;
        throw new PacksignError('DESTINATION_FAILED', said, { hint: error.hint, cause: error });
      }
    },
  };
}

/** Reads an answer of at most so many bytes. Throws DESTINATION_FAILED, or what `excess` makes, if it has more. */
export async function wholeBody(
  { body }: Answer,
  limitBytes = ANSWER_LIMIT_BYTES,
  excess = endless,
): Promise<Buffer> {
  return await wholeOf(body, limitBytes, excess);
}

function endless(): PacksignError {
  return new PacksignError('DESTINATION_FAILED', 'the answer of the store is too long to come from S3', {
    hint: 'check AWS_ENDPOINT_URL_S3',
  });
}

/** The address of a bucket, with a slash at its end. */
function bucketAddress(bucket: string, { endpoint, region, addressing }: StoreSettings): string {
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const url = new URL(endpoint ?? `https://s3.${region}.${domain}`);
  // TLS certificates of stores are for one label before their host.
  const isLabel = /^[a-z0-9-]+$/.test(bucket);
  const isPath = addressing === 'path' || !isLabel || (addressing === 'auto' && endpoint !== null);
  const path = url.pathname.replace(/\/$/, '');
  return isPath ? `${url.origin}${path}/${bucket}/` : `${url.protocol}//${bucket}.${url.host}${path}/`;
}

/** Every character but those that RFC 3986 never escapes: as signatures want it. */
function escaped(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
