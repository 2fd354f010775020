import { join } from 'node:path';
import { orError } from '../consume/or-error.js';
import { kindOf } from '../disk/files.js';
import { notAFile } from '../disk/obstacle.js';
import { PacksignError } from '../errors.js';
import { thresholdOf } from '../model/database.js';
import type { Database } from '../model/database.js';
import type { Warning } from '../model/finding.js';
import { CHECKSUMS_NAME, CHECKSUMS_SIGNATURE_NAME, signaturePath } from '../model/layout.js';
import type { Certificate } from '../pgp/certificates.js';
import type { SignatureReport } from '../pgp/signatures.js';
import { ownChecksums } from '../places/own-checksums.js';
import { checksumsIn, writeChecksums } from '../published/checksums.js';
import type { Checksums, Counting } from '../published/checksums.js';
import type { Published, SignedDatabase } from '../published/published.js';
import { keepChecksumSignature } from '../published/replace.js';
import type { SignedContent } from '../published/replace.js';
import { END_OF_TIME } from '../published/verified.js';
import { incompleteWarning, notWritten } from '../published/whole.js';
import type { Run } from '../run.js';
import type { Signer } from '../signers/signer.js';
import { requireClock } from './clock-evidence.js';
import { collectSignatures, countSignatures } from './collect-signatures.js';
import type { CollectedSignatures } from './collect-signatures.js';

/** The result of repairing `SHA256SUMS` and its signature. */
export interface MendedChecksums {
  /** Whether one of them was missing, damaged or of another database, and is right now. */
  readonly written: boolean;
  readonly warnings: readonly Warning[];
}

export const CHECKSUMS_AS_THEY_WERE: MendedChecksums = { written: false, warnings: [] };

/** Who can sign checksums, and how. */
export interface ChecksumSigning {
  /** Whether the settings ask for checksums. */
  readonly checksums?: boolean | undefined;
  /** Opens the keys, which may ask for a passphrase: called only if a signature is missing. */
  readonly signers: () => Promise<readonly Signer[]>;
  readonly deterministic: boolean;
  readonly run: Run;
}

/** A database whose checksums are signed, and by whom. */
export interface SignedBy {
  readonly database: Database;
  readonly certificates: readonly Certificate[];
  /** Primary fingerprints of those who signed the database: nobody else signs the checksums. */
  readonly signers: readonly string[];
  /** A signature file of the same checksums that was made elsewhere. */
  readonly collected?: Uint8Array | null;
  /** Whether to keep signatures by unknown keys, because they can be checked only elsewhere. */
  readonly keepUnknown?: boolean;
}

/**
 * Signs the checksums of a database together with the database. Null if there are none to sign, or if that fails:
 * publishing must not depend on it, and `mendChecksums` says what is missing.
 */
export async function signChecksums(
  directory: string,
  signed: SignedBy,
  signing: ChecksumSigning,
): Promise<SignedContent | null> {
  return await orNull(async () => {
    const checksums = await checksumsIn(directory, signed.database, countingFor(signed));
    if (checksums.condition === 'foreign') return null;
    const { signature } = await collect(checksums, signed, signing);
    return { content: checksums.content, signature };
  });
}

/**
 * Brings `SHA256SUMS` and its signature up to date with the published database: after a publication, after a run that
 * ended before them, and if somebody removed or damaged them. Needs a key only if the signature was lost. The database
 * is published already, so an error is only a warning.
 */
export async function mendChecksums(
  published: Published,
  signing: ChecksumSigning,
): Promise<MendedChecksums> {
  if (!isConcerned(published, signing)) return CHECKSUMS_AS_THEY_WERE;
  try {
    const signed = await published.verified();
    if (signed === null) return CHECKSUMS_AS_THEY_WERE;
    const by = await signersOf(published, signed);
    const checksums = await checksumsIn(published.directory, signed.database, countingFor(by));
    const warnings = warningsOf(checksums, signing);
    if (signing.checksums !== true || checksums.condition !== 'due') return { written: false, warnings };
    return await mend(published, { by, checksums }, signing);
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    return notMended(notWritten(error));
  }
}

/** Warnings about missing or outdated checksums, for commands that write nothing. */
export async function checksumWarnings(
  published: Published,
  wanted: Pick<ChecksumSigning, 'checksums'>,
): Promise<readonly Warning[]> {
  const signed = isConcerned(published, wanted) ? await orNull(() => published.verified()) : null;
  if (signed === null) return [];
  const counting = countingFor(await signersOf(published, signed));
  const checksums = await checksumsIn(published.directory, signed.database, counting);
  const isDue = wanted.checksums === true && checksums.condition === 'due';
  if (!isDue) return warningsOf(checksums, wanted);
  const path = signaturePath(checksums.content.sha256());
  const file = join(published.directory, path);
  return kindOf(file) === 'folder'
    ? [{ ...incompleteWarning(path), message: `is a folder: ${notAFile(file)}` }]
    : [incompleteWarning(CHECKSUMS_NAME)];
}

/** Usually nobody asks for checksums, and none are there: this reads neither the database nor the certificates. */
function isConcerned({ directory }: Published, { checksums }: Pick<ChecksumSigning, 'checksums'>): boolean {
  return checksums === true || ownChecksums(directory).includes(CHECKSUMS_NAME);
}

