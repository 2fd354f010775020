import type { Member } from '../model/member.js';
import type { OpenFile } from './decompress.js';
import { damage, unseen } from './fault.js';
import type { Part } from './inspect-parts.js';
import { readAt } from './read-at.js';
import { zipMember } from './zip-member.js';
import type { PlacedMember } from './zip-member.js';

const MIB = 1024 * 1024;
/** No directory that is longer is read. */
const DIRECTORY_LIMIT_BYTES = 128 * MIB;
const END = 0x06054b50;
const END_BYTES = 22;
const COMMENT_BYTES = 65_535;
const LOCATOR = 0x07064b50;
const LOCATOR_BYTES = 20;
const END64 = 0x06064b50;
const END64_BYTES = 56;
const ENTRY = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
/** A number that zip64 keeps in the extra field. */
const ELSEWHERE = 0xffffffff;
const ZIP64_FIELD = 1;
const CUT = 'ends early: the directory at its end is missing';
const BROKEN = 'its directory is damaged';

/** The directory's place in the file, and how many bytes precede the zip itself: those of a program that opens it. */
interface Directory {
  readonly start: number;
  readonly bytes: number;
  readonly count: number;
  readonly prefixBytes: number;
}

/**
 * Checks the directory of a zip, and that each member is in its place. Between the last member and the directory there
 * may be a signature (as in Android packages). Gives the archives inside a conda package. `seen` gets every member. Throws
 * `damage` or `unseen`.
 */
export function checkZip(file: OpenFile, fileName: string, seen?: (member: Member) => void): readonly Part[] {
  const directory = findDirectory(file);
  if (directory.bytes > DIRECTORY_LIMIT_BYTES) throw unseen('has a directory of more than 128 MiB');
  const bytes = readAt(file, directory.start, directory.bytes);
  const parts: Part[] = [];
  let at = 0;
  let count = 0;
  while (at + ENTRY_BYTES <= bytes.length && bytes.readUInt32LE(at) === ENTRY) {
    const end = at + ENTRY_BYTES + variableBytes(bytes, at + 28, 3);
    if (end > bytes.length) throw damage(BROKEN);
    const entry = bytes.subarray(at, end);
    const part = checkMember(file, entry, directory);
    if (part.isStored) parts.push(part);
    seen?.(zipMember(file, entry, part));
    at = end;
    count += 1;
  }
  // The directory may be signed; then the signature is its last entry. A small count leaves out what exceeds 16 bits.
  const rest = bytes.length - at;
  if ((rest !== 0 && !isSignature(bytes, at)) || count % 65_536 !== directory.count % 65_536)
    throw damage(BROKEN);
  // Any other zip may hold broken archives on purpose, for a test.
  return /\.conda$/i.test(fileName) ? parts : [];
}

function isSignature(bytes: Buffer, at: number): boolean {
  return bytes.length - at >= 6 && bytes.readUInt32LE(at) === 0x05054b50;
}

/** The sum of some numbers of 16 bits. */
function variableBytes(bytes: Buffer, at: number, numbers: number): number {
  let sum = 0;
  for (let index = 0; index < numbers; index += 1) sum += bytes.readUInt16LE(at + 2 * index);
  return sum;
}

/** Finds the last directory. Behind its end as much may follow as other programs skip: no more than a comment may be long. */
function findDirectory(file: OpenFile): Directory {
  const tailStart = Math.max(0, file.size - END_BYTES - COMMENT_BYTES);
  const tail = readAt(file, tailStart, file.size - tailStart);
  let followed: Directory | null = null;
  for (let at = tail.length - END_BYTES; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) !== END) continue;
    const rest = tail.length - at - END_BYTES - tail.readUInt16LE(at + 20);
    // What only looks like an end, in the comment of the real one.
    if (rest !== 0 && (rest < 0 || tail.readUInt16LE(at + 4) !== 0)) continue;
    const directory = readEnd(file, tail.subarray(at, at + END_BYTES), tailStart + at);
    if (rest === 0 && directory !== null) return directory;
    if (directory !== null && isFromStart(directory)) followed ??= directory;
  }
  if (followed === null) throw damage(CUT);
  return followed;
}

/** Else it may be a zip that is stored in the one that was cut. */
function isFromStart({ start, count, prefixBytes }: Directory): boolean {
  return prefixBytes === 0 && (count > 0 || start === 0);
}

