import { join } from 'node:path';
import type { Argv, Options } from 'yargs';
import { ABSENT, PacksignError, STATE_FOLDER, loadSettings, parseDuration, parseInstant } from '../index.js';
import type { Absent, InMemoryOptions, LeastPredecessor, Settings } from '../index.js';
import type { Outside } from './streams.js';

/** Options of every command. */
export const COMMON_OPTIONS: Readonly<Record<string, Options>> = {
  json: flag('print one JSON object'),
  quiet: flag('print nothing but errors'),
  verbose: flag('show error codes and more'),
  color: flag('use colours on a terminal', true),
};

/** The options that replace a setting, and its key in packsign.json. */
const SETTING_OPTIONS: Readonly<Record<string, readonly [key: keyof Settings, option: Options]>> = {
  maintainer: ['Maintainer', single('name and address of the person responsible')],
  description: ['Description', single('what the database is')],
  'base-url': ['Base-URL', single('where the files can be fetched')],
  'database-url': ['Database', single('where the database itself is published')],
  notify: ['Notify', single('mailto: or https: address offered when a check fails')],
  mirrors: ['Mirrors', repeated('other addresses of the same files')],
  validity: ['Validity', single('how long a database stays fresh: "180 days", "none"')],
  signers: ['Signers', repeated('primary fingerprint of somebody who signs')],
  threshold: ['Threshold', single('how many of them must sign')],
  'pack-man': ['PackMan', maybe('write MD5 sums for PackMan clients')],
  checksums: ['Checksums', maybe('write SHA256SUMS and SHA256SUMS.asc, for people without packsign')],
  settle: ['Settle', single('how long a file must stay unchanged before watch lists it')],
  absent: ['Absent', single('listed files that are not here: ask before most of them go, withdraw, or keep')],
  inspect: ['Inspect', single('how far new files are looked through for damage: whole, ends')],
  include: ['Include', repeated('glob of files to list, whatever their names are')],
  mutable: ['Mutable', repeated('glob of files that get other bytes by design, as latest.yml does')],
  exclude: ['Exclude', repeated('glob of files to leave out')],
};

/** Options that several commands share. */
export const ALLOW_DAMAGED_OPTION = repeated('file to publish although it is damaged');
export const REHASH_OPTION = flag('read every file, whatever the cache says');
export const STATE_OPTION = single('folder of working state (default: DIRECTORY/.packsign)');
/** For commands that take the lock. */
export const WAIT_OPTION = single(
  'how long to wait for another packsign at work here (default: 5s; 0: not at all)',
);
export const PASSPHRASE_OPTION = single('file with the passphrase, - for standard input');
export const SIGNATURE_OPTION = single('the signature file, if it is not beside the database');

/** `--previous`, and what it must be at least. */
export function withPrevious(yargs: Argv): Argv {
  return yargs
    .option('previous', single('file or address of the published packages.plist, if it is not here'))
    .option('adopt', single('file or address of a second database to join with the one before'))
    .option('allow-stale', flag('build upon a database of --previous that has expired'))
    .option('not-before', single('date or SHA-256 of the oldest database that --previous may be'));
}

/** An option that is on or off. */
export function flag(describe: string, isOn = false): Options {
  return { type: 'boolean', default: isOn, describe };
}

/** An option that is on, off, or neither. */
export function maybe(describe: string): Options {
  return { type: 'boolean', describe };
}

/** An option with one value. Given twice, it is an error and no array. */
export function single(describe: string, more: Options = {}): Options {
  return { ...more, type: 'string', describe, requiresArg: true, coerce: refuseTwice };
}

/** An option that may be given several times. */
export function repeated(describe: string): Options {
  return { type: 'string', array: true, describe, requiresArg: true };
}

function refuseTwice(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const values = value.map(String).join(', ');
  throw new PacksignError('USAGE', `an option that takes one value was given twice: ${values}`);
}

