import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { openSync } from 'node:fs';
import type { MetadataReading } from '../model/metadata.js';
import { CHANGED, digestFile, failed, isStill, leave, readAt } from './digest.js';
import type { Digested, DigestOptions, Hashed } from './digest.js';
import { READ_FLAGS } from '../disk/files.js';
import { openLanes } from './lanes.js';
import type { Filled, Lanes } from './lanes.js';
import { readMetadataFromHead } from '../archives/member.js';
import type { ScannedFile } from '../places/scan.js';

const NOTHING: Filled = { length: 0, isLast: false };

/** One set a thread, made when it is first of use; null where it cannot be. */
let lanes: Lanes | null | undefined;

/**
 * As `digestFile`, of several files, up to `LANES`: several are read in turns, and MD5 is of all of them at once. One
 * that fails leaves the others alone. A promise is to be awaited before the next is asked for: what is looked for far
 * into several files at once takes memory for each of them. None rejects.
 */
export function* digestFiles(
  files: readonly ScannedFile[],
  options: DigestOptions,
): Generator<Digested | Promise<Digested>, void, void> {
  if (lanes === undefined) lanes = openLanes();
  if (lanes !== null) yield* digestTogether(files, options, lanes);
  else for (const file of files) yield digestFile(file, options);
}

/** A file that is being read. */
interface Reading {
  readonly file: ScannedFile;
  readonly size: number;
  readonly fd: number;
  readonly slot: Buffer;
  readonly sha256: Hash;
  position: number;
  /** Whether nothing more is to be read. */
  isOver: boolean;
  metadata: MetadataReading | null;
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
  // Whoever asks for them one by one may have the lanes used for others meanwhile.
  const finished = readings.map((reading, lane) => ({ ...reading, md5: digest(lane) }));
  for (const reading of finished) yield finish(reading, options);
}

function open(file: ScannedFile, slot: Buffer, { directory }: DigestOptions): Reading {
  const size = Number(file.identity.size);
  const sha256 = createHash('sha256');
  const reading = {
    file,
    size,
    fd: -1,
    slot,
    sha256,
    position: 0,
    isOver: false,
    metadata: null,
    failure: null,
  };
  try {
    return { ...reading, fd: openSync(`${directory}/${file.path}`, READ_FLAGS) };
  } catch (error) {
    return { ...reading, isOver: true, failure: failed(error) };
  }
}

/** Reads on, and takes in what the lanes do not. */
function readPart(reading: Reading, { metadata }: DigestOptions): Filled {
  const { file, size, fd, slot, sha256, position } = reading;
  try {
    if (position === 0 && !isStill(fd, file.identity)) return giveUp(reading, CHANGED);
    const wanted = Math.min(size - position, slot.length);
    const bytes = readAt(fd, position, slot.subarray(0, wanted));
    if (bytes.length < wanted) return giveUp(reading, CHANGED);
    if (position === 0 && metadata)
      reading.metadata = readMetadataFromHead(file.path, bytes, wanted === size);
    sha256.update(bytes);
    reading.position += wanted;
    reading.isOver = reading.position === size;
    return { length: wanted, isLast: reading.isOver };
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
  { file, size, fd, sha256, md5, metadata, failure }: Reading & { readonly md5: string },
  options: DigestOptions,
): Digested | Promise<Digested> {
  const digested = failure ?? judge(fd, file, { size, sha256: sha256.digest('hex'), md5, reading: metadata });
  return fd < 0 ? digested : leave(fd, file, { digested, metadata: options.metadata });
}

function judge(fd: number, file: ScannedFile, hashed: Omit<Hashed, 'kind'>): Digested {
  try {
    return isStill(fd, file.identity) ? { kind: 'digested', ...hashed } : CHANGED;
  } catch (error) {
    return failed(error);
  }
}
