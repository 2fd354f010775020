/** Limits of docs/FORMAT.md §9 on what is read of an archive to find its metadata. */
export const MEMBER_LIMIT_BYTES = 1024 * 1024;
export const MEMBER_COUNT_LIMIT = 100_000;
export const READ_LIMIT_BYTES = 64 * 1024 * 1024;

const BLOCK = 512;
const USTAR = Buffer.from('ustar\0');
const REGULAR_TYPES: readonly string[] = ['\0', '0', '7'];
/** Links, devices, folders and pipes: no contents follow, whatever their size field says. */
const EMPTY_TYPES = '123456';
const MORE: TarStep = { kind: 'more' };
const STOPPED: TarStep = { kind: 'stopped' };

/** What reading on came to. All but `more` are final. */
export type TarStep =
  | { readonly kind: 'more' }
  /** The visitor has what it came for. */
  | { readonly kind: 'stopped' }
  /** The archive ended as it should. */
  | { readonly kind: 'end' }
  | { readonly kind: 'limit' | 'damaged'; readonly reason: string };

/** Who looks at the members. Only regular files are shown to it. */
export interface TarVisitor {
  /** Whether the bytes of the file of this path are wanted; paths are as the archive has them. */
  readonly wants: (path: string) => boolean;
  /** Given the first `MEMBER_LIMIT_BYTES` of a wanted file, valid during the call; says whether to stop. */
  readonly found: (path: string, bytes: Uint8Array) => 'more' | 'stop';
}

/** A tar archive read in pieces as they come. */
export interface TarReader {
  readonly push: (chunk: Uint8Array) => TarStep;
  /** To be called when there is no more to push: an archive may lack its end mark, but not half a member. */
  readonly finish: () => TarStep;
}

/** What an extended header says of the member after it, or of all of them. */
interface Override {
  readonly path?: string;
  readonly size?: number;
  /** A sparse file's bytes are not its contents. */
  readonly sparse?: true;
}

const NOTHING_SAID: Override = {};

/** A header block: where it stands in the bytes at hand, and what was read of it so far. */
interface Header {
  readonly chunk: Buffer;
  readonly at: number;
  readonly type: string;
  readonly size: number;
}

interface Taking {
  readonly bytes: Buffer;
  filled: number;
  readonly done: (bytes: Buffer) => TarStep;
}

/**
 * Reads v7, ustar, GNU and PAX archives. Its own parser and not a stream, since it is fed in the same
 * pass that makes the digests, for many thousand archives. It never throws, whatever the bytes.
 */
export function createTarReader(visitor: TarVisitor): TarReader {
  let partial: Buffer | null = null;
  let partialBytes = 0;
  let members = 0;
  let readBytes = 0;
  let skipBytes = 0;
  let taking: Taking | null = null;
  let sparseMap = false;
  let everywhere = NOTHING_SAID;
  let next = NOTHING_SAID;
  let last: TarStep = MORE;

  function push(chunk: Uint8Array): TarStep {
    if (last.kind !== 'more') return last;
    last = readAll(upTo(chunk, READ_LIMIT_BYTES - readBytes));
    readBytes += chunk.byteLength;
    if (last.kind === 'more' && readBytes >= READ_LIMIT_BYTES) last = limit('64 MiB');
    return last;
  }

  function finish(): TarStep {
    if (last.kind !== 'more') return last;
    const whole = skipBytes === 0 && partialBytes === 0 && taking === null && !sparseMap && members > 0;
    last = whole ? { kind: 'end' } : damaged('it ends in the middle of a member');
    return last;
  }

  function readAll(chunk: Buffer): TarStep {
    let at = 0;
    while (at < chunk.length) {
      const left = chunk.length - at;
      if (taking !== null) {
        const bytes = Math.min(left, taking.bytes.length - taking.filled);
        chunk.copy(taking.bytes, taking.filled, at, at + bytes);
        taking.filled += bytes;
        at += bytes;
        if (taking.filled < taking.bytes.length) continue;
        const { done, bytes: taken } = taking;
        taking = null;
        const step = done(taken);
        if (step.kind !== 'more') return step;
      } else if (skipBytes > 0) {
        const bytes = Math.min(left, skipBytes);
        skipBytes -= bytes;
        at += bytes;
      } else if (partialBytes === 0 && left >= BLOCK) {
        const step = readBlock(chunk, at);
        at += BLOCK;
        if (step.kind !== 'more') return step;
      } else {
        const bytes = Math.min(left, BLOCK - partialBytes);
        partial ??= Buffer.alloc(BLOCK);
        chunk.copy(partial, partialBytes, at, at + bytes);
        partialBytes += bytes;
        at += bytes;
        if (partialBytes < BLOCK) continue;
        partialBytes = 0;
        const step = readBlock(partial, 0);
        if (step.kind !== 'more') return step;
      }
    }
    return MORE;
  }

  /** One header block. What lies behind it in `chunk` is still to be passed over. */
  function readBlock(chunk: Buffer, at: number): TarStep {
    if (sparseMap) {
      sparseMap = chunk[at + 504] === 1;
      return MORE;
    }
    if (isBlankBlock(chunk, at)) return { kind: 'end' };
    if (!isTarHeader(chunk, at))
      return damaged(members === 0 ? 'it is no tar archive' : 'a header is broken');
    const type = String.fromCharCode(chunk[at + 156] ?? 0);
    const size = readNumber(chunk, at + 124, 12);
    if (size === null) return damaged('a member has an impossible size');
    const header = { chunk, at, type, size };
    return 'LKxXg'.includes(type) ? readExtension(header) : readMember(header);
  }

  function readExtension(header: Header): TarStep {
    const { type, size } = header;
    if (size > MEMBER_LIMIT_BYTES) return limit('1 MiB of one header');
    return take(header, size, (bytes) => {
      if (type === 'L') next = { ...next, path: readText(bytes, 0, bytes.length) };
      if (type === 'L' || type === 'K') return MORE;
      const override = readPax(bytes);
      if (override === null) return damaged('an extended header is broken');
      if (type === 'g') everywhere = { ...everywhere, ...override };
      else next = { ...next, ...override };
      return MORE;
    });
  }

  function readMember(header: Header): TarStep {
    members += 1;
    if (members > MEMBER_COUNT_LIMIT) return limit(`${MEMBER_COUNT_LIMIT} members`);
    const { chunk, at, type } = header;
    const path = next.path ?? everywhere.path ?? readPath(chunk, at);
    const size = next.size ?? everywhere.size ?? header.size;
    const sparse = next.sparse ?? everywhere.sparse ?? false;
    next = NOTHING_SAID;
    if (EMPTY_TYPES.includes(type)) return MORE;
    if (type === 'S') sparseMap = chunk[at + 482] === 1;
    if (!REGULAR_TYPES.includes(type) || sparse || path.endsWith('/') || !visitor.wants(path)) {
      skipBytes = padded(size);
      return MORE;
    }
    return take(header, size, (bytes) => (visitor.found(path, bytes) === 'stop' ? STOPPED : MORE));
  }

  /** Hands the bytes of a member to `done`: at once where they are at hand, else once they have come. */
  function take({ chunk, at }: Header, size: number, done: Taking['done']): TarStep {
    const bytes = Math.min(size, MEMBER_LIMIT_BYTES);
    const start = at + BLOCK;
    if (bytes <= chunk.length - start) {
      skipBytes = padded(size);
      return done(chunk.subarray(start, start + bytes));
    }
    skipBytes = padded(size) - bytes;
    taking = { bytes: Buffer.allocUnsafe(bytes), filled: 0, done };
    return MORE;
  }

  return { push, finish };
}

