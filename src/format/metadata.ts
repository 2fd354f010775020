import type { Metadata } from '../model/metadata.js';
import { isPlainWord, oneLine } from '../model/text.js';

/** Longest summary of a package, in code points (docs/FORMAT.md §4). */
const SUMMARY_LIMIT = 1024;
/** Longer names and versions are nobody's, and would not fit into a database in the end. */
const WORD_LIMIT = 1024;
/** Longer addresses are no addresses that a browser opens. */
const ADDRESS_LIMIT = 2048;

interface Header {
  readonly name: string;
  /** The value's lines as they stand; more than one where the header is folded. */
  readonly lines: readonly string[];
}

/**
 * Reads the headers of a `PKG-INFO` or `METADATA` file (core metadata 1.0 to 2.4) as Python's e-mail
 * parser does. Null when there is no usable Name and Version. Never throws.
 */
export function parsePkgInfo(bytes: Uint8Array, kind: 'sdist' | 'wheel' | 'egg'): Metadata | null {
  const headers = readHeaders(toBuffer(bytes).toString('latin1'));
  const name = firstValue(headers, 'name');
  const version = firstValue(headers, 'version');
  if (!isWord(name) || !isWord(version)) return null;
  const summary = firstValue(headers, 'summary') ?? '';
  return {
    kind,
    name,
    version,
    // Old setuptools writes UNKNOWN for what its author left out.
    summary: summary === 'UNKNOWN' ? '' : oneLine(summary, SUMMARY_LIMIT),
    homePage: webAddress(firstValue(headers, 'home-page')) ?? projectHomePage(headers),
  };
}

/** Reads a `package.json`. Null when there is no usable name and version. Never throws. */
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

/** The header block: up to the first blank line or the first line that is no header. */
function readHeaders(text: string): readonly Header[] {
  const headers: Header[] = [];
  // Where a continuation line goes; an own list of nobody's where it has nothing to continue.
  let folded: string[] = [];
  for (let at = 0; at < text.length;) {
    const end = lineEnd(text, at);
    const line = text.slice(at, end);
    at = text.startsWith('\r\n', end) ? end + 2 : end + 1;
    if (line.startsWith(' ') || line.startsWith('\t')) {
      folded.push(line);
      continue;
    }
    const colon = /^[!-9;-~]*:/.exec(line)?.[0].length ?? 0;
    // An mbox separator is passed over by the e-mail parser, it does not end the headers.
    if (colon === 0 && !line.startsWith('From ')) break;
    folded = [line.slice(colon)];
    if (colon > 1) headers.push({ name: line.slice(0, colon - 1).toLowerCase(), lines: folded });
  }
  return headers;
}

function lineEnd(text: string, at: number): number {
  for (let end = at; end < text.length; end += 1) {
    const code = text.charCodeAt(end);
    if (code === 10 || code === 13) return end;
  }
  return text.length;
}

function firstValue(headers: readonly Header[], name: string): string | null {
  const header = headers.find((candidate) => candidate.name === name);
  return header === undefined ? null : valueOf(header);
}

function valueOf(header: Header): string {
  return decodeValue(header.lines.join('\n')).trim();
}

/** `Project-URL: Homepage, https://example.org`, its label compared without case, blanks and punctuation. */
function projectHomePage(headers: readonly Header[]): string | null {
  for (const header of headers) {
    if (header.name !== 'project-url') continue;
    const [, label = '', address = ''] = /^([^,]*),(.*)$/s.exec(valueOf(header)) ?? [];
    if (label.toLowerCase().replace(/[^a-z0-9]/g, '') !== 'homepage') continue;
    const page = webAddress(address.trim());
    if (page !== null) return page;
  }
  return null;
}

/** The text where it is an http or https address of printable ASCII without a user name; its scheme in lower case. */
function webAddress(text: string | null): string | null {
  if (text === null || text.length > ADDRESS_LIMIT) return null;
  if (!isPlainWord(text) || !/^https?:\/\//i.test(text) || !URL.canParse(text)) return null;
  const { username, password } = new URL(text);
  // The part before an @ makes one site look like another.
  return username === '' && password === ''
    ? text.replace(/^https?/i, (scheme) => scheme.toLowerCase())
    : null;
}

/** Bytes that were read as Latin-1, as UTF-8 where they are that. */
function decodeValue(latin1: string): string {
  if (!/[\u0080-\u00ff]/.test(latin1)) return latin1;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(latin1, 'latin1'));
  } catch {
    return latin1;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch {
    return null;
  }
}

/** An own property only: what a prototype says is not what the archive says. */
function ownText(value: object, key: string): string | null {
  const property: unknown = Object.getOwnPropertyDescriptor(value, key)?.value;
  return typeof property === 'string' ? property : null;
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
