import { createHash, randomUUID } from 'node:crypto';
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
  for (let token: string | null = ''; token !== null;) {
    const page: Page = await readPage(store, prefix, token);
    for (const [key, stored] of page.files) {
      // Some tools mark a folder by an empty file whose name ends with a slash.
      if (key.startsWith(prefix) && !key.endsWith('/')) listing.set(key.slice(prefix.length), stored);
    }
    token = page.next;
  }
  return listing;
}

async function readPage(store: Store, prefix: string, token: string): Promise<Page> {
  const query = {
    ...{ 'list-type': '2', 'encoding-type': 'url', 'max-keys': String(PAGE_KEYS), prefix },
    ...(token === '' ? {} : { 'continuation-token': token }),
  };
  const outcome = await store.ask({ doing: 'list the files', method: 'GET', key: null, query }, wholeBody);
  const page = outcome.kind === 'done' ? pageFrom(outcome.value) : null;
  if (page !== null && page.next !== token) return page;
  throw new PacksignError(
    'DESTINATION_FAILED',
    `${store.urlOf('')} answers with something other than a list of S3`,
    {
      hint: 'check AWS_ENDPOINT_URL_S3 and the bucket',
    },
  );
}

interface Page {
  readonly files: readonly (readonly [key: string, stored: Stored])[];
  readonly next: string | null;
}

/** Null if it is not what S3 answers. */
function pageFrom(body: Buffer): Page | null {
  const elements = readXml(body, ELEMENT_LIMIT) ?? [];
  if (elements.at(-1)?.path !== 'ListBucketResult') return null;
  const of = (name: string) => elements.find(({ path }) => path === `ListBucketResult/${name}`)?.text ?? '';
  const isEncoded = of('EncodingType') === 'url';
  const files: (readonly [string, Stored])[] = [];
  let entry: Record<string, string> = {};
  for (const { path, text } of elements) {
    const [, contents, name] = path.split('/');
    if (contents !== 'Contents') continue;
    if (name !== undefined) entry[name] = text;
    else {
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
