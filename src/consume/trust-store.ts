import { join } from 'node:path';
import { PacksignError } from '../errors.js';
import { decodeChain, encodeChain } from '../format/chain.js';
import { Misfit } from '../format/misfit.js';
import { TRUST_LIMIT_BYTES, decodeEntry, decodeTrust, encodeEntry, encodeTrust } from '../format/trust.js';
import type { TrustFile } from '../format/trust.js';
import type { Chain } from '../model/chain.js';
import type { TrustEntry, TrustStore } from '../model/trust.js';
import { SECRET } from '../disk/access.js';
import {
  listFolder,
  makeFolder,
  quietly,
  readBounded,
  readNamed,
  removeDurably,
  removeTemporaries,
  writeDurably,
} from '../disk/files.js';
import { withLock } from '../disk/lock.js';
import { readOwn } from '../disk/own-file.js';
import { LOCK_WAIT_MS } from '../run.js';
import { forgetDatabases } from './kept-databases.js';

/** The file in the user's configuration folder. */
export const STORE_NAME = 'trust.json';
const INVENTORY_FOLDER = 'inventory';
const INVENTORY_LIMIT_BYTES = 320 * 1024 * 1024;

type Change = (before: TrustFile) => Promise<TrustFile> | TrustFile;

/** Reads the databases that a user trusts; none if there is no store. Throws TRUST_DAMAGED, FILE_UNREADABLE. */
export function readTrust(folder: string): TrustFile {
  const path = join(folder, STORE_NAME);
  const bytes = readOwn(path, TRUST_LIMIT_BYTES);
  return bytes === null ? { entries: [], damaged: [] } : decodeTrust(bytes, path);
}

/**
 * Replaces the content of the store by the result of `change`, one process at a time, atomically; equal content writes
 * nothing. Then removes the files beside it that no entry needs any more. Throws TRUST_DAMAGED, TRUST_TOO_LARGE, LOCKED,
 * FILE_UNWRITABLE, and what `change` throws; then the store stays as it was.
 */
export async function changeTrust(
  store: TrustStore,
  change: Change,
  waitMs = store.waitMs ?? LOCK_WAIT_MS,
): Promise<void> {
  const { folder } = store;
  // A command for users of a database ends by a signal, and so does its waiting.
  const { signal } = new AbortController();
  await withLock({ stateFolder: folder, waitMs, signal }, async () => {
    let current = readTrust(folder);
    try {
      const { entries, damaged } = await change(current);
      const after = { entries: [...entries].sort((a, b) => (a.name < b.name ? -1 : 1)), damaged };
      rewrite(folder, encodeTrust(current), after);
      current = after;
    } finally {
      quietly(() => prune(store, current));
    }
  });
}

/** Takes away what killed runs left, for a command that has nothing to change. Never throws. */
export async function sweepTrust(store: TrustStore): Promise<void> {
  await changeTrust(store, (before) => before, 0).catch(() => undefined);
}

function rewrite(folder: string, before: Buffer, after: TrustFile): void {
  const bytes = encodeTrust(after);
  if (bytes.equals(before)) return;
  requireReadable(after.entries, bytes);
  writeDurably(join(folder, STORE_NAME), bytes, { mode: SECRET });
}

/** What is written can be read again: limits and rules are those of reading (threat T31). */
function requireReadable(entries: readonly TrustEntry[], bytes: Buffer): void {
  for (const entry of entries) {
    try {
      decodeEntry({ text: encodeEntry(entry), repeated: null });
    } catch (error) {
      if (error instanceof Misfit) throw tooLarge(entry.url, error.describe());
      throw error;
    }
  }
  if (bytes.length > TRUST_LIMIT_BYTES) {
    throw tooLarge('this database', `all entries together would be larger than ${TRUST_LIMIT_BYTES} bytes`);
  }
}

function tooLarge(what: string, reason: string): PacksignError {
  return new PacksignError('TRUST_TOO_LARGE', `${what} cannot be remembered: ${reason}`, {
    hint: 'what was remembered before stays as it was; ask its maintainer why it is so large',
  });
}

/** What later databases have to continue. Throws TRUST_DAMAGED if the list is not whole, FILE_UNREADABLE. */
export function readAcceptedChain(folder: string, sha256: string): Chain {
  const path = inventoryPath(folder, sha256);
  try {
    return decodeChain(readBounded(path, INVENTORY_LIMIT_BYTES)?.toString() ?? '');
  } catch (error) {
    if (error instanceof Misfit) {
      throw new PacksignError('TRUST_DAMAGED', `${path} cannot be used: ${error.describe()}`, {
        hint: 'it lists the files of the last accepted database; restore it from a backup, or remove that database with packsign trust remove and add it again',
      });
    }
    throw error;
  }
}

/** To be called before the store refers to the list, so that no reference dangles. */
export function writeAcceptedChain(folder: string, sha256: string, chain: Chain): void {
  makeFolder(join(folder, INVENTORY_FOLDER));
  writeDurably(inventoryPath(folder, sha256), Buffer.from(encodeChain(chain)), { mode: SECRET });
}

function inventoryPath(folder: string, sha256: string): string {
  return join(folder, INVENTORY_FOLDER, `${sha256}.txt`);
}

/** Removes lists and kept databases that no entry refers to any more; a damaged entry may refer to any hash in its text. */
function prune({ folder, cacheFolder }: TrustStore, { entries, damaged }: TrustFile): void {
  const hashes = [
    ...entries.map(({ accepted }) => accepted?.sha256 ?? ''),
    ...damaged.flatMap(({ text }) => text.match(/[0-9a-f]{64}/g) ?? []),
  ];
  if (cacheFolder !== null) forgetDatabases(cacheFolder, new Set(hashes));
  removeTemporaries(join(folder, INVENTORY_FOLDER), { isLocked: true });
  const kept = new Set(hashes.map((sha256) => `${sha256}.txt`));
  for (const name of listFolder(join(folder, INVENTORY_FOLDER))) {
    if (name.endsWith('.txt') && !kept.has(name)) removeDurably(join(folder, INVENTORY_FOLDER, name));
  }
}

/** Encodes trusted databases for shipping: addresses, keys and thresholds, not what was accepted. */
export function encodeBundle(entries: readonly TrustEntry[]): Buffer {
  const shipped = entries.map((entry) => ({ ...entry, accepted: null, refreshed: null }));
  return encodeTrust({ entries: shipped, damaged: [] });
}

/** Reads such a file. Throws FILE_UNREADABLE, TRUST_DAMAGED. */
export function readBundle(path: string): TrustFile {
  return decodeTrust(readNamed(path, TRUST_LIMIT_BYTES), path);
}
