import { PacksignError, fromSystem } from '../index.js';
import { hintFor } from './hint.js';
import { readableStack } from './stack.js';
import { canColor } from './streams.js';
import type { Outside } from './streams.js';
import { harmless, harmlessJson } from './terminal.js';
import { version } from './version.js';

/** Of a run that did not come to an answer because packsign itself is wrong. */
export const BUG_STATUS = 70;

export interface Failing extends Pick<Outside, 'stdout' | 'stderr' | 'environment'> {
  readonly argv: readonly string[];
  /** The directory as it was typed, where one was. */
  readonly directory: unknown;
}

/** Says why a command failed, and gives its exit status. Never waits: it may be the last that the process does. */
export function reportFailure(error: unknown, failing: Failing): number {
  const known = error instanceof PacksignError ? error : fromSystem(error);
  if (known !== null) {
    reportError(known, failing);
    return known.exitStatus;
  }
  reportBug(error, failing);
  return BUG_STATUS;
}

function reportError(error: PacksignError, { stdout, stderr, environment, argv, directory }: Failing): void {
  const { code, message } = error;
  const hint = hintFor(error.hint, directory);
  if (argv.includes('--json')) stdout.write(`${harmlessJson({ error: { code, message, hint } })}\n`);
  // A message may be of several lines; each is made harmless by itself.
  const [first = '', ...more] = message.split('\n').map(harmless);
  const red = canColor({ environment }, stderr)
    ? (text: string) => `\u001b[31m${text}\u001b[39m`
    : (text: string) => text;
  stderr.write(`packsign: ${red('error:')} ${first}${argv.includes('--verbose') ? ` (${code})` : ''}\n`);
  for (const line of more) stderr.write(`${line}\n`);
  if (hint !== null) stderr.write(`packsign: hint: ${harmless(hint)}\n`);
}

/** What nobody foresaw, with the sources' names and lines. */
function reportBug(error: unknown, { stdout, stderr, argv }: Failing): void {
  const stack = error instanceof Error ? readableStack(error.stack ?? error.message) : String(error);
  if (argv.includes('--json')) {
    const bug = { code: 'BUG', message: 'internal error', hint: null };
    stdout.write(`${JSON.stringify({ error: bug })}\n`);
  }
  stderr.write(
    `packsign: error: this is a bug in packsign ${version()} on Node ${process.versions.node}\n${stack}\n` +
      'packsign: hint: please report it with the text above: https://www.npmjs.com/package/packsign\n',
  );
}
