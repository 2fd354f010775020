import { readSync } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import type { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import * as zlib from 'node:zlib';
import { bunzip2 } from './bzip2.js';
import { checkPadding, gzipFault } from './gzip.js';

/** A file that is open for reading, and stays open. */
export interface OpenFile {
  readonly fd: number;
  readonly size: number;
}

export type Compression = 'deflate' | 'gzip' | 'bzip2' | 'xz' | 'zstd';

const CHUNK_BYTES = 64 * 1024;
/** More than a stream and the decoder behind it read ahead. */
const AHEAD_CHUNKS = 8;
/** How much one piece of input may unpack to at once. */
const BURST_BYTES = 64 * 1024 * 1024;
/** The largest window that `zstd` itself accepts by default. */
const ZSTD_WINDOW_BYTES = 128 * 1024 * 1024;
/** fzstd moves its whole window for each block: limit the sum. */
const ZSTD_MOVED_BYTES = 16 * 1024 * 1024 * 1024;

/** The bytes of a part of a file, in pieces; each piece is its own buffer. */
export function* fileChunks(file: OpenFile, start: number, end: number): Generator<Buffer> {
  for (let at = start; at < Math.min(end, file.size);) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - at, file.size - at));
    const bytes = readSync(file.fd, buffer, 0, buffer.length, at);
    if (bytes === 0) return;
    yield buffer.subarray(0, bytes);
    at += bytes;
  }
}

/**
 * The decompressed bytes, in pieces. Throws if the input is damaged, cut short, or would take unreasonable work. A
 * caller that stops early stops the decoder and the reading of `chunks`.
 */
export function decompress(
  compression: Compression,
  chunks: Iterable<Buffer>,
): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  switch (compression) {
    case 'deflate':
      return throughStream(zlib.createInflateRaw({ chunkSize: CHUNK_BYTES }), chunks);
    case 'gzip':
      return gunzip(chunks);
    case 'bzip2':
      return bunzip2(chunks);
    case 'xz':
      return unxz(chunks);
    case 'zstd':
      // Newer versions of Node have a decoder, but it ends after the first of several frames.
      return unzstd(chunks);
  }
}

async function* throughStream(decoder: Duplex, chunks: Iterable<Buffer>): AsyncGenerator<Uint8Array> {
  const source = Readable.from(chunks, { objectMode: false, highWaterMark: CHUNK_BYTES });
  // A failure of either destroys the decoder, and the reader of the decoder gets the error.
  pipeline(source, decoder, () => undefined);
  yield* decoder as AsyncIterable<Uint8Array>;
}

/** Checks what follows the end as well, which zlib passes over. */
async function* gunzip(chunks: Iterable<Buffer>): AsyncGenerator<Uint8Array> {
  const decoder = zlib.createGunzip({ chunkSize: CHUNK_BYTES });
  // What the decoder has not read yet, but for its last chunks: streams read ahead.
  let readBytes = 0;
  let ahead: Buffer[] = [];
  const iterator = chunks[Symbol.iterator]();
  function* source(): Generator<Buffer> {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
      ahead = [...ahead, next.value].slice(-AHEAD_CHUNKS);
      readBytes += next.value.length;
      yield next.value;
    }
  }
  try {
    yield* throughStream(decoder, source());
    checkPadding(Buffer.concat(ahead).subarray(-1 * (readBytes - decoder.bytesWritten) || Infinity));
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) checkPadding(next.value);
  } catch (error) {
    throw gzipFault(error);
  } finally {
    iterator.return?.();
  }
}

async function* unxz(chunks: Iterable<Buffer>): AsyncGenerator<Uint8Array> {
  const { default: xz } = await import('xz-decompress');
  const pieces = chunks[Symbol.iterator]();
  const source = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = pieces.next();
      if (piece.done === true) controller.close();
      else controller.enqueue(piece.value);
    },
    cancel() {
      pieces.return?.();
    },
  });
  const reader = new xz.XzReadableStream(source).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // Its streams wait for each other, so one that is not cancelled would block every later one. And one that is
    // cancelled in the middle of a step writes to freed memory, so let the step end first.
    await setImmediate();
    await reader.cancel().catch(() => undefined);
  }
}

