import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { readXml } from '../archives/xml.js';
import type { FileIdentity } from '../disk/identities.js';
import { PacksignError } from '../errors.js';
import type { Listing, Stored } from '../model/listing.js';
import { wholeBody } from './store.js';
import type { Store } from './store.js';

const PAGE_KEYS = 1000;
/** Stores say a dozen things of each key. */
const ELEMENT_LIMIT = 20 * PAGE_KEYS;

/** The files below a prefix, which is empty or ends with a slash. */
export async function listKeys(store: Store, prefix: string): Promise<Listing> {
  const listing = new Map<string, Stored>();
  let ahead: Ahead | null = null;
  for (let token: string | null = ''; token !== null;) {
    const body: Buffer = await (ahead?.token === token ? ahead.body : askPage(store, prefix, token));
    ahead = askAhead(store, prefix, body);
    // It is signed and sent before this page is read.
    if (ahead !== null) await sleep(SENT_MS);
    const page: Page = pageOf(body, token, store);
    for (const [key, stored] of page.files) {
      // Some tools mark a folder by an empty file whose name ends with a slash.
      if (key.startsWith(prefix) && !key.endsWith('/')) listing.set(key.slice(prefix.length), stored);
    }
    token = page.next;
  }
  return listing;
}

/** The page after the one that is being read. */
interface Ahead {
  readonly token: string;
  readonly body: Promise<Buffer>;
}

const SENT_MS = 3;

/** Null if the page does not show at a glance which one follows. */
function askAhead(store: Store, prefix: string, page: Buffer): Ahead | null {
  const [, token] = /<NextContinuationToken>([\w+/=.~-]+)</.exec(page.toString('latin1')) ?? [];
  if (token === undefined) return null;
  const body = askPage(store, prefix, token);
  // Whoever waits for it hears of it.
  body.catch(() => undefined);
  return { token, body };
}

async function askPage(store: Store, prefix: string, token: string): Promise<Buffer> {
  const query = {
    ...{ 'list-type': '2', 'encoding-type': 'url', 'max-keys': String(PAGE_KEYS), prefix },
    ...(token === '' ? {} : { 'continuation-token': token }),
  };
  const outcome = await store.ask({ doing: 'list the files', method: 'GET', key: null, query }, wholeBody);
  return outcome.kind === 'done' ? outcome.value : Buffer.of();
}

/** Throws DESTINATION_FAILED. */
function pageOf(body: Buffer, token: string, store: Store): Page {
  const page = pageFrom(body);
  if (page !== null && page.next !== token) return page;
  throw new PacksignError(
    'DESTINATION_FAILED',
    `${store.urlOf('')} answers with something other than a list of S3`,
    {
      hint: 'check AWS_ENDPOINT_URL_S3 and the bucket',
    },
  );
}

const ROOT = 'ListBucketResult';
const CONTENTS = `${ROOT}/Contents`;
/** What a list says of a file, by the place in it. */
const SAID: Readonly<Partial<Record<string, string>>> = Object.fromEntries(
  ['Key', 'Size', 'ETag', 'LastModified'].map((name) => [`${CONTENTS}/${name}`, name]),
);

interface Page {
  readonly files: readonly (readonly [key: string, stored: Stored])[];
  readonly next: string | null;
}

/** Null if it is not what S3 answers. */
function pageFrom(body: Buffer): Page | null {
  const elements = readXml(body, ELEMENT_LIMIT) ?? [];
  if (elements.at(-1)?.path !== ROOT) return null;
  const of = (name: string) => elements.find(({ path }) => path === `${ROOT}/${name}`)?.text ?? '';
  const isEncoded = of('EncodingType') === 'url';
  const files: (readonly [string, Stored])[] = [];
  let entry: Partial<Record<string, string>> = {};
  for (const { path, text } of elements) {
    const name = SAID[path];
    if (name !== undefined) entry[name] = text;
    else if (path === CONTENTS) {
      const { Key = '', Size = '', ETag = '', LastModified = '' } = entry;
      const modifiedMs = Date.parse(LastModified);
      const key = isEncoded ? decoded(Key) : Key;
      if (key === null || !/^\d{1,15}$/.test(Size) || Number.isNaN(modifiedMs)) return null;
      files.push([key, { size: Number(Size), modifiedMs, etag: plainEtag(ETag) }]);
      entry = {};
    }
  }
  const next = of('NextContinuationToken');
  if (of('IsTruncated') !== 'true') return { files, next: null };
  return next === '' ? null : { files, next };
}

/** Identifies a version of an object by ETag, size and time. One without an ETag is never known again. */
export function identityOfObject({ etag, size, modifiedMs }: Stored): FileIdentity {
  const name = createHash('sha256')
    .update(etag ?? randomUUID())
    .digest();
  const modified = BigInt(modifiedMs) * 1_000_000n;
  return {
    ...{ device: name.readBigInt64LE(0), inode: name.readBigInt64LE(8) },
    ...{ size: BigInt(size), modified, changed: modified },
  };
}

/** Without quotes, in which some stores put it and some do not. */
export function plainEtag(text: string): string | null {
  const plain = text.trim().replace(/^"(.*)"$/, '$1');
  return /^[\x21\x23-\x7e]+$/.test(plain) ? plain : null;
}

/** Some stores write a space as `+`, as forms do, and all of them escape a `+`. */
function decoded(key: string): string | null {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return null;
  }
}
