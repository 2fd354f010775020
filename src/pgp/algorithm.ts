import { enums } from 'openpgp';
import type { AnyKeyPacket } from 'openpgp';
import { MIN_RSA_BITS } from './policy.js';

/** What a key is made of, and what keeps its signatures from counting. */
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

/** Numbers of RFC 9580 §9.1 that packsign cannot or will not use, by the names that their users know. */
const FOREIGN: Readonly<Record<number, string>> = {
  [publicKey.elgamal]: 'ElGamal',
  [publicKey.dsa]: 'DSA',
  [publicKey.x25519]: 'X25519 of RFC 9580',
  [publicKey.x448]: 'X448',
  [publicKey.ed25519]: 'Ed25519 of RFC 9580',
  [publicKey.ed448]: 'Ed448',
};

/** Algorithms of docs/FORMAT.md §7; all others are named and unsupported. */
export function algorithmOf(key: AnyKeyPacket): Algorithm {
  switch (key.algorithm) {
    case publicKey.rsaEncryptSign:
    case publicKey.rsaEncrypt:
    case publicKey.rsaSign:
      return rsaOf(key.getAlgorithmInfo().bits ?? 0);
    case publicKey.ecdh:
    case publicKey.ecdsa:
    case publicKey.eddsaLegacy:
      return curveOf(key.getAlgorithmInfo().curve ?? 'unknown');
    default:
      return unknownAlgorithm(key.algorithm);
  }
}

/** An algorithm of which nothing but the number is known. */
export function unknownAlgorithm(number: number): Algorithm {
  const name = FOREIGN[number] ?? `algorithm ${number}`;
  return { name, problem: { kind: 'unsupported', reason: `${name} keys are not supported` } };
}

function rsaOf(bits: number): Algorithm {
  const reason = `RSA keys shorter than ${MIN_RSA_BITS} bits are too weak`;
  return { name: `RSA ${bits}`, problem: bits < MIN_RSA_BITS ? { kind: 'weak', reason } : null };
}

/** OpenPGP.js reads Brainpool and secp256k1 keys in Node, but cannot check a signature by one. */
function curveOf(curve: string): Algorithm {
  const name = CURVES[curve];
  if (name !== undefined) return { name, problem: null };
  return {
    name: curve,
    problem: { kind: 'unsupported', reason: `keys on the curve ${curve} are not supported` },
  };
}
