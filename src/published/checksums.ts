import { checksumsText, listsChecksums } from '../model/checksums.js';
import type { Database } from '../model/database.js';
import { CHECKSUMS_NAME, CHECKSUMS_SIGNATURE_NAME } from '../model/layout.js';
import { contentOf } from '../pgp/content.js';
import type { Content } from '../pgp/content.js';
import { findChecksums, keptSignature, ownChecksums } from '../places/own-checksums.js';
import { writePublished } from './write.js';

/** `SHA256SUMS` as it should be, compared with what is there. */
export interface Checksums {
  readonly content: Content;
  /** The signatures of these bytes that the folder of signatures keeps; null if there are none. */
  readonly kept: Buffer | null;
  readonly condition: ChecksumsCondition;
  /** Whether packsign wrote the `SHA256SUMS` that is there. */
  readonly isOwn: boolean;
}

export type ChecksumsCondition =
  | 'right'
  /** Missing, damaged or of another database. */
  | 'due'
  /** Somebody else wrote a file at one of the two names, or the database lists one: packsign leaves both alone. */
  | 'foreign';

/** The checksums of a published database (docs/FORMAT.md §1). */
export function checksumsIn(directory: string, database: Database): Checksums {
  const bytes = Buffer.from(checksumsText(database));
  const content = contentOf(bytes);
  const kept = keptSignature(directory, content.sha256());
  const found = findChecksums(directory);
  const own = ownChecksums(directory, found);
  const { sums, signature } = found;
  const isRight = Buffer.isBuffer(sums) && sums.equals(bytes);
  const mayReplace = sums === null || isRight || isCutShort(sums, bytes) || own.includes(CHECKSUMS_NAME);
  const maySign = signature === null || signature.length === 0 || own.includes(CHECKSUMS_SIGNATURE_NAME);
  const isSigned = kept !== null && Buffer.isBuffer(signature) && signature.equals(kept);
  const isForeign = listsChecksums(database) || !mayReplace || !maySign;
  return {
    content,
    kept,
    condition: isForeign ? 'foreign' : isRight && isSigned ? 'right' : 'due',
    isOwn: own.includes(CHECKSUMS_NAME),
  };
}

/** Whether a copy of the right bytes broke off: nobody ends a list of their own within a line. */
function isCutShort(sums: Buffer | 'odd', bytes: Buffer): boolean {
  if (sums === 'odd' || sums.length >= bytes.length) return false;
  return sums.at(-1) !== 0x0a && bytes.subarray(0, sums.length).equals(sums);
}

/** Writes what differs. Throws FILE_UNWRITABLE. */
export function writeChecksums(directory: string, { bytes }: Content, signature: Uint8Array): void {
  const { sums, signature: before } = findChecksums(directory);
  if (!isSame(sums, bytes)) writePublished(directory, CHECKSUMS_NAME, bytes);
  if (!isSame(before, signature)) writePublished(directory, CHECKSUMS_SIGNATURE_NAME, signature);
}

function isSame(found: Buffer | 'odd' | null, bytes: Uint8Array): boolean {
  return Buffer.isBuffer(found) && found.equals(bytes);
}
