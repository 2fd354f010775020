import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { openBytes } from './byte-input.js';
import type { ByteInput } from './byte-input.js';
import { startCrc32, startCrc64, startSha256 } from './checksums.js';
import type { Checksum } from './checksums.js';
import { damage, unseen } from './fault.js';
import { createLzma } from './lzma.js';
import type { Lzma } from './lzma.js';
import { unpackLzma2 } from './lzma2.js';
import { createFilter } from './xz-filters.js';
import type { Filter } from './xz-filters.js';

const MAGIC = Buffer.from('fd377a585a00', 'hex');
const FOOTER_MAGIC = Buffer.from('YZ');
const LZMA2 = 0x21;
const MOST_FILTERS = 4;
/** By the number of the check; those that have no name are reserved. */
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
const CHECKS: Readonly<Record<number, (() => Checksum) | undefined>> = {
  1: startCrc32,
  4: startCrc64,
  10: startSha256,
};

/**
 * Unpacks xz (the .xz file format 1.2), one stream or several with padding between them, in pieces of at most 2 MiB, each
 * its own buffer. Checks all that the format lets it check. Throws `damage`, at the latest at the end of a block after
 * pieces of it, or `unseen` for what it does not know. A caller that stops early stops the reading of `chunks`.
 */
export function* unxz(chunks: Iterable<Buffer>): Generator<Buffer, void, undefined> {
  const iterator = chunks[Symbol.iterator]();
  const input = openBytes(iterator, 'ends early: the rest of the xz data is missing');
  const lzma = createLzma();
  try {
    do yield* unpackStream(input, lzma);
    while (anotherStream(input));
  } finally {
    iterator.return?.();
  }
}

/** Whether another stream follows, behind padding in steps of four bytes. */
function anotherStream(input: ByteInput): boolean {
  while (input.hasMore()) {
    const start = input.peek();
    if (start !== 0) return true;
    if (input.take(4).some((byte) => byte !== 0)) throw damage('has other data after the end of the xz data');
  }
  return false;
}

/** What the blocks of a stream held, in one digest, and in its index. */
interface Records {
  count: number;
  readonly digest: ReturnType<typeof createHash>;
}

function addRecord(records: Records, storedBytes: number, bytes: number): void {
  records.count += 1;
  records.digest.update(`${storedBytes} ${bytes}\n`);
}

function* unpackStream(input: ByteInput, lzma: Lzma): Generator<Buffer> {
  const header = Buffer.from(input.take(12));
  if (!header.subarray(0, 6).equals(MAGIC)) throw damage('has other data after the end of the xz data');
  const flags = header.subarray(6, 8);
  checkHeader(flags, header.readUInt32LE(8));
  const check = header.readUInt8(7);
  if (header.readUInt8(6) !== 0 || check > 15) throw unseen('is a kind of xz that packsign does not know');
  const records: Records = { count: 0, digest: createHash('sha256') };
  while (input.peek() !== 0) yield* unpackBlock(input, lzma, { check, records });
  const indexBytes = readIndex(input, records);
  const footer = input.take(12);
  const isFooter = footer.subarray(10).equals(FOOTER_MAGIC) && footer.subarray(8, 10).equals(flags);
  if (!isFooter || (footer.readUInt32LE(4) + 1) * 4 !== indexBytes)
    throw damage('the end of its xz data is damaged');
  checkHeader(footer.subarray(4, 10), footer.readUInt32LE(0));
}

function checkHeader(bytes: Buffer, expected: number): void {
  if (crc32(bytes) !== expected) throw damage('a header in its xz data is damaged');
}

interface BlockContext {
  readonly check: number;
  readonly records: Records;
}

function* unpackBlock(input: ByteInput, lzma: Lzma, { check, records }: BlockContext): Generator<Buffer> {
  const start = input.position();
  const header = readBlockHeader(input);
  const dataStart = input.position();
  const checksum = CHECKS[check]?.() ?? null;
  let bytes = 0;
  for (const piece of filtered(unpackLzma2(input, lzma, header.dictionaryBytes), header.filters)) {
    checksum?.add(piece);
    bytes += piece.length;
    yield piece;
  }
  const packedBytes = input.position() - dataStart;
  if (packedBytes !== (header.packedBytes ?? packedBytes) || bytes !== (header.bytes ?? bytes)) {
    throw damage('its contents do not have the size that its header says');
  }
  const padding = input.take((4 - (packedBytes % 4)) % 4);
  if (padding.some((byte) => byte !== 0)) throw damage('its xz data is damaged');
  const stored = input.take(CHECK_BYTES[check] ?? 0);
  if (checksum !== null && !checksum.digest().equals(stored)) {
    throw damage('its contents do not match their checksum');
  }
  addRecord(records, input.position() - start - padding.length, bytes);
}

