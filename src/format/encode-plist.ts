import { TEXT_LIMIT_BYTES, cleanText } from '../model/text.js';
import { formatInstant, isInstant } from '../model/time.js';
import { FOOTER, HEADER, NOT_PLAIN, STRING_END, isTooLong, layoutAt } from './plist.js';
import type { Layout, PlistDict, PlistValue } from './plist.js';

// Callers clean text before they write it: a value that does not fit is a bug.

/**
 * The canonical text of a document. Throws TypeError for values that no canonical text can hold: forbidden
 * characters, strings above 64 KiB of UTF-8, numbers other than integers from 0 to 2^53 - 1, dates with
 * fractions of a second or outside the years 1970 to 9999, values nested deeper than `DEPTH_LIMIT`.
 */
export function encodePlist(value: PlistDict): string {
  return encodeDocument(linesOf(value, 1)).toString();
}

/** Whole lines of a document, as text or as bytes, without the last line end. */
export type Lines = string | Uint8Array;

/** Convert text to bytes in chunks: a big document should not be in memory twice, as text and as bytes. */
const CHUNK_LENGTH = 1024 * 1024;

/**
 * A document from the lines of its root. For big documents, put the text of entries (`encodeValue`, `entryWriter`)
 * together with `dictLines` and `arrayLines`, which keep none of it. `likelyBytes` estimates the length: memory that
 * is never written costs little on most systems, and moving what was written costs more.
 */
export function encodeDocument(root: Iterable<Lines>, likelyBytes = 0): Buffer {
  let room = Buffer.allocUnsafeSlow(likelyBytes);
  let length = 0;
  const makeRoom = (bytes: number) => {
    if (length + bytes <= room.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * length + bytes);
    room.copy(larger, 0, 0, length);
    room = larger;
  };
  const write = (text: string) => {
    makeRoom(Buffer.byteLength(text));
    length += room.write(text, length);
  };
  let text = `${HEADER}\n`;
  for (const lines of root) {
    if (typeof lines === 'string') {
      text += `${lines}\n`;
      if (text.length < CHUNK_LENGTH) continue;
      write(text);
      text = '';
    } else {
      write(text);
      makeRoom(lines.length);
      room.set(lines, length);
      length += lines.length;
      text = '\n';
    }
  }
  write(text + FOOTER);
  return room.subarray(0, length);
}

/** The lines of one value, indented for `level`, as one text without the last line end. */
export function encodeValue(value: PlistValue, level: number): string {
  return lineOf(value, layoutAt(level)) ?? linesOf(value, level).join('\n');
}

/** The line of a key, indented for `level`, the level of its value. */
export function encodeKey(key: string, level: number): string {
  return keyLine(key, layoutAt(level));
}

/** The lines of a dict of `level` around the lines of its members: keys and values of `level` + 1, alternating. */
export function dictLines(members: Iterable<Lines>, level: number): Iterable<Lines> {
  return within('dict', members, layoutAt(level));
}

/** The lines of an array of `level` around the lines of its items, values of `level` + 1. */
export function arrayLines(items: Iterable<Lines>, level: number): Iterable<Lines> {
  return within('array', items, layoutAt(level));
}

function* within(name: string, lines: Iterable<Lines>, { indent }: Layout): Generator<Lines> {
  let isEmpty = true;
  for (const line of lines) {
    if (isEmpty) yield `${indent}<${name}>`;
    isEmpty = false;
    yield line;
  }
  yield isEmpty ? `${indent}<${name}/>` : `${indent}</${name}>`;
}

/** Turns the value of one key into a value that `encodePlist` takes. */
interface EntryField {
  readonly name: string;
  readonly valueOf: (value: unknown) => PlistValue;
}

/**
 * Makes a writer for entries of `level` that all have the same keys, at least one of them required. It writes what
 * `encodeValue` would write for a dict of the keys present, but makes no dict, and prepares the text around strings
 * once. `valuesOf` gives an entry's values in the order of the fields: reading each by a computed name takes longer
 * than writing it.
 */
