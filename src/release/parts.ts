import { isDeepStrictEqual } from 'node:util';
import { readBounded } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { PART_LIMIT_BYTES, PART_SETTINGS, decodePart } from '../format/part.js';
import type { NamedPart, PartSettings } from '../format/part.js';
import type { Settings } from '../model/settings.js';
import { formatShard } from '../model/shard.js';
import type { Run } from '../run.js';
import type { Hear } from '../consume/open-objects.js';
import { openTold } from './told.js';

export type { NamedPart };

/** Parts of one whole: what several machines found in one bucket. */
export interface Parts {
  readonly address: string;
  readonly parts: readonly NamedPart[];
  /** How many parts the whole has. */
  readonly count: number;
  /** The numbers of those that are not here. */
  readonly missing: readonly number[];
}

/** Reads parts that belong together. Throws FILE_UNREADABLE, PART_UNUSABLE, PARTS_MIXED. */
export function readParts(files: readonly string[]): Parts {
  const parts = files.map(readPart);
  const [first] = parts;
  if (first === undefined) throw new PacksignError('USAGE', 'no parts to merge');
  for (const part of parts) {
    requireSame(first, part, ({ address }) => address);
    requireSame(first, part, ({ shard }) => `a bucket in ${shard.count} parts`);
    requireSame(first, part, ({ objects }) => `files looked through with --inspect ${objects.inspect}`);
  }
  const { count } = first.shard;
  const given = new Set(parts.map(({ shard }) => shard.index));
  const missing = Array.from({ length: count }, (_, index) => index + 1).filter((one) => !given.has(one));
  return { address: first.address, parts, count, missing };
}

function readPart(file: string): NamedPart {
  const bytes = readBounded(file, PART_LIMIT_BYTES);
  if (bytes === null) {
    throw new PacksignError('FILE_UNREADABLE', `there is no part ${file}`, {
      hint: 'packsign build s3://BUCKET/PREFIX --shard K/N --output FILE writes one',
    });
  }
  return { ...decodePart(bytes, file), file };
}

function requireSame(first: NamedPart, other: NamedPart, subject: (part: NamedPart) => string): void {
  if (subject(first) === subject(other)) return;
  throw new PacksignError(
    'PARTS_MIXED',
    `${first.file} is part ${formatShard(first.shard)} of one whole, and ${other.file} of another: ${subject(first)}, and ${subject(other)}`,
    { hint: 'merge the parts of one bucket, made with the same N and settings' },
  );
}

/**
 * Holds parts against settings and a list. Warns of settings that decide which files a part has: what it lacks is read
 * here. Throws PARTS_MIXED for files that were looked through in another way.
 */
export function hearParts({ parts }: Parts): Hear {
  return (listing, { settings, run }) => {
    for (const part of parts) holdAgainst(part, settings, run);
    return openTold(parts, listing);
  };
}

/** What a setting means that is not given. */
const USUAL: Required<PartSettings> = { PackMan: true, Include: [], Exclude: [] };

function holdAgainst({ file, objects, settings: own }: NamedPart, settings: Settings, run: Run): void {
  const { Inspect = 'whole' } = settings;
  if (objects.inspect !== Inspect) {
    throw new PacksignError(
      'PARTS_MIXED',
      `${file} was made with --inspect ${objects.inspect}, and here "Inspect" is "${Inspect}"`,
      {
        hint: `type --inspect ${objects.inspect} here too, or make the parts again with --inspect ${Inspect}`,
      },
    );
  }
  const others = PART_SETTINGS.filter(
    (key) => !isDeepStrictEqual(own[key] ?? USUAL[key], settings[key] ?? USUAL[key]),
  );
  if (others.length === 0) return;
  const names = others.map((key) => `"${key}"`).join(' and ');
  const message = `${file} was made with another ${names}; what it lacks is read here`;
  run.warn({ code: 'PART_DIFFERS', path: null, message });
}
