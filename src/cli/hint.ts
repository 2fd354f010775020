import { isBucketAddress } from '../index.js';
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

/** Commands that make or sign a database, up to where another part of the hint begins. */
const RELEASING = /packsign (?:build|sign) DIRECTORY[^;,]*/g;
/** Options without which such a command would go on from another database, or judge absent files otherwise. */
const CARRIED = ['previous', 'adopt', 'absent'] as const;
/** What yargs calls the command that was typed, beside its options. */
const NAME = '$0';

/**
 * A hint with the words that the user typed, and with the options that its commands need as much as the one before.
 * Only the command line knows them, so the rest of packsign writes DIRECTORY, KEY and the like; they stay where nobody
 * knows better.
 */
export function hintFor(hint: string | null, typed: Typed): string | null {
  if (hint === null) return hint;
  const carried = hint.replace(RELEASING, (command) => withKey(command, typed) + optionsFor(command, typed));
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
  const keys = WITH_KEY.flatMap((name) => options(name, named[name]));
  // It shows files; a key of GnuPG is none.
  const [key] = [...wordsOf(named['key']), ...wordsOf(typed['file'])].filter((word) => /[\\/.]/.test(word));
  const [path] = wordsOf(typed['allow-changed']);
  const known: readonly (readonly [placeholder: RegExp, words: string | undefined])[] = [
    [KEY_OF_COMMAND, keys.length === 0 ? undefined : keys.join(' ')],
    [/--keys FILE\b/, options('keys', typed['keys'])[0]],
    [/(?<=packsign key show )KEY\b/, key === undefined ? key : shown(key)],
    [/(?<=--allow-changed )PATH\b/, path === undefined ? path : shown(path)],
  ];
  return known.reduce(
    (text, [placeholder, words]) => (words === undefined ? text : text.replace(placeholder, () => words)),
    hint,
  );
}

function options(name: string, value: unknown): readonly string[] {
  return wordsOf(value).map((word) => `--${name} ${shown(word)}`);
}

function wordsOf(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).filter((one) => typeof one === 'string');
}

/** After a build that was to sign, the next one is to sign too. */
function signingOptions(command: string, typed: Typed): string {
  const signs = wordsOf(typed['key']).length > 0 || typed['sign'] === true;
  if (
    !signs ||
    typed[NAME] !== 'packsign build' ||
    !command.startsWith('packsign build') ||
    /--(?:key|sign|no-sign)\b/.test(command)
  )
    return '';
  const keys = WITH_KEY.flatMap((name) => options(name, typed[name]));
  return [...keys, ...(typed['sign'] === true ? ['--sign'] : [])].map((word) => ` ${word}`).join('');
}

function optionsFor(command: string, typed: Typed): string {
  return (
    signingOptions(command, typed) +
    CARRIED.map((name) => {
      const value = typed[name];
      const isMissing = typeof value === 'string' && !command.includes(`--${name} `);
      return isMissing ? ` --${name} ${shown(value)}` : '';
    }).join('')
  );
}
