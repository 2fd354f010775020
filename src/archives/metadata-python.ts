import type { Metadata } from '../model/metadata.js';
import { decodeLatin1 } from './decode-text.js';
import { toMetadata } from './metadata.js';

/**
 * Where the header block ends: before the first blank line or the first line that is not a header. Python's e-mail
 * parser skips an mbox separator.
 */
const END_OF_HEADERS = /(?:^|\n|\r(?!\n))(?![ \t]|From |[!-9;-~]*:)/;

/** A header that counts, and its raw value, with all lines if it is folded. */
const HEADER =
  /(?:^|[\r\n])(name|version|summary|home-page|project-url):([^\r\n]*(?:(?:\r\n|[\r\n])[ \t][^\r\n]*)*)/gi;

/**
 * Reads the headers of a `PKG-INFO` or `METADATA` file (core metadata 1.0 to 2.4) as Python's e-mail parser does. Null
 * without a usable Name and Version. Never throws.
 */
export function parsePkgInfo(bytes: Buffer, kind: 'sdist' | 'wheel' | 'egg'): Metadata | null {
  // One character for each byte: a value may be in an encoding of its own.
  const text = bytes.toString('latin1');
  const end = text.search(END_OF_HEADERS);
  const first = new Map<string, string>();
  const homePages: string[] = [];
  for (const [, header = '', raw = ''] of (end < 0 ? text : text.slice(0, end)).matchAll(HEADER)) {
    const key = header.toLowerCase();
    const value = decodeLatin1(raw).trim();
    if (key === 'project-url') homePages.push(...projectHomePage(value));
    else if (!first.has(key)) first.set(key, value);
  }
  const valueOf = (key: string) => first.get(key) ?? null;
  const summary = valueOf('summary');
  return toMetadata(kind, {
    name: valueOf('name'),
    version: valueOf('version'),
    // Old setuptools writes UNKNOWN for an omitted value.
    summary: summary === 'UNKNOWN' ? null : summary,
    homePage: [valueOf('home-page') ?? '', ...homePages],
  });
}

/** `Project-URL: Homepage, https://example.org`. Compares the label without case, blanks and punctuation. */
function projectHomePage(value: string): readonly string[] {
  const [, label = '', address = ''] = /^([^,]*),(.*)$/s.exec(value) ?? [];
  return label.toLowerCase().replace(/[^a-z0-9]/g, '') === 'homepage' ? [address.trim()] : [];
}
