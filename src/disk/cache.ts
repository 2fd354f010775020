import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { MetadataReading } from '../model/metadata.js';
import type { Digested } from './digest.js';
import { readBounded, writeDurably } from './files.js';
import type { Identity, ScannedFile } from './scan.js';

/** What is known of an archive from having read it, as it lies there. */
export interface CachedDigest {
  readonly sha256: string;
  readonly md5: string | null;
  readonly reading: MetadataReading;
}

/** The cache of one directory, in memory from its first use on. */
export interface CacheStore {
  /**
   * What a file was when it was read, if it is still that very file, untouched since. A hint, never the
   * truth: `verify` asks nobody but the bytes.
   */
  readonly find: (file: ScannedFile) => CachedDigest | null;
  /** Takes the place of all entries; what changed is written down. */
  readonly keep: (entries: readonly CacheEntry[]) => void;
  /** Names the entries as they are; null while they were not written. */
  readonly checksum: () => string | null;
}

export interface CacheEntry {
  readonly file: ScannedFile;
  readonly digest: CachedDigest;
}

export interface CacheOptions {
  /** Begins with nothing, so that every archive is read. */
  readonly rehash: boolean;
  /** Whether it may be written. */
  readonly remember: boolean;
}

const NAME = 'cache';
const MAGIC = 'packsign-cache 2';
const LIMIT_BYTES = 1024 * 1024 * 1024;
/** Two writes closer than a file system's clock can tell apart leave the same times behind. */
const RACY_NS = 2_000_000_000n;
const FIELDS = 5;

/** Entries by path; their times lie in one array, five numbers an entry. */
interface Entries {
  readonly rows: ReadonlyMap<string, Row>;
  readonly times: BigInt64Array;
  readonly checksum: string | null;
}

interface Row {
  readonly index: number;
  readonly digest: CachedDigest;
}

const EMPTY: Entries = { rows: new Map(), times: new BigInt64Array(), checksum: null };

export function openCache(stateFolder: string, { rehash, remember }: CacheOptions): CacheStore {
  let loaded: Entries | null = rehash ? EMPTY : null;
  const entries = () => (loaded ??= loadEntries(stateFolder));
  return {
    find: (file) => {
      const { rows, times } = entries();
      const row = rows.get(file.path);
      return row !== undefined && isAt(times, row.index, file.identity) ? row.digest : null;
    },
    keep: (next) => {
      const { rows } = entries();
      const isSame =
        next.length === rows.size && next.every(({ file, digest }) => rows.get(file.path)?.digest === digest);
      if (isSame) return;
      loaded = remember ? saveEntries(stateFolder, next) : entriesOf(next, null);
    },
    checksum: () => entries().checksum,
  };
}

/**
 * Whether a file may be remembered: not when it was touched so shortly before it was looked at that a later
 * write could leave the same times behind. `startedMs` is the clock's time before the look.
 */
export function isSettledBefore({ identity }: ScannedFile, startedMs: number): boolean {
  return identity.changed <= BigInt(Math.floor(startedMs)) * 1_000_000n - RACY_NS;
}

/** The digest of a file just read, in the form that is remembered; null where no metadata was asked for. */
export function digestOf({ sha256, md5, reading }: Digested & { kind: 'digested' }): CachedDigest | null {
  return reading === null ? null : { sha256, md5, reading };
}

function isAt(times: BigInt64Array, index: number, identity: Identity): boolean {
  const at = index * FIELDS;
  return (
    times[at] === identity.device &&
    times[at + 1] === identity.inode &&
    times[at + 2] === identity.size &&
    times[at + 3] === identity.modified &&
    times[at + 4] === identity.changed
  );
}

/** An empty cache where there is none, or it is damaged or of another version. */
function loadEntries(stateFolder: string): Entries {
  try {
    const bytes = readBounded(join(stateFolder, NAME), LIMIT_BYTES);
    return bytes === null ? EMPTY : decode(bytes);
  } catch {
    // A hint that cannot be read is no hint; the archives are hashed.
    return EMPTY;
  }
}

// A header line with version, checksum and count; the numbers; a line of text for each entry.
function saveEntries(stateFolder: string, next: readonly CacheEntry[]): Entries {
  const entries = entriesOf(next, null);
  const lines = next.map(({ file, digest }) => {
    const { sha256, md5, reading } = digest;
    return `${file.path}\t${sha256}\t${md5 ?? ''}\t${JSON.stringify(reading)}\n`;
  });
  const numbers = Buffer.from(entries.times.buffer, 0, entries.times.byteLength);
  const body = Buffer.concat([numbers, Buffer.from(lines.join(''))]);
  const checksum = checksumOf(body);
  const header = `${MAGIC} ${checksum} ${next.length}\n`;
  writeDurably(join(stateFolder, NAME), Buffer.concat([Buffer.from(header), body]));
  return { ...entries, checksum };
}

function entriesOf(next: readonly CacheEntry[], checksum: string | null): Entries {
  const times = new BigInt64Array(next.length * FIELDS);
  const rows = new Map<string, Row>();
  for (const [index, { file, digest }] of next.entries()) {
    const { device, inode, size, modified, changed } = file.identity;
    times.set([device, inode, size, modified, changed], index * FIELDS);
    rows.set(file.path, { index, digest });
  }
  return { rows, times, checksum };
}

function decode(bytes: Buffer): Entries {
  const start = bytes.indexOf(0x0a) + 1;
  const header = bytes.subarray(0, start).toString('latin1');
  const body = bytes.subarray(start);
  const checksum = checksumOf(body);
  const count = Number(/^packsign-cache 2 [0-9a-f]{64} (\d{1,9})\n$/.exec(header)?.[1] ?? NaN);
  if (header !== `${MAGIC} ${checksum} ${count}\n`) return EMPTY;
  const numbersLength = count * FIELDS * 8;
  const times = new BigInt64Array(Uint8Array.from(body.subarray(0, numbersLength)).buffer);
  const text = body.toString('utf8', numbersLength);
  const rows = new Map<string, Row>();
  for (let at = 0; at < text.length;) {
    const end = text.indexOf('\n', at);
    const [path, digest] = decodeRow(text, at, end);
    rows.set(path, { index: rows.size, digest });
    at = end + 1;
  }
  return { rows, times, checksum };
}

function decodeRow(text: string, start: number, end: number): readonly [string, CachedDigest] {
  const path = text.slice(start, text.indexOf('\t', start));
  const at = start + path.length + 1;
  const middle = text.indexOf('\t', at + 65);
  const md5 = text.slice(at + 65, middle);
  let reading: MetadataReading | null = null;
  return [
    path,
    {
      sha256: text.slice(at, at + 64),
      md5: md5 === '' ? null : md5,
      // Most entries are only asked for their hash.
      get reading() {
        return (reading ??= JSON.parse(text.slice(middle + 1, end)) as MetadataReading);
      },
    },
  ];
}

function checksumOf(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}