function* filtered(pieces: Iterable<Buffer>, filters: readonly Filter[]): Generator<Buffer> {
  for (const piece of pieces) yield filters.reduce((bytes, filter) => filter.push(bytes), piece);
  for (let rest = [...filters]; rest.length > 0;) {
    const [first, ...others] = rest;
    const held = first?.finish() ?? Buffer.alloc(0);
    yield others.reduce((bytes, filter) => filter.push(bytes), held);
    rest = others;
  }
}

interface BlockHeader {
  readonly packedBytes: number | null;
  readonly bytes: number | null;
  /** In the order in which they are undone, behind LZMA2. */
  readonly filters: readonly Filter[];
  readonly dictionaryBytes: number;
}

function readBlockHeader(input: ByteInput): BlockHeader {
  const length = (input.peek() + 1) * 4;
  const bytes = Buffer.from(input.take(length));
  checkHeader(bytes.subarray(0, -4), bytes.readUInt32LE(length - 4));
  const fields = openBytes([bytes.subarray(2, -4)].values(), 'a header in its xz data is damaged');
  const flags = bytes.readUInt8(1);
  if ((flags & 0x3c) !== 0) throw unseen('is a kind of xz that packsign does not know');
  const packedBytes = (flags & 0x40) === 0 ? null : readNumber(fields);
  const unpackedBytes = (flags & 0x80) === 0 ? null : readNumber(fields);
  const chain = Array.from({ length: (flags & (MOST_FILTERS - 1)) + 1 }, () => ({
    id: readNumber(fields),
    properties: Buffer.from(fields.take(readNumber(fields))),
  }));
  while (fields.hasMore()) {
    if (fields.take(1)[0] !== 0) throw unseen('is a kind of xz that packsign does not know');
  }
  const last = chain.pop();
  if (last?.id !== LZMA2 || last.properties.length !== 1) {
    throw unseen('uses a filter of xz that packsign does not know');
  }
  const filters = chain.reverse().map(({ id, properties }) => createFilter(id, properties));
  return {
    packedBytes,
    bytes: unpackedBytes,
    filters,
    dictionaryBytes: dictionaryBytesOf(last.properties.readUInt8()),
  };
}

function dictionaryBytesOf(code: number): number {
  if (code > 40) throw unseen('is a kind of xz that packsign does not know');
  return code === 40 ? 2 ** 32 - 1 : (2 | (code & 1)) * 2 ** ((code >>> 1) + 11);
}

/** A number of up to nine bytes with seven bits each, lowest first. */
function readNumber(input: ByteInput): number {
  let value = 0;
  for (let at = 0; at < 9; at += 1) {
    const [byte = 0] = input.take(1);
    value += (byte & 0x7f) * 2 ** (7 * at);
    if (byte >= 0x80) continue;
    if ((byte === 0 && at > 0) || value > Number.MAX_SAFE_INTEGER) break;
    return value;
  }
  throw damage('a header in its xz data is damaged');
}

/** Compares the index with the blocks; gives its length. */
function readIndex(input: ByteInput, blocks: Records): number {
  const start = input.position();
  let crc = 0;
  const summed: ByteInput = {
    ...input,
    take(length) {
      const bytes = input.take(length);
      crc = crc32(bytes, crc);
      return bytes;
    },
  };
  summed.take(1);
  const count = readNumber(summed);
  const records: Records = { count: 0, digest: createHash('sha256') };
  while (records.count < count && records.count <= blocks.count) {
    addRecord(records, readNumber(summed), readNumber(summed));
  }
  const length = input.position() - start;
  const padding = summed.take((4 - (length % 4)) % 4);
  const isSound = padding.every((byte) => byte === 0) && crc === input.take(4).readUInt32LE();
  const isSame = count === blocks.count && records.digest.digest().equals(blocks.digest.digest());
  if (!isSound || !isSame) throw damage('the end of its xz data is damaged');
  return input.position() - start;
}
