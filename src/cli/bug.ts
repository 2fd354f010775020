import { readableStack } from './stack.js';
import type { Outside } from './streams.js';
import { version } from './version.js';

/** Of a run that did not come to an answer because packsign itself is wrong. */
export const BUG_STATUS = 70;

/** Says what nobody foresaw: the sources' names and lines for a report, one object where JSON is read. Never waits. */
export function reportBug(
  error: unknown,
  { stdout, stderr, wantsJson }: Pick<Outside, 'stdout' | 'stderr'> & { readonly wantsJson: boolean },
): void {
  const stack = error instanceof Error ? readableStack(error.stack ?? error.message) : String(error);
  if (wantsJson) {
    const bug = { code: 'BUG', message: 'internal error', hint: null };
    stdout.write(`${JSON.stringify({ error: bug })}\n`);
  }
  stderr.write(
    `packsign: error: this is a bug in packsign ${version()} on Node ${process.versions.node}\n${stack}\n` +
      'packsign: hint: please report it with the text above: https://www.npmjs.com/package/packsign\n',
  );
}