export function withDirectory(yargs: Argv): Argv {
  return yargs.positional('directory', { type: 'string', default: '.', describe: 'directory of the files' });
}

export function withSettings(yargs: Argv): Argv {
  const options = Object.entries(SETTING_OPTIONS).map(([name, [, option]]) => [name, option] as const);
  return yargs
    .options(Object.fromEntries(options))
    .group(Object.keys(SETTING_OPTIONS), 'Settings, as in packsign.json:')
    .option('state', STATE_OPTION);
}

export const TRUST_CLOCK_OPTION = flag('take the clock of this machine as right, whatever speaks against it');

export function withKeys(yargs: Argv): Argv {
  return yargs
    .option('key', repeated('who signs: a key file, a GnuPG key, exec:COMMAND'))
    .option('certificate', repeated('certificate of the key that an exec:COMMAND signs with'))
    .option('wait', WAIT_OPTION)
    .option('signer-timeout', single('how long one signature may take (default: 5 min)'))
    .option('passphrase-file', PASSPHRASE_OPTION)
    .option('trust-clock', TRUST_CLOCK_OPTION)
    .option('deterministic', flag('leave out the random salt of signatures'))
    .option('allow-secret', repeated('file that may hold a secret: a published key for tests'));
}

/** The options of a command line by name, as yargs reads them. */
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

/** What the user typed about listed files that are not here; null if nothing. `placeOf` has checked it. */
export function absentOf(values: Values): Absent | null {
  return ABSENT.find((one) => one === values['absent']) ?? null;
}

/** The database to build upon, and what is absent from it, as `withPrevious` and `withSettings` let users say it. */
export function predecessorOf(
  values: Values,
): LeastPredecessor & Pick<InMemoryOptions, 'previous' | 'adopt' | 'absent'> {
  return {
    previous: textOf(values, 'previous'),
    adopt: textOf(values, 'adopt'),
    absent: absentOf(values),
    ...leastOf(values),
  };
}

/** What `--previous` must be at least. Throws USAGE. */
function leastOf(values: Values): LeastPredecessor {
  const text = textOf(values, 'not-before');
  const allowStale = isSet(values, 'allow-stale');
  if (text === null) return { allowStale, notBefore: null };
  if (textOf(values, 'previous') === null) {
    throw new PacksignError('USAGE', '--not-before is about the database of --previous, which is missing');
  }
  const sha256 = text.toLowerCase();
  if (/^[0-9a-f]{64}$/.test(sha256)) return { allowStale, notBefore: sha256 };
  const notBefore = parseInstant(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);
  if (notBefore !== null) return { allowStale, notBefore };
  const wanted = 'a date like 2026-11-22T14:05:09Z, or the SHA-256 of a packages.plist';
  throw new PacksignError('USAGE', `--not-before must be ${wanted}, not "${text}"`);
}

/** A whole number of at least 1; null without the option. Throws USAGE. */
export function numberOf(values: Values, name: string): number | null {
  const value = textOf(values, name);
  if (value === null) return null;
  if (/^[1-9]\d{0,8}$/.test(value)) return Number(value);
  throw new PacksignError('USAGE', `--${name} must be a whole number, 1 or more, not "${value}"`);
}

/** The port to listen at; 0, which means any, without the option. Throws USAGE. */
export function portOf(values: Values): number {
  const port = numberOf(values, 'port') ?? 0;
  if (port <= 65535) return port;
  throw new PacksignError('USAGE', `--port must be a number up to 65535, not ${port}`);
}

export interface TimeOption {
  readonly name: string;
  /** For the message. */
  readonly example: string;
  readonly limitSeconds?: number;
}

/** Seconds, from the text of an option that takes a time. Throws USAGE. */
export function secondsOf(text: string, { name, example, limitSeconds = Infinity }: TimeOption): number {
  const seconds = parseDuration(text);
  if (seconds !== null && seconds < limitSeconds) return seconds;
  throw new PacksignError('USAGE', `--${name} must be a time like ${example}, not "${text}"`);
}

