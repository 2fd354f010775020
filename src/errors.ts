/** Why packsign refuses (exit status 1). docs/FORMAT.md and `packsign COMMAND --help` say when each occurs. */
const REFUSALS = [
  // Policy: packsign publishes nothing.
  'BYTES_CHANGED',
  'CLOCK_DOUBTFUL',
  'DAMAGED',
  'DESTINATION_DIFFERS',
  'DESTINATION_FOREIGN',
  'DESTINATION_FORKED',
  'DESTINATION_NEWER',
  'DESTINATION_RACED',
  'EXPIRES_AFTER_KEY',
  'FILE_DIFFERS',
  'KEY_EXPIRED',
  'KEY_NOT_PUBLISHED',
  'KEY_NOT_YET_VALID',
  'KEY_REVOKED',
  'KEY_WEAK',
  'MASS_REMOVAL',
  'PAGE_EDITED',
  'PART_WRONG',
  'PREVIOUS_INVALID',
  'SECRET_IN_DIRECTORY',
  'SELF_CHECK_FAILED',
  'STALE_BUILD',
  'UNCOVERED',
  'WARNINGS',
  'WORKER_DIFFERS',

  // Verification: packsign refuses the answer.
  'DATABASE_FORKED',
  'DATABASE_FROM_FUTURE',
  'DATABASE_MALFORMED',
  'DATABASE_MISSING',
  'DATABASE_ROLLED_BACK',
  'DATABASE_STALE',
  'DATABASE_TOO_LARGE',
  'FILE_ALTERED',
  'FILE_MISSING',
  'FILE_NOT_LISTED',
  'FINGERPRINT_MISSING',
  'FORMAT_UNKNOWN',
  'HISTORY_BROKEN',
  'NOT_CONFIRMED',
  'NOT_PINNED',
  'NOT_VOUCHED_FOR',
  'SIGNATURE_INVALID',
  'SIGNATURE_MALFORMED',
  'SIGNATURE_MISSING',
  'TOO_FEW_SIGNATURES',
  'WRONG_DATABASE',
] as const;

/** Why it cannot go on (exit status 2). A type only: the trust page has no use for this list. */
type Obstacle =
  | 'AGENT_UNREACHABLE'
  | 'AMBIGUOUS'
  | 'BULLMQ_MISSING'
  | 'CARD_MISSING'
  | 'CLOCK_BEHIND'
  | 'DESTINATION_FAILED'
  | 'DIRECTORY_UNREADABLE'
  | 'FILE_EXISTS'
  | 'FILE_UNREADABLE'
  | 'FILE_UNWRITABLE'
  | 'FOREIGN_DATABASE'
  | 'GNUPG_FAILED'
  | 'GNUPG_MISSING'
  | 'KEYS_MALFORMED'
  | 'KEY_AMBIGUOUS'
  | 'KEY_MALFORMED'
  | 'KEY_UNUSABLE'
  | 'LISTED_FILE_UNREADABLE'
  | 'LOCKED'
  | 'LOCK_LOST'
  | 'NETWORK'
  | 'NETWORK_SLOW'
  | 'NETWORK_TIMEOUT'
  | 'NOTHING_TO_LIST'
  | 'NOTHING_TO_SIGN'
  | 'NOT_PUBLISHED'
  | 'NOT_TRUSTED'
  | 'NO_HOME'
  | 'NO_KEY'
  | 'PACKAGE_NOT_FOUND'
  | 'PARTS_MIXED'
  | 'PART_UNUSABLE'
  | 'PASSPHRASE_NEEDED'
  | 'PASSPHRASE_WRONG'
  | 'PLATFORM_MISSING'
  | 'PREVIOUS_UNKNOWN'
  | 'QUEUE_FAILED'
  | 'REDIRECT_REFUSED'
  | 'SETTINGS_INVALID'
  | 'SIGNER_FAILED'
  | 'SIGNER_TIMED_OUT'
  | 'TEMPLATE_INVALID'
  | 'TRUST_DAMAGED'
  | 'TRUST_EXISTS'
  | 'TRUST_TOO_LARGE'
  | 'USAGE';

export type ErrorCode = (typeof REFUSALS)[number] | Obstacle;

/** What to type next, and the underlying error. */
export interface ErrorDetails {
  readonly hint?: string | null;
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
    this.hint = details.hint ?? HINTS[systemCode(details.cause) ?? ''] ?? null;
  }
}

const ROOM_HINT = 'make room on that disk, then run the same command again';

/** What to do about a system error, where nobody said anything better. */
const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: ROOM_HINT,
  EDQUOT: ROOM_HINT,
  EMFILE: 'allow more open files, as with ulimit -n 4096, then run the same command again',
};

/** How the command line ends: with 1 if packsign refuses, with 2 if it cannot go on. */
export function exitStatusOf({ code }: Pick<PacksignError, 'code'>): 1 | 2 {
  return REFUSALS.some((refusal) => refusal === code) ? 1 : 2;
}

/** The reason of any error, for a message that names the file; of a system error, its words and code. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [code, call] = [systemCode(error), callOf(error)];
  if (code === 'EDQUOT') return 'disk quota exceeded (EDQUOT)';
  // As Node writes it: `EACCES: permission denied, open '/x'`.
  const end = call === null ? -1 : error.message.indexOf(`, ${call}`);
  if (code === null || end === -1 || !error.message.startsWith(`${code}: `)) return error.message;
  return `${error.message.slice(code.length + 2, end)} (${code})`;
}

/** EDQUOT on Linux and on macOS: Node has no name for it, and says UNKNOWN or `Unknown system error -122`. */
const ERRNOS_OF_QUOTA: readonly unknown[] = [-122, -69];

/** The `code` of a Node system error (`ENOENT`), or null. */
export function systemCode(error: unknown): string | null {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return null;
  return 'errno' in error && ERRNOS_OF_QUOTA.includes(error.errno) ? 'EDQUOT' : error.code;
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
