import { join } from 'node:path';
import { makeFolder, readBounded, removeDurably, removeTemporaries, writeDurably } from '../disk/files.js';
import { takeLock } from '../disk/lock.js';
import { PacksignError } from '../errors.js';
import { KEYS_LIMIT_BYTES } from '../model/database.js';
import { PENDING_REVOCATIONS_NAME, KEYRING_NAME, KEYS_NAME } from '../model/layout.js';
import type { Warning } from '../model/finding.js';
import type { Certificate } from '../pgp/certificates.js';
import { followPage } from '../page/follow-page.js';
import { verifyDatabase } from '../verify/verify-database.js';
import { END_OF_TIME, readKeys, readPublished, readStanding } from '../published/read.js';
import type { Publication } from '../published/replace.js';

export interface PublishKeysOptions {
  /** Certificates to take in. */
  readonly certificates: readonly Certificate[];
  readonly stateFolder: string;
  /** Whether the trust page follows what is published. */
  readonly page?: boolean;
}

export interface PublishedKeys {
  /** Path of `keys.asc`. */
  readonly keys: string;
  /** All primary fingerprints in it now, sorted. */
  readonly fingerprints: readonly string[];
  /** Those that it did not hold before. */
  readonly added: readonly string[];
  readonly unchanged: boolean;
  /** Why revocations wait until the next database is published; null where none do. */
  readonly held: string | null;
  readonly warnings: readonly Warning[];
}

/**
 * Merges certificates into what a directory tells people to trust: new keys, new subkeys, later expiry,
 * revocations. A revocation without which the published database would no longer verify waits for the next one
 * (docs/FORMAT.md §1). Nothing is ever taken out. Throws KEYS_MALFORMED, PREVIOUS_INVALID, FOREIGN_DATABASE.
 */
export async function publishKeys(directory: string, options: PublishKeysOptions): Promise<PublishedKeys> {
  const { stateFolder } = options;
  const unlock = takeLock(stateFolder);
  try {
    // What a run left that was killed here; the others see to the rest.
    for (const folder of [directory, stateFolder]) removeTemporaries(folder);
    const published = await readPublished(directory);
    const { encodeCertificates, mergeCertificates } = await import('../pgp/certificates.js');
    const known = await readKeys(join(directory, KEYS_NAME));
    const wanted = await mergeCertificates(known, [
      ...(await readPendingRevocations(stateFolder)),
      ...options.certificates,
    ]);
    const held = await troubleWith(directory, wanted);
    const now = held === null ? wanted : await withAdditions(known, options.certificates);
    if (held !== null) await refuseToInvalidate(directory, now);
    const changed = await writeKeys(directory, { known, certificates: now });
    if (held === null) removeDurably(join(stateFolder, PENDING_REVOCATIONS_NAME));
    else keepPending(stateFolder, encodeCertificates(wanted).armored);
    const warnings =
      published === null ? [] : await followPage(directory, { ...options, sha256: published.sha256 });
    const before = new Set(known.map(({ fingerprint }) => fingerprint));
    const fingerprints = now.map(({ fingerprint }) => fingerprint).sort();
    const added = fingerprints.filter((fingerprint) => !before.has(fingerprint));
    return {
      keys: join(directory, KEYS_NAME),
      fingerprints,
      added,
      unchanged: !changed && held === null,
      held,
      warnings,
    };
  } finally {
    unlock();
  }
}

/** Certificates with revocations that wait for the next database; none where nothing does. Throws KEYS_MALFORMED. */
export async function readPendingRevocations(stateFolder: string): Promise<readonly Certificate[]> {
  return await readKeys(join(stateFolder, PENDING_REVOCATIONS_NAME));
}

/**
 * Publishes revocations that waited, where what stands rests on other keys by now (docs/FORMAT.md §1, step 5): after
 * a publication, and before the next one, as a run may have ended in between. Gives the keys as they are published
 * now; null where nothing changed. The caller has the lock.
 */
export async function publishPendingRevocations(
  directory: string,
  stateFolder: string,
): Promise<Publication['keys'] | null> {
  const held = await readPendingRevocations(stateFolder);
  if (held.length === 0 || readStanding(directory) === null) return null;
  const { encodeCertificates, mergeCertificates } = await import('../pgp/certificates.js');
  const known = await readKeys(join(directory, KEYS_NAME));
  // A directory that lost its keys is put right by whoever remembers them all.
  if (known.length === 0) return null;
  const certificates = await mergeCertificates(known, held);
  if ((await troubleWith(directory, certificates)) !== null) return null;
  await writeKeys(directory, { known, certificates });
  removeDurably(join(stateFolder, PENDING_REVOCATIONS_NAME));
  return encodeCertificates(certificates);
}

async function withAdditions(
  known: readonly Certificate[],
  fresh: readonly Certificate[],
): Promise<readonly Certificate[]> {
  const { mergeCertificates } = await import('../pgp/certificates.js');
  const { withoutRevocations } = await import('./revocation.js');
  return await mergeCertificates(known, await Promise.all(fresh.map(withoutRevocations)));
}

/** Whether anything was written. */
async function writeKeys(
  directory: string,
  { known, certificates }: { known: readonly Certificate[]; certificates: readonly Certificate[] },
): Promise<boolean> {
  const { encodeCertificates } = await import('../pgp/certificates.js');
  const { armored, binary } = encodeCertificates(certificates);
  const before = encodeCertificates(known).binary;
  const changed = before.length === 0 || Buffer.compare(before, binary) !== 0;
  if (changed) writeDurably(join(directory, KEYS_NAME), armored);
  const ring = join(directory, KEYRING_NAME);
  if (readBounded(ring, KEYS_LIMIT_BYTES)?.equals(binary) !== true) writeDurably(ring, binary);
  return changed;
}

function keepPending(stateFolder: string, armored: Uint8Array): void {
  makeFolder(stateFolder);
  writeDurably(join(stateFolder, PENDING_REVOCATIONS_NAME), armored);
}

/** Why the published database would not verify with these certificates; null where it would. */
async function troubleWith(directory: string, certificates: readonly Certificate[]): Promise<string | null> {
  const standing = readStanding(directory);
  if (standing === null) return null;
  const pins = {
    fingerprints: certificates.map(({ fingerprint }) => fingerprint),
    threshold: 'own',
  } as const;
  const verdict = await verifyDatabase(
    { ...standing, certificates },
    { pins, now: END_OF_TIME, accepted: null, url: null },
  );
  return verdict.status === 'refused' ? verdict.message : null;
}

async function refuseToInvalidate(directory: string, certificates: readonly Certificate[]): Promise<void> {
  const trouble = await troubleWith(directory, certificates);
  if (trouble === null) return;
  throw new PacksignError(
    'KEY_REVOKED',
    `with these keys the published database would no longer verify: ${trouble}`,
    { hint: 'sign the database with another key first, then publish the revocation' },
  );
}
