import { PacksignError, exitStatusOf, fromSystem } from '../index.js';
import { hintFor } from './hint.js';
import type { Typed } from './hint.js';
import { LIST_LIMIT } from './report.js';
import { readableStack } from './stack.js';
import { canColor } from './streams.js';
import type { Outside } from './streams.js';
import { count, harmless, harmlessJson } from './terminal.js';
import { version } from './version.js';
import { writeLines } from './wrap.js';

/** Exit status of a run that fails because of a bug in packsign. */
export const BUG_STATUS = 70;

/** How many lines below one item of a list a person sees. */
const BELOW_LIMIT = 5;

export interface Failing extends Pick<Outside, 'stdout' | 'stderr' | 'environment'> {
  readonly argv: readonly string[];
  /** What the user typed, as far as it was read. */
  readonly typed: Typed;
}

/** Prints why a command failed, and returns its exit status. Never waits: it may be the last thing that the process does. */
export function reportFailure(error: unknown, failing: Failing): number {
  const { stdout, stderr, argv, typed } = failing;
  const known = knownIn(error);
  const json = failureJson(error, typed);
  if (argv.includes('--json')) stdout.write(`${harmlessJson(json)}\n`);
  if (known === null) return reportBug(error, stderr);
  writeError(json.error, failing);
  return exitStatusOf(known);
}

/** Null for a bug. */
export function knownIn(error: unknown): PacksignError | null {
  return error instanceof PacksignError ? error : fromSystem(error);
}

/** What `--json` prints of a failure. */
export function failureJson(error: unknown, typed: Typed): { readonly error: FailureJson } {
  const known = knownIn(error);
  if (known === null) return { error: { code: 'BUG', message: 'internal error', hint: null } };
  const { code, message, hint } = known;
  const shown = hintFor(hint, typed);
  return {
    error: { code, message: withoutLogins(message), hint: shown === null ? null : withoutLogins(shown) },
  };
}

/** The address of a queue may hold a password, also in a mistyped command line. */
function withoutLogins(text: string): string {
  return text.replace(/(rediss?:\/\/).*@/gi, '$1…@');
}

interface FailureJson {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}

function writeError({ code, message, hint }: FailureJson, failing: Failing): void {
  const { stderr, argv } = failing;
  // A message may have several lines; `harmless` would escape the line ends.
  const [first = '', ...more] = message.split('\n').map(harmless);
  const label = canColor(failing, stderr) ? '\u001b[31merror:\u001b[39m' : 'error:';
  // A name from elsewhere may hold a line end: no line but ours begins with `packsign:`.
  const indented = more.map((line) => (line.startsWith('  ') ? line : `  ${line}`));
  const isVerbose = argv.includes('--verbose');
  writeLines(stderr, [
    `packsign: ${label} ${first}${isVerbose ? ` (${code})` : ''}`,
    ...(isVerbose ? indented : firstItems(indented)),
    ...(hint === null ? [] : [`packsign: hint: ${harmless(hint)}`]),
  ]);
}

/** The first few items of a list, and the first few of the lines below each, which are indented deeper. */
function firstItems(lines: readonly string[]): readonly string[] {
  let items = 0;
  let below = 0;
  const first = lines.filter((line) => {
    const isItem = !line.startsWith('   ');
    below = isItem ? 0 : below + 1;
    if (isItem) items += 1;
    return items <= LIST_LIMIT && below <= BELOW_LIMIT;
  });
  const left = lines.length - first.length;
  return left === 0 ? lines : [...first, `  … and ${count(left, 'more line')} with --verbose`];
}

/** Prints a stack with the names and lines of the sources. */
function reportBug(error: unknown, stderr: Failing['stderr']): number {
  const stack = error instanceof Error ? readableStack(error.stack ?? error.message) : String(error);
  stderr.write(
    `packsign: error: this is a bug in packsign ${version()} on Node ${process.versions.node}\n${stack}\n` +
      'packsign: hint: please report it with the text above, where you got packsign from\n',
  );
  return BUG_STATUS;
}
