import { PacksignError } from '../errors.js';
import { FORBIDDEN_CHARACTERS, TEXT_LIMIT_BYTES } from '../model/text.js';
import { parseInstant } from '../model/time.js';

/**
 * The canonical text of a property list (docs/FORMAT.md §2), written and read without any leniency:
 * the reader takes exactly what the writer writes, so that every text it takes is known to be canonical
 * without being written a second time. For all bytes: `decodePlist(bytes)` succeeds only if
 * `encodePlist` of its value gives the same bytes.
 */
export type PlistValue = string | number | boolean | Date | readonly PlistValue[] | PlistDict;

/** A map, not an object: `__proto__` is a key like any other, and keys that look like integers keep their place. */
export type PlistDict = ReadonlyMap<string, PlistValue>;

/** The lines before the root of a document, which is a dict of level 1. */
export const HEADER = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">`;

/** The line after it; no line end follows. */
export const FOOTER = '</plist>';

/** How deep dicts and arrays may nest, the root counted; a database needs 5. Bounds the recursion here. */
export const DEPTH_LIMIT = 32;

/** What lines of one level of a document begin with, or are. */
interface Layout {
  readonly indent: string;
  readonly key: string;
  readonly emptyKey: string;
  readonly string: string;
  readonly dictEnd: string;
  readonly arrayEnd: string;
  /** One level further in; none where nothing may nest any more. */
  readonly inner: Layout | null;
}

const LAYOUTS = makeLayouts();
/** The layout of keys and values of the root. */
const ROOT_MEMBERS = layoutAt(2);

const FORBIDDEN = new RegExp(`[${FORBIDDEN_CHARACTERS}]`, 'u');
/** Text without any of these stands in a document as it is; nearly all text is so. */
const NOT_PLAIN = new RegExp(`[&<>${FORBIDDEN_CHARACTERS}]`, 'u');
const NOT_CANONICAL = new RegExp(`[>${FORBIDDEN_CHARACTERS}]|&(?!(?:amp|lt|gt);)`, 'u');
/** The forbidden units of text decoded from UTF-8, where no surrogate stands alone: needs no flag `u`, which backtracks. */
const FORBIDDEN_UNITS = FORBIDDEN_CHARACTERS.replace('\\p{Surrogate}', '');
/** Source of a pattern: what stands in a document for a string that means just that. The longest there is, and never too little. */
export const PLAIN_TEXT = `[^&<>${FORBIDDEN_UNITS}]+`;
const STRING_END = '</string>\n';
const ONCE = 'expected each key once';
const LINE_END = 0x0a;
const QUOTED_LENGTH = 60;
const INTEGER = /^(?:0|[1-9][0-9]{0,15})$/;

function makeLayouts(): readonly Layout[] {
  const layouts: Layout[] = [];
  for (let level = DEPTH_LIMIT + 1; level >= 0; level -= 1) {
    const indent = '  '.repeat(level);
    layouts.unshift({
      indent,
      key: `${indent}<key>`,
      emptyKey: `${indent}<key/>\n`,
      string: `${indent}<string>`,
      dictEnd: `${indent}</dict>\n`,
      arrayEnd: `${indent}</array>\n`,
      inner: layouts[0] ?? null,
    });
  }
  return layouts;
}

function layoutAt(level: number): Layout {
  const layout = LAYOUTS[level];
  if (layout === undefined) throw new TypeError(`a property list has no level ${level}`);
  return layout;
}

// Writing. Text of ours is cleaned before it gets here: whatever does not fit is a bug.

/**
 * The canonical text of a document. Throws TypeError for what no canonical text can hold: forbidden
 * characters, strings above 64 KiB of UTF-8, numbers other than integers from 0 to 2^53 - 1, dates with
 * fractions of a second or outside the years 0000 to 9999, values nested deeper than `DEPTH_LIMIT`.
 */
export function encodePlist(value: PlistDict): string {
  return encodeDocument(linesOf(value, 1)).toString();
}

