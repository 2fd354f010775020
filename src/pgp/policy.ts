import { config, enums } from 'openpgp';
import type { Config } from 'openpgp';

const { hash, publicKey } = enums;

/**
 * The hashes that a signature on a database or on a key may use (docs/FORMAT.md §7). Self-signatures with SHA-1 or
 * weaker hashes count as absent (threat T7).
 */
export const STRONG_HASHES: ReadonlySet<number> = new Set([
  hash.sha256,
  hash.sha384,
  hash.sha512,
  hash.sha3_256,
  hash.sha3_512,
]);

/** Shortest RSA key whose signatures count (docs/FORMAT.md §7). */
export const MIN_RSA_BITS = 2048;

/** The configuration for each call of OpenPGP.js. Never change its own `config`, which the whole process shares. */
export const POLICY: Config = {
  ...config,
  rejectHashAlgorithms: new Set([hash.md5, hash.ripemd, hash.sha1, hash.sha224]),
  rejectMessageHashAlgorithms: new Set([hash.md5, hash.ripemd, hash.sha1, hash.sha224]),
  rejectPublicKeyAlgorithms: new Set([publicKey.elgamal, publicKey.dsa]),
  minRSABits: MIN_RSA_BITS,
  knownNotations: [],
  aeadProtect: false,
  v6Keys: false,
  showVersion: false,
  showComment: false,
};

/**
 * For the mathematics alone, whose caller decides which hashes are too weak. Old revocation certificates use SHA-1:
 * accept them, because ignoring one would bring a revoked key back to life.
 */
export const LENIENT_POLICY: Config = {
  ...POLICY,
  rejectHashAlgorithms: new Set([hash.md5]),
  rejectMessageHashAlgorithms: new Set([hash.md5]),
};
