import type { Database } from '../model/database.js';
import type { AbsenceRule } from '../model/absence.js';
import { refuseChangedBytes, requireSoundHistory } from '../model/policy.js';
import type { Published } from '../published/published.js';
import { refuseRemovals } from './absent.js';
import { refuseDamage } from './damage.js';
import type { Damage } from './damage.js';
import { refuseSecrets } from './secrets.js';
import type { Searchable, SecretsOptions } from './secrets.js';

export interface ApprovalContext extends SecretsOptions, Pick<Damage, 'damaged'> {
  readonly database: Database;
  /** The verified database that it follows; null for the first one. */
  readonly predecessor: Database | null;
  readonly searchable: Searchable;
  readonly absence: AbsenceRule;
}

/** Refuses changes that a person has to decide about. Throws DAMAGED, BYTES_CHANGED, MASS_REMOVAL, SECRET_IN_DIRECTORY. */
export async function requireApproval(
  published: Published,
  { database, predecessor, damaged, searchable, absence, ...options }: ApprovalContext,
): Promise<void> {
  // First: a file that is uploaded again may have its published bytes.
  refuseDamage({ damaged });
  refuseChangedBytes(predecessor, database);
  requireSoundHistory(database);
  refuseRemovals(predecessor, database, absence);
  await refuseSecrets(published, searchable, options);
}
