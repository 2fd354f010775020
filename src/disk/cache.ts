import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { MetadataReading } from '../model/metadata.js';
import type { Digested } from './digest.js';
import { readBounded, writeDurably } from './files.js';
import { isSameIdentity } from './scan.js';
import type { Identity, ScannedFile } from './scan.js';

/**
 * What is known of archives from having read them. A hint, never the truth: an entry counts only for the
 * very file that was read, untouched since (docs/decisions/0003).
 */
export type DigestCache = ReadonlyMap<string, CachedDigest>;

export interface CachedDigest {
  readonly identity: Identity;
  readonly sha256: string;
  readonly md5: string | null;
  readonly reading: MetadataReading;
}

const NAME = 'cache';
const MAGIC = 'packsign-cache 1';
const LIMIT_BYTES = 1024 * 1024 * 1024;
/** Two writes closer than a file system's clock can tell apart leave the same times behind. */
const RACY_NS = 2_000_000_000n;

/** What a file was when it was read, if it is still that file and `md5` is known where it is wanted. */
export function lookUp(
  cache: DigestCache,
  file: ScannedFile,
  { md5 }: { md5: boolean },
): CachedDigest | null {
  const entry = cache.get(file.path);
  if (entry === undefined || !isSameIdentity(entry.identity, file.identity)) return null;
  return md5 && entry.md5 === null ? null : entry;
}

/**
 * The entry of a file just read; null when it was touched so shortly before that a later write could go
 * unseen. `startedMs` is the clock's time before the file was looked at.
 */
export function entryOf(
  { identity }: ScannedFile,
  digested: Digested & { kind: 'digested' },
  { startedMs }: { startedMs: number },
): CachedDigest | null {
  if (digested.reading === null) return null;
  if (identity.changed > BigInt(Math.floor(startedMs)) * 1_000_000n - RACY_NS) return null;
  return { identity, sha256: digested.sha256, md5: digested.md5, reading: digested.reading };
}

/** The cache of one directory, in memory from its first use on. */
export interface CacheStore {
  readonly entries: () => DigestCache;
  /** Takes the place of all entries; what changed is written down. */
  readonly keep: (entries: DigestCache) => void;
}

export interface CacheOptions {
  /** Begins with nothing, so that every archive is read. */
  readonly rehash: boolean;
  /** Whether it may be written. */
  readonly remember: boolean;
}

export function openCache(stateFolder: string, { rehash, remember }: CacheOptions): CacheStore {
  let entries: DigestCache | null = rehash ? new Map() : null;
  const current = () => (entries ??= loadCache(stateFolder));
  return {
    entries: current,
    keep: (next) => {
      const before = current();
      const isSame =
        next.size === before.size && Array.from(next).every(([path, entry]) => before.get(path) === entry);
      entries = next;
      if (remember && !isSame) saveCache(stateFolder, next);
    },
  };
}

type Row = readonly [
  path: string,
  identity: string,
  sha256: string,
  md5: string | null,
  reading: MetadataReading,
];

/** The cache in a folder of working state; an empty one when there is none, or it is damaged. */
function loadCache(stateFolder: string): DigestCache {
  try {
    const bytes = readBounded(join(stateFolder, NAME), LIMIT_BYTES);
    return bytes === null ? new Map() : decode(bytes);
  } catch {
    // A hint that cannot be read is no hint; the archives are hashed.
    return new Map();
  }
}

function saveCache(stateFolder: string, cache: DigestCache): void {
  const rows = Array.from(cache, ([path, entry]): Row => [
    path,
    Object.values(entry.identity).join(' '),
    entry.sha256,
    entry.md5,
    entry.reading,
  ]);
  const body = Buffer.from(JSON.stringify(rows));
  writeDurably(join(stateFolder, NAME), Buffer.concat([headerOf(body), body]));
}

function decode(bytes: Buffer): DigestCache {
  const start = bytes.indexOf(0x0a) + 1;
  const body = bytes.subarray(start);
  if (!headerOf(body).equals(bytes.subarray(0, start))) return new Map();
  const rows = JSON.parse(body.toString()) as readonly Row[];
  return new Map(
    rows.map(([path, identity, sha256, md5, reading]) => [
      path,
      { identity: parseIdentity(identity), sha256, md5, reading },
    ]),
  );
}

function headerOf(body: Buffer): Buffer {
  return Buffer.from(`${MAGIC} ${createHash('sha256').update(body).digest('hex')}\n`);
}

function parseIdentity(text: string): Identity {
  const [device = 0n, inode = 0n, size = 0n, modified = 0n, changed = 0n] = text.split(' ').map(BigInt);
  return { device, inode, size, modified, changed };
}
