import { hash } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { listFolder, readBounded } from '../disk/files.js';
import { DATABASE_LIMIT_BYTES, SIGNATURE_LIMIT_BYTES } from '../model/database.js';
import {
  CHECKSUMS_NAME,
  CHECKSUMS_SIGNATURE_NAME,
  SIGNATURES_FOLDER,
  signaturePath,
} from '../model/layout.js';

/** The files at the names of checksums: their bytes, null where there is none, `odd` for what is no readable file. */
export interface FoundChecksums {
  readonly sums: Buffer | 'odd' | null;
  readonly signature: Buffer | 'odd' | null;
}

export function findChecksums(directory: string): FoundChecksums {
  return {
    sums: readRegular(join(directory, CHECKSUMS_NAME), DATABASE_LIMIT_BYTES),
    signature: readRegular(join(directory, CHECKSUMS_SIGNATURE_NAME), SIGNATURE_LIMIT_BYTES),
  };
}

/**
 * Which of the names `SHA256SUMS` and `SHA256SUMS.asc` are those of packsign's own files (docs/FORMAT.md §1): packsign
 * keeps its signature of these very bytes in the folder of signatures, where nobody else puts any.
 */
export function ownChecksums(directory: string, { sums, signature } = findChecksums(directory)): string[] {
  if (Buffer.isBuffer(sums) && keptSignature(directory, hash('sha256', sums)) !== null) {
    return signature === 'odd' ? [CHECKSUMS_NAME] : [CHECKSUMS_NAME, CHECKSUMS_SIGNATURE_NAME];
  }
  return Buffer.isBuffer(signature) && isKept(directory, signature) ? [CHECKSUMS_SIGNATURE_NAME] : [];
}

/** Packsign's signature of bytes with this SHA-256; null if there is none. */
export function keptSignature(directory: string, sha256: string): Buffer | null {
  const kept = readRegular(join(directory, signaturePath(sha256)), SIGNATURE_LIMIT_BYTES);
  return kept === 'odd' ? null : kept;
}

function isKept(directory: string, signature: Buffer): boolean {
  try {
    return listFolder(join(directory, SIGNATURES_FOLDER)).some((name) => {
      const sha256 = /^([0-9a-f]{64})\.asc$/.exec(name)?.[1];
      return sha256 !== undefined && keptSignature(directory, sha256)?.equals(signature) === true;
    });
  } catch {
    return false;
  }
}

function readRegular(path: string, limitBytes: number): Buffer | 'odd' | null {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return null;
    return stats.isFile() ? readBounded(path, limitBytes) : 'odd';
  } catch {
    return 'odd';
  }
}
