import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PacksignError, reasonOf } from '../errors.js';
import { isSafePath, isSha256 } from '../model/file-entry.js';
import type { AcceptedNote, Grounds, TrustEntry } from '../model/trust.js';
import { formatInstant, parseInstant } from '../model/time.js';
import { kindOf, listFolder, makeFolder, readBounded, removeDurably, writeDurably } from '../disk/files.js';
import { takeLock } from '../disk/lock.js';
import type { Release } from '../disk/lock.js';

const STORE_NAME = 'trust.json';
const INVENTORY_FOLDER = 'inventory';
/** The last line, which shows that the file is whole. */
const INVENTORY_END = 'end\n';
const VERSION = 1;
const LIMIT_BYTES = 64 * 1024 * 1024;
const INVENTORY_LIMIT_BYTES = 320 * 1024 * 1024;
const LOCK_PATIENCE_MS = 10_000;

/** Reads the databases that a user trusts, in the order of their names; none if there is no store. Throws TRUST_DAMAGED. */
export function readTrust(folder: string): readonly TrustEntry[] {
  const path = join(folder, STORE_NAME);
  const bytes = readBounded(path, LIMIT_BYTES);
  return bytes === null ? [] : decodeEntries(bytes, path);
}

/**
 * Replaces the entries by the result of `change`, one process at a time, atomically; equal entries write nothing.
 * Throws TRUST_DAMAGED, LOCKED, FILE_UNWRITABLE, and what `change` throws; then the store stays as it was.
 */
export async function changeTrust(
  folder: string,
  change: (entries: readonly TrustEntry[]) => Promise<readonly TrustEntry[]> | readonly TrustEntry[],
): Promise<void> {
  const release = await lock(folder);
  try {
    const before = readTrust(folder);
    const after = [...(await change(before))].sort((a, b) => (a.name < b.name ? -1 : 1));
    const bytes = encodeEntries(after);
    if (bytes.equals(encodeEntries(before))) return;
    writeDurably(join(folder, STORE_NAME), bytes, { mode: 0o600 });
    prune(folder, after);
  } finally {
    release();
  }
}

async function lock(folder: string): Promise<Release> {
  const patience = performance.now() + LOCK_PATIENCE_MS;
  for (;;) {
    try {
      return takeLock(folder);
    } catch (error) {
      const isBusy = error instanceof PacksignError && error.code === 'LOCKED';
      if (!isBusy || performance.now() > patience) throw error;
      await sleep(50);
    }
  }
}

/** The files of an accepted database: path → SHA-256. Throws TRUST_DAMAGED if the list is not whole. */
export function readAcceptedHashes(folder: string, sha256: string): ReadonlyMap<string, string> {
  const path = inventoryPath(folder, sha256);
  const text = readBounded(path, INVENTORY_LIMIT_BYTES)?.toString('latin1') ?? null;
  if (text?.endsWith(INVENTORY_END) !== true) throw damaged(path, 'it is not whole');
  const inventory = new Map<string, string>();
  for (const line of text.slice(0, -INVENTORY_END.length).split('\n').slice(0, -1)) {
    const [hash, name] = [line.slice(0, 64), line.slice(66)];
    if (!isSha256(hash) || !isSafePath(name)) throw damaged(path, 'it holds a line that is none of ours');
    inventory.set(name, hash);
  }
  return inventory;
}

/** To be called before the store refers to the list, so that no reference dangles. */
export function writeAcceptedHashes(
  folder: string,
  sha256: string,
  inventory: ReadonlyMap<string, string>,
): void {
  const path = inventoryPath(folder, sha256);
  if (kindOf(path) !== null) return;
  makeFolder(join(folder, INVENTORY_FOLDER));
  const lines = Array.from(inventory, ([name, hash]) => `${hash}  ${name}\n`);
  writeDurably(path, Buffer.from(`${lines.join('')}${INVENTORY_END}`), { mode: 0o600 });
}

function inventoryPath(folder: string, sha256: string): string {
  return join(folder, INVENTORY_FOLDER, `${sha256}.txt`);
}

/** Removes lists that no entry refers to any more. */
function prune(folder: string, entries: readonly TrustEntry[]): void {
  const kept = new Set(entries.map(({ accepted }) => `${accepted?.sha256 ?? ''}.txt`));
  for (const name of listFolder(join(folder, INVENTORY_FOLDER))) {
    if (name.endsWith('.txt') && !kept.has(name)) removeDurably(join(folder, INVENTORY_FOLDER, name));
  }
}

/** Encodes trusted databases for shipping: addresses, keys and thresholds, not what was accepted. */
export function encodeBundle(entries: readonly TrustEntry[]): Buffer {
  return encodeEntries(entries.map((entry) => ({ ...entry, accepted: null, refreshed: null })));
}

