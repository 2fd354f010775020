import { join } from 'node:path';
import { PacksignError } from '../errors.js';
import { KEYS_NAME } from '../model/layout.js';
import type { Signer } from '../pgp/secret-key.js';
import { readKeys } from './published.js';

const TEST_BYTES = Buffer.from('packsign: can this key sign?\n');

/**
 * Signs a few bytes with each key and verifies them as users would, so that what keeps a key from signing
 * is said before anything is hashed. Throws NO_KEY, KEY_NOT_PUBLISHED, SELF_CHECK_FAILED, the codes of keys.
 */
export async function rehearse(
  directory: string,
  { signers, now }: { signers: readonly Signer[]; now: Date },
): Promise<void> {
  if (signers.length === 0) {
    throw new PacksignError('NO_KEY', 'no key to sign with', { hint: 'name one with --key FILE' });
  }
  const { verifySignatures } = await import('../pgp/signatures.js');
  const published = await readKeys(join(directory, KEYS_NAME));
  for (const signer of signers) {
    const certificates = published.length === 0 ? [signer.certificate] : published;
    const signature = await signer.sign(TEST_BYTES, { date: now, deterministic: false });
    const [report] = await verifySignatures(TEST_BYTES, [signature], { certificates, now });
    if (report?.good === true) continue;
    if (report?.fingerprint == null) {
      throw new PacksignError(
        'KEY_NOT_PUBLISHED',
        `the key ${signer.fingerprint} is not in the published ${KEYS_NAME}`,
        {
          hint: `users could not verify it; publish it first: packsign key publish ${directory} --key FILE`,
        },
      );
    }
    const reason = report.reason ?? 'no reason given';
    throw new PacksignError(
      'SELF_CHECK_FAILED',
      `a test signature does not verify against ${KEYS_NAME}: ${reason}`,
    );
  }
}
