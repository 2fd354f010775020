import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { kindOf } from '../disk/files.js';
import { lockStatus } from '../disk/lock.js';
import { PacksignError } from '../errors.js';
import type { Warning } from '../model/finding.js';
import { DATABASE_NAME, KEYS_NAME, PUBLISHING_NAME, STATE_FOLDER } from '../model/layout.js';
import { orNull } from '../model/or-null.js';
import { shellWord } from '../model/shell.js';
import { withNetwork } from '../net/transport.js';
import { directoryPlace } from '../places/directory.js';
import { readNote, readNoteChain } from '../published/notes.js';
import { isBucketAddress } from '../model/destination.js';
import type { PublisherNote } from '../published/notes.js';
import { readPublished } from '../published/read.js';
import { seenWhole } from '../published/whole.js';
import type { Run } from '../run.js';
import { notedBucket } from './bucket-note.js';
import { compareDirectory, compareRemote } from './compare.js';
import type { DirectoryComparison } from './compare.js';
import type { DiskOptions } from './disk-database.js';
import { fetchThrough } from './fetch.js';
import { orError } from './or-error.js';
import { isAccepted, withFindings } from './outcome.js';
import type { Decision, Tolerance } from './outcome.js';
import { choosePins, isNaming } from './pins.js';
import { REREADS } from './reread.js';
import type { Source } from './sources.js';
import { kindOfTarget } from './target.js';
import { verifyInBucket } from './verify-bucket.js';
import type { InBucketOptions } from './verify-bucket.js';
import { verifyPlace } from './verify-place.js';
import type { PlaceVerdict } from './verify-place.js';

export interface VerifyOptions extends InBucketOptions, Tolerance {
  /** Whether files are compared; null compares those of a directory or a bucket, and fetches none from an address. */
  readonly files: boolean | null;
}

/** `refused` also says that a file is altered or missing; `trusted` is then the database that lists it. */
export interface VerifyResult
  extends
    DirectoryComparison,
    Decision,
    Pick<PlaceVerdict, 'sha256' | 'trusted' | 'pinnedBy' | 'signatures' | 'notify' | 'accepted'> {
  /** Whether all is well, as far as the options ask: where the command line ends with 0. */
  readonly ok: boolean;
  /** Path of the database as it was named, or its address. */
  readonly database: string;
  /** Of files that a publication of this machine has lost; nobody else needs to know. */
  readonly warnings: readonly Warning[];
}

/** A result with the bytes of the database, where it was not refused. */
export interface Verified {
  readonly result: VerifyResult;
  readonly bytes: Uint8Array | null;
}

/**
 * Verifies a directory with its files, a bucket with its files, a database file, or a database by its address or the name
 * that it is trusted by (docs/FORMAT.md §8). What is wrong with the data is in the result. Throws what keeps us
 * from looking: FILE_UNREADABLE, AMBIGUOUS, KEYS_MALFORMED of a file that the user named, DIRECTORY_UNREADABLE, USAGE,
 * DESTINATION_FAILED, and what `fetchDatabase` throws.
 */
export async function verify(target: string, options: VerifyOptions): Promise<VerifyResult> {
  return (await verifyWithBytes(target, options)).result;
}

/** The same, with the bytes that were verified. */
export async function verifyWithBytes(target: string, options: VerifyOptions): Promise<Verified> {
  const kind = kindOfTarget(target, options.run.trust);
  if (kind === 'remote') {
    requireNoSignature(options);
    return isBucketAddress(target)
      ? await verifyStored(target, options)
      : await verifyRemote(target, options);
  }
  return await verifyLocal(target, { ...options, isDirectory: kind === 'folder' });
}

function requireNoSignature({ signatureFile }: VerifyOptions): void {
  if (signatureFile === null) return;
  throw new PacksignError('USAGE', '--signature is for database files; an address has its own signatures');
}

async function verifyStored(target: string, options: VerifyOptions): Promise<Verified> {
  const { compared, ...said } = await verifyInBucket(target, options);
  return verified(said, options, { ...NOTHING_CHECKED, ...compared });
}

async function verifyRemote(target: string, options: VerifyOptions): Promise<Verified> {
  const { run } = options;
  return await withNetwork(run.network, async (network) => {
    const fetched = await fetchThrough(network, target, options);
    const said = { answer: fetched, database: fetched.url };
    if (fetched.trusted === null || options.files !== true) return verified(said, options);
    const again = () => fetchThrough(network, fetched.url, { ...options, fresh: true });
    const compared = await compareRemote(network, fetched, { run, again });
    return verified(said, options, { ...NOTHING_CHECKED, ...compared });
  });
}

