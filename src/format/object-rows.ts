import type { FileFacts } from '../model/entry.js';
import { defectOfPath } from '../model/file-entry.js';
import { READERS } from '../model/inspection.js';
import type { Inspection } from '../model/inspection.js';
import type { Stored } from '../model/listing.js';
import { METADATA_KINDS } from '../model/metadata.js';
import type { Metadata, MetadataKind, MetadataReading } from '../model/metadata.js';
import { isPlainWord, oneLine } from '../model/text.js';
import { FILE_FIELDS, PACKAGE_FIELDS, sha256 } from './database-shape.js';
import { flag, integer, matching, text } from './elements.js';
import { fromJson, readJson } from './json.js';
import { Misfit, readAt } from './misfit.js';
import { STRICT, optional, record, required } from './record.js';
import { checked } from './shape.js';
import type { Shape } from './shape.js';

/** What a machine says of one object of a bucket, for others that list the same version of it. */
export interface ObjectRow extends Stored {
  readonly path: string;
  /** Whether it is a program; null if its name tells what it is. */
  readonly isProgram: boolean | null;
  /** What is in it: no secret. Null for what is no program, of which nobody reads more than the beginning. */
  readonly seen: Seen | null;
}

export type Seen = Pick<FileFacts, 'sha256' | 'md5' | 'reading' | 'inspection'>;

/** Rows in byte order of their paths, by the readers of this version. */
export interface ObjectRows {
  /** How far files were looked through. */
  readonly inspect: 'whole' | 'ends';
  readonly rows: readonly ObjectRow[];
}

/** A row in a document: a value that is null has no key. */
interface Line {
  readonly path: string;
  readonly size: number;
  readonly etag?: string;
  readonly modifiedMs: number;
  readonly program?: boolean;
  readonly sha256?: string;
  readonly md5?: string;
  /** What the file says of itself, or why it says nothing. */
  readonly metadata?: Said;
  readonly noMetadata?: string;
  /** How far it was looked through, or what is wrong with it, or why nobody knows. */
  readonly sound?: 'none' | 'ends' | 'whole';
  readonly damaged?: string;
  readonly unseen?: string;
}

type Said = Omit<Metadata, 'homePage'> & { readonly homePage?: string };

/** Stores count no further, and no date is later. */
const [SIZE_LIMIT, TIME_LIMIT_MS] = [999_999_999_999_999, 253_402_300_799_999];
/** A row, and what a file says. */
const LEVELS = 2;

const upTo = (limit: number) =>
  checked(integer, (value) => (value >= 0 && value <= limit ? null : `expected a number from 0 to ${limit}`));

const oneOf = <T extends string>(words: readonly T[]) =>
  text((value) =>
    words.some((word) => word === value) ? null : `expected one of: ${words.join(', ')}`,
  ) as unknown as Shape<T>;

const word = text((value) =>
  value.length <= 1024 && isPlainWord(value)
    ? null
    : 'expected at most 1024 characters of ASCII without spaces',
);

const saidShape = record<Said>(
  {
    kind: required(oneOf<MetadataKind>(METADATA_KINDS)),
    name: required(word),
    version: required(word),
    platform: optional(FILE_FIELDS.Platform.shape),
    summary: required(text((value) => (oneLine(value, 1024) === value ? null : 'expected one tidy line'))),
    homePage: optional(PACKAGE_FIELDS['Home-page'].shape),
  },
  STRICT,
);

