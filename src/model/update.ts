import type { Database } from './database.js';
import { compareFiles } from './file-difference.js';
import type { FileDifference } from './file-difference.js';

/** A database and the one before it. Their long lists are compared once, for history, policies and reports. */
export interface Update {
  /** Null for a first database. */
  readonly before: Database | null;
  readonly next: Database;
  readonly files: FileDifference;
}

export function updateOf(before: Database | null, next: Database): Update {
  return { before, next, files: compareFiles(before?.Files, next.Files) };
}
