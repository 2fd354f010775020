import { join } from 'node:path';
import { publishPendingRevocations, withPendingRevocations } from '../keys/publish-keys.js';
import { PacksignError } from '../errors.js';
import type { AbsenceRule } from '../model/absence.js';
import { chainOf } from '../model/chain.js';
import { thresholdOf } from '../model/database.js';
import type { Database } from '../model/database.js';
import type { Warning } from '../model/finding.js';
import {
  DATABASE_NAME,
  KEYS_NAME,
  UNSIGNED_NAME,
  UNSIGNED_SIGNATURES_NAME,
  signaturePath,
} from '../model/layout.js';
import { PAGE_AS_IT_WAS } from '../page/mended.js';
import type { MendedPage } from '../page/mended.js';
import type { Certificate } from '../pgp/certificates.js';
import { writeNote } from '../published/notes.js';
import type { Published } from '../published/published.js';
import { replacePublished, writeUnsigned } from '../published/replace.js';
import type { KeyFiles, SignedContent } from '../published/replace.js';
import { pause } from '../run.js';
import type { Run } from '../run.js';
import type { Signer } from '../signers/signer.js';
import { brokenChainWarning, refuseEarlier } from './broken-chain.js';
import type { Candidate } from './candidate.js';
import { requireClock } from './clock-evidence.js';
import { mendChecksums, signChecksums } from './checksums.js';
import type { ChecksumSigning, MendedChecksums, SignedBy } from './checksums.js';
import { collectSignatures } from './collect-signatures.js';
import type { SigningNow } from './collect-signatures.js';
import { requireApproval } from './policy.js';
import { noKey } from './preflight.js';
import type { Searchable } from './secrets.js';
import { warnOfDropped } from './waiting.js';
import { joinWaiting, splitWaiting } from './waiting-signatures.js';

/** How any command signs and publishes a database. */
export interface SignAndPublishOptions extends SigningNow {
  /** Paths of files that may hold a secret: published keys for tests. */
  readonly allowSecrets?: readonly string[];
  /** Whether the trust page follows what is published. */
  readonly page?: boolean;
  /** Whether `SHA256SUMS` and its signature do. */
  readonly checksums?: boolean;
  /** Runs the step that publishes; see `Interruption`. */
  readonly whole?: <T>(step: () => Promise<T>) => Promise<T>;
}

/** The same for one database. */
export interface SigningContext extends SignAndPublishOptions {
  /** Where a secret may be, and what hashing found. */
  readonly searchable: Searchable;
  /** What may become of listed files that are not here. */
  readonly absence: AbsenceRule;
  /** Signatures of these bytes that were made before: the file `packages.unsigned.plist.asc`. */
  readonly collected?: Uint8Array | null;
  /** Whether another host publishes what is signed here. */
  readonly elsewhere?: boolean;
}

export interface SignedRelease {
  /** The file that holds the database now. */
  readonly database: string;
  readonly sha256: string;
  readonly issued: Date;
  readonly expires: Date | null;
  /** Primary fingerprints whose signatures count, sorted. */
  readonly signers: readonly string[];
  /** The file that holds the signatures. */
  readonly signature: string;
  readonly published: boolean;
  /** How many signatures are still missing. */
  readonly missing: number;
  readonly threshold: number;
  /** Set by the first publication: the keys that `keys.asc` now tells people to trust. */
  readonly keysWritten: readonly Certificate[] | null;
  readonly warnings: readonly Warning[];
}

/** The directory afterwards, and what to report. */
export interface Outcome {
  readonly published: Published;
  readonly release: SignedRelease;
}

/**
 * Checks a candidate against every policy, signs it, checks the signature with the certificates that users have, and
 * publishes the database, or keeps it if more signatures are needed. Touches nothing published before all of that has
 * succeeded (threats T8, T9).
 */