/** Whole lines of a document, as text or as bytes, without the last line end. */
export type Lines = string | Uint8Array;

/** Text is made bytes by so many characters: all of a big document as text and as bytes is too much at once. */
const WRITTEN_LENGTH = 1024 * 1024;

/**
 * A document from the lines of its root. For big documents: put the text of entries (`encodeValue`, `entryWriter`)
 * together with `dictLines` and `arrayLines`, which hold none of it. `likelyBytes` is how long it may become: on most systems
 * memory that is not written to costs little, and moving what was written costs more.
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
      if (text.length < WRITTEN_LENGTH) continue;
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
  const layout = layoutAt(level);
  return lineOf(value, layout) ?? linesOf(value, level).join('\n');
}

/** The line of a key, indented for `level`: that of its value. */
export function encodeKey(key: string, level: number): string {
  return keyLine(key, layoutAt(level));
}

/** The lines of a dict of `level` around those of its members: keys and values of `level` + 1 in turn. */
export function dictLines(members: Iterable<Lines>, level: number): Iterable<Lines> {
  return within('dict', members, layoutAt(level));
}

/** The lines of an array of `level` around those of its items, values of `level` + 1. */
export function arrayLines(items: Iterable<Lines>, level: number): Iterable<Lines> {
  return within('array', items, layoutAt(level));
}

function* within(name: 'dict' | 'array', lines: Iterable<Lines>, { indent }: Layout): Generator<Lines> {
  let isEmpty = true;
  for (const line of lines) {
    if (isEmpty) yield `${indent}<${name}>`;
    isEmpty = false;
    yield line;
  }
  yield isEmpty ? `${indent}<${name}/>` : `${indent}</${name}>`;
}

/** What writes the value of one key, as `encodePlist` takes it. */
interface EntryField {
  readonly name: string;
  readonly valueOf: (value: unknown) => PlistValue;
}

/**
 * What writes entries of `level` that all have the same keys, as `encodeValue` would write a dict of the keys that are
 * there. There are many of them: so they are not made a value first, and what surrounds their strings is made once.
 * Each has some key that is required. `valuesOf` gives an entry's values in the order of the fields: asking for them by
 * name, one after the other, takes longer than writing them.
 */
export function entryWriter<T>(
  fields: readonly EntryField[],
  level: number,
  valuesOf: (entry: T) => readonly unknown[],
): (entry: T) => string {
  const outer = layoutAt(level);
  const layout = nestedIn(outer);
  const begin = `${outer.indent}<dict>\n`;
  const end = `${outer.indent}</dict>`;
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
      // Nearly all are strings, which every field writes as they are.
      text +=
        typeof value === 'string' && value !== ''
          ? open + escapeText(value) + STRING_END
          : `${key}${encodeValue(valueOf(value), level + 1)}\n`;
    }
    return text + end;
  };
}

/** Lines on their way into a text. */
interface Sink {
  readonly pieces: string[];
  readonly lines: string[];
}

/** Lines are joined by so many: a million of them kept to the end cost more to keep than to join twice. */
const JOINED_LINES = 512;

function linesOf(value: PlistValue, level: number): readonly string[] {
  const sink: Sink = { pieces: [], lines: [] };
  writeValue(value, layoutAt(level), sink);
  return [...sink.pieces, ...sink.lines];
}

function writeLine(sink: Sink, line: string): void {
  if (sink.lines.push(line) < JOINED_LINES) return;
  sink.pieces.push(sink.lines.join('\n'));
  sink.lines.length = 0;
}

function writeValue(value: PlistValue, layout: Layout, sink: Sink): void {
  const line = lineOf(value, layout);
  if (line !== null) writeLine(sink, line);
  else if (value instanceof Map) writeDict(value as PlistDict, layout, sink);
  else writeArray(value as readonly PlistValue[], layout, sink);
}

