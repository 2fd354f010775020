import yargs from 'yargs';
import type { Argv } from 'yargs';
import { PacksignError } from '../index.js';
import type { Command } from './command.js';
import { COMMON_OPTIONS } from './options.js';
import type { Values } from './options.js';
import { version } from './version.js';

/** What a command line asks for. */
export type Parsed =
  | { readonly kind: 'command'; readonly command: Command; readonly values: Values }
  /** Help or version, to be printed. */
  | { readonly kind: 'text'; readonly text: string };

/** Reads a command line. Throws USAGE. */
export async function parse(argv: readonly string[], commands: readonly Command[]): Promise<Parsed> {
  const chosen: Parsed[] = [];
  const choose = (command: Command) => (values: Values) => {
    chosen.push({ kind: 'command', command, values });
  };
  // Nearly always the command stands first, and only that one has to be set up.
  const named = commands.find((command) => wordsOf(command).every((word, index) => argv[index] === word));
  const program = named === undefined ? programOfAll(commands, choose) : programOf(named, choose(named));
  const rest = named === undefined ? argv : argv.slice(wordsOf(named).length);

  let output = '';
  await program.parseAsync(
    [...rest],
    {},
    (error: Error | undefined | null, _values: unknown, text: string) => {
      if (error instanceof PacksignError) throw error;
      // yargs reports what it refuses through its text; the first line of its last part says what is wrong.
      if (error !== undefined && error !== null) throw usage(error.message, { argv, commands });
      output = text;
    },
  );
  return chosen[0] ?? { kind: 'text', text: `${output}\n` };
}

/** The words that call a command: `key generate`. */
function wordsOf({ usage }: Command): readonly string[] {
  return usage.split(' ').filter((word) => /^[a-z]/.test(word));
}

function positionalsOf(command: Command): string {
  return command.usage.split(' ').slice(wordsOf(command).length).join(' ');
}

function programOf(command: Command, choose: (values: Values) => void): Argv {
  const name = `packsign ${wordsOf(command).join(' ')}`;
  return addCommand(configured(name), { usage: `$0 ${positionalsOf(command)}`.trim(), command, choose });
}

function programOfAll(
  commands: readonly Command[],
  choose: (command: Command) => (values: Values) => void,
): Argv {
  const program = configured('packsign')
    .demandCommand(1, 'a command is wanted')
    .completion('completion', 'print a completion script for bash or zsh');
  const families = new Map<string, Command[]>();
  for (const command of commands) {
    const [family = ''] = wordsOf(command);
    families.set(family, [...(families.get(family) ?? []), command]);
  }
  for (const [family, members] of families) {
    const [first] = members;
    if (first !== undefined && wordsOf(first).length === 1) {
      addCommand(program, { usage: first.usage, command: first, choose: choose(first) });
      continue;
    }
    program.command(family, `commands about ${family}s`, (own) => {
      for (const command of members) {
        const usage = command.usage.slice(family.length + 1);
        addCommand(own, { usage, command, choose: choose(command) });
      }
      return own.demandCommand(1, `a command is wanted after ${family}`).strict();
    });
  }
  return program;
}

function configured(name: string): Argv {
  return yargs()
    .scriptName(name)
    .parserConfiguration({
      // Without these a version like 1e5 becomes a number, and a dotted option an object.
      'dot-notation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'strip-aliased': true,
      'strip-dashed': false,
      'camel-case-expansion': false,
    })
    .detectLocale(false)
    .options(COMMON_OPTIONS)
    .group([...Object.keys(COMMON_OPTIONS), 'help', 'version'], 'Options of every command:')
    .strict()
    .version(version())
    .help()
    .alias('help', 'h')
    .wrap(80)
    .exitProcess(false);
}

interface Added {
  readonly usage: string;
  readonly command: Command;
  readonly choose: (values: Values) => void;
}

function addCommand(program: Argv, { usage, command, choose }: Added): Argv {
  return program.command(
    usage,
    command.summary,
    (own) => {
      for (const [line, meaning] of command.examples) own.example(line, meaning);
      return command.options(own);
    },
    choose,
  );
}

function usage(
  message: string,
  { argv, commands }: { argv: readonly string[]; commands: readonly Command[] },
): PacksignError {
  const word = argv.find((text) => !text.startsWith('-')) ?? '';
  if (word !== '' && !commands.some((command) => command.usage.split(' ')[0] === word)) {
    return new PacksignError('USAGE', `there is no command ${word}`, {
      hint: 'packsign --help lists the commands',
    });
  }
  const text = message.charAt(0).toLowerCase() + message.slice(1).replace(/\.$/, '');
  return new PacksignError('USAGE', text, { hint: `packsign ${word === '' ? '' : `${word} `}--help` });
}
