import type { PinOptions, Tolerance, TrustPlace, TrustStore } from '../index.js';
import { cacheFolder, trustFolder } from './folders.js';
import { flag, rare, repeated, single } from './option.js';
import type { OptionTable } from './option.js';
import { isSet, listOf, numberOf, textOf, waitOf } from './options.js';
import type { Values } from './options.js';
import type { Outside } from './streams.js';

export const TIMEOUT_OPTION = single('TIME', 'how long a server may be silent or slow (default: 30s)');

/** Options of every command that decides whether a database is authentic. */
export const TRUST_OPTIONS: OptionTable = {
  keys: single('FILE', 'file of certificates; all keys in it are pinned'),
  fingerprint: repeated('FINGERPRINT', 'primary fingerprint of a key to trust'),
  'allow-stale': flag('accept an expired database'),
  'allow-unauthenticated': flag('accept one without a trusted signature'),
  ...rare({
    threshold: single('NUMBER', 'how many pinned keys must have signed (default: 1)'),
    trust: single('FILE', 'file made by packsign trust export, instead of what you trust'),
    timeout: TIMEOUT_OPTION,
  }),
};

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
