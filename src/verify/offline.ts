import { createHash } from 'node:crypto';
import { PacksignError } from '../errors.js';
import type { Certificate } from '../pgp/certificates.js';
import { verifyDatabase, sha256Of } from './verify-database.js';
import type { Accepted, Verdict } from './verify-database.js';

export interface OfflineOptions {
  /** The certificates: one armor block, or binary. What `keys.asc` and `keys.gpg` hold. */
  readonly keys: Uint8Array;
  /** Primary fingerprints that are trusted, 40 upper-case hex digits; null trusts all that are in `keys`. */
  readonly fingerprints: readonly string[] | null;
  /** How many of them must have signed. One when not given. */
  readonly threshold?: number;
  readonly now: Date;
  /** The last database that was accepted from there: an older one is refused. None when not given. */
  readonly accepted?: Accepted | null;
  /** The address under which this database is trusted: one that names another is refused. */
  readonly url?: string | null;
}

/**
 * Decides on a database that somebody fetched: its bytes, and the signature file of exactly these bytes (null
 * where there is none). Steps 4 to 8 and 10 of docs/FORMAT.md §8, the same in Node and in browsers. Bad
 * input is refused with a code, not thrown; the database is only in an answer that is not a refusal.
 */
export async function verifyOffline(
  bytes: Uint8Array,
  signature: Uint8Array | null,
  options: OfflineOptions,
): Promise<Verdict> {
  const { now, accepted = null, url = null } = options;
  let certificates: readonly Certificate[];
  try {
    const { readCertificates } = await import('../pgp/certificates.js');
    certificates = await readCertificates(options.keys);
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    const { code, message } = error;
    return { status: 'refused', code, message, sha256: sha256Of(bytes), database: null, signatures: [] };
  }
  const fingerprints = options.fingerprints ?? certificates.map(({ fingerprint }) => fingerprint);
  // A threshold of none would make every database authentic.
  const threshold = Math.max(1, options.threshold ?? 1);
  return await verifyDatabase(
    { bytes, signature, certificates },
    { pins: { fingerprints, threshold }, now, accepted, url },
  );
}

/** Size and SHA-256 of a file, read piece by piece: what `lookUp` compares. */
export async function digestFile(
  pieces: AsyncIterable<Uint8Array>,
): Promise<{ readonly size: number; readonly sha256: string }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const piece of pieces) {
    hash.update(piece);
    size += piece.length;
  }
  return { size, sha256: hash.digest('hex') };
}
