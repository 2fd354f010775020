export interface Request {
  /** What the server called the bytes that we have: it may then answer that nothing is new. */
  readonly etag?: string | null;
  /** Byte to begin with; the server may begin at 0 all the same. */
  readonly from?: number;
  /** Whether caches on the way are asked to look for themselves. */
  readonly fresh?: boolean;
}

export type Reply =
  | {
      readonly kind: 'found';
      /** Where the bytes came from in the end. */
      readonly url: string;
      /** First byte that `body` brings. */
      readonly from: number;
      /** Bytes of the whole, as the server says; null where it does not. */
      readonly length: number | null;
      readonly headers: Readonly<Record<string, string>>;
      /** Ends with NETWORK, NETWORK_TIMEOUT or NETWORK_SLOW where the connection does not hold. */
      readonly body: AsyncIterable<Uint8Array>;
      /** To be called where the body is not read. */
      readonly cancel: () => void;
    }
  | { readonly kind: 'unchanged' }
  | Absent;

/**
 * There is nothing there. Object stores answer 403, forbidden, where one may not even ask what there is; so that is
 * taken for the same, and only told apart for people.
 */
export interface Absent {
  readonly kind: 'absent';
  readonly isForbidden: boolean;
}
