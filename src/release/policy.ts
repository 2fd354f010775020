import { refuseSecrets } from './secrets.js';
import type { Database } from '../model/database.js';
import { refuseChangedBytes, refuseMassRemoval, requireSoundHistory } from '../model/policy.js';
import type { Published } from '../published/published.js';

export interface ApprovalContext {
  readonly database: Database;
  /** The verified database that it follows; null for the first one. */
  readonly predecessor: Database | null;
  /** Every file of the directory that is not listed. */
  readonly others: readonly string[];
  readonly allowRemoved: boolean;
}

/** Refuses changes that a person has to decide about. Throws BYTES_CHANGED, MASS_REMOVAL, SECRET_IN_DIRECTORY. */
export function requireApproval(
  published: Published,
  { database, predecessor, others, allowRemoved }: ApprovalContext,
): void {
  refuseChangedBytes(predecessor, database);
  requireSoundHistory(database);
  if (!allowRemoved) refuseMassRemoval(predecessor, database);
  refuseSecrets(published, others);
}
