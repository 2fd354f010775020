import { setImmediate } from 'node:timers/promises';
import type { Format } from './contents.js';
import { decompress, fileChunks } from './decompress.js';
import type { Compression, OpenFile } from './decompress.js';
import { unseen } from './fault.js';
import { createContentsCheck } from './inspect-tar.js';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** Bounds of docs/FORMAT.md §5. Unpacking bzip2 takes ten times as long. */
const BZIP2_LIMIT_BYTES = 256 * MIB;
const LIMIT_BYTES = 4 * GIB;
/** So many unpacked bytes may keep this thread from everything else. */
const TURN_BYTES = 2 * MIB;
const RATIO = 200;
const RATIO_SPARE_BYTES = 64 * MIB;

/** Compressions that are looked through to their end. */
export type StreamFormat = 'gzip' | 'bzip2' | 'xz' | 'zstd';

export function isStream(format: Format): format is StreamFormat {
  return format === 'gzip' || format === 'bzip2' || format === 'xz' || format === 'zstd';
}

/** A compressed stream: a whole file, or part of one. */
export interface Stream {
  readonly file: OpenFile;
  readonly start: number;
  readonly end: number;
  readonly compression: Compression;
}

/** The unpacked bytes, until they are more than the bounds allow: then it throws `unseen`, as it throws `damage`. */
export async function* unpack({ file, start, end, compression }: Stream): AsyncGenerator<Uint8Array> {
  const limitBytes = compression === 'bzip2' ? BZIP2_LIMIT_BYTES : LIMIT_BYTES;
  const ratioBytes = RATIO * (end - start) + RATIO_SPARE_BYTES;
  let bytes = 0;
  let turn = 0;
  for await (const piece of decompress(compression, fileChunks(file, start, end))) {
    bytes += piece.length;
    if (bytes > ratioBytes) throw unseen('unpacks to more than 200 times its size');
    if (bytes > limitBytes) throw unseen(`unpacks to more than ${limitBytes / MIB} MiB`);
    if (bytes >= turn + TURN_BYTES) {
      turn = bytes;
      await setImmediate();
    }
    yield piece;
  }
}

/** Unpacks a stream to its end. `name` tells whether it must hold a tar archive. Throws `damage` or `unseen`. */
export async function checkStream(stream: Stream, name: string): Promise<void> {
  const check = createContentsCheck(name);
  for await (const piece of unpack(stream)) check.push(piece);
  check.finish();
}
