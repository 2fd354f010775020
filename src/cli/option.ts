// What a command accepts, as values: the help, the man pages, the completion of the shells and the hints at typing errors
// are made from the same ones.

/** What stands for a value in the man page. It also says what a shell offers for it. */
export type Takes =
  | 'ADDRESS'
  | 'COMMAND'
  | 'DATABASE'
  | 'DATE'
  | 'DESTINATION'
  | 'FILE'
  | 'FINGERPRINT'
  | 'FOLDER'
  | 'GLOB'
  | 'KEY'
  | 'NAME'
  | 'NUMBER'
  | 'PACKAGE'
  | 'PATH'
  | 'PLATFORM'
  | 'PORT'
  | 'TARGET'
  | 'TEXT'
  | 'TIME';

interface Accepted {
  readonly describe: string;
  /** Not for an option that is on or off, and for one with choices. */
  readonly takes?: Takes;
  readonly array?: boolean;
  readonly choices?: readonly string[];
}

/** One option of a command. */
export interface Option extends Accepted {
  readonly type: 'boolean' | 'string';
  readonly default?: string;
  readonly requiresArg?: boolean;
  readonly demandOption?: boolean;
  readonly group?: string;
  /** Rarely needed: `--help` shows it only with `--all`. */
  readonly hidden?: boolean;
  /** Whether people type `--no-NAME` too, or nothing else. */
  readonly negated?: 'too' | 'only';
}

/** A word that a command takes besides its options. */
export interface Positional extends Accepted {
  readonly type: 'string';
  readonly default?: string | readonly string[];
}

/** By name, in the order of the help. */
export type OptionTable = Readonly<Record<string, Option>>;
export type PositionalTable = Readonly<Record<string, Positional>>;

/** An option that is on or off. */
export function flag(describe: string): Option {
  return { type: 'boolean', describe };
}

/** An option that is on, off, or neither. */
export function maybe(describe: string): Option {
  return { type: 'boolean', describe, negated: 'too' };
}

/** An option that is on until `--no-NAME` turns it off. */
export function onUntilRefused(describe: string): Option {
  return { type: 'boolean', describe, negated: 'only' };
}

/** An option with one value. */
export function single(
  takes: Takes,
  describe: string,
  more: Pick<Option, 'default' | 'demandOption'> = {},
): Option {
  return { ...more, type: 'string', takes, describe, requiresArg: true };
}

/** An option with a time, which people may leave out. */
export function timer(describe: string): Option {
  return { type: 'string', takes: 'TIME', describe };
}

/** An option with one of a few values. */
export function choice(
  choices: readonly string[],
  describe: string,
  more: Pick<Option, 'default'> = {},
): Option {
  return { ...more, type: 'string', choices, describe, requiresArg: true };
}

/** An option that may be given several times. */
export function repeated(takes: Takes, describe: string): Option {
  return { type: 'string', takes, array: true, describe, requiresArg: true };
}

export function positional(
  takes: Takes,
  describe: string,
  more: Pick<Positional, 'default' | 'choices'> = {},
): Positional {
  return { ...more, type: 'string', takes, describe };
}

/** A positional of any number of words. */
export function positionals(
  takes: Takes,
  describe: string,
  more: Pick<Positional, 'default'> = {},
): Positional {
  return { ...positional(takes, describe, more), array: true };
}

/** Options that few users need. */
export function rare(options: OptionTable): OptionTable {
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, { ...option, hidden: true }]),
  );
}
