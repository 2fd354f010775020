import { statSync } from 'node:fs';
import { join } from 'node:path';
import { listFolder, quietly, readBounded, removeDurably } from '../disk/files.js';
import { PacksignError, fromSystem, reasonOf } from '../errors.js';
import { DATABASE_LIMIT_BYTES } from '../model/database.js';
import {
  DATABASE_NAME,
  KEYRING_NAME,
  KEYS_NAME,
  SIGNATURES_FOLDER,
  SIGNATURE_COPY_NAME,
  UNSIGNED_NAME,
  UNSIGNED_SIGNATURES_NAME,
  signaturePath,
} from '../model/layout.js';
import { orElse } from '../model/or-null.js';
import { contentOf } from '../pgp/content.js';
import { findChecksums, keptSignature } from '../places/own-checksums.js';
import type { FileChanges, Published, SignedDatabase } from './published.js';
import { makePublishedFolder, writePublished } from './write.js';

/** The certificates in the two forms of `keys.asc` and `keys.gpg`. */
export interface KeyFiles {
  readonly armored: Uint8Array;
  readonly binary: Uint8Array;
}

/** What replaces the published database. */
export interface Publication {
  readonly signed: SignedDatabase;
  readonly keys: KeyFiles;
  /** `SHA256SUMS` and its signatures; null for none. */
  readonly checksums?: SignedContent | null;
}

/** Bytes, and a signature file of them. */
export type SignedContent = Pick<SignedDatabase, 'content' | 'signature'>;

export interface ReplaceOptions {
  readonly now: Date;
  /** Writes what shows the published database (its page), before the files that waited for it are removed. */
  readonly follow?: (published: Published) => Promise<Published>;
}

/** Of the last 16 databases, and of their checksums. */
const KEPT_SIGNATURES = 2 * 16;
const KEPT_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * Publishes a signed and checked database, in the order of docs/FORMAT.md §1: at every instant, the signature of
 * `packages.plist` is there too. A failure before the commit point leaves the old publication.
 */
export async function replacePublished(
  published: Published,
  { signed, keys, checksums = null }: Publication,
  { now, follow = (next) => Promise.resolve(next) }: ReplaceOptions,
): Promise<Published> {
  const { directory } = published;
  const { bytes } = signed.content;
  const undo: (() => void)[] = [];
  try {
    let next = published.with({
      ...writeKeyFiles(published, keys, undo),
      ...writeSignature(published, signed, undo),
    });
    // The database must not depend on them.
    if (checksums !== null) quietly(() => keepChecksumSignature(published, checksums, undo));
    writePublished(directory, DATABASE_NAME, bytes);
    next = next.with({ [DATABASE_NAME]: bytes, ...writeCopy(published, signed.signature) }, signed);
    next = await follow(next);
    return next.with(clearAway(next, now), signed);
  } catch (error) {
    // After the commit point, clients may have seen the database: keep its signature, and undo nothing.
    const isDone = isCommitted(directory, bytes);
    if (isDone === true) throw unfinished(directory, error);
    if (isDone === false) for (const step of undo.reverse()) quietly(step);
    throw error;
  }
}

/** Null if the disk does not say: undo nothing then, either. */
function isCommitted(directory: string, bytes: Uint8Array): boolean | null {
  const path = join(directory, DATABASE_NAME);
  return orElse(() => readBounded(path, DATABASE_LIMIT_BYTES)?.equals(bytes) === true, null);
}

function unfinished(directory: string, error: unknown): PacksignError {
  const database = join(directory, DATABASE_NAME);
  const known = error instanceof PacksignError ? error : fromSystem(error);
  const code = known?.code ?? 'FILE_UNWRITABLE';
  return new PacksignError(code, `${reasonOf(known ?? error)}; ${database} is published nevertheless`, {
    hint: 'run the same command again: it finishes the rest',
    cause: error,
  });
}

