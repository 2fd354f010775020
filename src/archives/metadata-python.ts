import type { Metadata } from '../model/metadata.js';
import { decodeText } from './decode-text.js';
import { toMetadata, webAddress } from './metadata.js';

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
export function parsePkgInfo(bytes: Buffer, kind: 'sdist' | 'wheel' | 'egg'): Metadata | null {
  const headers = readHeaders(bytes);
  const summary = firstValue(headers, SUMMARY);
  return toMetadata(kind, {
    name: firstValue(headers, NAME),
    version: firstValue(headers, VERSION),
    // Old setuptools writes UNKNOWN for an omitted value.
    summary: summary === 'UNKNOWN' ? null : summary,
    homePage: webAddress(firstValue(headers, HOME_PAGE)) ?? projectHomePage(headers),
  });
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

/** The value at the end of a match, decoded from the bytes. */
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
