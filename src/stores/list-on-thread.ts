// `npm run bench:publish -- --swift`: publishing takes 1.1 s longer than curl needs for the list without it, 0.9 s with it.
import { Worker } from 'node:worker_threads';
import { PacksignError } from '../errors.js';
import type { Listing } from '../model/listing.js';
import type { NetworkOptions } from '../net/transport.js';
import type { Run } from '../run.js';
import type { StoreSettings } from './settings.js';

/** Which files to list. */
export interface ListAt {
  readonly destination: string;
  readonly bucket: string;
  readonly prefix: string;
  readonly settings: StoreSettings;
}

/** The same as one thread tells another, with what it needs of the run: no functions. */
export interface ListWork extends ListAt {
  readonly network: Pick<NetworkOptions, 'proxies' | 'patienceMs' | 'backOffMs'>;
  readonly authorities: readonly string[] | null;
  /** The time by now, in milliseconds since 1970. */
  readonly nowMs: number;
}

export type ListResult =
  | { readonly kind: 'listed'; readonly listing: Listing }
  | { readonly kind: 'failed'; readonly failure: Pick<PacksignError, 'code' | 'message' | 'hint'> };

/** A thread that lists a bucket, page by page, while the one that started it reads a directory. */
export interface ListThread {
  /** For one list, as `listKeys` gives it; throws what that throws. */
  readonly list: (at: ListAt, run: Pick<Run, 'network' | 'clock'>) => Promise<Listing>;
  /** Ends the thread; a list that it has not given by then fails. */
  readonly stop: () => void;
}

/** Of list-thread.ts, in one file, which starts sooner than its modules. */
const BUNDLE = new URL('../../program/cli/list-thread.js', import.meta.url);

/** Starts the thread, which gets ready meanwhile. */
export function openListThread(): ListThread {
  const worker = new Worker(BUNDLE);
  const result = new Promise<ListResult>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread that lists the bucket ended without a list')));
  });
  // Whoever lists hears of it.
  result.catch(() => undefined);
  return {
    list: async (at, { network: { proxies, patienceMs, backOffMs, authorities }, clock }) => {
      const network = { proxies, patienceMs, backOffMs };
      const work: ListWork = { ...at, network, authorities: authorities(), nowMs: clock().getTime() };
      worker.postMessage(work);
      return listingIn(await result);
    },
    stop: () => {
      worker.terminate().catch(() => undefined);
    },
  };
}

function listingIn(result: ListResult): Listing {
  if (result.kind === 'listed') return result.listing;
  const { code, message, hint } = result.failure;
  throw new PacksignError(code, message, { hint });
}