export function entryWriter<T>(
  fields: readonly EntryField[],
  level: number,
  valuesOf: (entry: T) => readonly unknown[],
): (entry: T) => string {
  const { indent } = layoutAt(level);
  const begin = `${indent}<dict>\n`;
  const end = `${indent}</dict>`;
  const layout = layoutAt(level + 1);
  const rows = fields.map(({ name, valueOf }) => {
    const key = `${keyLine(name, layout)}\n`;
    return { valueOf, key, open: key + layout.string };
  });
  return (entry) => {
    let text = begin;
    const values = valuesOf(entry);
    let index = 0;
    for (const { valueOf, key, open } of rows) {
      const value = values[index];
      index += 1;
      if (value === undefined) continue;
      // Nearly all values are strings, which every field writes as they are.
      text +=
        typeof value === 'string' && value !== ''
          ? open + escapeText(value) + STRING_END
          : `${key}${encodeValue(valueOf(value), level + 1)}\n`;
    }
    return text + end;
  };
}

function linesOf(value: PlistValue, level: number): readonly string[] {
  const lines: string[] = [];
  addLines(lines, value, layoutAt(level));
  return lines;
}

function addLines(lines: string[], value: PlistValue, layout: Layout): void {
  const line = lineOf(value, layout);
  if (line !== null) {
    lines.push(line);
    return;
  }
  const name = value instanceof Map ? 'dict' : 'array';
  const inner = layoutAt(layout.level + 1);
  const begin = lines.push(`${layout.indent}<${name}>`);
  if (value instanceof Map) {
    for (const [key, item] of value as PlistDict) {
      lines.push(keyLine(key, inner));
      addLines(lines, item, inner);
    }
  } else for (const item of value as readonly PlistValue[]) addLines(lines, item, inner);
  if (lines.length > begin) lines.push(`${layout.indent}</${name}>`);
  else lines[begin - 1] = `${layout.indent}<${name}/>`;
}

/** The one line of a value that is neither a dict nor an array; null for those. */
function lineOf(value: PlistValue, { indent, string }: Layout): string | null {
  if (typeof value === 'string') {
    return value === '' ? `${indent}<string/>` : `${string}${escapeText(value)}</string>`;
  }
  return value instanceof Map || Array.isArray(value) ? null : indent + scalarText(value);
}

function keyLine(key: string, layout: Layout): string {
  return key === '' ? `${layout.indent}<key/>` : `${layout.key}${escapeText(key)}</key>`;
}

function scalarText(value: unknown): string {
  if (typeof value === 'number') return `<integer>${integerText(value)}</integer>`;
  if (typeof value === 'boolean') return value ? '<true/>' : '<false/>';
  if (value instanceof Date) return `<date>${dateText(value)}</date>`;
  throw new TypeError(`a property list holds no ${value === null ? 'null' : typeof value}`);
}

function escapeText(text: string): string {
  if (isTooLong(text)) {
    throw new TypeError(`a string of a property list is longer than ${TEXT_LIMIT_BYTES} bytes`);
  }
  if (!NOT_PLAIN.test(text)) return text;
  if (cleanText(text) !== text) throw new TypeError('forbidden character in a string of a property list');
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function integerText(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0 || Object.is(value, -0)) {
    throw new TypeError(`not an integer from 0 to 2^53 - 1: ${value}`);
  }
  return String(value);
}

/** Files that were listed in one build share one date object. */
let lastDate: { readonly date: Date | null; readonly text: string } = { date: null, text: '' };

function dateText(date: Date): string {
  if (date === lastDate.date) return lastDate.text;
  if (!isInstant(date)) throw new TypeError('not a date of whole seconds in the years 1970 to 9999');
  lastDate = { date, text: formatInstant(date) };
  return lastDate.text;
}
