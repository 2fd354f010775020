import { PacksignError, reasonOf } from '../errors.js';
import { KEYS_LIMIT_BYTES } from '../model/database.js';
import { namedAddress } from '../model/address.js';
import { formatInstant, parseInstant } from '../model/time.js';
import { isEtag, isTrustName } from '../model/trust.js';
import type { AcceptedNote, Grounds, TrustEntry } from '../model/trust.js';
import { listOf } from './collections.js';
import { fingerprint, sha256 } from './database-shape.js';
import { date, integer, text } from './elements.js';
import { fromJson, jsonText, listElements } from './json.js';
import type { JsonElement } from './json.js';
import { Misfit } from './misfit.js';
import { optional, record, refuseUnknown, required } from './record.js';
import { checked } from './shape.js';
import type { Shape } from './shape.js';

/** An entry that cannot be read. It stays in the file as it is. */
export interface DamagedEntry {
  /** Its own text in the file. */
  readonly text: string;
  /** Its name and address, where those can be read. */
  readonly name: string | null;
  readonly url: string | null;
  /** Where it is damaged, and how: `ann › threshold › expected an integer`. */
  readonly reason: string;
}

/** What a trust store or a bundle holds. */
export interface TrustFile {
  readonly entries: readonly TrustEntry[];
  readonly damaged: readonly DamagedEntry[];
}

const VERSION = 1;
/** Limits of a trust store or a bundle, when it is written as when it is read. */
export const TRUST_LIMIT_BYTES = 64 * 1024 * 1024;
export const ENTRY_LIMIT_BYTES = 2 * KEYS_LIMIT_BYTES;

const UNORDERED = { ordered: false, unknown: refuseUnknown } as const;

const name = text((value) => (isTrustName(value) ? null : 'expected a name of letters, digits, . _ -'));
const address = text((value) =>
  namedAddress(value) === value ? null : 'expected the address of a database, as packsign writes it',
);
const etag = text((value) => (isEtag(value) ? null : 'expected an ETag'));
const filled = text((value) => (value === '' ? 'expected text' : null));

const instant: Shape<Date> = {
  ...date,
  read: (value) => {
    const found = typeof value === 'string' ? parseInstant(value) : null;
    if (found === null) throw new Misfit('expected a date like 2026-11-22T14:05:09Z');
    return found;
  },
};

const groundsShape: Shape<Grounds> = checked(
  record<{ readonly kind: Grounds['kind']; readonly by?: string }>(
    { kind: required(text() as Shape<Grounds['kind']>), by: optional(filled) },
    UNORDERED,
  ),
  ({ kind, by }) => {
    if (!['keys', 'fingerprint', 'blindly', 'vouched'].includes(kind)) return 'has an unknown kind';
    return (kind === 'vouched') === (by !== undefined) ? null : '"by" belongs to the kind "vouched"';
  },
) as Shape<Grounds>;

/** A field whose value is null in the file. */
type Nullable<T, K extends keyof T> = Omit<T, K> & { readonly [P in K]?: NonNullable<T[P]> };

const acceptedShape = record<Nullable<AcceptedNote, 'database' | 'maintainer' | 'notify' | 'etag'>>(
  {
    issued: required(instant),
    sha256: required(sha256),
    database: optional(text()),
    maintainer: optional(text()),
    notify: optional(text()),
    mirrors: required(listOf(text())),
    etag: optional(etag),
  },
  UNORDERED,
);

const entryShape = checked(
  record<
    Nullable<Omit<TrustEntry, 'accepted'>, 'certificates' | 'refreshed'> & {
      readonly accepted?: ReturnType<typeof acceptedShape.read>;
    }
  >(
    {
      name: required(name),
      url: required(address),
      fingerprints: required(
        checked(listOf(fingerprint), (all) =>
          new Set(all).size === all.length ? null : 'a fingerprint is there twice',
        ),
      ),
      threshold: required(integer),
      grounds: required(groundsShape),
      certificates: optional(
        text((value) => (Buffer.byteLength(value) <= KEYS_LIMIT_BYTES ? null : 'is larger than 1 MiB')),
      ),
      added: required(instant),
      refreshed: optional(instant),
      accepted: optional(acceptedShape),
    },
    UNORDERED,
  ),
  ({ fingerprints: { length }, threshold, grounds, certificates }) => {
    const isBlind = length === 0;
    if (threshold < (isBlind ? 0 : 1) || threshold > length) {
      return `threshold › expected a number from 1 to ${length}, the number of its fingerprints`;
    }
    if (isBlind !== (grounds.kind === 'blindly')) return 'grounds › "blindly" is for entries without a key';
    return isBlind === (certificates === undefined)
      ? null
      : 'certificates › expected those of its fingerprints';
  },
);

/** The bytes of a trust store or a bundle. Damaged entries keep their text. */
export function encodeTrust({ entries, damaged }: TrustFile): Buffer {
  const texts = [...entries.map(encodeEntry), ...damaged.map((entry) => entry.text)];
  const databases = texts.length === 0 ? '[]' : `[\n    ${texts.join(',\n    ')}\n  ]`;
  return Buffer.from(`{\n  "version": ${VERSION},\n  "databases": ${databases}\n}\n`);
}

