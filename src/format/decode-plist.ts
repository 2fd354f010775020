import { FORBIDDEN_CHARACTERS, TEXT_LIMIT_BYTES } from '../model/text.js';
import { parseInstant } from '../model/time.js';
import {
  DEPTH_LIMIT,
  FOOTER,
  HEADER,
  LAYOUTS,
  NOT_PLAIN,
  PLAIN_TEXT,
  STRING_END,
  isTooLong,
  layoutAt,
} from './plist.js';
import type { Layout, PlistDict, PlistValue } from './plist.js';
import { refusal, refusalOfBytes } from './plist-refusal.js';

// The text may be hostile. This reader is strict: it takes exactly what `encodePlist` writes.

/** The layout of the keys and values of the root. */
const ROOT_MEMBERS = layoutAt(2);
const NOT_CANONICAL = new RegExp(`[>${FORBIDDEN_CHARACTERS}]|&(?!(?:amp|lt|gt);)`, 'u');
const INTEGER = /^(?:0|[1-9][0-9]{0,15})$/;

/** A position in a text, and what the reader met before: entries are alike, so most lines occur again and again. */
interface Cursor {
  readonly text: string;
  at: number;
  readonly dates: Map<string, Date>;
  readonly keyLines: Map<string, KeyLine>;
  lastKeyLine: KeyLine;
  readonly unkeptKeyLine: KeyLine;
  readonly plain: PlainLists;
}

/** Lists of the root, by their keys, whose entries are mostly plain. */
export type PlainLists = ReadonlyMap<string, PlainEntries>;

/**
 * Reads the plain entries of a list in one step. The pattern matches only the canonical text of values that need no
 * second look. Any other text is read like any other value, and refused there if it is wrong.
 */
export interface PlainEntries {
  /** Whether the list is a dict. The first group of the pattern is then the key. */
  readonly isDict: boolean;
  /** Matches all lines of an entry, including its key, from their beginning: sticky. */
  readonly pattern: RegExp;
  /** A plain object, or null if the entry is not plain after all. Equal dates are to be one object. */
  readonly valueOf: (match: RegExpExecArray, dateOf: (text: string) => Date | null) => PlainEntry | null;
}

/** Distinguishable from every value of a property list: no list, no map and no date. */
export type PlainEntry = Readonly<Record<string, unknown>>;

const NO_PLAIN_LISTS: PlainLists = new Map();
/** A match up to this length holds no string that is too long. */
const PLAIN_LENGTH = TEXT_LIMIT_BYTES / 3;

/** The line of a key, and the key line that followed it last time: nearly always the one that follows it now. */
interface KeyLine {
  readonly key: string;
  readonly line: string;
  readonly layout: Layout | null;
  next: KeyLine | null;
  /** Once the key had a string: matches the line and a string that needs no second look. */
  plainMember: RegExp | null;
}

/** Keys that name fields are few, and occur in every entry; keys that are paths occur once. */
const KEY_LINES_LIMIT = 256;

/**
 * The value of a canonical text, read in one pass. The caller bounds the length. Equal dates are one object. An entry
 * that `plain` reads is a plain object in the result, for the caller's shape to accept. Throws DATABASE_MALFORMED.
 */
export function decodePlist(bytes: Uint8Array, plain: PlainLists = NO_PLAIN_LISTS): PlistDict {
  const unkeptKeyLine = makeKeyLine('', '', null);
  const cursor: Cursor = {
    text: decodeText(bytes),
    at: 0,
    dates: new Map(),
    keyLines: new Map(),
    lastKeyLine: unkeptKeyLine,
    unkeptKeyLine,
    plain,
  };
  for (const line of HEADER.split('\n')) expect(cursor, `${line}\n`);
  const { at } = cursor;
  const root = readValue(cursor, layoutAt(1));
  if (!(root instanceof Map)) throw refusal(cursor.text, at, 'expected a dict as the root');
  expect(cursor, FOOTER);
  if (cursor.at !== cursor.text.length) throw refusal(cursor.text, cursor.at, 'expected the end of the file');
  return root;
}

function decodeText(bytes: Uint8Array): string {
  try {
    // Keep a byte-order mark: the header does not begin with one, so that it is refused.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refusalOfBytes(bytes);
  }
}