const lineShape = checked(
  record<Line>(
    {
      path: required(text(defectOfPath)),
      size: required(upTo(SIZE_LIMIT)),
      etag: optional(matching(/^[!#-~]{1,1024}$/, 'an ETag')),
      modifiedMs: required(upTo(TIME_LIMIT_MS)),
      program: optional(flag),
      sha256: optional(sha256),
      md5: optional(PACKAGE_FIELDS.MD5Sum.shape),
      metadata: optional(saidShape),
      noMetadata: optional(text()),
      sound: optional(oneOf(['none', 'ends', 'whole'])),
      damaged: optional(text()),
      unseen: optional(text()),
    },
    STRICT,
  ),
  (line) => {
    const has = (...keys: readonly (keyof Line)[]) => keys.filter((key) => line[key] !== undefined).length;
    if (line.sha256 === undefined) {
      const says = has('md5', 'metadata', 'noMetadata', 'sound', 'damaged', 'unseen');
      return says === 0 && line.program === false ? null : 'sha256 is missing';
    }
    if (line.program === false) return 'what is no program has no sha256';
    if (has('metadata', 'noMetadata') !== 1) return 'expected either metadata or noMetadata';
    return has('sound', 'damaged', 'unseen') === 1 ? null : 'expected one of sound, damaged and unseen';
  },
);

const BEGINNING = /^\{"readers":(\d{1,9}),"inspect":"(whole|ends)","rows":\[$/;
const END = ']}';
/** A text of JSON can be written in many ways, and with a key twice, of which not every reader takes the last. */
const NOT_OURS = 'is not written as packsign writes it';

/**
 * The text of rows: JSON, with one of them in a line, in byte order of their paths. Leaves out a row that `decodeRows` would
 * refuse: whoever lacks it reads the object.
 */
export function encodeRows({ inspect, rows }: ObjectRows): string {
  const lines = rows
    .map(lineOf)
    .filter(isReadable)
    .map((line) => JSON.stringify(line));
  const body = lines.length === 0 ? [] : [lines.join(',\n')];
  return [`{"readers":${READERS},"inspect":"${inspect}","rows":[`, ...body, END].join('\n');
}

/** Reads the text of `encodeRows`, and no other text that says the same. The caller has limited its length. Throws `Misfit`. */
export function decodeRows(json: string): ObjectRows {
  const [beginning = '', ...lines] = json.split('\n');
  const [, readers = '', inspect = ''] = BEGINNING.exec(beginning) ?? [];
  if (readers === '') throw new Misfit(NOT_OURS);
  if (Number(readers) !== READERS) {
    throw new Misfit('another version of packsign made it, whose readers may find something else');
  }
  if (lines.pop() !== END) throw new Misfit('has no end');
  const last = lines.length - 1;
  let before = '';
  const rows = lines.map((text, index) => {
    const row = readAt((own: string) => rowIn(own, index === last ? '' : ','), text, `row-${index + 1}`);
    if (row.path <= before) throw new Misfit(`${row.path} is there twice, or not in its order`);
    before = row.path;
    return row;
  });
  return { inspect: inspect === 'ends' ? 'ends' : 'whole', rows };
}

function rowIn(text: string, mark: string): ObjectRow {
  const json = text.endsWith(mark) ? text.slice(0, text.length - mark.length) : '';
  const line = readJson(json, lineShape, LEVELS);
  if (JSON.stringify(line) + mark !== text) throw new Misfit(NOT_OURS);
  return rowOf(line);
}

function isReadable(line: Line): boolean {
  try {
    lineShape.read(fromJson(line));
    return true;
  } catch (error) {
    if (error instanceof Misfit) return false;
    throw error;
  }
}

/** Keys in the order of their shape. */
function lineOf({ path, size, etag, modifiedMs, isProgram, seen }: ObjectRow): Line {
  return {
    ...{ path, size, ...(etag === null ? {} : { etag }), modifiedMs },
    ...(isProgram === null ? {} : { program: isProgram }),
    ...(seen === null ? {} : { sha256: seen.sha256, ...(seen.md5 === null ? {} : { md5: seen.md5 }) }),
    ...(seen === null ? {} : { ...saidOf(seen.reading), ...foundOf(seen.inspection) }),
  };
}

function saidOf(reading: MetadataReading): Pick<Line, 'metadata' | 'noMetadata'> {
  if (reading.kind === 'absent') return { noMetadata: reading.reason };
  const { kind, name, version, platform, summary, homePage } = reading.metadata;
  return {
    metadata: {
      ...{ kind, name, version, ...(platform === undefined ? {} : { platform }), summary },
      ...(homePage === null ? {} : { homePage }),
    },
  };
}

function foundOf(inspection: Inspection): Pick<Line, 'sound' | 'damaged' | 'unseen'> {
  if (inspection.kind === 'sound') return { sound: inspection.inspect };
  return inspection.kind === 'damaged' ? { damaged: inspection.reason } : { unseen: inspection.reason };
}

function rowOf(line: Line): ObjectRow {
  const { path, size, etag = null, modifiedMs, program: isProgram = null } = line;
  const { sha256: hash, md5 = null, metadata, noMetadata = '' } = line;
  if (hash === undefined) return { path, size, etag, modifiedMs, isProgram, seen: null };
  const reading: MetadataReading =
    metadata === undefined
      ? { kind: 'absent', reason: noMetadata }
      : { kind: 'found', metadata: { ...metadata, homePage: metadata.homePage ?? null } };
  const seen = { sha256: hash, md5, reading, inspection: inspectionOf(line) };
  return { path, size, etag, modifiedMs, isProgram, seen };
}

function inspectionOf({
  sound,
  damaged,
  unseen = '',
}: Pick<Line, 'sound' | 'damaged' | 'unseen'>): Inspection {
  if (sound !== undefined) return { kind: 'sound', inspect: sound };
  return damaged === undefined ? { kind: 'unseen', reason: unseen } : { kind: 'damaged', reason: damaged };
}
