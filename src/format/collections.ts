import { takeText } from './elements.js';
import { Misfit, readAt } from './misfit.js';
import { escapeText, indentAt } from './plist.js';
import type { PlistDict, PlistValue } from './plist.js';
import { pass } from './shape.js';
import type { Entry, EntryList, Lines, Reading, Shape, Writing } from './shape.js';

/** `list` says which of the long lists of a database this is. */
export function listOf<T>(shape: Shape<T>, list: EntryList | null = null): Shape<readonly T[]> {
  return {
    read: (value) => {
      if (!Array.isArray(value)) throw new Misfit('expected an array');
      return (value as readonly PlistValue[]).map((item, index) => readAt(shape.read, item, index + 1));
    },
    at: (level) => {
      const tags = tagsOf('array', level);
      const { take, write } = shape.at(level + 1);
      const takeItem = (reading: Reading): Entry<T> | undefined => {
        const value = take(reading);
        return value === undefined ? undefined : { key: '', value };
      };
      const writeItem = ({ value }: Entry<T>) => write(value);
      return {
        take: (reading) => {
          const items: T[] = [];
          const isWhole = takeMembers<T>(reading, { tags, list, take: takeItem }, ({ value }) => {
            items.push(value);
            return true;
          });
          return isWhole ? items : undefined;
        },
        ...writersOf<readonly T[]>((items, writing) => {
          const members = items.map((value) => ({ key: '', value }));
          writeMembers(members, { tags, list, write: writeItem }, writing);
        }),
      };
    },
  };
}

/**
 * A dictionary whose keys are data. `complain` says what is wrong with one, or null; an empty one is wrong, and so is one
 * that is not later than the key before it.
 */
export function mapOf<T>(
  shape: Shape<T>,
  complain: (name: string, before: string | null) => string | null,
  list: EntryList | null = null,
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
    at: (level) => {
      const tags = tagsOf('dict', level);
      const { take, write } = shape.at(level + 1);
      const [begin, end] = [`${indentAt(level + 1)}<key>`, '</key>\n'];
      const takeMember = (reading: Reading): Entry<T> | undefined => {
        const key = pass(reading, begin) ? takeText(reading, end) : undefined;
        if (key === undefined || complain(key, null) !== null) return undefined;
        const value = take(reading);
        return value === undefined ? undefined : { key, value };
      };
      const writeMember = ({ key, value }: Entry<T>) => begin + escapeText(key) + end + write(value);
      return {
        take: (reading) => {
          const items = new Map<string, T>();
          let before: string | null = null;
          const isWhole = takeMembers<T>(reading, { tags, list, take: takeMember }, ({ key, value }) => {
            if (before !== null && key <= before) return false;
            items.set(key, value);
            before = key;
            return true;
          });
          return isWhole ? items : undefined;
        },
        ...writersOf<ReadonlyMap<string, T>>((items, writing) => {
          const members = Array.from(items, ([key, value]) => ({ key, value }));
          writeMembers(members, { tags, list, write: writeMember }, writing);
        }),
      };
    },
  };
}

export function asDict(value: PlistValue): PlistDict {
  if (!(value instanceof Map)) throw new Misfit('expected a dictionary');
  return value as PlistDict;
}

interface Tags {
  readonly begin: string;
  readonly end: string;
  /** The short form of a collection without members. */
  readonly empty: string;
}

export function tagsOf(name: 'array' | 'dict', level: number): Tags {
  const indent = indentAt(level);
  return {
    begin: `${indent}<${name}>\n`,
    end: `${indent}</${name}>\n`,
    empty: `${indent}<${name}/>\n`,
  };
}

type WritePieces<T> = NonNullable<Lines<T>['writePieces']>;

/** Both ways to write a value, from one. */
export function writersOf<T>(writePieces: WritePieces<T>): Pick<Lines<T>, 'write' | 'writePieces'> {
  return {
    writePieces,
    write: (items) => {
      let lines = '';
      const put = (piece: string) => {
        lines += piece;
      };
      writePieces(items, { put, putEntries: (_, entries, write) => entries.map(write).forEach(put) });
      return lines;
    },
  };
}

interface WrittenMembers<T> {
  readonly tags: Tags;
  readonly list: EntryList | null;
  readonly write: (member: Entry<T>) => string;
}

/** Puts the lines of all members. */
function writeMembers<T>(
  members: readonly Entry<T>[],
  { tags: { begin, end, empty }, list, write }: WrittenMembers<T>,
  { put, putEntries }: Writing,
): void {
  if (members.length === 0) {
    put(empty);
    return;
  }
  put(begin);
  if (list === null) put(members.map(write).join(''));
  else putEntries(list, members, write as (member: Entry) => string);
  put(end);
}

interface Members<T> {
  readonly tags: Tags;
  readonly list: EntryList | null;
  readonly take: (reading: Reading) => Entry<T> | undefined;
}

/** Whether all members of a collection could be taken, and added. */
function takeMembers<T>(
  reading: Reading,
  { tags, list, take }: Members<T>,
  add: (member: Entry<T>) => boolean,
): boolean {
  const { starts = null, share = null } = list === null ? {} : reading.entries[list];
  const isEmpty = pass(reading, tags.empty);
  if (!isEmpty && !pass(reading, tags.begin)) return false;
  starts?.push(reading.at);
  if (isEmpty) return true;
  do {
    const member = share === null ? take(reading) : (share(reading, take) as Entry<T> | undefined);
    if (member === undefined || !add(member)) return false;
    starts?.push(reading.at);
  } while (!pass(reading, tags.end));
  return true;
}
