import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { openSync } from 'node:fs';
import { countBytes } from './byte-count.js';
import { CHANGED, digestFile, failed, isStill, leave, searchOpen, weightOf } from './digest.js';
import type { Digested, DigestOptions, Hashed } from './digest.js';
import { READ_FLAGS, readAt } from '../disk/files.js';
import { openLanes } from './lanes.js';
import type { Filled, Lanes } from './lanes.js';
import { lookAtHead } from '../archives/look.js';
import type { Look } from '../model/inspection.js';
import type { SecretSearch } from '../pgp/secret-material.js';
import type { ScannedFile } from '../places/scan.js';

const NOTHING: Filled = { length: 0, isLast: false };

/** One set for each thread, made when first needed; null if the platform has none. */
let lanes: Lanes | null | undefined;

/**
 * As `digestFile`, for up to `LANES` files: reads them alternately, and computes their MD5 all at once. One that fails
 * does not affect the others. Await each promise before you ask for the next result: searching far into several files at
 * once takes memory for each. None rejects.
 */
export function* digestFiles(
  files: readonly ScannedFile[],
  options: DigestOptions,
): Generator<Digested | Promise<Digested>, void, void> {
  if (lanes === undefined) lanes = openLanes();
  if (lanes !== null) yield* digestTogether(files, options, lanes);
  else yield* digestEach(files, options);
}

/** One after the other, as `digestFile`. */
export function* digestEach(
  files: readonly ScannedFile[],
  options: DigestOptions,
): Generator<Digested | Promise<Digested>, void, void> {
  for (const file of files) yield digestFile(file, options);
}

/** A file while it is read. */
interface Reading {
  readonly file: ScannedFile;
  readonly size: number;
  readonly fd: number;
  readonly slot: Buffer;
  readonly sha256: Hash;
  position: number;
  /** Whether the file is read to its end, or failed. */
  isOver: boolean;
  look: Look | null;
  search: SecretSearch | null;
  failure: Digested | null;
}

function* digestTogether(
  files: readonly ScannedFile[],
  options: DigestOptions,
  { slot, start, update, digest }: Lanes,
): Generator<Digested | Promise<Digested>, void, void> {
  const readings = files.map((file, lane) => open(file, slot(lane), options));
  start();
  while (readings.some(({ isOver }) => !isOver)) {
    update(readings.map((reading) => (reading.isOver ? NOTHING : readPart(reading, options))));
  }
  // Get all digests now: the caller may use the lanes for other files between two results.
  const finished = readings.map((reading, lane) => ({ ...reading, md5: digest(lane) }));
  for (const reading of finished) yield finish(reading, options);
}

function open(file: ScannedFile, slot: Buffer, { directory, secrets }: DigestOptions): Reading {
  const reading = {
    file,
    size: Number(file.identity.size),
    fd: -1,
    slot,
    sha256: createHash('sha256'),
    position: 0,
    isOver: false,
    look: null,
    search: null,
    failure: null,
  };
  try {
    const fd = openSync(`${directory}/${file.path}`, READ_FLAGS);
    return { ...reading, fd, search: secrets === true ? searchOpen(fd, reading.size) : null };
  } catch (error) {
    return { ...reading, isOver: true, failure: failed(error) };
  }
}

/** Reads the next part of a file, for the lanes and for SHA-256. */
function readPart(reading: Reading, options: DigestOptions): Filled {
  const { file, size, fd, slot, sha256, position } = reading;
  try {
    if (position === 0 && !isStill(fd, file.identity)) return giveUp(reading, CHANGED);
    const length = Math.min(size - position, slot.length);
    const bytes = readAt(fd, position, slot.subarray(0, length));
    if (bytes.length < length) return giveUp(reading, CHANGED);
    if (position === 0) reading.look = lookAtHead(file.path, bytes, { ...options, whole: length === size });
    sha256.update(bytes);
    countBytes(options.counted, length * weightOf(reading.look));
    reading.search?.take(bytes);
    reading.position += length;
    reading.isOver = reading.position === size;
    return { length, isLast: reading.isOver };
  } catch (error) {
    return giveUp(reading, failed(error));
  }
}

function giveUp(reading: Reading, failure: Digested): Filled {
  reading.failure = failure;
  reading.isOver = true;
  return NOTHING;
}

function finish(
  { file, size, fd, sha256, md5, look, search, failure }: Reading & { readonly md5: string },
  options: DigestOptions,
): Digested | Promise<Digested> {
  const secret = search?.found() ?? null;
  const digests = { size, sha256: sha256.digest('hex'), md5 };
  const hashed = { kind: 'digested', ...digests, look, secret } as const;
  const digested = failure ?? unlessChanged(fd, file, hashed);
  return fd < 0 ? digested : leave(fd, file, { digested, options });
}

function unlessChanged(fd: number, file: ScannedFile, hashed: Hashed): Digested {
  try {
    return isStill(fd, file.identity) ? hashed : CHANGED;
  } catch (error) {
    return failed(error);
  }
}
