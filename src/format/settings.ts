import { PacksignError, reasonOf } from '../errors.js';
import { fingerprintOf } from '../model/fingerprint.js';
import { parseDuration } from '../model/settings.js';
import type { Override, Settings, TrustSetting } from '../model/settings.js';
import { isPlainWord } from '../model/text.js';
import { PACKAGE_FIELDS, TRUST_FIELDS, notifyAddress } from './database.js';
import { fromJson, jsonText } from './json.js';
import { Misfit } from './misfit.js';
import { checked, flag, integer, listOf, mapOf, matching, optional, record, text } from './shape.js';
import type { Shape } from './shape.js';

const FILE_NAME = 'packsign.json';

const plain = text((value) => (value === '' ? 'expected text' : null));
const webAddress = matching(/^https?:\/\/[!-~]+$/, 'an http or https address');
const duration = text((value) => (parseDuration(value) === null ? 'expected a time like "180 days"' : null));
const validity = text((value) =>
  value === 'none' || parseDuration(value) !== null ? null : 'expected "none" or a time like "180 days"',
);
const positive = checked(integer, (value) => (value >= 1 ? null : 'expected a number of at least 1'));

/** A fingerprint as people write it, which a database can hold. */
const fingerprint: Shape<string> = {
  read: (value) => {
    const digits = typeof value === 'string' ? fingerprintOf(value) : null;
    if (digits?.length !== 40) throw new Misfit('expected a full fingerprint of 40 hex digits');
    return digits;
  },
  write: (value) => value,
};

const keys: Shape<readonly string[]> = {
  read: (value) => {
    const list = typeof value === 'string' ? [plain.read(value)] : listOf(plain).read(value);
    if (list.some((key) => key.startsWith('exec:'))) {
      // Settings travel with the data, so they must not run commands (threat T26).
      throw new Misfit('a command may only be given with --key or PACKSIGN_KEY');
    }
    return list;
  },
  write: (value) => value,
};

/** Any other name would get into a database that nobody can read. */
function complainOfName(name: string): string | null {
  return isPlainWord(name) ? null : 'expected the name of a package or the path of a file';
}

const LENIENT = { ordered: false, unknown: refuseNearly } as const;

const override = record<Override>(
  {
    ...(Object.fromEntries(
      Object.entries(PACKAGE_FIELDS).map(([key, { shape }]) => [key, { shape, required: false }]),
    ) as unknown as typeof PACKAGE_FIELDS),
    Yanked: optional(plain),
  },
  LENIENT,
);

const settingsShape = record<Settings & { readonly $schema?: string }>(
  {
    $schema: optional(text()),
    Maintainer: optional(plain),
    Description: optional(text()),
    'Base-URL': optional(webAddress),
    Database: optional(webAddress),
    Notify: optional(notifyAddress),
    Mirrors: optional(listOf(webAddress)),
    Validity: optional(validity),
    Key: optional(keys),
    Signers: optional(listOf(fingerprint)),
    Threshold: optional(positive),
    PackMan: optional(flag),
    Scrub: optional(duration),
    Settle: optional(duration),
    Include: optional(listOf(plain)),
    Exclude: optional(listOf(plain)),
    Trusts: optional(
      listOf(
        record<TrustSetting>(
          {
            ...TRUST_FIELDS,
            Fingerprints: { ...TRUST_FIELDS.Fingerprints, shape: listOf(fingerprint) },
            Include: optional(flag),
          },
          LENIENT,
        ),
      ),
    ),
    Page: optional(flag),
    Checksums: optional(flag),
    Packages: optional(mapOf(override, complainOfName)),
  },
  LENIENT,
);

/** The settings in the bytes of a `packsign.json`. Throws SETTINGS_INVALID. */
export function decodeSettings(bytes: Uint8Array): Settings {
  return checkSettings(parse(bytes));
}

/** The same for a value made from options; `where` names it in errors. Throws SETTINGS_INVALID. */
export function checkSettings(value: unknown, where: string = FILE_NAME): Settings {
  try {
    const { $schema: _, ...settings } = settingsShape.read(fromJson(value));
    return settings;
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    throw new PacksignError('SETTINGS_INVALID', `${where}: ${error.describe()}`, {
      hint: 'templates/packsign.schema.json and the README list every key',
    });
  }
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(jsonText(bytes));
  } catch (error) {
    throw new PacksignError('SETTINGS_INVALID', `${FILE_NAME} is not JSON: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function refuseNearly(key: string, known: readonly string[]): never {
  const near = known.find((name) => name.toLowerCase() === key.toLowerCase()) ?? nearest(key, known);
  throw new Misfit(`is not a setting${near === null ? '' : `; did you mean "${near}"?`}`, [key]);
}

function nearest(key: string, known: readonly string[]): string | null {
  const ranked = known.map((name) => ({
    name,
    distance: distanceBetween(key.toLowerCase(), name.toLowerCase()),
  }));
  const best = ranked.reduce((a, b) => (b.distance < a.distance ? b : a));
  return best.distance <= Math.max(2, key.length / 2) ? best.name : null;
}

/** Levenshtein's distance between two short words, computed row by row. */
function distanceBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of Array.from(a).entries()) {
    const next = [i + 1];
    for (let j = 1; j < row.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (letter === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