function upTo(chunk: Uint8Array, bytes: number): Buffer {
  if (Buffer.isBuffer(chunk) && chunk.length <= bytes) return chunk;
  return Buffer.from(chunk.buffer, chunk.byteOffset, Math.min(chunk.byteLength, bytes));
}

function isBlankBlock(chunk: Buffer, start: number): boolean {
  for (let at = start; at < start + BLOCK; at += 1) if (chunk[at] !== 0) return false;
  return true;
}

/** Whether a header of 512 bytes with a right checksum starts there. */
export function isTarHeader(chunk: Buffer, start: number): boolean {
  if (chunk.length - start < BLOCK) return false;
  const expected = readNumber(chunk, start + 148, 8);
  // Old writers took the bytes for signed.
  return (
    expected !== null && (expected === checksum(chunk, start, 0) || expected === checksum(chunk, start, 256))
  );
}

/** The sum of all bytes but the checksum's own, which count as blanks; those from 0x80 on less `lowered`. */
function checksum(chunk: Buffer, start: number, lowered: number): number {
  let sum = 8 * 0x20;
  for (let at = start; at < start + BLOCK; at += 1) {
    const byte = chunk[at] ?? 0;
    sum += byte < 0x80 ? byte : byte - lowered;
  }
  for (let at = start + 148; at < start + 156; at += 1) {
    const byte = chunk[at] ?? 0;
    sum -= byte < 0x80 ? byte : byte - lowered;
  }
  return sum;
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

/** A number in octal digits or, where the first bit is set, in base 256. Null where it is neither, negative or too large. */
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
    const digit = (chunk[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) return isBlank(chunk[at]) ? value : null;
    value = value * 8 + digit;
  }
  return value;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0 || byte === 0x20;
}

function sound(value: number): number | null {
  // Half of what is exact, so that a rounded-up size is exact as well.
  return value <= Number.MAX_SAFE_INTEGER / 2 ? value : null;
}

function readPath(chunk: Buffer, start: number): string {
  const name = readText(chunk, start, 100);
  const prefix = isUstar(chunk, start + 257) ? readText(chunk, start + 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** In GNU's own format (`ustar`, two spaces) other things stand where ustar has its prefix. */
function isUstar(chunk: Buffer, start: number): boolean {
  return USTAR.compare(chunk, start, start + USTAR.length) === 0;
}

/** Text up to a NUL. */
function readText(chunk: Buffer, start: number, width: number): string {
  let end = start;
  // Never beyond the field: a search through all that is at hand, once a header, would take for ever.
  while (end < start + width && chunk[end] !== 0) end += 1;
  return chunk.toString('utf8', start, end);
}

/** Records `LENGTH KEY=VALUE\n`, LENGTH counting all of it. Null where they are not that. */
function readPax(bytes: Buffer): Override | null {
  const found: { path?: string; size?: number; sparse?: true } = {};
  for (let at = 0; at < bytes.length && bytes[at] !== 0;) {
    const space = bytes.indexOf(0x20, at);
    const digits = space - at > 0 && space - at <= 7 ? bytes.toString('latin1', at, space) : '';
    const end = at + (/^[1-9]\d*$/.test(digits) ? Number(digits) : 0);
    const equals = bytes.indexOf(0x3d, space);
    if (equals === -1 || equals >= end || end > bytes.length || bytes[end - 1] !== 0x0a) return null;
    const key = bytes.toString('utf8', space + 1, equals);
    const value = bytes.toString('utf8', equals + 1, end - 1);
    if (key.startsWith('GNU.sparse.')) found.sparse = true;
    // An empty value takes back what was said for all members, and nothing is ever said of size but here.
    if (key === 'path' && value !== '') found.path = value;
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
