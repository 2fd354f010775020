import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Observed } from '../model/entry.js';
import type { MetadataReading } from '../model/metadata.js';
import { readBounded, writeHint } from './files.js';
import { identitiesBytes, identitiesIn, identityAt, isSameIdentity, writeIdentity } from './identities.js';
import type { Identities } from './identities.js';
import type { ScannedFile } from './scan.js';

/** The cache of one directory, in memory from its first use on. */
export interface CacheStore {
  /**
   * What a file was when it was read, if it is still that very file, untouched since. A hint, never the
   * truth: `verify` asks nobody but the bytes.
   */
  readonly find: (file: ScannedFile) => Observed | null;
  /** Whether `find` would find it. */
  readonly knows: (file: ScannedFile) => boolean;
  /** How many entries it has. */
  readonly size: () => number;
  /**
   * Takes the place of all entries, in memory, when they are next asked for: files in byte order of their paths, and what each was when it was read;
   * null for one that is not to be remembered.
   */
  readonly keep: (files: readonly ScannedFile[], observed: readonly (Observed | null)[]) => void;
  /** Writes down what changed, where that is allowed. Throws FILE_UNWRITABLE. */
  readonly save: () => void;
  /** Names the entries as they are; null while they were not written. */
  readonly checksum: () => string | null;
}

export interface CacheOptions {
  /** Begins with nothing, so that every archive is read. */
  readonly rehash: boolean;
  /** Whether it may be written. */
  readonly remember: boolean;
}

const NAME = 'cache';
const MAGIC = 'packsign-cache 2';
/** Of a path, digests, and a short description. */
const LIKELY_ENTRY_BYTES = 300;
const LIMIT_BYTES = 1024 * 1024 * 1024;
/** Two writes closer than a file system's clock can tell apart leave the same times behind. */
const RACY_NS = 2_000_000_000n;

/** Entries in byte order of their paths, in columns: most of many are never looked into. */
interface Entries {
  /** As they are written down: each begins with the path and a tab. */
  readonly lines: readonly string[];
  readonly times: Identities;
  /** What the lines say, as far as anybody asked. */
  readonly observed: (Observed | undefined)[];
  /** The files for which they were found to hold. */
  readonly files: (ScannedFile | undefined)[];
  readonly checksum: string | null;
}

const EMPTY: Entries = {
  lines: [],
  times: identitiesIn(new ArrayBuffer(0)),
  observed: [],
  files: [],
  checksum: null,
};

export function openCache(stateFolder: string, { rehash, remember }: CacheOptions): CacheStore {
  let loaded: Entries | null = rehash ? EMPTY : null;
  /** What is to take their place, once somebody asks. */
  let kept: readonly Row[] | null = null;
  const entries = () => {
    loaded ??= loadEntries(stateFolder);
    if (kept !== null) loaded = takePlace(kept, loaded);
    kept = null;
    return loaded;
  };
  const known = makeIndex(entries);
  return {
    find: (file) => {
      const index = known(file);
      return index === null ? null : observedAt(entries(), index);
    },
    knows: (file) => known(file) !== null,
    size: () => entries().lines.length,
    keep: (files, observed) => {
      // What was kept before is what lines are taken over from.
      entries();
      kept = rowsOf(files, observed);
    },
    save: () => {
      if (!remember || loaded === null) return;
      const next = entries();
      if (next !== EMPTY && next.checksum === null) loaded = saveEntries(stateFolder, next);
    },
    checksum: () => entries().checksum,
  };
}

/** Finds the place of a file's entry, if it holds for this very file; asked in order of paths, at once. */
function makeIndex(entries: () => Entries): (file: ScannedFile) => number | null {
  let next = 0;
  return (file) => {
    const { lines, times, files } = entries();
    const index = isLineOf(lines[next], file.path) ? next : placeOf(lines, file.path);
    if (index === null) return null;
    next = index + 1;
    if (files[index] === file) return index;
    if (!isSameIdentity(identityAt(times, index), file.identity)) return null;
    files[index] = file;
    return index;
  };
}

