import { join } from 'node:path';
import { makeFolder, removeDurably, writeDurably } from '../disk/files.js';
import { withLock } from '../disk/lock.js';
import type { LockPlace } from '../disk/lock.js';
import { PacksignError } from '../errors.js';
import type { Warning } from '../model/finding.js';
import { KEYS_NAME, PENDING_REVOCATIONS_NAME } from '../model/layout.js';
import { followPage } from '../page/follow-page.js';
import type { Certificate } from '../pgp/certificates.js';
import type { FileChanges, Published } from '../published/published.js';
import { readPublished } from '../published/read.js';
import { writeKeyFiles } from '../published/replace.js';
import { verdictUnder } from '../published/verified.js';
import { makeWhole } from '../published/whole.js';
import type { Run } from '../run.js';

export interface PublishKeysOptions {
  /** Certificates to add. */
  readonly certificates: readonly Certificate[];
  readonly run: LockPlace & Pick<Run, 'now' | 'notesFolder'>;
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
  /** Why revocations wait until the next database is published; null if none wait. */
  readonly held: string | null;
  readonly warnings: readonly Warning[];
}

/**
 * Merges certificates into the `keys.asc` that a directory publishes: new keys, new subkeys, later expiry, revocations.
 * If the published database would no longer verify with a revocation, that revocation waits for the next database
 * (docs/FORMAT.md §1). Removes nothing. Throws KEYS_MALFORMED, PREVIOUS_INVALID, FOREIGN_DATABASE.
 */
export async function publishKeys(directory: string, options: PublishKeysOptions): Promise<PublishedKeys> {
  return await withLock(options.run, () => publishKeysLocked(directory, options));
}

/** The same for a caller that has the lock. */
export async function publishKeysLocked(
  directory: string,
  options: PublishKeysOptions,
): Promise<PublishedKeys> {
  const { run, certificates: fresh } = options;
  const { stateFolder } = run;
  const { published } = await makeWhole(readPublished(directory, stateFolder), run);
  await published.verified();
  const { mergeCertificates } = await import('../pgp/certificates.js');
  const known = await published.certificates();
  const wanted = await mergeCertificates(known, [...(await published.pendingRevocations()), ...fresh]);
  const held = await troubleWith(published, wanted);
  const now = held === null ? wanted : await withoutFreshRevocations(published, fresh);
  const { changes, isChanged } = await writeKeys(published, now);
  if (held === null) removeDurably(join(stateFolder, PENDING_REVOCATIONS_NAME));
  else await keepPending(stateFolder, wanted);
  const { warnings } = await followPage(published.with(changes), options);
  const before = new Set(known.map(({ fingerprint }) => fingerprint));
  const fingerprints = now.map(({ fingerprint }) => fingerprint).sort();
  const added = fingerprints.filter((fingerprint) => !before.has(fingerprint));
  const unchanged = !isChanged && held === null;
  return { keys: join(directory, KEYS_NAME), fingerprints, added, unchanged, held, warnings };
}

/**
 * Publishes revocations that waited, if the published database no longer rests on the revoked keys (docs/FORMAT.md §1,
 * step 5). Runs after a publication, and before the next one in case the last run ended in between. Gives the changed
 * directory. The caller has the lock.
 */
export async function publishPendingRevocations(published: Published): Promise<Published> {
  const pending = await published.pendingRevocations();
  if (pending.length === 0 || published.sha256() === null) return published;
  const known = await published.certificates();
  // If keys.asc is lost, only a person who knows all the keys can restore it.
  if (known.length === 0) return published;
  const certificates = await withPendingRevocations(published, known);
  if ((await troubleWith(published, certificates)) !== null) return published;
  const { changes } = await writeKeys(published, certificates);
  removeDurably(join(published.stateFolder, PENDING_REVOCATIONS_NAME));
  return published.with({ ...changes, [PENDING_REVOCATIONS_NAME]: null });
}

/** These certificates with the revocations that wait for the next database: they already apply to its signers. */
export async function withPendingRevocations(
  published: Published,
  certificates: readonly Certificate[],
): Promise<readonly Certificate[]> {
  const pending = await published.pendingRevocations();
  if (pending.length === 0) return certificates;
  const { mergeCertificates } = await import('../pgp/certificates.js');
  return await mergeCertificates(certificates, pending);
}

/** The published certificates with all news but revocations. Throws KEY_REVOKED if even they break the database. */
async function withoutFreshRevocations(
  published: Published,
  fresh: readonly Certificate[],
): Promise<readonly Certificate[]> {
  const { mergeCertificates } = await import('../pgp/certificates.js');
  const { withoutRevocations } = await import('./revocation.js');
  const additions = await Promise.all(fresh.map(withoutRevocations));
  const certificates = await mergeCertificates(await published.certificates(), additions);
  const trouble = await troubleWith(published, certificates);
  if (trouble === null) return certificates;
  const message = `with these keys the published database would no longer verify: ${trouble}`;
  const hint = 'sign the database with another key first, then publish the revocation';
  throw new PacksignError('KEY_REVOKED', message, { hint });
}

/** Leaves a `keys.asc` as it is if it holds the same certificates in other bytes. */
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

/** Why the published database would not verify with these certificates; null if it would. */
async function troubleWith(
  published: Published,
  certificates: readonly Certificate[],
): Promise<string | null> {
  const verdict = await verdictUnder(published, certificates);
  return verdict?.status === 'refused' ? verdict.message : null;
}
