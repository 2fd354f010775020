import { pipeline, Readable } from 'node:stream';
import type { Duplex } from 'node:stream';
import * as zlib from 'node:zlib';
import { bunzip2 } from './bzip2.js';
import { unxz } from './xz.js';
import { unzstd } from './zstd.js';
import { damage, unseen } from './fault.js';
import { checkPadding, gzipFault } from './gzip.js';

/** A file that is open for reading, and stays open. */
export interface OpenFile {
  /** Fills the room with the bytes from there on, or some of them; gives how many, 0 only at the end. Throws if that fails. */
  readonly read: (room: Buffer, at: number) => number;
  readonly size: number;
  /** Gets how far the file has been read. */
  readonly reach?: (at: number) => void;
}

export type Compression = 'deflate' | 'gzip' | 'bzip2' | 'xz' | 'zstd';

const CHUNK_BYTES = 64 * 1024;
/** More than a stream and the decoder behind it read ahead. */
const AHEAD_CHUNKS = 8;
/** The bytes of a part of a file, in pieces; each piece is its own buffer. */
export function* fileChunks(file: OpenFile, start: number, end: number): Generator<Buffer> {
  for (let at = start; at < Math.min(end, file.size);) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - at, file.size - at));
    const bytes = file.read(buffer, at);
    if (bytes === 0) return;
    yield buffer.subarray(0, bytes);
    at += bytes;
    file.reach?.(at);
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
      return unbzip2(chunks);
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

function* unbzip2(chunks: Iterable<Buffer>): Generator<Uint8Array> {
  try {
    yield* bunzip2(chunks);
  } catch (error) {
    throw bzip2Fault(error);
  }
}

/** What an error of the decoder says about a bzip2 file. */
function bzip2Fault(error: unknown): unknown {
  if (!(error instanceof Error) || !error.message.startsWith('bzip2: ')) return error;
  if (error.message.endsWith('cut short')) return damage('ends early: the rest of the bzip2 data is missing');
  if (error.message.endsWith('checksum')) return damage('its contents do not match their checksum');
  if (error.message.endsWith('no stream where one should begin')) {
    return damage('has other data after the end of the bzip2 data');
  }
  // Written by bzip2 before 1.0 alone.
  if (error.message.endsWith('randomised block'))
    return unseen('is a kind of bzip2 that packsign does not know');
  return damage('its bzip2 data is damaged');
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
