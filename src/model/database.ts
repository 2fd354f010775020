import type { FileEntries } from './file-entry.js';
import type { Package } from './package.js';

/** Former bytes of a path (docs/FORMAT.md §6, `History`). */
export interface Withdrawal {
  readonly SHA256: string;
  /** `Issued` of the first database without these bytes. */
  readonly Until: Date;
  readonly Reason?: string;
}

/** File path → its former bytes, oldest first. */
export type History = ReadonlyMap<string, readonly Withdrawal[]>;

/** The keys that sign: primary fingerprints (40 upper-case hex digits, sorted), and how many of them must. */
export interface Signers {
  readonly Threshold: number;
  readonly Fingerprints: readonly string[];
}

/** Another database that this maintainer vouches for: an offer that readers never follow on their own. */
export interface Trust {
  readonly URL: string;
  readonly Fingerprints: readonly string[];
  readonly Threshold?: number;
  readonly Maintainer?: string;
}

/** What makes a database trustworthy (docs/FORMAT.md §6). */
export interface Packsign {
  readonly Format: number;
  readonly Database?: string;
  /** The counter: later than in every database before. */
  readonly Issued: Date;
  readonly Expires?: Date;
  /** SHA-256 of the database that this one replaces. */
  readonly Previous?: string;
  readonly Signers?: Signers;
  readonly Notify?: string;
  readonly Mirrors?: readonly string[];
  readonly Trusts?: readonly Trust[];
  readonly History?: History;
}

/** A database, with the keys of its document (docs/FORMAT.md §3). */
export interface Database {
  /** PackMan's format. */
  readonly Version: string;
  readonly Maintainer?: string;
  readonly Description: string;
  readonly Include?: readonly string[];
  readonly Packages: readonly Package[];
  readonly Files: FileEntries;
  readonly Packsign: Packsign;
}

/** The highest `Packsign.Format` that this packsign reads, and the one that it writes. */
export const FORMAT = 1;

/** Limits of docs/FORMAT.md §9. */
export const DATABASE_LIMIT_BYTES = 320 * 1024 * 1024;
export const SIGNATURE_LIMIT_BYTES = 64 * 1024;
export const KEYS_LIMIT_BYTES = 1024 * 1024;

/** How many signatures a database requires; one if it names no signers. */
export function thresholdOf(database: Database): number {
  return database.Packsign.Signers?.Threshold ?? 1;
}
