import { enums } from 'openpgp';
import { SLACK_MS } from '../model/time.js';
import { newBudget } from './budget.js';
import type { Certificate, SignedComponent } from './certificate.js';
import { flagsAt, isInForce, keyExpiry } from './key-status.js';
import { CERTIFICATE_FILE } from './origin.js';
import { withOthers } from './other-signatures.js';
import { STRONG_HASHES } from './policy.js';
import { selfSignaturesOf, timesOf, understood } from './self-signatures.js';
import type { Statement } from './self-signatures.js';
import { createdIn, partsOf } from './signature-parts.js';

const certRevocation: number = enums.signature.certRevocation;

/**
 * Whether the primary key of the second certificate itself certified a user id of the first, as judged now: shown next
 * to a key that is proposed as its replacement. As strict as for a binding (threat T32): a strong hash, not expired,
 * not taken back, over a user id that the certificate has itself, by a key that could certify then and still can. A
 * certification by a subkey does not count (threat T24).
 */
export async function isCertifiedBy(certificate: Certificate, by: Certificate, now: Date): Promise<boolean> {
  const others = { all: [by], findKey: () => null, budget: newBudget(CERTIFICATE_FILE) };
  const { anatomy, created } = await withOthers(certificate, others);
  return anatomy.users
    .filter(({ statements }) => isBound(statements, now))
    .some((user) => {
      const when = certifiedAt(user, { by, now });
      return when !== null && created <= when && mayCertify(by, when) && mayCertify(by, now);
    });
}

interface Certifying {
  readonly by: Certificate;
  readonly now: Date;
}

/** When a key certified a user id, if that is in force now. Only the newest certification counts, as for gpg and sq. */
function certifiedAt({ statements }: SignedComponent, { by, now }: Certifying): Date | null {
  const made = statements.filter((statement) => statement.by === by.fingerprint);
  const [newest] = made
    .map(certificationIn)
    .filter((times) => times !== null)
    .sort((a, b) => b.created.getTime() - a.created.getTime());
  if (newest === undefined || newest.created.getTime() > now.getTime() + SLACK_MS) return null;
  if (newest.lapses !== null && newest.lapses <= now) return null;
  const isTakenBack = made.some((statement) => newest.created <= (takenBackAt(statement) ?? new Date(-1)));
  return isTakenBack ? null : newest.created;
}

/** Null for everything else, and for a certification that counts as absent. */
function certificationIn({ packet }: Statement): ReturnType<typeof timesOf> | null {
  const parts = partsOf(packet);
  if (parts === null || parts.type === certRevocation || !STRONG_HASHES.has(parts.hashAlgorithm)) return null;
  const signature = understood(packet);
  return signature === null ? null : timesOf(signature);
}

/** A revocation of any hash counts, and one without a date always. */
function takenBackAt({ packet }: Statement): Date | null {
  const parts = partsOf(packet);
  if (parts?.type !== certRevocation) return null;
  return createdIn(parts) ?? new Date(8.64e15);
}

function isBound(statements: readonly Statement[], now: Date): boolean {
  const { bindings, revocations } = selfSignaturesOf(statements);
  return revocations.length === 0 && bindings.some((binding) => isInForce(binding, now));
}

/** A thief can date back what he certifies: a key that was ever revoked certifies nothing. */
function mayCertify(certificate: Certificate, at: Date): boolean {
  const { primary } = certificate;
  const expires = keyExpiry(certificate, primary, at);
  return (
    primary.algorithm.problem === null &&
    primary.revocations.length === 0 &&
    primary.created <= at &&
    (expires === null || at < expires) &&
    (flagsAt(certificate, primary, at) & enums.keyFlags.certifyKeys) !== 0
  );
}
