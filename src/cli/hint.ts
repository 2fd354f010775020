import { isBucketAddress } from '../index.js';
import { BUILD_OPTIONS, PREVIEW_OPTIONS, SIGN_OPTIONS, SPLIT_OPTIONS } from './option-tables.js';
import type { Option, OptionTable } from './option.js';
import type { Outside } from './streams.js';
import { shown } from './terminal.js';

/** What the user typed: options by name. `signsWith`: keys that the settings or the environment name. */
export type Typed = Readonly<Record<string, unknown>> & { readonly signsWith?: readonly string[] };

/** What the user typed, and the keys that sign without being typed. */
export async function knownOf(values: Typed, outside: Outside): Promise<Typed> {
  if (typeof values['directory'] !== 'string') return values;
  try {
    const { keysOf, placeOf } = await import('./options.js');
    const named = keysOf(values, { settings: placeOf(values).settings, outside });
    // PACKSIGN_KEY may hold a key itself.
    return named === null ? values : { ...values, signsWith: named.by === 'Key' ? named.keys : [] };
  } catch {
    return values;
  }
}

/** The options of commands that look at a directory, make its database or sign it. */
const TABLES: ReadonlyMap<string, OptionTable> = new Map([
  ['build', BUILD_OPTIONS],
  ['sign', SIGN_OPTIONS],
  ['diff', PREVIEW_OPTIONS],
  ['lint', PREVIEW_OPTIONS],
  ['status', PREVIEW_OPTIONS],
  ['split', SPLIT_OPTIONS],
]);
/** A word of the shell; a comma at its end is one of the sentence. */
const WORD = String.raw`(?:'[^']*'|"[^"]*"|\\'|[^\s;,'"]|,(?=\S))+`;
/** Such a command in a hint, with its options. */
const COMMAND = new RegExp(
  `packsign (${[...TABLES.keys()].join('|')}) DIRECTORY(?: --[a-z-]+(?: (?!--)${WORD})?)*`,
  'g',
);
/** What says how a run goes, and not what is listed, signed or published. */
const OF_ONE_RUN = [
  ...['check', 'strict', 'rehash', 'wait', 'settle'],
  ...['concurrency', 'queue', 'double-check'],
];
/** What begins a history: not where the hint names the database to continue. */
const BEGINNING = ['first', 'import'];
/** What yargs calls the command that was typed, beside its options. */
const NAME = '$0';

/**
 * A hint with the words that the user typed. Its commands get the options that were typed and that they take: without
 * these they would list, sign or publish something else.
 * Only the command line knows them, so the rest of packsign writes DIRECTORY, KEY and the like; they stay where nobody
 * knows better.
 */
export function hintFor(hint: string | null, typed: Typed): string | null {
  if (hint === null) return hint;
  const carried = hint.replace(COMMAND, (shownOne, name: string) => {
    const command = withKey(shownOne, typed);
    return [
      command,
      ...keyOptions(command, typed),
      ...optionsFor(command, TABLES.get(name) ?? {}, typed),
    ].join(' ');
  });
  const named = withPaths(carried, typed);
  const directory = directoryOf(typed);
  if (directory === null) return named;
  return directory === '.'
    ? named.replaceAll(' DIRECTORY', '')
    : named.replaceAll('DIRECTORY', () => directory);
}

/** What was typed, about a directory; for the files of a bucket it stays as it was typed. */
export function typedIn(typed: Typed, directory: string): Typed {
  return isBucket(typed['directory']) ? typed : { ...typed, directory };
}

function isBucket(word: unknown): boolean {
  return typeof word === 'string' && isBucketAddress(word);
}

/** The directory of a command, also of one that takes other targets too, as a word of the command line. */
function directoryOf({ directory, targets, target, state }: Typed): string | null {
  const [only, ...more] = wordsOf(targets);
  const named = [directory, target, more.length === 0 ? only : null].find((one) => typeof one === 'string');
  if (named !== undefined && isBucket(named)) return [shown(named), ...options('state', state)].join(' ');
  return named === undefined || /:\/\/|\.plist$/i.test(named) ? null : shown(named);
}

