import type { Argv } from 'yargs';
import { reportOf, saveReport } from '../index.js';
import type { Suspect } from '../index.js';
import { single, textOf } from './options.js';
import type { Values } from './options.js';
import type { Outside } from './streams.js';
import { harmless } from './terminal.js';
import { version } from './version.js';

/** For every command that may say no to what a maintainer published. */
export function withReportFile<T>(yargs: Argv<T>): Argv<T> {
  return yargs.option('report', single('write what is wrong to this file, for the maintainer'));
}

/**
 * Writes what is wrong to the file that `--report` names, and gives what is to be said of that; nothing where all
 * is well or nobody asked for it. Throws FILE_UNWRITABLE.
 */
export function complain(values: Values, outside: Outside, suspects: readonly Suspect[]): string[] {
  const file = textOf(values, 'report');
  if (file === null || suspects.length === 0) return [];
  const circumstances = { now: outside.clock(), version: version() };
  saveReport(file, suspects.map((suspect) => reportOf(suspect, circumstances)).join('\n'));
  const to = suspects.map(({ notify }) => notify).find((notify) => notify !== null);
  return [`packsign: wrote ${harmless(file)}${to == null ? '' : `; send it to ${harmless(to)}`}`];
}
