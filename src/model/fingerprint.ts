import { PacksignError } from '../errors.js';

/**
 * The upper-case hex digits of a whole fingerprint as people write it: in any case, in groups, after `0x` or `openpgp4fpr:`.
 * 40 of them, or 64 as keys of version 6 have. Null for any other text.
 */
export function fingerprintOf(text: string): string | null {
  const digits = text
    .replace(/[\s:.-]+/g, '')
    .replace(/^(?:openpgp4fpr|0x)/i, '')
    .toUpperCase();
  return /^(?:[0-9A-F]{40}|[0-9A-F]{64})$/.test(digits) ? digits : null;
}

/** The same. Throws USAGE for any other text. */
export function parseFingerprint(text: string): string {
  const fingerprint = fingerprintOf(text);
  if (fingerprint !== null) return fingerprint;
  throw new PacksignError('USAGE', `"${text}" is not a full fingerprint`, {
    hint: 'a fingerprint has 40 hex digits; shorter key ids can be forged',
  });
}
