import { PacksignError } from '../errors.js';
import { KEYS_NAME } from '../model/layout.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Published } from '../published/published.js';
import type { Signer } from '../signers/signer.js';

const TEST_BYTES = Buffer.from('packsign: can this key sign?\n');

/**
 * Checks that users have each key and that it may sign, without signing. Returns when that ends; null for never. Throws
 * NO_KEY, KEY_NOT_PUBLISHED, the codes of keys.
 */
export async function requireSigners(
  published: Published,
  { signers, now }: { readonly signers: readonly Signer[]; readonly now: Date },
): Promise<Date | null> {
  if (signers.length === 0) throw noKey();
  const { expiryOf, requireUsable } = await import('../pgp/certificates.js');
  const known = await published.certificates();
  const ends = signers.flatMap((signer) => {
    const there = requirePublished(signer, known.length === 0 ? [signer.certificate] : known);
    requireUsable(there, now, signer.signingKey);
    return [there, signer.certificate].map((one) => expiryOf(one, now, signer.signingKey));
  });
  return earliest(ends);
}

/**
 * Checks what can be checked about the keys that are going to sign by their certificates alone, for commands that need
 * no secret key. Returns when that ends; null for never. Throws KEY_NOT_PUBLISHED, the codes of keys.
 */
export async function requireCertificates(
  published: Published,
  { certificates, now }: { readonly certificates: readonly Certificate[]; readonly now: Date },
): Promise<Date | null> {
  if (certificates.length === 0) return null;
  const { expiryOf, requireUsable } = await import('../pgp/certificates.js');
  const known = await published.certificates();
  const ends = certificates.map((certificate) => {
    const there = known.find(({ fingerprint }) => fingerprint === certificate.fingerprint);
    if (there === undefined && known.length > 0) throw notPublished(certificate.fingerprint, 'is not in');
    requireUsable(there ?? certificate, now);
    return expiryOf(there ?? certificate, now);
  });
  return earliest(ends);
}

function earliest(dates: readonly (Date | null)[]): Date | null {
  const first = Math.min(...dates.map((date) => date?.getTime() ?? Infinity));
  return first === Infinity ? null : new Date(first);
}

/**
 * Signs a few bytes with each key and verifies them as users would, so that a key that cannot sign fails before the
 * hashing. Returns as `requireSigners`. Throws NO_KEY, KEY_NOT_PUBLISHED, SELF_CHECK_FAILED, the codes of keys and of signers.
 */
export async function preflight(
  published: Published,
  { signers, now }: { readonly signers: readonly Signer[]; readonly now: Date },
): Promise<Date | null> {
  const ends = await requireSigners(published, { signers, now });
  const { verifySignatures } = await import('../pgp/signatures.js');
  const known = await published.certificates();
  for (const signer of signers) {
    const certificates = known.length === 0 ? [signer.certificate] : known;
    const signature = await signer.sign(TEST_BYTES, { date: now, deterministic: false });
    const [report] = await verifySignatures(TEST_BYTES, [signature], { certificates, now });
    if (report?.good === true) continue;
    const reason = report?.reason ?? 'no reason given';
    throw new PacksignError(
      'SELF_CHECK_FAILED',
      `a test signature does not verify against ${KEYS_NAME}: ${reason}`,
      { hint: 'check the key with packsign key show KEY' },
    );
  }
  return ends;
}

export function noKey(): PacksignError {
  return new PacksignError('NO_KEY', 'no key to sign with', {
    hint: 'name one: packsign sign DIRECTORY --key FILE',
  });
}

/** The certificate that users have of a signer, with the key that signs. Throws KEY_NOT_PUBLISHED. */
export function requirePublished(signer: Signer, certificates: readonly Certificate[]): Certificate {
  const published = certificates.find(({ fingerprint }) => fingerprint === signer.fingerprint);
  const keys = published === undefined ? [] : [published.primary, ...published.subkeys];
  const isThere = keys.some(({ fingerprint }) => fingerprint === signer.signingKey);
  if (published !== undefined && isThere) return published;
  const trouble = published === undefined ? 'is not in' : 'signs with a subkey that is not in';
  throw notPublished(signer.fingerprint, trouble);
}

function notPublished(fingerprint: string, trouble: string): PacksignError {
  return new PacksignError(
    'KEY_NOT_PUBLISHED',
    `the key ${fingerprint} ${trouble} the published ${KEYS_NAME}`,
    {
      hint: 'publish it first, so that users can verify what it signs: packsign key publish DIRECTORY --key FILE',
    },
  );
}
