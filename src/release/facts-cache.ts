import { join } from 'node:path';
import type { FileFacts } from '../model/entry.js';
import { READERS } from '../model/inspection.js';
import type { Look } from '../model/inspection.js';
import { readBounded, writeHint } from '../disk/files.js';
import { orElse, orNull } from '../model/or-null.js';
import { identitiesBytes, identitiesIn, isIdentityAt, sizeAt, writeIdentity } from '../disk/identities.js';
import type { FileIdentities } from '../disk/identities.js';
import type { ScannedFile } from '../places/scan.js';
import { cutLine, seal, unseal } from '../disk/sealed.js';

/** The cache of one directory, in memory from its first use on. */
export interface FactsCache {
  /**
   * What a file was when it was read, if it is still that very file, untouched since. A hint, never the
   * truth: `verify` asks nobody but the bytes.
   */
  readonly find: (file: ScannedFile) => FileFacts | null;
  /** Whether `find` would find it. */
  readonly knows: (file: ScannedFile) => boolean;
  /** How many entries it has. */
  readonly size: () => number;
  /**
   * Takes the place of all entries: files in byte order of their paths, and what each was when it was read; null for one
   * that is not to be remembered.
   */
  readonly keep: (files: readonly ScannedFile[], observed: readonly (FileFacts | null)[]) => void;
  /** Writes down what changed, where that is allowed. Throws FILE_UNWRITABLE. */
  readonly save: () => void;
  /** Names the entries as they are; null while they were not written. */
  readonly checksum: () => string | null;
}

export interface CacheOptions {
  /** Begins with nothing, so that every file is read. */
  readonly rehash: boolean;
  /** Whether it may be written. */
  readonly remember: boolean;
}

const NAME = 'facts';
const KIND = `packsign-facts ${READERS}`;
const LIMIT_BYTES = 1024 * 1024 * 1024;
const SHA256_LENGTH = 64;
/** Two writes closer than a file system's clock can tell apart leave the same times behind. */
const RACY_NS = 2_000_000_000n;

/** Entries in byte order of their paths, in columns: most of many are never looked into. */
interface Entries {
  readonly count: number;
  readonly paths: () => readonly string[];
  /** What was read of each, as it was written down. */
  readonly lines: () => readonly string[];
  readonly times: FileIdentities;
  /** The same, as far as anybody asked. */
  readonly observed: (FileFacts | undefined)[];
  /** The files for which they were found to hold. */
  readonly files: (ScannedFile | undefined)[];
  readonly checksum: string | null;
}

const EMPTY: Entries = {
  count: 0,
  paths: () => [],
  lines: () => [],
  times: identitiesIn(new ArrayBuffer(0)),
  observed: [],
  files: [],
  checksum: null,
};

export function openCache(stateFolder: string, { rehash, remember }: CacheOptions): FactsCache {
  let loaded: Entries | null = rehash ? EMPTY : null;
  const entries = () => (loaded ??= loadEntries(stateFolder));
  const known = makeIndex(entries);
  return {
    find: (file) => {
      const index = known(file);
      return index === null ? null : observedAt(entries(), index);
    },
    knows: (file) => known(file) !== null,
    size: () => entries().count,
    keep: (files, observed) => {
      loaded = takePlace(rowsOf(files, observed), entries());
    },
    save: () => {
      if (!remember || loaded === null || loaded === EMPTY || loaded.checksum !== null) return;
      const entries = loaded;
      // Without it, the next run only reads the files again.
      loaded = orNull(() => saveEntries(stateFolder, entries)) ?? entries;
    },
    checksum: () => entries().checksum,
  };
}

/** Finds the place of a file's entry, if it holds for this very file; asked in order of paths, at once. */
function makeIndex(entries: () => Entries): (file: ScannedFile) => number | null {
  let next = 0;
  return (file) => {
    const { paths, times, files } = entries();
    const index = placeOf(paths(), file.path, next);
    if (index === null) return null;
    next = index + 1;
    if (files[index] === file) return index;
    if (!isIdentityAt(times, index, file.identity)) return null;
    files[index] = file;
    return index;
  };
}

/** Looks at a likely place first. */
function placeOf(paths: readonly string[], wanted: string, likely: number): number | null {
  if (paths[likely] === wanted) return likely;
  let from = 0;
  let to = paths.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((paths[middle] ?? '') < wanted) from = middle + 1;
    else to = middle;
  }
  return paths[from] === wanted ? from : null;
}

function observedAt({ paths, lines, times, observed }: Entries, index: number): FileFacts {
  return (observed[index] ??= new Remembered(lines()[index] ?? '', {
    path: paths()[index] ?? '',
    size: sizeAt(times, index),
  }));
}

/**
 * Whether a file may be remembered: not when it was touched so shortly before it was looked at that a later
 * write could leave the same times behind. `startedMs` is the clock's time before the look.
 */
