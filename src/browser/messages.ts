import type { ErrorCode, Lookup } from '../verify.js';

/** What the page asks of its worker. */
export type Request =
  | {
      readonly kind: 'verify';
      /** The folder of the database, with a final slash. */
      readonly base: string;
      /** The primary fingerprints that the page shows. */
      readonly fingerprints: readonly string[];
      readonly threshold: number;
    }
  /** With `path` the file is held against that archive alone. */
  | { readonly kind: 'check'; readonly id: number; readonly file: File; readonly path: string | null };

/** What the worker says of the database. */
export type Verified =
  | {
      readonly kind: 'verdict';
      readonly status: 'authentic' | 'stale' | 'refused';
      readonly code: ErrorCode | null;
      readonly message: string | null;
      readonly sha256: string;
      readonly issued: Date | null;
      /** The database's own address; null where it gives none. */
      readonly address: string | null;
      /** When the signatures that count were made. */
      readonly signedAt: readonly Date[];
    }
  /** It could not be looked at. */
  | { readonly kind: 'unavailable'; readonly message: string };

export type Answer =
  | Verified
  | { readonly kind: 'progress'; readonly id: number; readonly done: number; readonly of: number }
  | {
      readonly kind: 'checked';
      readonly id: number;
      readonly name: string;
      readonly size: number;
      readonly sha256: string;
      /** Null while there is no database whose signature was found good. */
      readonly lookup: Lookup | null;
      readonly stale: boolean;
    }
  | { readonly kind: 'unreadable'; readonly id: number; readonly name: string; readonly message: string };
