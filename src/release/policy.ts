import type { AbsenceRule } from '../model/absence.js';
import { refuseChangedBytes, requireSoundHistory } from '../model/policy.js';
import type { Continued } from '../model/join.js';
import type { Update } from '../model/update.js';
import type { Published } from '../published/published.js';
import { refuseRemovals } from './absent.js';
import { refuseDamage } from './damage.js';
import type { Damage } from './damage.js';
import { refuseSecrets } from './secrets.js';
import type { Searchable, SecretsOptions } from './secrets.js';

export interface ApprovalContext extends SecretsOptions, Pick<Damage, 'damaged'> {
  /** What it goes on from, verified; null for the first one. */
  readonly continued: Continued | null;
  /** From that. */
  readonly update: Update;
  readonly searchable: Searchable;
  readonly absence: AbsenceRule;
}

/** Refuses changes that a person has to decide about. Throws DAMAGED, BYTES_CHANGED, MASS_REMOVAL, SECRET_IN_DIRECTORY. */
export async function requireApproval(
  published: Published,
  { continued, update, damaged, searchable, absence, ...options }: ApprovalContext,
): Promise<void> {
  // First: what holds a secret must not be uploaded again, and what is uploaded again may have its published bytes.
  await refuseSecrets(published, searchable, options);
  refuseDamage(damaged, update.before);
  refuseChangedBytes(update);
  requireSoundHistory(update.next);
  refuseRemovals(continued, update, absence);
}
