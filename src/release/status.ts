import { join } from 'node:path';
import { PacksignError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { decodeDatabase } from '../format/database.js';
import { lintPublished } from '../keys/lint-published.js';
import { thresholdOf } from '../model/database.js';
import type { Database } from '../model/database.js';
import type { Difference } from '../model/diff.js';
import type { Warning } from '../model/finding.js';
import { UNSIGNED_NAME, UNSIGNED_SIGNATURES_NAME } from '../model/layout.js';
import type { Settings } from '../model/settings.js';
import { SLACK_MS } from '../model/time.js';
import type { Certificate } from '../pgp/certificates.js';
import { contentOf } from '../pgp/content.js';
import type { Content } from '../pgp/content.js';
import type { Published, SignedDatabase } from '../published/published.js';
import { readPublished } from '../published/read.js';
import { seenWhole } from '../published/whole.js';
import type { BuiltCandidate } from './candidate.js';
import { buildInMemory } from './in-memory.js';
import type { InMemoryOptions } from './in-memory.js';
import { requireApproval } from './policy.js';

/** What a maintainer has to look at. */
export type Attention =
  | 'DATABASE_STALE'
  | 'EXPIRES_SOON'
  | 'FOREIGN_DATABASE'
  | 'KEY_EXPIRED'
  | 'KEY_EXPIRES_SOON'
  | 'NOT_PUBLISHED'
  | 'PREVIOUS_INVALID'
  | 'PUBLICATION_INCOMPLETE'
  | 'REVOCATION_WAITS'
  | 'UNSIGNED_CHANGES'
  | 'WAITING'
  | ErrorCode;

export interface StatusResult {
  readonly state: 'unsigned' | 'waiting' | 'changed' | 'published' | 'stale' | 'invalid' | 'foreign';
  readonly issued: Date | null;
  readonly expires: Date | null;
  readonly signers: readonly SignerStatus[];
  readonly waiting: WaitingStatus | null;
  /** What the files here would change; null where that cannot be told. */
  readonly difference: Difference | null;
  /** Sorted; empty when all is well. */
  readonly attention: readonly Attention[];
  /** What keeps a database from being made or published, in words, and what to type. */
  readonly message: string | null;
  readonly hint: string | null;
  /** Files that cannot be listed. */
  readonly warnings: readonly Warning[];
}

/** A certificate that the directory publishes. */
export interface SignerStatus {
  readonly fingerprint: string;
  readonly userId: string | null;
  readonly expires: Date | null;
}

/** A database that waits for signatures. */
export interface WaitingStatus {
  readonly database: string;
  readonly sha256: string;
  readonly issued: Date;
  readonly threshold: number;
  /** Primary fingerprints that have signed it. */
  readonly signed: readonly string[];
  /** Signers that have not. */
  readonly missing: readonly string[];
}

/** An expiry nearer than this wants to be looked at. */
const SOON_MS = 14 * 24 * 60 * 60 * 1000;

/** What state a directory is in. Writes nothing. Throws DIRECTORY_UNREADABLE, KEYS_MALFORMED, SETTINGS_INVALID. */
export async function status(directory: string, options: InMemoryOptions): Promise<StatusResult> {
  const { run, settings } = options;
  const seen = await seenWhole(readPublished(directory, run.stateFolder));
  const { published } = seen;
  const keys = await published.certificates();
  const signers = await Promise.all(keys.map((key) => signerStatus(key, run.now)));
  const waiting = await waitingStatus(published, run.now);
  const isRevoking = (await published.pendingRevocations()).length > 0;
  const trouble = await findSigned(published);
  const signed = trouble instanceof PacksignError ? null : trouble;
  const changes = trouble instanceof PacksignError ? untold(trouble) : await findChanges(published, options);
  const incomplete = [...seen.warnings, ...(await pageWarningsOf(published, settings))];
  const attention = new Set<Attention>(
    [
      trouble instanceof PacksignError ? trouble.code : null,
      trouble === null ? ('NOT_PUBLISHED' as const) : null,
      waiting === null ? null : ('WAITING' as const),
      isRevoking ? ('REVOCATION_WAITS' as const) : null,
      incomplete.length > 0 ? ('PUBLICATION_INCOMPLETE' as const) : null,
      changes.refusal === null ? null : changes.refusal.code,
      changes.difference === null ? null : ('UNSIGNED_CHANGES' as const),
      ...expiries(signed?.database ?? null, { signers, now: run.now }),
    ].filter((code) => code !== null),
  );
  const expires = signed?.database.Packsign.Expires ?? null;
  const lint = await lintPublished(published, { certificates: null, databaseExpires: expires, now: run.now });
  for (const warning of lint) run.warn(warning);
  return {
    ...{ signers, waiting, expires },
    state: stateOf({ trouble, waiting, changes, now: run.now }),
    issued: signed?.database.Packsign.Issued ?? null,
    difference: changes.difference,
    attention: Array.from(attention).sort(),
    message: changes.refusal?.message ?? null,
    hint: changes.refusal?.hint ?? null,
    warnings: [...changes.warnings, ...incomplete],
  };
}

/** What is lost or out of date of a page that is to follow what is published. */
async function pageWarningsOf(published: Published, { Page = false }: Settings): Promise<readonly Warning[]> {
  if (!Page) return [];
  const { pageWarnings } = await import('../page/publish-page.js');
  return pageWarnings(published);
}

async function findSigned(published: Published): Promise<SignedDatabase | null | PacksignError> {
  try {
    return await published.verified();
  } catch (error) {
    if (error instanceof PacksignError && error.code in { PREVIOUS_INVALID: 1, FOREIGN_DATABASE: 1 })
      return error;
    throw error;
  }
}

/** What the files here would change in what is published. */
interface PendingChanges {
  readonly isChanged: boolean;
  /** Null where nothing changes, or that cannot be told. */
  readonly difference: Difference | null;
  /** What would keep it from being made or published. */
  readonly refusal: PacksignError | null;
  readonly warnings: readonly Warning[];
}

function untold(refusal: PacksignError): PendingChanges {
  return { isChanged: true, difference: null, refusal, warnings: [] };
}

async function findChanges(published: Published, options: InMemoryOptions): Promise<PendingChanges> {
  try {
    const candidate = await buildInMemory(published, options);
    const { unchanged, difference } = candidate;
    const { warnings } = candidate.inventory;
    const refusal = findRefusal(published, candidate);
    return { isChanged: !unchanged, difference: unchanged ? null : difference, refusal, warnings };
  } catch (error) {
    if (error instanceof PacksignError && error.code !== 'DIRECTORY_UNREADABLE') return untold(error);
    throw error;
  }
}

/** What a person has to decide before it can be published. */
function findRefusal(
  published: Published,
  { predecessor, database, inventory }: BuiltCandidate,
): PacksignError | null {
  try {
    const { others } = inventory;
    requireApproval(published, {
      ...{ database, others, allowRemoved: false },
      predecessor: predecessor?.database ?? null,
    });
    return null;
  } catch (error) {
    if (error instanceof PacksignError) return error;
    throw error;
  }
}

interface StateSources {
  readonly trouble: SignedDatabase | null | PacksignError;
  readonly waiting: WaitingStatus | null;
  readonly changes: PendingChanges;
  readonly now: Date;
}

function stateOf({ trouble, waiting, changes, now }: StateSources): StatusResult['state'] {
  if (trouble instanceof PacksignError) return trouble.code === 'FOREIGN_DATABASE' ? 'foreign' : 'invalid';
  if (waiting !== null) return 'waiting';
  if (trouble === null) return 'unsigned';
  const { Expires } = trouble.database.Packsign;
  if (Expires !== undefined && Expires <= now) return 'stale';
  return changes.isChanged ? 'changed' : 'published';
}

function expiries(
  database: Database | null,
  { signers, now }: { signers: readonly SignerStatus[]; now: Date },
): Attention[] {
  const codes: Attention[] = [];
  const expires = database?.Packsign.Expires;
  if (expires !== undefined && isSoon(expires, now))
    codes.push(expires <= now ? 'DATABASE_STALE' : 'EXPIRES_SOON');
  for (const key of signers) {
    if (key.expires !== null && isSoon(key.expires, now)) {
      codes.push(key.expires <= now ? 'KEY_EXPIRED' : 'KEY_EXPIRES_SOON');
    }
  }
  return codes;
}

function isSoon(date: Date, now: Date): boolean {
  return date.getTime() - now.getTime() < SOON_MS;
}

async function signerStatus(certificate: Certificate, now: Date): Promise<SignerStatus> {
  const { expiryOf } = await import('../pgp/certificates.js');
  const { fingerprint, userIds } = certificate;
  return { fingerprint, userId: userIds[0] ?? null, expires: expiryOf(certificate, now) };
}

async function waitingStatus(published: Published, now: Date): Promise<WaitingStatus | null> {
  const bytes = published.bytes(UNSIGNED_NAME);
  if (bytes === null) return null;
  const database = decodeDatabase(bytes);
  const content = contentOf(bytes);
  const signed = await signedBy(published, { content, database, now });
  return {
    database: join(published.directory, UNSIGNED_NAME),
    sha256: content.sha256(),
    issued: database.Packsign.Issued,
    threshold: thresholdOf(database),
    signed,
    missing: (database.Packsign.Signers?.Fingerprints ?? []).filter(
      (fingerprint) => !signed.includes(fingerprint),
    ),
  };
}

/** With revocations that wait for the next database: those who sign it go by them already. */
async function inForce(published: Published): Promise<readonly Certificate[]> {
  const keys = await published.certificates();
  const pending = await published.pendingRevocations();
  if (pending.length === 0) return keys;
  const { mergeCertificates } = await import('../pgp/certificates.js');
  return await mergeCertificates(keys, pending);
}

async function signedBy(
  published: Published,
  { content, database, now }: { content: Content; database: Database; now: Date },
): Promise<readonly string[]> {
  const collected = published.bytes(UNSIGNED_SIGNATURES_NAME);
  if (collected === null) return [];
  const { countDistinct, readSignatures, verifySignatures } = await import('../pgp/signatures.js');
  const certificates = await inForce(published);
  const reports = await verifySignatures(content, readSignatures(collected), { certificates, now });
  const from = new Date(database.Packsign.Issued.getTime() - SLACK_MS);
  const until = new Date(now.getTime() + SLACK_MS);
  return Array.from(countDistinct(reports, { from, until })).sort();
}