function readValue(cursor: Cursor, layout: Layout): PlistValue {
  // Nearly all values are strings that are not empty.
  if (take(cursor, layout.string)) {
    const start = cursor.at;
    return unescapeText(cursor.text, start, readUntil(cursor, STRING_END));
  }
  const { text } = cursor;
  if (!take(cursor, layout.indent)) throw refusal(text, cursor.at, expectedIndent(layout));
  switch (text[cursor.at + 1]) {
    case 's':
      expect(cursor, '<string/>\n');
      return '';
    case 'i':
      return readInteger(cursor);
    case 't':
      expect(cursor, '<true/>\n');
      return true;
    case 'f':
      expect(cursor, '<false/>\n');
      return false;
    case 'a':
      return readArray(cursor, layout);
    case 'd':
      return text.startsWith('<date>', cursor.at) ? readDate(cursor) : readDict(cursor, layout);
    default:
      throw refusal(text, cursor.at, text[cursor.at] === ' ' ? expectedIndent(layout) : 'expected a value');
  }
}

function readInteger(cursor: Cursor): number {
  expect(cursor, '<integer>');
  const start = cursor.at;
  const digits = readUntil(cursor, '</integer>\n');
  const value = INTEGER.test(digits) ? Number(digits) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw refusal(cursor.text, start, 'expected an integer from 0 to 2^53 - 1');
}

function readDate(cursor: Cursor): Date {
  expect(cursor, '<date>');
  const start = cursor.at;
  const date = dateOf(cursor, readUntil(cursor, '</date>\n'));
  if (date === null) throw refusal(cursor.text, start, 'expected a date like 2026-11-22T14:05:09Z');
  return date;
}

function dateOf({ dates }: Cursor, text: string): Date | null {
  const known = dates.get(text);
  if (known !== undefined) return known;
  const date = parseInstant(text);
  if (date !== null) dates.set(text, date);
  return date;
}

function readArray(cursor: Cursor, layout: Layout, plain: PlainEntries | null = null): readonly PlistValue[] {
  const inner = innerOf(cursor, layout);
  const values: unknown[] = [];
  if (take(cursor, '<array/>\n')) return [];
  expect(cursor, '<array>\n');
  do {
    const entry = plain === null ? null : readPlainEntry(cursor, plain);
    values.push(entry?.value ?? readValue(cursor, inner));
  } while (!take(cursor, layout.arrayEnd));
  return values as readonly PlistValue[];
}

function readDict(cursor: Cursor, layout: Layout, plain: PlainEntries | null = null): PlistDict {
  const inner = innerOf(cursor, layout);
  const dict = new Map<string, unknown>();
  if (take(cursor, '<dict/>\n')) return new Map();
  expect(cursor, '<dict>\n');
  for (let count = 1; ; count += 1) {
    const { at } = cursor;
    const entry = plain === null ? null : readPlainEntry(cursor, plain);
    if (entry !== null) dict.set(entry.key, entry.value);
    else if (!readLikelyMember(cursor, inner, dict)) {
      if (count > 1 && take(cursor, layout.dictEnd)) return dict as PlistDict;
      readMember(cursor, inner, dict);
    }
    if (dict.size !== count) throw refusal(cursor.text, at, 'expected each key once');
  }
}

function innerOf(cursor: Cursor, { level }: Layout): Layout {
  const inner = LAYOUTS[level + 1];
  if (inner === undefined) throw refusal(cursor.text, cursor.at, `expected at most ${DEPTH_LIMIT} levels`);
  return inner;
}

/** An entry read in one step, with its key in a dict; null if the next entry is not plain. */
function readPlainEntry(
  cursor: Cursor,
  { isDict, pattern, valueOf }: PlainEntries,
): { readonly key: string; readonly value: PlainEntry } | null {
  pattern.lastIndex = cursor.at;
  const match = pattern.exec(cursor.text);
  if (match === null || pattern.lastIndex - cursor.at > PLAIN_LENGTH) return null;
  const value = valueOf(match, (text) => dateOf(cursor, text));
  if (value === null) return null;
  cursor.at = pattern.lastIndex;
  return { key: isDict ? (match[1] ?? '') : '', value };
}

/** Reads the key that followed the last key before. Most of a database is read here. */
function readLikelyMember(cursor: Cursor, layout: Layout, dict: Map<string, unknown>): boolean {
  const likely = cursor.lastKeyLine.next;
  if (likely?.layout !== layout) return false;
  const text = takePlainMember(cursor, likely);
  if (text === null && !take(cursor, likely.line)) return false;
  cursor.lastKeyLine = likely;
  dict.set(likely.key, text ?? readValue(cursor, layout));
  return true;
}

