import type { Member } from '../model/member.js';

/** Limits of docs/FORMAT.md §9 on how much of an archive is read to find its metadata. */
export const MEMBER_LIMIT_BYTES = 1024 * 1024;
export const MEMBER_COUNT_LIMIT = 100_000;
export const READ_LIMIT_BYTES = 64 * 1024 * 1024;

const BLOCK = 512;
const USTAR = Buffer.from('ustar\0');
const REGULAR_TYPES: readonly string[] = ['\0', '0', '7'];
/** Links, devices, folders and pipes: no contents follow, even if the size field says so. */
const EMPTY_TYPES = '123456';
/** Of what the header describes; all others are files. */
const KINDS: Readonly<Record<string, Member['kind']>> = {
  ...{ 1: 'hard link', 2: 'symbolic link', 3: 'special', 4: 'special', 5: 'folder', 6: 'special' },
};
const VOLUME_LABEL = 'V';
const MORE: TarStep = { kind: 'more' };
const STOPPED: TarStep = { kind: 'stopped' };

/** The state after reading on. All but `more` are final. */
export type TarStep =
  | { readonly kind: 'more' }
  /** The visitor has what it needs. */
  | { readonly kind: 'stopped' }
  /** The archive ended as it should. */
  | { readonly kind: 'end' }
  | { readonly kind: 'limit' | 'damaged'; readonly reason: string };

/** Sees the members of an archive; if it has no `seen`, those that are regular files. */
export interface TarVisitor {
  /** Whether the visitor wants the bytes of a file; paths are as in the archive. */
  readonly wants: (path: string) => boolean;
  /** Gets the first `MEMBER_LIMIT_BYTES` of a wanted file, valid during the call; says whether to stop. */
  readonly found: (path: string, bytes: Uint8Array) => 'more' | 'stop';
  /** Gets every member, of any kind, before its bytes. */
  readonly seen?: (member: Member) => void;
}

/** Reads a tar archive in chunks. */
export interface TarReader {
  readonly push: (chunk: Uint8Array) => TarStep;
  /** Call it after the last chunk: an archive may lack its end mark, but must not end within a member. */
  readonly finish: () => TarStep;
  /** Where the end mark begins; null if it was not read. */
  readonly markAt: () => number | null;
}

/** How much of an archive is read. */
export interface TarLimits {
  readonly bytes: number;
  readonly members: number;
}

const METADATA_LIMITS: TarLimits = { bytes: READ_LIMIT_BYTES, members: MEMBER_COUNT_LIMIT };
export const NO_LIMITS: TarLimits = { bytes: Infinity, members: Infinity };

/** Values from an extended header, for the next member or for all of them. */
interface Override {
  readonly path?: string;
  readonly size?: number;
  /** A sparse file's bytes are not its contents. */
  readonly sparse?: true;
  /** The name that a sparse file is unpacked under. */
  readonly sparsePath?: string;
  readonly target?: string;
  readonly modifiedMs?: number;
}

const NO_OVERRIDE: Override = {};

/** A header block: its position in the chunk, and two of its fields. */
interface Header {
  readonly chunk: Buffer;
  readonly at: number;
  readonly type: string;
  readonly size: number;
}

/** Bytes to collect over several chunks, and what to do with them. */
interface Collecting {
  readonly bytes: Buffer;
  filled: number;
  readonly done: (bytes: Buffer) => TarStep;
}

/** Where a reader is in its archive. */
interface State {
  readonly visitor: TarVisitor;
  readonly limits: TarLimits;
  members: number;
  /** The end mark's place in the chunk that is being read. */
  mark: number | null;
  skipBytes: number;
  collecting: Collecting | null;
  /** Whether the next block continues the map of a sparse file. */
  sparseMap: boolean;
  everywhere: Override;
  next: Override;
}

/**
 * Reads v7, ustar, GNU and PAX archives. A parser of our own, not a stream: it reads many thousand archives in the same
 * pass that makes their digests. It never throws, whatever the bytes.
 */
export function createTarReader(visitor: TarVisitor, limits = METADATA_LIMITS): TarReader {
  const state: State = {
    visitor,
    limits,
    members: 0,
    mark: null,
    skipBytes: 0,
    collecting: null,
    sparseMap: false,
    everywhere: NO_OVERRIDE,
    next: NO_OVERRIDE,
  };
  let readBytes = 0;
  let markAt: number | null = null;
  let last: TarStep = MORE;
  return {
    push: (chunk) => {
      if (last.kind !== 'more') return last;
      last = readChunk(state, upTo(chunk, limits.bytes - readBytes));
      markAt = state.mark === null ? null : readBytes + state.mark;
      readBytes += chunk.byteLength;
      if (last.kind === 'more' && readBytes >= limits.bytes) last = limit('64 MiB');
      return last;
    },
    markAt: () => markAt,
    finish: () => {
      if (last.kind !== 'more') return last;
      const { skipBytes, collecting, sparseMap, members } = state;
      const isWhole = skipBytes === 0 && collecting === null && !sparseMap && members > 0;
      last = isWhole ? { kind: 'end' } : damaged('it ends in the middle of a member');
      return last;
    },
  };
}

