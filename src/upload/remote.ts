import { join } from 'node:path';
import { PacksignError } from '../errors.js';
import type { Listing } from '../model/listing.js';
import type { Place } from '../places/place.js';

/** A file to write. */
export interface Outgoing {
  /** Relative to the database. */
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  /** Null for the file that lies at this path in the directory. */
  readonly bytes: Uint8Array | null;
  /** What may be replaced, where a store can compare: the file with this ETag, `nothing`, or `anything`. */
  readonly over: { readonly etag: string } | 'nothing' | 'anything';
}

export interface Writing {
  /** The directory in which the files lie. */
  readonly directory: string;
  /** Gets how many more bytes are there; fewer than none, when some have to be sent again. */
  readonly onBytes: (count: number) => void;
  /** Called after each file that is there whole. */
  readonly onWritten: (file: Outgoing) => void;
}

/** A destination that is open. What goes wrong there throws DESTINATION_FAILED, NETWORK and the like. */
export interface Remote {
  /** As the user wrote it. */
  readonly destination: string;
  /** The same wherever it is written from: absolute, with its host. */
  readonly name: string;
  /** Reads what is published there, the way it is written. */
  readonly place: Place;
  /** With the ETag of the database that is there, it may be the list that a build made, if that had this very database. */
  readonly list: (database?: string | null) => Promise<Listing>;
  /**
   * Writes files, each whole or not at all, in any order. Throws DESTINATION_RACED if a file there is not
   * the one that may be replaced, FILE_ALTERED if a file of the directory has other bytes.
   */
  readonly write: (files: readonly Outgoing[], writing: Writing) => Promise<void>;
  readonly remove: (paths: readonly string[]) => Promise<void>;
  /** Which of these files do not lie there with these bytes. Reads them. */
  readonly differing: (files: readonly Outgoing[], directory: string) => Promise<readonly string[]>;
  /** Does work while no other packsign publishes there, as far as the destination can keep others out. Throws LOCKED. */
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
  readonly close: () => void;
}

/** How many bytes files have together. */
export function bytesOf(files: readonly Pick<Outgoing, 'size'>[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** Throws LOCK_LOST or DESTINATION_FAILED unless the lock there is still ours. To be called before each change. */
export type Check = () => Promise<void>;

/** Another publisher believed this one dead. */
export function lockLost(destination: string): PacksignError {
  return new PacksignError(
    'LOCK_LOST',
    `another packsign took over publishing to ${destination}, because this one was stopped for too long`,
    { hint: 'publish again: it continues where it stopped' },
  );
}

/** Somebody else published there meanwhile. */
export function raced(destination: string): PacksignError {
  return new PacksignError(
    'DESTINATION_RACED',
    `somebody else publishes to ${destination} at the same time`,
    {
      hint: 'publish again: the same command continues from what is there then',
    },
  );
}

/** What lies behind a link is not part of the destination. */
export function behindLink(link: string): PacksignError {
  return new PacksignError('DESTINATION_FAILED', `${link} is a link, behind which packsign writes nothing`, {
    hint: 'replace it by a folder, or mount the other one there',
  });
}

/** Something at the destination has the name of something else that belongs there. */
export function inTheWay(path: string, is: 'file' | 'folder'): PacksignError {
  const wanted = is === 'file' ? 'folder' : 'file';
  return new PacksignError('DESTINATION_FAILED', `${path} is a ${is}, and a ${wanted} belongs there`, {
    hint: 'move it away, then publish again',
  });
}

/** A file of the directory is not what was signed any more. */
export function changed(directory: string, path: string): PacksignError {
  return new PacksignError('FILE_ALTERED', `${join(directory, path)} changed while it was published`, {
    hint: 'build and sign again, then publish',
  });
}
