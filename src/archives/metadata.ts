import type { Metadata } from '../model/metadata.js';
import { decodeText } from './decode-text.js';
import { isPlainWord, oneLine } from '../model/text.js';

/** Longest summary of a package, in code points (docs/FORMAT.md §4). */
const SUMMARY_LIMIT = 1024;
/** No package has a longer name or version, and a database could not hold it. */
const WORD_LIMIT = 1024;
/** Browsers open no longer addresses. */
const ADDRESS_LIMIT = 2048;

/**
 * Where the header block ends: before the first blank line or the first line that is not a header. Python's e-mail
 * parser skips an mbox separator.
 */
const END_OF_HEADERS = /(?:^|\n|\r(?!\n))(?![ \t]|From |[!-9;-~]*:)/;

const NAME = headerOf('name', 'i');
const VERSION = headerOf('version', 'i');
const SUMMARY = headerOf('summary', 'i');
const HOME_PAGE = headerOf('home-page', 'i');
const PROJECT_URLS = headerOf('project-url', 'gi');

/** Finds a header of that name and its raw value, with all lines if it is folded. */
function headerOf(name: string, flags: string): RegExp {
  return new RegExp(`(?:^|[\\r\\n])${name}:([^\\r\\n]*(?:(?:\\r\\n|[\\r\\n])[ \\t][^\\r\\n]*)*)`, flags);
}

/**
 * Reads the headers of a `PKG-INFO` or `METADATA` file (core metadata 1.0 to 2.4) as Python's e-mail parser does. Null
 * without a usable Name and Version. Never throws.
 */
export function parsePkgInfo(bytes: Uint8Array, kind: 'sdist' | 'wheel' | 'egg'): Metadata | null {
  const headers = readHeaders(toBuffer(bytes));
  const name = firstValue(headers, NAME);
  const version = firstValue(headers, VERSION);
  if (!isWord(name) || !isWord(version)) return null;
  const summary = firstValue(headers, SUMMARY) ?? '';
  return {
    kind,
    name,
    version,
    // Old setuptools writes UNKNOWN for an omitted value.
    summary: summary === 'UNKNOWN' ? '' : oneLine(summary, SUMMARY_LIMIT),
    homePage: webAddress(firstValue(headers, HOME_PAGE)) ?? projectHomePage(headers),
  };
}

/** Reads a `package.json`. Null without a usable name and version. Never throws. */
export function parsePackageJson(bytes: Uint8Array): Metadata | null {
  const value = parseJson(toBuffer(bytes).toString('utf8'));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const name = ownText(value, 'name');
  const version = ownText(value, 'version');
  if (!isWord(name) || !isWord(version)) return null;
  return {
    kind: 'npm',
    name,
    version,
    summary: oneLine(ownText(value, 'description') ?? '', SUMMARY_LIMIT),
    homePage: webAddress(ownText(value, 'homepage')),
  };
}

function isWord(text: string | null): text is string {
  return text !== null && text.length <= WORD_LIMIT && isPlainWord(text);
}

/** The header block: its bytes, and a text with one character for each byte. */
interface Headers {
  readonly bytes: Buffer;
  readonly text: string;
}

function readHeaders(bytes: Buffer): Headers {
  const text = bytes.toString('latin1');
  const end = text.search(END_OF_HEADERS);
  return { bytes, text: end < 0 ? text : text.slice(0, end) };
}

function firstValue(headers: Headers, header: RegExp): string | null {
  const match = header.exec(headers.text);
  return match === null ? null : valueOf(headers, match);
}

/** The value at the end of a match, read from the bytes again: a substring would keep the whole text in memory. */
function valueOf({ bytes }: Headers, { index, 0: header, 1: value = '' }: RegExpExecArray): string {
  const end = index + header.length;
  return decodeText(bytes.subarray(end - value.length, end)).trim();
}

/** `Project-URL: Homepage, https://example.org`. Compares the label without case, blanks and punctuation. */
function projectHomePage(headers: Headers): string | null {
  for (const match of headers.text.matchAll(PROJECT_URLS)) {
    const [, label = '', address = ''] = /^([^,]*),(.*)$/s.exec(valueOf(headers, match)) ?? [];
    if (label.toLowerCase().replace(/[^a-z0-9]/g, '') !== 'homepage') continue;
    const page = webAddress(address.trim());
    if (page !== null) return page;
  }
  return null;
}

/** The text if it is an http or https address of printable ASCII without a user name; with its scheme in lower case. */
function webAddress(text: string | null): string | null {
  if (text === null || text.length > ADDRESS_LIMIT) return null;
  if (!/^https?:\/\/[!-~]*$/i.test(text) || !URL.canParse(text)) return null;
  // The part before an @ makes one site look like another.
  return hasUser(text) ? null : text.replace(/^https?/i, (scheme) => scheme.toLowerCase());
}

function hasUser(address: string): boolean {
  if (!address.includes('@')) return false;
  const { username, password } = new URL(address);
  return username !== '' || password !== '';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch {
    return null;
  }
}

/** An own property only: the archive does not set those of a prototype. */
function ownText(value: object, key: string): string | null {
  const property: unknown = Object.getOwnPropertyDescriptor(value, key)?.value;
  return typeof property === 'string' ? property : null;
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
