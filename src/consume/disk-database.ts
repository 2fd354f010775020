import { dirname, join } from 'node:path';
import { kindOf } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { decodeDatabase } from '../format/database.js';
import { namedAddress } from '../model/address.js';
import { DATABASE_NAME } from '../model/layout.js';
import type { TrustEntry, TrustPlace } from '../model/trust.js';
import { directoryPlace } from '../places/directory.js';
import { DATABASE_LIMITS } from '../places/place.js';
import type { Place } from '../places/place.js';
import { orError } from './or-error.js';
import { isNaming } from './pins.js';
import { choosePinsFor, findEntry, heldTo } from './sources.js';
import type { FetchOptions } from './sources.js';
import { verifyPlace } from './verify-place.js';
import type { PlaceVerdict } from './verify-place.js';

export interface DiskOptions extends FetchOptions {
  /** A signature file named by hand; null finds it by the hash of the database. */
  readonly signatureFile: string | null;
}

export interface DiskVerdict extends PlaceVerdict {
  /** What the user calls the trusted database by whose keys it was decided; null if by others. */
  readonly name: string | null;
}

/**
 * Decides on a database file. If it gives the address of a trusted database, it is held to the last one that was accepted
 * from there and, unless the user names keys, to the keys that are pinned for it (docs/FORMAT.md §8, One file). Throws
 * FILE_UNREADABLE where there is no such file, and what `verifyPlace` throws.
 */
export async function verifyOnDisk(database: string, options: DiskOptions): Promise<DiskVerdict> {
  requireFile(database);
  return await verifyAsClaimed(directoryPlace(database), options);
}

export interface ClaimOptions extends DiskOptions {
  /** Whether the keys beside the database may do where no others are known. */
  readonly beside?: boolean;
}

/** The same for a database of any place of the user's. */
export async function verifyAsClaimed(
  place: Place,
  { beside = false, ...options }: ClaimOptions,
): Promise<DiskVerdict> {
  const { run, signatureFile } = options;
  const { trust } = run;
  const read = await orError(() => place.readDatabase(DATABASE_LIMITS));
  const isRead = !(read instanceof PacksignError);
  const bytes = isRead && read.kind === 'found' ? read.bytes : Buffer.alloc(0);
  const entry = await claimedEntry(bytes, trust);
  const chosen = await choosePinsFor(entry, options, beside);
  const source = isNaming(options)
    ? // What other keys have signed is checked against the store, and not remembered there.
      { entry: null, ...(entry === null ? { accepted: null } : heldTo(entry, trust)) }
    : { entry, accepted: null };
  const verdict = await verifyPlace(
    // Verify the bytes by which the entry was found (threat T1).
    { ...place, readDatabase: () => (isRead ? Promise.resolve(read) : Promise.reject(read)) },
    { ...chosen, ...source, url: null, fetchesKeys: true, signatureFile },
    { run },
  );
  return { ...verdict, name: source.entry?.name ?? null };
}

function requireFile(database: string): void {
  const kind = kindOf(database);
  if (kind === 'file') return;
  if (kind === 'folder') {
    throw new PacksignError('FILE_UNREADABLE', `${database} is a directory, not a database`, {
      hint: `name the database in it: --database ${join(database, DATABASE_NAME)}`,
    });
  }
  const why = kind === null ? `there is no database ${database}` : `${database} is not a regular file`;
  throw new PacksignError('FILE_UNREADABLE', why, {
    hint: 'for a database at an address, or one that you trust, use --from',
  });
}

/**
 * The trusted database that these bytes say they are. Nobody has verified them yet: this may add a refusal, and never
 * takes one away.
 */
async function claimedEntry(bytes: Uint8Array, trust: TrustPlace): Promise<TrustEntry | null> {
  const decoded = await orError(() => decodeDatabase(bytes));
  const claim = decoded instanceof PacksignError ? undefined : decoded.Packsign.Database;
  const address = claim === undefined ? null : namedAddress(claim);
  return address === null ? null : findEntry(address, trust);
}

/** The database in the folder of a file, or in the folder above; null if there is none. */
export function databaseBeside(path: string): string | null {
  const folder = dirname(path);
  const candidates = [folder, join(folder, '..')].map((one) => join(one, DATABASE_NAME));
  return candidates.find((database) => kindOf(database) === 'file') ?? null;
}
