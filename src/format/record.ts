import { passMember } from './canonical.js';
import { asDict, tagsOf, writersOf } from './collections.js';
import { Misfit, readAt } from './misfit.js';
import { indentAt } from './plist.js';
import { pass } from './shape.js';
import type { Lines, Reading, Shape } from './shape.js';

export interface Field<T> {
  readonly shape: Shape<T>;
  readonly required: boolean;
}

/** A field for each key of a record. */
export type Fields<T> = { readonly [K in keyof T]-?: Field<Exclude<T[K], undefined>> };

export const required = <T>(shape: Shape<T>): Field<T> => ({ shape, required: true });
export const optional = <T>(shape: Shape<T>): Field<T> => ({ shape, required: false });

export interface RecordOptions {
  /** Whether known keys must be in the table's order, as always in canonical text. */
  readonly ordered: boolean;
  /** Throws for an unknown key; null ignores it. */
  readonly unknown: ((key: string, known: readonly string[]) => void) | null;
}

/** A dictionary with the keys of a table, in its order; at least one of them is required. */
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
          options.unknown?.(name, names);
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
    at: (level) => linesOf(fields, level, options.unknown === null),
  };
}

/** For documents where an unknown key is an error. */
export function refuseUnknown(key: string): never {
  throw new Misfit('is not a known key', [key]);
}

/** For documents that have one form: known keys in their order, and no other. */
export const STRICT: RecordOptions = { ordered: true, unknown: refuseUnknown };

function linesOf<T extends object>(fields: Fields<T>, level: number, isOpen: boolean): Lines<T> {
  const { begin, end } = tagsOf('dict', level);
  const indent = indentAt(level + 1);
  const names = Object.keys(fields);
  const rows = names.map((name) => {
    const { shape, required: isRequired } = fieldOf(fields, name);
    const key = `${indent}<key>${name}</key>\n`;
    return { name, key, isRequired, ...shape.at(level + 1) };
  });
  const takePlain = isOpen ? null : plainTaker(rows, begin, end);
  return {
    take: (reading) => {
      const plain = takePlain?.(reading);
      if (plain !== undefined) return plain as T;
      if (!pass(reading, begin)) return undefined;
      const seen = new Set(isOpen ? names : []);
      const result: Record<string, unknown> = {};
      for (const { name, key, isRequired, take } of rows) {
        while (isOpen && passMember(reading, level + 1, seen));
        if (pass(reading, key)) {
          const value = take(reading);
          if (value === undefined) return undefined;
          result[name] = value;
        } else if (isRequired) return undefined;
      }
      while (isOpen && passMember(reading, level + 1, seen));
      return pass(reading, end) ? (result as T) : undefined;
    },
    ...writersOf<T>((values, writing) => {
      const { put } = writing;
      put(begin);
      for (const { name, key, write, writePieces } of rows) {
        const value = (values as Record<string, unknown>)[name];
        if (value === undefined) continue;
        put(key);
        if (writePieces === undefined) put(write(value));
        else writePieces(value, writing);
      }
      put(end);
    }),
  };
}

interface Row extends Lines<unknown> {
  readonly name: string;
  readonly key: string;
  readonly isRequired: boolean;
}

/**
 * Takes a record of unescaped text in one step, as nearly all of a large database are. The pattern consists of literal
 * lines and of text without `<`: where it fails, no other way through the same text gets further.
 */
function plainTaker(
  rows: readonly Row[],
  begin: string,
  end: string,
): ((reading: Reading) => object | undefined) | null {
  const leaves = rows.flatMap(({ leaf, ...row }) => (leaf === undefined ? [] : [{ ...row, ...leaf }]));
  if (rows.some(({ isRequired, leaf }) => isRequired && leaf === undefined)) return null;
  const members = leaves.map(({ key, begin: open, source, end: close, isRequired }) => {
    const lines = `${key}${open}(${source})${close}`;
    return isRequired ? lines : `(?:${lines})?`;
  });
  const pattern = new RegExp(begin + members.join('') + end, 'y');
  return (reading) => {
    pattern.lastIndex = reading.at;
    const match = pattern.exec(reading.text);
    if (match === null) return undefined;
    const result: Record<string, unknown> = {};
    let group = 0;
    for (const { name, valueOf } of leaves) {
      group += 1;
      const text = match[group];
      if (text === undefined) continue;
      const value = valueOf(text, reading);
      if (value === undefined) return undefined;
      result[name] = value;
    }
    reading.at = pattern.lastIndex;
    return result;
  };
}

function fieldOf<T extends object>(fields: Fields<T>, name: string): Field<unknown> {
  return fields[name as keyof T] as Field<unknown>;
}
