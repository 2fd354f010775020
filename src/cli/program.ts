import yargs from 'yargs';
import type { Argv } from 'yargs';
import { PacksignError } from '../index.js';
import type { Command, Listed } from './command.js';
import { familyOf, namedIn, wordsOf } from './command.js';
import { examplesText } from './help.js';
import { mistakeIn, namelessIn, wronglyNegated } from './mistake.js';
import { COMMON_OPTIONS } from './options.js';
import type { Values } from './options.js';
import { shown } from './terminal.js';
import { version } from './version.js';

/** The command that a command line calls, with its options. */
export interface Chosen {
  readonly command: Command;
  readonly values: Values;
}

/** Reads a command line. Returns a text to print if it asks for help or the version. Throws USAGE. */
export async function parse(argv: readonly string[], commands: readonly Listed[]): Promise<Chosen | string> {
  refuseSecrets(argv);
  // The command nearly always comes first; then we load only that one.
  const listed = namedIn(argv, commands);
  const named = listed === null ? null : await loaded(listed);
  const nameless = named === null ? null : namelessIn(argv, named);
  if (nameless !== null) throw await usageError(nameless, { argv, commands, named });
  const chosen: Chosen[] = [];
  const circumstances = { argv, choose: (choice: Chosen) => chosen.push(choice) };
  const program =
    named === null
      ? programOfAll(await Promise.all(commands.map(loaded)), circumstances)
      : programOf(named, circumstances);
  const rest = named === null ? argv : argv.slice(wordsOf(named).length);

  let output = '';
  let failure: string | null = null;
  await program.parseAsync([...rest], {}, (error: Error | undefined | null, _: unknown, text: string) => {
    failure = error?.message ?? null;
    output = text;
  });
  const [choice] = chosen;
  failure ??= choice === undefined ? null : (givenTwice(choice) ?? negatedIn(argv, choice));
  if (failure !== null) throw await usageError(failure, { argv, commands, named });
  return choice ?? `${output}\n`;
}

/** No key is repeated in a message if none comes further than here. Words that a shell has split count too. */
function refuseSecrets(argv: readonly string[]): void {
  if (!/-----(?:BEGIN|END) [A-Z ]*PRIVATE KEY/.test(argv.join(' '))) return;
  throw new PacksignError('USAGE', 'the command line holds a secret key, which other users can see there', {
    hint: 'save the key in a file and name that, as in --key key.asc, or put it in the environment variable PACKSIGN_KEY',
  });
}

interface Loaded extends Listed {
  readonly command: Command;
}

async function loaded(listed: Listed): Promise<Loaded> {
  return { ...listed, command: await listed.load() };
}

interface Circumstances {
  readonly argv: readonly string[];
  readonly choose: (choice: Chosen) => void;
}

function programOf(listed: Loaded, circumstances: Circumstances): Argv {
  const words = wordsOf(listed).join(' ');
  const own = { ...listed, usage: listed.usage.replace(words, '$0') };
  return addCommand(configured(`packsign ${words}`), own, circumstances);
}

function programOfAll(commands: readonly Loaded[], circumstances: Circumstances): Argv {
  const program = configured('packsign').demandCommand(1, 'missing command');
  for (const family of new Set(commands.map(familyOf))) {
    const members = commands.filter((command) => familyOf(command) === family);
    const [first] = members;
    if (first !== undefined && wordsOf(first).length === 1) {
      addCommand(program, first, circumstances);
      continue;
    }
    program.command(family, `commands about ${family}s`, (own) => {
      for (const member of members) {
        addCommand(own, { ...member, usage: member.usage.slice(family.length + 1) }, circumstances);
      }
      return withCommon(own).demandCommand(1, `missing command after ${family}`).strict();
    });
  }
  return program;
}

/** Words of the help, in plain English. */
const STRINGS = {
  'Positionals:': 'Arguments:',
  'Show help': 'show this help',
  'Show version number': 'show the version',
  array: 'values',
  boolean: 'flag',
  string: 'value',
};

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
    .updateStrings(STRINGS)
    .options(COMMON_OPTIONS)
    .strict()
    .version(version())
    .help()
    .alias('help', 'h')
    .wrap(80)
    .exitProcess(false);
}

function withCommon(program: Argv, more: readonly string[] = []): Argv {
  const names = [...Object.keys(COMMON_OPTIONS), 'help', ...more, 'version'];
  return program.group(names, 'Options of every command:');
}

