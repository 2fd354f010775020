import { join } from 'node:path';
import type { Argv, Options } from 'yargs';
import { PacksignError, STATE_FOLDER, loadSettings, parseDuration } from '../index.js';
import type { Settings } from '../index.js';
import type { Outside } from './streams.js';

/** Options of every command. */
export const COMMON_OPTIONS = {
  json: { type: 'boolean', default: false, describe: 'print one JSON object' },
  quiet: { type: 'boolean', default: false, describe: 'print nothing but errors' },
  verbose: { type: 'boolean', default: false, describe: 'show error codes and more' },
  color: { type: 'boolean', default: true, describe: 'use colours on a terminal' },
} as const satisfies Readonly<Record<string, Options>>;

/** Every setting of packsign.json that an option can give, and how it is called there. */
const SETTING_OPTIONS = {
  maintainer: { key: 'Maintainer', option: single('name and address of the person responsible') },
  description: { key: 'Description', option: single('what the database is') },
  'base-url': { key: 'Base-URL', option: single('where the files can be fetched') },
  'database-url': { key: 'Database', option: single('where the database itself is published') },
  notify: { key: 'Notify', option: single('mailto: or https: address offered when a check fails') },
  mirrors: { key: 'Mirrors', option: repeated('other addresses of the same files') },
  validity: { key: 'Validity', option: single('how long a database stays fresh: "180 days", "none"') },
  signers: { key: 'Signers', option: repeated('primary fingerprint of somebody who signs') },
  threshold: { key: 'Threshold', option: single('how many of them must sign') },
  'pack-man': { key: 'PackMan', option: { type: 'boolean', describe: 'write MD5 sums for PackMan clients' } },
  settle: { key: 'Settle', option: single('how long a file must lie still before watch lists it') },
  exclude: { key: 'Exclude', option: repeated('glob of files to leave out') },
} as const satisfies Readonly<Record<string, { key: keyof Settings; option: Options }>>;

/** An option with one value: given twice it is an error, not an array. */
export function single(describe: string, more: Options = {}): Options & { type: 'string' } {
  return { ...more, type: 'string', describe, requiresArg: true, coerce: refuseTwice };
}

/** An option that may be given several times. */
export function repeated(describe: string): Options & { type: 'string'; array: true } {
  return { type: 'string', array: true, describe, requiresArg: true };
}

function refuseTwice(value: unknown): unknown {
  if (Array.isArray(value)) {
    throw new PacksignError(
      'USAGE',
      `an option that takes one value was given twice: ${value.map(String).join(', ')}`,
    );
  }
  return value;
}

export function withDirectory<T>(yargs: Argv<T>): Argv<T & { directory: string }> {
  return yargs.positional('directory', {
    type: 'string',
    default: '.',
    describe: 'directory of the archives',
  });
}

export function withSettings<T>(yargs: Argv<T>): Argv<T> {
  const options = Object.fromEntries(
    Object.entries(SETTING_OPTIONS).map(([name, { option }]) => [name, option]),
  );
  return yargs
    .options(options)
    .group(Object.keys(options), 'Settings, as in packsign.json:')
    .option('state', single('folder of working state (default: DIRECTORY/.packsign)')) as unknown as Argv<T>;
}

export function withKeys<T>(yargs: Argv<T>): Argv<T> {
  return yargs
    .option('key', repeated('who signs: a key file, a GnuPG key, exec:COMMAND'))
    .option('certificate', repeated('certificate of the key that an exec:COMMAND signs with'))
    .option('signer-timeout', single('how long one signature may take (default: 5 min)'))
    .option('passphrase-file', single('file with the passphrase, - for standard input'))
    .option('deterministic', {
      type: 'boolean',
      default: false,
      describe: 'leave out the random salt of signatures',
    })
    .option('allow-removed', {
      type: 'boolean',
      default: false,
      describe: 'publish although most files are gone (ten or more), or all',
    });
}

/** What an action gets: values by option name, as yargs leaves them. */
export type Values = Readonly<Record<string, unknown>>;

export function textOf(values: Values, name: string): string | null {
  const value = values[name];
  return typeof value === 'string' ? value : null;
}

export function listOf(values: Values, name: string): readonly string[] {
  const value = values[name];
  return Array.isArray(value) ? value.map(String) : [];
}

export function isSet(values: Values, name: string): boolean {
  return values[name] === true;
}

/** A whole number of at least 1; null where the option is not given. Throws USAGE. */
export function numberOf(values: Values, name: string): number | null {
  const value = textOf(values, name);
  if (value === null) return null;
  if (!/^[1-9]\d{0,8}$/.test(value))
    throw new PacksignError('USAGE', `--${name} wants a whole number, 1 or more, not "${value}"`);
  return Number(value);
}

/** The port to listen at; 0, any, where the option is not given. Throws USAGE. */
export function portOf(values: Values): number {
  const port = numberOf(values, 'port') ?? 0;
  if (port <= 65535) return port;
  throw new PacksignError('USAGE', `--port wants a number up to 65535, not ${port}`);
}

/** Where a command works, and with which settings. */
export interface Place {
  readonly directory: string;
  readonly settings: Settings;
  readonly stateFolder: string;
}

/** The directory that was named, its packsign.json, and the options over it. `isAwaited`: it may come later. */
export function placeOf(values: Values, { isAwaited = false }: { readonly isAwaited?: boolean } = {}): Place {
  const directory = textOf(values, 'directory') ?? '.';
  const given: Record<string, unknown> = {};
  for (const [name, { key }] of Object.entries(SETTING_OPTIONS)) {
    const value = name === 'threshold' ? (numberOf(values, name) ?? undefined) : values[name];
    if (value !== undefined) given[key] = value;
  }
  const settings = loadSettings(directory, given, { isAwaited });
  return { directory, settings, stateFolder: textOf(values, 'state') ?? join(directory, STATE_FOLDER) };
}

/** The keys that sign: `--key`, else PACKSIGN_KEY, else the setting. */
export function keysOf(
  values: Values,
  { settings, outside }: { settings: Settings; outside: Outside },
): readonly string[] {
  const named = listOf(values, 'key');
  if (named.length > 0) return named;
  const fromEnvironment = outside.environment['PACKSIGN_KEY'] ?? '';
  return fromEnvironment === '' ? (settings.Key ?? []) : [fromEnvironment];
}

export function isCommand(key: string): boolean {
  return key.startsWith('exec:');
}

const DEFAULT_SIGNER_TIMEOUT = '5min';

/** Milliseconds. Throws USAGE. */
export function signerTimeoutOf(values: Values): number {
  const text = textOf(values, 'signer-timeout') ?? DEFAULT_SIGNER_TIMEOUT;
  const seconds = parseDuration(text);
  // Longer than that a timer cannot wait.
  if (seconds !== null && seconds < 2_000_000) return seconds * 1000;
  throw new PacksignError('USAGE', `--signer-timeout wants a time like 30s or 5min, not "${text}"`);
}

/** *Now* as `build` and `sign` write it: SOURCE_DATE_EPOCH where that is set. Throws USAGE. */
export function nowFor(outside: Outside): Date {
  const epoch = outside.environment['SOURCE_DATE_EPOCH'] ?? '';
  if (epoch === '') return outside.clock();
  const seconds = Number(epoch);
  if (/^\d+$/.test(epoch) && seconds <= 253_402_300_799) return new Date(seconds * 1000);
  throw new PacksignError('USAGE', `SOURCE_DATE_EPOCH is not a number of seconds: "${epoch}"`);
}
