/** How a database came to be trusted. */
export type Grounds =
  /** Its keys were given. */
  | { readonly kind: 'keys' }
  /** A fingerprint was given, and the key fetched. */
  | { readonly kind: 'fingerprint' }
  /** Not at all: nothing is pinned. */
  | { readonly kind: 'blindly' }
  /** On the word of another trusted database. */
  | { readonly kind: 'vouched'; readonly by: string };

/** Where trust is looked up. A bundle is what an application ships; nothing is ever written to it. */
export type TrustPlace =
  | {
      readonly kind: 'store';
      /** The user's configuration folder of packsign. */
      readonly folder: string;
      /** Where fetched databases are kept, so that asking for news is one small request; null keeps none. */
      readonly cacheFolder: string | null;
    }
  | { readonly kind: 'bundle'; readonly file: string }
  | { readonly kind: 'none' };

/** The trust store of a user. */
export type TrustStore = Extract<TrustPlace, { kind: 'store' }>;

/** What is kept of the last database that was accepted (docs/FORMAT.md §8 step 9); its inventory lies beside it. */
export interface AcceptedNote {
  readonly issued: Date;
  readonly sha256: string;
  readonly database: string | null;
  readonly maintainer: string | null;
  readonly notify: string | null;
  readonly mirrors: readonly string[];
  /** What the server called these bytes. */
  readonly etag: string | null;
}

/** One database that a user trusts. */
export interface TrustEntry {
  /** What the user calls it. */
  readonly name: string;
  readonly url: string;
  /** Pinned primary fingerprints, 40 upper-case hex digits; none where it is trusted blindly. */
  readonly fingerprints: readonly string[];
  /** How many of them must have signed; 0 where there are none. */
  readonly threshold: number;
  readonly grounds: Grounds;
  readonly added: Date;
  /** The certificates of the pinned primaries, armored; null where it is trusted blindly. */
  readonly certificates: string | null;
  /** When they were last fetched. */
  readonly refreshed: Date | null;
  readonly accepted: AcceptedNote | null;
}

/** What a user may call a database. */
export function isTrustName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/.test(text);
}
