import { createHash, getHashes } from 'node:crypto';
import type { Hash } from 'node:crypto';

/**
 * Bytes with their hashes. Naming, signing and verifying a large database would otherwise hash it again for each
 * signature and check. The bytes must not change.
 */
export interface Content {
  readonly bytes: Uint8Array;
  /** Lower-case hex. */
  readonly sha256: () => string;
  /** Hash over the bytes followed by a tail; null if this machine cannot hash piece by piece so. */
  readonly digest: (algorithm: ContentHash, tail: Uint8Array) => Uint8Array | null;
}

export type ContentHash =
  'sha1' | 'ripemd160' | 'sha224' | 'sha256' | 'sha384' | 'sha512' | 'sha3-256' | 'sha3-512';

/** Code for browsers has the usual ones; OpenPGP.js computes the others. */
const CAN_HASH: ReadonlySet<string> = new Set(getHashes());

export function contentOf(bytes: Uint8Array): Content {
  const states = new Map<ContentHash, Hash>();
  const stateOf = (algorithm: ContentHash): Hash => {
    const state = states.get(algorithm) ?? createHash(algorithm).update(bytes);
    states.set(algorithm, state);
    return state;
  };
  return {
    bytes,
    sha256: () => stateOf('sha256').copy().digest('hex'),
    digest: (algorithm, tail) =>
      CAN_HASH.has(algorithm) ? stateOf(algorithm).copy().update(tail).digest() : null,
  };
}
