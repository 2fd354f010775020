import { PLAIN_TEXT } from './plist.js';
import type { PlistDict, PlistValue } from './plist.js';

/** Source of a pattern: printable ASCII without spaces, as far as it stands in a document as it is. */
export const PLAIN_WORD = "[!-%'-;=?-~]+";

/**
 * The shape of one value of a document: how it is read strictly, and written back. Every document of
 * packsign (database, settings) is a table of these, so that order, type and rule of a key stand in one place.
 */
export interface Shape<T> {
  /** Throws `Misfit` when the value is not of this shape. */
  readonly read: (value: PlistValue) => T;
  readonly write: (value: T) => PlistValue;
  /** How a value stands in a document that is read in one step (`plainReader`); none where that is never so. */
  readonly plain?: PlainText | null;
}

/** An element, and the source of a pattern for what it holds where that needs no second look: without `<`, `>` and `&`. */
export interface PlainText {
  readonly element: 'string' | 'integer' | 'date';
  readonly source: string;
}

/** Why a value does not fit, and where: `Files › a-1.tgz › Size: an integer is wanted`. */
export class Misfit extends Error {
  readonly at: readonly string[];

  constructor(reason: string, at: readonly string[] = []) {
    super(reason);
    this.at = at;
  }

  /** The same misfit seen from one level further out. */
  within(key: string): Misfit {
    return new Misfit(this.message, [key, ...this.at]);
  }

  describe(): string {
    return [...this.at.map(quoteKey), this.message].join(this.at.length > 1 ? ' › ' : ': ');
  }
}

// A key may be hostile text of a document that was not verified.
function quoteKey(key: string): string {
  return /^[\w./@+~=,!-]{1,80}$/.test(key) ? key : JSON.stringify(key.slice(0, 80));
}

export interface Field<T> {
  readonly shape: Shape<T>;
  readonly required: boolean;
}

/** A field for each key of a record. */
export type Fields<T> = { readonly [K in keyof T]-?: Field<Exclude<T[K], undefined>> };

export const required = <T>(shape: Shape<T>): Field<T> => ({ shape, required: true });
export const optional = <T>(shape: Shape<T>): Field<T> => ({ shape, required: false });

/**
 * A string for which `rule` gives no complaint; for none that `source` takes, if there is one. Without a rule it is any.
 */
export function text(
  rule?: (value: string) => string | null,
  source: string | null = rule === undefined ? PLAIN_TEXT : null,
): Shape<string> {
  return {
    read: (value) => {
      if (typeof value !== 'string') throw new Misfit('a string is wanted');
      const complaint = rule?.(value) ?? null;
      if (complaint !== null) throw new Misfit(complaint);
      return value;
    },
    write: (value) => value,
    plain: source === null ? null : { element: 'string', source },
  };
}

/** A string that matches, as all do that `source` takes; `wanted` names what it should have been. */
export function matching(pattern: RegExp, wanted: string, source: string | null = null): Shape<string> {
  return text((value) => (pattern.test(value) ? null : `${wanted} is wanted`), source);
}

export const integer: Shape<number> = {
  plain: { element: 'integer', source: '0|[1-9][0-9]{0,15}' },
  read: (value) => {
    if (typeof value !== 'number') throw new Misfit('an integer is wanted');
    return value;
  },
  write: (value) => value,
};

export const flag: Shape<boolean> = {
  read: (value) => {
    if (typeof value !== 'boolean') throw new Misfit('true or false is wanted');
    return value;
  },
  write: (value) => value,
};

export const date: Shape<Date> = {
  plain: { element: 'date', source: '[0-9TZ:-]+' },
  read: (value) => {
    if (!(value instanceof Date)) throw new Misfit('a date is wanted');
    return value;
  },
  write: (value) => value,
};

export function listOf<T>(shape: Shape<T>): Shape<readonly T[]> {
  return {
    read: (value) => {
      if (!Array.isArray(value)) throw new Misfit('an array is wanted');
      return (value as readonly PlistValue[]).map((item, index) => readAt(shape, item, index + 1));
    },
    write: (values) => values.map(shape.write),
  };
}

/** A dictionary whose keys are data; `key` complains of one that may not stand there. */
export function mapOf<T>(
  shape: Shape<T>,
  key: (name: string, before: string | null) => string | null = () => null,
): Shape<ReadonlyMap<string, T>> {
  return {
    read: (value) => {
      const result = new Map<string, T>();
      let before: string | null = null;
      asDict(value).forEach((item, name) => {
        const complaint = key(name, before);
        if (complaint !== null) throw new Misfit(complaint, [name]);
        result.set(name, readAt(shape, item, name));
        before = name;
      });
      return result;
    },
    write: (values) => new Map(Array.from(values, ([name, item]) => [name, shape.write(item)])),
  };
}

/** A shape with one more rule: the complaint about a value, or null. */
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
  /** Whether known keys must come in the table's order. */
  readonly ordered: boolean;
  /** What an unknown key means: an error, or nothing. */
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
        if (options.ordered && row.index < last) throw new Misfit('stands out of order', [name]);
        last = row.index;
        result[name] = readAt(row.field.shape, item, name);
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

/** For documents in which an unknown key is an error. */
export function refuseUnknown(key: string): never {
  throw new Misfit('is not a key that may stand here', [key]);
}

function fieldOf<T extends object>(fields: Fields<T>, name: string): Field<unknown> {
  return fields[name as keyof T] as Field<unknown>;
}

function asDict(value: PlistValue): PlistDict {
  if (!(value instanceof Map)) throw new Misfit('a dictionary is wanted');
  return value as PlistDict;
}

/** Reads what stands under a key, or in the so manieth place. */
function readAt<T>(shape: Shape<T>, value: PlistValue, key: string | number): T {
  try {
    return shape.read(value);
  } catch (error) {
    throw error instanceof Misfit ? error.within(typeof key === 'number' ? `[${key}]` : key) : error;
  }
}
