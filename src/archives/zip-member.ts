import { inflateRawSync } from 'node:zlib';
import type { Member } from '../model/member.js';
import { decodeText } from './decode-text.js';
import type { OpenFile } from './decompress.js';
import type { Part } from './inspect-parts.js';
import { readAt } from './read-at.js';

const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
/** A name in UTF-8 beside the usual one, which Info-ZIP and others take in its place. */
const UNICODE_NAME_FIELD = 0x7075;
const UNICODE_NAME_START = 5;
/** No system has links to longer paths. */
const TARGET_LIMIT_BYTES = 4096;
const KIND_BITS = 0o170000;
const KINDS: Readonly<Record<number, Member['kind']>> = {
  [0o120000]: 'symbolic link',
  [0o040000]: 'folder',
  [0o100000]: 'file',
};

/** A member where it is in the file: the place of its own header, and of its contents. */
export interface PlacedMember extends Part {
  readonly headerAt: number;
  readonly isStored: boolean;
}

/**
 * The member of a zip that an entry of its directory describes. Its own header may have another name, which programs that
 * read from the start go by. What the entry says of Unix counts whatever system it names, as some programs have it.
 */
export function zipMember(file: OpenFile, entry: Buffer, placed: PlacedMember): Member {
  const nameEnd = ENTRY_BYTES + entry.readUInt16LE(28);
  const name = decodeText(entry.subarray(ENTRY_BYTES, nameEnd));
  const others = [
    ownName(file, placed),
    unicodeName(entry.subarray(nameEnd, nameEnd + entry.readUInt16LE(30))),
  ];
  const unixMode = entry.readUInt32LE(38) >>> 16;
  const bits = unixMode & KIND_BITS;
  const kind = bits === 0 ? (name.endsWith('/') ? 'folder' : 'file') : (KINDS[bits] ?? 'special');
  return {
    names: [name, ...others.filter((other) => other !== null).filter((other) => other !== name)],
    kind,
    target: kind === 'symbolic link' ? targetOf(file, placed) : null,
    mode: unixMode === 0 ? null : unixMode & 0o7777,
    modifiedMs: timeOf(entry.readUInt16LE(14), entry.readUInt16LE(12)),
  };
}

function ownName(file: OpenFile, { headerAt }: PlacedMember): string {
  const bytes = readAt(file, headerAt + 26, 2).readUInt16LE(0);
  return decodeText(readAt(file, headerAt + LOCAL_BYTES, bytes));
}

function unicodeName(fields: Buffer): string | null {
  for (let at = 0; at + 4 <= fields.length;) {
    const end = at + 4 + fields.readUInt16LE(at + 2);
    const isName = fields.readUInt16LE(at) === UNICODE_NAME_FIELD;
    if (isName) return decodeText(fields.subarray(at + 4 + UNICODE_NAME_START, end));
    at = end;
  }
  return null;
}

function targetOf(file: OpenFile, { start, size, isStored }: PlacedMember): string | null {
  const bytes = readAt(file, start, Math.min(size, TARGET_LIMIT_BYTES));
  try {
    return decodeText(isStored ? bytes : inflateRawSync(bytes, { maxOutputLength: TARGET_LIMIT_BYTES }));
  } catch {
    return null;
  }
}

/** The local time of an unknown place, taken for UTC. */
function timeOf(date: number, time: number): number {
  const [year, month, day] = [1980 + (date >> 9), ((date >> 5) & 15) - 1, date & 31];
  return Date.UTC(year, month, day, time >> 11, (time >> 5) & 63, (time & 31) * 2);
}