/** The one line of a value that is neither a dict nor an array; null for one that is. */
function lineOf(value: PlistValue, layout: Layout): string | null {
  if (typeof value === 'string') return stringLine(value, layout);
  return value instanceof Map || Array.isArray(value) ? null : layout.indent + scalarText(value);
}

function writeDict(dict: PlistDict, layout: Layout, sink: Sink): void {
  const inner = nestedIn(layout);
  if (dict.size === 0) {
    writeLine(sink, `${layout.indent}<dict/>`);
    return;
  }
  writeLine(sink, `${layout.indent}<dict>`);
  for (const [key, value] of dict) {
    writeLine(sink, keyLine(key, inner));
    writeValue(value, inner, sink);
  }
  writeLine(sink, `${layout.indent}</dict>`);
}

function writeArray(values: readonly PlistValue[], layout: Layout, sink: Sink): void {
  const inner = nestedIn(layout);
  if (values.length === 0) {
    writeLine(sink, `${layout.indent}<array/>`);
    return;
  }
  writeLine(sink, `${layout.indent}<array>`);
  for (const value of values) writeValue(value, inner, sink);
  writeLine(sink, `${layout.indent}</array>`);
}

function nestedIn(layout: Layout): Layout {
  if (layout.inner === null) throw new TypeError(`a property list nests at most ${DEPTH_LIMIT} deep`);
  return layout.inner;
}

function keyLine(key: string, layout: Layout): string {
  return key === '' ? `${layout.indent}<key/>` : `${layout.key}${escapeText(key)}</key>`;
}

function stringLine(text: string, layout: Layout): string {
  return text === '' ? `${layout.indent}<string/>` : `${layout.string}${escapeText(text)}</string>`;
}

function scalarText(value: unknown): string {
  if (typeof value === 'number') return `<integer>${integerText(value)}</integer>`;
  if (typeof value === 'boolean') return value ? '<true/>' : '<false/>';
  if (value instanceof Date) return `<date>${dateText(value)}</date>`;
  throw new TypeError(`a property list holds no ${value === null ? 'null' : typeof value}`);
}

function escapeText(text: string): string {
  if (isTooLong(text))
    throw new TypeError(`a string of a property list is longer than ${TEXT_LIMIT_BYTES} bytes`);
  if (!NOT_PLAIN.test(text)) return text;
  if (FORBIDDEN.test(text)) throw new TypeError(`forbidden character in ${quote(text)}`);
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function integerText(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0 || Object.is(value, -0)) {
    throw new TypeError(`not an integer from 0 to 2^53 - 1: ${value}`);
  }
  return String(value);
}

/** Files that came together share one date. */
let lastDate: { readonly date: Date | null; readonly text: string } = { date: null, text: '' };

// In the years 0000 to 9999 the text has 24 characters, and what is wanted of it is a part.
function dateText(date: Date): string {
  if (date === lastDate.date) return lastDate.text;
  const text = Number.isNaN(date.getTime()) ? '' : date.toISOString();
  if (text.length !== 24 || !text.endsWith('.000Z')) {
    throw new TypeError('not a date of whole seconds in the years 0000 to 9999');
  }
  lastDate = { date, text: `${text.slice(0, 19)}Z` };
  return lastDate.text;
}

// One unit of UTF-16 is at most three bytes of UTF-8, which settles nearly every case without encoding.
function isTooLong(text: string): boolean {
  if (text.length * 3 <= TEXT_LIMIT_BYTES) return false;
  return text.length > TEXT_LIMIT_BYTES || new TextEncoder().encode(text).length > TEXT_LIMIT_BYTES;
}

// Reading. The text may be hostile.

/** Where in a text the reader stands, and what it met before: entries are alike, so most of it comes again. */
interface Cursor {
  readonly text: string;
  at: number;
  readonly dates: Map<string, Date>;
  readonly keyLines: Map<string, KeyLine>;
  lastKeyLine: KeyLine;
  readonly unkeptKeyLine: KeyLine;
  readonly plain: PlainLists;
}

