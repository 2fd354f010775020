import type { Database } from '../model/database.js';
import type { FileEntry, FileEntries } from '../model/file-entry.js';
import { comparePackages } from '../model/package.js';
import type { Package } from '../model/package.js';
import { FILE_FIELDS, PACKAGE_FIELDS, STRICT, TOP_FIELDS } from './database.js';
import {
  arrayLines,
  dictLines,
  encodeDocument,
  encodeKey,
  encodeValue,
  entryWriter,
} from './encode-plist.js';
import type { Lines } from './encode-plist.js';
import type { PlistDict } from './plist.js';
import { record } from './shape.js';
import type { Field, Fields } from './shape.js';
import { stayedLines } from './stayed.js';
import type { Copied, EntryTexts } from './stayed.js';

/**
 * All but the two long lists, whose entries `topLines` writes one by one. What only writes is marked as pure, so that a
 * bundle that only reads leaves it out.
 */
const { Packages: _packages, Files: _files, ...HEAD_FIELDS } = TOP_FIELDS;
const headShape = /* @__PURE__ */ record<Omit<Database, 'Packages' | 'Files'>>(HEAD_FIELDS, STRICT);

/** A database and its canonical bytes. */
export interface Upon {
  readonly database: Database;
  readonly bytes: Uint8Array;
}

/**
 * The canonical bytes of a database (docs/FORMAT.md §2). `decodeDatabase` gives the same value back. Copies entries
 * that are the same objects in another database from its bytes, which changes only the time.
 */
export function encodeDatabase(database: Database, upon: Upon | null = null): Buffer {
  return encodeDocument(dictLines(topLines(database, upon), 1), likelyBytes(database, upon));
}

/** Generous estimates for an entry, and for all that is not an entry. */
const ENTRY_BYTES = 640;
const HEAD_BYTES = 64 * 1024;

function likelyBytes(database: Database, upon: Upon | null): number {
  const before = upon === null ? 0 : countEntries(upon.database);
  const added = Math.max(0, countEntries(database) - before);
  return (upon?.bytes.length ?? 0) + ENTRY_BYTES * added + HEAD_BYTES;
}

function countEntries({ Packages, Files }: Database): number {
  return Packages.length + Files.size;
}

/** How many entries are handed on at once. */
const WRITTEN_ENTRIES = 256;

/** The lines of every top-level key and its value, in order. */
function* topLines(database: Database, upon: Upon | null): Generator<Lines> {
  const { Packages, Files, ...rest } = database;
  const head = headShape.write(rest) as PlistDict;
  const base = upon === null ? null : { ...upon.database, copied: { bytes: bufferOf(upon.bytes), at: 0 } };
  for (const key of Object.keys(TOP_FIELDS)) {
    const value = head.get(key);
    const isHere = value !== undefined || key === 'Packages' || key === 'Files';
    if (isHere) yield encodeKey(key, 2);
    if (value !== undefined) yield encodeValue(value, 2);
    else if (key === 'Packages') yield* arrayLines(packageLines(Packages, base), 2);
    else if (key === 'Files') yield* dictLines(fileLines(Files, base), 2);
  }
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** The database to write upon. */
interface Base extends Pick<Database, 'Packages' | 'Files'> {
  readonly copied: Copied;
}

function packageLines(packages: readonly Package[], base: Base | null): Iterable<Lines> {
  const list = packageTexts(packages);
  if (base === null) return freshLines(list);
  const { Packages: before, copied } = base;
  return stayedLines(
    {
      ...list,
      before: { ...packageTexts(before), opening: `${encodeKey('Packages', 2)}\n    <array>\n` },
      isSame: (index, other) => packages[index] === before[other],
      isGone: (other, index) => comparePackages(at(before, other), at(packages, index)) < 0,
      canBeAlike: (one, other) => comparePackages(at(before, one), at(before, other)) === 0,
    },
    copied,
  );
}

function packageTexts(packages: readonly Package[]): EntryTexts {
  return { length: packages.length, textOf: (index) => writePackage(at(packages, index)) };
}

function fileLines(files: FileEntries, base: Base | null): Iterable<Lines> {
  const next = fileTexts(files);
  if (base === null) return freshLines(next);
  const before = fileTexts(base.Files);
  return stayedLines(
    {
      ...next,
      before: { ...before, opening: `${encodeKey('Files', 2)}\n    <dict>\n` },
      isSame: (index, other) =>
        next.entries[index] === before.entries[other] && next.paths[index] === before.paths[other],
      isGone: (other, index) => at(before.paths, other) < at(next.paths, index),
      canBeAlike: () => false,
    },
    base.copied,
  );
}

function fileTexts(
  files: FileEntries,
): EntryTexts & { readonly paths: readonly string[]; readonly entries: readonly FileEntry[] } {
  const paths = [...files.keys()];
  const entries = [...files.values()];
  const textOf = (index: number) =>
    `${encodeKey(at(paths, index), 3)}\n${writeFileEntry(at(entries, index))}`;
  return { length: files.size, paths, entries, textOf };
}

function* freshLines({ length, textOf }: EntryTexts): Generator<string> {
  for (let from = 0; from < length; from += WRITTEN_ENTRIES) {
    const texts: string[] = [];
    const end = Math.min(from + WRITTEN_ENTRIES, length);
    for (let index = from; index < end; index += 1) texts.push(textOf(index));
    yield texts.join('\n');
  }
}

/** An item that exists. */
function at<T>(items: readonly T[], index: number): T {
  return items[index] as T;
}

/** Entries are on the third level. */
function writerOf<T>(fields: Fields<T>, valuesOf: (entry: T) => readonly unknown[]): (entry: T) => string {
  const names = Object.keys(fields) as (keyof T & string)[];
  return entryWriter<T>(
    names.map((name) => ({ name, valueOf: (fields[name] as Field<unknown>).shape.write })),
    3,
    valuesOf,
  );
}

/** In the order of `PACKAGE_FIELDS`. */
const writePackage = /* @__PURE__ */ writerOf<Package>(PACKAGE_FIELDS, (entry) => [
  entry.Name,
  entry.Version,
  entry.Flavor,
  entry.Description,
  entry['Home-page'],
  entry['Download-URL'],
  entry.MD5Sum,
  entry['Install-test'],
  entry.Prerequisites,
  entry['Install-command'],
  entry['Pre-install-command'],
  entry['Post-install-command'],
  entry['User-install-skips'],
  entry['Systemwide-only'],
]);

/** In the order of `FILE_FIELDS`. */
const writeFileEntry = /* @__PURE__ */ writerOf<FileEntry>(FILE_FIELDS, (entry) => [
  entry.Name,
  entry.Version,
  entry.Flavor,
  entry.Platform,
  entry.Size,
  entry.SHA256,
  entry.Since,
  entry.Mutable,
  entry.Yanked,
]);
