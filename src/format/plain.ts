import { patternOf } from './decode-plist.js';
import type { PlainEntries, PlainEntry } from './decode-plist.js';
import { encodeKey } from './encode-plist.js';
import type { PlistValue } from './plist.js';
import type { Fields, PlainText, Shape } from './shape.js';

/** Entries are values of the third level; their keys are on the fourth. */
const ENTRY_LEVEL = 3;
const DICT_BEGIN = indented(ENTRY_LEVEL, '<dict>');
const DICT_END = indented(ENTRY_LEVEL, '</dict>');
const PATH = '[A-Za-z0-9._+~=@,!/-]+';

interface PlainField {
  readonly name: string;
  readonly required: boolean;
  readonly plain: PlainText;
}

/**
 * Reads an entry in one step if its keys are in the table's order and its values need no second look; in a dict, also if
 * its key is a plain path. The ordinary reader reads entries with any other key or text.
 *
 * The pattern consists of literal lines and of classes without `<`: where it fails, no other way through the same text
 * gets further. So a failure takes no longer than a match.
 */
export function plainReader<T>(fields: Fields<T>, isDict: boolean): PlainEntries {
  const plain = plainFieldsOf(fields);
  const keyLine = isDict ? `${patternOf(indented(ENTRY_LEVEL, '<key>').trimEnd())}(${PATH})</key>\n` : '';
  const members = plain.map(memberPattern).join('');
  const rows = plain.map(({ name, plain: { element } }, index) => ({
    name,
    element,
    group: index + (isDict ? 2 : 1),
  }));
  return {
    isDict,
    pattern: new RegExp(keyLine + patternOf(DICT_BEGIN) + members + patternOf(DICT_END), 'y'),
    valueOf: (match, dateOf) => {
      const entry: Record<string, unknown> = {};
      for (const { name, element, group } of rows) {
        const text = match[group];
        if (text === undefined) continue;
        const value = element === 'string' ? text : element === 'date' ? dateOf(text) : integerOf(text);
        if (value === null) return null;
        entry[name] = value;
      }
      return entry;
    },
  };
}

/** The shape of entries, of which `plainReader` read some: it made of them what this shape would. */
export function takingPlain<T>(shape: Shape<T>): Shape<T> {
  return { ...shape, read: (value) => (isPlainEntry(value) ? (value as T) : shape.read(value)) };
}

function isPlainEntry(value: PlistValue | PlainEntry): boolean {
  return typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype;
}

/** The fields that may hold plain text. The ordinary reader reads entries with any other field. */
function plainFieldsOf<T>(fields: Fields<T>): readonly PlainField[] {
  const names = Object.keys(fields) as (keyof T & string)[];
  return names.flatMap((name) => {
    const { shape, required } = fields[name];
    const { plain = null } = shape;
    if (plain === null && required) throw new TypeError(`no entry with the field ${name} is plain`);
    return plain === null ? [] : [{ name, required, plain }];
  });
}

function memberPattern({ name, required, plain: { element, source } }: PlainField): string {
  const key = `${encodeKey(name, ENTRY_LEVEL + 1)}\n`;
  const open = '  '.repeat(ENTRY_LEVEL + 1) + `<${element}>`;
  const lines = `${patternOf(key + open)}(${source})</${element}>\n`;
  return required ? lines : `(?:${lines})?`;
}

function integerOf(digits: string): number | null {
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : null;
}

function indented(level: number, tag: string): string {
  return `${'  '.repeat(level)}${tag}\n`;
}
