import { PacksignError } from '../errors.js';
import { parseDestination } from '../model/destination.js';
import type { Run } from '../run.js';
import { networkTo } from './network.js';
import { storeSettings } from './settings.js';
import type { Environment } from './settings.js';
import { openStore } from './store.js';
import type { Store } from './store.js';

/** The files below a prefix of a bucket. */
export interface Bucket {
  /** `s3://BUCKET/PREFIX`, as the user wrote it. */
  readonly address: string;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
  readonly store: Store;
  readonly close: () => void;
}

export interface BucketOptions {
  readonly run: Run;
  /** Has the settings of the AWS tools. */
  readonly environment: Environment;
}

/** Throws USAGE, and what `storeSettings` throws. */
export function openBucket(address: string, options: BucketOptions): Bucket {
  const { at, close } = openBuckets(options);
  try {
    return { ...at(address), close };
  } catch (error) {
    close();
    throw error;
  }
}

/** The buckets that the environment gives access to. `at` throws USAGE; it throws what `storeSettings` throws. */
export function openBuckets({ run, environment }: BucketOptions): {
  readonly at: (address: string) => Omit<Bucket, 'close'>;
  readonly close: () => void;
} {
  const settings = storeSettings(environment);
  const network = networkTo(settings, run);
  return {
    at: (address) => {
      const destination = parseDestination(address);
      if (destination.kind !== 'bucket') throw new PacksignError('USAGE', `${address} is not a bucket`);
      const { bucket, prefix } = destination;
      const store = openStore({ destination: address, bucket, settings, network, clock: run.clock });
      return { address, prefix, store };
    },
    close: network.close,
  };
}
