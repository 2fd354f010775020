import { gnupgNames, keptPackages, trustedNames } from '../index.js';
import { familyOf, namedIn, wordsOf } from './command.js';
import type { Command } from './command.js';
import { COMMANDS } from './commands/all.js';
import { spellings } from './mistake.js';
import type { Option, OptionTable, Positional, Takes } from './option.js';
import { COMMON_OPTIONS } from './options.js';
import { storeOf } from './remote.js';
import type { Outside } from './streams.js';
import { harmless } from './terminal.js';

/** What may stand in the place of the last word, and which files the shell itself adds. */
interface Offer {
  readonly words: readonly Offered[];
  readonly paths: 'none' | 'files' | 'folders' | 'keys';
}

type Offered = readonly [word: string, meaning: string];

const NOTHING: Offer = { words: [], paths: 'none' };

/**
 * The answer to a shell that completes the last of these words: a line that names the files which the shell adds, then a line
 * for each word, with its meaning behind a tab. Never throws, and only reads.
 */
export async function complete(words: readonly string[], outside: Outside): Promise<string> {
  const typed = words.at(-1) ?? '';
  const { words: offered, paths } = await offerFor(words, outside).catch(() => NOTHING);
  const fitting = new Map(offered.filter(([word]) => word.startsWith(typed) && isHarmless(word, typed)));
  const lines = Array.from(fitting, ([word, meaning]) => (meaning === '' ? word : `${word}\t${meaning}`));
  return [paths, ...lines, ''].join('\n');
}

/** A name from a database must neither reach the terminal as a control character, nor be taken for an option. */
function isHarmless(word: string, typed: string): boolean {
  return harmless(word) === word && (typed.startsWith('-') || !word.startsWith('-'));
}

async function offerFor(words: readonly string[], outside: Outside): Promise<Offer> {
  const before = words.slice(0, -1);
  const typed = words.at(-1) ?? '';
  const named = namedIn(before, COMMANDS);
  if (named === null) return offerCommands(before, typed);
  const command = await named.load();
  const options: OptionTable = { ...command.options, ...COMMON_OPTIONS };
  const { awaiting, count, isOver } = stateAfter(before.slice(wordsOf(named).length), options);
  const sources = { typed, before, outside };
  if (awaiting !== null) return await offerValues(awaiting, sources);
  if (isOver || !typed.startsWith('-')) return await offerValues(positionalAt(command, count), sources);
  const [, prefix = '', name = '', value] = /^(--([^=]*)=)(.*)$/s.exec(typed) ?? [];
  if (value === undefined) return { words: offerOptions(options, { typed, before }), paths: 'none' };
  const { words: values, paths } = await offerValues(options[name] ?? null, { ...sources, typed: value });
  return { words: values.map(([word, meaning]) => [prefix + word, meaning]), paths };
}

function offerCommands(before: readonly string[], typed: string): Offer {
  if (typed.startsWith('-')) return { words: offerOptions(COMMON_OPTIONS, { typed, before }), paths: 'none' };
  const fitting = COMMANDS.filter((command) =>
    before.every((word, index) => wordsOf(command)[index] === word),
  );
  const offered = fitting.map((command): Offered => {
    const words = wordsOf(command);
    const isFamily = words.length > before.length + 1;
    return [words[before.length] ?? '', isFamily ? `commands about ${familyOf(command)}s` : command.summary];
  });
  return { words: offered, paths: 'none' };
}

interface State {
  /** The option whose value is typed now. */
  readonly awaiting: Option | null;
  /** How many words were no options. */
  readonly count: number;
  /** Whether `--` has ended the options. */
  readonly isOver: boolean;
}

function stateAfter(words: readonly string[], options: OptionTable): State {
  let state: State = { awaiting: null, count: 0, isOver: false };
  for (const word of words) {
    const option = options[word.slice(2)];
    if (state.awaiting !== null) state = { ...state, awaiting: null };
    else if (state.isOver || !word.startsWith('-') || word === '-')
      state = { ...state, count: state.count + 1 };
    else if (word === '--') state = { ...state, isOver: true };
    else if (word.startsWith('--') && option?.type === 'string') state = { ...state, awaiting: option };
  }
  return state;
}

function positionalAt({ positionals = {} }: Command, index: number): Positional | null {
  const all = Object.values(positionals);
  const last = all.at(-1);
  return all[index] ?? (last?.array === true ? last : null);
}

/** As in the help, the rarer ones come only when somebody begins to type them. */
function offerOptions(
  options: OptionTable,
  { typed, before }: { readonly typed: string; readonly before: readonly string[] },
): readonly Offered[] {
  const isAny = typed.length > 2;
  const all: OptionTable = { ...options, help: { type: 'boolean', describe: 'show the help' } };
  return Object.entries(all)
    .filter(
      ([name, { hidden, array }]) =>
        (isAny || hidden !== true) && (array === true || !before.includes(`--${name}`)),
    )
    .flatMap(([name, option]) =>
      spellings([name, option]).map((one): Offered => {
        const isNegated = one !== name && option.negated === 'too';
        return [`--${one}`, isNegated ? `do not ${option.describe}` : option.describe];
      }),
    );
}

interface Sources {
  readonly typed: string;
  readonly before: readonly string[];
  readonly outside: Outside;
}

const PATHS: Readonly<Partial<Record<Takes, Offer['paths']>>> = {
  FILE: 'files',
  PATH: 'files',
  TARGET: 'files',
  FOLDER: 'folders',
  DESTINATION: 'folders',
  KEY: 'keys',
};

async function offerValues(accepted: Option | Positional | null, sources: Sources): Promise<Offer> {
  if (accepted === null) return NOTHING;
  const { takes = 'TEXT', choices = [] } = accepted;
  const names = takes === 'DATABASE' || takes === 'TARGET' ? databases(sources) : [];
  const packages = takes === 'PACKAGE' ? packagesFor(sources) : [];
  const words = [...choices, ...names, ...packages].map((word): Offered => [word, '']);
  // The word after a command that takes a key is a file nearly always.
  const isKey = takes === 'KEY' && 'requiresArg' in accepted && !/[\\/]/.test(sources.typed);
  const keys = isKey ? await gnupgNames(sources.outside.environment) : [];
  return { words: [...words, ...keys], paths: PATHS[takes] ?? 'none' };
}

/** Their names, or their addresses if that is what somebody types. */
function databases({ typed, outside }: Sources): readonly string[] {
  try {
    const entries = trustedNames(storeOf({}, outside));
    return entries.map(({ name, url }) => (typed.startsWith('http') ? url : name)).sort();
  } catch {
    // The files of the shell are still worth offering.
    return [];
  }
}

function packagesFor({ typed, before, outside }: Sources): readonly string[] {
  const from = before.findLast((_, index) => before[index - 1] === '--from') ?? null;
  const packages = keptPackages(storeOf({}, outside), from);
  return packages.map(([name, version]) => (typed.includes('=') ? `${name}==${version}` : name)).sort();
}
