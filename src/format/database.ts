import { PacksignError } from '../errors.js';
import { FILE_LIMIT, foldPath, isSafePath, isSha256 } from '../model/file-entry.js';
import type { FileEntry, FileEntries } from '../model/file-entry.js';
import { DATABASE_LIMIT_BYTES, FORMAT } from '../model/database.js';
import type { Database, Packsign, Signers, Trust, Withdrawal } from '../model/database.js';
import { comparePackages } from '../model/package.js';
import type { Package, Prerequisite } from '../model/package.js';
import { isPlainWord } from '../model/text.js';
import { plainReader, takingPlain } from './plain.js';
import {
  PLAIN_TEXT,
  arrayLines,
  decodePlist,
  dictLines,
  encodeDocument,
  encodeKey,
  encodeValue,
  entryWriter,
} from './plist.js';
import type { Lines, PlainLists, PlistDict } from './plist.js';
import {
  Misfit,
  PLAIN_WORD,
  checked,
  date,
  flag,
  integer,
  listOf,
  mapOf,
  matching,
  optional,
  record,
  refuseUnknown,
  required,
  text,
} from './shape.js';
import type { Field, Fields, Shape } from './shape.js';
import { stayedLines } from './stayed.js';
import type { Copied, StayedList } from './stayed.js';

const STRICT = { ordered: true, unknown: refuseUnknown } as const;

const plainWord = text(
  (value) => (isPlainWord(value) ? null : 'printable ASCII without spaces is wanted'),
  PLAIN_WORD,
);
const sha256 = text(
  (value) => (isSha256(value) ? null : '64 lower-case hex digits are wanted'),
  '[0-9a-f]{64}',
);
const filled = text((value) => (value === '' ? 'text is wanted' : null), PLAIN_TEXT);
const webAddress = matching(/^https?:\/\/[!-~]+$/, 'an http or https address', `https?:\\/\\/${PLAIN_WORD}`);
export const notifyAddress = matching(/^(?:mailto:|https:\/\/)[!-~]+$/, 'a mailto: or https: address');
export const fingerprint = matching(/^[0-9A-F]{40}$/, 'a fingerprint of 40 upper-case hex digits');

const prerequisiteRecord = record<Exclude<Prerequisite, string>>(
  { Name: required(plainWord), Version: optional(text()), Flavor: optional(text()) },
  STRICT,
);

export const prerequisite: Shape<Prerequisite> = {
  read: (value) => (typeof value === 'string' ? value : prerequisiteRecord.read(value)),
  write: (value) => (typeof value === 'string' ? value : prerequisiteRecord.write(value)),
};

/** Every PackMan key with its shape, in PackMan's order (docs/FORMAT.md §4). */
export const PACKAGE_FIELDS = {
  Name: required(plainWord),
  Version: optional(plainWord),
  Flavor: optional(plainWord),
  Description: required(filled),
  'Home-page': optional(webAddress),
  'Download-URL': optional(matching(/^[!-~]+$/, 'an address', PLAIN_WORD)),
  MD5Sum: optional(matching(/^[0-9a-f]{32}$/, 'an MD5 of 32 lower-case hex digits', '[0-9a-f]{32}')),
  'Install-test': required(text()),
  Prerequisites: optional(listOf(prerequisite)),
  'Install-command': optional(text()),
  'Pre-install-command': optional(text()),
  'Post-install-command': optional(text()),
  'User-install-skips': optional(listOf(text())),
  'Systemwide-only': optional(flag),
} as const;

const packageShape = takingPlain(record<Package>(PACKAGE_FIELDS, STRICT));

const FILE_FIELDS = {
  Name: required(plainWord),
  Version: required(plainWord),
  Flavor: required(plainWord),
  Size: required(integer),
  SHA256: required(sha256),
  Since: required(date),
  Yanked: optional(text()),
} as const;

const fileShape = takingPlain(record<FileEntry>(FILE_FIELDS, STRICT));

const signersShape: Shape<Signers> = checked(
  record<Signers>({ Threshold: required(integer), Fingerprints: required(listOf(fingerprint)) }, STRICT),
  ({ Threshold, Fingerprints }) => {
    if (!isAscending(Fingerprints)) return 'fingerprints must be sorted, each once';
    return Threshold >= 1 && Threshold <= Fingerprints.length
      ? null
      : 'the threshold must lie within their number';
  },
);

export const TRUST_FIELDS = {
  URL: required(webAddress),
  Fingerprints: required(listOf(fingerprint)),
  Threshold: optional(integer),
  Maintainer: optional(text()),
} as const;

const withdrawalShape = record<Withdrawal>(
  { SHA256: required(sha256), Until: required(date), Reason: optional(text()) },
  STRICT,
);

const filesShape: Shape<ReadonlyMap<string, FileEntry>> = checked(
  mapOf(fileShape, complainOfPath),
  (files) => {
    if (files.size > FILE_LIMIT) return `more than ${FILE_LIMIT} archives`;
    return hasTwins(files) ? 'two paths differ only in case' : null;
  },
);

