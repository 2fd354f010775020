import type { Argv } from 'yargs';
import type { Values } from './options.js';
import type { Progress } from './progress.js';
import type { Outside } from './streams.js';

/** What a command came to: a value for `--json`, lines for people, and an exit status. */
export interface Report {
  /** Null prints nothing. */
  readonly json: Readonly<Record<string, unknown>> | null;
  /** Results, for stdout. */
  readonly lines: readonly string[];
  /** What is worth knowing beside them, for stderr. */
  readonly notices?: readonly string[];
  readonly exitStatus: 0 | 1 | 2;
}

/** What a command is handed besides its options. */
export interface Session {
  readonly outside: Outside;
  readonly progress: Progress;
  /** Prints a report before the last one: for a command that goes on. */
  readonly print: (report: Report) => void;
  /** Lines for stderr, printed with the next report. */
  readonly notice: (...lines: readonly string[]) => void;
}

/** One command of the program, as the list of commands has it. */
export interface Listed {
  /** Name and positionals, as yargs reads them: `build [directory]`. */
  readonly usage: string;
  /** One line. */
  readonly summary: string;
  readonly group: 'maintain' | 'trust';
  readonly load: () => Promise<Command>;
}

/** How a command is explained, and carried out. */
export interface Command {
  /** Each a command line, and what it does. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  readonly options: (yargs: Argv) => Argv;
  readonly run: (values: Values, session: Session) => Promise<Report>;
}
