import type { ErrorCode } from '../errors.js';
import { PacksignError } from '../errors.js';
import type { Certificate } from './certificate.js';
import type { KeyStatus } from './key-status.js';

export type UsableKey = Extract<KeyStatus, { readonly kind: 'valid' }>;

type Refusal = { readonly code: ErrorCode; readonly hint: string };

const REFUSALS: Readonly<Record<Exclude<KeyStatus['kind'], 'valid'>, Refusal>> = {
  expired: {
    code: 'KEY_EXPIRED',
    hint: 'give it a new expiry or a new signing subkey, and publish the certificate',
  },
  revoked: { code: 'KEY_REVOKED', hint: 'sign with a key that was not revoked' },
  'not-yet-valid': { code: 'KEY_NOT_YET_VALID', hint: 'check the clock, and SOURCE_DATE_EPOCH if it is set' },
  weak: { code: 'KEY_WEAK', hint: 'packsign key show KEY says what verifiers refuse' },
  unusable: { code: 'KEY_UNUSABLE', hint: 'packsign key show KEY lists what is in it' },
};

/** Throws the errors of `requireUsable` (certificates.ts) for a status that is not valid. */
export function requireValid({ fingerprint }: Certificate, status: KeyStatus): UsableKey {
  if (status.kind === 'valid') return status;
  const { code, hint } = REFUSALS[status.kind];
  const subkey = status.key.fingerprint === fingerprint ? '' : `, subkey ${status.key.fingerprint}`;
  throw new PacksignError(code, `key ${fingerprint}${subkey} cannot sign: ${status.reason}`, { hint });
}