function hasTwins(files: FileEntries): boolean {
  const folded = new Set<string>();
  for (const path of files.keys()) {
    const other = foldPath(path);
    // Paths without capitals are what they are folded to, and differ from each other.
    if (other === path) continue;
    if (files.has(other) || folded.has(other)) return true;
    folded.add(other);
  }
  return false;
}

const packsignShape = record<Packsign>(
  {
    Format: required(integer),
    Database: optional(webAddress),
    Issued: required(date),
    Expires: optional(date),
    Previous: optional(sha256),
    Signers: optional(signersShape),
    Notify: optional(notifyAddress),
    Mirrors: optional(listOf(webAddress)),
    Trusts: optional(listOf(record<Trust>(TRUST_FIELDS, STRICT))),
    History: optional(mapOf(listOf(withdrawalShape), complainOfPath)),
  },
  // What a later minor addition brings is read past here, and only here.
  { ordered: true, unknown: () => undefined },
);

const packagesShape = checked(listOf(packageShape), (packages) =>
  packages.every((entry, index) => index === 0 || comparePackages(packages[index - 1] ?? entry, entry) <= 0)
    ? null
    : 'packages must be sorted',
);

const TOP_FIELDS = {
  Version: required(text()),
  Maintainer: optional(filled),
  Description: required(text()),
  Include: optional(listOf(webAddress)),
  Packages: required(packagesShape),
  Archives: required(filesShape),
  Packsign: required(packsignShape),
} as const;

const databaseShape = record<Database>(TOP_FIELDS, STRICT);

/** Everything but the two long lists, whose entries are written one by one. */
const { Packages: _packages, Archives: _archives, ...HEAD_FIELDS } = TOP_FIELDS;
const headShape = record<Omit<Database, 'Packages' | 'Archives'>>(HEAD_FIELDS, STRICT);

/** Nearly all of a large database is read so. */
const PLAIN_LISTS: PlainLists = new Map([
  ['Packages', plainReader<Package>(PACKAGE_FIELDS, false)],
  ['Archives', plainReader<FileEntry>(FILE_FIELDS, true)],
]);

/**
 * The value of a database's bytes. The bytes must have been verified before (threat T1).
 * Throws DATABASE_TOO_LARGE, DATABASE_MALFORMED, FORMAT_UNKNOWN. docs/FORMAT.md §2 to §6, §8 step 6.
 * Nothing but the time depends on `plain`, which tests leave out.
 */
export function decodeDatabase(bytes: Uint8Array, plain: PlainLists = PLAIN_LISTS): Database {
  if (bytes.length > DATABASE_LIMIT_BYTES) {
    throw new PacksignError(
      'DATABASE_TOO_LARGE',
      `the database is larger than ${DATABASE_LIMIT_BYTES} bytes`,
    );
  }
  const document = decodePlist(bytes, plain);
  refuseLaterFormat(document);
  try {
    return databaseShape.read(document);
  } catch (error) {
    if (error instanceof Misfit) {
      throw new PacksignError(
        'DATABASE_MALFORMED',
        `not a database of format ${FORMAT}: ${error.describe()}`,
      );
    }
    throw error;
  }
}

// Said before anything else is judged: all that a later format changes would look like a defect here.
function refuseLaterFormat(document: PlistDict): void {
  const packsign = document.get('Packsign');
  const format = packsign instanceof Map ? (packsign as PlistDict).get('Format') : undefined;
  if (typeof format === 'number' && format !== FORMAT) {
    throw new PacksignError(
      'FORMAT_UNKNOWN',
      `the database has format ${format}, this packsign reads ${FORMAT}`,
      {
        hint: 'install a newer packsign: npm install --global packsign@latest',
      },
    );
  }
}

/** A database and its canonical bytes. */
export interface Upon {
  readonly database: Database;
  readonly bytes: Uint8Array;
}

/**
 * The canonical bytes of a database (docs/FORMAT.md §2). `decodeDatabase` gives the same value back. Entries that are
 * the very values of another database are copied from its bytes, which changes nothing but the time it takes.
 */
export function encodeDatabase(database: Database, upon: Upon | null = null): Buffer {
  return encodeDocument(dictLines(topLines(database, upon), 1), likelyBytes(database, upon));
}

/** What an entry takes, generously; and what surrounds them. */
const ENTRY_BYTES = 640;
const HEAD_BYTES = 64 * 1024;

function likelyBytes(database: Database, upon: Upon | null): number {
  const before = upon === null ? 0 : countEntries(upon.database);
  const added = Math.max(0, countEntries(database) - before);
  return (upon?.bytes.length ?? 0) + ENTRY_BYTES * added + HEAD_BYTES;
}

function countEntries({ Packages, Archives }: Database): number {
  return Packages.length + Archives.size;
}

