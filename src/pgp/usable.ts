import type { ErrorCode } from '../errors.js';
import { PacksignError } from '../errors.js';
import type { Certificate } from './certificate.js';
import type { KeyStatus } from './key-status.js';

export type UsableKey = Extract<KeyStatus, { readonly kind: 'valid' }>;

const REFUSALS: Readonly<
  Record<Exclude<KeyStatus['kind'], 'valid'>, readonly [code: ErrorCode, hint: string]>
> = {
  expired: ['KEY_EXPIRED', 'give it a new expiry or a new signing subkey, and publish the certificate'],
  revoked: ['KEY_REVOKED', 'sign with a key that was not revoked'],
  'not-yet-valid': ['KEY_NOT_YET_VALID', 'check the clock, and SOURCE_DATE_EPOCH if it is set'],
  weak: ['KEY_WEAK', 'packsign key show KEY says what verifiers refuse'],
  unusable: ['KEY_UNUSABLE', 'packsign key show KEY shows what is in it'],
};

/** Throws the errors of `requireUsable` (certificates.ts) for a status that is not valid. */
export function requireValid({ fingerprint }: Certificate, status: KeyStatus): UsableKey {
  if (status.kind === 'valid') return status;
  const [code, hint] = REFUSALS[status.kind];
  const subkey = status.key.fingerprint === fingerprint ? '' : `, subkey ${status.key.fingerprint}`;
  throw new PacksignError(code, `key ${fingerprint}${subkey} cannot sign: ${status.reason}`, { hint });
}