function addCommand(
  program: Argv,
  { usage, summary, command }: Loaded,
  { argv, choose }: Circumstances,
): Argv {
  const { examples, positionals = {}, options } = command;
  const describe = (own: Argv) => {
    own.epilogue(`Examples:\n${examplesText(examples)}`);
    for (const [name, { type, describe: text, array = false, default: value }] of Object.entries(
      positionals,
    )) {
      own.positional(name, {
        type,
        describe: text,
        array,
        ...(value === undefined ? {} : { default: value }),
      });
    }
    for (const [name, option] of Object.entries(options)) own.option(name, { group: 'Options:', ...option });
    const rarer = Object.values(options).filter((option) => option.hidden === true).length;
    // Without --help there is nothing that --all could mean.
    if (rarer === 0 || !argv.some((word) => ['--help', '-h'].includes(word))) return withCommon(own);
    own.showHidden('all', `with --help: show ${rarer} rarer options too`);
    return withCommon(own, ['all']);
  };
  return program.command(usage, summary, describe, (values: Values) => choose({ command, values }));
}

/** What is wrong if an option with one value was given twice; null if none was. */
function givenTwice({ command: { options }, values }: Chosen): string | null {
  for (const [name, { array = false }] of Object.entries(options)) {
    const value = values[name];
    if (!array && Array.isArray(value)) return `--${name} was given more than once: ${value.join(', ')}`;
  }
  return null;
}

/** What is wrong if an option was negated that has no negation; null if none was. */
function negatedIn(argv: readonly string[], { command: { options } }: Chosen): string | null {
  const word = wronglyNegated(argv, options);
  return word === null ? null : `there is no option ${word}`;
}

interface Reading {
  readonly argv: readonly string[];
  readonly commands: readonly Listed[];
  readonly named: Loaded | null;
}

async function usageError(failure: string, { argv, commands, named }: Reading): Promise<PacksignError> {
  const mistake = mistakeIn(argv, { commands, named });
  const message = mistake?.message ?? plain(failure, named);
  const [family = ''] = argv.filter((word) => commands.some((command) => familyOf(command) === word));
  const words = named === null ? [family].filter((word) => word !== '') : wordsOf(named);
  const help = ['packsign', ...words, '--help'].join(' ');
  const texts = argv.filter((word) => /[\r\n]/.test(word));
  // A text of several lines was not mistyped, may be secret, and can be pasted nowhere: it is not repeated.
  if (texts.length > 0) return new PacksignError('USAGE', withoutTexts(message, texts), { hint: help });
  const hint = mistake?.corrected == null ? null : await hintFor(mistake.corrected, commands);
  return new PacksignError('USAGE', message, { hint: hint ?? help });
}

/** A message, or another one in its place if it repeats a line of these texts. The parser takes dashes away. */
function withoutTexts(message: string, texts: readonly string[]): string {
  const lines = texts.flatMap((text) => text.split(/[\r\n]+/)).map((line) => line.replace(/^-+/, ''));
  const isRepeated = /[\r\n]/.test(message) || lines.some((line) => line !== '' && message.includes(line));
  return isRepeated ? 'unexpected argument of several lines' : message;
}

/** The corrected command line if packsign takes it; else what is to be done about the rest of it. */
async function hintFor(argv: readonly string[], commands: readonly Listed[]): Promise<string | null> {
  try {
    await parse(argv, commands);
  } catch (error) {
    return error instanceof PacksignError ? error.hint : null;
  }
  return ['packsign', ...argv].map((word) => shown(word)).join(' ');
}

/** Messages of yargs, and what packsign says. */
const PLAIN: readonly (readonly [theirs: RegExp, ours: string])[] = [
  [/^Missing required argument: (.*)$/, '--$1 is missing'],
  [/^Not enough arguments following: (.*)$/, '--$1 needs a value'],
  [/^Unknown arguments?: (.*)$/, 'too many arguments: $1'],
];

/** What is wrong, in packsign's words. */
function plain(failure: string, named: Loaded | null): string {
  const [, got] = /^Not enough non-option arguments: got (\d+)/.exec(failure) ?? [];
  if (got === undefined) return PLAIN.reduce((text, [theirs, ours]) => text.replace(theirs, ours), failure);
  const [name = ''] = (named?.usage.match(/<[^>]*>/g) ?? []).slice(Number(got));
  const { describe = '' } = named?.command.positionals?.[name.replace(/\W/g, '')] ?? {};
  return `missing ${name}: ${describe}`;
}
