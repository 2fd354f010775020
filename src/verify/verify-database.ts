import { createHash } from 'node:crypto';
import { PacksignError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { readDatabase } from '../format/database.js';
import type { DatabaseRead } from '../format/database.js';
import { sharingWith } from '../format/shared-entries.js';
import { databaseAddress, namedAddress } from '../model/address.js';
import { thresholdOf } from '../model/database.js';
import type { Database } from '../model/database.js';
import type { Continuation } from '../model/chain.js';
import type { Warning } from '../model/finding.js';
import { SLACK_MS, formatInstant } from '../model/time.js';
import type { Certificate } from '../pgp/certificates.js';
import { contentOf } from '../pgp/content.js';
import type { Content } from '../pgp/content.js';
import type { SignatureReport } from '../pgp/signatures.js';

declare const trusted: unique symbol;

/** A database whose bytes were verified against pinned keys. Only `verifyDatabase` makes one (law 4). */
export type TrustedDatabase = Database & { readonly [trusted]: true };

/** The keys that a reader trusts for a database (docs/FORMAT.md §8). */
export interface Pins {
  /** Primary fingerprints. */
  readonly fingerprints: readonly string[];
  /** How many of them must have signed; `own` takes the database's threshold, which proves nothing to a stranger. */
  readonly threshold: number | 'own';
}

/** The last database that this reader accepted. */
export interface Accepted {
  readonly issued: Date;
  readonly sha256: string;
  /** Its own address; null or absent if it gave none, or none was kept. */
  readonly database?: string | null;
  /** Compares a database with what this one listed and recorded; absent if that was not kept. */
  readonly compare?: (database: Database) => Continuation;
}

export interface Evidence {
  readonly bytes: Uint8Array;
  /** The same bytes, if they were hashed already. */
  readonly content?: Content;
  /** The signature file of exactly these bytes; null if there is none. */
  readonly signature: Uint8Array | null;
  readonly certificates: readonly Certificate[];
  /** Another database, which may list the same: entries with the same text are then its objects, and are not read again. */
  readonly other?: DatabaseRead | null;
}

export interface VerificationOptions {
  readonly pins: Pins;
  readonly now: Date;
  readonly accepted: Accepted | null;
  /** The address under which this database was pinned; null if it was not fetched from one. */
  readonly url: string | null;
  /** Whether the user named the signature file, which may then be binary. */
  readonly byHand?: boolean;
}

const UNCOMPARED: Continuation = { breaks: [], changes: [] };

/** One signature, good or bad, for people. */
export interface CheckedSignature {
  readonly fingerprint: string | null;
  readonly userId: string | null;
  readonly signedAt: Date | null;
  readonly counts: boolean;
  readonly reason: string | null;
}

export type Verdict =
  | {
      readonly status: 'authentic' | 'stale';
      readonly code: 'DATABASE_STALE' | null;
      readonly message: string | null;
      readonly sha256: string;
      readonly database: TrustedDatabase;
      readonly signatures: readonly CheckedSignature[];
      /** What changed since the accepted database under the same name, and why. */
      readonly changes: readonly Warning[];
    }
  | {
      readonly status: 'refused';
      readonly code: ErrorCode;
      readonly message: string;
      readonly sha256: string;
      readonly database: null;
      readonly signatures: readonly CheckedSignature[];
      readonly changes: readonly [];
    };

/** SHA-256 of a database's bytes, which names it. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Decides on a database's bytes: steps 4 to 8 and 10 of docs/FORMAT.md §8, in that order. Reads nothing inside before
 * enough pinned keys have signed (threats T1, T5, T6, T21 to T23). Never throws for bad input.
 */
export async function verifyDatabase(evidence: Evidence, options: VerificationOptions): Promise<Verdict> {
  const { verdict } = await verifyAndRead(evidence, options);
  return verdict;
}

/** The same, for a writer that goes on from the database: with what was read of its bytes, null if they are refused. */
export async function verifyAndRead(
  evidence: Evidence,
  options: VerificationOptions,
): Promise<{ readonly verdict: Verdict; readonly reading: DatabaseRead | null }> {
  // Verify the same bytes that are decoded (threat T1): ignore a content of other bytes.
  const { bytes } = evidence;
  const content = evidence.content?.bytes === bytes ? evidence.content : contentOf(bytes);
  const sha256 = content.sha256();
  let signatures: readonly CheckedSignature[] = [];
  try {
    const reports = await checkSignatures({ ...evidence, content }, options);
    const latest = new Date(options.now.getTime() + SLACK_MS);
    signatures = reports.map((report) => checkedSignature(report, { from: null, until: latest }));
    // Step 5, before anything is decoded. The database's own threshold is only known afterwards.
    const least = options.pins.threshold === 'own' ? 1 : options.pins.threshold;
    requireSigners(await counted(reports, { from: null, until: latest }), { least, reports });
    // Step 6.
    const reading = readDatabase(bytes, sharingWith(evidence.other));
    const { database } = reading;
    // Check this before the dates of signatures: none is both after a future date and before now.
    requireTime(database, options.now);
    const earliest = new Date(database.Packsign.Issued.getTime() - SLACK_MS);
    signatures = reports.map((report) => checkedSignature(report, { from: earliest, until: latest }));
    const threshold = options.pins.threshold === 'own' ? thresholdOf(database) : options.pins.threshold;
    requireSigners(await counted(reports, { from: earliest, until: latest }), { least: threshold, reports });
    requireAddress(database, options);
    // Step 7.
    requireOrder({ database, sha256 }, options.accepted);
    // Step 8.
    const continuation = options.accepted?.compare?.(database) ?? UNCOMPARED;
    requireContinued(continuation, options.accepted);
    // Step 10.
    const stale = staleness(database, { reports, now: options.now });
    const verdict: Verdict = {
      status: stale === null ? 'authentic' : 'stale',
      code: stale === null ? null : 'DATABASE_STALE',
      message: stale,
      sha256,
      database: database as TrustedDatabase,
      signatures,
      changes: continuation.changes,
    };
    return { verdict, reading };
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    return { verdict: refused(error, { sha256, signatures }), reading: null };
  }
}

export function refused(
  { code, message }: PacksignError,
  known: Pick<Verdict, 'sha256' | 'signatures'>,
): Verdict {
  return { status: 'refused', code, message, database: null, changes: [], ...known };
}

interface Bounds {
  readonly from: Date | null;
  readonly until: Date;
}

async function checkSignatures(
  evidence: Evidence & { readonly content: Content },
  options: VerificationOptions,
): Promise<readonly SignatureReport[]> {
  if (evidence.signature === null) {
    const message = 'these bytes have no signature: they were changed, or never signed';
    throw new PacksignError('SIGNATURE_MISSING', message);
  }
  const { readSignatures, verifySignatures } = await import('../pgp/signatures.js');
  const signatures = readSignatures(evidence.signature, { allowBinary: options.byHand === true });
  const pinned = new Set(options.pins.fingerprints);
  const certificates = evidence.certificates.filter(({ fingerprint }) => pinned.has(fingerprint));
  return await verifySignatures(evidence.content, signatures, { certificates, now: options.now });
}

async function counted(reports: readonly SignatureReport[], bounds: Bounds): Promise<ReadonlySet<string>> {
  const { countDistinct } = await import('../pgp/signatures.js');
  return countDistinct(reports, { from: bounds.from ?? new Date(0), until: bounds.until });
}

function requireSigners(
  signers: ReadonlySet<string>,
  { least, reports }: { least: number; reports: readonly SignatureReport[] },
): void {
  if (signers.size >= least) return;
  if (signers.size === 0) {
    const reason = reports.map((report) => report.reason).find((text) => text !== null);
    const why = reason === undefined ? '' : `: ${reason}`;
    const revoked = reports.find((report) => report.revoked);
    if (revoked !== undefined) {
      throw new PacksignError('KEY_REVOKED', `signed by a key that is revoked: ${revoked.reason ?? ''}`);
    }
    throw new PacksignError('SIGNATURE_INVALID', `no good signature by a trusted key${why}`);
  }
  throw new PacksignError('TOO_FEW_SIGNATURES', `${signers.size} of the ${least} required signatures`);
}

function checkedSignature(report: SignatureReport, bounds: Bounds): CheckedSignature {
  const { fingerprint, userId, signedAt } = report;
  const outside = outsideReason(signedAt, bounds);
  const counts = report.good && outside === null;
  return { fingerprint, userId, signedAt, counts, reason: report.reason ?? outside };
}

function outsideReason(signedAt: Date | null, { from, until }: Bounds): string | null {
  if (signedAt === null) return 'it does not say when it was made';
  if (from !== null && signedAt < from) return 'made before the database was issued';
  return signedAt > until ? 'made in the future' : null;
}

function requireAddress(database: Database, { url, accepted }: VerificationOptions): void {
  const own = database.Packsign.Database;
  if (url === null) return;
  if (own === undefined) {
    const before = accepted?.database ?? null;
    if (before === null) return;
    throw new PacksignError('WRONG_DATABASE', `it does not give its address, which was ${before} before`);
  }
  if (namedAddress(own) === databaseAddress(url)) return;
  throw new PacksignError('WRONG_DATABASE', `this is the database of ${own}, not of ${url}`);
}

function requireTime(database: Database, now: Date): void {
  const { Issued } = database.Packsign;
  if (Issued.getTime() <= now.getTime() + SLACK_MS) return;
  throw new PacksignError('DATABASE_FROM_FUTURE', `issued at ${formatInstant(Issued)}, in the future`);
}

function requireOrder(
  { database, sha256 }: { database: Database; sha256: string },
  accepted: Accepted | null,
): void {
  if (accepted === null) return;
  const { Issued } = database.Packsign;
  if (Issued < accepted.issued) {
    const seen = `one of ${formatInstant(accepted.issued)} was seen before`;
    throw new PacksignError('DATABASE_ROLLED_BACK', `issued at ${formatInstant(Issued)}, and ${seen}`);
  }
  if (Issued.getTime() === accepted.issued.getTime() && sha256 !== accepted.sha256) {
    throw new PacksignError('DATABASE_FORKED', `another database was issued at ${formatInstant(Issued)} too`);
  }
}

const NAMED_LIMIT = 10;

/** The database must account for everything that the accepted one listed and recorded (threat T33). */
function requireContinued({ breaks }: Continuation, accepted: Accepted | null): void {
  if (breaks.length === 0 || accepted === null) return;
  const named = breaks.slice(0, NAMED_LIMIT).map(({ path, message }) => `${path} ${message}`);
  const more = breaks.length > NAMED_LIMIT ? [`and ${breaks.length - NAMED_LIMIT} more`] : [];
  const before = `the database of ${formatInstant(accepted.issued)} that was accepted before`;
  const message = `it does not continue ${before}: ${[...named, ...more].join('; ')}`;
  throw new PacksignError('HISTORY_BROKEN', message);
}

function staleness(
  database: Database,
  { reports, now }: { reports: readonly SignatureReport[]; now: Date },
): string | null {
  const { Expires } = database.Packsign;
  if (Expires !== undefined && Expires <= now) return `expired at ${formatInstant(Expires)}`;
  const expired = reports.find(({ good, keyExpires }) => good && keyExpires !== null && keyExpires <= now);
  return expired === undefined ? null : `the key ${expired.fingerprint ?? ''} has expired since it signed`;
}
