import type { FileIdentity } from '../disk/identities.js';
import type { Database } from '../model/database.js';
import type {
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

/** The files of docs/FORMAT.md §1 that have a fixed name, and the one that lies in the folder of working state. */
export type PublishedName =
  | typeof DATABASE_NAME
  | typeof SIGNATURE_COPY_NAME
  | typeof KEYS_NAME
  | typeof KEYRING_NAME
  | typeof UNSIGNED_NAME
  | typeof UNSIGNED_SIGNATURES_NAME
  | typeof PENDING_REVOCATIONS_NAME;

/**
 * A published directory as one value. Each file is read when it is first asked for, and only once: whoever is handed the
 * value sees what everybody else sees. Nothing in it is believed but what `verified` gives. Reading throws
 * FILE_UNREADABLE.
 */
export interface Published {
  readonly directory: string;
  readonly stateFolder: string;
  /** Null where there is no such file. */
  readonly bytes: (name: PublishedName) => Buffer | null;
  /** SHA-256 of the database; null where there is none. */
  readonly sha256: () => string | null;
  /** The database's bytes, which are hashed once. */
  readonly content: () => Content | null;
  /** Which file the database was read from; null where there is none, or it was touched while it was read. */
  readonly identity: () => FileIdentity | null;
  /** The signature file of exactly this database. */
  readonly signature: () => Buffer | null;
  /** What `keys.asc` holds; none where there is no such file. Throws KEYS_MALFORMED. */
  readonly certificates: () => Promise<readonly Certificate[]>;
  /** Certificates with revocations that wait for the next database. Throws KEYS_MALFORMED. */
  readonly pendingRevocations: () => Promise<readonly Certificate[]>;
  /**
   * The database, checked against `keys.asc` before anything is built upon it; null where there is none. Throws
   * PREVIOUS_INVALID, FOREIGN_DATABASE (docs/FORMAT.md §1, invariant).
   */
  readonly verified: () => Promise<SignedDatabase | null>;
  /** The same directory after some files were written or removed. Nothing is read for it. */
  readonly with: (changes: FileChanges, signed?: SignedDatabase) => Published;
}

/** Path of a file → the bytes that it has from now on; null for one that was removed. */
export type FileChanges = Readonly<Record<string, Uint8Array | null>>;

/** A database with its signatures, that verified: what a writer may build upon. */
export interface SignedDatabase {
  readonly database: Database;
  readonly content: Content;
  /** The signature file, whole. */
  readonly signature: Uint8Array;
}
