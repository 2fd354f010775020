import type { ErrorCode } from '../errors.js';

export interface ReadLimits {
  readonly limitBytes: number;
  /** Thrown for a file above the limit. */
  readonly tooLarge: ErrorCode;
}

export interface DatabaseRequest extends ReadLimits {
  /** What the server called the bytes that we have: it may then answer `unchanged`. */
  readonly etag?: string | null;
  /** Whether caches on the way are asked to look for themselves. */
  readonly fresh?: boolean;
  /** How often the database was read before: some caches look again only for an address that is new to them. */
  readonly attempt?: number;
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
