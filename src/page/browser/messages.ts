import type { ErrorCode, Lookup } from '../../verify.js';

/** A file to look at. */
export interface FileRequest {
  readonly kind: 'check';
  readonly id: number;
  readonly file: File;
  /** The file that it is held against, and no other; null for any. */
  readonly path: string | null;
}

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
  | FileRequest;

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

export type Answer = Verified | FileAnswer;

export type FileAnswer =
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
  /** Without a worker: nothing was verified that it could be held against. */
  | {
      readonly kind: 'hashed';
      readonly id: number;
      readonly name: string;
      readonly sha256: string;
      readonly path: string | null;
    }
  | { readonly kind: 'unreadable'; readonly id: number; readonly name: string; readonly message: string };