async function* unzstd(chunks: Iterable<Buffer>): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import('fzstd');
  let unpacked: Uint8Array[] = [];
  let burstBytes = 0;
  const decoder = new Decompress((piece) => {
    unpacked.push(piece);
    burstBytes += piece.length;
    if (burstBytes > BURST_BYTES) throw new Error('too much output for its input');
  });
  const measure = createZstdMeter();
  for (const chunk of chunks) {
    measure(chunk);
    decoder.push(chunk);
    yield* unpacked;
    unpacked = [];
    burstBytes = 0;
  }
  decoder.push(new Uint8Array(0), true);
  yield* unpacked;
}

/**
 * Reads the frames and blocks of a zstd stream (RFC 8878 §3.1) ahead of fzstd, which allocates any window that a frame
 * header asks for, and moves all of it for each block, even for one of a single byte.
 */
function createZstdMeter(): (chunk: Buffer) => void {
  let held = Buffer.alloc(0);
  let skipBytes = 0;
  let frame: { readonly windowBytes: number; readonly checksumBytes: number } | null = null;
  let movedBytes = 0;

  function charge(windowBytes: number): void {
    movedBytes += windowBytes;
    if (windowBytes > ZSTD_WINDOW_BYTES || movedBytes > ZSTD_MOVED_BYTES)
      throw new Error('its window is too large');
  }

  return (chunk) => {
    held = Buffer.concat([held, chunk]);
    for (;;) {
      const skipped = Math.min(skipBytes, held.length);
      held = held.subarray(skipped);
      skipBytes -= skipped;
      if (skipBytes > 0) return;
      if (frame === null) {
        const header = readZstdFrame(held);
        if (header === null) return;
        skipBytes = header.bytes;
        if (header.kind === 'skippable') continue;
        frame = header;
        charge(header.windowBytes);
      } else {
        if (held.length < 3) return;
        const block = held.readUIntLE(0, 3);
        charge(frame.windowBytes);
        // A run-length block takes one byte, whatever its size.
        skipBytes = 3 + ((block & 6) === 2 ? 1 : block >> 3);
        if ((block & 1) === 0) continue;
        skipBytes += frame.checksumBytes;
        frame = null;
      }
    }
  };
}

type ZstdFrame =
  | { readonly kind: 'skippable'; readonly bytes: number }
  | {
      readonly kind: 'frame';
      readonly bytes: number;
      readonly windowBytes: number;
      readonly checksumBytes: number;
    };

/** The header of a frame, `bytes` long (a skippable frame is all header). Null while it is incomplete. */
function readZstdFrame(held: Buffer): ZstdFrame | null {
  if (held.length < 8) return null;
  if (held.readUInt32LE(0) >>> 4 === 0x184d2a5) return { kind: 'skippable', bytes: 8 + held.readUInt32LE(4) };
  const flags = held.readUInt8(4);
  const single = (flags & 0x20) !== 0;
  const sizeAt = (single ? 5 : 6) + ([0, 1, 2, 4][flags & 3] ?? 0);
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][flags >> 6] ?? 0;
  const bytes = sizeAt + sizeBytes;
  if (held.length < bytes) return null;
  const exponent = held.readUInt8(5) >> 3;
  const windowBytes = single
    ? readLittleEndian(held.subarray(sizeAt, bytes))
    : 2 ** (10 + exponent) * (1 + (held.readUInt8(5) & 7) / 8);
  return { kind: 'frame', bytes, windowBytes, checksumBytes: (flags & 4) === 0 ? 0 : 4 };
}

function readLittleEndian(bytes: Buffer): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}
