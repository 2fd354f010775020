import type { PlistValue } from 'plist';
import { PacksignError, reasonOf } from '../errors.js';

/** A database written for PackMan alone, read as loosely as PackMan reads it. Nothing vouches for its content. */
export interface PackManDatabase {
  readonly version: string | null;
  readonly maintainer: string | null;
  readonly description: string;
  readonly include: readonly string[];
  /** Keys of the top level that PackMan does not know. */
  readonly otherKeys: readonly string[];
  readonly hasComments: boolean;
  /** PackMan's own keys and any others, in the order of the document. */
  readonly packages: readonly PackManPackage[];
}

/** Null for a value of a kind that PackMan has no use for. */
export type PackManPackage = Readonly<Record<string, PackManValue | null>>;
export type PackManValue = string | number | boolean | readonly (string | Readonly<Record<string, string>>)[];

const LIMIT_BYTES = 16 * 1024 * 1024;
const DEPTH_LIMIT = 32;
/** More than any that was made by hand: the parser takes a kilobyte of memory for each. */
const ELEMENT_LIMIT = 500_000;
const BEFORE_ROOT = /^\s*(?:<\?xml [^>]*\?>\s*)?(?:<!DOCTYPE plist [^[\]>]*>\s*)?(?=<plist[ >])/;
const TAG =
  /<(\/?)(plist|dict|array|key|string|integer|real|date|data|true|false)(?: version="[^"<>]*")?\s*(\/?)>/y;
/** Where text may end. A repetition of all that text may hold would take stack for each character. */
const TEXT_STOP = /[<&]/g;
const REFERENCE = /&(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});/y;

/** Whether bytes may be a PackMan database without packsign's additions, which nobody can verify. */
export function isForeign(bytes: Uint8Array): boolean {
  return !Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('<key>Packsign</key>');
}

/**
 * Reads a database made for PackMan, to show or to import it; never to decide anything by it.
 * Throws DATABASE_MALFORMED, DATABASE_TOO_LARGE.
 */
export async function decodePackMan(bytes: Uint8Array): Promise<PackManDatabase> {
  if (bytes.length > LIMIT_BYTES) {
    throw new PacksignError('DATABASE_TOO_LARGE', `the PackMan database is larger than ${LIMIT_BYTES} bytes`);
  }
  const text = textOf(bytes);
  const plain = guarded(text);
  const { parse } = await import('plist');
  try {
    return { ...databaseOf(parse(plain)), hasComments: text.includes('<!--') };
  } catch (error) {
    throw malformed(reasonOf(error));
  }
}

function textOf(bytes: Uint8Array): string {
  const isLatin = /^\s*<\?xml [^>]*encoding=["']iso-8859-1["']/i.test(
    Buffer.from(bytes.subarray(0, 200)).toString('latin1'),
  );
  try {
    return new TextDecoder(isLatin ? 'latin1' : 'utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw malformed('it is not UTF-8 text');
  }
}

/**
 * Text that the parser may read: balanced elements of a property list with text between them. The parser would guess at
 * text that is not well-formed, accept entities, binary and other dialects, and complain to the terminal.
 */
function guarded(text: string): string {
  const plain = withoutComments(text);
  const start = BEFORE_ROOT.exec(plain)?.[0];
  if (start === undefined) throw malformed('it does not begin with <plist>');
  const open: string[] = [];
  let elements = 0;
  for (let at = endOfText(plain, start.length); at < plain.length; at = endOfText(plain, at)) {
    TAG.lastIndex = at;
    const [tag = '', slash, name = '', empty] = TAG.exec(plain) ?? [];
    if (tag === '') throw malformed(`unexpected text at character ${at}`);
    at += tag.length;
    if (slash === '/' && open.pop() !== name) throw malformed('its tags do not match');
    if (slash === '' && empty === '') open.push(name);
    if (slash === '' && ++elements > ELEMENT_LIMIT) throw malformed('it has too many elements');
    if (open.length > DEPTH_LIMIT) throw malformed('its elements nest too deep');
    if (open.length === 0 && plain.slice(at).trim() !== '') throw malformed('text after the end');
  }
  if (open.length > 0) throw malformed('it ends too early');
  return plain.trim();
}

/** Not by a regular expression: it would look for the end of a comment again from each beginning. */
function withoutComments(text: string): string {
  const parts: string[] = [];
  let at = 0;
  for (let start = text.indexOf('<!--'); start >= 0; start = text.indexOf('<!--', at)) {
    const end = text.indexOf('-->', start + '<!--'.length);
    if (end < 0) break;
    parts.push(text.slice(at, start));
    at = end + '-->'.length;
  }
  return parts.join('') + text.slice(at);
}

/** Where the text that begins at a place ends: at a tag, at what is no reference, or with all of it. */
function endOfText(text: string, at: number): number {
  for (TEXT_STOP.lastIndex = at; ;) {
    const found = TEXT_STOP.exec(text);
    if (found === null) return text.length;
    REFERENCE.lastIndex = found.index;
    if (found[0] === '<' || !REFERENCE.test(text)) return found.index;
    TEXT_STOP.lastIndex = REFERENCE.lastIndex;
  }
}

const TOP_KEYS = ['Version', 'Maintainer', 'Description', 'Include', 'Packages'];

function databaseOf(value: PlistValue): Omit<PackManDatabase, 'hasComments'> {
  const top = asDict(value);
  const packages = top['Packages'];
  if (!Array.isArray(packages)) throw new Error('the list of packages is missing');
  const include = top['Include'];
  return {
    version: asText(top['Version']),
    maintainer: asText(top['Maintainer']),
    description: asText(top['Description']) ?? '',
    include: Array.isArray(include) ? include.filter((item) => typeof item === 'string') : [],
    otherKeys: Object.keys(top).filter((key) => !TOP_KEYS.includes(key)),
    packages: packages.map((entry) => packageOf(asDict(entry))),
  };
}

function packageOf(entry: Dict): PackManPackage {
  if (asText(entry['Name']) === null) throw new Error('a package has no name');
  return Object.fromEntries(Object.keys(entry).map((key) => [key, valueOf(entry[key])]));
}

function valueOf(value: unknown): PackManValue | null {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (!Array.isArray(value)) return null;
  const items = (value as readonly unknown[]).map(itemOf);
  return items.every((item) => item !== null) ? items : null;
}

function itemOf(item: unknown): string | Readonly<Record<string, string>> | null {
  if (typeof item === 'string') return item;
  if (typeof item !== 'object' || item === null) return null;
  return Object.values(item).every((text) => typeof text === 'string')
    ? (item as Readonly<Record<string, string>>)
    : null;
}

type Dict = Readonly<Record<string, unknown>>;

function asDict(value: unknown): Dict {
  const isDict =
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
  if (isDict) return value as Dict;
  throw new Error('a dictionary is missing');
}

function asText(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function malformed(reason: string): PacksignError {
  return new PacksignError('DATABASE_MALFORMED', `not a PackMan database: ${reason}`);
}
