import { PacksignError } from '../errors.js';
import { FILE_LIMIT, defectOfPath, findConflict, foldPath, isSha256 } from '../model/file-entry.js';
import type { FileEntry, FileEntries } from '../model/file-entry.js';
import { DATABASE_LIMIT_BYTES, FORMAT } from '../model/database.js';
import type { Database, Packsign, Signers, Trust, Withdrawal } from '../model/database.js';
import { comparePackages } from '../model/package.js';
import type { Package, Prerequisite } from '../model/package.js';
import { defectOfDatabase, defectOfThreshold } from '../model/defects.js';
import { isPlainWord } from '../model/text.js';
import { plainReader, takingPlain } from './plain.js';
import { decodePlist } from './decode-plist.js';
import type { PlainLists } from './decode-plist.js';
import {
  arrayLines,
  dictLines,
  encodeDocument,
  encodeKey,
  encodeValue,
  entryWriter,
} from './encode-plist.js';
import type { Lines } from './encode-plist.js';
import { Misfit } from './misfit.js';
import type { PlistDict } from './plist.js';
import {
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
import type { Copied, EntryTexts } from './stayed.js';
import { filled, notifyAddress, placeAddress, webAddress } from './texts.js';

const STRICT = { ordered: true, unknown: refuseUnknown } as const;

const plainWord = text(
  (value) => (isPlainWord(value) ? null : 'expected printable ASCII without spaces'),
  PLAIN_WORD,
);
export const sha256 = text(
  (value) => (isSha256(value) ? null : 'expected 64 lower-case hex digits'),
  '[0-9a-f]{64}',
);
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
  Name: optional(plainWord),
  Version: optional(plainWord),
  Flavor: optional(plainWord),
  Platform: optional(
    matching(/^[A-Za-z0-9._+-]{1,128}$/, 'a platform: letters, digits and . _ + -', '[A-Za-z0-9._+-]{1,128}'),
  ),
  Size: required(integer),
  SHA256: required(sha256),
  Since: required(date),
  Yanked: optional(text()),
} as const;

const fileShape = takingPlain(record<FileEntry>(FILE_FIELDS, STRICT));

const signersShape: Shape<Signers> = checked(
  record<Signers>({ Threshold: required(integer), Fingerprints: required(listOf(fingerprint)) }, STRICT),
  ({ Threshold, Fingerprints }) => defectOfThreshold(Threshold, Fingerprints),
);

export const TRUST_FIELDS = {
  URL: required(placeAddress),
  Fingerprints: required(listOf(fingerprint)),
  Threshold: optional(integer),
  Maintainer: optional(text()),
} as const;

const trustShape = checked(record<Trust>(TRUST_FIELDS, STRICT), ({ Threshold = 1, Fingerprints }) =>
  defectOfThreshold(Threshold, Fingerprints),
);

const withdrawalShape = record<Withdrawal>(
  { SHA256: required(sha256), Until: required(date), Reason: optional(text()) },
  STRICT,
);

const filesShape: Shape<ReadonlyMap<string, FileEntry>> = checked(
  mapOf(fileShape, complainOfPath),
  (files) => {
    if (files.size > FILE_LIMIT) return `more than ${FILE_LIMIT} files`;
    for (const [path, { Name, Version, Flavor }] of files) {
      const isNamed = Version !== undefined;
      if ((Name !== undefined) !== isNamed || (Flavor !== undefined) !== isNamed) {
        return `${path} has only some of Name, Version and Flavor`;
      }
    }
    const [one, other] = findConflict(files.keys()) ?? [];
    if (one === undefined || other === undefined) return null;
    return foldPath(one) === foldPath(other)
      ? `two paths differ only in case: ${one} and ${other}`
      : `one path is a folder of another: ${one} and ${other}`;
  },
);

const packsignShape = record<Packsign>(
  {
    Format: required(integer),
    Database: optional(placeAddress),
    Issued: required(date),
    Expires: optional(date),
    Previous: optional(sha256),
    Signers: optional(signersShape),
    Notify: optional(notifyAddress),
    Mirrors: optional(listOf(placeAddress)),
    Trusts: optional(listOf(trustShape)),
    History: optional(mapOf(listOf(withdrawalShape), complainOfPath)),
  },
  // Ignore the keys of later minor additions here, and only here.
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
  Include: optional(listOf(placeAddress)),
  Packages: required(packagesShape),
  Files: required(filesShape),
  Packsign: required(packsignShape),
} as const;

const databaseShape = checked(record<Database>(TOP_FIELDS, STRICT), defectOfDatabase);

/**
 * All but the two long lists, whose entries `topLines` writes one by one. What only writes is marked as pure, so that a
 * bundle that only reads leaves it out.
 */
const { Packages: _packages, Files: _files, ...HEAD_FIELDS } = TOP_FIELDS;
const headShape = /* @__PURE__ */ record<Omit<Database, 'Packages' | 'Files'>>(HEAD_FIELDS, STRICT);

/** Nearly all of a large database is plain. */
const PLAIN_LISTS: PlainLists = new Map([
  ['Packages', plainReader<Package>(PACKAGE_FIELDS, false)],
  ['Files', plainReader<FileEntry>(FILE_FIELDS, true)],
]);

/**
 * The value of a database's bytes. The bytes must have been verified before (threat T1).
 * Throws DATABASE_TOO_LARGE, DATABASE_MALFORMED, FORMAT_UNKNOWN. docs/FORMAT.md §2 to §6, §8 step 6.
 * Only the time depends on `plain`, which tests leave out.
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

// Check the format first: anything that a later format changes would look like a defect.
function refuseLaterFormat(document: PlistDict): void {
  const packsign = document.get('Packsign');
  const format = packsign instanceof Map ? (packsign as PlistDict).get('Format') : undefined;
  if (typeof format === 'number' && format !== FORMAT) {
    throw new PacksignError(
      'FORMAT_UNKNOWN',
      `the database has format ${format}, this packsign reads ${FORMAT}`,
      { hint: 'install a newer packsign: npm install --global packsign@latest' },
    );
  }
}

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
  entry.Yanked,
]);

function complainOfPath(path: string, before: string | null): string | null {
  const defect = defectOfPath(path);
  if (defect !== null) return `is not a path that a database may list: ${defect}`;
  return before === null || before < path ? null : 'paths must be sorted';
}
