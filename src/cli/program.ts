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
  const program = yargs()
    .scriptName('packsign')
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
    .demandCommand(1, 'a command is wanted')
    .version(version())
    .help()
    .completion('completion', 'print a completion script for bash or zsh')
    .alias('help', 'h')
    .wrap(80)
    .exitProcess(false);
  addCommands(program, commands, choose);

  let output = '';
  await program.parseAsync(
    [...argv],
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

function addCommands(
  program: Argv,
  commands: readonly Command[],
  choose: (command: Command) => (values: Values) => void,
): void {
  const families = new Map<string, Command[]>();
  for (const command of commands) {
    const [family = ''] = command.usage.split(' ');
    families.set(family, [...(families.get(family) ?? []), command]);
  }
  for (const [family, members] of families) {
    const [first] = members;
    if (first === undefined) continue;
    if (members.length === 1 && !/^\S+ [a-z]/.test(first.usage)) {
      addCommand(program, { usage: first.usage, command: first }, choose);
      continue;
    }
    program.command(family, `commands about ${family}s`, (yargsOfFamily) => {
      for (const command of members) {
        addCommand(yargsOfFamily, { usage: command.usage.slice(family.length + 1), command }, choose);
      }
      return yargsOfFamily.demandCommand(1, `a command is wanted after ${family}`).strict();
    });
  }
}

function addCommand(
  program: Argv,
  { usage, command }: { usage: string; command: Command },
  choose: (command: Command) => (values: Values) => void,
): void {
  program.command(
    usage,
    command.summary,
    (own) => {
      for (const [line, meaning] of command.examples) own.example(line, meaning);
      return command.options(own);
    },
    choose(command),
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
