import type { Hear } from '../index.js';
import type { OptionTable, PositionalTable } from './option.js';
import type { Values } from './options.js';
import type { Progress } from './progress.js';
import type { Outside } from './streams.js';

/** The result of a command: a value for `--json`, lines for people, and an exit status. */
export interface Report {
  /** Dates are printed as a database writes them. Null prints nothing. */
  readonly json: object | null;
  /** Results, for stdout. */
  readonly lines: readonly string[];
  /** Whether other programs read the lines, which then are not fitted to a terminal. */
  readonly isExact?: boolean;
  /** Remarks about them, for stderr. */
  readonly notices?: readonly string[];
  readonly exitStatus: 0 | 1 | 2;
}

/** What a command gets besides its options. */
export interface Session {
  readonly outside: Outside;
  readonly progress: Progress;
  /** Prints a report before the last one: for a command that runs until it is stopped. */
  readonly print: (report: Report) => void;
  /** Lines for stderr, printed with the next report. */
  readonly notice: (...lines: readonly string[]) => void;
  /** What other machines say of the objects of a bucket, in which a command works for another one. */
  readonly hear?: Hear;
}

/** A row of the table of commands. */
export interface Listed {
  /** Name and positionals, as yargs reads them: `build [directory]`. */
  readonly usage: string;
  /** One line. */
  readonly summary: string;
  readonly group: 'maintain' | 'trust' | 'scale' | 'shell';
  readonly load: () => Promise<Command>;
}

/** One command of the program. */
export interface Command {
  /** Command lines, the most likely one first, and what each does. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  readonly positionals?: PositionalTable;
  readonly options: OptionTable;
  readonly run: (values: Values, session: Session) => Promise<Report>;
}

/** The words that call a command: `key generate`. */
export function wordsOf({ usage }: Pick<Listed, 'usage'>): readonly string[] {
  return usage.split(' ').filter((word) => /^[a-z]/.test(word));
}

/** The first of these words. */
export function familyOf(listed: Pick<Listed, 'usage'>): string {
  return wordsOf(listed)[0] ?? '';
}

/** The command that a command line begins with; null if it begins with none. */
export function namedIn(argv: readonly string[], commands: readonly Listed[]): Listed | null {
  return commands.find((command) => wordsOf(command).every((word, index) => argv[index] === word)) ?? null;
}
