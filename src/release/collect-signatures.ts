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

/** A database, and the certificates that its signatures are checked with. */
export interface SignedContent {
  readonly content: Content;
  readonly database: Database;
  /** The certificates that users have, or will have. */
  readonly certificates: readonly Certificate[];
  /** Earlier signatures do not count; `Issued` less the slack if not given. */
  readonly since?: Date;
}

export interface Collecting extends SignedContent {
  /** A signature file of the same bytes that was made before; null if there is none. */
  readonly collected: Uint8Array | null;
  /** Whether to keep signatures by unknown keys, because they can be checked only elsewhere. */
  readonly keepUnknown: boolean;
  /** Whether to keep a signature that counts; all of them if not given. */
  readonly keep?: (report: SignatureReport) => boolean;
}

/** Who signs now, and how. */
export interface SigningNow {
  readonly signers: readonly Signer[];
  /** Whether signatures have no random salt. */
  readonly deterministic: boolean;
  readonly run: Run;
}

export interface CollectedSignatures {
  /** A whole signature file. */
  readonly signature: Uint8Array;
  /** Primary fingerprints whose signatures count, sorted. */
  readonly signers: readonly string[];
  /** Those that had not signed before. */
  readonly added: readonly string[];
}

/**
 * Adds a signature by each signer that has not signed yet, and checks all signatures with the certificates that users
 * have (threats T6, T8). Leaves out those that do not count: one unknown signature makes gpg fail on a file of good
 * ones. Throws NO_KEY, SIGNATURE_INVALID, KEY_NOT_PUBLISHED, EXPIRES_AFTER_KEY, SELF_CHECK_FAILED, the codes of keys and
 * of signers.
 */
export async function collectSignatures(
  collecting: Collecting,
  { signers: signing, deterministic, run: { now } }: SigningNow,
): Promise<CollectedSignatures> {
  for (const signer of signing) await requireSigner(signer, collecting, now);
  const { joinSignatures, readSignatures } = await import('../pgp/signatures.js');
  const before = await signaturesBefore(collecting, now);
  const packets = [...before.packets];
  const missing = signing.filter(({ fingerprint }) => !before.signers.has(fingerprint));
  for (const signer of missing) {
    packets.push(await signer.sign(collecting.content, { date: now, deterministic }));
  }
  if (packets.length === 0) throw before.reason === null ? noKey() : noneCounts(before.reason);
  const signature = joinSignatures(packets);
  const { reports, signers: counted } = await countSignatures(readSignatures(signature), collecting, now);
  const refused = signing.find(({ fingerprint }) => !counted.has(fingerprint));
  if (refused !== undefined) throw notAccepted(refused, reports);
  const signers = Array.from(counted).sort();
  return { signature, signers, added: signers.filter((fingerprint) => !before.signers.has(fingerprint)) };
}

interface SignaturesBefore {
  readonly packets: readonly Uint8Array[];
  readonly signers: ReadonlySet<string>;
  /** Why a signature was left out; null if none was. */
  readonly reason: string | null;
}

async function signaturesBefore(collecting: Collecting, now: Date): Promise<SignaturesBefore> {
  if (collecting.collected === null) return { packets: [], signers: new Set(), reason: null };
  const { readSignatures } = await import('../pgp/signatures.js');
  const all = readSignatures(collecting.collected);
  const { keep = () => true, keepUnknown } = collecting;
  const { reports, counts } = await countSignatures(all, collecting, now);
  const kept = reports.map((report, index) => counts[index] === true && keep(report));
  const isKept = (index: number) =>
    kept[index] === true || (keepUnknown && reports[index]?.fingerprint === null);
  const leftOut = reports.find((_, index) => !isKept(index));
  // Where a hint at the issuer is wrong, gpg would not find the key.
  const packets = all.flatMap((packet, index) => (isKept(index) ? [reports[index]?.packet ?? packet] : []));
  const reason = leftOut === undefined ? null : (leftOut.reason ?? 'made before the database was issued');
  const signers = reports.flatMap(({ fingerprint }, index) => (kept[index] === true ? [fingerprint] : []));
  return { packets, signers: new Set(signers.filter((fingerprint) => fingerprint !== null)), reason };
}

interface CountedSignatures {
  readonly reports: readonly SignatureReport[];
  /** For each signature, whether it counts. */
  readonly counts: readonly boolean[];
  /** Primary fingerprints whose signatures count. */
  readonly signers: ReadonlySet<string>;
}

export async function countSignatures(
  signatures: readonly Uint8Array[],
  { content, certificates, database, since }: SignedContent,
  now: Date,
): Promise<CountedSignatures> {
  const { countDistinct, verifySignatures } = await import('../pgp/signatures.js');
  const reports = await verifySignatures(content, signatures, { certificates, now });
  const from = since ?? new Date(database.Packsign.Issued.getTime() - SLACK_MS);
  const until = new Date(now.getTime() + SLACK_MS);
  const counts = reports.map((report) => countDistinct([report], { from, until }).size === 1);
  return { reports, counts, signers: countDistinct(reports, { from, until }) };
}

async function requireSigner(
  signer: Signer,
  { certificates, database }: SignedContent,
  now: Date,
): Promise<void> {
  const published = requirePublished(signer, certificates);
  const { expiryOf, requireUsable } = await import('../pgp/certificates.js');
  requireUsable(published, now, signer.signingKey);
  const keyExpires = expiryOf(published, now, signer.signingKey);
  const { Expires } = database.Packsign;
  if (keyExpires === null || (Expires !== undefined && Expires <= keyExpires)) return;
  throw new PacksignError(
    'EXPIRES_AFTER_KEY',
    `the database would outlive the key that signs it, which expires at ${formatInstant(keyExpires)}`,
    { hint: `extend the key${shorterValidity(keyExpires.getTime() - now.getTime())}` },
  );
}

/** What a key allows that is good for so long, to go on after the hint to extend it. */
function shorterValidity(leftMs: number): string {
  const hours = Math.floor(leftMs / 3_600_000);
  if (hours === 0) return '';
  const [number, unit] = hours < 24 ? [hours, 'hour'] : [Math.floor(hours / 24), 'day'];
  const validity = `${number} ${unit}${number === 1 ? '' : 's'}`;
  return `, or shorten "Validity": packsign build DIRECTORY --validity "${validity}"`;
}

function noneCounts(reason: string): PacksignError {
  return new PacksignError('SIGNATURE_INVALID', `none of the collected signatures counts: ${reason}`, {
    hint: 'sign the waiting database itself, with a key in keys.asc; packsign key publish adds one',
  });
}

function notAccepted(signer: Signer, reports: readonly SignatureReport[]): PacksignError {
  const reason = reports.find(({ issuer }) => issuer === signer.signingKey)?.reason ?? 'no reason given';
  return new PacksignError(
    'SELF_CHECK_FAILED',
    `the new signature does not verify against ${KEYS_NAME}: ${reason}`,
    { hint: 'nothing was published; check the key with packsign key show KEY' },
  );
}
