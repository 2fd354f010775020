/** Why a database is trusted. */
export type Grounds =
  /** The user gave its keys. */
  | { readonly kind: 'keys' }
  /** The user gave a fingerprint, and packsign fetched the key. */
  | { readonly kind: 'fingerprint' }
  /** No key is pinned. */
  | { readonly kind: 'blindly' }
  /** Another trusted database vouches for it. */
  | { readonly kind: 'vouched'; readonly by: string };

/** Where trust is looked up. An application ships a bundle; packsign never writes to it. */
export type TrustPlace =
  | {
      readonly kind: 'store';
      /** The user's configuration folder of packsign. */
      readonly folder: string;
      /** Keeps fetched databases here, so that asking for changes takes one small request; null keeps none. */
      readonly cacheFolder: string | null;
      /** How long a change waits for another process; without it, as long as any command. */
      readonly waitMs?: number;
    }
  | { readonly kind: 'bundle'; readonly file: string }
  | { readonly kind: 'none' };

/** The trust store of a user. */
export type TrustStore = Extract<TrustPlace, { kind: 'store' }>;

/** A note of the last accepted database (docs/FORMAT.md §8 step 9); its hashes are in a file next to it. */
export interface AcceptedNote {
  readonly issued: Date;
  readonly sha256: string;
  readonly database: string | null;
  readonly maintainer: string | null;
  readonly notify: string | null;
  readonly mirrors: readonly string[];
  /** The server's name for these bytes. */
  readonly etag: string | null;
}

/** One database that a user trusts. */
export interface TrustEntry {
  /** What the user calls it. */
  readonly name: string;
  readonly url: string;
  /** Pinned primary fingerprints, 40 upper-case hex digits; none if it is trusted blindly. */
  readonly fingerprints: readonly string[];
  /** How many of them must have signed; 0 if there are none. */
  readonly threshold: number;
  readonly grounds: Grounds;
  readonly added: Date;
  /** The certificates of the pinned primary keys, armored; null if it is trusted blindly. */
  readonly certificates: string | null;
  /** When they were last fetched. */
  readonly refreshed: Date | null;
  readonly accepted: AcceptedNote | null;
}

/** Whether text is a name that a user may give a database. */
export function isTrustName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/.test(text);
}

/** Whether a server's ETag is one to remember: short, and printable ASCII without spaces. */
export function isEtag(text: string): boolean {
  return /^[!-~]{1,1024}$/.test(text);
}