/** Lists of the root, by their keys, of which most entries say nothing odd. */
export type PlainLists = ReadonlyMap<string, PlainEntries>;

/**
 * Entries of a list that are read in one step: the pattern takes nothing but the canonical text of a value that needs no
 * second look. What it does not take is read as any other value, and so refused where it has to be.
 */
export interface PlainEntries {
  /** Whether the list is a dict, whose keys are the first group of the pattern. */
  readonly isDict: boolean;
  /** Takes all lines of an entry, that of its key too, from where they begin: sticky. */
  readonly pattern: RegExp;
  /** A plain object, or null where this is no entry that is read so. Equal dates are to be one object. */
  readonly valueOf: (match: RegExpExecArray, dateOf: (text: string) => Date | null) => PlainEntry | null;
}

/** No value of a property list otherwise: no list, no map and no date. */
export type PlainEntry = Readonly<Record<string, unknown>>;

const NO_PLAIN_LISTS: PlainLists = new Map();
/** A match so short holds no string that is too long. */
const PLAIN_LENGTH = TEXT_LIMIT_BYTES / 3;

/** The line of a key, and the one that followed it last time: nearly always the one that follows it now. */
interface KeyLine {
  readonly key: string;
  readonly line: string;
  readonly layout: Layout | null;
  next: KeyLine | null;
  /** Where a string stood under the key: matches the line and a string that needs no second look. */
  plainMember: RegExp | null;
}

/** Keys that name fields are few and come again in every entry; keys that are paths come once. */
const KEY_LINES_LIMIT = 256;

/**
 * The value of a canonical text, in one pass. The caller bounds the length. Equal dates are one object. In the place of
 * entries that `plain` reads there is what it makes of them: this is for their shape to take up.
 * Throws DATABASE_MALFORMED, with the line, for everything that `encodePlist` would not have written.
 */
export function decodePlist(bytes: Uint8Array, plain: PlainLists = NO_PLAIN_LISTS): PlistDict {
  const cursor = cursorAtStart(decodeText(bytes), plain);
  for (const line of HEADER.split('\n')) expect(cursor, `${line}\n`);
  const { at } = cursor;
  const root = readValue(cursor, layoutAt(1));
  if (!(root instanceof Map)) throw refusal(cursor.text, at, 'expected a dict as the root');
  expect(cursor, FOOTER);
  if (cursor.at !== cursor.text.length) throw refusal(cursor.text, cursor.at, 'expected the end of the file');
  return root;
}

function cursorAtStart(text: string, plain: PlainLists): Cursor {
  const unkeptKeyLine = makeKeyLine('', '', null);
  return {
    text,
    at: 0,
    dates: new Map(),
    keyLines: new Map(),
    lastKeyLine: unkeptKeyLine,
    unkeptKeyLine,
    plain,
  };
}

function decodeText(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch {
    throw malformed(lineOfBadText(bytes), 'expected UTF-8');
  }
}

// A byte-order mark stays in the text, where it is refused: it is no part of the header.
function decodeUtf8(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}

function readValue(cursor: Cursor, layout: Layout): PlistValue {
  // Most values by far are strings that are not empty.
  if (take(cursor, layout.string)) return readText(cursor, STRING_END);
  const { text } = cursor;
  if (!take(cursor, layout.indent)) throw refusal(text, cursor.at, wantedIndent(layout));
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
      throw refusal(text, cursor.at, text[cursor.at] === ' ' ? wantedIndent(layout) : 'expected a value');
  }
}

function readText(cursor: Cursor, end: string): string {
  const start = cursor.at;
  return unescapeText(cursor.text, start, readUntil(cursor, end));
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
  const values: PlistValue[] = [];
  if (take(cursor, '<array/>\n')) return values;
  expect(cursor, '<array>\n');
  do {
    if (plain !== null && readPlainItems(cursor, plain, values)) continue;
    values.push(readValue(cursor, inner));
  } while (!take(cursor, layout.arrayEnd));
  return values;
}

