import { checksumsText, listsChecksums } from '../model/checksums.js';
import { thresholdOf } from '../model/database.js';
import type { Database } from '../model/database.js';
import { CHECKSUMS_NAME, CHECKSUMS_SIGNATURE_NAME } from '../model/layout.js';
import { contentOf } from '../pgp/content.js';
import type { Content } from '../pgp/content.js';
import { findChecksums, keptSignature, ownChecksums } from '../places/own-checksums.js';
import { writePublished } from './write.js';

/** `SHA256SUMS` as it should be, compared with what is there. */
export interface Checksums {
  readonly content: Content;
  /** The signatures of these bytes that the folder of signatures keeps, or else `SHA256SUMS.asc`; null if neither does. */
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

/** How many signers' signatures in a file count. */
export type Counting = (content: Content, signature: Buffer) => Promise<number>;

/** The checksums of a published database (docs/FORMAT.md §1). */
export async function checksumsIn(
  directory: string,
  database: Database,
  countSigners: Counting,
): Promise<Checksums> {
  const bytes = Buffer.from(checksumsText(database));
  const content = contentOf(bytes);
  const keptHere = keptSignature(directory, content.sha256());
  const signers = keptHere === null ? 0 : await countSigners(content, keptHere);
  const found = findChecksums(directory);
  const own = ownChecksums(directory, found);
  const { sums, signature } = found;
  // The folder of signatures may be lost.
  const isGood = signers === 0 && Buffer.isBuffer(signature) && (await countSigners(content, signature)) > 0;
  const isRight = Buffer.isBuffer(sums) && sums.equals(bytes);
  const mayReplace = sums === null || isRight || isCutShort(sums, bytes) || own.includes(CHECKSUMS_NAME);
  const maySign =
    signature === null || isGood || isCutOff(signature) || own.includes(CHECKSUMS_SIGNATURE_NAME);
  const isSigned = signers >= thresholdOf(database) && isSame(signature, keptHere);
  const isForeign = listsChecksums(database) || !mayReplace || !maySign;
  return {
    content,
    kept: isGood ? signature : keptHere,
    condition: isForeign ? 'foreign' : isRight && isSigned ? 'right' : 'due',
    isOwn: own.includes(CHECKSUMS_NAME),
  };
}

/** Whether a copy of the right bytes broke off: nobody ends a list of their own within a line. */
function isCutShort(sums: Buffer | 'odd', bytes: Buffer): boolean {
  if (sums === 'odd') return false;
  const part = withoutZeros(sums);
  return part.length < bytes.length && part.at(-1) !== 0x0a && bytes.subarray(0, part.length).equals(part);
}

const [BEGIN, END] = ['-----BEGIN PGP SIGNATURE-----', '-----END PGP SIGNATURE-----'];

/** Whether a signature lacks its end, so that no program can read it. */
function isCutOff(signature: Buffer | 'odd'): boolean {
  if (signature === 'odd') return false;
  const part = withoutZeros(signature).toString('latin1');
  return part.slice(0, BEGIN.length) === BEGIN.slice(0, part.length) && !part.includes(END);
}

/** A crash of the machine may leave zeros in place of what was not written yet. */
function withoutZeros(bytes: Buffer): Buffer {
  const zeros = /\0*$/.exec(bytes.toString('latin1'))?.[0].length ?? 0;
  return bytes.subarray(0, bytes.length - zeros);
}

/** Writes what differs. Throws FILE_UNWRITABLE. */
export function writeChecksums(directory: string, { bytes }: Content, signature: Uint8Array): void {
  const { sums, signature: before } = findChecksums(directory);
  if (!isSame(sums, bytes)) writePublished(directory, CHECKSUMS_NAME, bytes);
  if (!isSame(before, signature)) writePublished(directory, CHECKSUMS_SIGNATURE_NAME, signature);
}

function isSame(found: Buffer | 'odd' | null, bytes: Uint8Array | null): boolean {
  return Buffer.isBuffer(found) && bytes !== null && found.equals(bytes);
}