/** Reads such a file. Throws FILE_UNREADABLE, TRUST_DAMAGED. */
export function readBundle(path: string): readonly TrustEntry[] {
  const bytes = readBounded(path, LIMIT_BYTES);
  if (bytes === null) throw new PacksignError('FILE_UNREADABLE', `there is no file ${path}`);
  return decodeEntries(bytes, path);
}

function encodeEntries(entries: readonly TrustEntry[]): Buffer {
  const databases = entries.map(({ added, accepted, refreshed, ...entry }) => ({
    ...entry,
    added: formatInstant(added),
    refreshed: refreshed === null ? null : formatInstant(refreshed),
    accepted: accepted === null ? null : { ...accepted, issued: formatInstant(accepted.issued) },
  }));
  return Buffer.from(`${JSON.stringify({ version: VERSION, databases }, null, 2)}\n`);
}

function decodeEntries(bytes: Buffer, path: string): readonly TrustEntry[] {
  try {
    const value = asRecord(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
    if (value['version'] !== VERSION)
      throw new Error(`it is of version ${String(value['version'])}, not ${VERSION}`);
    const entries = asList(value['databases']).map((entry) => decodeEntry(asRecord(entry)));
    if (new Set(entries.map(({ name }) => name)).size < entries.length)
      throw new Error('a name is there twice');
    if (new Set(entries.map(({ url }) => url)).size < entries.length)
      throw new Error('an address is there twice');
    return entries;
  } catch (error) {
    throw damaged(path, reasonOf(error));
  }
}

function decodeEntry(entry: Fields): TrustEntry {
  const fingerprints = textsOf(entry, 'fingerprints');
  const threshold = entry['threshold'];
  if (!fingerprints.every((fingerprint) => /^[0-9A-F]{40}$/.test(fingerprint))) {
    throw new Error('a fingerprint is not one');
  }
  const least = fingerprints.length === 0 ? 0 : 1;
  const fits = typeof threshold === 'number' && threshold >= least && threshold <= fingerprints.length;
  if (!fits) throw new Error('a threshold does not fit its keys');
  const refreshed = entry['refreshed'];
  return {
    name: textOf(entry, 'name'),
    url: textOf(entry, 'url'),
    fingerprints,
    threshold,
    grounds: decodeGrounds(asRecord(entry['grounds'])),
    added: instantOf(entry, 'added'),
    certificates: textOrNull(entry, 'certificates'),
    refreshed: refreshed === null ? null : instantOf(entry, 'refreshed'),
    accepted: entry['accepted'] === null ? null : decodeAccepted(asRecord(entry['accepted'])),
  };
}

function decodeGrounds(grounds: Fields): Grounds {
  const kind = textOf(grounds, 'kind');
  if (kind === 'vouched') return { kind, by: textOf(grounds, 'by') };
  if (kind === 'keys' || kind === 'fingerprint' || kind === 'blindly') return { kind };
  throw new Error(`it is not known what "${kind}" means`);
}

function decodeAccepted(accepted: Fields): AcceptedNote {
  const sha256 = textOf(accepted, 'sha256');
  if (!isSha256(sha256)) throw new Error('a hash is not one');
  return {
    issued: instantOf(accepted, 'issued'),
    sha256,
    database: textOrNull(accepted, 'database'),
    maintainer: textOrNull(accepted, 'maintainer'),
    notify: textOrNull(accepted, 'notify'),
    mirrors: textsOf(accepted, 'mirrors'),
    etag: textOrNull(accepted, 'etag'),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function asRecord(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new Error('something is missing in it');
}

function asList(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new Error('a list is missing in it');
}

function textsOf(fields: Fields, key: string): readonly string[] {
  return asList(fields[key]).map((item) => textOf({ item }, 'item'));
}

function textOf(fields: Fields, key: string): string {
  const value = fields[key];
  if (typeof value === 'string' && value !== '') return value;
  throw new Error(`"${key}" is missing in it`);
}

function textOrNull(fields: Fields, key: string): string | null {
  return fields[key] === null ? null : textOf(fields, key);
}

function instantOf(fields: Fields, key: string): Date {
  const instant = parseInstant(textOf(fields, key));
  if (instant === null) throw new Error(`"${key}" is no date`);
  return instant;
}

function damaged(path: string, reason: string): PacksignError {
  return new PacksignError('TRUST_DAMAGED', `${path} cannot be used: ${reason}`, {
    hint: 'packsign changed nothing in it; restore it from a backup, or move it away and add your databases again',
  });
}
