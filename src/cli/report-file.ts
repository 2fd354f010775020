import { reportOf, saveReport } from '../index.js';
import type { Suspect } from '../index.js';
import { single } from './option.js';
import { textOf } from './options.js';
import type { Values } from './options.js';
import type { Outside } from './streams.js';
import { harmless } from './terminal.js';
import { version } from './version.js';

/** For every command that may reject what a maintainer published. */
export const REPORT_OPTION = single('FILE', 'write what is wrong to this file, for the maintainer');

/**
 * Writes what is wrong to the file that `--report` names. Returns a line that says so; none without the option, or if
 * nothing is wrong. Throws FILE_UNWRITABLE.
 */
export function writeReportFile(values: Values, outside: Outside, suspects: readonly Suspect[]): string[] {
  const file = textOf(values, 'report');
  if (file === null || suspects.length === 0) return [];
  const circumstances = { now: outside.clock(), version: version() };
  saveReport(file, suspects.map((suspect) => reportOf(suspect, circumstances)).join('\n'));
  const to = suspects.map(({ notify }) => notify).find((notify) => notify !== null);
  return [`packsign: wrote ${harmless(file)}${to == null ? '' : `; send it to ${harmless(to)}`}`];
}
