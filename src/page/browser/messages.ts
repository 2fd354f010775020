import type { DigestedFile, Lookup, Verdict } from '../../verify.js';

/** A file to check. */
export interface FileRequest {
  readonly kind: 'check';
  readonly id: number;
  readonly file: File;
  /** The listed file to compare it with; null for any. */
  readonly path: string | null;
}

/** What the page asks its worker. */
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

/** What the worker says about the database. */
export type Verified =
  | (Pick<Verdict, 'status' | 'code' | 'message' | 'sha256'> & {
      readonly kind: 'verdict';
      readonly issued: Date | null;
      /** The database's own address; null if it gives none. */
      readonly address: string | null;
      /** When the signatures that count were made. */
      readonly signedAt: readonly Date[];
    })
  /** The worker could not read it. */
  | { readonly kind: 'unavailable'; readonly message: string };

export type Answer = Verified | FileAnswer;

export type FileAnswer = { readonly id: number } & (
  | { readonly kind: 'progress'; readonly done: number; readonly of: number }
  | (DigestedFile & {
      readonly kind: 'checked';
      /** Null without an authentic database. */
      readonly lookup: Lookup | null;
      readonly stale: boolean;
    })
  /** Without a worker, and so without a verified database. */
  | (Pick<DigestedFile, 'name' | 'sha256'> & { readonly kind: 'hashed'; readonly path: string | null })
  | { readonly kind: 'unreadable'; readonly name: string; readonly message: string }
);

export function unreadable({ id, file }: FileRequest, error: unknown): FileAnswer {
  return { kind: 'unreadable', id, name: file.name, message: messageOf(error) };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
