import { dirname, join } from 'node:path';
import { removeTemporaries } from '../disk/files.js';
import type { PacksignError } from '../errors.js';
import type { Warning } from '../model/finding.js';
import {
  KEYRING_NAME,
  KEYS_NAME,
  SIGNATURES_FOLDER,
  SIGNATURE_COPY_NAME,
  UNSIGNED_NAME,
  signaturePath,
} from '../model/layout.js';
import { orNull } from '../model/or-null.js';
import { dearmorOnly, isBinary } from '../pgp/armor.js';
import { CERTIFICATE_FILE } from '../pgp/origin.js';
import { sha256Of } from '../verify/verify-database.js';
import type { Published } from './published.js';
import { clearAway } from './replace.js';
import { verdictUnder } from './verified.js';
import { makePublishedFolder, writePublished } from './write.js';

/**
 * The lost or outdated files of a publication, with their correct bytes (docs/FORMAT.md §1): the signature file, from its
 * copy; the copy; `keys.gpg`. Nothing for a publication that does not verify: a person has to look at that. Throws
 * KEYS_MALFORMED, FILE_UNREADABLE.
 */
async function repairsOf(published: Published): Promise<Readonly<Record<string, Uint8Array>>> {
  const sha256 = published.sha256();
  if (sha256 === null) return {};
  const copy = published.bytes(SIGNATURE_COPY_NAME);
  const own = published.signature();
  const isGood = async (signature: Buffer | null) => {
    const verdict = await verdictUnder(published, await published.certificates(), signature);
    return verdict?.status !== 'refused';
  };
  // A crash of the machine may leave an empty file.
  const isLost = own === null || (copy !== null && !copy.equals(own) && !(await isGood(own)));
  const signature = isLost ? copy : own;
  const ring = await ringOf(published);
  const repairs: Record<string, Uint8Array> = {};
  if (isLost && signature !== null) repairs[signaturePath(sha256)] = signature;
  if (signature !== null && copy?.equals(signature) !== true) repairs[SIGNATURE_COPY_NAME] = signature;
  if (ring !== null && published.bytes(KEYRING_NAME)?.equals(ring) !== true) repairs[KEYRING_NAME] = ring;
  if (Object.keys(repairs).length === 0) return {};
  return (await isGood(signature)) ? repairs : {};
}

/** For commands that write nothing: the directory as `makeWhole` would leave it, and what is wrong with it now. */
export async function seenWhole(
  published: Published,
): Promise<{ readonly published: Published; readonly warnings: readonly Warning[] }> {
  const repairs = await repairsOf(published);
  const paths = Object.keys(repairs);
  return {
    published: paths.length === 0 ? published : published.with(repairs),
    warnings: paths.map(incompleteWarning),
  };
}

export function incompleteWarning(path: string): Warning {
  const message = 'is missing or out of date: the next packsign build or packsign sign repairs it';
  return { code: 'PUBLICATION_INCOMPLETE', path, message };
}

/** Why a file was not written, with what to do about it. */
export function notWritten({ code, message, hint }: PacksignError): string {
  // Other hints hold words that only the command line knows.
  return `was not written: ${message}${hint !== null && code.startsWith('FILE_') ? `; ${hint}` : ''}`;
}

const INCOMPLETE: readonly Warning['code'][] = [
  'PUBLICATION_INCOMPLETE',
  // The next command leaves these alone: a person has to act.
  'CHECKSUMS_NOT_OURS',
  'CHECKSUMS_OUTDATED',
  'PAGE_EDITED',
  'PAGE_NOT_WRITTEN',
];

/** Whether files of a publication are missing, out of date or not packsign's. */
export function isIncomplete(warnings: readonly Warning[]): boolean {
  return warnings.some(({ code }) => INCOMPLETE.includes(code));
}

interface Writing {
  readonly now: Date;
  /** Where this machine notes what it published; null for no notes. */
  readonly notesFolder: string | null;
  /** The unlisted files of the directory, if known. */
  readonly others?: readonly string[];
}

export interface MadeWhole {
  readonly published: Published;
  /** Paths of the repaired files. */
  readonly mended: readonly string[];
}

/**
 * Finishes a run that ended after the commit point, and repairs files that were lost since. The command itself sees to
 * what follows a publication (page, revocations). Throws FILE_UNWRITABLE, KEYS_MALFORMED.
 */
export async function makeWhole(
  published: Published,
  { now, notesFolder, others }: Writing,
): Promise<MadeWhole> {
  const { directory } = published;
  removeTemporaries(directory, { isLocked: true, ...(others === undefined ? {} : { names: others }) });
  removeTemporaries(join(directory, SIGNATURES_FOLDER), { isLocked: true });
  // Other directories have their notes there too, and locks of their own.
  if (notesFolder !== null) removeTemporaries(notesFolder);
  const repairs = await repairsOf(published);
  for (const [path, bytes] of Object.entries(repairs)) {
    makePublishedFolder(directory, dirname(path));
    writePublished(directory, path, bytes);
  }
  const mended = Object.keys(repairs);
  const whole = mended.length === 0 ? published : published.with(repairs);
  return { published: isLeftBehind(whole) ? whole.with(clearAway(whole, now)) : whole, mended };
}

/** Whether the waiting database is the published one: a run ended before it removed that. */
function isLeftBehind(published: Published): boolean {
  const unsigned = published.bytes(UNSIGNED_NAME);
  return unsigned !== null && published.signature() !== null && sha256Of(unsigned) === published.sha256();
}

/** The correct bytes of `keys.gpg`; null if there is no `keys.asc`. */
async function ringOf(published: Published): Promise<Buffer | null> {
  const keys = published.bytes(KEYS_NAME);
  if (keys === null) return null;
  const ring = published.bytes(KEYRING_NAME);
  // Nearly always, `keys.asc` is the same bytes in armor: compare before parsing them.
  if (ring !== null && dearmored(keys)?.equals(ring) === true) return ring;
  const { encodeCertificates } = await import('../pgp/certificates.js');
  return Buffer.from(encodeCertificates(await published.certificates()).binary);
}

function dearmored(keys: Buffer): Buffer | null {
  if (isBinary(keys)) return keys;
  return orNull(() => Buffer.from(dearmorOnly(keys, 'PUBLIC KEY BLOCK', CERTIFICATE_FILE)));
}
