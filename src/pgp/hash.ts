import { enums } from 'openpgp';

const { sha256, sha384, sha512 } = enums.hash;

const STRONGEST_FIRST = [sha512, sha384, sha256] as const;

/** RFC 9580 §5.2.3.2 requires a hash as long as the curve. */
const FOR_CURVE: Readonly<Record<string, enums.hash>> = { 'NIST P-384': sha384, 'NIST P-521': sha512 };

/**
 * The hash for a signature: SHA-256, unless the curve requires a longer one or the key prefers only others. Processors
 * accelerate SHA-256, so that it takes less than half the time of SHA-512.
 */
export function chooseHash(algorithm: string, preferred: readonly number[]): enums.hash {
  const forCurve = FOR_CURVE[algorithm];
  if (forCurve !== undefined) return forCurve;
  if (preferred.length === 0 || preferred.includes(sha256)) return sha256;
  return STRONGEST_FIRST.find((hash) => preferred.includes(hash)) ?? sha256;
}
