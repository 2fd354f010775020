export interface Request {
  /** The server's name for the bytes that we have: it may answer that they are unchanged. */
  readonly etag?: string | null;
  /** The first byte to send; the server may begin at 0 nevertheless. */
  readonly from?: number;
  /** Whether caches on the way must ask the server. */
  readonly fresh?: boolean;
}

/** A request that is sent to one address as it is. */
export interface Sending {
  readonly method: string;
  /** Of a request with a body, `content-length` among them. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes of its body, from the beginning each time that it is called; null for none. */
  readonly body?: (() => AsyncIterable<Uint8Array>) | null;
}

/** Whatever a server answers. Its body is read, or `cancel` called. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array>;
  readonly cancel: () => void;
}

export type Reply =
  | {
      readonly kind: 'found';
      /** Where the bytes came from, after redirections. */
      readonly url: string;
      /** Position of the first byte of `body`. */
      readonly from: number;
      /** Length of the whole in bytes, according to the server; null if it does not say. */
      readonly length: number | null;
      /** Whether a body that comes to its end is the whole file; otherwise the connection may have been lost. */
      readonly isWhole: boolean;
      readonly headers: Readonly<Record<string, string>>;
      /** Throws NETWORK, NETWORK_TIMEOUT or NETWORK_SLOW if the connection fails. */
      readonly body: AsyncIterable<Uint8Array>;
      /** Call it if you do not read the body. */
      readonly cancel: () => void;
    }
  | { readonly kind: 'unchanged' }
  | Absent;

/**
 * There is no such file. Object stores answer 403, forbidden, for a missing file in a folder that may not be listed, so
 * that counts as absent too; `isForbidden` is for messages.
 */
export interface Absent {
  readonly kind: 'absent';
  readonly isForbidden: boolean;
  /** Of the answer over HTTP. */
  readonly headers?: Readonly<Record<string, string>>;
}
