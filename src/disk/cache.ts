import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Observed } from '../model/entry.js';
import type { MetadataReading } from '../model/metadata.js';
import { readBounded, writeDurably } from './files.js';
import { identitiesBytes, identityAt, writeIdentity } from './identities.js';
import type { Identities } from './identities.js';
import { isSameIdentity } from './scan.js';
import type { ScannedFile } from './scan.js';

/** The cache of one directory, in memory from its first use on. */
export interface CacheStore {
  /**
   * What a file was when it was read, if it is still that very file, untouched since. A hint, never the
   * truth: `verify` asks nobody but the bytes.
   */
  readonly find: (file: ScannedFile) => Observed | null;
  /** Takes the place of all entries, in memory. */
  readonly keep: (entries: readonly CacheEntry[]) => void;
  /** Writes down what changed, where that is allowed. Throws FILE_UNWRITABLE. */
  readonly save: () => void;
  /** Names the entries as they are; null while they were not written. */
  readonly checksum: () => string | null;
}

export interface CacheEntry {
  readonly file: ScannedFile;
  readonly observed: Observed;
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

/** Entries by path; their times lie in one array. */
interface Entries {
  readonly rows: ReadonlyMap<string, Row>;
  readonly times: Identities;
  readonly checksum: string | null;
}

interface Row {
  readonly index: number;
  readonly observed: Observed;
  /** The same as it is written down. */
  readonly line: string;
}

const EMPTY: Entries = { rows: new Map(), times: new BigInt64Array(), checksum: null };

export function openCache(stateFolder: string, { rehash, remember }: CacheOptions): CacheStore {
  let loaded: Entries | null = rehash ? EMPTY : null;
  const entries = () => (loaded ??= loadEntries(stateFolder));
  return {
    find: (file) => {
      const { rows, times } = entries();
      const row = rows.get(file.path);
      return row !== undefined && isSameIdentity(identityAt(times, row.index), file.identity)
        ? row.observed
        : null;
    },
    keep: (next) => {
      const { rows } = entries();
      const isSame =
        next.length === rows.size &&
        next.every(({ observed }) => rows.get(observed.path)?.observed === observed);
      if (isSame) return;
      loaded = entriesOf(next, rows);
    },
    save: () => {
      if (remember && loaded !== EMPTY && loaded?.checksum === null)
        loaded = saveEntries(stateFolder, loaded);
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
function saveEntries(stateFolder: string, entries: Entries): Entries {
  const lines = Array.from(entries.rows.values(), ({ line }) => line);
  const numbers = Buffer.from(entries.times.buffer, 0, entries.times.byteLength);
  const body = Buffer.concat([numbers, Buffer.from(lines.join(''))]);
  const checksum = checksumOf(body);
  const header = `${MAGIC} ${checksum} ${lines.length}\n`;
  writeDurably(join(stateFolder, NAME), Buffer.concat([Buffer.from(header), body]));
  return { ...entries, checksum };
}

function entriesOf(next: readonly CacheEntry[], before: Entries['rows']): Entries {
  const times = new BigInt64Array(new ArrayBuffer(identitiesBytes(next.length)));
  const rows = new Map<string, Row>();
  for (const [index, { file, observed }] of next.entries()) {
    writeIdentity(times, index, file.identity);
    const known = before.get(file.path);
    const line = known?.observed === observed ? known.line : lineOf(observed);
    rows.set(file.path, { index, observed, line });
  }
  return { rows, times, checksum: null };
}

function decode(bytes: Buffer): Entries {
  const start = bytes.indexOf(0x0a) + 1;
  const header = bytes.subarray(0, start).toString('latin1');
  const body = bytes.subarray(start);
  const checksum = checksumOf(body);
  const count = Number(/^packsign-cache 2 [0-9a-f]{64} (\d{1,9})\n$/.exec(header)?.[1] ?? NaN);
  if (header !== `${MAGIC} ${checksum} ${count}\n`) return EMPTY;
  const numbersLength = identitiesBytes(count);
  const times = new BigInt64Array(Uint8Array.from(body.subarray(0, numbersLength)).buffer);
  const text = body.toString('utf8', numbersLength);
  const rows = new Map<string, Row>();
  for (let at = 0; at < text.length;) {
    const end = text.indexOf('\n', at);
    const index = rows.size;
    const line = text.slice(at, end + 1);
    const observed = decodeLine(line, Number(identityAt(times, index).size));
    rows.set(observed.path, { index, observed, line });
    at = end + 1;
  }
  return { rows, times, checksum };
}

function lineOf({ path, sha256, md5, reading }: Observed): string {
  return `${path}\t${sha256}\t${md5 ?? ''}\t${JSON.stringify(reading)}\n`;
}

function decodeLine(line: string, size: number): Observed {
  const tab = line.indexOf('\t');
  const middle = line.indexOf('\t', tab + 66);
  const md5 = line.slice(tab + 66, middle);
  let reading: MetadataReading | null = null;
  return {
    path: line.slice(0, tab),
    size,
    sha256: line.slice(tab + 1, tab + 65),
    md5: md5 === '' ? null : md5,
    // Most entries are only asked for their hash.
    get reading() {
      return (reading ??= JSON.parse(line.slice(middle + 1)) as MetadataReading);
    },
  };
}

function checksumOf(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}