/** All items from here that are read in one step. Whether there was one. */
function readPlainItems(cursor: Cursor, plain: PlainEntries, values: unknown[]): boolean {
  const { length } = values;
  const dates = (text: string): Date | null => dateOf(cursor, text);
  for (let match = matchPlain(cursor, plain); match !== null; match = matchPlain(cursor, plain)) {
    const entry = plain.valueOf(match, dates);
    if (entry === null) break;
    values.push(entry);
    cursor.at = plain.pattern.lastIndex;
  }
  return values.length > length;
}

/** The same for members of a dict. */
function readPlainMembers(cursor: Cursor, plain: PlainEntries, dict: Map<string, unknown>): void {
  const dates = (text: string): Date | null => dateOf(cursor, text);
  let count = dict.size + 1;
  for (let match = matchPlain(cursor, plain); match !== null; match = matchPlain(cursor, plain)) {
    const entry = plain.valueOf(match, dates);
    if (entry === null) return;
    const { size } = dict.set(match[1] ?? '', entry);
    if (size !== count) throw refusal(cursor.text, cursor.at, ONCE);
    count += 1;
    cursor.at = plain.pattern.lastIndex;
  }
}

function matchPlain({ text, at }: Cursor, { pattern }: PlainEntries): RegExpExecArray | null {
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  return match !== null && pattern.lastIndex - at <= PLAIN_LENGTH ? match : null;
}

/** A value of the root: a list of which entries are read in one step, where it is one. */
function readListed(cursor: Cursor, layout: Layout, key: string): PlistValue {
  const plain = layout === ROOT_MEMBERS ? cursor.plain.get(key) : undefined;
  const begin = `${layout.indent}<${plain?.isDict === true ? 'dict' : 'array'}>`;
  if (plain === undefined || !cursor.text.startsWith(begin, cursor.at)) return readValue(cursor, layout);
  cursor.at += layout.indent.length;
  return plain.isDict ? readDict(cursor, layout, plain) : readArray(cursor, layout, plain);
}

function readDict(cursor: Cursor, layout: Layout, plain: PlainEntries | null = null): PlistDict {
  const inner = innerOf(cursor, layout);
  const dict = new Map<string, PlistValue>();
  if (take(cursor, '<dict/>\n')) return dict;
  expect(cursor, '<dict>\n');
  for (;;) {
    if (plain !== null) readPlainMembers(cursor, plain, dict);
    const count = dict.size + 1;
    const { at } = cursor;
    if (!readLikelyMember(cursor, inner, dict)) {
      if (count > 1 && take(cursor, layout.dictEnd)) return dict;
      readMember(cursor, inner, dict);
    }
    if (dict.size !== count) throw refusal(cursor.text, at, ONCE);
  }
}

function innerOf(cursor: Cursor, layout: Layout): Layout {
  if (layout.inner === null) throw refusal(cursor.text, cursor.at, `expected at most ${DEPTH_LIMIT} levels`);
  return layout.inner;
}

