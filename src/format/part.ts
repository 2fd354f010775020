import { createHash } from 'node:crypto';
import { PacksignError } from '../errors.js';
import type { Settings } from '../model/settings.js';
import { formatShard, isInShard, parseShard } from '../model/shard.js';
import type { Shard } from '../model/shard.js';
import { listOf } from './collections.js';
import { flag, integer, matching, text } from './elements.js';
import { jsonText, readJson } from './json.js';
import { Misfit } from './misfit.js';
import { decodeRows, encodeRows } from './object-rows.js';
import type { ObjectRows } from './object-rows.js';
import { STRICT, optional, record, required } from './record.js';

/** What one machine found in its share of a bucket, in a file for the one that signs. */
export interface Part {
  /** `s3://BUCKET/PREFIX`. */
  readonly address: string;
  readonly shard: Shard;
  /** The settings that decide what is in it, besides `Inspect`. */
  readonly settings: PartSettings;
  readonly objects: ObjectRows;
}

export const PART_SETTINGS = ['PackMan', 'Include', 'Exclude'] as const;
export type PartSettings = Pick<Settings, (typeof PART_SETTINGS)[number]>;

/** A part, and the file that it was read from. */
export interface NamedPart extends Part {
  readonly file: string;
}

/** Limit of a part, when it is written as when it is read: a text of JSON has to fit into memory. */
export const PART_LIMIT_BYTES = 256 * 1024 * 1024;

const VERSION = 1;
const BEGINNING = '{"packsign-part":';
const END = /\n,"checksum":"([0-9a-f]{64})"\}\n$/;
const END_LENGTH = 100;

interface Head {
  readonly 'packsign-part': number;
  readonly address: string;
  readonly shard: string;
  readonly settings: PartSettings;
}

const headShape = record<Head>(
  {
    'packsign-part': required(integer),
    address: required(matching(/^s3:\/\/[^/]/, 's3://BUCKET/PREFIX')),
    shard: required(text((value) => (parseShard(value) === null ? 'expected a share, like 2/4' : null))),
    settings: required(
      record<PartSettings>(
        {
          PackMan: optional(flag),
          Include: optional(listOf(text())),
          Exclude: optional(listOf(text())),
        },
        STRICT,
      ),
    ),
  },
  STRICT,
);

/** The bytes of a part: JSON, with one object of the bucket in a line. */
export function encodePart({ objects, ...part }: Part): Buffer {
  const body = `${headOf(part)}\n${encodeRows(objects)}`;
  return Buffer.from(`${body}\n,"checksum":"${checksumOf(body)}"}\n`);
}

function headOf({ address, shard, settings: { PackMan, Include, Exclude } }: Omit<Part, 'objects'>): string {
  const head = { 'packsign-part': VERSION, address, shard: formatShard(shard) };
  return `${JSON.stringify({ ...head, settings: { PackMan, Include, Exclude } }).slice(0, -1)},"objects":`;
}

/** Accidents alone show: who changes a part on purpose can write the checksum too. */
function checksumOf(body: string): string {
  return createHash('sha256').update(body).digest('hex');
}

/** Whether a file begins like a part. */
export function isPartHead(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, BEGINNING.length) === BEGINNING;
}

/** Reads the bytes of `encodePart`; `path` names the file. Throws PART_UNUSABLE. */
export function decodePart(bytes: Buffer, path: string): Part {
  if (!isPartHead(bytes)) {
    throw new PacksignError('PART_UNUSABLE', `${path} is no part of a bucket`, {
      hint: 'packsign build s3://BUCKET/PREFIX --shard K/N --output FILE writes one',
    });
  }
  try {
    return readPart(textIn(bytes));
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    const why = error.describe();
    throw new PacksignError('PART_UNUSABLE', `${path} cannot be used: ${why}`, {
      hint: 'make it again, or leave it out: packsign merge then reads its objects itself',
    });
  }
}

function textIn(bytes: Buffer): string {
  try {
    return jsonText(bytes);
  } catch {
    throw new Misfit('it is not text in UTF-8');
  }
}

function readPart(json: string): Part {
  if (!json.startsWith(`${BEGINNING}${VERSION},`)) throw new Misfit('another version of packsign wrote it');
  const [end = '', checksum] = END.exec(json.slice(-END_LENGTH)) ?? [];
  if (checksum === undefined) throw new Misfit('it has been cut off, or changed');
  const body = json.slice(0, -end.length);
  if (checksumOf(body) !== checksum) throw new Misfit('it has been changed');
  const line = body.slice(0, body.indexOf('\n'));
  const head = line.replace(/,"objects":$/, '}');
  const { address, shard: share, settings } = readJson(head, headShape, 3);
  const shard = parseShard(share) ?? { index: 1, count: 1 };
  if (headOf({ address, shard, settings }) !== line) throw new Misfit('is not written as packsign writes it');
  const objects = decodeRows(body.slice(line.length + 1));
  const stray = objects.rows.find(({ path }) => !isInShard(path, shard));
  if (stray !== undefined) throw new Misfit(`${stray.path} is not in share ${share}`);
  return { address, shard, settings, objects };
}
