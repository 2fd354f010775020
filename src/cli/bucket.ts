import { join } from 'node:path';
import {
  PacksignError,
  STATE_FOLDER,
  bucketNote,
  isBucketAddress,
  notedBucket,
  openObjects,
} from '../index.js';
import type { Session } from './command.js';
import { isSet, numberOf, placeOf, textOf } from './options.js';
import type { Place, Values } from './options.js';
import { queueFor, refuseQueue } from './queue.js';
import { runOf } from './run.js';
import { shown } from './terminal.js';

export const CONCURRENCY = 8;

/** How many objects are read at once. Throws USAGE. */
export function concurrencyOf(values: Values): number {
  return numberOf(values, 'concurrency') ?? CONCURRENCY;
}

/**
 * Does work in the directory that the user named. Of a bucket, the directory is that of `--state`: it has packsign.json
 * and the published files, and the bucket has the others.
 */
export async function inPlace<T>(values: Values, session: Session, work: Work<T>): Promise<T> {
  return await at(values, session, { work, remember: !isSet(values, 'check') });
}

/** The same for work that only reads: nothing is written. */
export async function lookInPlace<T>(values: Values, session: Session, work: Work<T>): Promise<T> {
  return await at(values, session, { work, remember: false });
}

type Work<T> = (place: Place) => Promise<T>;

async function at<T>(
  values: Values,
  session: Session,
  { work, remember }: { readonly work: Work<T>; readonly remember: boolean },
): Promise<T> {
  const address = textOf(values, 'directory') ?? '.';
  if (!isBucketAddress(address)) {
    refuseQueue(values);
    const place = placeOf(values, { isAwaited: isSet(values, 'wait-for-directory') });
    requireFilesIn(place, values);
    return await work(place);
  }
  const directory = textOf(values, 'state');
  if (directory === null) {
    throw new PacksignError(
      'USAGE',
      `${address} needs a folder for packsign.json, the cache and the database`,
      {
        hint: `name one that stays: --state FOLDER`,
      },
    );
  }
  const place = { ...placeOf({ ...values, directory }), stateFolder: join(directory, STATE_FOLDER) };
  const { hear } = session;
  const objects = await openObjects(address, {
    ...{ directory, settings: place.settings, environment: session.outside.environment },
    run: runOf(values, session, place),
    ...{ concurrency: concurrencyOf(values), remember },
    ...(hear === undefined ? {} : { hear }),
    queue: queueFor(values, session),
  });
  try {
    return await work({ ...place, objects });
  } finally {
    await objects.close();
  }
}

/** The folder of `--state` has no files. Throws USAGE. */
function requireFilesIn({ directory, stateFolder }: Place, values: Values): void {
  const bucket = isSet(values, 'without-files') ? null : notedBucket(stateFolder);
  if (bucket === null) return;
  const command = textOf(values, '$0') ?? 'packsign build';
  throw new PacksignError('USAGE', `the files of ${directory} lie in ${bucket}`, {
    hint: `${command} ${shown(bucket)} --state ${shown(directory)}; if they lie in ${directory} by now, remove ${shown(bucketNote(stateFolder))}`,
  });
}
