import { PacksignError } from '../errors.js';
import { DATABASE_LIMIT_BYTES, FORMAT } from '../model/database.js';
import type { Database } from '../model/database.js';
import { decodePlist, decodeText } from './canonical.js';
import { databaseShape, draftShape } from './database-shape.js';
import { Misfit } from './misfit.js';
import { FOOTER, HEADER } from './plist.js';
import type { PlistDict } from './plist.js';
import { pass } from './shape.js';
import type { Lines, Reading, Shape, ShareEntries } from './shape.js';

/** A database, and where its entries stand in its text. */
export interface DatabaseRead {
  readonly database: Database;
  readonly text: string;
  /** Where each entry of `Packages` begins, and where the last one ends; likewise of `Files`. */
  readonly packageStarts: readonly number[];
  readonly fileStarts: readonly number[];
}

/** Gives the entries of another database in place of equal ones: `sharingWith`. */
export interface Share {
  readonly Packages: ShareEntries;
  readonly Files: ShareEntries;
}

/** A shape, and its lines, which are made once. */
interface Root {
  readonly shape: Shape<Database>;
  readonly lines: Lines<Database>;
}

const DATABASE = { shape: databaseShape, lines: databaseShape.at(1) };
const DRAFT = { shape: draftShape, lines: draftShape.at(1) };

/**
 * Reads a database's bytes, which must have been verified before (threat T1).
 * Throws DATABASE_TOO_LARGE, DATABASE_MALFORMED, FORMAT_UNKNOWN. docs/FORMAT.md §2 to §6, §8 step 6.
 */
export function readDatabase(bytes: Uint8Array, share: Share | null = null): DatabaseRead {
  return read(bytes, DATABASE, share);
}

/**
 * The same for a database that waits for a signature: bytes that changed without a reason are `changedBytes`, which says
 * more about them.
 */
export function readDraft(bytes: Uint8Array, share: Share | null = null): DatabaseRead {
  return read(bytes, DRAFT, share);
}

/** The value of a database's bytes, as by `readDatabase`. */
export function decodeDatabase(bytes: Uint8Array): Database {
  return readDatabase(bytes).database;
}

/** The value of a waiting database's bytes, as by `readDraft`. */
export function decodeDraft(bytes: Uint8Array): Database {
  return readDraft(bytes).database;
}

function read(bytes: Uint8Array, { shape, lines }: Root, share: Share | null): DatabaseRead {
  if (bytes.length > DATABASE_LIMIT_BYTES) {
    throw new PacksignError(
      'DATABASE_TOO_LARGE',
      `the database is larger than ${DATABASE_LIMIT_BYTES} bytes`,
    );
  }
  const text = decodeText(bytes);
  const Packages = { starts: [], share: share?.Packages ?? null };
  const Files = { starts: [], share: share?.Files ?? null };
  const reading: Reading = { text, at: 0, dates: new Map(), entries: { Packages, Files } };
  const database = takeDocument(reading, lines);
  if (database === undefined) throw explain(text, shape);
  return { database, text, packageStarts: Packages.starts, fileStarts: Files.starts };
}

function takeDocument(reading: Reading, lines: Lines<Database>): Database | undefined {
  const database = pass(reading, HEADER) ? lines.take(reading) : undefined;
  return pass(reading, FOOTER) && reading.at === reading.text.length ? database : undefined;
}

/** Why a text is refused. Throws if it is not canonical. */
function explain(text: string, shape: Shape<Database>): PacksignError {
  const document = decodePlist(text);
  // Check the format first: anything that a later format changes would look like a defect.
  const format = formatOf(document);
  if (format !== null && format !== FORMAT) {
    return new PacksignError(
      'FORMAT_UNKNOWN',
      `the database has format ${format}, this packsign reads ${FORMAT}`,
      { hint: 'install a newer packsign, from where you got this one' },
    );
  }
  const reason = reasonOf(document, shape);
  return new PacksignError('DATABASE_MALFORMED', `not a database of format ${FORMAT}: ${reason}`);
}

function formatOf(document: PlistDict): number | null {
  const packsign = document.get('Packsign');
  const format = packsign instanceof Map ? (packsign as PlistDict).get('Format') : null;
  return typeof format === 'number' ? format : null;
}

function reasonOf(document: PlistDict, shape: Shape<Database>): string {
  try {
    shape.read(document);
  } catch (error) {
    if (error instanceof Misfit) return error.describe();
    throw error;
  }
  return 'its text is not canonical';
}