function readChunk(state: State, chunk: Buffer): TarStep {
  let at = 0;
  let step: TarStep = MORE;
  while (at < chunk.length && step.kind === 'more') {
    const left = chunk.length - at;
    const { collecting } = state;
    if (collecting !== null) {
      const copied = chunk.copy(collecting.bytes, collecting.filled, at);
      collecting.filled += copied;
      at += copied;
      if (collecting.filled < collecting.bytes.length) continue;
      state.collecting = null;
      step = collecting.done(collecting.bytes);
      if (step.kind === 'end') state.mark = at - BLOCK;
    } else if (state.skipBytes > 0) {
      const skipped = Math.min(left, state.skipBytes);
      state.skipBytes -= skipped;
      at += skipped;
    } else if (left >= BLOCK) {
      step = readBlock(state, chunk, at);
      if (step.kind === 'end') state.mark = at;
      at += BLOCK;
    } else collect(state, BLOCK, (block) => readBlock(state, block, 0));
  }
  return step;
}

function collect(state: State, length: number, done: Collecting['done']): void {
  state.collecting = { bytes: Buffer.allocUnsafe(length), filled: 0, done };
}

/** Reads one header block. The caller passes the bytes after it in `chunk`. */
function readBlock(state: State, chunk: Buffer, at: number): TarStep {
  if (state.sparseMap) {
    state.sparseMap = chunk[at + 504] === 1;
    return MORE;
  }
  if (isBlankBlock(chunk, at)) return { kind: 'end' };
  if (!isTarHeader(chunk, at)) {
    return damaged(state.members === 0 ? 'it is not a tar archive' : 'a header is broken');
  }
  const type = String.fromCharCode(chunk[at + 156] ?? 0);
  const size = readNumber(chunk, at + 124, 12);
  if (size === null) return damaged('a member has an impossible size');
  const header = { chunk, at, type, size };
  return 'LKxXg'.includes(type) ? readExtension(state, header) : readMember(state, header);
}

function readExtension(state: State, header: Header): TarStep {
  const { type, size } = header;
  if (size > MEMBER_LIMIT_BYTES) return limit('1 MiB of one header');
  return take(state, header, (bytes) => {
    if (type === 'L') state.next = { ...state.next, path: readText(bytes, 0, bytes.length) };
    if (type === 'K') state.next = { ...state.next, target: readText(bytes, 0, bytes.length) };
    if (type === 'L' || type === 'K') return MORE;
    const override = readPax(bytes);
    if (override === null) return damaged('an extended header is broken');
    if (type === 'g') state.everywhere = { ...state.everywhere, ...override };
    else state.next = { ...state.next, ...override };
    return MORE;
  });
}

function readMember(state: State, header: Header): TarStep {
  state.members += 1;
  if (state.members > state.limits.members) return limit(`${MEMBER_COUNT_LIMIT} members`);
  const { chunk, at, type } = header;
  const { visitor } = state;
  const override = { ...state.everywhere, ...state.next };
  const { path = readPath(chunk, at), size = header.size, sparse } = override;
  state.next = NO_OVERRIDE;
  if (type !== VOLUME_LABEL) visitor.seen?.(memberOf(header, path, override));
  if (EMPTY_TYPES.includes(type)) return MORE;
  if (type === 'S') state.sparseMap = chunk[at + 482] === 1;
  if (!REGULAR_TYPES.includes(type) || sparse === true || path.endsWith('/') || !visitor.wants(path)) {
    state.skipBytes = padded(size);
    return MORE;
  }
  return take(state, { ...header, size }, (bytes) =>
    visitor.found(path, bytes) === 'stop' ? STOPPED : MORE,
  );
}

function memberOf({ chunk, at, type }: Header, path: string, override: Override): Member {
  const { sparsePath, target, modifiedMs } = override;
  const kind = KINDS[type] ?? (path.endsWith('/') ? 'folder' : 'file');
  const isLink = kind === 'symbolic link' || kind === 'hard link';
  const seconds = readNumber(chunk, at + 136, 12);
  return {
    names: sparsePath === undefined ? [path] : [sparsePath, path],
    kind,
    target: isLink ? (target ?? readText(chunk, at + 157, 100)) : null,
    mode: readNumber(chunk, at + 100, 8),
    modifiedMs: modifiedMs ?? (seconds === null ? null : seconds * 1000),
  };
}

/** Hands the bytes of a member to `done`, now if the chunk has them, or else later. */
function take(state: State, { chunk, at, size }: Header, done: Collecting['done']): TarStep {
  const bytes = Math.min(size, MEMBER_LIMIT_BYTES);
  const start = at + BLOCK;
  if (bytes <= chunk.length - start) {
    state.skipBytes = padded(size);
    return done(chunk.subarray(start, start + bytes));
  }
  state.skipBytes = padded(size) - bytes;
  collect(state, bytes, done);
  return MORE;
}

