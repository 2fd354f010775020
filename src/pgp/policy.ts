import { config, enums } from 'openpgp';
import type { Config } from 'openpgp';

const { hash, publicKey } = enums;

/**
 * Hashes that a signature may be over (docs/FORMAT.md §7), whether on a database or on a key. SHA-1 and weaker
 * self-signatures are treated as not there (threat T7).
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

/** Handed to each call of OpenPGP.js. Its own `config` is one for the whole process and is never written to. */
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
 * For revocations, and to tell a weak self-signature from a forged one. A revocation certificate made years
 * ago is over SHA-1; to ignore it would bring a revoked key back to life, so there the weak hash counts.
 */
export const LENIENT_POLICY: Config = {
  ...POLICY,
  rejectHashAlgorithms: new Set([hash.md5]),
};