/** Writes `keys.asc` and `keys.gpg` if they differ. `undo` gets steps that remove files that did not exist. */
export function writeKeyFiles(
  published: Published,
  { armored, binary }: KeyFiles,
  undo: (() => void)[] = [],
): FileChanges {
  const changes: Record<string, Uint8Array> = {};
  for (const [name, bytes] of [
    [KEYS_NAME, armored],
    [KEYRING_NAME, binary],
  ] as const) {
    const path = join(published.directory, name);
    const before = published.bytes(name);
    if (before?.equals(bytes) === true) continue;
    if (before === null) undo.push(() => removeDurably(path));
    writePublished(published.directory, name, bytes);
    changes[name] = bytes;
  }
  return changes;
}

/** Keeps the signatures of `SHA256SUMS` where the next run finds them. Throws FILE_UNWRITABLE. */
export function keepChecksumSignature(
  published: Published,
  signed: SignedContent,
  undo: (() => void)[] = [],
): void {
  const kept = keptSignature(published.directory, signed.content.sha256());
  if (kept?.equals(signed.signature) !== true) writeSignature(published, signed, undo);
}

function writeSignature(
  { directory, sha256, signature: known }: Published,
  { content, signature }: SignedContent,
  undo: (() => void)[],
): FileChanges {
  makePublishedFolder(directory, SIGNATURES_FOLDER);
  const name = signaturePath(content.sha256());
  const path = join(directory, name);
  const isNew = sha256() !== content.sha256() || known() === null;
  if (isNew && statSync(path, { throwIfNoEntry: false }) === undefined) {
    undo.push(() => removeDurably(path));
  }
  writePublished(directory, name, signature);
  return { [name]: signature };
}

function writeCopy(published: Published, signature: Uint8Array): FileChanges {
  if (published.bytes(SIGNATURE_COPY_NAME)?.equals(signature) !== true) {
    writePublished(published.directory, SIGNATURE_COPY_NAME, signature);
  }
  return { [SIGNATURE_COPY_NAME]: signature };
}

/** Adds signatures to the published database: first to its own signature file, where readers look. */
export function addSignatures(published: Published, signed: SignedDatabase): Published {
  const { signature } = signed;
  const name = signaturePath(signed.content.sha256());
  writePublished(published.directory, name, signature);
  return published.with({ [name]: signature, ...writeCopy(published, signature) }, signed);
}

/** Writes a database that waits for signatures, and those that it has so far, or null. */
export function writeUnsigned(
  { directory }: Published,
  bytes: Uint8Array,
  signatures: Uint8Array | null,
): FileChanges {
  // Signatures that were collected before are over other bytes.
  if (signatures === null) removeDurably(join(directory, UNSIGNED_SIGNATURES_NAME));
  writePublished(directory, UNSIGNED_NAME, bytes);
  if (signatures !== null) writePublished(directory, UNSIGNED_SIGNATURES_NAME, signatures);
  return { [UNSIGNED_NAME]: bytes, [UNSIGNED_SIGNATURES_NAME]: signatures };
}

/** Removes a waiting database and the signatures that were collected for it. */
export function removeUnsigned({ directory }: Published): FileChanges {
  removeDurably(join(directory, UNSIGNED_NAME));
  removeDurably(join(directory, UNSIGNED_SIGNATURES_NAME));
  return { [UNSIGNED_NAME]: null, [UNSIGNED_SIGNATURES_NAME]: null };
}

/** The last steps of a publication. */
export function clearAway(published: Published, now: Date): FileChanges {
  const changes = removeUnsigned(published);
  removeOldSignatures(published, now);
  return changes;
}

// Keep recent signatures for readers that fetched their database a while ago.
function removeOldSignatures({ directory, sha256 }: Published, now: Date): void {
  const folder = join(directory, SIGNATURES_FOLDER);
  const { sums } = findChecksums(directory);
  const current = [sha256() ?? '', Buffer.isBuffer(sums) ? contentOf(sums).sha256() : ''];
  const old = listFolder(folder)
    .filter((name) => /^[0-9a-f]{64}\.asc$/.test(name) && !current.includes(name.slice(0, 64)))
    .map((name) => ({ path: join(folder, name), writtenMs: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.writtenMs - a.writtenMs);
  for (const { path, writtenMs } of old.slice(KEPT_SIGNATURES - 1)) {
    if (writtenMs < now.getTime() - KEPT_MS) removeDurably(path);
  }
}
