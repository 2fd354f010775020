import { enums } from 'openpgp';
import type { AnyKeyPacket } from 'openpgp';
import { MAX_EXPONENT_BITS, MAX_RSA_BITS } from './budget.js';
import { MIN_RSA_BITS } from './policy.js';

/** The algorithm of a key, and why its signatures do not count. */
export interface Algorithm {
  /** For people: `Ed25519`, `RSA 4096`, `NIST P-256`. */
  readonly name: string;
  readonly problem: null | { readonly kind: 'weak' | 'unsupported'; readonly reason: string };
}

const { publicKey } = enums;

const CURVES: Readonly<Record<string, string>> = {
  ed25519Legacy: 'Ed25519',
  curve25519Legacy: 'X25519',
  nistP256: 'NIST P-256',
  nistP384: 'NIST P-384',
  nistP521: 'NIST P-521',
};

/** Names for the numbers of RFC 9580 §9.1 that packsign does not support. */
const FOREIGN: Readonly<Record<number, string>> = {
  [publicKey.elgamal]: 'ElGamal',
  [publicKey.dsa]: 'DSA',
  [publicKey.x25519]: 'X25519 of RFC 9580',
  [publicKey.x448]: 'X448',
  [publicKey.ed25519]: 'Ed25519 of RFC 9580',
  [publicKey.ed448]: 'Ed448',
};

/** The algorithms of docs/FORMAT.md §7; all others are unsupported. */
export function algorithmOf(key: AnyKeyPacket): Algorithm {
  switch (key.algorithm) {
    case publicKey.rsaEncryptSign:
    case publicKey.rsaEncrypt:
    case publicKey.rsaSign:
      return rsaOf(key);
    case publicKey.ecdh:
    case publicKey.ecdsa:
    case publicKey.eddsaLegacy:
      return curveOf(key.getAlgorithmInfo().curve ?? 'unknown');
    default:
      return unknownAlgorithm(key.algorithm);
  }
}

/** The algorithm of a key that cannot be read, from its number. */
export function unknownAlgorithm(number: number): Algorithm {
  const name = FOREIGN[number] ?? `algorithm ${number}`;
  return unsupported(name, `${name} keys`);
}

function unsupported(name: string, keys: string): Algorithm {
  return { name, problem: { kind: 'unsupported', reason: `${keys} are not supported` } };
}

/** Threat T29: a huge modulus or exponent takes seconds for each signature. */
function rsaOf(key: AnyKeyPacket): Algorithm {
  const bits = key.getAlgorithmInfo().bits ?? 0;
  if (bits > MAX_RSA_BITS) return unsupported(`RSA ${bits}`, `RSA keys longer than ${MAX_RSA_BITS} bits`);
  const { e } = key.publicParams as { readonly e: Uint8Array };
  if (e.length * 8 > MAX_EXPONENT_BITS)
    return unsupported(`RSA ${bits}`, `RSA keys with an exponent longer than ${MAX_EXPONENT_BITS} bits`);
  const reason = `RSA keys shorter than ${MIN_RSA_BITS} bits are too weak`;
  return { name: `RSA ${bits}`, problem: bits < MIN_RSA_BITS ? { kind: 'weak', reason } : null };
}

/** OpenPGP.js reads Brainpool and secp256k1 keys in Node, but cannot check their signatures. */
function curveOf(curve: string): Algorithm {
  const name = CURVES[curve];
  return name === undefined ? unsupported(curve, `keys on the curve ${curve}`) : { name, problem: null };
}
