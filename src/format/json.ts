import { TEXT_LIMIT_BYTES, cleanText } from '../model/text.js';
import { Misfit, readAt } from './misfit.js';
import type { PlistValue } from './plist.js';
import type { Shape } from './shape.js';

/** The deepest nesting that is read: recursion has to end. */
export const DEPTH_LIMIT = 32;

/** The text of a JSON file. Throws TypeError for bytes that are not UTF-8. */
export function jsonText(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

/**
 * Turns JSON into the values that shapes read. Throws `Misfit` for null, for a number that is no whole number, for a
 * string above `limitBytes` of UTF-8, and for one with a character that a database cannot hold.
 */
export function fromJson(value: unknown, limitBytes: number = TEXT_LIMIT_BYTES): PlistValue {
  const inner = (item: unknown): PlistValue => fromJson(item, limitBytes);
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return fitText(value, limitBytes);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  if (Array.isArray(value)) return value.map((item, index) => readAt(inner, item, index + 1));
  if (typeof value === 'object' && value !== null) {
    return new Map(
      Object.entries(value).map(([key, item]) => [key, readAt<unknown, PlistValue>(inner, item, key)]),
    );
  }
  throw new Misfit(`${JSON.stringify(value)} is not allowed here`);
}

/** Whether values nest deeper than so many levels; asked before anything else goes through them by recursion. */
export function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}

/** Reads a text of JSON that nests at most so many levels deep. Throws `Misfit`. */
export function readJson<T>(json: string, shape: Shape<T>, levels: number): T {
  const value = parseJson(json);
  if (isDeeper(value, levels)) throw new Misfit('nests too deep');
  return shape.read(fromJson(value));
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new Misfit('is not JSON');
  }
}

function fitText(value: string, limitBytes: number): string {
  if (cleanText(value) !== value) throw new Misfit('holds a control character, which a database cannot hold');
  if (Buffer.byteLength(value) > limitBytes) throw new Misfit(`is longer than ${limitBytes} bytes`);
  return value;
}

/** One element of a list in a JSON document. */
export interface JsonElement {
  /** Its own text, as it is in the document. */
  readonly text: string;
  /** A key that one of its objects has twice: parsers disagree about which value counts. */
  readonly repeated: string | null;
}

/**
 * The elements of the lists directly below the root of a document, which `JSON.parse` has read without an error. Throws
 * `Misfit` if the root has a key twice, and for a document that nests too deep.
 */
export function listElements(text: string): readonly JsonElement[] {
  const elements: JsonElement[] = [];
  /** The keys of each open object; null for an open list. */
  const open: (Set<string> | null)[] = [];
  let begins = 0;
  let repeated: string | null = null;
  let last = '';
  const isInList = () => open.length === 2 && open[1] === null;
  for (const { token, at } of tokensOf(text)) {
    if (isInList() && (token === ',' || token === ']')) {
      const element = text.slice(begins, at).trim();
      if (element !== '') elements.push({ text: element, repeated });
    }
    if (token === '{' || token === '[') open.push(token === '{' ? new Set() : null);
    if (token === '}' || token === ']') open.pop();
    if (open.length > DEPTH_LIMIT) throw new Misfit(`nests deeper than ${DEPTH_LIMIT} levels`);
    if (isInList() && (token === ',' || token === '[')) [begins, repeated] = [at + 1, null];
    if (token === ':') {
      const key = JSON.parse(last) as string;
      const isTwice = open.at(-1)?.has(key) === true;
      if (isTwice && open.length === 1) throw new Misfit('is there twice', [key]);
      if (isTwice) repeated ??= key;
      open.at(-1)?.add(key);
    }
    last = token;
  }
  return elements;
}

/** Strings and marks. By hand, because a pattern for strings needs memory for each of their characters. */
function* tokensOf(text: string): Iterable<{ readonly token: string; readonly at: number }> {
  const begin = /["{}[\],:]/g;
  for (let match = begin.exec(text); match !== null; match = begin.exec(text)) {
    const { 0: mark, index: at } = match;
    const end = mark === '"' ? endOfString(text, at) : at + 1;
    yield { token: text.slice(at, end), at };
    begin.lastIndex = end;
  }
}

function endOfString(text: string, at: number): number {
  for (let quote = text.indexOf('"', at + 1); ; quote = text.indexOf('"', quote + 1)) {
    let before = quote;
    while (text[before - 1] === '\\') before -= 1;
    // An even number of backslashes escape each other.
    if ((quote - before) % 2 === 0) return quote + 1;
  }
}