// What came after the last key when that was read before. Most of a database is read here.
function readLikelyMember(cursor: Cursor, layout: Layout, dict: Map<string, PlistValue>): boolean {
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

function readMember(cursor: Cursor, layout: Layout, dict: Map<string, PlistValue>): void {
  if (take(cursor, layout.emptyKey)) {
    dict.set('', readValue(cursor, layout));
    return;
  }
  const keyLine = readKeyLine(cursor, layout);
  const kept = cursor.keyLines.has(keyLine.line);
  cursor.lastKeyLine.next = keyLine;
  cursor.lastKeyLine = kept ? keyLine : cursor.unkeptKeyLine;
  const value = readListed(cursor, layout, keyLine.key);
  if (kept && typeof value === 'string') keyLine.plainMember ??= plainMemberOf(keyLine.line, layout);
  dict.set(keyLine.key, value);
}

function readKeyLine(cursor: Cursor, layout: Layout): KeyLine {
  const { text, at } = cursor;
  if (!take(cursor, layout.key))
    throw refusal(text, at, `expected a key after ${layout.indent.length} spaces`);
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

/** The source of a pattern for just this text. */
export function patternOf(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** The text up to the next `<`, which must begin `end`. Never empty: what is empty has a short form. */
function readUntil(cursor: Cursor, end: string): string {
  const { text, at } = cursor;
  const stop = text.indexOf('<', at);
  if (stop === at) throw refusal(text, at, 'expected text, or the short form of an empty element');
  if (stop === -1) throw refusal(text, text.length, `expected ${end.trimEnd()}`);
  cursor.at = stop;
  expect(cursor, end);
  return text.slice(at, stop);
}

/** What the characters `raw`, which stand in `text` from `start`, mean. */
function unescapeText(text: string, start: number, raw: string): string {
  if (!NOT_PLAIN.test(raw)) return withinLimit(text, start, raw);
  const odd = NOT_CANONICAL.exec(raw);
  if (odd !== null)
    throw refusal(text, start + odd.index, 'expected text without forbidden or unescaped characters');
  const plain = raw.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  return withinLimit(text, start, plain);
}

function withinLimit(text: string, start: number, plain: string): string {
  if (isTooLong(plain)) throw refusal(text, start, `expected at most ${TEXT_LIMIT_BYTES} bytes in a string`);
  return plain;
}

function take(cursor: Cursor, wanted: string): boolean {
  if (!cursor.text.startsWith(wanted, cursor.at)) return false;
  cursor.at += wanted.length;
  return true;
}

function expect(cursor: Cursor, wanted: string): void {
  if (!take(cursor, wanted)) throw refusal(cursor.text, cursor.at, expectation(wanted));
}

function expectation(wanted: string): string {
  return `expected ${wanted.trimEnd()}${wanted.endsWith('\n') ? ' and a line end' : ''}`;
}

function wantedIndent({ indent }: Layout): string {
  return `expected a value after ${indent.length} spaces`;
}

// Refusing. What it costs does not matter, but what it shows must not do harm in a terminal.

function refusal(text: string, at: number, expected: string): PacksignError {
  const rest = text.slice(at, at + QUOTED_LENGTH);
  const found = rest === '' ? 'the end' : quote(/^(?:\n|[^\n]+)/.exec(rest)?.[0] ?? rest);
  return malformed(lineAt(text, at), `${expected}, found ${found}`);
}

function malformed(line: number, reason: string): PacksignError {
  return new PacksignError('DATABASE_MALFORMED', `not canonical text: line ${line}: ${reason}`);
}

function lineAt(text: string, at: number): number {
  let line = 1;
  for (let end = text.indexOf('\n'); end !== -1 && end < at; end = text.indexOf('\n', end + 1)) line += 1;
  return line;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, QUOTED_LENGTH)).replace(/[^ -~]/g, escapeUnit);
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

// TextDecoder does not say where it stopped: the lines in question are halved until one is left.
function lineOfBadText(bytes: Uint8Array): number {
  let from = 0;
  let to = bytes.length;
  for (;;) {
    const cut = lineStartBetween(bytes, from, to);
    if (cut === null) return 1 + countLineEnds(bytes.subarray(0, from));
    if (isUtf8(bytes.subarray(from, cut))) from = cut;
    else to = cut;
  }
}

/** The start of a line between two others, as near to the middle as it can be found. */
function lineStartBetween(bytes: Uint8Array, from: number, to: number): number | null {
  const middle = Math.floor((from + to) / 2);
  const before = bytes.lastIndexOf(LINE_END, middle) + 1;
  if (before > from) return before < to ? before : null;
  const after = bytes.indexOf(LINE_END, middle) + 1;
  return after > from && after < to ? after : null;
}

function countLineEnds(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if (byte === LINE_END) count += 1;
  return count;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    decodeUtf8(bytes);
    return true;
  } catch {
    return false;
  }
}
