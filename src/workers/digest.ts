import { createHash, hash as hashOnce } from 'node:crypto';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { reasonOf, systemCode } from '../errors.js';
import { READ_FLAGS, readAt, readerOf } from '../disk/files.js';
import { look, lookAtHead } from '../archives/look.js';
import type { LookOptions } from '../archives/look.js';
import type { Look } from '../model/inspection.js';
import { identityOf, isSameIdentity } from '../disk/identities.js';
import type { FileIdentity } from '../disk/identities.js';
import { countBytes } from './byte-count.js';
import type { ByteCount } from './byte-count.js';
import { startSecretSearch } from '../pgp/secret-material.js';
import type { SecretSearch } from '../pgp/secret-material.js';
import type { Secret } from '../pgp/secret-packets.js';
import type { ScannedFile } from '../places/scan.js';

/** The result of reading one file. */
export type Digested =
  | {
      readonly kind: 'digested';
      /** In bytes, counted while hashing. */
      readonly size: number;
      readonly sha256: string;
      /** Null if it was not asked for. */
      readonly md5: string | null;
      /** Null while the first bytes did not suffice. */
      readonly look: Look | null;
      /** Null also if this reading did not look for secrets. */
      readonly secret: Secret | null;
    }
  | {
      readonly kind: 'failed';
      readonly code: 'CHANGED_WHILE_READ' | 'GONE' | 'UNREADABLE';
      readonly message: string;
    };

export type Hashed = Extract<Digested, { kind: 'digested' }>;

export interface DigestOptions extends LookOptions {
  readonly directory: string;
  /** Counts the bytes that are read; one that is looked at again later counts half each time. */
  readonly counted?: ByteCount | undefined;
  readonly md5: boolean;
  /** Whether to look for secrets in the file; not if not given. */
  readonly secrets?: boolean | undefined;
}

const BLOCK_BYTES = 256 * 1024;
/** Files up to this size are hashed in one call, which costs a fifth of a running hash. */
const ONE_SHOT_BYTES = 64 * 1024;

// One buffer for each thread, which reads one file at a time into it.
let block = Buffer.alloc(0);

/**
 * Hashes one file and reads its metadata in the same pass. The file must be the one that was scanned, before and after
 * (threat T15). Never throws, whatever the file is. Returns a promise only if the first bytes do not have the metadata.
 */
export function digestFile(file: ScannedFile, options: DigestOptions): Digested | Promise<Digested> {
  let fd: number;
  try {
    fd = openSync(`${options.directory}/${file.path}`, READ_FLAGS);
  } catch (error) {
    return failed(error);
  }
  return leave(fd, file, { digested: digestOpen(fd, file, options), options });
}

/** Closes a file that was digested, after looking further into it if the first bytes did not suffice. */
export function leave(
  fd: number,
  file: ScannedFile,
  { digested, options }: { digested: Digested; options: DigestOptions },
): Digested | Promise<Digested> {
  if (digested.kind === 'digested' && digested.look === null) {
    return lookFurther(fd, file, { digested, options });
  }
  closeSync(fd);
  return digested;
}

export const CHANGED = {
  kind: 'failed',
  code: 'CHANGED_WHILE_READ',
  message: 'changed while it was read',
} as const;

export function isStill(fd: number, identity: FileIdentity): boolean {
  return isSameIdentity(identityOf(fstatSync(fd, { bigint: true })), identity);
}

/** The digests, and the metadata if the first bytes have it. */
function digestOpen(fd: number, file: ScannedFile, options: DigestOptions): Digested {
  const size = Number(file.identity.size);
  try {
    // For a file that is read in one go, the check afterwards suffices.
    if (size >= BLOCK_BYTES && !isStill(fd, file.identity)) return CHANGED;
    if (block.length === 0) block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    const head = readAt(fd, 0, block.subarray(0, size));
    const isWhole = head.length === size;
    const seen = lookAtHead(file.path, head, { ...options, whole: isWhole });
    const search = options.secrets === true ? searchOpen(fd, size) : null;
    const isShort = isWhole && size <= ONE_SHOT_BYTES;
    const weight = weightOf(seen);
    const digests = isShort
      ? hashWhole(head, options, search)
      : hashOn(fd, head, { ...options, search, weight });
    if (isShort) countBytes(options.counted, size * weight);
    if (digests.size !== size || !isStill(fd, file.identity)) return CHANGED;
    return { kind: 'digested', ...digests, look: seen, secret: search?.found() ?? null };
  } catch (error) {
    return failed(error);
  }
}

/** Looks beyond the first bytes. Closes the file. Never rejects. */
async function lookFurther(
  fd: number,
  file: ScannedFile,
  { digested, options }: { digested: Hashed; options: DigestOptions },
): Promise<Digested> {
  const size = Number(file.identity.size);
  let seen = 0;
  const reach = (at: number) => {
    if (at <= seen) return;
    countBytes(options.counted, (at - seen) / 2);
    seen = at;
  };
  try {
    const found = await look(file.path, { read: readerOf(fd), size, reach }, options);
    reach(size);
    return isStill(fd, file.identity) ? { ...digested, look: found } : CHANGED;
  } catch (error) {
    return failed(error);
  } finally {
    closeSync(fd);
  }
}

/** How much a byte counts while it is hashed: half, if the file is read again for a further look. */
export function weightOf(seen: Look | null): number {
  return seen === null ? 0.5 : 1;
}

type Digests = Pick<Hashed, 'size' | 'sha256' | 'md5'>;

/** Looks for secrets in an open file while it is hashed. */
export function searchOpen(fd: number, size: number): SecretSearch {
  return startSecretSearch({
    size,
    read: (position, length) => readAt(fd, position, Buffer.allocUnsafe(length)),
  });
}

function hashWhole(bytes: Buffer, { md5 }: DigestOptions, search: SecretSearch | null): Digests {
  search?.take(bytes);
  return {
    size: bytes.length,
    sha256: hashOnce('sha256', bytes, 'hex'),
    md5: md5 ? hashOnce('md5', bytes, 'hex') : null,
  };
}

type Searched = DigestOptions & { readonly search: SecretSearch | null; readonly weight: number };

function hashOn(fd: number, head: Buffer, options: Searched): Digests {
  const sha256 = createHash('sha256');
  const md5 = options.md5 ? createHash('md5') : null;
  let size = 0;
  for (let bytes = head; bytes.length > 0; bytes = readAt(fd, size, block)) {
    sha256.update(bytes);
    md5?.update(bytes);
    options.search?.take(bytes);
    countBytes(options.counted, bytes.length * options.weight);
    size += bytes.length;
  }
  return { size, sha256: sha256.digest('hex'), md5: md5?.digest('hex') ?? null };
}

export function failed(error: unknown): Digested {
  const code = systemCode(error);
  if (code === 'ENOENT') return { kind: 'failed', code: 'GONE', message: 'is gone' };
  if (code === 'ELOOP') return { ...CHANGED, message: 'became a symbolic link' };
  return { kind: 'failed', code: 'UNREADABLE', message: `cannot be read: ${reasonOf(error)}` };
}
