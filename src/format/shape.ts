import { Misfit, readAt } from './misfit.js';
import { PLAIN_TEXT } from './plist.js';
import type { PlistDict, PlistValue } from './plist.js';

/** Source of a pattern: printable ASCII without spaces and without characters that a document escapes. */
export const PLAIN_WORD = "[!-%'-;=?-~]+";

/**
 * The shape of one value of a document: reads it strictly, and writes it back. Every document of packsign (database,
 * settings) is a table of shapes, which has the order, type and rule of each key in one place.
 */
export interface Shape<T> {
  /** Throws `Misfit` when the value is not of this shape. */
  readonly read: (value: PlistValue) => T;
  readonly write: (value: T) => PlistValue;
  /** What `plainReader` matches for a value; none if it cannot read this shape. */
  readonly plain?: PlainText | null;
}

/** An element, and the source of a pattern for content that needs no second look: without `<`, `>` and `&`. */
export interface PlainText {
  readonly element: 'string' | 'integer' | 'date';
  readonly source: string;
}

export interface Field<T> {
  readonly shape: Shape<T>;
  readonly required: boolean;
}

/** A field for each key of a record. */
export type Fields<T> = { readonly [K in keyof T]-?: Field<Exclude<T[K], undefined>> };

export const required = <T>(shape: Shape<T>): Field<T> => ({ shape, required: true });
export const optional = <T>(shape: Shape<T>): Field<T> => ({ shape, required: false });

/** A value of one type; `plain` where a database may hold it as plain text. */
function simple<T extends PlistValue>(
  isOne: (value: PlistValue) => value is T,
  expected: string,
  plain: PlainText | null = null,
): Shape<T> {
  return {
    read: (value) => {
      if (!isOne(value)) throw new Misfit(`expected ${expected}`);
      return value;
    },
    write: (value) => value,
    plain,
  };
}

const string = simple((value) => typeof value === 'string', 'a string');

/** A string that `rule` does not complain about. It must accept every text that matches `source`, a pattern. */
export function text(
  rule: ((value: string) => string | null) | null = null,
  source: string | null = rule === null ? PLAIN_TEXT : null,
): Shape<string> {
  const shape = rule === null ? string : checked(string, rule);
  return source === null ? shape : { ...shape, plain: { element: 'string', source } };
}

/** A string that matches `pattern`, as does every text that matches `source`; `expected` names what it should be. */
export function matching(pattern: RegExp, expected: string, source: string | null = null): Shape<string> {
  return text((value) => (pattern.test(value) ? null : `expected ${expected}`), source);
}

export const integer = simple((value) => typeof value === 'number', 'an integer', {
  element: 'integer',
  source: '0|[1-9][0-9]{0,15}',
});

export const flag = simple((value) => typeof value === 'boolean', 'true or false');

export const date = simple((value) => value instanceof Date, 'a date', {
  element: 'date',
  source: '[0-9TZ:-]+',
});

export function listOf<T>(shape: Shape<T>): Shape<readonly T[]> {
  return {
    read: (value) => {
      if (!Array.isArray(value)) throw new Misfit('expected an array');
      return (value as readonly PlistValue[]).map((item, index) => readAt(shape.read, item, index + 1));
    },
    write: (values) => values.map(shape.write),
  };
}

/** A dictionary whose keys are data; `complain` says what is wrong with one, or null. `before` is the key before it. */
export function mapOf<T>(
  shape: Shape<T>,
  complain: (name: string, before: string | null) => string | null,
): Shape<ReadonlyMap<string, T>> {
  return {
    read: (value) => {
      const result = new Map<string, T>();
      let before: string | null = null;
      asDict(value).forEach((item, name) => {
        const complaint = complain(name, before);
        if (complaint !== null) throw new Misfit(complaint, [name]);
        result.set(name, readAt(shape.read, item, name));
        before = name;
      });
      return result;
    },
    write: (values) => new Map(Array.from(values, ([name, item]) => [name, shape.write(item)])),
  };
}

/** A shape with one more rule, which gives a complaint about a value, or null. */
export function checked<T>(shape: Shape<T>, rule: (value: T) => string | null): Shape<T> {
  return {
    read: (value) => {
      const result = shape.read(value);
      const complaint = rule(result);
      if (complaint !== null) throw new Misfit(complaint);
      return result;
    },
    write: shape.write,
  };
}

export interface RecordOptions {
  /** Whether known keys must be in the table's order. */
  readonly ordered: boolean;
  /** Throws for an unknown key, or ignores it. */
  readonly unknown: (key: string, known: readonly string[]) => void;
}

/** A dictionary with the keys of a table, in its order. */
export function record<T extends object>(fields: Fields<T>, options: RecordOptions): Shape<T> {
  const names = Object.keys(fields);
  const table = new Map(names.map((name, index) => [name, { index, field: fieldOf(fields, name) }]));
  return {
    read: (value) => {
      const result: Record<string, unknown> = {};
      let last = -1;
      for (const [name, item] of asDict(value)) {
        const row = table.get(name);
        if (row === undefined) {
          options.unknown(name, names);
          continue;
        }
        if (options.ordered && row.index < last) throw new Misfit('is out of order', [name]);
        last = row.index;
        result[name] = readAt(row.field.shape.read, item, name);
      }
      for (const [name, { field }] of table) {
        if (field.required && !Object.hasOwn(result, name)) throw new Misfit('is missing', [name]);
      }
      return result as T;
    },
    write: (values) => {
      const dict = new Map<string, PlistValue>();
      for (const [name, { field }] of table) {
        const value = (values as Record<string, unknown>)[name];
        if (value !== undefined) dict.set(name, field.shape.write(value));
      }
      return dict;
    },
  };
}

/** For documents where an unknown key is an error. */
export function refuseUnknown(key: string): never {
  throw new Misfit('is not a known key', [key]);
}

function fieldOf<T extends object>(fields: Fields<T>, name: string): Field<unknown> {
  return fields[name as keyof T] as Field<unknown>;
}

function asDict(value: PlistValue): PlistDict {
  if (!(value instanceof Map)) throw new Misfit('expected a dictionary');
  return value as PlistDict;
}
