// The options of the commands that make a database or sign it. Hints show these commands, so they know the options too.

import { flag, maybe, rare, repeated, single } from './option.js';
import type { OptionTable } from './option.js';
import {
  ALLOW_DAMAGED_OPTION,
  KEY_OPTIONS,
  PREVIOUS_OPTIONS,
  REHASH_OPTION,
  SETTINGS_OPTIONS,
  TRUST_CLOCK_OPTION,
} from './options.js';

/** For commands that read the files of a bucket too. */
export const BUCKET_OPTIONS: OptionTable = rare({
  concurrency: single('NUMBER', 'how many objects of a bucket are read at once (default: 8)'),
});

/** For `build`, of which one machine then does a share. */
const SHARD_OPTIONS: OptionTable = rare({
  shard: single('NUMBER', 'hash share K of N of a bucket, as in --shard 2/4, into a part for merge'),
  output: single('FILE', 'file for that part'),
});

/** For a build that has the objects of a bucket read by workers. */
const QUEUE_OPTIONS: OptionTable = rare({
  queue: single('ADDRESS', 'Redis server whose packsign workers read the bucket'),
  'double-check': single('NUMBER', 'per cent of what workers have read that is read again here'),
});

/** Options of every command that makes the next database. */
const DATABASE_OPTIONS: OptionTable = {
  ...PREVIOUS_OPTIONS,
  'allow-changed': repeated('PATH', 'file whose bytes may change; needs a --reason'),
  reason: repeated('TEXT', 'why they change, for users to read'),
  rehash: REHASH_OPTION,
  ...rare({ first: flag('start a new history; with --previous, only if nothing is published there') }),
  ...SETTINGS_OPTIONS,
  ...BUCKET_OPTIONS,
};

/** Options of a command that makes it in memory, and writes nothing. */
export const PREVIEW_OPTIONS: OptionTable = {
  key: repeated('KEY', 'key that is going to sign'),
  ...DATABASE_OPTIONS,
  ...rare({ 'trust-clock': TRUST_CLOCK_OPTION }),
};

export const BUILD_OPTIONS: OptionTable = {
  ...KEY_OPTIONS,
  sign: maybe('sign with the key of PACKSIGN_KEY or packsign.json'),
  check: flag('write nothing; exit 1 if something would change'),
  publish: flag('publish to the destinations in packsign.json'),
  strict: flag('fail on warnings, and on files left out'),
  ...SHARD_OPTIONS,
  ...DATABASE_OPTIONS,
  ...rare({
    'allow-damaged': ALLOW_DAMAGED_OPTION,
    import: single('FILE', 'import a database made for PackMan; packsign.json gets its texts'),
  }),
  ...QUEUE_OPTIONS,
};

export const SIGN_OPTIONS: OptionTable = {
  ...KEY_OPTIONS,
  'co-sign': flag('add a signature to what is published'),
  'without-files': flag('sign on a host that does not have the files, publish elsewhere'),
  rehash: REHASH_OPTION,
  ...PREVIOUS_OPTIONS,
  ...SETTINGS_OPTIONS,
  ...BUCKET_OPTIONS,
  ...rare({ 'allow-damaged': ALLOW_DAMAGED_OPTION }),
};

/** A database of so many files has some ten megabytes, and is signed in half a second. */
export const MOST_FILES = '10000';

export const SPLIT_OPTIONS: OptionTable = {
  'max-files': single('NUMBER', 'the most files in one database', { default: MOST_FILES }),
  key: repeated('KEY', 'key that is going to sign'),
  ...SETTINGS_OPTIONS,
};
