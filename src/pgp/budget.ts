import type { AnyKeyPacket } from 'openpgp';
import type { Origin } from './origin.js';
import { malformed } from './origin.js';

/** The most certificates in a file, and the most parts of one (docs/FORMAT.md §9, threat T29). */
export const CERTIFICATE_LIMIT = 32;
export const COMPONENT_LIMIT = 64;
export const SELF_SIGNATURE_LIMIT = 512;
/** OpenPGP hashes a key with a length of two octets. */
export const COMPONENT_LIMIT_BYTES = 0xffff;
export const MAX_RSA_BITS = 8192;
export const MAX_EXPONENT_BITS = 64;

/** What reading certificates may cost, whatever is in them. */
export interface Budget {
  /** Throws the origin's code when it is used up. */
  readonly spend: (cost: number) => void;
  /** After a signature that verified: a stranger cannot make one for a pinned key, so that it costs nothing there. */
  readonly refund: (cost: number) => void;
}

/** Of one digest over so many bytes: those of rare hashes are hashed each time. A unit is about a microsecond. */
export function digestCost(bytes: number): number {
  return 8 + bytes / 256;
}

/** About half a second: 1,000 signatures by Ed25519, 62 by P-521. */
const BUDGET = 500_000;

export function newBudget(
  origin: Origin,
  { isPinned = false }: { readonly isPinned?: boolean } = {},
): Budget {
  let left = BUDGET;
  return {
    spend: (cost) => {
      left -= cost;
      if (left >= 0) return;
      const hint = 'keep only the keys that sign, without the signatures of others';
      throw malformed(origin, 'takes too long to check', hint);
    },
    refund: (cost) => {
      if (isPinned) left += cost;
    },
  };
}

const CURVE_COSTS: Readonly<Record<string, number>> = {
  ed25519Legacy: 500,
  nistP256: 1300,
  nistP384: 4000,
  nistP521: 8000,
};

/** Of one signature by this key. */
export function signatureCost(key: AnyKeyPacket): number {
  const { bits, curve } = key.getAlgorithmInfo();
  if (curve !== undefined) return CURVE_COSTS[curve] ?? 8000;
  const { e } = key.publicParams as { readonly e?: Uint8Array };
  const size = (bits ?? MAX_RSA_BITS) / 1024;
  return 600 + size * size * (e?.length ?? MAX_EXPONENT_BITS / 8) * 10;
}
