import { statSync } from 'node:fs';
import { nearestOf } from '../index.js';
import type { Command, Listed } from './command.js';
import { familyOf, wordsOf } from './command.js';
import type { Option, OptionTable } from './option.js';
import { COMMON_OPTIONS } from './options.js';

/** A word that packsign does not know, and the command line with a known one in its place; null if none is much like it. */
export interface Mistake {
  readonly message: string;
  readonly corrected: readonly string[] | null;
}

interface Known {
  readonly commands: readonly Listed[];
  /** The command that was called; null if there is none of that name. */
  readonly named: (Listed & { readonly command: Command }) | null;
}

/** Finds the first unknown command, option or choice of a command line that was refused; null if there is none. */
export function mistakeIn(argv: readonly string[], { commands, named }: Known): Mistake | null {
  return named === null ? wrongCommand(argv, commands) : wrongOption(argv, named);
}

function wrongCommand(argv: readonly string[], commands: readonly Listed[]): Mistake | null {
  const at = argv.findIndex((word) => !word.startsWith('-'));
  const word = argv[at];
  if (word === undefined) return null;
  const family = commands.filter((command) => familyOf(command) === word);
  if (family.length === 0) return unknown(argv, { at, count: 1, to: meantBy(word, commands) });
  const second = argv[at + 1];
  // Without a second word the message of the parser says all.
  if (second === undefined || second.startsWith('-')) return null;
  const near = nearestOf(
    second,
    family.map((command) => wordsOf(command)[1] ?? ''),
  );
  return unknown(argv, { at, count: 2, to: near === null ? null : [word, near] });
}

/** The words of the command that somebody meant by one word. */
function meantBy(word: string, commands: readonly Listed[]): readonly string[] | null {
  // packsign dist
  if (statSync(word, { throwIfNoEntry: false })?.isDirectory() === true) return ['status', word];
  const near = nearestOf(word, commands.map(familyOf));
  if (near !== null) return [near];
  const [whole] = commands.filter((command) => wordsOf(command)[1] === word);
  return whole === undefined ? null : wordsOf(whole);
}

function unknown(
  argv: readonly string[],
  { at, count, to }: { readonly at: number; readonly count: number; readonly to: readonly string[] | null },
): Mistake {
  const message = `there is no command ${argv.slice(at, at + count).join(' ')}`;
  return { message, corrected: to === null ? null : argv.toSpliced(at, count, ...to) };
}

function wrongOption(argv: readonly string[], named: NonNullable<Known['named']>): Mistake | null {
  const options: OptionTable = { ...named.command.options, ...COMMON_OPTIONS, help: HELP, version: HELP };
  const words = wordsOf(named);
  for (let at = words.length; at < argv.length && argv[at] !== '--'; at += 1) {
    const [, typed = '', name = '', equals] = /^(--?([A-Za-z][\w-]*))(=.*)?$/s.exec(argv[at] ?? '') ?? [];
    if (name === '' || typed === '-h') continue;
    // A single dash is for letters, so yargs reads -key as -k -e -y.
    const option = typed.startsWith('--') ? (options[name] ?? negatedBy(name, options)) : undefined;
    if (option === undefined) {
      const near = nearestOf(name, Object.entries(options).flatMap(spellings));
      const message = `packsign ${words.join(' ')} has no option ${typed}`;
      // What somebody wanted to turn off is not turned on.
      const isOpposite = name === `no-${near}`;
      return {
        message,
        corrected: near === null || isOpposite ? null : argv.with(at, `--${near}${equals ?? ''}`),
      };
    }
    if (option.type === 'boolean') continue;
    if (equals === undefined) at += 1;
    const near = wrongChoice(option, equals?.slice(1) ?? argv[at]);
    if (near === null) continue;
    const choices = option.choices?.join(', ').replace(/, ([^,]*)$/, ' or $1');
    const message = `${typed} must be ${choices}, not "${equals?.slice(1) ?? argv[at]}"`;
    const text = equals === undefined ? near : `${typed}=${near}`;
    return { message, corrected: near === '' ? null : argv.with(at, text) };
  }
  return null;
}

/** The choice most like a value that is none, '' if there is none like it; null if nothing is wrong. */
function wrongChoice({ choices }: Option, value: string | undefined): string | null {
  if (choices === undefined || value === undefined || choices.includes(value)) return null;
  return nearestOf(value, choices) ?? '';
}

const UNSET = 'is empty: is a variable not set?';

/** What is wrong with a word that names nothing, as of a variable that is not set, or `-`; null if there is none. */
export function namelessIn(argv: readonly string[], named: NonNullable<Known['named']>): string | null {
  const options: OptionTable = { ...named.command.options, ...COMMON_OPTIONS };
  const mustName = (option: Option | undefined) => option?.takes !== undefined && option.takes !== 'TEXT';
  for (const [at, word] of argv.entries()) {
    const [, equalled = ''] = /^--([^=]+)=$/.exec(word) ?? [];
    if (mustName(options[equalled])) return `--${equalled} ${UNSET}`;
    if (word !== '' && word !== '-') continue;
    const name = /^--(.+)$/.exec(argv[at - 1] ?? '')?.[1] ?? '';
    const option = options[name];
    if (option?.requiresArg !== true)
      return word === '' ? `an argument ${UNSET}` : '- names no file or folder';
    if (word === '' && mustName(option)) return `--${name} ${UNSET}`;
  }
  return null;
}

/** The option that `--no-NAME` turns off; undefined if there is none. */
function negatedBy(name: string, options: OptionTable): Option | undefined {
  const option = name.startsWith('no-') ? options[name.slice(3)] : undefined;
  return option?.negated === undefined ? undefined : option;
}

/** The first option in a command line that has no negation, and is negated; null if there is none. The parser takes it for `false`. */
export function wronglyNegated(argv: readonly string[], own: OptionTable): string | null {
  const options: OptionTable = { ...own, ...COMMON_OPTIONS };
  const end = argv.indexOf('--');
  for (const word of argv.slice(0, end === -1 ? argv.length : end)) {
    const [, name = ''] = /^--(no-[^=]+)/.exec(word) ?? [];
    if (name !== '' && options[name] === undefined && negatedBy(name, options) === undefined) return word;
  }
  return null;
}

const HELP: Option = { type: 'boolean', describe: '' };

/** How people write an option, without the dashes. */
export function spellings([name, { negated }]: readonly [string, Option]): readonly string[] {
  if (negated === undefined) return [name];
  return negated === 'only' ? [`no-${name}`] : [name, `no-${name}`];
}
