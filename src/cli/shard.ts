import { join } from 'node:path';
import {
  PacksignError,
  STATE_FOLDER,
  hashShard,
  isBucketAddress,
  loadSettings,
  parseShard,
} from '../index.js';
import { concurrencyOf } from './bucket.js';
import type { Report, Session } from './command.js';
import { COMMON_OPTIONS, isSet, placeOf, settingsIn, textOf } from './options.js';
import type { Values } from './options.js';
import { reportShard } from './report-parts.js';
import { runOf } from './run.js';

/** What else such a build needs to know. */
const FITTING = [
  ...['directory', 'shard', 'output', 'state', 'concurrency', 'rehash'],
  ...['inspect', 'pack-man', 'include', 'exclude', 'timeout'],
  ...['$0', '_', 'all', 'help', 'version', ...Object.keys(COMMON_OPTIONS)],
];

const EXAMPLE = 'packsign build s3://BUCKET/PREFIX --shard 2/4 --output part-2.json';

/** Null for a build that is no share of one. Throws USAGE. */
export async function buildShard(values: Values, session: Session): Promise<Report | null> {
  const [text, output] = [textOf(values, 'shard'), textOf(values, 'output')];
  if (text === null) {
    if (output === null) return null;
    throw usage('--output is the file for a part of a bucket, and does nothing without --shard');
  }
  const shard = parseShard(text);
  if (shard === null) {
    throw usage(`--shard must be a share like 2/4, the second of four, not "${text}"`);
  }
  const address = textOf(values, 'directory') ?? '.';
  if (!isBucketAddress(address))
    throw usage(`--shard divides the objects of a bucket, and ${address} is none`);
  if (output === null) throw usage('--shard needs a file for the part: --output');
  refuseOthers(values);
  const state = textOf(values, 'state');
  const settings =
    state === null
      ? loadSettings(null, settingsIn(values))
      : placeOf({ ...values, directory: state }).settings;
  const stateFolder = state === null ? '' : join(state, STATE_FOLDER);
  const result = await hashShard(address, {
    ...{ shard, output, settings, directory: state, rehash: isSet(values, 'rehash') },
    environment: session.outside.environment,
    run: runOf(values, session, { stateFolder }),
    concurrency: concurrencyOf(values),
  });
  return reportShard(result, { state, verbose: isSet(values, 'verbose') });
}

/** A part is not signed, reviewed or published. */
function refuseOthers(values: Values): void {
  const typed = Object.keys(values).find(
    (name) => !FITTING.includes(name) && values[name] !== undefined && values[name] !== false,
  );
  if (typed === undefined) return;
  throw new PacksignError('USAGE', `--${typed} has no meaning beside --shard, which only hashes a part`, {
    hint: `leave it out here; packsign merge, which builds from the parts, takes it`,
  });
}

function usage(message: string): PacksignError {
  return new PacksignError('USAGE', message, { hint: EXAMPLE });
}
