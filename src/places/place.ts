import type { ErrorCode } from '../errors.js';
import { DATABASE_LIMIT_BYTES } from '../model/database.js';

export interface ReadLimits {
  readonly limitBytes: number;
  /** Thrown for a file above the limit. */
  readonly tooLarge: ErrorCode;
}

/** How much of a database is read (docs/FORMAT.md §9). */
export const DATABASE_LIMITS: ReadLimits = {
  limitBytes: DATABASE_LIMIT_BYTES,
  tooLarge: 'DATABASE_TOO_LARGE',
};

export interface DatabaseRequest extends ReadLimits {
  /** What the server called the bytes that we have: it may then answer `unchanged`. */
  readonly etag?: string | null;
  /** Whether caches on the way are asked to look for themselves. */
  readonly fresh?: boolean;
  /** Whether to ask under an address that no cache has seen: some do not look again when asked to. */
  readonly pastCaches?: boolean;
}

export type Read =
  | { readonly kind: 'found'; readonly bytes: Buffer; readonly etag: string | null }
  | { readonly kind: 'unchanged' }
  | {
      readonly kind: 'absent';
      /** Object stores answer 403 for a file that does not exist. */
      readonly isForbidden: boolean;
    };

/** Where published files are read from: a directory or an address. */
export interface Place {
  /** Path or address of the database. */
  readonly database: string;
  /** Whether caches on the way may answer with files of different times. */
  readonly mayLag: boolean;
  readonly readDatabase: (request: DatabaseRequest) => Promise<Read>;
  /** Reads a file by its path beside the database (docs/FORMAT.md §1). */
  readonly readBeside: (path: string, request: ReadLimits & { readonly fresh?: boolean }) => Promise<Read>;
  /** The path or address of a file beside the database, for messages. */
  readonly nameOf: (path: string) => string;
}