/** Where the settings or the environment name the key, the command needs no other word for it. */
function withKey(command: string, typed: Typed): string {
  if (typed.signsWith === undefined || wordsOf(typed['key']).length > 0) return command;
  return command.startsWith('packsign build')
    ? command.replace(KEY_WORD, '--sign')
    : command.replace(new RegExp(` ${KEY_WORD.source}`), '');
}

/** A key needs them as much as its own name. */
const WITH_KEY = ['key', 'certificate', 'passphrase-file'] as const;
const KEY_WORD = /--key (?:FILE|KEY)\b/;
/** Not where a hint asks for another key than the one that was typed. */
const KEY_OF_COMMAND = new RegExp(`(?<=packsign [^;,]*)${KEY_WORD.source}`);

function withPaths(hint: string, typed: Typed): string {
  const named: Typed = wordsOf(typed['key']).length > 0 ? typed : { key: typed.signsWith };
  const keys = WITH_KEY.flatMap((name) => keyWords(name, named));
  // It shows files; a key of GnuPG is none.
  const [key] = [...wordsOf(named['key']), ...wordsOf(typed['file'])].filter((word) => /[\\/.]/.test(word));
  const known: readonly (readonly [placeholder: RegExp, words: string | undefined])[] = [
    [KEY_OF_COMMAND, keys.length === 0 ? undefined : keys.join(' ')],
    [/--keys FILE\b/, options('keys', typed['keys'])[0]],
    [/(?<=packsign key show )KEY\b/, key === undefined ? key : shown(key)],
  ];
  return known.reduce(
    (text, [placeholder, words]) => (words === undefined ? text : text.replace(placeholder, () => words)),
    hint,
  );
}

function options(name: string, value: unknown): readonly string[] {
  return wordsOf(value).map((word) => `--${name}${word.startsWith('-') ? '=' : ' '}${shown(word)}`);
}

function wordsOf(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).filter((one) => typeof one === 'string');
}

/** What was read from standard input is not there a second time. */
function keyWords(name: (typeof WITH_KEY)[number], typed: Typed): readonly string[] {
  return options(
    name,
    wordsOf(typed[name]).filter((word) => word !== '-'),
  );
}

/** What a key needs, and the key itself if a build follows one: after one that was to sign, it is to sign too. */
function keyOptions(command: string, typed: Typed): readonly string[] {
  if (KEY_WORD.test(command)) return [];
  const [key, ...others] = WITH_KEY.map((name) => keyWords(name, typed));
  if (command.startsWith('packsign sign') || / --sign\b/.test(command)) return others.flat();
  if (typed[NAME] !== 'packsign build' || !command.startsWith('packsign build')) return [];
  if (/ --(?:key|no-sign)\b/.test(command)) return [];
  return [...(key ?? []), ...others.flat(), ...optionWords('sign', BUILD_OPTIONS['sign'], typed['sign'])];
}

/** The other options that were typed, in the order of the table, but for what the command itself says. */
function optionsFor(command: string, table: OptionTable, typed: Typed): readonly string[] {
  const others = [...OF_ONE_RUN, ...WITH_KEY, 'sign'];
  if (command.includes(' --previous ')) others.push(...BEGINNING);
  // For a bucket, the address already brings --state along.
  if (isBucket(typed['directory'])) others.push('state');
  return Object.entries(table).flatMap(([name, option]) => {
    if (others.includes(name)) return [];
    const words = optionWords(name, option, typed[name]);
    const says = (text: string) => `${command} `.includes(` ${text} `);
    if (option.array === true) return words.filter((word) => !says(word));
    const value = typed[name];
    const isThere =
      says(`--${name}`) || says(`--no-${name}`) || (typeof value === 'string' && says(shown(value)));
    return isThere ? [] : words;
  });
}

/** An option as it was typed. */
function optionWords(name: string, option: Option | undefined, value: unknown): readonly string[] {
  if (option?.type !== 'boolean') return options(name, value);
  if (value === true) return [`--${name}`];
  return value === false && option.negated !== undefined ? [`--no-${name}`] : [];
}
