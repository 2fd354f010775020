import { join } from 'node:path';
import { ABSENT, PacksignError, STATE_FOLDER, loadSettings, parseDuration, parseInstant } from '../index.js';
import type { Absent, InMemoryOptions, LeastPredecessor, Objects, Settings } from '../index.js';
import { choice, flag, maybe, onUntilRefused, positional, rare, repeated, single } from './option.js';
import type { Option, OptionTable } from './option.js';
import type { Outside } from './streams.js';

/** Options of every command. */
export const COMMON_OPTIONS: OptionTable = {
  json: flag('print one JSON object, for programs'),
  quiet: flag('print nothing but errors'),
  verbose: flag('show everything, and the codes of errors'),
  color: onUntilRefused('colours on a terminal; --no-color turns them off'),
};

/** The options that replace a setting, and its key in packsign.json. */
const SETTING_OPTIONS: Readonly<Record<string, readonly [key: keyof Settings, option: Option]>> = {
  maintainer: ['Maintainer', single('TEXT', 'name and address of the person responsible')],
  description: ['Description', single('TEXT', 'what the database is')],
  'base-url': ['Base-URL', single('ADDRESS', 'where the files can be fetched')],
  'database-url': ['Database', single('ADDRESS', 'where the database itself is published')],
  notify: ['Notify', single('ADDRESS', 'mailto: or https: address offered when a check fails')],
  mirrors: ['Mirrors', repeated('ADDRESS', 'another address of the same files')],
  validity: ['Validity', single('TIME', 'how long a database stays fresh, like "180 days", or none')],
  signers: ['Signers', repeated('FINGERPRINT', 'primary fingerprint of a signer')],
  threshold: ['Threshold', single('NUMBER', 'how many of them must sign')],
  'pack-man': ['PackMan', maybe('write MD5 sums for PackMan clients')],
  checksums: ['Checksums', maybe('write SHA256SUMS and SHA256SUMS.asc, for people without packsign')],
  settle: ['Settle', single('TIME', 'how long a file must stay unchanged before watch lists it')],
  absent: ['Absent', choice(ABSENT, 'what happens to listed files that are not here')],
  inspect: ['Inspect', choice(['whole', 'ends'], 'how much of a new file is checked for damage')],
  include: ['Include', repeated('GLOB', 'files to list, whatever their names are')],
  mutable: ['Mutable', repeated('GLOB', 'files whose bytes change by design, like latest.yml')],
  exclude: ['Exclude', repeated('GLOB', 'files to leave out')],
};

/** Options that several commands share. */
export const ALLOW_DAMAGED_OPTION = repeated('PATH', 'file to publish although it is damaged');
export const REHASH_OPTION = flag('read every file again, even if unchanged');
export const STATE_OPTION = single('FOLDER', 'folder of working state (default: DIRECTORY/.packsign)');
/** For commands that take the lock. */
export const WAIT_OPTION = single('TIME', 'how long to wait for another packsign here (default: 5s)');
export const PASSPHRASE_OPTION = single('FILE', 'file with the passphrase, - for standard input');
export const SIGNATURE_OPTION = single('FILE', 'the signature file, if it is not beside the database');
export const TRUST_CLOCK_OPTION = flag("trust this machine's clock despite evidence against it");

/** For a command that works in a directory. */
export const DIRECTORY = {
  directory: positional('FOLDER', 'directory of the files', { default: '.' }),
};

/** Where the database comes from that the next one continues. */
export const PREVIOUS_OPTIONS: OptionTable = {
  previous: single('FILE', 'file or address of the database to continue'),
  ...rare({
    adopt: single('FILE', 'file or address of another database to join to it'),
    'allow-stale': flag('let --previous continue an expired database'),
    'not-before': single('DATE', 'date or SHA-256 of the oldest database that --previous may be'),
  }),
};

/** What packsign.json says too, and the folder of working state. */
export const SETTINGS_OPTIONS: OptionTable = rare({
  ...Object.fromEntries(
    Object.entries(SETTING_OPTIONS).map(([name, [, option]]) => [
      name,
      { ...option, group: 'Settings, instead of those in packsign.json:' },
    ]),
  ),
  state: STATE_OPTION,
});

/** The keys that sign, and how they do. */
export const KEY_OPTIONS: OptionTable = {
  key: repeated('KEY', 'key file, GnuPG key or exec:COMMAND that signs'),
  'passphrase-file': PASSPHRASE_OPTION,
  ...rare({
    certificate: repeated('FILE', 'certificate of the key that an exec:COMMAND signs with'),
    wait: WAIT_OPTION,
    'signer-timeout': single('TIME', 'how long one signature may take (default: 5min)'),
    'trust-clock': TRUST_CLOCK_OPTION,
    deterministic: flag('leave the random salt out of signatures'),
    'allow-secret': repeated('PATH', 'file that may hold a secret, like a public test key'),
  }),
};

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
    throw new PacksignError('USAGE', '--not-before needs --previous: it sets how old that database may be');
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
export function life(describe: string): Option {
  return single('TIME', `${describe}: 2y, 180 days, none`, { default: '2y' });
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
  /** The files, if they lie in a bucket. */
  readonly objects?: Objects;
}

/** The directory that the user named, its packsign.json, and the options over it. With `isAwaited` it need not exist yet. */
export function placeOf(values: Values, { isAwaited = false }: { readonly isAwaited?: boolean } = {}): Place {
  const directory = textOf(values, 'directory') ?? '.';
  const settings = loadSettings(directory, settingsIn(values), { isAwaited });
  return { directory, settings, stateFolder: textOf(values, 'state') ?? join(directory, STATE_FOLDER) };
}

/** The settings that the user typed, under their names in packsign.json. */
export function settingsIn(values: Values): Readonly<Record<string, unknown>> {
  const given: Record<string, unknown> = {};
  for (const [name, [key]] of Object.entries(SETTING_OPTIONS)) {
    const value = name === 'threshold' ? (numberOf(values, name) ?? undefined) : values[name];
    if (value !== undefined) given[key] = value;
  }
  return given;
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