/** Reads the end of a zip. Null if no directory lies before it. */
function readEnd(file: OpenFile, end: Buffer, endAt: number): Directory | null {
  const [disk, entries] = [end.readUInt16LE(4), end.readUInt16LE(10)];
  const [bytes, offset] = [end.readUInt32LE(12), end.readUInt32LE(16)];
  const long = readEnd64(file, endAt);
  if (long !== null) return long;
  if (disk !== 0 && disk !== 0xffff) throw unseen('is a part of a split zip file');
  return placed(file, { bytes, offset, count: entries, endAt });
}

function readEnd64(file: OpenFile, endAt: number): Directory | null {
  if (endAt < LOCATOR_BYTES + END64_BYTES) return null;
  const locator = readAt(file, endAt - LOCATOR_BYTES, LOCATOR_BYTES);
  if (locator.readUInt32LE(0) !== LOCATOR) return null;
  if (locator.readUInt32LE(16) > 1) throw unseen('is a part of a split zip file');
  // With a program before it, the place may be counted without that.
  const places = [Number(locator.readBigUInt64LE(8)), endAt - LOCATOR_BYTES - END64_BYTES];
  for (const place of places) {
    const end = place >= 0 && place < endAt ? readAt(file, place, END64_BYTES) : Buffer.alloc(0);
    if (end.length < END64_BYTES || end.readUInt32LE(0) !== END64) continue;
    const [count, bytes, offset] = [32, 40, 48].map((at) => Number(end.readBigUInt64LE(at)));
    return placed(file, { bytes: bytes ?? 0, offset: offset ?? 0, count: count ?? 0, endAt: place });
  }
  return null;
}

interface End {
  readonly bytes: number;
  readonly offset: number;
  readonly count: number;
  readonly endAt: number;
}

/** The directory before that end: where the end says, or else right before it. */
function placed(file: OpenFile, { bytes, offset, count, endAt }: End): Directory | null {
  const start = endAt - bytes;
  if (start < 0) return null;
  if (count === 0 && bytes === 0) return { start, bytes, count, prefixBytes: 0 };
  if (isEntry(file, start)) return { start, bytes, count, prefixBytes: Math.max(0, start - offset) };
  return isEntry(file, offset) && offset + bytes <= endAt
    ? { start: offset, bytes, count, prefixBytes: 0 }
    : null;
}

function isEntry(file: OpenFile, at: number): boolean {
  const magic = readAt(file, at, 4);
  return magic.length === 4 && magic.readUInt32LE(0) === ENTRY;
}

function checkMember(file: OpenFile, entry: Buffer, { start, prefixBytes }: Directory): PlacedMember {
  const { packedBytes, offset } = memberPlace(entry);
  const at = offset + prefixBytes;
  const local = readAt(file, at, LOCAL_BYTES);
  if (local.length < LOCAL_BYTES || local.readUInt32LE(0) !== LOCAL) {
    throw damage('a member is not where its directory says');
  }
  const from = at + LOCAL_BYTES + variableBytes(local, 26, 2);
  if (from + packedBytes > start) throw damage('a member is longer than the room for it');
  const name = entry.toString('utf8', ENTRY_BYTES, ENTRY_BYTES + entry.readUInt16LE(28));
  const isStored = entry.readUInt16LE(10) === 0;
  return { name, start: from, size: packedBytes, headerAt: at, isStored };
}

function memberPlace(entry: Buffer): { packedBytes: number; offset: number } {
  const [bytes, packedBytes, offset] = [
    entry.readUInt32LE(24),
    entry.readUInt32LE(20),
    entry.readUInt32LE(42),
  ];
  const long = zip64Field(entry);
  let at = bytes === ELSEWHERE ? 8 : 0;
  const next = (value: number) => {
    if (value !== ELSEWHERE || long === null || at + 8 > long.length) return value;
    at += 8;
    return Number(long.readBigUInt64LE(at - 8));
  };
  return { packedBytes: next(packedBytes), offset: next(offset) };
}

function zip64Field(entry: Buffer): Buffer | null {
  let at = ENTRY_BYTES + entry.readUInt16LE(28);
  const end = at + entry.readUInt16LE(30);
  while (at + 4 <= end) {
    const length = entry.readUInt16LE(at + 2);
    if (entry.readUInt16LE(at) === ZIP64_FIELD) return entry.subarray(at + 4, Math.min(at + 4 + length, end));
    at += 4 + length;
  }
  return null;
}