/** So many entries are handed on at once. */
const WRITTEN_ENTRIES = 256;

/** The lines of every top-level key and its value, in order. */
function* topLines(database: Database, upon: Upon | null): Generator<Lines> {
  const { Packages, Archives, ...rest } = database;
  const head = headShape.write(rest) as PlistDict;
  const base = upon === null ? null : { ...upon.database, copied: { bytes: asBuffer(upon.bytes), at: 0 } };
  for (const key of Object.keys(TOP_FIELDS)) {
    const value = head.get(key);
    const isHere = value !== undefined || key === 'Packages' || key === 'Archives';
    if (isHere) yield encodeKey(key, 2);
    if (value !== undefined) yield encodeValue(value, 2);
    else if (key === 'Packages') yield* arrayLines(packageLines(Packages, base), 2);
    else if (key === 'Archives') yield* dictLines(fileLines(Archives, base), 2);
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function packageLines(
  packages: readonly Package[],
  base: { readonly Packages: readonly Package[]; readonly copied: Copied } | null,
): Iterable<Lines> {
  if (base === null) return freshPackages(packages);
  const { Packages: before, copied } = base;
  const list: StayedList = {
    length: packages.length,
    textOf: (index) => writePackage(at(packages, index)),
    before: {
      length: before.length,
      textOf: (index) => writePackage(at(before, index)),
      opening: `${encodeKey('Packages', 2)}\n    <array>\n`,
    },
    isSame: (index, other) => packages[index] === before[other],
    isGone: (other, index) => comparePackages(at(before, other), at(packages, index)) < 0,
    canBeAlike: (one, other) => comparePackages(at(before, one), at(before, other)) === 0,
  };
  return stayedLines(list, copied);
}

function* freshPackages(packages: readonly Package[]): Generator<string> {
  for (let from = 0; from < packages.length; from += WRITTEN_ENTRIES) {
    yield packages
      .slice(from, from + WRITTEN_ENTRIES)
      .map(writePackage)
      .join('\n');
  }
}

function fileLines(
  files: FileEntries,
  base: { readonly Archives: FileEntries; readonly copied: Copied } | null,
): Iterable<Lines> {
  if (base === null) return freshFiles(files);
  const next = columnsOf(files);
  const before = columnsOf(base.Archives);
  const list: StayedList = {
    length: files.size,
    textOf: (index) => writeMember(at(next.paths, index), at(next.entries, index)),
    before: {
      length: base.Archives.size,
      textOf: (index) => writeMember(at(before.paths, index), at(before.entries, index)),
      opening: `${encodeKey('Archives', 2)}\n    <dict>\n`,
    },
    isSame: (index, other) =>
      next.entries[index] === before.entries[other] && next.paths[index] === before.paths[other],
    isGone: (other, index) => at(before.paths, other) < at(next.paths, index),
    canBeAlike: () => false,
  };
  return stayedLines(list, base.copied);
}

function* freshFiles(files: FileEntries): Generator<string> {
  const { paths, entries } = columnsOf(files);
  for (let from = 0; from < paths.length; from += WRITTEN_ENTRIES) {
    yield paths
      .slice(from, from + WRITTEN_ENTRIES)
      .map((path, index) => writeMember(path, at(entries, from + index)))
      .join('\n');
  }
}

function columnsOf(files: FileEntries): { paths: readonly string[]; entries: readonly FileEntry[] } {
  return { paths: [...files.keys()], entries: [...files.values()] };
}

function writeMember(path: string, entry: FileEntry): string {
  return `${encodeKey(path, 3)}\n${writeFileEntry(entry)}`;
}

/** An item that is there. */
function at<T>(items: readonly T[], index: number): T {
  return items[index] as T;
}

/** Entries lie on the third level. */
function writerOf<T>(fields: Fields<T>, valuesOf: (entry: T) => readonly unknown[]): (entry: T) => string {
  const names = Object.keys(fields) as (keyof T & string)[];
  return entryWriter<T>(
    names.map((name) => ({ name, valueOf: (fields[name] as Field<unknown>).shape.write })),
    3,
    valuesOf,
  );
}

/** In the order of `PACKAGE_FIELDS`. */
const writePackage = writerOf<Package>(PACKAGE_FIELDS, (entry) => [
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

/** In the order of `ARCHIVE_FIELDS`. */
const writeFileEntry = writerOf<FileEntry>(FILE_FIELDS, (entry) => [
  entry.Name,
  entry.Version,
  entry.Flavor,
  entry.Size,
  entry.SHA256,
  entry.Since,
  entry.Yanked,
]);

function complainOfPath(path: string, before: string | null): string | null {
  if (!isSafePath(path)) return 'is not a path that may stand in a database';
  return before === null || before < path ? null : 'paths must be sorted';
}

function isAscending(values: readonly string[]): boolean {
  return values.every((value, index) => index === 0 || (values[index - 1] ?? '') < value);
}