export async function signAndPublish(
  published: Published,
  candidate: Candidate,
  context: SigningContext,
): Promise<Outcome> {
  const { content, database, continued, update, damaged } = candidate;
  const { run, signers: signing, collected = null, elsewhere = false, whole = atOnce } = context;
  const { directory } = published;
  await requireApproval(published, { ...context, continued, update, damaged, remember: true });
  if (signing.length === 0 && collected === null) throw noKey();
  const { newest = null } = context.searchable;
  const address = database.Packsign.Database ?? null;
  const noteClock = await requireClock({ run, address, newest, isSigning: signing.length > 0 });
  refuseEarlier(published, candidate, run);
  const broken = brokenChainWarning(published, candidate, run);
  if (broken !== null) run.warn(broken);
  const keys = await keysFor(published, candidate, signing);
  const threshold = thresholdOf(database);
  if (keys.isNew && !elsewhere && threshold > signing.length) throw nobodyKnown(directory);
  await pause(run);
  const waiting = collected === null ? null : splitWaiting(collected);
  const common = { database, certificates: keys.certificates, keepUnknown: keys.isNew && elsewhere };
  const { signature, signers } = await collectSignatures(
    { ...common, content, collected: waiting?.database ?? null },
    context,
  );
  const isPublished = signers.length >= threshold && !elsewhere;
  const by = { ...common, signers, collected: waiting?.checksums ?? null };
  await pause(run);
  const checksums = await checksumsFor(published, by, { ...context, isPublished });
  const warnings = notListed(signers, database);
  const follow = async (fresh: Published) => {
    writePublisherNote(fresh, { database, signers }, run);
    const followed = await followPublication(fresh, opened(context));
    warnings.push(...followed.warnings);
    return followed.published;
  };
  const signed = { database, content, signature, reading: candidate.reading };
  const publish = async () => {
    if (isPublished) {
      return await replacePublished(published, { signed, keys, checksums }, { now: run.now, follow });
    }
    if (collected === null) await warnOfDropped(published, run, signing);
    const sums = checksums?.signature ?? waiting?.checksums ?? null;
    const signatures = joinWaiting({ database: signature, checksums: sums });
    return published.with(writeUnsigned(published, content.bytes, signatures));
  };
  const next = await whole(publish).finally(noteClock);
  const keysWritten = keys.isNew && isPublished ? keys.certificates : null;
  const outcome = { published: isPublished, keysWritten, warnings };
  return { published: next, release: releaseOf(directory, { database, content, signers }, outcome) };
}

/** Nothing interrupts a command that nobody waits to stop. */
async function atOnce<T>(step: () => Promise<T>): Promise<T> {
  return await step();
}

/** Signs the checksums too if the settings ask for it, or if others have signed them already. */
async function checksumsFor(
  published: Published,
  by: SignedBy,
  context: SigningContext & { readonly isPublished: boolean },
): Promise<SignedContent | null> {
  const { checksums = false, isPublished } = context;
  const isWanted = checksums || (!isPublished && by.collected !== null);
  if (!isWanted) return null;
  // Without their kept signature, the ones that are here would be somebody else's.
  await mendChecksums(published, { ...opened(context), signers: () => Promise.resolve([]) });
  return await signChecksums(published.directory, by, opened(context));
}

/** The same with keys that are open already. */
export function opened<T extends SigningNow>(
  context: T,
): Omit<T, 'signers'> & Pick<ChecksumSigning, 'signers'> {
  return { ...context, signers: () => Promise.resolve(context.signers) };
}

/** What to report of a signed database. */
export function releaseOf(
  directory: string,
  { database, content, signers }: Pick<Candidate, 'database' | 'content'> & Pick<SignedRelease, 'signers'>,
  outcome: Pick<SignedRelease, 'published' | 'keysWritten' | 'warnings'>,
): SignedRelease {
  const sha256 = content.sha256();
  const threshold = thresholdOf(database);
  const names = outcome.published
    ? { database: DATABASE_NAME, signature: signaturePath(sha256) }
    : { database: UNSIGNED_NAME, signature: UNSIGNED_SIGNATURES_NAME };
  return {
    ...outcome,
    ...{ sha256, signers, threshold },
    database: join(directory, names.database),
    issued: database.Packsign.Issued,
    expires: database.Packsign.Expires ?? null,
    signature: join(directory, names.signature),
    missing: Math.max(0, threshold - signers.length),
  };
}

