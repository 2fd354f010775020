import type { Certificate } from './certificate.js';
import { CERTIFICATIONS, subjectOf } from './certificate.js';
import { isMadeBy } from './self-signatures.js';

/**
 * Whether the primary key of the second certificate itself certified a user id of the first: shown next to a key that
 * is proposed as its replacement. A certification by a subkey does not count (threat T24).
 */
export async function isCertifiedBy({ anatomy }: Certificate, { primary }: Certificate): Promise<boolean> {
  if (primary.packet === null || primary.revocations.length > 0) return false;
  for (const user of anatomy.users) {
    const subject = subjectOf(user, anatomy);
    for (const signature of user.signatures) {
      if (!CERTIFICATIONS.has(signature.body[1] ?? -1)) continue;
      if (await isMadeBy(signature, primary.packet, subject)) return true;
    }
  }
  return false;
}
