import { formatInstant, isInstant, parseInstant } from '../model/time.js';
import { Misfit } from './misfit.js';
import { PLAIN_TEXT, escapeText, indentAt, isTooLong, parseInteger, unescapeText } from './plist.js';
import { pass } from './shape.js';
import type { Cursor, Leaf, Lines, Reading, Shape } from './shape.js';

/** Source of a pattern: printable ASCII without spaces and without characters that a document escapes. */
export const PLAIN_WORD = "[!-%'-;=?-~]+";

/** A string that `rule` does not complain about, as about no text that matches `source`. */
export function text(
  rule: ((value: string) => string | null) | null = null,
  source: string | null = null,
): Shape<string> {
  const valueOf = (value: string): string | undefined =>
    isTooLong(value) || (rule?.(value) ?? null) !== null ? undefined : value;
  return {
    read: (value) => {
      if (typeof value !== 'string') throw new Misfit('expected a string');
      const complaint = rule?.(value) ?? null;
      if (complaint !== null) throw new Misfit(complaint);
      return value;
    },
    at: (level) => {
      const { leaf, take, write } = leafLines(level, 'string', { valueOf, textOf: escapeText });
      const empty = `${indentAt(level)}<string/>\n`;
      return {
        take: (reading) => (pass(reading, empty) ? valueOf('') : take(reading)),
        write: (value) => (value === '' ? empty : write(value)),
        leaf: source === null ? leaf : { ...leaf, source, valueOf: withinLimit },
      };
    },
  };
}

function withinLimit(value: string): string | undefined {
  return isTooLong(value) ? undefined : value;
}

/** A string that matches `pattern`, as does every text that matches `source`; `expected` names what it should be. */
export function matching(pattern: RegExp, expected: string, source: string | null = null): Shape<string> {
  return text((value) => (pattern.test(value) ? null : `expected ${expected}`), source);
}

export const integer: Shape<number> = {
  read: (value) => {
    if (typeof value !== 'number') throw new Misfit('expected an integer');
    return value;
  },
  at: (level) => leafLines(level, 'integer', { valueOf: parseInteger, textOf: integerText }),
};

export const date: Shape<Date> = {
  read: (value) => {
    if (!(value instanceof Date)) throw new Misfit('expected a date');
    return value;
  },
  at: (level) => leafLines(level, 'date', { valueOf: dateOf, textOf: dateText }),
};

export const flag: Shape<boolean> = {
  read: (value) => {
    if (typeof value !== 'boolean') throw new Misfit('expected true or false');
    return value;
  },
  at: (level) => {
    const [yes, no] = [`${indentAt(level)}<true/>\n`, `${indentAt(level)}<false/>\n`];
    return {
      take: (reading) => (pass(reading, yes) ? true : pass(reading, no) ? false : undefined),
      write: (value) => (value ? yes : no),
    };
  },
};

interface LeafRules<T> {
  readonly valueOf: Leaf<T>['valueOf'];
  readonly textOf: (value: T) => string;
}

function leafLines<T>(
  level: number,
  name: string,
  { valueOf, textOf }: LeafRules<T>,
): Lines<T> & { readonly leaf: Leaf<T> } {
  const [begin, end] = [`${indentAt(level)}<${name}>`, `</${name}>\n`];
  return {
    take: (reading) => {
      const value = pass(reading, begin) ? takeText(reading, end) : undefined;
      return value === undefined ? undefined : valueOf(value, reading);
    },
    write: (value) => begin + textOf(value) + end,
    leaf: { begin, end, source: PLAIN_TEXT, valueOf },
  };
}

/** The unescaped text between here and `end`, which is not empty: empty elements have a short form. */
export function takeText(cursor: Cursor, end: string): string | undefined {
  const { text: whole, at } = cursor;
  const stop = whole.indexOf('<', at);
  if (stop <= at || !whole.startsWith(end, stop)) return undefined;
  cursor.at = stop + end.length;
  const value = unescapeText(whole.slice(at, stop));
  return typeof value === 'string' && !isTooLong(value) ? value : undefined;
}

function dateOf(instant: string, { dates }: Reading): Date | undefined {
  const known = dates.get(instant);
  if (known !== undefined) return known;
  const found = parseInstant(instant) ?? undefined;
  if (found !== undefined) dates.set(instant, found);
  return found;
}

function integerText(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0 || Object.is(value, -0)) {
    throw new TypeError(`not an integer from 0 to 2^53 - 1: ${value}`);
  }
  return String(value);
}

/** Files that were listed in one build share one date object. */
let lastDate: { readonly date: Date | null; readonly text: string } = { date: null, text: '' };

function dateText(value: Date): string {
  if (value === lastDate.date) return lastDate.text;
  if (!isInstant(value)) throw new TypeError('not a date of whole seconds in the years 1970 to 9999');
  lastDate = { date: value, text: formatInstant(value) };
  return lastDate.text;
}
