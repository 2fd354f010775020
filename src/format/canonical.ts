import { TEXT_LIMIT_BYTES } from '../model/text.js';
import { parseInstant } from '../model/time.js';
import { refusal, refusalOfBytes } from './plist-refusal.js';
import { FOOTER, HEADER, indentAt, isTooLong, parseInteger, unescapeText } from './plist.js';
import type { PlistDict, PlistValue } from './plist.js';
import { pass } from './shape.js';
import type { Cursor } from './shape.js';

// Any canonical text: to say precisely what is wrong with one, and to pass what later additions of the format hold.

/** How deep dicts and arrays may nest, including the root. Bounds the recursion here. */
const DEPTH_LIMIT = 32;

/** Throws DATABASE_MALFORMED, with the line, for bytes that are not UTF-8. */
export function decodeText(bytes: Uint8Array): string {
  try {
    // Keep a byte-order mark: the header does not begin with one, so that it is refused.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refusalOfBytes(bytes);
  }
}

/** The value of a canonical text (docs/FORMAT.md §2). Throws DATABASE_MALFORMED, with the line. */
export function decodePlist(text: string): PlistDict {
  const cursor = { text, at: 0 };
  for (const line of HEADER.trimEnd().split('\n')) expect(cursor, `${line}\n`);
  const { at } = cursor;
  const root = readValue(cursor, 1);
  if (!(root instanceof Map)) throw refusal(text, at, 'expected a dict as the root');
  expect(cursor, FOOTER);
  if (cursor.at !== text.length) throw refusal(text, cursor.at, 'expected the end of the file');
  return root as PlistDict;
}

/**
 * Passes a member of a dict, whose lines begin here, and adds its key to `seen`. False if it is there already, or if no
 * member begins here. Throws DATABASE_MALFORMED.
 */
export function passMember(cursor: Cursor, level: number, seen: Set<string>): boolean {
  const { at } = cursor;
  if (!cursor.text.startsWith(`${indentAt(level)}<key`, at)) return false;
  const key = readKey(cursor, level);
  if (seen.has(key)) {
    cursor.at = at;
    return false;
  }
  seen.add(key);
  readValue(cursor, level);
  return true;
}

function readValue(cursor: Cursor, level: number): PlistValue {
  const { text } = cursor;
  const indent = indentAt(level);
  const expected = `expected a value after ${indent.length} spaces`;
  if (!pass(cursor, indent)) throw refusal(text, cursor.at, expected);
  if (pass(cursor, '<string>')) return readText(cursor, '</string>\n');
  if (pass(cursor, '<date>')) return readParsed(cursor, DATE);
  switch (text[cursor.at + 1]) {
    case 's':
      expect(cursor, '<string/>\n');
      return '';
    case 'i':
      expect(cursor, '<integer>');
      return readParsed(cursor, INTEGER);
    case 't':
      expect(cursor, '<true/>\n');
      return true;
    case 'f':
      expect(cursor, '<false/>\n');
      return false;
    case 'a':
      return readArray(cursor, level);
    case 'd':
      return readDict(cursor, level);
    default:
      throw refusal(text, cursor.at, text[cursor.at] === ' ' ? expected : 'expected a value');
  }
}

function readArray(cursor: Cursor, level: number): readonly PlistValue[] {
  const values: PlistValue[] = [];
  if (isEmpty(cursor, 'array', level)) return values;
  const end = `${indentAt(level)}</array>\n`;
  do values.push(readValue(cursor, level + 1));
  while (!pass(cursor, end));
  return values;
}

function readDict(cursor: Cursor, level: number): PlistDict {
  const dict = new Map<string, PlistValue>();
  if (isEmpty(cursor, 'dict', level)) return dict;
  const end = `${indentAt(level)}</dict>\n`;
  do {
    const { at } = cursor;
    const key = readKey(cursor, level + 1);
    const isTwice = dict.has(key);
    dict.set(key, readValue(cursor, level + 1));
    if (isTwice) throw refusal(cursor.text, at, 'expected each key once');
  } while (!pass(cursor, end));
  return dict;
}

/** Passes the first line of a dict or an array. */
function isEmpty(cursor: Cursor, name: string, level: number): boolean {
  if (level > DEPTH_LIMIT) throw refusal(cursor.text, cursor.at, `expected at most ${DEPTH_LIMIT} levels`);
  if (pass(cursor, `<${name}/>\n`)) return true;
  expect(cursor, `<${name}>\n`);
  return false;
}

function readKey(cursor: Cursor, level: number): string {
  const indent = indentAt(level);
  if (pass(cursor, `${indent}<key/>\n`)) return '';
  if (pass(cursor, `${indent}<key>`)) return readText(cursor, '</key>\n');
  throw refusal(cursor.text, cursor.at, `expected a key after ${indent.length} spaces`);
}

function readText(cursor: Cursor, end: string): string {
  const start = cursor.at;
  const value = unescapeText(readUntil(cursor, end));
  if (typeof value === 'number') {
    throw refusal(cursor.text, start + value, 'expected text without forbidden or unescaped characters');
  }
  if (!isTooLong(value)) return value;
  throw refusal(cursor.text, start, `expected at most ${TEXT_LIMIT_BYTES} bytes in a string`);
}

const INTEGER = { parse: parseInteger, end: '</integer>\n', expected: 'an integer from 0 to 2^53 - 1' };
const DATE = { parse: parseInstant, end: '</date>\n', expected: 'a date like 2026-11-22T14:05:09Z' };

function readParsed<T extends PlistValue>(
  cursor: Cursor,
  { parse, end, expected }: { parse: (raw: string) => T | null | undefined; end: string; expected: string },
): T {
  const start = cursor.at;
  const value = parse(readUntil(cursor, end));
  if (value !== null && value !== undefined) return value;
  throw refusal(cursor.text, start, `expected ${expected}`);
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

function expect(cursor: Cursor, expected: string): void {
  if (pass(cursor, expected)) return;
  const lineEnd = expected.endsWith('\n') ? ' and a line end' : '';
  throw refusal(cursor.text, cursor.at, `expected ${expected.trimEnd()}${lineEnd}`);
}
