import { PacksignError } from '../errors.js';
import { FILE_LIMIT, defectOfPath, findConflict, foldPath, isSha256 } from '../model/file-entry.js';
import type { FileEntry } from '../model/file-entry.js';
import { DATABASE_LIMIT_BYTES, FORMAT } from '../model/database.js';
import type { Database, Packsign, Signers, Trust, Withdrawal } from '../model/database.js';
import { changeWithoutReason, defectOfHistory } from '../model/history-rules.js';
import { comparePackages } from '../model/package.js';
import type { Package, Prerequisite } from '../model/package.js';
import { defectOfDatabase, defectOfThreshold } from '../model/defects.js';
import { isPlainWord } from '../model/text.js';
import { plainReader, takingPlain } from './plain.js';
import { decodePlist } from './decode-plist.js';
import type { PlainLists } from './decode-plist.js';
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
import type { Shape } from './shape.js';
import { filled, notifyAddress, placeAddress, webAddress } from './texts.js';

export const STRICT = { ordered: true, unknown: refuseUnknown } as const;

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

const mutable: Shape<true> = {
  read: (value) => {
    if (value !== true) throw new Misfit('expected true, or nothing');
    return value;
  },
  write: (value) => value,
};

export const FILE_FIELDS = {
  Name: optional(plainWord),
  Version: optional(plainWord),
  Flavor: optional(plainWord),
  Platform: optional(
    matching(/^[A-Za-z0-9._+-]{1,128}$/, 'a platform: letters, digits and . _ + -', '[A-Za-z0-9._+-]{1,128}'),
  ),
  Size: required(integer),
  SHA256: required(sha256),
  Since: required(date),
  Mutable: optional(mutable),
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
  { SHA256: required(sha256), Until: required(date), Reason: optional(filled) },
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
const draftShape = checked(
  record<Database>(TOP_FIELDS, STRICT),
  (database) => defectOfDatabase(database) ?? defectOfHistory(database),
);

const databaseShape = checked(draftShape, (database) => {
  const path = changeWithoutReason(database);
  return path === null ? null : `${path} has changed, and its history gives no reason`;
});

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
  return decode(bytes, databaseShape, plain);
}

/**
 * The same for a database that waits for a signature: bytes that changed without a reason are `changedBytes`, which says
 * more about them.
 */
export function decodeDraft(bytes: Uint8Array): Database {
  return decode(bytes, draftShape, PLAIN_LISTS);
}

function decode(bytes: Uint8Array, shape: Shape<Database>, plain: PlainLists): Database {
  if (bytes.length > DATABASE_LIMIT_BYTES) {
    throw new PacksignError(
      'DATABASE_TOO_LARGE',
      `the database is larger than ${DATABASE_LIMIT_BYTES} bytes`,
    );
  }
  const document = decodePlist(bytes, plain);
  refuseLaterFormat(document);
  try {
    return shape.read(document);
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

function complainOfPath(path: string, before: string | null): string | null {
  const defect = defectOfPath(path);
  if (defect !== null) return `is not a path that a database may list: ${defect}`;
  return before === null || before < path ? null : 'paths must be sorted';
}
