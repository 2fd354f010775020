import type { ErrorCode } from '../errors.js';
import type { Finding } from '../model/finding.js';

/** What a caller accepts besides an authentic database, and whether it asks for more. */
export interface Tolerance {
  /** Whether to accept an expired database; no if not given. */
  readonly allowStale?: boolean;
  /** Whether to accept a database that nobody vouches for; no if not given. */
  readonly allowUnauthenticated?: boolean;
  /** Whether unlisted and yanked files fail too; no if not given. */
  readonly strict?: boolean;
}

/** The answer about a database, and why it is not `authentic`. */
export interface Decision<Status extends string = 'authentic' | 'stale' | 'unauthenticated' | 'refused'> {
  readonly status: Status;
  readonly code: ErrorCode | null;
  readonly message: string | null;
}

const FAULTS = [
  { kind: 'altered', code: 'FILE_ALTERED', words: 'not as signed', strictly: false },
  { kind: 'missing', code: 'FILE_MISSING', words: 'missing', strictly: false },
  { kind: 'unlisted', code: 'UNCOVERED', words: 'not covered', strictly: true },
  { kind: 'yanked', code: 'WARNINGS', words: 'yanked', strictly: true },
] as const satisfies readonly { kind: Finding['kind']; code: ErrorCode; words: string; strictly: boolean }[];

/**
 * The answer about a database and its files: refused where a file is altered or missing, whatever the database is, so
 * that nobody takes the word `authentic` for the files (docs/FORMAT.md §8). With `strict`, unlisted and yanked files
 * count as well.
 */
export function withFindings<S extends string>(
  decision: Decision<S>,
  findings: readonly Finding[],
  { strict = false }: Tolerance = {},
): Decision<S | 'refused'> {
  const faults = FAULTS.filter(({ strictly }) => strict || !strictly).flatMap(({ kind, code, words }) => {
    const count = findings.filter((finding) => finding.kind === kind).length;
    return count === 0
      ? []
      : [{ code, words: `${count === 1 ? '1 file is' : `${count} files are`} ${words}` }];
  });
  const [first] = faults;
  if (first === undefined || decision.status === 'refused') return decision;
  return { status: 'refused', code: first.code, message: faults.map(({ words }) => words).join(', ') };
}

/** Whether a caller may go on: the `ok` of a result, from which the command line makes its exit status. */
export function isAccepted(
  { status }: Decision,
  { allowStale = false, allowUnauthenticated = false }: Tolerance,
): boolean {
  return (
    status === 'authentic' ||
    (status === 'stale' && allowStale) ||
    (status === 'unauthenticated' && allowUnauthenticated)
  );
}
