import { join } from 'node:path';
import { readBounded, writeDurably } from '../disk/files.js';
import { takeLock } from '../disk/lock.js';
import { PacksignError } from '../errors.js';
import { KEYS_LIMIT_BYTES } from '../model/database.js';
import { KEYRING_NAME, KEYS_NAME } from '../model/layout.js';
import type { Certificate } from '../pgp/certificates.js';
import { judge } from './judge.js';
import { END_OF_TIME, readKeys, readPublished, readStanding } from './published.js';

export interface PublishKeysOptions {
  /** Certificates to take in. */
  readonly certificates: readonly Certificate[];
  readonly stateFolder: string;
}

export interface PublishedKeys {
  /** Path of `keys.asc`. */
  readonly keys: string;
  /** All primary fingerprints in it now, sorted. */
  readonly fingerprints: readonly string[];
  /** Those that it did not hold before. */
  readonly added: readonly string[];
  readonly unchanged: boolean;
}

/**
 * Merges certificates into what a directory tells people to trust: new keys, new subkeys, later expiry.
 * Nothing is ever taken out. Throws KEYS_MALFORMED, PREVIOUS_INVALID, FOREIGN_DATABASE, and KEY_REVOKED where
 * the published database would no longer verify.
 */
export async function publishKeys(directory: string, options: PublishKeysOptions): Promise<PublishedKeys> {
  const unlock = takeLock(options.stateFolder);
  try {
    await readPublished(directory);
    const path = join(directory, KEYS_NAME);
    const { encodeCertificates, mergeCertificates } = await import('../pgp/certificates.js');
    const known = await readKeys(path);
    const merged = await mergeCertificates(known, options.certificates);
    await refuseToInvalidate(directory, merged);
    const { armored, binary } = encodeCertificates(merged);
    const unchanged =
      encodeCertificates(known).binary.length > 0 &&
      Buffer.compare(encodeCertificates(known).binary, binary) === 0;
    if (!unchanged) writeDurably(path, armored);
    const ring = join(directory, KEYRING_NAME);
    if (readBounded(ring, KEYS_LIMIT_BYTES)?.equals(binary) !== true) writeDurably(ring, binary);
    const before = new Set(known.map(({ fingerprint }) => fingerprint));
    const fingerprints = merged.map(({ fingerprint }) => fingerprint).sort();
    return { keys: path, fingerprints, added: fingerprints.filter((fpr) => !before.has(fpr)), unchanged };
  } finally {
    unlock();
  }
}

// A revocation may only be published after a database that does not rest on the revoked key.
async function refuseToInvalidate(directory: string, certificates: readonly Certificate[]): Promise<void> {
  const standing = readStanding(directory);
  if (standing === null) return;
  const pins = {
    fingerprints: certificates.map(({ fingerprint }) => fingerprint),
    threshold: 'own',
  } as const;
  const verdict = await judge(
    { ...standing, certificates },
    { pins, now: END_OF_TIME, accepted: null, url: null },
  );
  if (verdict.status !== 'refused') return;
  throw new PacksignError(
    'KEY_REVOKED',
    `with these keys the published database would no longer verify: ${verdict.message}`,
    { hint: 'sign the database with another key first, then publish the revocation' },
  );
}
