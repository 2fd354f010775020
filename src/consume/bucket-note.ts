import { join } from 'node:path';
import { quietly, readBounded, writeHint } from '../disk/files.js';
import { orNull } from '../model/or-null.js';

const NAME = 'bucket';
const LIMIT_BYTES = 4096;

/** The file in the folder of working state that notes in which bucket the files lie. */
export function bucketNote(stateFolder: string): string {
  return join(stateFolder, NAME);
}

/** Notes it for who names the folder and not the bucket. */
export function noteBucket(stateFolder: string, address: string): void {
  if (notedBucket(stateFolder) === address) return;
  quietly(() => writeHint(bucketNote(stateFolder), Buffer.from(`${address}\n`)));
}

/** Null if the files lie in the directory, as far as anybody noted. */
export function notedBucket(stateFolder: string): string | null {
  const bytes = orNull(() => readBounded(bucketNote(stateFolder), LIMIT_BYTES));
  const text = bytes?.toString('utf8').trim() ?? '';
  return /^s3:\/\/.+$/i.test(text) ? text : null;
}