/** An option that takes the life of a key. */
export function life(describe: string): Options {
  return single(`${describe}: 2y, 180 days, none`, { default: '2y' });
}

/** The life of a key in whole seconds; null for one that never ends. Throws USAGE. */
export function lifeOf(values: Values, name: string): number | null {
  const text = textOf(values, name) ?? '';
  if (text === 'none' || text === 'never') return null;
  return Math.round(secondsOf(text, { name, example: '2y or 180 days' }));
}

/** How long to wait for a signature, in milliseconds. Throws USAGE. */
export function signerTimeoutOf(values: Values): number {
  const text = textOf(values, 'signer-timeout') ?? '5min';
  // A timer cannot wait any longer.
  const limitSeconds = 2_000_000;
  return secondsOf(text, { name: 'signer-timeout', example: '30s or 5min', limitSeconds }) * 1000;
}

/** How long to wait for the lock, in milliseconds; undefined without the option. Throws USAGE. */
export function waitOf(values: Values): number | undefined {
  const text = textOf(values, 'wait');
  if (text === null) return undefined;
  if (/^0s?$/.test(text)) return 0;
  return secondsOf(text, { name: 'wait', example: '30s or 5min', limitSeconds: 2_000_000 }) * 1000;
}

/** Where a command works, and with which settings. */
export interface Place {
  readonly directory: string;
  readonly settings: Settings;
  readonly stateFolder: string;
}

/** The directory that the user named, its packsign.json, and the options over it. With `isAwaited` it need not exist yet. */
export function placeOf(values: Values, { isAwaited = false }: { readonly isAwaited?: boolean } = {}): Place {
  const directory = textOf(values, 'directory') ?? '.';
  const given: Record<string, unknown> = {};
  for (const [name, [key]] of Object.entries(SETTING_OPTIONS)) {
    const value = name === 'threshold' ? (numberOf(values, name) ?? undefined) : values[name];
    if (value !== undefined) given[key] = value;
  }
  const settings = loadSettings(directory, given, { isAwaited });
  return { directory, settings, stateFolder: textOf(values, 'state') ?? join(directory, STATE_FOLDER) };
}

/** The keys that sign, and what names them. */
export interface NamedKeys {
  readonly by: '--key' | 'PACKSIGN_KEY' | 'Key';
  readonly keys: readonly string[];
}

/** `--key`, else PACKSIGN_KEY, else the setting; null if none of them names a key. */
export function keysOf(
  values: Values,
  { settings, outside }: { settings: Settings; outside: Outside },
): NamedKeys | null {
  const typed = listOf(values, 'key');
  if (typed.length > 0) return { by: '--key', keys: typed };
  const fromEnvironment = outside.environment['PACKSIGN_KEY'] ?? '';
  if (fromEnvironment !== '') return { by: 'PACKSIGN_KEY', keys: [fromEnvironment] };
  const { Key: keys = [] } = settings;
  return keys.length === 0 ? null : { by: 'Key', keys };
}

/** Whether the date of what is written is from the user, and not from the clock. */
export function isDateGiven({ environment }: Outside): boolean {
  return (environment['SOURCE_DATE_EPOCH'] ?? '') !== '';
}

/** *Now* as `build` and `sign` write it: SOURCE_DATE_EPOCH if it is set. Throws USAGE. */
export function nowFor(outside: Outside): Date {
  const epoch = outside.environment['SOURCE_DATE_EPOCH'] ?? '';
  if (epoch === '') return outside.clock();
  const seconds = Number(epoch);
  if (/^\d+$/.test(epoch) && seconds <= 253_402_300_799) return new Date(seconds * 1000);
  throw new PacksignError('USAGE', `SOURCE_DATE_EPOCH is not a number of seconds: "${epoch}"`);
}