export interface Followed {
  readonly published: Published;
  readonly page: MendedPage;
  readonly checksums: MendedChecksums;
  /** Of both. */
  readonly warnings: readonly Warning[];
}

export interface FollowOptions extends ChecksumSigning {
  readonly page?: boolean | undefined;
  readonly stillSince?: Date | null;
}

/**
 * Brings checksums and page up to date, then publishes the revocations that waited (docs/FORMAT.md §1), which may change
 * the page again. Also repairs what a run that ended in between left, and what others damaged. `stillSince`: see
 * `mendPage`.
 */
export async function followPublication(published: Published, options: FollowOptions): Promise<Followed> {
  const { page = false, stillSince = null } = options;
  const checksums = await mendChecksums(published, options);
  const mend = async (shown: Published): Promise<MendedPage> => {
    if (!page) return PAGE_AS_IT_WAS;
    const { mendPage } = await import('../page/publish-page.js');
    return await mendPage(shown, { stillSince });
  };
  const mended = await mend(published);
  const next = await publishPendingRevocations(published);
  const last = next === published ? mended : await mend(next);
  const warnings = [...checksums.warnings, ...last.warnings];
  return { published: next, page: last, checksums, warnings };
}

interface Keys extends KeyFiles {
  /** The certificates that signatures are checked with. */
  readonly certificates: readonly Certificate[];
  readonly isNew: boolean;
}

/**
 * What `keys.asc` holds, or will hold after a first publication, read back from its own bytes. A revocation that waits
 * for this database already applies to its signers.
 */
async function keysFor(
  published: Published,
  { lastKeys }: Candidate,
  signers: readonly Signer[],
): Promise<Keys> {
  const { encodeCertificates, readCertificates } = await import('../pgp/certificates.js');
  const there = published.bytes(KEYS_NAME);
  const before = there ?? lastKeys;
  if (before === null && signers.length === 0) throw nobodyKnown(published.directory);
  const armored = before ?? encodeCertificates(signers.map(({ certificate }) => certificate)).armored;
  const known = there === null ? await readCertificates(armored) : await published.certificates();
  return {
    armored,
    binary: encodeCertificates(known).binary,
    certificates: await withPendingRevocations(published, known),
    isNew: before === null,
  };
}

function nobodyKnown(directory: string): PacksignError {
  return new PacksignError(
    'KEY_NOT_PUBLISHED',
    `there is no ${join(directory, KEYS_NAME)} to check the other signatures with`,
    {
      hint: 'publish the certificate of every signer first: packsign key publish DIRECTORY --certificate FILE',
    },
  );
}

function notListed(signers: readonly string[], database: Database): Warning[] {
  const listed = database.Packsign.Signers?.Fingerprints;
  if (listed === undefined) return [];
  return signers
    .filter((fingerprint) => !listed.includes(fingerprint))
    .map((fingerprint) => ({
      code: 'SIGNER_NOT_LISTED',
      path: null,
      message: `${fingerprint} is not in "Signers": users who pinned those keys do not accept its signature alone`,
    }));
}

/** Notes what this machine published, so that it can verify its own directory later. */
export function writePublisherNote(
  published: Published,
  { database, signers }: { readonly database: Database; readonly signers: readonly string[] },
  { notesFolder }: Pick<Run, 'notesFolder'>,
): void {
  const sha256 = published.sha256();
  if (notesFolder === null || sha256 === null) return;
  const { Issued: issued, Signers } = database.Packsign;
  const fingerprints = Signers?.Fingerprints ?? signers;
  try {
    const threshold = thresholdOf(database);
    const chain = () => chainOf(database);
    writeNote(notesFolder, published.directory, { fingerprints, threshold, issued, sha256, chain });
  } catch {
    // The database is published; without the note, verify only asks for --keys or --fingerprint.
  }
}
