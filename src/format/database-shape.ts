import { FORMAT } from '../model/database.js';
import type { Database, Packsign, Signers, Trust, Withdrawal } from '../model/database.js';
import { defectOfDatabase, defectOfThreshold } from '../model/defects.js';
import { FILE_LIMIT, defectOfPath, findConflict, foldPath, isSha256 } from '../model/file-entry.js';
import type { FileEntry } from '../model/file-entry.js';
import { changeWithoutReason, defectOfHistory } from '../model/history-rules.js';
import { comparePackages } from '../model/package.js';
import type { Package, Prerequisite } from '../model/package.js';
import { isPlainWord } from '../model/text.js';
import { listOf, mapOf, tagsOf } from './collections.js';
import { PLAIN_WORD, date, flag, integer, matching, text } from './elements.js';
import { STRICT, optional, record, required } from './record.js';
import { checked } from './shape.js';
import type { Shape } from './shape.js';
import { filled, notifyAddress, placeAddress, webAddress } from './texts.js';

// The format of the database: every key with its shape, in order.

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

const advice = text();

const prerequisite: Shape<Prerequisite> = {
  read: (value) => (typeof value === 'string' ? value : prerequisiteRecord.read(value)),
  at: (level) => {
    const [string, dict] = [advice.at(level), prerequisiteRecord.at(level)];
    const { begin } = tagsOf('dict', level);
    return {
      take: (reading) => (reading.text.startsWith(begin, reading.at) ? dict : string).take(reading),
      write: (value) => (typeof value === 'string' ? string.write(value) : dict.write(value)),
    };
  },
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

const packageShape = record<Package>(PACKAGE_FIELDS, STRICT);

const mutable = checked(flag, (value) => (value ? null : 'expected true, or nothing')) as Shape<true>;

export const FILE_FIELDS = {
  Name: optional(plainWord),
  Version: optional(plainWord),
  Flavor: optional(plainWord),
  Platform: optional(matching(/^[A-Za-z0-9._+-]{1,128}$/, 'a platform: letters, digits and . _ + -')),
  Size: required(integer),
  SHA256: required(sha256),
  Since: required(date),
  Mutable: optional(mutable),
  Yanked: optional(text()),
} as const;

const fileShape = record<FileEntry>(FILE_FIELDS, STRICT);

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
  { SHA256: required(sha256), Until: required(date), Reason: optional(filled) },
  STRICT,
);

const filesShape: Shape<ReadonlyMap<string, FileEntry>> = checked(
  mapOf(fileShape, complainOfPath, 'Files'),
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

/** Another one is explained before anything else. */
const format = checked(integer, (value) => (value === FORMAT ? null : `expected ${FORMAT}`));

const packsignShape = record<Packsign>(
  {
    Format: required(format),
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
  { ordered: true, unknown: null },
);

const packagesShape = checked(listOf(packageShape, 'Packages'), (packages) =>
  packages.every((entry, index) => index === 0 || comparePackages(packages[index - 1] ?? entry, entry) <= 0)
    ? null
    : 'packages must be sorted',
);

export const TOP_FIELDS = {
  Version: required(text()),
  Maintainer: optional(filled),
  Description: required(text()),
  Include: optional(listOf(placeAddress)),
  Packages: required(packagesShape),
  Files: required(filesShape),
  Packsign: required(packsignShape),
} as const;

/** A database that waits for a signature, whose bytes may have changed without a reason yet. */
export const draftShape = checked(
  record<Database>(TOP_FIELDS, STRICT),
  (database) => defectOfDatabase(database) ?? defectOfHistory(database),
);

export const databaseShape = checked(draftShape, (database) => {
  const path = changeWithoutReason(database);
  return path === null ? null : `${path} has changed, and its history gives no reason`;
});

function complainOfPath(path: string, before: string | null): string | null {
  const defect = defectOfPath(path);
  if (defect !== null) return `is not a path that a database may list: ${defect}`;
  return before === null || before < path ? null : 'paths must be sorted';
}
