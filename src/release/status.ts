import { join } from 'node:path';
import { orError } from '../consume/or-error.js';
import { lockStatus } from '../disk/lock.js';
import type { LockStatus } from '../disk/lock.js';
import { PacksignError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { decodeDraft } from '../format/database.js';
import { lintPublished } from '../keys/lint-published.js';
import { withPendingRevocations } from '../keys/publish-keys.js';
import { absenceRule } from '../model/absence.js';
import { thresholdOf } from '../model/database.js';
import type { Database } from '../model/database.js';
import { isFromFuture } from '../model/dated-back.js';
import type { Coverage } from '../model/coverage.js';
import type { Difference } from '../model/diff.js';
import type { Warning } from '../model/finding.js';
import { isRefreshDue } from '../model/policy.js';
import { UNSIGNED_NAME } from '../model/layout.js';
import { formatInstant } from '../model/time.js';
import type { Certificate } from '../pgp/certificates.js';
import { contentOf } from '../pgp/content.js';
import type { Published, SignedDatabase } from '../published/published.js';
import { readPublished } from '../published/read.js';
import { isIncomplete } from '../published/whole.js';
import type { BuiltCandidate } from './candidate.js';
import { buildInMemory } from './in-memory.js';
import type { InMemoryOptions } from './in-memory.js';
import { requireApproval } from './policy.js';
import { isFirst } from './sign.js';
import { seenPublication } from './seen-publication.js';
import { destinationsIn, unsentTo } from './sent.js';
import { signedBy } from './waiting.js';

export type { LockStatus };

/** What needs a maintainer's attention. */
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
  | 'UNSENT'
  | 'UNSIGNED_CHANGES'
  | 'WAITING'
  | ErrorCode;

export interface StatusResult {
  /** Whether nothing needs attention. */
  readonly ok: boolean;
  readonly state: 'unsigned' | 'waiting' | 'changed' | 'published' | 'stale' | 'invalid' | 'foreign';
  readonly issued: Date | null;
  readonly expires: Date | null;
  readonly signers: readonly SignerStatus[];
  readonly waiting: WaitingStatus | null;
  /** What the files here would change; null if nothing, or packsign cannot tell. */
  readonly difference: Difference | null;
  /** Sorted; empty when all is well. */
  readonly attention: readonly Attention[];
  /** The lock that a command which writes here would meet. */
  readonly lock: LockStatus | null;
  /** Why a database cannot be made or published, and what to type. */
  readonly message: string | null;
  readonly hint: string | null;
  /** Null if packsign cannot tell. */
  readonly coverage: Coverage | null;
  /** How many files stay listed that are not here (`Absent`). */
  readonly kept: number;
  /** Destinations of `Publish` that did not get the published database from this machine. */
  readonly unsent: readonly string[];
  /** Files that cannot be listed, or that a person has to look at first. */
  readonly warnings: readonly Warning[];
}

/** A certificate that the directory publishes. */
export interface SignerStatus {
  readonly fingerprint: string;
  readonly userId: string | null;
  readonly expires: Date | null;
  readonly expired: boolean;
  /** The signing subkey, if it expires before the primary key; else null. */
  readonly subkey: string | null;
}

/** A database that waits for signatures. */
export interface WaitingStatus {
  readonly database: string;
  readonly sha256: string;
  readonly issued: Date;
  /** Whether it lists the files as they are here, and follows what is published. */
  readonly current: boolean;
  readonly threshold: number;
  /** Primary fingerprints that have signed it. */
  readonly signed: readonly string[];
  /** Signers that have not. */
  readonly missing: readonly string[];
}

/** An expiry within this time needs attention. */
const SOON_MS = 14 * 24 * 60 * 60 * 1000;

/** The state of a directory. Writes nothing. Throws DIRECTORY_UNREADABLE, KEYS_MALFORMED, SETTINGS_INVALID. */
export async function status(directory: string, options: InMemoryOptions): Promise<StatusResult> {
  const { run, settings } = options;
  const { now } = run;
  const seen = await seenPublication(readPublished(directory, run.stateFolder), settings);
  const { published } = seen;
  const keys = await published.certificates();
  const signers = await Promise.all(keys.map((key) => signerStatus(key, now)));
  const isRevoking = (await published.pendingRevocations()).length > 0;
  const found = await orRefusal(
    () => published.verified(),
    (code) => code === 'PREVIOUS_INVALID' || code === 'FOREIGN_DATABASE',
  );
  const draft = draftIn(published);
  const changes =
    found instanceof PacksignError
      ? untold(isGivenUp(draft, published) ? null : found)
      : await findChanges(published, draft, options);
  const waiting =
    draft === null ? null : await waitingStatus(published, draft, { files: changes.files, now });
  const lock = await orError(() => lockStatus(run.stateFolder, run.clock));
  const database = found === null || found instanceof PacksignError ? null : found.database;
  const obstacle =
    lock instanceof PacksignError
      ? lock
      : (changes.refusal ?? (database === null ? null : ofFuture(database, now)));
  const { Issued: issued = null, Expires: expires = null } = database?.Packsign ?? {};
  const sha256 = database === null ? null : published.sha256();
  const destinations = destinationsIn(directory, settings);
  const unsent = sha256 === null ? [] : unsentTo(run.stateFolder, { destinations, sha256 });
  const attention = [
    found === null && 'NOT_PUBLISHED',
    waiting !== null && 'WAITING',
    isRevoking && 'REVOCATION_WAITS',
    isIncomplete(seen.warnings) && 'PUBLICATION_INCOMPLETE',
    obstacle?.code ?? false,
    changes.difference !== null && 'UNSIGNED_CHANGES',
    expiryAttention(database, now),
    unsent.length > 0 && 'UNSENT',
    ...signers.map((key) => isSoon(key.expires, now) && (key.expired ? 'KEY_EXPIRED' : 'KEY_EXPIRES_SOON')),
  ] satisfies (Attention | false)[];
  const lint = await lintPublished(published, { certificates: null, databaseExpires: expires, now });
  for (const warning of lint) run.warn(warning);
  const needed = Array.from(new Set(attention.filter((code) => code !== false))).sort();
  return {
    ...{ ok: needed.length === 0, signers, waiting, issued, expires },
    state: stateOf(found, { waiting, changes, now }),
    difference: changes.difference,
    coverage: changes.coverage,
    kept: changes.kept,
    unsent,
    attention: needed,
    lock: lock instanceof PacksignError ? null : lock,
    message: obstacle?.message ?? null,
    hint: obstacle?.hint ?? null,
    warnings: [...changes.warnings, ...seen.warnings],
  };
}

/** What the files here would change in what is published. */
interface PendingChanges {
  readonly isChanged: boolean;
  /** Null if packsign cannot tell. */
  readonly files: Files | null;
  /** Null if nothing changes, or packsign cannot tell. */
  readonly difference: Difference | null;
  readonly coverage: Coverage | null;
  /** Why the changes cannot be made or published. */
  readonly refusal: PacksignError | null;
  /** How many listed files are not here. */
  readonly kept: number;
  readonly warnings: readonly Warning[];
}

/** Packsign cannot tell the changes, because of this. */
function untold(refusal: PacksignError | null): PendingChanges {
  return { isChanged: true, files: null, difference: null, coverage: null, refusal, kept: 0, warnings: [] };
}

async function findChanges(
  published: Published,
  draft: Database | null,
  options: InMemoryOptions,
): Promise<PendingChanges> {
  const candidate = await orRefusal(
    () => buildInMemory(published, options),
    (code) => code !== 'DIRECTORY_UNREADABLE',
  );
  if (candidate instanceof PacksignError) {
    const isDecided = candidate.code === 'PREVIOUS_UNKNOWN' && isGivenUp(draft, published);
    return untold(isDecided ? null : candidate);
  }
  const files = candidate.database.Files;
  const refusal = await findRefusal(published, candidate, options);
  const isDecided = refusal?.code === 'BYTES_CHANGED' && draft !== null && areSame(files, draft.Files);
  const { unchanged, difference, coverage } = candidate;
  return {
    isChanged: !unchanged,
    files,
    difference: unchanged ? null : difference,
    coverage,
    // Whoever built the waiting database gave the reason.
    refusal: isDecided ? null : refusal,
    kept: candidate.kept.size,
    warnings: warningsOf(candidate),
  };
}

/** Files that cannot be listed, and new ones that a watch would hold. */
function warningsOf({ inventory, warnings, difference: { added } }: BuiltCandidate): readonly Warning[] {
  const isNew = new Set(added);
  const held = warnings.filter(
    ({ code, path }) => code === 'DAMAGED' || (code === 'NAME_MISMATCH' && path !== null && isNew.has(path)),
  );
  return [...inventory.warnings, ...held];
}

/** What a person has to decide before the candidate can be published. */
async function findRefusal(
  published: Published,
  { continued, update, damaged, inventory }: BuiltCandidate,
  options: InMemoryOptions,
): Promise<PacksignError | null> {
  const absence = absenceRule(options.settings, options);
  const reading = { run: options.run, absence, remember: false };
  const approval = { ...reading, update, damaged, continued, searchable: inventory };
  return (await orError(() => requireApproval(published, approval))) ?? null;
}

/** What a function gives, or the error if it is one that status reports. */
async function orRefusal<T>(
  make: () => T | Promise<T>,
  isReported: (code: ErrorCode) => boolean,
): Promise<T | PacksignError> {
  const made = await orError(make);
  if (made instanceof PacksignError && !isReported(made.code)) throw made;
  return made;
}

function stateOf(
  found: SignedDatabase | null | PacksignError,
  { waiting, changes, now }: { waiting: WaitingStatus | null; changes: PendingChanges; now: Date },
): StatusResult['state'] {
  const isGivenUp = waiting !== null && changes.refusal === null;
  if (found instanceof PacksignError && !isGivenUp)
    return found.code === 'FOREIGN_DATABASE' ? 'foreign' : 'invalid';
  if (waiting !== null) return 'waiting';
  if (found === null || found instanceof PacksignError) return 'unsigned';
  const { Expires } = found.database.Packsign;
  if (Expires !== undefined && Expires <= now) return 'stale';
  return changes.isChanged ? 'changed' : 'published';
}

/** A database that no reader takes yet, and that the next one replaces. */
export function ofFuture(database: Database, now: Date): PacksignError | null {
  if (!isFromFuture(database, now)) return null;
  const message = `the published database was issued at ${formatInstant(database.Packsign.Issued)}, in the future: readers refuse it`;
  const hint = 'replace it: packsign build DIRECTORY --key KEY --trust-clock';
  return new PacksignError('DATABASE_FROM_FUTURE', message, { hint });
}

/** A new signature is worth its trouble only when the next build makes one. */
function expiryAttention(database: Database | null, now: Date): Attention | false {
  if (database === null || !isSoon(database.Packsign.Expires ?? null, now)) return false;
  const { Packsign } = database;
  if (Packsign.Expires !== undefined && Packsign.Expires <= now) return 'DATABASE_STALE';
  return isRefreshDue(Packsign, now) && 'EXPIRES_SOON';
}

function isSoon(date: Date | null, now: Date): date is Date {
  return date !== null && date.getTime() - now.getTime() < SOON_MS;
}

async function signerStatus(certificate: Certificate, now: Date): Promise<SignerStatus> {
  const { expiryOf } = await import('../pgp/certificates.js');
  const { fingerprint, userIds } = certificate;
  const expires = expiryOf(certificate, now);
  const expired = expires !== null && expires <= now;
  const { chooseSigningKey } = await import('../pgp/key-status.js');
  const { key } = chooseSigningKey(certificate, now);
  const ofPrimary = expiryOf(certificate, now, fingerprint);
  const isEarlier = expires !== null && (ofPrimary === null || expires < ofPrimary);
  const subkey = isEarlier ? key.fingerprint : null;
  return { fingerprint, userId: userIds[0] ?? null, expires, expired, subkey };
}

type Files = Database['Files'];

function areSame(some: Files, others: Files): boolean {
  return (
    some.size === others.size &&
    Array.from(some).every(([path, { SHA256 }]) => others.get(path)?.SHA256 === SHA256)
  );
}

/** The database that waits for signatures. Throws DATABASE_MALFORMED. */
function draftIn(published: Published): Database | null {
  const bytes = published.bytes(UNSIGNED_NAME);
  if (bytes === null) return null;
  try {
    return decodeDraft(bytes);
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    const message = `${join(published.directory, UNSIGNED_NAME)} cannot be read: ${error.message}`;
    throw new PacksignError(error.code, message, { hint: 'make it again: packsign build DIRECTORY' });
  }
}

/** Whether the waiting database replaces what is published here, whatever that is (`build --first`). */
function isGivenUp(draft: Database | null, published: Published): boolean {
  return draft !== null && isFirst(draft) && (draft.Packsign.Previous ?? null) === published.sha256();
}

async function waitingStatus(
  published: Published,
  database: Database,
  { files, now }: { readonly files: Files | null; readonly now: Date },
): Promise<WaitingStatus> {
  const content = contentOf(published.bytes(UNSIGNED_NAME) ?? Buffer.alloc(0));
  const last = published.sha256();
  const certificates = await withPendingRevocations(published, await published.certificates());
  const signed = await signedBy(published, { content, database, certificates }, now);
  const { Fingerprints = [] } = database.Packsign.Signers ?? {};
  return {
    database: join(published.directory, UNSIGNED_NAME),
    sha256: content.sha256(),
    issued: database.Packsign.Issued,
    current:
      (files === null || areSame(files, database.Files)) &&
      (last === null || last === database.Packsign.Previous),
    threshold: thresholdOf(database),
    signed,
    missing: Fingerprints.filter((fingerprint) => !signed.includes(fingerprint)),
  };
}