async function verifyLocal(
  target: string,
  { isDirectory, ...options }: VerifyOptions & { readonly isDirectory: boolean },
): Promise<Verified> {
  const { run } = options;
  const database = isDirectory ? join(target, DATABASE_NAME) : target;
  const note = isDirectory ? noteOf(target, options) : null;
  if (note !== null && options.files !== false) requireFilesIn(target);
  const source = await localSource(note, { ...options, isDirectory });
  const warnings = note === null ? [] : await lostFiles(target);
  for (let reread = 0; ; reread += 1) {
    const answer = await verifyPlace(directoryPlace(database), source, { run });
    const compares = answer.listed !== null && isDirectory && options.files !== false;
    const compared = compares ? await compareDirectory(target, answer.listed, run) : NOTHING_CHECKED;
    const isBad = compared.findings.some(({ kind }) => kind === 'altered' || kind === 'missing');
    if (isBad && reread < REREADS && isBeingWritten(target, answer, run)) {
      await sleep(run.network.backOffMs * 2 ** reread);
      continue;
    }
    return verified({ answer, database }, options, { ...compared, warnings });
  }
}

/** Of a publication of this machine, whose files may lie in a bucket. Throws USAGE. */
function requireFilesIn(directory: string): void {
  const bucket = notedBucket(join(directory, STATE_FOLDER));
  if (bucket === null) return;
  const keys = shellWord(join(directory, KEYS_NAME));
  throw new PacksignError('USAGE', `the files of ${directory} lie in ${bucket}`, {
    hint: `packsign verify ${shellWord(bucket)} --keys ${keys}; --no-files looks at the database here alone`,
  });
}

/** Whether somebody publishes in a directory, or did while its files were read. */
function isBeingWritten(directory: string, { sha256 }: PlaceVerdict, { clock }: Run): boolean {
  const stateFolder = join(directory, STATE_FOLDER);
  const isLocked = orNull(() => lockStatus(stateFolder, clock))?.state === 'held';
  if (isLocked || orNull(() => kindOf(join(directory, PUBLISHING_NAME))) !== null) return true;
  return orNull(() => readPublished(directory, stateFolder).sha256()) !== sha256;
}

/** A directory or a file, under the keys that the user named, else those of this machine's note. */
export async function localSource(
  note: PublisherNote | null,
  options: DiskOptions & { readonly isDirectory: boolean },
): Promise<Source> {
  const { isDirectory, signatureFile, run } = options;
  const chosen = await choosePins({ named: options, note, beside: isDirectory });
  const source = { ...chosen, url: null, entry: null, fetchesKeys: true, signatureFile };
  const { notesFolder } = run;
  if (note === null || notesFolder === null) return source;
  return { ...source, readChain: () => readNoteChain(notesFolder, note) };
}

/** What this machine noted of the directory. A damaged note does not matter where the user names the keys. */
function noteOf(directory: string, options: VerifyOptions): PublisherNote | null {
  const { notesFolder } = options.run;
  const read = () => (notesFolder === null ? null : readNote(notesFolder, directory));
  return isNaming(options) ? orNull(read) : read();
}

/** What the publisher's next build would put right. */
async function lostFiles(directory: string): Promise<readonly Warning[]> {
  const published = readPublished(directory, join(directory, STATE_FOLDER));
  const seen = await orError(() => seenWhole(published));
  // The verdict says what is wrong with a file that cannot be read; that must not end the command here.
  return seen instanceof PacksignError ? [] : seen.warnings;
}

const NOTHING_CHECKED = {
  files: { checked: 0, ok: 0 },
  companions: 0,
  uncovered: [],
  findings: [],
  warnings: [],
};

function verified(
  { answer, database }: { readonly answer: Omit<PlaceVerdict, 'listed'>; readonly database: string },
  tolerance: Tolerance,
  looked: Pick<VerifyResult, keyof DirectoryComparison | 'warnings'> = NOTHING_CHECKED,
): Verified {
  const { sha256, trusted, pinnedBy, signatures, notify, accepted, bytes } = answer;
  const uncertain = answer.notices.map((message): Warning => {
    return { code: 'EVIDENCE_INCOMPLETE', path: null, message };
  });
  const warnings = [...uncertain, ...answer.changes, ...looked.warnings];
  const decision = withFindings(answer, looked.findings, tolerance);
  const { status, code, message } = decision;
  const decided = { ok: isAccepted(decision, tolerance), status, code, message, database, sha256, trusted };
  return { result: { ...decided, pinnedBy, signatures, notify, accepted, ...looked, warnings }, bytes };
}
