/** A file as it is listed where it lies. */
export interface Stored {
  readonly size: number;
  /** When it was written, by the clock there. */
  readonly modifiedMs: number;
  /** The store's name for its bytes; null where stores have none. */
  readonly etag: string | null;
}

/** Path → file. */
export type Listing = ReadonlyMap<string, Stored>;
