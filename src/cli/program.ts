import yargs from 'yargs';
import type { Argv } from 'yargs';
import { PacksignError } from '../index.js';
import type { Command, Listed } from './command.js';
import { COMMON_OPTIONS } from './options.js';
import type { Values } from './options.js';
import { version } from './version.js';

/** The command that a command line calls, with its options. */
export interface Chosen {
  readonly command: Command;
  readonly values: Values;
}

/** Reads a command line. Returns a text to print if it asks for help or the version. Throws USAGE. */
export async function parse(argv: readonly string[], commands: readonly Listed[]): Promise<Chosen | string> {
  const chosen: Chosen[] = [];
  const choose = (choice: Chosen) => chosen.push(choice);
  // The command nearly always comes first; then we load only that one.
  const named = commands.find((command) => wordsOf(command).every((word, index) => argv[index] === word));
  const program =
    named === undefined
      ? programOfAll(await Promise.all(commands.map(loaded)), choose)
      : programOf(await loaded(named), choose);
  const rest = named === undefined ? argv : argv.slice(wordsOf(named).length);

  let output = '';
  await program.parseAsync(
    [...rest],
    {},
    (error: Error | undefined | null, _values: unknown, text: string) => {
      if (error instanceof PacksignError) throw error;
      if (error !== undefined && error !== null) throw usage(error.message, { argv, commands });
      output = text;
    },
  );
  return chosen[0] ?? `${output}\n`;
}

interface Loaded extends Listed {
  readonly command: Command;
}

async function loaded(listed: Listed): Promise<Loaded> {
  return { ...listed, command: await listed.load() };
}

/** The words that call a command: `key generate`. */
function wordsOf({ usage }: Listed): readonly string[] {
  return usage.split(' ').filter((word) => /^[a-z]/.test(word));
}

type Choose = (choice: Chosen) => void;

function programOf(listed: Loaded, choose: Choose): Argv {
  const words = wordsOf(listed).join(' ');
  return addCommand(configured(`packsign ${words}`), listed.usage.replace(words, '$0'), {
    ...listed,
    choose,
  });
}

function programOfAll(commands: readonly Loaded[], choose: Choose): Argv {
  const program = configured('packsign')
    .demandCommand(1, 'missing command')
    .completion('completion', 'print a completion script for bash or zsh');
  const families = new Map<string, Loaded[]>();
  for (const command of commands) {
    const [family = ''] = wordsOf(command);
    families.set(family, [...(families.get(family) ?? []), command]);
  }
  for (const [family, members] of families) {
    const [first] = members;
    if (first !== undefined && wordsOf(first).length === 1) {
      addCommand(program, first.usage, { ...first, choose });
      continue;
    }
    program.command(family, `commands about ${family}s`, (own) => {
      for (const command of members) {
        addCommand(own, command.usage.slice(family.length + 1), { ...command, choose });
      }
      return own.demandCommand(1, `missing command after ${family}`).strict();
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

function addCommand(
  program: Argv,
  usage: string,
  { summary, command, choose }: Loaded & { readonly choose: Choose },
): Argv {
  const describe = (own: Argv) => {
    for (const [line, meaning] of command.examples) own.example(line, meaning);
    return command.options(own);
  };
  return program.command(usage, summary, describe, (values: Values) => choose({ command, values }));
}

function usage(
  message: string,
  { argv, commands }: { argv: readonly string[]; commands: readonly Listed[] },
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
