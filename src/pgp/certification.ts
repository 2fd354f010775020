import { enums } from 'openpgp';
import type { Certificate } from './certificate.js';
import { subjectOf } from './certificate.js';
import { isMadeBy } from './self-signatures.js';

const { certGeneric, certPersona, certCasual, certPositive } = enums.signature;
const CERTIFICATIONS: ReadonlySet<number> = new Set([certGeneric, certPersona, certCasual, certPositive]);

/**
 * Whether the primary key of `issuer` itself certified a user id of another certificate: what may be shown beside
 * a key that is proposed in its place. A certification by a subkey is none (threat T24).
 */
export async function isCertifiedBy({ anatomy }: Certificate, { primary }: Certificate): Promise<boolean> {
  if (primary.packet === null || primary.revocations.length > 0) return false;
  for (const user of anatomy.users) {
    for (const signature of user.signatures) {
      const isCertification = CERTIFICATIONS.has(signature.body[1] ?? -1);
      if (isCertification && (await isMadeBy(signature, primary.packet, subjectOf(user, anatomy))))
        return true;
    }
  }
  return false;
}
