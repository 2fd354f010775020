import { PacksignError } from '../errors.js';
import type { Database } from '../model/database.js';
import { KEYS_NAME } from '../model/layout.js';
import { SLACK_MS, formatInstant } from '../model/time.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Content } from '../pgp/content.js';
import type { SignatureReport } from '../pgp/signatures.js';
import type { Run } from '../run.js';
import type { Signer } from '../signers/signer.js';
import { noKey, requirePublished } from './preflight.js';

export interface Collecting {
  readonly content: Content;
  readonly database: Database;
  /** Those that users have, or are going to have. */
  readonly certificates: readonly Certificate[];
  /** A signature file of the same bytes that was made before; null where there is none. */
  readonly collected: Uint8Array | null;
  /** Whether signatures by others cannot be judged here, and are kept for where they can. */
  readonly keepUnknown: boolean;
}

/** Who signs now, and how. */
export interface SigningNow {
  readonly signers: readonly Signer[];
  /** Without the random salt of signatures. */
  readonly deterministic: boolean;
  readonly run: Run;
}

export interface CollectedSignatures {
  /** A signature file, whole. */
  readonly signature: Uint8Array;
  /** Primary fingerprints whose signatures count, sorted. */
  readonly signers: readonly string[];
  /** Those among them that had not signed before. */
  readonly added: readonly string[];
}

/**
 * Adds a signature by each signer that has not signed yet to those that count already, and holds all of them against
 * the certificates that users have (threats T6, T8). What does not count is left out: one unknown signature makes
 * gpg fail on a file of good ones. Throws NO_KEY, SIGNATURE_INVALID, KEY_NOT_PUBLISHED, EXPIRES_AFTER_KEY,
 * SELF_CHECK_FAILED, the codes of keys and of signers.
 */
export async function collectSignatures(
  collecting: Collecting,
  signing: SigningNow,
): Promise<CollectedSignatures> {
  const { content, certificates, database } = collecting;
  for (const signer of signing.signers)
    await requireSigner(signer, { certificates, database, now: signing.run.now });
  const { joinSignatures, readSignatures } = await import('../pgp/signatures.js');
  const before = await signaturesBefore(collecting, signing);
  const packets = [...before.packets];
  const missing = signing.signers.filter(({ fingerprint }) => !before.signers.has(fingerprint));
  for (const signer of missing) {
    packets.push(await signer.sign(content, { date: signing.run.now, deterministic: signing.deterministic }));
  }
  if (packets.length === 0) throw before.reason === null ? noKey() : noneCounts(before.reason);
  const signature = joinSignatures(packets);
  const { reports, counted } = await check(readSignatures(signature), collecting, signing);
  for (const signer of signing.signers)
    if (!counted.has(signer.fingerprint)) throw notAccepted(signer, reports);
  const signers = Array.from(counted).sort();
  return { signature, signers, added: signers.filter((fingerprint) => !before.signers.has(fingerprint)) };
}

interface Before {
  readonly packets: readonly Uint8Array[];
  readonly signers: ReadonlySet<string>;
  /** Why one of those that do not count does not; null where all do. */
  readonly reason: string | null;
}

async function signaturesBefore(collecting: Collecting, signing: SigningNow): Promise<Before> {
  if (collecting.collected === null) return { packets: [], signers: new Set(), reason: null };
  const { readSignatures } = await import('../pgp/signatures.js');
  const all = readSignatures(collecting.collected);
  const { reports, counts, counted } = await check(all, collecting, signing);
  const isKept = (index: number) =>
    counts[index] === true || (collecting.keepUnknown && reports[index]?.fingerprint === null);
  const idle = reports.find((_, index) => !isKept(index));
  return {
    packets: all.filter((_, index) => isKept(index)),
    signers: counted,
    reason: idle === undefined ? null : (idle.reason ?? 'made before the database was issued'),
  };
}

interface Checked {
  readonly reports: readonly SignatureReport[];
  /** For each signature, whether it counts. */
  readonly counts: readonly boolean[];
  readonly counted: ReadonlySet<string>;
}

async function check(
  signatures: readonly Uint8Array[],
  { content, certificates, database }: Collecting,
  { run: { now } }: SigningNow,
): Promise<Checked> {
  const { countDistinct, verifySignatures } = await import('../pgp/signatures.js');
  const reports = await verifySignatures(content, signatures, { certificates, now });
  const from = new Date(database.Packsign.Issued.getTime() - SLACK_MS);
  const until = new Date(now.getTime() + SLACK_MS);
  const counts = reports.map((report) => countDistinct([report], { from, until }).size === 1);
  return { reports, counts, counted: countDistinct(reports, { from, until }) };
}

async function requireSigner(
  signer: Signer,
  { certificates, database, now }: Pick<Collecting, 'certificates' | 'database'> & { now: Date },
): Promise<void> {
  const published = requirePublished(signer, certificates);
  const { expiryOf, requireUsable } = await import('../pgp/certificates.js');
  requireUsable(published, now, signer.signingKey);
  const keyExpires = expiryOf(published, now, signer.signingKey);
  const { Expires } = database.Packsign;
  if (keyExpires === null || (Expires !== undefined && Expires <= keyExpires)) return;
  throw expiresAfterKey(keyExpires, now);
}

function noneCounts(reason: string): PacksignError {
  return new PacksignError('SIGNATURE_INVALID', `none of the collected signatures counts: ${reason}`, {
    hint: 'sign the waiting database itself, by a key in keys.asc; packsign key publish adds one',
  });
}

function notAccepted(signer: Signer, reports: readonly SignatureReport[]): PacksignError {
  const reason = reports.find(({ issuer }) => issuer === signer.signingKey)?.reason ?? 'no reason given';
  return new PacksignError(
    'SELF_CHECK_FAILED',
    `the new signature does not verify against ${KEYS_NAME}: ${reason}`,
    { hint: 'nothing was published; look at the key with packsign key show' },
  );
}

function expiresAfterKey(keyExpires: Date, now: Date): PacksignError {
  const days = Math.max(1, Math.floor((keyExpires.getTime() - now.getTime()) / 86_400_000));
  return new PacksignError(
    'EXPIRES_AFTER_KEY',
    `the database would outlive the key that signs it, which expires at ${formatInstant(keyExpires)}`,
    { hint: `extend the key, or shorten "Validity": packsign build DIRECTORY --validity "${days} days"` },
  );
}
