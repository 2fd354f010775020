import { PacksignError } from '../errors.js';
import { isFromFuture } from '../model/dated-back.js';
import { KEYS_NAME } from '../model/layout.js';
import type { Settings } from '../model/settings.js';
import type { Published, SignedDatabase } from '../published/published.js';
import { isSamePublication } from '../published/read.js';
import { replacePublished } from '../published/replace.js';
import { requireBeginning } from '../release/predecessor.js';
import type { Predecessor } from '../release/predecessor.js';
import type { Run } from '../run.js';

/** The last publication, with every byte of it, so that we can restore it if somebody removes it. */
export interface Last {
  readonly published: Published;
  readonly signed: SignedDatabase;
}

export function isSameDatabase(a: Last, b: Last): boolean {
  return a.published.sha256() === b.published.sha256();
}

/** Whether the last publication, or a part of it, is missing, so that we must restore it from memory. */
export function lacksSome(last: Last, published: Published): boolean {
  const sha256 = published.sha256();
  if (sha256 === null) return true;
  const isWhole = published.signature() !== null && published.bytes(KEYS_NAME) !== null;
  return sha256 === last.published.sha256() && !isWhole;
}

/** What is published; verified, unless it is the last publication. Throws PREVIOUS_INVALID, PREVIOUS_UNKNOWN. */
export async function readLast(
  last: Last | null,
  published: Published,
  { settings, run }: { readonly settings: Settings; readonly run: Run },
): Promise<Last | null> {
  if (last !== null && isSamePublication(last.published, published)) return last;
  const signed = await published.verified();
  if (signed === null) {
    requireBeginning(published, { settings, run });
    return null;
  }
  // A database from the future may be followed by one of today.
  const before = last !== null && !isFromFuture(last.signed.database, run.now) ? last.signed.database : null;
  if (before !== null && signed.database.Packsign.Issued < before.Packsign.Issued) {
    const message = 'the database here is older than the last one that was published';
    throw new PacksignError('PREVIOUS_INVALID', message, {
      hint: 'put the newer one back; to continue from the old one, restart packsign watch DIRECTORY',
    });
  }
  return { published, signed };
}

export async function predecessorOf(last: Last | null): Promise<Predecessor> {
  if (last === null) return { signed: null, previous: null, keys: [], lastKeys: null };
  const { published, signed } = last;
  const keys = await published.certificates();
  return { signed, previous: published.sha256(), keys, lastKeys: published.bytes(KEYS_NAME) };
}

/** Publishes the last publication again, byte for byte. */
export async function putBack(published: Published, last: Last, { now }: Run): Promise<Published> {
  const { encodeCertificates } = await import('../pgp/certificates.js');
  const { binary } = encodeCertificates(await last.published.certificates());
  const armored = last.published.bytes(KEYS_NAME) ?? new Uint8Array();
  return await replacePublished(published, { signed: last.signed, keys: { armored, binary } }, { now });
}