/** Adds signatures by those who have just signed the published database too. */
export async function coSignChecksums(
  published: Published,
  signed: SignedBy,
  signing: ChecksumSigning,
): Promise<void> {
  if (signing.checksums !== true) return;
  const checksums = await signChecksums(published.directory, signed, signing);
  if (checksums !== null) keepChecksumSignature(published, checksums);
}

async function mend(
  published: Published,
  { by, checksums }: { readonly by: SignedBy; readonly checksums: Checksums },
  signing: ChecksumSigning,
): Promise<MendedChecksums> {
  const { directory } = published;
  const nobody = { ...signing, signers: () => Promise.resolve([]) };
  // Open a key only if a signature is missing.
  const found = await orNull(() => collect(checksums, by, nobody));
  const isWhole = by.signers.every((signer) => found?.signers.includes(signer) === true);
  if (!isWhole) {
    const address = by.database.Packsign.Database ?? null;
    const noteClock = await requireClock({ run: signing.run, address, isSigning: true });
    noteClock();
  }
  const { signature, signers } = isWhole && found !== null ? found : await collect(checksums, by, signing);
  keepChecksumSignature(published, { content: checksums.content, signature });
  const missing = thresholdOf(by.database) - signers.length;
  if (missing > 0) return notMended(`was not written: ${missingWords(missing)}`);
  writeChecksums(directory, checksums.content, signature);
  return { written: true, warnings: [] };
}

function missingWords(missing: number): string {
  const words = missing === 1 ? 'a signature is missing' : `${missing} signatures are missing`;
  return `${words}; packsign sign --key FILE adds one`;
}

async function signersOf(published: Published, signed: SignedDatabase): Promise<SignedBy> {
  const { readSignatures } = await import('../pgp/signatures.js');
  const { database } = signed;
  const certificates = await published.certificates();
  const known = { ...signed, certificates };
  const { signers } = await countSignatures(readSignatures(signed.signature), known, END_OF_TIME);
  return { database, certificates, signers: Array.from(signers) };
}

/** Counts those who signed the database; nobody in a damaged file. */
function countingFor({ database, certificates, signers }: SignedBy): Counting {
  return async (content, signature) => {
    const counted = await orNull(async () => {
      const { readSignatures } = await import('../pgp/signatures.js');
      const signed = { content, database, certificates, since: new Date(0) };
      return (await countSignatures(readSignatures(signature), signed, END_OF_TIME)).signers;
    });
    return signers.filter((signer) => counted?.has(signer) === true).length;
  };
}

/** All signatures of the checksums that count, with those that are missing by keys that are here. */
async function collect(
  { content, kept }: Checksums,
  { database, certificates, signers, collected = null, keepUnknown = false }: SignedBy,
  signing: ChecksumSigning,
): Promise<CollectedSignatures> {
  const { run, deterministic } = signing;
  const before = await joined([kept, collected]);
  const here = (await signing.signers()).filter(({ fingerprint }) => signers.includes(fingerprint));
  if (here.length === 0 && before === null) {
    throw new PacksignError('NO_KEY', missingWords(thresholdOf(database)));
  }
  const keep = ({ fingerprint, issuer }: SignatureReport) => {
    const signer = here.find((each) => each.fingerprint === fingerprint);
    // An earlier subkey may be revoked by now.
    return signers.includes(fingerprint ?? '') && (signer === undefined || signer.signingKey === issuer);
  };
  return await collectSignatures(
    // The text may stay the same over many databases, and then its signature does too.
    { content, database, certificates, keepUnknown, keep, collected: before, since: new Date(0) },
    { signers: here, deterministic, run },
  );
}

/** One signature file with the signatures of all these; a damaged file counts as none. */
async function joined(files: readonly (Uint8Array | null)[]): Promise<Uint8Array | null> {
  const { joinSignatures, readSignatures } = await import('../pgp/signatures.js');
  const packets = files.map((file) => orNull(() => (file === null ? [] : readSignatures(file))));
  const all = (await Promise.all(packets)).flatMap((each) => each ?? []);
  return all.length === 0 ? null : joinSignatures(all);
}

async function orNull<T>(make: () => Promise<T> | T): Promise<T | null> {
  const made = await orError(make);
  return made instanceof PacksignError ? null : made;
}

function warningsOf(
  { condition, isOwn }: Checksums,
  { checksums = false }: Pick<ChecksumSigning, 'checksums'>,
): readonly Warning[] {
  if (checksums && condition === 'foreign') {
    const message = `is not packsign's, or ${CHECKSUMS_SIGNATURE_NAME} is not: both were left alone; move them away, or set "Checksums" to false`;
    return [{ code: 'CHECKSUMS_NOT_OURS', path: CHECKSUMS_NAME, message }];
  }
  if (!checksums && isOwn && condition === 'due') {
    const message = `is of an earlier database, and was left alone; set "Checksums" to true, or remove it and ${CHECKSUMS_SIGNATURE_NAME}`;
    return [{ code: 'CHECKSUMS_OUTDATED', path: CHECKSUMS_NAME, message }];
  }
  return [];
}

function notMended(message: string): MendedChecksums {
  return { written: false, warnings: [{ code: 'CHECKSUMS_NOT_WRITTEN', path: CHECKSUMS_NAME, message }] };
}
