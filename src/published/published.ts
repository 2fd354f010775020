import type { FileIdentity } from '../disk/identities.js';
import type { DatabaseRead } from '../format/database.js';
import type { Database } from '../model/database.js';
import { DATABASE_LIMIT_BYTES, KEYS_LIMIT_BYTES, SIGNATURE_LIMIT_BYTES } from '../model/database.js';
import {
  DATABASE_NAME,
  KEYRING_NAME,
  KEYS_NAME,
  PENDING_REVOCATIONS_NAME,
  SIGNATURE_COPY_NAME,
  UNSIGNED_NAME,
  UNSIGNED_SIGNATURES_NAME,
} from '../model/layout.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Content } from '../pgp/content.js';

/**
 * The files of docs/FORMAT.md §1 that have a fixed name, and the one in the folder of working state, with the most that is
 * read of each (§9).
 */
export const PUBLISHED_LIMITS_BYTES = {
  [DATABASE_NAME]: DATABASE_LIMIT_BYTES,
  [SIGNATURE_COPY_NAME]: SIGNATURE_LIMIT_BYTES,
  [KEYS_NAME]: KEYS_LIMIT_BYTES,
  [KEYRING_NAME]: KEYS_LIMIT_BYTES,
  [UNSIGNED_NAME]: DATABASE_LIMIT_BYTES,
  // Those of the database, and those of its checksums.
  [UNSIGNED_SIGNATURES_NAME]: 2 * SIGNATURE_LIMIT_BYTES,
  [PENDING_REVOCATIONS_NAME]: KEYS_LIMIT_BYTES,
} as const;

export type PublishedName = keyof typeof PUBLISHED_LIMITS_BYTES;

/**
 * A published directory as one value. Each file is read once, when it is first asked for, so that all users of the value
 * see the same bytes. Trust only what `verified` gives. Reading throws FILE_UNREADABLE.
 */
export interface Published {
  readonly directory: string;
  readonly stateFolder: string;
  /** Null if there is no such file. */
  readonly bytes: (name: PublishedName) => Buffer | null;
  /** SHA-256 of the database; null if there is none. */
  readonly sha256: () => string | null;
  /** The database's bytes with their hashes. */
  readonly content: () => Content | null;
  /** The file that the database was read from; null if there is none, or somebody touched it meanwhile. */
  readonly identity: () => FileIdentity | null;
  /** The signature file of exactly this database. */
  readonly signature: () => Buffer | null;
  /** The certificates in `keys.asc`; none if there is no such file. Throws KEYS_MALFORMED. */
  readonly certificates: () => Promise<readonly Certificate[]>;
  /** Certificates with revocations to publish with the next database. Throws KEYS_MALFORMED. */
  readonly pendingRevocations: () => Promise<readonly Certificate[]>;
  /**
   * The database, checked against `keys.asc`; null if there is none. Throws PREVIOUS_INVALID, FOREIGN_DATABASE
   * (docs/FORMAT.md §1, invariant).
   */
  readonly verified: () => Promise<SignedDatabase | null>;
  /**
   * The same directory, to be read again. A file with the same bytes is not hashed or parsed again, and the database is
   * not even read if nobody touched its file.
   */
  readonly again: () => Published;
  /** The same directory after files were written or removed. Reads nothing. */
  readonly with: (changes: FileChanges, signed?: SignedDatabase) => Published;
}

/** Path of a file → its new bytes; null if it was removed. */
export type FileChanges = Readonly<Record<string, Uint8Array | null>>;

/** A verified database with its signatures, which a writer may build upon. */
export interface SignedDatabase {
  readonly database: Database;
  readonly content: Content;
  /** What was read of its bytes, with which the next one can be read faster; null if that was not kept. */
  readonly reading: DatabaseRead | null;
  /** The whole signature file. */
  readonly signature: Uint8Array;
}
