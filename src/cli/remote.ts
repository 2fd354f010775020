import type { Argv } from 'yargs';
import { DIRECT_NETWORK, PacksignError, parseDuration } from '../index.js';
import type { NetworkOptions, PinOptions, TrustPlace, TrustStore } from '../index.js';
import { cacheFolder, trustFolder } from './folders.js';
import { listOf, numberOf, repeated, single, textOf } from './options.js';
import type { Values } from './options.js';
import type { Outside } from './streams.js';

/** Keys for once, for every command that decides on a database. */
export function withPins<T>(yargs: Argv<T>): Argv<T> {
  return yargs
    .option('keys', single('file of certificates; all keys in it are pinned'))
    .option('fingerprint', repeated('primary fingerprint to insist on'))
    .option('threshold', single('how many pinned keys must have signed (default: 1)'));
}

/** Where trust is looked up, and how patient we are. */
export function withNetwork<T>(yargs: Argv<T>): Argv<T> {
  return yargs
    .option('trust', single('file made by packsign trust export, in place of what you trust'))
    .option('timeout', single('how long a server may be silent or slow (default: 30s)'));
}

/** What makes people accept what is not authentic. */
export function withTolerance<T>(yargs: Argv<T>): Argv<T> {
  return yargs
    .option('allow-stale', { type: 'boolean', default: false, describe: 'accept an expired database' })
    .option('allow-unauthenticated', {
      type: 'boolean',
      default: false,
      describe: 'accept a database that is nobody’s',
    });
}

/** A database wherever it is, what to hold it to, and what to put up with. */
export function withTarget(yargs: Argv): Argv {
  const target = yargs.positional('target', {
    type: 'string',
    default: '.',
    describe: 'directory, database file, address, or name of a trusted database',
  });
  return withTolerance(withNetwork(withPins(target)));
}

export function pinsOf(values: Values): PinOptions {
  return {
    keysFile: textOf(values, 'keys'),
    fingerprints: listOf(values, 'fingerprint').map(parseFingerprint),
    threshold: numberOf(values, 'threshold'),
  };
}

export function storeOf(outside: Outside): TrustStore {
  return { kind: 'store', folder: trustFolder(outside), cacheFolder: cacheFolder(outside) };
}

export function placeOfTrust(values: Values, outside: Outside): TrustPlace {
  const file = textOf(values, 'trust');
  return file === null ? storeOf(outside) : { kind: 'bundle', file };
}

export function networkOf(values: Values, { environment }: Outside): NetworkOptions {
  const timeout = textOf(values, 'timeout');
  const seconds = timeout === null ? null : parseDuration(timeout);
  if (timeout !== null && seconds === null) {
    throw new PacksignError('USAGE', `--timeout wants a time like 30s, not "${timeout}"`);
  }
  return {
    ...DIRECT_NETWORK,
    proxies: {
      // In capitals only for https: a web server sets HTTP_PROXY from what its visitors send.
      http: environment['http_proxy'] ?? '',
      https: environment['https_proxy'] ?? environment['HTTPS_PROXY'] ?? '',
      all: environment['all_proxy'] ?? environment['ALL_PROXY'] ?? '',
      none: environment['no_proxy'] ?? environment['NO_PROXY'] ?? '',
    },
    ...(seconds === null ? {} : { patienceMs: Math.ceil(seconds * 1000) }),
  };
}

export function parseFingerprint(text: string): string {
  const digits = text
    .replace(/[\s:]+/g, '')
    .replace(/^0x/i, '')
    .toUpperCase();
  if (/^[0-9A-F]{40}$/.test(digits)) return digits;
  throw new PacksignError('USAGE', `"${text}" is not a full fingerprint`, {
    hint: 'a fingerprint has 40 hex digits; shorter key numbers can be forged',
  });
}
