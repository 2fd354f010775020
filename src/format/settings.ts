import { PacksignError } from '../errors.js';
import { ABSENT } from '../model/absence.js';
import type { Absent } from '../model/absence.js';
import { databaseAddress } from '../model/address.js';
import { defectOfThreshold } from '../model/defects.js';
import { fingerprintOf } from '../model/fingerprint.js';
import { nearestOf } from '../model/nearest.js';
import { parseDuration } from '../model/settings.js';
import type { Override, Settings, TrustSetting } from '../model/settings.js';
import { WORD_LIMIT, isPlainWord } from '../model/text.js';
import { ADDRESS_LIMIT } from '../model/web-address.js';
import { listOf, mapOf } from './collections.js';
import { PACKAGE_FIELDS, TRUST_FIELDS } from './database-shape.js';
import { flag, integer, text } from './elements.js';
import { DEPTH_LIMIT, fromJson, isDeeper, jsonText } from './json.js';
import { faultIn } from './json-fault.js';
import { Misfit } from './misfit.js';
import { optional, record } from './record.js';
import { checked } from './shape.js';
import type { Shape } from './shape.js';
import { filled, notifyAddress, placeAddress } from './texts.js';

const FILE_NAME = 'packsign.json';

const plain = text((value) => (value === '' ? 'expected text' : null));
const glob = text((value) =>
  /^\/?$/.test(value) ? 'expected a glob like "*.tar.gz"' : complainOfLength(value, WORD_LIMIT),
);
const place = checked(placeAddress, (value) => complainOfLength(value, ADDRESS_LIMIT));
const duration = text((value) => (parseDuration(value) === null ? 'expected a time like "180 days"' : null));
const validity = text((value) =>
  value === 'none' || Math.round(parseDuration(value) ?? 0) >= 1
    ? null
    : 'expected "none" or a time of at least a second, like "180 days"',
);
const within = text((value) =>
  /^[^/]+(?:\/[^/]+)*$/.test(value) ? null : 'expected folders like "linux/old"',
);
const positive = checked(integer, (value) => (value >= 1 ? null : 'expected a number of at least 1'));

/** A fingerprint as people write it, which a database can hold. */
const fingerprint: Shape<string> = {
  ...text(),
  read: (value) => {
    const digits = typeof value === 'string' ? fingerprintOf(value) : null;
    if (digits?.length !== 40) throw new Misfit('expected a full fingerprint of 40 hex digits');
    return digits;
  },
};

/** The address of a database: of its folder, its page or its file, which all become that of its file. */
const database: Shape<string> = {
  ...place,
  read: (value) => databaseAddress(place.read(value)),
};

const keys: Shape<readonly string[]> = {
  ...listOf(plain),
  read: (value) => {
    const list = typeof value === 'string' ? [plain.read(value)] : listOf(plain).read(value);
    if (list.some((key) => key.startsWith('exec:'))) {
      // Settings travel with the data, so they must not run commands (threat T26).
      throw new Misfit('a command may only be given with --key or PACKSIGN_KEY');
    }
    return list;
  },
};

const inspect = text((value) =>
  ['whole', 'ends'].includes(value) ? null : 'expected "whole" or "ends"',
) as Shape<'whole' | 'ends'>;

const absent = text((value) =>
  ABSENT.some((one) => one === value) ? null : 'expected "ask", "withdraw" or "keep"',
) as Shape<Absent>;

/** Any other name would get into a database that nobody can read. */
function complainOfName(name: string): string | null {
  return isPlainWord(name)
    ? complainOfLength(name, WORD_LIMIT)
    : 'expected the name of a package or the path of a file';
}

function complainOfLength(value: string, limit: number): string | null {
  return value.length > limit ? `expected at most ${limit} characters` : null;
}

const word = checked(PACKAGE_FIELDS.Name.shape, (value) => complainOfLength(value, WORD_LIMIT));

const LENIENT = { ordered: false, unknown: refuseNearly } as const;

const override = record<Override>(
  {
    ...(Object.fromEntries(
      Object.entries(PACKAGE_FIELDS).map(([key, { shape }]) => [key, { shape, required: false }]),
    ) as unknown as typeof PACKAGE_FIELDS),
    Name: optional(word),
    Version: optional(word),
    Yanked: optional(plain),
  },
  LENIENT,
);

