import { join } from 'node:path';
import { openCache } from './digest-cache.js';
import { readBounded } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { decodeDatabase } from '../format/database.js';
import { DATABASE_LIMIT_BYTES, SIGNATURE_LIMIT_BYTES, thresholdOf } from '../model/database.js';
import type { Database } from '../model/database.js';
import type { Difference } from '../model/diff.js';
import type { Warning } from '../model/finding.js';
import { UNSIGNED_SIGNATURES_NAME, KEYS_NAME, UNSIGNED_NAME } from '../model/layout.js';
import { SLACK_MS } from '../model/time.js';
import type { Certificate } from '../pgp/certificates.js';
import type { DiffOptions } from './diff.js';
import { sha256Of } from '../verify/verify-database.js';
import { makeCandidate } from './candidate.js';
import type { Candidate } from './candidate.js';
import { readPendingRevocations } from '../keys/publish-keys.js';
import { readKeys, readPublished, readStanding } from '../published/read.js';
import type { Published } from '../published/read.js';
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
export async function status(directory: string, options: DiffOptions): Promise<StatusResult> {
  const { now } = options;
  const keys = await readKeys(join(directory, KEYS_NAME));
  const signers = await Promise.all(keys.map((key) => signerStatus(key, now)));
  const waiting = await waitingStatus(directory, { keys: await inForce(keys, options.stateFolder), now });
  const revoking = (await readPendingRevocations(options.stateFolder)).length > 0;
  const trouble = await findPublished(directory);
  const published = trouble instanceof PacksignError ? null : trouble;
  const changes = trouble instanceof PacksignError ? untold(trouble) : await findChanges(directory, options);
  const attention = new Set<Attention>(
    [
      trouble instanceof PacksignError ? trouble.code : null,
      published === null && !(trouble instanceof PacksignError) ? ('NOT_PUBLISHED' as const) : null,
      waiting === null ? null : ('WAITING' as const),
      revoking ? ('REVOCATION_WAITS' as const) : null,
      changes.refusal === null ? null : changes.refusal.code,
      changes.difference === null ? null : ('UNSIGNED_CHANGES' as const),
      ...expiries(published?.database ?? null, { signers, now }),
    ].filter((code) => code !== null),
  );
  return {
    state: stateOf({ trouble, published, waiting, changes, now }),
    issued: published?.database.Packsign.Issued ?? null,
    expires: published?.database.Packsign.Expires ?? null,
    signers,
    waiting,
    difference: changes.difference,
    attention: Array.from(attention).sort(),
    message: changes.refusal?.message ?? null,
    hint: changes.refusal?.hint ?? null,
    warnings: changes.warnings,
  };
}

async function findPublished(directory: string): Promise<Published | null | PacksignError> {
  try {
    return await readPublished(directory);
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

async function findChanges(directory: string, options: DiffOptions): Promise<PendingChanges> {
  const cache = openCache(options.stateFolder, { rehash: options.rehash, remember: false });
  try {
    const prepared = await makeCandidate(directory, {
      ...options,
      signing: await options.signing(),
      cache,
      standing: readStanding(directory),
    });
    const { unchanged, difference } = prepared;
    const { warnings } = prepared.observation;
    const refusal = findRefusal(directory, prepared);
    return { isChanged: !unchanged, difference: unchanged ? null : difference, refusal, warnings };
  } catch (error) {
    if (error instanceof PacksignError && error.code !== 'DIRECTORY_UNREADABLE') return untold(error);
    throw error;
  }
}

/** What a person has to decide before it can be published. */
function findRefusal(
  directory: string,
  { published, database, observation }: Candidate,
): PacksignError | null {
  try {
    requireApproval(directory, {
      database,
      published: published?.database ?? null,
      others: observation.others,
      allowRemoved: false,
    });
    return null;
  } catch (error) {
    if (error instanceof PacksignError) return error;
    throw error;
  }
}

interface StateSources {
  readonly trouble: Published | null | PacksignError;
  readonly published: Published | null;
  readonly waiting: WaitingStatus | null;
  readonly changes: PendingChanges;
  readonly now: Date;
}

function stateOf({ trouble, published, waiting, changes, now }: StateSources): StatusResult['state'] {
  if (trouble instanceof PacksignError) return trouble.code === 'FOREIGN_DATABASE' ? 'foreign' : 'invalid';
  if (waiting !== null) return 'waiting';
  if (published === null) return 'unsigned';
  const { Expires } = published.database.Packsign;
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

async function waitingStatus(
  directory: string,
  { keys, now }: { keys: readonly Certificate[]; now: Date },
): Promise<WaitingStatus | null> {
  const path = join(directory, UNSIGNED_NAME);
  const bytes = readBounded(path, DATABASE_LIMIT_BYTES);
  if (bytes === null) return null;
  const database = decodeDatabase(bytes);
  const collected = readBounded(join(directory, UNSIGNED_SIGNATURES_NAME), SIGNATURE_LIMIT_BYTES);
  const signed = collected === null ? [] : await signedBy({ bytes, collected, database }, { keys, now });
  return {
    database: path,
    sha256: sha256Of(bytes),
    issued: database.Packsign.Issued,
    threshold: thresholdOf(database),
    signed,
    missing: (database.Packsign.Signers?.Fingerprints ?? []).filter(
      (fingerprint) => !signed.includes(fingerprint),
    ),
  };
}

/** With revocations that wait for the next database: whoever signs that goes by them already. */
async function inForce(keys: readonly Certificate[], stateFolder: string): Promise<readonly Certificate[]> {
  const held = await readPendingRevocations(stateFolder);
  if (held.length === 0) return keys;
  const { mergeCertificates } = await import('../pgp/certificates.js');
  return await mergeCertificates(keys, held);
}

async function signedBy(
  { bytes, collected, database }: { bytes: Uint8Array; collected: Uint8Array; database: Database },
  { keys, now }: { keys: readonly Certificate[]; now: Date },
): Promise<readonly string[]> {
  const { countDistinct, readSignatures, verifySignatures } = await import('../pgp/signatures.js');
  const reports = await verifySignatures(bytes, readSignatures(collected), { certificates: keys, now });
  const from = new Date(database.Packsign.Issued.getTime() - SLACK_MS);
  const until = new Date(now.getTime() + SLACK_MS);
  return Array.from(countDistinct(reports, { from, until })).sort();
}
