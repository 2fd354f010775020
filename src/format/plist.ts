import { FORBIDDEN_CHARACTERS, TEXT_LIMIT_BYTES } from '../model/text.js';

/**
 * The values of a property list (docs/FORMAT.md §2). `encodePlist` writes one canonical text for each value, and
 * `decodePlist` reads nothing else. For all bytes: `decodePlist(bytes)` succeeds only if `encodePlist` of its
 * value gives the same bytes.
 */
export type PlistValue = string | number | boolean | Date | readonly PlistValue[] | PlistDict;

/** A map, not an object: `__proto__` is a key like any other, and keys that look like integers keep their place. */
export type PlistDict = ReadonlyMap<string, PlistValue>;

/** The lines before the root of a document, which is a dict of level 1. */
export const HEADER = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">`;

/** The line after the root; no line end follows. */
export const FOOTER = '</plist>';

export const STRING_END = '</string>\n';

/** How deep dicts and arrays may nest, including the root; a database needs 5. Bounds the recursion here. */
export const DEPTH_LIMIT = 32;

/** The lines of one level of a document, or what they begin with. */
export interface Layout {
  readonly level: number;
  readonly indent: string;
  readonly key: string;
  readonly emptyKey: string;
  readonly string: string;
  readonly dictEnd: string;
  readonly arrayEnd: string;
}

/** By level. The last level holds keys and values, but no dict and no array. */
export const LAYOUTS: readonly Layout[] = Array.from({ length: DEPTH_LIMIT + 2 }, (_, level) => {
  const indent = '  '.repeat(level);
  return {
    level,
    indent,
    key: `${indent}<key>`,
    emptyKey: `${indent}<key/>\n`,
    string: `${indent}<string>`,
    dictEnd: `${indent}</dict>\n`,
    arrayEnd: `${indent}</array>\n`,
  };
});

/** The layout of a level that exists. */
export function layoutAt(level: number): Layout {
  const layout = LAYOUTS[level];
  if (layout === undefined) throw new TypeError(`a property list nests at most ${DEPTH_LIMIT} deep`);
  return layout;
}

/** A document holds text without these characters unescaped; nearly all text is like that. */
export const NOT_PLAIN = new RegExp(`[&<>${FORBIDDEN_CHARACTERS}]`, 'u');

/** Text decoded from UTF-8 has no lone surrogates, so that this class needs no flag `u`, which backtracks. */
const FORBIDDEN_UNITS = FORBIDDEN_CHARACTERS.replace('\\p{Surrogate}', '');
/** Source of a pattern for text that a document holds unescaped: the longest run, never empty. */
export const PLAIN_TEXT = `[^&<>${FORBIDDEN_UNITS}]+`;

/** Whether a string exceeds the limit. A unit of UTF-16 is at most three bytes of UTF-8: few texts need encoding. */
export function isTooLong(text: string): boolean {
  if (text.length * 3 <= TEXT_LIMIT_BYTES) return false;
  return text.length > TEXT_LIMIT_BYTES || new TextEncoder().encode(text).length > TEXT_LIMIT_BYTES;
}