function takePlainMember(cursor: Cursor, { layout, line, plainMember }: KeyLine): string | null {
  if (layout === null || plainMember === null) return null;
  plainMember.lastIndex = cursor.at;
  if (!plainMember.test(cursor.text)) return null;
  const start = cursor.at + line.length + layout.string.length;
  cursor.at = plainMember.lastIndex;
  return withinLimit(cursor.text, start, cursor.text.slice(start, cursor.at - STRING_END.length));
}

function readMember(cursor: Cursor, layout: Layout, dict: Map<string, unknown>): void {
  if (take(cursor, layout.emptyKey)) {
    dict.set('', readValue(cursor, layout));
    return;
  }
  const keyLine = readKeyLine(cursor, layout);
  const kept = cursor.keyLines.has(keyLine.line);
  cursor.lastKeyLine.next = keyLine;
  cursor.lastKeyLine = kept ? keyLine : cursor.unkeptKeyLine;
  const value = readMemberValue(cursor, layout, keyLine.key);
  if (kept && typeof value === 'string') keyLine.plainMember ??= plainMemberOf(keyLine.line, layout);
  dict.set(keyLine.key, value);
}

/** Reads the value of a key, which at the root may be a list of plain entries. */
function readMemberValue(cursor: Cursor, layout: Layout, key: string): PlistValue {
  const plain = layout === ROOT_MEMBERS ? cursor.plain.get(key) : undefined;
  if (plain === undefined) return readValue(cursor, layout);
  const begin = `${layout.indent}<${plain.isDict ? 'dict' : 'array'}>`;
  if (!cursor.text.startsWith(begin, cursor.at)) return readValue(cursor, layout);
  cursor.at += layout.indent.length;
  return plain.isDict ? readDict(cursor, layout, plain) : readArray(cursor, layout, plain);
}

function readKeyLine(cursor: Cursor, layout: Layout): KeyLine {
  const { text, at } = cursor;
  if (!take(cursor, layout.key)) {
    throw refusal(text, at, `expected a key after ${layout.indent.length} spaces`);
  }
  const start = cursor.at;
  const raw = readUntil(cursor, '</key>\n');
  const line = text.slice(at, cursor.at);
  const known = cursor.keyLines.get(line);
  if (known !== undefined) return known;
  const keyLine = makeKeyLine(unescapeText(text, start, raw), line, layout);
  if (cursor.keyLines.size < KEY_LINES_LIMIT) cursor.keyLines.set(line, keyLine);
  return keyLine;
}

function makeKeyLine(key: string, line: string, layout: Layout | null): KeyLine {
  return { key, line, layout, next: null, plainMember: null };
}

function plainMemberOf(line: string, layout: Layout): RegExp {
  return new RegExp(patternOf(line + layout.string) + PLAIN_TEXT + STRING_END, 'y');
}

/** The source of a pattern that matches just this text. */
export function patternOf(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** The text up to the next `<`, where `end` must begin. Never empty: empty elements have a short form. */
function readUntil(cursor: Cursor, end: string): string {
  const { text, at } = cursor;
  const stop = text.indexOf('<', at);
  if (stop === at) throw refusal(text, at, 'expected text, or the short form of an empty element');
  if (stop === -1) throw refusal(text, text.length, `expected ${end.trimEnd()}`);
  cursor.at = stop;
  expect(cursor, end);
  return text.slice(at, stop);
}

/** Unescapes `raw`, which begins at `start` in `text`. */
function unescapeText(text: string, start: number, raw: string): string {
  if (!NOT_PLAIN.test(raw)) return withinLimit(text, start, raw);
  const odd = NOT_CANONICAL.exec(raw);
  if (odd !== null) {
    throw refusal(text, start + odd.index, 'expected text without forbidden or unescaped characters');
  }
  const plain = raw.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  return withinLimit(text, start, plain);
}

function withinLimit(text: string, start: number, plain: string): string {
  if (isTooLong(plain)) throw refusal(text, start, `expected at most ${TEXT_LIMIT_BYTES} bytes in a string`);
  return plain;
}

function take(cursor: Cursor, expected: string): boolean {
  if (!cursor.text.startsWith(expected, cursor.at)) return false;
  cursor.at += expected.length;
  return true;
}

function expect(cursor: Cursor, expected: string): void {
  if (take(cursor, expected)) return;
  const lineEnd = expected.endsWith('\n') ? ' and a line end' : '';
  throw refusal(cursor.text, cursor.at, `expected ${expected.trimEnd()}${lineEnd}`);
}

function expectedIndent({ indent }: Layout): string {
  return `expected a value after ${indent.length} spaces`;
}