function upTo(chunk: Uint8Array, bytes: number): Buffer {
  if (Buffer.isBuffer(chunk) && chunk.length <= bytes) return chunk;
  return Buffer.from(chunk.buffer, chunk.byteOffset, Math.min(chunk.byteLength, bytes));
}

function isBlankBlock(chunk: Buffer, start: number): boolean {
  for (let at = start; at < start + BLOCK; at += 1) if (chunk[at] !== 0) return false;
  return true;
}

/** Whether a header of 512 bytes with a correct checksum begins there. */
export function isTarHeader(chunk: Buffer, start: number): boolean {
  if (chunk.length - start < BLOCK) return false;
  const expected = readNumber(chunk, start + 148, 8);
  if (expected === null) return false;
  // The checksum counts itself as blanks.
  const own = sumOf(chunk, start + 148, 8);
  const all = sumOf(chunk, start, BLOCK);
  const sum = all.sum - own.sum + 8 * 0x20;
  // Old writers summed signed bytes.
  return expected === sum || expected === sum - 256 * (all.high - own.high);
}

/** The sum of bytes, and how many of them have their highest bit set. */
function sumOf(chunk: Buffer, start: number, length: number): { sum: number; high: number } {
  let sum = 0;
  let high = 0;
  for (let at = start; at < start + length; at += 1) {
    const byte = chunk[at] ?? 0;
    sum += byte;
    high += byte >> 7;
  }
  return { sum, high };
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

/** A number in octal digits or, if the first bit is set, in base 256. Null if it is neither, negative or too large. */
function readNumber(chunk: Buffer, start: number, width: number): number | null {
  const first = chunk[start] ?? 0;
  if (first >= 0x80) {
    if (first !== 0x80) return null;
    let value = 0;
    for (let at = start + 1; at < start + width; at += 1) value = value * 256 + (chunk[at] ?? 0);
    return sound(value);
  }
  let at = start;
  while (at < start + width && chunk[at] === 0x20) at += 1;
  let value = 0;
  for (; at < start + width; at += 1) {
    const byte = chunk[at] ?? 0;
    if (byte === 0 || byte === 0x20) return value;
    if (byte < 0x30 || byte > 0x37) return null;
    value = value * 8 + byte - 0x30;
  }
  return value;
}

function sound(value: number): number | null {
  // Half of the exact range, so that a rounded-up size is exact too.
  return value <= Number.MAX_SAFE_INTEGER / 2 ? value : null;
}

function readPath(chunk: Buffer, start: number): string {
  const name = readText(chunk, start, 100);
  const prefix = isUstar(chunk, start + 257) ? readText(chunk, start + 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** GNU's own format (`ustar`, two spaces) has other fields in place of the prefix. */
function isUstar(chunk: Buffer, start: number): boolean {
  return USTAR.compare(chunk, start, start + USTAR.length) === 0;
}

/** Text up to a NUL. */
function readText(chunk: Buffer, start: number, width: number): string {
  let end = start;
  // Stop at the end of the field: searching the whole chunk for each header would take for ever.
  while (end < start + width && chunk[end] !== 0) end += 1;
  return chunk.toString('utf8', start, end);
}

/** Reads records `LENGTH KEY=VALUE\n`, where LENGTH counts the whole record. Null if they are malformed. */
function readPax(bytes: Buffer): Override | null {
  const found: { -readonly [Key in keyof Override]: Override[Key] } = {};
  for (let at = 0; at < bytes.length && bytes[at] !== 0;) {
    const space = bytes.indexOf(0x20, at);
    const digits = space - at > 0 && space - at <= 7 ? bytes.toString('latin1', at, space) : '';
    const end = at + (/^[1-9]\d*$/.test(digits) ? Number(digits) : 0);
    const equals = bytes.indexOf(0x3d, space);
    if (equals === -1 || equals >= end || end > bytes.length || bytes[end - 1] !== 0x0a) return null;
    const key = bytes.toString('utf8', space + 1, equals);
    const value = bytes.toString('utf8', equals + 1, end - 1);
    if (key.startsWith('GNU.sparse.')) found.sparse = true;
    // An empty value revokes one of a global header.
    if (key === 'path' && value !== '') found.path = value;
    if (key === 'GNU.sparse.name' && value !== '') found.sparsePath = value;
    if (key === 'linkpath' && value !== '') found.target = value;
    if (key === 'mtime' && /^\d{1,15}(?:\.\d*)?$/.test(value)) found.modifiedMs = Number(value) * 1000;
    if (key === 'size' && value !== '') {
      const size = /^\d{1,16}$/.test(value) ? sound(Number(value)) : null;
      if (size === null) return null;
      found.size = size;
    }
    at = end;
  }
  return found;
}

function limit(what: string): TarStep {
  return { kind: 'limit', reason: `no metadata within the first ${what}` };
}

function damaged(reason: string): TarStep {
  return { kind: 'damaged', reason };
}
