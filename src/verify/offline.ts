import { createHash } from 'node:crypto';
import { PacksignError } from '../errors.js';
import { parseFingerprint } from '../model/fingerprint.js';
import { refused, sha256Of, verifyDatabase } from './verify-database.js';
import type { Accepted, Verdict } from './verify-database.js';

export interface OfflineOptions {
  /** The certificates: one armor block, or binary, like `keys.asc` and `keys.gpg`. */
  readonly keys: Uint8Array;
  /** Trusted primary fingerprints, as people write them; null trusts all certificates in `keys`. */
  readonly fingerprints: readonly string[] | null;
  /** How many of them must have signed; one if not given. */
  readonly threshold?: number;
  readonly now: Date;
  /** The last accepted database: refuses an older one. None if not given. */
  readonly accepted?: Accepted | null;
  /** The address under which the database is trusted: refuses a database that names another. */
  readonly url?: string | null;
}

/** A verdict for a program that has only these bytes. */
export type OfflineVerdict = Verdict & {
  /** Whether the database is authentic; a stale one is not. */
  readonly ok: boolean;
};

/**
 * Decides on a fetched database: its bytes, and the signature file of exactly these bytes (null if there is none).
 * Steps 4 to 8 and 10 of docs/FORMAT.md §8, the same in Node and in browsers. Does not throw for bad input, but refuses
 * it with a code; only an answer that is not a refusal has the database.
 */
export async function verifyOffline(
  bytes: Uint8Array,
  signature: Uint8Array | null,
  options: OfflineOptions,
): Promise<OfflineVerdict> {
  const verdict = await decide(bytes, signature, options);
  return { ...verdict, ok: verdict.status === 'authentic' };
}

async function decide(
  bytes: Uint8Array,
  signature: Uint8Array | null,
  options: OfflineOptions,
): Promise<Verdict> {
  const { now, accepted = null, url = null } = options;
  try {
    const named = options.fingerprints?.map(parseFingerprint) ?? null;
    const { readCertificates } = await import('../pgp/certificates.js');
    const only = named === null ? null : new Set(named);
    const certificates = await readCertificates(options.keys, { only });
    const fingerprints = named ?? certificates.map(({ fingerprint }) => fingerprint);
    // A threshold of 0 would make every database authentic.
    const threshold = Math.max(1, options.threshold ?? 1);
    return await verifyDatabase(
      { bytes, signature, certificates },
      { pins: { fingerprints, threshold }, now, accepted, url },
    );
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    return refused(error, { sha256: sha256Of(bytes), signatures: [] });
  }
}

/** Size and SHA-256 of a file, read piece by piece, for `lookUp`. */
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
