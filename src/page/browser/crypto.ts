import { sha1 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { Buffer } from './buffer.js';

/**
 * The parts of `node:crypto` that packsign uses, for browsers: the bundler replaces the module with it. WebCrypto cannot
 * hash piece by piece, nor synchronously. Other hashes than these are rare: there OpenPGP.js asks WebCrypto.
 */
const ALGORITHMS = { sha1, sha256 } as const;

interface State {
  update(bytes: Uint8Array): State;
  clone(): State;
  digest(): Uint8Array;
}

export interface Hash {
  update(bytes: Uint8Array): Hash;
  copy(): Hash;
  digest(): ReturnType<typeof Buffer.from>;
  digest(encoding: 'hex'): string;
}

export function getHashes(): readonly string[] {
  return Object.keys(ALGORITHMS);
}

export function createHash(algorithm: keyof typeof ALGORITHMS): Hash {
  return hashOf(ALGORITHMS[algorithm].create());
}

/** SHA-256 without the other algorithms, for scripts that need no more. */
export function createSha256(): Hash {
  return hashOf(sha256.create());
}

function hashOf(state: State): Hash {
  const digest = (encoding?: 'hex') => {
    const bytes = Buffer.from(state.digest());
    return encoding === undefined ? bytes : bytes.toString(encoding);
  };
  const hash: Hash = {
    update: (bytes) => {
      state.update(bytes);
      return hash;
    },
    copy: () => hashOf(state.clone()),
    digest: digest as Hash['digest'],
  };
  return hash;
}
