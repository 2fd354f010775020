/** A problem with one file or with the whole database that does not stop the run. */
export interface Warning {
  readonly code: WarningCode;
  /** File path relative to the database; null if it is about the whole. */
  readonly path: string | null;
  readonly message: string;
}

/** What verifiers refuse in a key, now or later. */
export type LintCode =
  | 'KEY_ALGORITHM'
  | 'KEY_EXPIRED'
  | 'KEY_EXPIRES_FIRST'
  | 'KEY_EXPIRES_SOON'
  | 'KEY_NOT_PUBLISHED'
  | 'KEY_NO_ADDRESS'
  | 'KEY_NO_SIGNER'
  | 'KEY_REVOKED'
  | 'KEY_RSA_SHORT'
  | 'KEY_SHA1';

export type WarningCode =
  | 'BYTES_CHANGED'
  | 'CHANGED_WHILE_READ'
  | 'CHECKSUMS_NOT_OURS'
  | 'CHECKSUMS_NOT_WRITTEN'
  | 'CHECKSUMS_OUTDATED'
  | 'DAMAGED'
  | 'DATED_AHEAD'
  | 'DUPLICATE_PACKAGE'
  | 'EVIDENCE_INCOMPLETE'
  | 'FILE_REPLACED'
  | 'HISTORY_BROKEN'
  | 'HOOK_DROPPED'
  | 'HOOK_FAILED'
  | 'HOOK_TIMED_OUT'
  | 'KEY_FILE_OPEN'
  | 'MASS_REMOVAL'
  | 'NAME_MISMATCH'
  | 'NOT_ASCII'
  | 'NOT_DAMAGED'
  | 'NOT_IMPORTED'
  | 'NOT_LOOKED_INTO'
  | 'NOT_REGULAR'
  | 'NO_MAINTAINER'
  | 'NO_METADATA'
  | 'NO_SECRET'
  | 'NO_WORKER'
  | 'PAGE_EDITED'
  | 'PAGE_NOT_WRITTEN'
  | 'PART_DIFFERS'
  | 'PASSWORD_SEEN'
  | 'PREDECESSOR_UNCHECKED'
  | 'PUBLICATION_INCOMPLETE'
  | 'QUEUE_AWAY'
  | 'SECRET_LEFT_OUT'
  | 'SIGNATURES_DROPPED'
  | 'SIGNER_NOT_LISTED'
  | 'UNREADABLE'
  | 'UNSAFE_NAME'
  | 'UNUSED_OVERRIDE'
  | 'WORKER_FAILED'
  | 'YANK_NOT_SET'
  | LintCode;

/** How a file differs from its entry. */
export interface Finding {
  readonly kind: 'missing' | 'altered' | 'unlisted' | 'yanked';
  readonly path: string;
  readonly expected: string | null;
  readonly found: string | null;
}
