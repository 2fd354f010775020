import { openSync } from 'node:fs';
import { dirname } from 'node:path';
import { READ_FLAGS, closing, kindOf, readAt, writeDurably } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { PART_LIMIT_BYTES, encodePart, isPartHead } from '../format/part.js';
import type { ObjectRow } from '../format/object-rows.js';
import { parseDestination } from '../model/destination.js';
import type { Warning } from '../model/finding.js';
import { compareText } from '../model/package.js';
import { shellWord } from '../model/shell.js';
import { formatShard, isInShard } from '../model/shard.js';
import type { Shard } from '../model/shard.js';
import { globsOf } from '../places/scan.js';
import { damageWarnings } from './damage.js';
import { openCache } from './facts-cache.js';
import { takeInventory } from './inventory.js';
import type { Inventory } from './inventory.js';
import { openObjects } from '../consume/open-objects.js';
import type { Objects, ObjectsOptions } from '../consume/open-objects.js';

export interface ShardOptions extends Omit<ObjectsOptions, 'remember' | 'isWanted' | 'hear'> {
  readonly shard: Shard;
  /** The file for the part. One that is no part is never replaced. */
  readonly output: string;
  /** Whether to read every object, and ignore what is known. */
  readonly rehash: boolean;
}

export interface ShardResult {
  /** The file that was written. */
  readonly part: string;
  /** `2/4`. */
  readonly shard: string;
  readonly address: string;
  readonly files: number;
  readonly bytes: number;
  readonly hashed: number;
  readonly cached: number;
  readonly warnings: readonly Warning[];
}

/**
 * Hashes one share of a bucket, and writes what it found into a part for `merge`: whole or not at all, and nothing
 * anywhere else. Files that it could not read, that changed meanwhile or that hold a secret are left out, with a warning.
 * Throws USAGE, DESTINATION_FAILED, FILE_EXISTS, FILE_UNWRITABLE.
 */
export async function hashShard(address: string, options: ShardOptions): Promise<ShardResult> {
  const { shard, output, directory, settings, rehash } = options;
  requireRoom(output);
  let listed = 0;
  const isWanted = (path: string) => {
    listed += 1;
    return isInShard(path, shard);
  };
  const objects = await openObjects(address, { ...options, isWanted, remember: false });
  try {
    // A mistyped prefix would show only once the parts are merged.
    if (listed === 0) throw new PacksignError('NOTHING_TO_LIST', `there is nothing at ${address}`);
    const run = { ...options.run, objects };
    const cache = openCache(run.stateFolder, { rehash: rehash || directory === null, remember: false });
    const scan = objects.scan({ globs: globsOf(settings) });
    const reading = { settings, cache, run, scan, published: null };
    const inventory = await takeInventory(directory ?? '', reading);
    const { Inspect: inspect = 'whole' } = settings;
    const rows = rowsOf(objects, inventory);
    const part = { address: nameOf(address), shard, settings, objects: { inspect, rows } };
    writeDurably(output, bounded(encodePart(part), output));
    const { files, bytes, hashed, cached } = inventory;
    return {
      ...{ part: output, shard: formatShard(shard), address: part.address, files: files.length, bytes },
      ...{ hashed, cached, warnings: [...inventory.warnings, ...foundIn(inventory)] },
    };
  } finally {
    await objects.close();
  }
}

/** Throws FILE_EXISTS, FILE_UNWRITABLE, before hours of work. */
function requireRoom(output: string): void {
  const folder = dirname(output);
  if (kindOf(folder) !== 'folder') {
    throw new PacksignError('FILE_UNWRITABLE', `there is no folder ${folder} for the part`, {
      hint: `mkdir -p ${shellWord(folder)}`,
    });
  }
  const kind = kindOf(output);
  if (kind === null || (kind === 'file' && isPart(output))) return;
  throw new PacksignError('FILE_EXISTS', `${output} is no part of a bucket, and stays as it is`, {
    hint: 'name another file: --output FILE',
  });
}

function isPart(path: string): boolean {
  const fd = openSync(path, READ_FLAGS);
  return closing(fd, () => isPartHead(readAt(fd, 0, Buffer.alloc(64))));
}

/** As everybody writes it, so that parts of one bucket name it alike. */
function nameOf(address: string): string {
  const destination = parseDestination(address);
  return destination.kind === 'bucket'
    ? `s3://${destination.bucket}/${destination.prefix.replace(/\/$/, '')}`
    : address;
}

/** Each file that was read and has no secret, and each object that was looked at and is no program. */
function rowsOf({ listing, kindOf: kind }: Objects, { files, secrets }: Inventory): readonly ObjectRow[] {
  const rows: ObjectRow[] = [];
  const read = new Map(files.map((facts) => [facts.path, facts]));
  for (const [path, stored] of listing()) {
    const facts = read.get(path);
    if (facts !== undefined && !secrets.has(path)) {
      rows.push({ path, ...stored, isProgram: kind(path) === true ? true : null, seen: facts });
    } else if (facts === undefined && kind(path) === false) {
      rows.push({ path, ...stored, isProgram: false, seen: null });
    }
  }
  return rows.sort((a, b) => compareText(a.path, b.path));
}

function foundIn({ files, secrets }: Inventory): readonly Warning[] {
  const damaged = files.flatMap(({ path, inspection }) =>
    inspection.kind === 'damaged' ? [[path, inspection.reason] as const] : [],
  );
  const held = Array.from(secrets, ([path, secret]): Warning => {
    return { code: 'SECRET_LEFT_OUT', path, message: `left out: it holds a secret (${secret})` };
  });
  return [...damageWarnings({ damaged: new Map(damaged) }), ...held];
}

function bounded(bytes: Buffer, output: string): Buffer {
  if (bytes.length <= PART_LIMIT_BYTES) return bytes;
  throw new PacksignError('FILE_UNWRITABLE', `${output} would be larger than ${PART_LIMIT_BYTES} bytes`, {
    hint: 'divide the bucket into more parts: a greater N in --shard K/N',
  });
}
