import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  listFolder,
  makeFolder,
  readBounded,
  removeDurably,
  removeTemporaries,
  writeDurably,
} from '../disk/files.js';
import { PacksignError, reasonOf } from '../errors.js';
import { DATABASE_LIMIT_BYTES, KEYS_LIMIT_BYTES, SIGNATURE_LIMIT_BYTES } from '../model/database.js';
import {
  DATABASE_NAME,
  UNSIGNED_SIGNATURES_NAME,
  KEYRING_NAME,
  KEYS_NAME,
  SIGNATURES_FOLDER,
  SIGNATURE_COPY_NAME,
  UNSIGNED_NAME,
  signaturePath,
} from '../model/layout.js';
import { sha256Of } from '../verify/verify-database.js';
import type { Named } from './read.js';

/** Everything that one publication puts in place. */
export interface Publication {
  readonly bytes: Uint8Array;
  readonly sha256: string;
  /** The signature file, whole. */
  readonly signature: Uint8Array;
  /** The certificates in the two forms of `keys.asc` and `keys.gpg`. */
  readonly keys: { readonly armored: Uint8Array; readonly binary: Uint8Array };
}

export interface PublishOptions {
  readonly now: Date;
  /** Writes what shows the database, once it stands: only then is what waited for it taken away. */
  readonly follow?: () => Promise<void>;
}

const KEPT_SIGNATURES = 16;
const KEPT_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * Publishes a database that was signed and checked: the one place where what clients read is written.
 * The order is that of docs/FORMAT.md §1, so that at every instant what stands under `packages.plist` has
 * its signature beside it. A failure before the commit point leaves what was published.
 */
export async function publishDatabase(
  directory: string,
  publication: Publication,
  { now, follow = () => Promise.resolve() }: PublishOptions,
): Promise<void> {
  const undo: (() => void)[] = [];
  try {
    publishKeys(directory, publication, undo);
    publishSignature(directory, publication, undo);
    writeDurably(join(directory, DATABASE_NAME), publication.bytes);
    copySignature(directory, publication);
    await follow();
    clearAway(directory, publication, { now });
  } catch (error) {
    // Behind the commit point clients may have seen it: its signature stays, and nothing is taken back.
    if (isStanding(directory, publication)) throw unfinished(directory, error);
    for (const step of undo.reverse()) step();
    throw error;
  }
}

function isStanding(directory: string, { bytes }: Publication): boolean {
  return readBounded(join(directory, DATABASE_NAME), DATABASE_LIMIT_BYTES)?.equals(bytes) === true;
}

function unfinished(directory: string, error: unknown): PacksignError {
  const database = join(directory, DATABASE_NAME);
  const code = error instanceof PacksignError ? error.code : 'FILE_UNWRITABLE';
  return new PacksignError(code, `${reasonOf(error)}; ${database} is published all the same`, {
    hint: 'run the same command again: it puts the rest right',
    cause: error,
  });
}

function publishKeys(directory: string, { keys }: Publication, undo: (() => void)[]): void {
  for (const [name, bytes] of [
    [KEYS_NAME, keys.armored],
    [KEYRING_NAME, keys.binary],
  ] as const) {
    const path = join(directory, name);
    const standing = readBounded(path, KEYS_LIMIT_BYTES);
    if (standing?.equals(bytes) === true) continue;
    if (standing === null) undo.push(() => rmSync(path, { force: true }));
    writeDurably(path, bytes);
  }
}

function publishSignature(directory: string, { sha256, signature }: Publication, undo: (() => void)[]): void {
  makeFolder(join(directory, SIGNATURES_FOLDER));
  const path = join(directory, signaturePath(sha256));
  if (readBounded(path, SIGNATURE_LIMIT_BYTES) === null) undo.push(() => rmSync(path, { force: true }));
  writeDurably(path, signature);
}

/** Adds signatures to the database that is published already: its file first, by which readers find them. */
export function publishMoreSignatures(
  directory: string,
  { sha256, signature }: Pick<Publication, 'sha256' | 'signature'>,
): void {
  writeDurably(join(directory, signaturePath(sha256)), signature);
  writeDurably(join(directory, SIGNATURE_COPY_NAME), signature);
}

function copySignature(directory: string, { signature }: Pick<Publication, 'signature'>): void {
  const copy = join(directory, SIGNATURE_COPY_NAME);
  if (readBounded(copy, SIGNATURE_LIMIT_BYTES)?.equals(signature) !== true) writeDurably(copy, signature);
}

function clearAway(directory: string, { sha256 }: Pick<Publication, 'sha256'>, { now }: { now: Date }): void {
  removeWaiting(directory);
  prune(directory, { live: `${sha256}.asc`, now });
}

/** Takes away a database that waits, and what was gathered for it. */
export function removeWaiting(directory: string): void {
  removeDurably(join(directory, UNSIGNED_NAME));
  removeDurably(join(directory, UNSIGNED_SIGNATURES_NAME));
}

/**
 * Puts right what a run left that ended behind the commit point. What follows a publication (page, revocations) is
 * for the verb to see to; nothing here is needed for it. `others`: the files of the directory that are not listed, where
 * they are known.
 */
export function repairPublication(
  directory: string,
  { standing, now, others }: { standing: Named | null; now: Date; others?: readonly string[] },
): void {
  removeTemporaries(directory, others);
  removeTemporaries(join(directory, SIGNATURES_FOLDER));
  if (standing?.signature == null) return;
  copySignature(directory, { signature: standing.signature });
  const waiting = readBounded(join(directory, UNSIGNED_NAME), DATABASE_LIMIT_BYTES);
  if (waiting !== null && sha256Of(waiting) === standing.sha256) clearAway(directory, standing, { now });
}

// Readers that come late still find the signature of the database that they fetched a while ago.
function prune(directory: string, { live, now }: { live: string; now: Date }): void {
  const folder = join(directory, SIGNATURES_FOLDER);
  const signatures = listFolder(folder)
    .filter((name) => /^[0-9a-f]{64}\.asc$/.test(name) && name !== live)
    .map((name) => ({ path: join(folder, name), writtenMs: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.writtenMs - a.writtenMs);
  for (const { path, writtenMs } of signatures.slice(KEPT_SIGNATURES - 1)) {
    if (writtenMs < now.getTime() - KEPT_MS) removeDurably(path);
  }
}
