import { join } from 'node:path';
import { PacksignError } from '../errors.js';
import { KEYS_NAME } from '../model/layout.js';
import type { Signer } from '../signers/signer.js';
import { readKeys } from '../published/read.js';

const TEST_BYTES = Buffer.from('packsign: can this key sign?\n');

/**
 * Signs a few bytes with each key and verifies them as users would, so that what keeps a key from signing
 * is said before anything is hashed. Throws NO_KEY, KEY_NOT_PUBLISHED, SELF_CHECK_FAILED, the codes of keys
 * and of signers.
 */
export async function preflight(
  directory: string,
  { signers, now }: { signers: readonly Signer[]; now: Date },
): Promise<void> {
  if (signers.length === 0) {
    throw new PacksignError('NO_KEY', 'no key to sign with', { hint: 'name one with --key FILE' });
  }
  const { requireUsable } = await import('../pgp/certificates.js');
  const { verifySignatures } = await import('../pgp/signatures.js');
  const published = await readKeys(join(directory, KEYS_NAME));
  for (const signer of signers) {
    const certificates = published.length === 0 ? [signer.certificate] : published;
    const certificate = certificates.find(({ fingerprint }) => fingerprint === signer.fingerprint);
    if (certificate === undefined) throw keyNotPublished(signer, 'is not in');
    const keys = [certificate.primary, ...certificate.subkeys];
    if (!keys.some(({ fingerprint }) => fingerprint === signer.signingKey)) {
      throw keyNotPublished(signer, 'signs with a subkey that is not in');
    }
    requireUsable(certificate, now, signer.signingKey);
    const signature = await signer.sign(TEST_BYTES, { date: now, deterministic: false });
    const [report] = await verifySignatures(TEST_BYTES, [signature], { certificates, now });
    if (report?.good === true) continue;
    const reason = report?.reason ?? 'no reason given';
    throw new PacksignError(
      'SELF_CHECK_FAILED',
      `a test signature does not verify against ${KEYS_NAME}: ${reason}`,
      { hint: 'look at the key with packsign key show' },
    );
  }
}

/** `how` stands between the key and `keys.asc`. */
export function keyNotPublished(signer: Signer, how: string): PacksignError {
  return new PacksignError(
    'KEY_NOT_PUBLISHED',
    `the key ${signer.fingerprint} ${how} the published ${KEYS_NAME}`,
    { hint: 'users could not verify it; publish it first: packsign key publish DIRECTORY --key FILE' },
  );
}
