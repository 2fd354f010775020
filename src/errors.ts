/**
 * Why packsign refuses (exit status 1) or cannot go on (exit status 2). docs/FORMAT.md and `packsign COMMAND --help` say
 * when each occurs.
 */
const EXIT_STATUS = {
  // Policy: packsign publishes nothing.
  BYTES_CHANGED: 1,
  DAMAGED: 1,
  EXPIRES_AFTER_KEY: 1,
  FILE_DIFFERS: 1,
  KEY_EXPIRED: 1,
  KEY_NOT_PUBLISHED: 1,
  KEY_NOT_YET_VALID: 1,
  KEY_REVOKED: 1,
  KEY_WEAK: 1,
  MASS_REMOVAL: 1,
  PAGE_EDITED: 1,
  PREVIOUS_INVALID: 1,
  SECRET_IN_DIRECTORY: 1,
  SELF_CHECK_FAILED: 1,
  STALE_BUILD: 1,
  UNCOVERED: 1,
  WARNINGS: 1,

  // Verification: packsign refuses the answer.
  DATABASE_FORKED: 1,
  DATABASE_FROM_FUTURE: 1,
  DATABASE_MALFORMED: 1,
  DATABASE_MISSING: 1,
  DATABASE_ROLLED_BACK: 1,
  DATABASE_STALE: 1,
  DATABASE_TOO_LARGE: 1,
  FILE_ALTERED: 1,
  FILE_MISSING: 1,
  FILE_NOT_LISTED: 1,
  FINGERPRINT_MISSING: 1,
  FORMAT_UNKNOWN: 1,
  HISTORY_BROKEN: 1,
  NOT_CONFIRMED: 1,
  NOT_PINNED: 1,
  NOT_VOUCHED_FOR: 1,
  SIGNATURE_INVALID: 1,
  SIGNATURE_MALFORMED: 1,
  SIGNATURE_MISSING: 1,
  TOO_FEW_SIGNATURES: 1,
  WRONG_DATABASE: 1,

  // It cannot go on.
  AGENT_UNREACHABLE: 2,
  AMBIGUOUS: 2,
  CARD_MISSING: 2,
  CLOCK_BEHIND: 2,
  DIRECTORY_UNREADABLE: 2,
  FILE_EXISTS: 2,
  FILE_UNREADABLE: 2,
  FILE_UNWRITABLE: 2,
  FOREIGN_DATABASE: 2,
  GNUPG_FAILED: 2,
  GNUPG_MISSING: 2,
  KEYS_MALFORMED: 2,
  KEY_AMBIGUOUS: 2,
  KEY_MALFORMED: 2,
  KEY_UNUSABLE: 2,
  LISTED_FILE_UNREADABLE: 2,
  LOCKED: 2,
  NETWORK: 2,
  NETWORK_SLOW: 2,
  NETWORK_TIMEOUT: 2,
  NOTHING_TO_LIST: 2,
  NOTHING_TO_SIGN: 2,
  NOT_PUBLISHED: 2,
  NOT_TRUSTED: 2,
  NO_HOME: 2,
  NO_KEY: 2,
  PACKAGE_NOT_FOUND: 2,
  PASSPHRASE_NEEDED: 2,
  PASSPHRASE_WRONG: 2,
  PLATFORM_MISSING: 2,
  PREVIOUS_UNKNOWN: 2,
  REDIRECT_REFUSED: 2,
  SETTINGS_INVALID: 2,
  SIGNER_FAILED: 2,
  SIGNER_TIMED_OUT: 2,
  TEMPLATE_INVALID: 2,
  TRUST_DAMAGED: 2,
  TRUST_EXISTS: 2,
  TRUST_TOO_LARGE: 2,
  USAGE: 2,
} as const;

export type ErrorCode = keyof typeof EXIT_STATUS;

/** What to type next, and the underlying error. */
export interface ErrorDetails {
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * A failure that the user can do something about. Messages are lower case, without a full stop, in the user's own words.
 * Any other error is a bug.
 */
export class PacksignError extends Error {
  override readonly name = 'PacksignError';
  readonly code: ErrorCode;
  readonly hint: string | null;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.code = code;
    this.hint = details.hint ?? null;
  }

  get exitStatus(): 1 | 2 {
    return EXIT_STATUS[this.code];
  }
}

/** The reason of any error, for a message that names the file; of a system error, its words and code. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [code, call] = [systemCode(error), callOf(error)];
  // As Node writes it: `EACCES: permission denied, open '/x'`.
  const end = call === null ? -1 : error.message.indexOf(`, ${call}`);
  if (code === null || end === -1 || !error.message.startsWith(`${code}: `)) return error.message;
  return `${error.message.slice(code.length + 2, end)} (${code})`;
}

/** The `code` of a Node system error (`ENOENT`), or null. */
export function systemCode(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

const WRITING =
  /^(?:p?write|f(?:data)?sync|f?truncate|[fl]?ch(?:mod|own)|[fl]?utimes?|mk(?:dir|dtemp)|rename|unlink|rm|(?:sym)?link|copyfile)/;
const CODES_OF_WRITING = ['EROFS', 'ENOSPC', 'EDQUOT'];
const CODES_OF_NETWORK = ['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT'];

/**
 * Explains a system error that no other code has explained: FILE_UNREADABLE or FILE_UNWRITABLE with the file, or NETWORK.
 * Null for any other error, which is a bug.
 */
export function fromSystem(error: unknown): PacksignError | null {
  const [code, call] = [systemCode(error), callOf(error)];
  if (code === null || call === null || !(error instanceof Error)) return null;
  const path = 'path' in error && typeof error.path === 'string' ? error.path : null;
  const isRemote = 'address' in error || 'hostname' in error || CODES_OF_NETWORK.includes(code);
  if (path === null && isRemote) return new PacksignError('NETWORK', error.message, { cause: error });
  const isWriting = WRITING.test(call) || CODES_OF_WRITING.includes(code);
  const verb = call.startsWith('spawn') ? 'start' : isWriting ? 'write' : 'read';
  return new PacksignError(
    isWriting ? 'FILE_UNWRITABLE' : 'FILE_UNREADABLE',
    `cannot ${verb} ${path ?? 'a file'}: ${reasonOf(error)}`,
    { cause: error },
  );
}

/** The system call that failed: `open`, `spawn gpg`; null if it is not a system error. */
function callOf(error: unknown): string | null {
  return error instanceof Error && 'syscall' in error && typeof error.syscall === 'string'
    ? error.syscall
    : null;
}
