import { join } from 'node:path';
import { makeFolder, removeDurably, removeTemporaries, writeDurably } from '../disk/files.js';
import { takeLock } from '../disk/lock.js';
import { PacksignError } from '../errors.js';
import { KEYS_NAME, PENDING_REVOCATIONS_NAME } from '../model/layout.js';
import type { Warning } from '../model/finding.js';
import { followPage } from '../page/follow-page.js';
import type { Certificate } from '../pgp/certificates.js';
import type { FileChanges, Published } from '../published/published.js';
import { readPublished } from '../published/read.js';
import { writeKeyFiles } from '../published/replace.js';
import { verdictUnder } from '../published/verified.js';
import { makeWhole } from '../published/whole.js';
import type { Run } from '../run.js';

export interface PublishKeysOptions {
  /** Certificates to take in. */
  readonly certificates: readonly Certificate[];
  readonly run: Pick<Run, 'stateFolder' | 'now'>;
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
  const { run, certificates: fresh } = options;
  const { stateFolder } = run;
  const unlock = takeLock(stateFolder);
  try {
    removeTemporaries(stateFolder);
    const { published } = await makeWhole(readPublished(directory, stateFolder), run);
    await published.verified();
    const { mergeCertificates } = await import('../pgp/certificates.js');
    const known = await published.certificates();
    const wanted = await mergeCertificates(known, [...(await published.pendingRevocations()), ...fresh]);
    const pending = await troubleWith(published, wanted);
    const now = pending === null ? wanted : await withAdditions(known, fresh);
    if (pending !== null) await refuseToInvalidate(published, now);
    const { changes, isChanged } = await writeKeys(published, now);
    if (pending === null) removeDurably(join(stateFolder, PENDING_REVOCATIONS_NAME));
    else await keepPending(stateFolder, wanted);
    const warnings = await followPage(published.with(changes), options);
    const before = new Set(known.map(({ fingerprint }) => fingerprint));
    const fingerprints = now.map(({ fingerprint }) => fingerprint).sort();
    return {
      keys: join(directory, KEYS_NAME),
      fingerprints,
      added: fingerprints.filter((fingerprint) => !before.has(fingerprint)),
      unchanged: !isChanged && pending === null,
      held: pending,
      warnings,
    };
  } finally {
    unlock();
  }
}

/**
 * Publishes revocations that waited, where the published database rests on other keys by now (docs/FORMAT.md §1, step 5):
 * after a publication, and before the next one, as a run may have ended in between. Gives the directory as it is then.
 * The caller has the lock.
 */
export async function publishPendingRevocations(published: Published): Promise<Published> {
  const pending = await published.pendingRevocations();
  if (pending.length === 0 || published.sha256() === null) return published;
  const known = await published.certificates();
  // Somebody who remembers all keys has to put a lost keys.asc right.
  if (known.length === 0) return published;
  const { mergeCertificates } = await import('../pgp/certificates.js');
  const certificates = await mergeCertificates(known, pending);
  if ((await troubleWith(published, certificates)) !== null) return published;
  const { changes } = await writeKeys(published, certificates);
  removeDurably(join(published.stateFolder, PENDING_REVOCATIONS_NAME));
  return published.with({ ...changes, [PENDING_REVOCATIONS_NAME]: null });
}

async function withAdditions(
  known: readonly Certificate[],
  fresh: readonly Certificate[],
): Promise<readonly Certificate[]> {
  const { mergeCertificates } = await import('../pgp/certificates.js');
  const { withoutRevocations } = await import('./revocation.js');
  return await mergeCertificates(known, await Promise.all(fresh.map(withoutRevocations)));
}

/** A `keys.asc` that says the same in other bytes is left as it is. */
async function writeKeys(
  published: Published,
  certificates: readonly Certificate[],
): Promise<{ readonly changes: FileChanges; readonly isChanged: boolean }> {
  const { encodeCertificates } = await import('../pgp/certificates.js');
  const { armored, binary } = encodeCertificates(certificates);
  const before = encodeCertificates(await published.certificates()).binary;
  const isChanged = before.length === 0 || Buffer.compare(before, binary) !== 0;
  const kept = isChanged ? null : published.bytes(KEYS_NAME);
  return { changes: writeKeyFiles(published, { armored: kept ?? armored, binary }), isChanged };
}

async function keepPending(stateFolder: string, certificates: readonly Certificate[]): Promise<void> {
  const { encodeCertificates } = await import('../pgp/certificates.js');
  makeFolder(stateFolder);
  writeDurably(join(stateFolder, PENDING_REVOCATIONS_NAME), encodeCertificates(certificates).armored);
}

/** Why the published database would not verify with these certificates; null where it would. */
async function troubleWith(
  published: Published,
  certificates: readonly Certificate[],
): Promise<string | null> {
  const verdict = await verdictUnder(published, certificates);
  return verdict?.status === 'refused' ? verdict.message : null;
}

async function refuseToInvalidate(published: Published, certificates: readonly Certificate[]): Promise<void> {
  const trouble = await troubleWith(published, certificates);
  if (trouble === null) return;
  throw new PacksignError(
    'KEY_REVOKED',
    `with these keys the published database would no longer verify: ${trouble}`,
    { hint: 'sign the database with another key first, then publish the revocation' },
  );
}
