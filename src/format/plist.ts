import { FORBIDDEN_CHARACTERS, TEXT_LIMIT_BYTES, cleanText } from '../model/text.js';

/** The values of a property list (docs/FORMAT.md §2), each of which has one canonical text. */
export type PlistValue = string | number | boolean | Date | readonly PlistValue[] | PlistDict;

/** A map, not an object: `__proto__` is a key like any other, and keys that look like integers keep their place. */
export type PlistDict = ReadonlyMap<string, PlistValue>;

/** The lines before the root of a document, which is a dict of level 1. */
export const HEADER = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
`;

/** The line after the root; no line end follows. */
export const FOOTER = '</plist>';

export function indentAt(level: number): string {
  return '  '.repeat(level);
}

// Text decoded from UTF-8 has no lone surrogates: without them, the class needs no flag `u`, which is slow.
const FORBIDDEN_UNITS = FORBIDDEN_CHARACTERS.replace('\\p{Surrogate}', '');
/** Source of a pattern for text that a document holds unescaped: the longest run, never empty. */
export const PLAIN_TEXT = `[^&<>${FORBIDDEN_UNITS}]+`;
/** A document holds text without these characters unescaped; nearly all text is like that. */
const NOT_PLAIN = new RegExp(`[&<>${FORBIDDEN_UNITS}\\ud800-\\udfff]`);
const NOT_CANONICAL = new RegExp(`[<>${FORBIDDEN_UNITS}]|&(?!(?:amp|lt|gt);)`);

/** The canonical form of a string or key. Throws TypeError if it has none. */
export function escapeText(text: string): string {
  if (isTooLong(text)) {
    throw new TypeError(`a string of a property list is longer than ${TEXT_LIMIT_BYTES} bytes`);
  }
  if (!NOT_PLAIN.test(text)) return text;
  if (cleanText(text) !== text) throw new TypeError('forbidden character in a string of a property list');
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** The string whose canonical form this is, if it is not too long; or the position of what is not canonical. */
export function unescapeText(raw: string): string | number {
  if (!NOT_PLAIN.test(raw)) return raw;
  const odd = NOT_CANONICAL.exec(raw);
  if (odd !== null) return odd.index;
  return raw.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

/** Whether a string exceeds the limit. A unit of UTF-16 is at most three bytes of UTF-8: few texts need encoding. */
export function isTooLong(text: string): boolean {
  if (text.length * 3 <= TEXT_LIMIT_BYTES) return false;
  return text.length > TEXT_LIMIT_BYTES || new TextEncoder().encode(text).length > TEXT_LIMIT_BYTES;
}

const INTEGER = /^(?:0|[1-9][0-9]{0,15})$/;

/** The number that is written like this, from 0 to 2^53 - 1. */
export function parseInteger(digits: string): number | undefined {
  const value = INTEGER.test(digits) ? Number(digits) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}
