import type { Argv } from 'yargs';
import type { PinOptions, Tolerance, TrustPlace, TrustStore } from '../index.js';
import { cacheFolder, trustFolder } from './folders.js';
import { flag, isSet, listOf, numberOf, repeated, single, textOf, waitOf } from './options.js';
import type { Values } from './options.js';
import type { Outside } from './streams.js';

export const TIMEOUT_OPTION = single('how long a server may be silent or slow (default: 30s)');

/** Options of every command that decides whether a database is authentic. */
export function withTrust(yargs: Argv): Argv {
  return yargs
    .option('keys', single('file of certificates; all keys in it are pinned'))
    .option('fingerprint', repeated('primary fingerprint to insist on'))
    .option('threshold', single('how many pinned keys must have signed (default: 1)'))
    .option('trust', single('file made by packsign trust export, in place of what you trust'))
    .option('timeout', TIMEOUT_OPTION)
    .option('allow-stale', flag('accept an expired database'))
    .option('allow-unauthenticated', flag('accept a database not signed by a key that you trust'));
}

/** The same for a command that takes one database, wherever it is. */
export function withTarget(yargs: Argv): Argv {
  const describe = 'directory, database file, address, or name of a trusted database';
  return withTrust(yargs.positional('target', { type: 'string', default: '.', describe }));
}

export function pinsOf(values: Values): PinOptions {
  return {
    keysFile: textOf(values, 'keys'),
    fingerprints: listOf(values, 'fingerprint'),
    threshold: numberOf(values, 'threshold'),
  };
}

export function toleranceOf(values: Values): Required<Tolerance> {
  return {
    strict: isSet(values, 'strict'),
    allowStale: isSet(values, 'allow-stale'),
    allowUnauthenticated: isSet(values, 'allow-unauthenticated'),
  };
}

export function storeOf(values: Values, outside: Outside): TrustStore {
  const waitMs = waitOf(values);
  const store = { kind: 'store', folder: trustFolder(outside), cacheFolder: cacheFolder(outside) } as const;
  return waitMs === undefined ? store : { ...store, waitMs };
}

export function placeOfTrust(values: Values, outside: Outside): TrustPlace {
  const file = textOf(values, 'trust');
  return file === null ? storeOf(values, outside) : { kind: 'bundle', file };
}
