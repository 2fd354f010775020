import { orError } from '../consume/or-error.js';
import { PacksignError } from '../errors.js';
import { decodeDraft } from '../format/database.js';
import { withPendingRevocations } from '../keys/publish-keys.js';
import { thresholdOf } from '../model/database.js';
import type { Database } from '../model/database.js';
import { UNSIGNED_NAME, UNSIGNED_SIGNATURES_NAME } from '../model/layout.js';
import { refuseStaleBuild } from '../model/policy.js';
import { contentOf } from '../pgp/content.js';
import type { Published } from '../published/published.js';
import type { Run } from '../run.js';
import type { Signer } from '../signers/signer.js';
import { countSignatures } from './collect-signatures.js';
import type { SignedContent } from './collect-signatures.js';
import { splitWaiting } from './waiting-signatures.js';

/** A database that waits for signatures. */
export interface Waiting {
  readonly database: Database;
  readonly bytes: Uint8Array;
  /** The file of its signatures; null if there is none that can be read. */
  readonly signatures: Uint8Array | null;
  /** Primary fingerprints whose signatures count, sorted. */
  readonly signers: readonly string[];
  /** How many signatures are missing. */
  readonly missing: number;
}

/** How long we keep one that no other has signed: who is to sign it has some hours left before it is too old. */
const UNSIGNED_KEPT_MS = 12 * 60 * 60 * 1000;

/** The database that waits in a directory; null if there is none that can be read. */
export async function readWaiting(published: Published, { now }: Pick<Run, 'now'>): Promise<Waiting | null> {
  const bytes = published.bytes(UNSIGNED_NAME);
  const database = bytes === null ? null : await orError(() => decodeDraft(bytes));
  if (bytes === null || database === null || database instanceof PacksignError) return null;
  const collected = published.bytes(UNSIGNED_SIGNATURES_NAME);
  const sums = collected === null ? null : splitWaiting(collected).checksums;
  const signers = await orError(async () => {
    // The next signer could not add to signatures that cannot be read.
    if (sums !== null) (await import('../pgp/signatures.js')).readSignatures(sums);
    const certificates = await withPendingRevocations(published, await published.certificates());
    return await signedBy(published, { content: contentOf(bytes), database, certificates }, now);
  });
  const counted = signers instanceof PacksignError ? [] : signers;
  return {
    ...{ database, bytes, signers: counted },
    signatures: signers instanceof PacksignError ? null : collected,
    missing: Math.max(0, thresholdOf(database) - counted.length),
  };
}

/** Primary fingerprints whose signatures of a waiting database count, sorted. */
export async function signedBy(
  published: Published,
  waiting: SignedContent,
  now: Date,
): Promise<readonly string[]> {
  const collected = published.bytes(UNSIGNED_SIGNATURES_NAME);
  if (collected === null) return [];
  const { readSignatures } = await import('../pgp/signatures.js');
  const { signers } = await countSignatures(readSignatures(splitWaiting(collected).database), waiting, now);
  return Array.from(signers).sort();
}

export interface Keeping {
  /** `Issued` of the database that it goes on from; null if it starts a history. */
  readonly last: Date | null;
  readonly now: Date;
  /** Primary fingerprints of those who would sign a new one at once. */
  readonly renewing: readonly string[];
}

/** Whether a waiting database may stay, and be signed, as far as its dates tell. */
export function isInTime({ database, signers }: Waiting, { last, now, renewing }: Keeping): boolean {
  const { Issued, Previous = null } = database.Packsign;
  if (last !== null && Issued <= last) return false;
  try {
    refuseStaleBuild(database, { previous: Previous, now });
  } catch (error) {
    if (error instanceof PacksignError) return false;
    throw error;
  }
  const isSignedByOthers = signers.some((signer) => !renewing.includes(signer));
  return isSignedByOthers || now.getTime() - Issued.getTime() < UNSIGNED_KEPT_MS;
}

/** Says whose signatures go with a waiting database that another replaces, but for those who sign that one. */
export async function warnOfDropped(
  published: Published,
  run: Run,
  signing: readonly Signer[] = [],
): Promise<void> {
  const waiting = await readWaiting(published, run);
  const signers =
    waiting?.signers.filter((one) => signing.every(({ fingerprint }) => fingerprint !== one)) ?? [];
  if (signers.length === 0) return;
  const message = `the waiting database is out of date, and its signatures go with it: ${signers.join(', ')}`;
  run.warn({ code: 'SIGNATURES_DROPPED', path: null, message });
}
