import type { OpenFile } from './decompress.js';
import { readAt } from './read-at.js';
import { MEMBER_COUNT_LIMIT } from './tar.js';

const MAGIC = '!<arch>\n';
const HEADER_BYTES = 60;
/** No table of long names, and no single one, is longer. */
const NAMES_LIMIT_BYTES = 1024 * 1024;

/** A member of an ar archive. */
export interface ArMember {
  /** As a user of `ar` sees it: a long name in full, without the slash that GNU puts behind each. */
  readonly name: string;
  /** Where its contents begin in the file, and how many bytes they have. */
  readonly start: number;
  readonly size: number;
}

type Header = Pick<ArMember, 'name' | 'size'>;

/**
 * The members of an ar archive in their order, without the tables of symbols and names. Long names are read as GNU
 * (`//`, `/12`) and BSD (`#1/12`) write them; dpkg writes neither. Returns where the archive ends, which is the end of
 * the file. Throws an error with a reason in plain words if the structure is broken or the file is cut short.
 */
export function* arMembers(file: OpenFile): Generator<ArMember, number, undefined> {
  if (readAt(file, 0, MAGIC.length).toString('latin1') !== MAGIC) throw new Error('it is not an ar archive');
  let names = '';
  let at = MAGIC.length;
  for (let count = 1; at < file.size; count += 1) {
    if (count > MEMBER_COUNT_LIMIT) throw new Error(`it has more than ${MEMBER_COUNT_LIMIT} members`);
    const header = readHeader(file, at);
    const start = at + HEADER_BYTES;
    // Contents of an odd length have one more byte behind them, at the end of the file too.
    at = start + header.size + (header.size % 2);
    if (at > file.size)
      throw new Error(`it ends in the middle of its member ${header.name || 'without a name'}`);
    if (header.name === '//') names = readAt(file, start, namesSize(header.size)).toString('latin1');
    else if (!isSymbolTable(header.name)) yield named(file, { ...header, start }, names);
  }
  return at;
}

function readHeader(file: OpenFile, at: number): Header {
  const bytes = readAt(file, at, HEADER_BYTES);
  if (bytes.length < HEADER_BYTES) throw new Error('it ends in the middle of a header');
  const text = bytes.toString('latin1');
  const size = text.slice(48, 58).trimEnd();
  if (!text.endsWith('`\n') || !/^\d+$/.test(size)) throw new Error('a header is broken');
  return { name: text.slice(0, 16).trimEnd(), size: Number(size) };
}

function namesSize(size: number): number {
  if (size > NAMES_LIMIT_BYTES) throw new Error('its names are too long');
  return size;
}

function isSymbolTable(name: string): boolean {
  return name === '/' || name === '/SYM64/' || name.startsWith('__.SYMDEF');
}

function named(file: OpenFile, member: ArMember, names: string): ArMember {
  const { name, start, size } = member;
  const [, bsd] = /^#1\/(\d+)$/.exec(name) ?? [];
  if (bsd !== undefined) {
    const length = namesSize(Number(bsd));
    if (length > size) throw new Error('a name is longer than its member');
    const text = readAt(file, start, length).toString('latin1').replace(/\0+$/, '');
    return { name: text, start: start + length, size: size - length };
  }
  const [, gnu] = /^\/(\d+)$/.exec(name) ?? [];
  if (gnu === undefined) return { ...member, name: name.replace(/\/$/, '') };
  const end = names.indexOf('\n', Number(gnu));
  if (end < 0) throw new Error('a name is missing');
  return { ...member, name: names.slice(Number(gnu), end).replace(/\/$/, '') };
}
