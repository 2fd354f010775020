import { Misfit } from './misfit.js';
import type { PlistValue } from './plist.js';

/**
 * The shape of one value of a document. Every document of packsign (database, settings, trust store) is a table of
 * shapes, which has the order, type and rule of each key in one place.
 */
export interface Shape<T> {
  /** Reads a value that was read from JSON, or to explain a refusal. Throws `Misfit` if it is not of this shape. */
  readonly read: (value: PlistValue) => T;
  /** The shape in canonical text, indented for a level (docs/FORMAT.md §2). */
  readonly at: (level: number) => Lines<T>;
}

/** The canonical lines of a value of one shape, each with its line end. */
export interface Lines<T> {
  /** The value whose lines begin here, and passes them. `undefined` if others do: the document is refused then. */
  readonly take: (reading: Reading) => T | undefined;
  /** Callers clean text before they write it: throws TypeError for what no canonical text can hold. */
  readonly write: (value: T) => string;
  /** The same of a long value, piece by piece: nobody has to hold the text of a whole database. */
  readonly writePieces?: (value: T, writing: Writing) => void;
  /** For text between two tags. */
  readonly leaf?: Leaf<T>;
}

/** Text between two tags, which is not empty. */
export interface Leaf<T> {
  readonly begin: string;
  readonly end: string;
  /** Source of a pattern for text that needs no unescaping. */
  readonly source: string;
  /** The value of text that matches it. */
  readonly valueOf: (text: string, reading: Reading) => T | undefined;
}

/** Where lines are put. */
export interface Writing {
  readonly put: (lines: string) => void;
  /** Puts the entries of a long list, each as `write` writes it. */
  readonly putEntries: (list: EntryList, entries: readonly Entry[], write: (entry: Entry) => string) => void;
}

/** A text, and the position up to which it was read. */
export interface Cursor {
  readonly text: string;
  at: number;
}

/** A database that is read. */
export interface Reading extends Cursor {
  /** Equal dates are one object. */
  readonly dates: Map<string, Date>;
  readonly entries: Readonly<Record<EntryList, EntriesRead>>;
}

/** The two long lists of a database. */
export type EntryList = 'Packages' | 'Files';

export interface EntriesRead {
  /** Where each entry begins, and where the last one ends. */
  readonly starts: number[];
  /** Gives an entry that is known already, or reads it. */
  readonly share: ShareEntries | null;
}

export type ShareEntries = (
  reading: Reading,
  take: (reading: Reading) => Entry | undefined,
) => Entry | undefined;

/** A member of a collection; the key of an item of a list is empty. */
export interface Entry<T = unknown> {
  readonly key: string;
  readonly value: T;
}

/** Passes a text if it stands here. */
export function pass(cursor: Cursor, expected: string): boolean {
  if (!cursor.text.startsWith(expected, cursor.at)) return false;
  cursor.at += expected.length;
  return true;
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
    at: (level) => {
      const { take, leaf: _, ...writers } = shape.at(level);
      return {
        ...writers,
        take: (reading) => {
          const value = take(reading);
          return value === undefined || rule(value) !== null ? undefined : value;
        },
      };
    },
  };
}