function isLineOf(line: string | undefined, path: string): boolean {
  return line?.[path.length] === '\t' && line.startsWith(path);
}

// No path has a character that comes before the tab: so the lines are in order if the paths are.
function placeOf(lines: readonly string[], path: string): number | null {
  const wanted = `${path}\t`;
  let from = 0;
  let to = lines.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((lines[middle] ?? '') < wanted) from = middle + 1;
    else to = middle;
  }
  return isLineOf(lines[from], path) ? from : null;
}

function observedAt({ lines, times, observed }: Entries, index: number): Observed {
  return (observed[index] ??= decodeLine(lines[index] ?? '', Number(identityAt(times, index).size)));
}

/**
 * Whether a file may be remembered: not when it was touched so shortly before it was looked at that a later
 * write could leave the same times behind. `startedMs` is the clock's time before the look.
 */
export function isSettledBefore({ identity }: ScannedFile, startedMs: number): boolean {
  return identity.changed <= BigInt(Math.floor(startedMs)) * 1_000_000n - RACY_NS;
}

/** About how many entries the cache of a directory has, without reading it. */
export function likelyEntries(stateFolder: string): number {
  try {
    return Math.floor(statSync(join(stateFolder, NAME)).size / LIKELY_ENTRY_BYTES);
  } catch {
    return 0;
  }
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
  const { lines, times } = entries;
  const numbers = Buffer.from(times.numbers.buffer);
  const text = Buffer.from(`${lines.join('\n')}\n`);
  const checksum = checksumOf(numbers, text);
  const header = Buffer.from(`${MAGIC} ${checksum} ${lines.length}\n`);
  writeHint(join(stateFolder, NAME), Buffer.concat([header, numbers, text]));
  return { ...entries, checksum };
}

interface Row {
  readonly file: ScannedFile;
  readonly observed: Observed;
}

function rowsOf(files: readonly ScannedFile[], observed: readonly (Observed | null)[]): readonly Row[] {
  const rows: Row[] = [];
  for (const [index, file] of files.entries()) {
    const one = observed[index] ?? null;
    if (one !== null) rows.push({ file, observed: one });
  }
  return rows;
}

function takePlace(rows: readonly Row[], before: Entries): Entries {
  const isSame =
    rows.length === before.lines.length &&
    rows.every((row, index) => before.observed[index] === row.observed);
  return isSame ? before : entriesOf(rows, before);
}

function entriesOf(rows: readonly Row[], before: Entries): Entries {
  const times = identitiesIn(new ArrayBuffer(identitiesBytes(rows.length)));
  const placeBefore = makeIndex(() => before);
  const lines = rows.map(({ file, observed }, index) => {
    writeIdentity(times, index, file.identity);
    const place = placeBefore(file);
    const isKnown = place !== null && before.observed[place] === observed;
    return (isKnown ? before.lines[place] : undefined) ?? lineOf(observed);
  });
  return {
    lines,
    times,
    observed: rows.map(({ observed }) => observed),
    files: rows.map(({ file }) => file),
    checksum: null,
  };
}

function decode(bytes: Buffer): Entries {
  const start = bytes.indexOf(0x0a) + 1;
  const header = bytes.subarray(0, start).toString('latin1');
  const body = bytes.subarray(start);
  const checksum = checksumOf(body);
  const count = Number(/^packsign-cache 2 [0-9a-f]{64} (\d{1,9})\n$/.exec(header)?.[1] ?? NaN);
  if (header !== `${MAGIC} ${checksum} ${count}\n`) return EMPTY;
  const numbersLength = identitiesBytes(count);
  const times = identitiesIn(Uint8Array.from(body.subarray(0, numbersLength)).buffer);
  const lines = body.toString('utf8', numbersLength).split('\n', count);
  return { lines, times, observed: [], files: [], checksum };
}

function lineOf({ path, sha256, md5, reading }: Observed): string {
  return `${path}\t${sha256}\t${md5 ?? ''}\t${JSON.stringify(reading)}`;
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

function checksumOf(...parts: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