const trustRecord = record<TrustSetting>(
  {
    ...TRUST_FIELDS,
    URL: { ...TRUST_FIELDS.URL, shape: database },
    Fingerprints: { ...TRUST_FIELDS.Fingerprints, shape: listOf(fingerprint) },
    Include: optional(flag),
  },
  LENIENT,
);

/** Keys in any order, which a database holds sorted and each once. */
const trust: Shape<TrustSetting> = {
  ...trustRecord,
  read: (value) => {
    const setting = trustRecord.read(value);
    const Fingerprints = Array.from(new Set(setting.Fingerprints)).sort();
    const defect = defectOfThreshold(setting.Threshold ?? 1, Fingerprints);
    if (defect !== null) throw new Misfit(defect);
    return { ...setting, Fingerprints };
  },
};

const settingsShape = record<Settings & { readonly $schema?: string }>(
  {
    $schema: optional(text()),
    Maintainer: optional(filled),
    Description: optional(text()),
    'Base-URL': optional(place),
    Database: optional(database),
    Within: optional(within),
    Notify: optional(notifyAddress),
    Mirrors: optional(listOf(place)),
    Validity: optional(validity),
    Key: optional(keys),
    Signers: optional(listOf(fingerprint)),
    Threshold: optional(positive),
    PackMan: optional(flag),
    Scrub: optional(duration),
    Settle: optional(duration),
    Absent: optional(absent),
    Include: optional(listOf(glob)),
    Exclude: optional(listOf(glob)),
    Mutable: optional(listOf(glob)),
    Trusts: optional(listOf(trust)),
    Publish: optional(listOf(filled)),
    Page: optional(flag),
    Checksums: optional(flag),
    Inspect: optional(inspect),
    'Store-Hashes': optional(flag),
    Packages: optional(mapOf(override, complainOfName)),
  },
  LENIENT,
);

/** The settings in the bytes of a `packsign.json`, which errors call `where`. Throws SETTINGS_INVALID. */
export function decodeSettings(bytes: Uint8Array, where: string = FILE_NAME): Settings {
  return checkSettings(parse(bytes, where), where);
}

/** The same for a value made from options; `where` names it in errors. Throws SETTINGS_INVALID. */
export function checkSettings(value: unknown, where: string = FILE_NAME): Settings {
  try {
    if (isDeeper(value, DEPTH_LIMIT)) throw new Misfit(`nests deeper than ${DEPTH_LIMIT} levels`);
    const { $schema: _, ...settings } = settingsShape.read(fromJson(value));
    return settings;
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    throw new PacksignError('SETTINGS_INVALID', `${where}: ${error.describe()}`, {
      hint: 'docs/SETTINGS.md and templates/packsign.schema.json list every key',
    });
  }
}

function parse(bytes: Uint8Array, where: string): unknown {
  const text = textOf(bytes, where);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const fault = faultIn(text);
    const number = `  ${fault.line} | `;
    // Of a long line, what leads to the fault.
    const shown = fault.text.slice(Math.max(0, fault.column - SHOWN_COLUMNS), fault.column + SHOWN_COLUMNS);
    const mark = ' '.repeat(Math.min(fault.column, SHOWN_COLUMNS) - 1 + number.length);
    throw new PacksignError(
      'SETTINGS_INVALID',
      `${where}, line ${fault.line}, column ${fault.column}: ${fault.what}\n${number}${shown.replaceAll('\t', ' ')}\n${mark}^`,
      { cause },
    );
  }
}

const SHOWN_COLUMNS = 60;

function textOf(bytes: Uint8Array, where: string): string {
  try {
    return jsonText(bytes);
  } catch (cause) {
    throw new PacksignError('SETTINGS_INVALID', `${where} is not JSON: it is not text in UTF-8`, { cause });
  }
}

function refuseNearly(key: string, known: readonly string[]): never {
  const near = nearestOf(key, known);
  throw new Misfit(`is not a setting${near === null ? '' : `; did you mean "${near}"?`}`, [key]);
}