/** Written as by `JSON.stringify` of the whole, always in this order. */
export function encodeEntry(entry: TrustEntry): string {
  const { url, fingerprints, threshold, grounds, certificates, refreshed, accepted } = entry;
  const value = {
    ...{ name: entry.name, url, fingerprints, threshold, grounds },
    ...{ added: formatInstant(entry.added), certificates },
    refreshed: refreshed === null ? null : formatInstant(refreshed),
    accepted: accepted === null ? null : encodeAccepted(accepted),
  };
  return JSON.stringify(value, null, 2).replaceAll('\n', '\n    ');
}

function encodeAccepted(note: AcceptedNote): object {
  const { database, maintainer, notify, mirrors } = note;
  return {
    ...{ issued: formatInstant(note.issued), sha256: note.sha256 },
    ...{ database, maintainer, notify, mirrors, etag: note.etag },
  };
}

/** The entry in a text of `encodeEntry`. Throws `Misfit`. */
export function decodeEntry({ text: json, repeated }: JsonElement): TrustEntry {
  if (repeated !== null) throw new Misfit('is there twice', [repeated]);
  if (Buffer.byteLength(json) > ENTRY_LIMIT_BYTES)
    throw new Misfit(`is larger than ${ENTRY_LIMIT_BYTES} bytes`);
  const value = fromJson(withoutNull(JSON.parse(json)), KEYS_LIMIT_BYTES);
  const { certificates = null, refreshed = null, accepted, ...entry } = entryShape.read(value);
  return {
    ...entry,
    ...{ certificates, refreshed },
    accepted:
      accepted === undefined
        ? null
        : { ...{ database: null, maintainer: null, notify: null, etag: null }, ...accepted },
  };
}

/** Null and nothing mean the same in a record. */
function withoutNull(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const fields = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(fields.map(([key, item]) => [key, withoutNull(item)]));
}

/**
 * Reads a trust store or a bundle. What is wrong with one entry is that entry's damage. Throws TRUST_DAMAGED for what is
 * wrong with the whole; `path` names the file.
 */
export function decodeTrust(bytes: Uint8Array, path: string): TrustFile {
  try {
    const json = jsonText(bytes);
    requireRoot(JSON.parse(json));
    return withoutTwins(listElements(json).map(readElement));
  } catch (error) {
    const reason = error instanceof Misfit ? error.describe() : reasonOf(error);
    throw new PacksignError('TRUST_DAMAGED', `${path} cannot be used: ${reason}`, {
      hint: 'packsign changed nothing in it; restore it from a backup, or move it away and add your databases again',
    });
  }
}

function requireRoot(root: unknown): void {
  if (typeof root !== 'object' || root === null || Array.isArray(root))
    throw new Misfit('expected an object');
  const { version, databases, ...others } = root as Readonly<Record<string, unknown>>;
  const [unknown] = Object.keys(others);
  if (version !== VERSION) throw new Misfit(`expected ${VERSION}`, ['version']);
  if (!Array.isArray(databases)) throw new Misfit('expected an array', ['databases']);
  if (unknown !== undefined) refuseUnknown(unknown);
}

interface Read {
  readonly element: JsonElement;
  readonly entry: TrustEntry | null;
  readonly reason: string;
}

function readElement(element: JsonElement): Read {
  try {
    return { element, entry: decodeEntry(element), reason: '' };
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    return { element, entry: null, reason: error.describe() };
  }
}

/** Of two entries with one name or one address, nobody knows which is right. */
function withoutTwins(all: readonly Read[]): TrustFile {
  const labels = all.map(({ element, entry }) => entry ?? labelsOf(element));
  const names = repeatedIn(labels.map((label) => label.name));
  const urls = repeatedIn(labels.map((label) => label.url));
  const entries: TrustEntry[] = [];
  const damaged: DamagedEntry[] = [];
  for (const [at, { element, entry, reason }] of all.entries()) {
    const { name: called = null, url = null } = labels[at] ?? {};
    const twin = names.has(called) ? 'name' : urls.has(url) ? 'url' : null;
    if (entry !== null && twin === null) entries.push(entry);
    else {
      const why = entry === null ? reason : `${twin ?? ''}: is there twice`;
      const label = called ?? url ?? `[${at + 1}]`;
      damaged.push({ text: element.text, name: called, url, reason: `databases › ${label} › ${why}` });
    }
  }
  return { entries, damaged };
}

function repeatedIn(labels: readonly (string | null)[]): ReadonlySet<string | null> {
  const seen = new Set<string | null>();
  return new Set(labels.filter((label) => label !== null && (seen.has(label) || !seen.add(label))));
}

/** Name and address of an entry that cannot be read, as far as they are such. */
function labelsOf({ text: json, repeated }: JsonElement): Pick<DamagedEntry, 'name' | 'url'> {
  const { name: called, url } = (JSON.parse(json) ?? {}) as Readonly<Record<string, unknown>>;
  return {
    name: typeof called === 'string' && isTrustName(called) && repeated !== 'name' ? called : null,
    url: typeof url === 'string' && namedAddress(url) === url && repeated !== 'url' ? url : null,
  };
}