export function isRacy({ identity }: Pick<ScannedFile, 'identity'>, startedMs: number): boolean {
  return identity.changed > BigInt(Math.floor(startedMs)) * 1_000_000n - RACY_NS;
}

/** An empty cache where there is none, or it is damaged or of another version. */
function loadEntries(stateFolder: string): Entries {
  // A hint that cannot be read is no hint; the files are hashed.
  return orElse(() => {
    const bytes = readBounded(join(stateFolder, NAME), LIMIT_BYTES);
    return bytes === null ? EMPTY : decode(bytes);
  }, EMPTY);
}

// Sealed: a line with the count and the length of all paths; the numbers; the paths; the other lines.
function saveEntries(stateFolder: string, entries: Entries): Entries {
  const { count, times } = entries;
  const numbers = Buffer.from(times.numbers.buffer);
  const paths = encodeLines(entries.paths());
  const lines = encodeLines(entries.lines());
  const measures = Buffer.from(`${count} ${paths.length}\n`);
  const { bytes, checksum } = seal(KIND, measures, numbers, paths, lines);
  try {
    writeHint(join(stateFolder, NAME), bytes);
    return { ...entries, checksum };
  } catch {
    // The next run hashes the files once more.
    return entries;
  }
}

function encodeLines(lines: readonly string[]): Buffer {
  return Buffer.from(`${lines.join('\n')}\n`);
}

/** Not decoded before somebody asks. */
function decodeLines(bytes: Buffer, count: number): () => readonly string[] {
  let lines: readonly string[] | null = null;
  return () => (lines ??= bytes.toString().split('\n', count));
}

interface Row {
  readonly file: ScannedFile;
  readonly observed: FileFacts;
}

function rowsOf(files: readonly ScannedFile[], observed: readonly (FileFacts | null)[]): readonly Row[] {
  const rows: Row[] = [];
  files.forEach((file, index) => {
    const one = observed[index] ?? null;
    if (one !== null) rows.push({ file, observed: one });
  });
  return rows;
}

function takePlace(rows: readonly Row[], before: Entries): Entries {
  const isSame =
    rows.length === before.count && rows.every((row, index) => before.observed[index] === row.observed);
  return isSame ? before : entriesOf(rows);
}

function entriesOf(rows: readonly Row[]): Entries {
  const times = identitiesIn(new ArrayBuffer(identitiesBytes(rows.length)));
  rows.forEach(({ file }, index) => {
    writeIdentity(times, index, file.identity);
  });
  const observed = rows.map((row) => row.observed);
  const files = rows.map(({ file }) => file);
  const paths = files.map(({ path }) => path);
  return {
    ...{ count: rows.length, times, observed, files, checksum: null },
    paths: () => paths,
    // Not kept: they take as much memory as everything else that is known of the files.
    lines: () => observed.map(lineOf),
  };
}

function decode(bytes: Buffer): Entries {
  const sealed = unseal(KIND, bytes);
  if (sealed === null) return EMPTY;
  const { body, checksum } = sealed;
  const [measures, columns] = cutLine(body);
  const [count = 0, pathsLength = 0] = measures.split(' ').map(Number);
  const numbersLength = identitiesBytes(count);
  const linesStart = numbersLength + pathsLength;
  return {
    ...{ count, observed: [], files: [], checksum },
    times: identitiesIn(Uint8Array.from(columns.subarray(0, numbersLength)).buffer),
    paths: decodeLines(columns.subarray(numbersLength, linesStart), count),
    lines: decodeLines(columns.subarray(linesStart), count),
  };
}

function lineOf(observed: FileFacts): string {
  if (observed instanceof Remembered) return observed.line;
  const { sha256, md5, reading, inspection } = observed;
  return `${sha256}\t${md5 ?? ''}\t${JSON.stringify({ reading, inspection } satisfies Look)}`;
}

/** What a line says. Most are only asked for their hash. */
class Remembered implements FileFacts {
  readonly path: string;
  readonly size: number;
  /** As it was written down. */
  readonly line: string;
  #look: Look | null = null;

  constructor(line: string, { path, size }: Pick<FileFacts, 'path' | 'size'>) {
    this.path = path;
    this.size = size;
    this.line = line;
  }

  get sha256(): string {
    return this.line.slice(0, SHA256_LENGTH);
  }

  get md5(): string | null {
    const md5 = this.line.slice(SHA256_LENGTH + 1, this.line.indexOf('\t', SHA256_LENGTH + 1));
    return md5 === '' ? null : md5;
  }

  get reading(): Look['reading'] {
    return this.#seen().reading;
  }

  get inspection(): Look['inspection'] {
    return this.#seen().inspection;
  }

  #seen(): Look {
    const start = this.line.indexOf('\t', SHA256_LENGTH + 1) + 1;
    return (this.#look ??= JSON.parse(this.line.slice(start)) as Look);
  }
}
