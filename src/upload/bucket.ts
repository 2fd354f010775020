import { inParallel } from '../consume/parallel.js';
import { steadyTime } from '../disk/steady-time.js';
import { parseDestination } from '../model/destination.js';
import { DATABASE_NAME } from '../model/layout.js';
import type { Run } from '../run.js';
import { bytesOf } from './remote.js';
import type { Listing } from '../model/listing.js';
import type { Check, Outgoing, Remote } from './remote.js';
import { bucketPlace } from '../stores/bucket-place.js';
import { isAbsent } from '../stores/failure.js';
import { listKeys } from '../stores/list.js';
import { openListThread } from '../stores/list-on-thread.js';
import type { ListAt } from '../stores/list-on-thread.js';
import { withBucketLock } from './s3/lock.js';
import { SINGLE_LIMIT_BYTES } from './s3/multipart.js';
import { findSame, makeConditions, putFile } from './s3/put.js';
import { networkTo } from '../stores/network.js';
import { storeSettings } from '../stores/settings.js';
import type { Environment } from '../stores/settings.js';
import { openStore, wholeBody } from '../stores/store.js';
import type { Store } from '../stores/store.js';

const STREAMS = 8;

/** The address of the store that the environment names; null for the one of AWS. Throws as `storeSettings`. */
export function storeEndpoint(environment: Environment): string | null {
  return storeSettings(environment).endpoint;
}

/** A bucket of an S3-compatible store as a destination. Writers take turns where the store compares before it writes. */
export function bucketRemote(
  at: Omit<ListAt, 'settings'>,
  { run, environment }: { readonly run: Run; readonly environment: Environment },
): Remote {
  const { destination, bucket, prefix } = at;
  const settings = storeSettings(environment);
  const network = networkTo(settings, run);
  const store = openStore({ destination, bucket, settings, network, clock: run.clock });
  const conditions = makeConditions();
  /** Path → ETag of what we have written since the list was made: some files are written twice. */
  const own = new Map<string, string | null>();
  const nowMs = () => steadyTime().upMs;
  let held: Check | null = null;
  const lister = listerOf(store, { destination, bucket, prefix, settings }, run);
  const check = async () => await held?.();
  return {
    destination,
    name: store.urlOf(prefix),
    place: bucketPlace({ store, prefix, address: destination }),
    list: async (database) => {
      own.clear();
      return await lister.list(database);
    },
    write: async (files, { directory, onBytes, onWritten }) => {
      const write = async (file: Outgoing) => {
        const etag = own.get(file.path);
        const over = etag === undefined ? file.over : etag === null ? 'anything' : { etag };
        const putting = { destination, directory, prefix, onBytes, conditions, check };
        own.set(file.path, await putFile(store, { ...file, over }, putting));
        onWritten(file);
      };
      // One after another: what takes much memory.
      const large = files.filter(({ size }) => size > SINGLE_LIMIT_BYTES);
      for (const file of large) await write(file);
      const others = files.filter((file) => !large.includes(file));
      await inParallel(others, STREAMS, write);
    },
    remove: async (paths) => {
      await inParallel(paths, STREAMS, async (path) => {
        await check();
        await store.ask(
          { doing: `remove ${path}`, method: 'DELETE', key: `${prefix}${path}`, expects: isAbsent },
          wholeBody,
        );
      });
    },
    differing: async (files) => await differingIn(store, files, { prefix, run }),
    alone: async (work) =>
      await lister.ahead(
        async (begin) =>
          await withBucketLock({ store, destination, prefix, conditions, run, nowMs }, async (own) => {
            held = own;
            begin();
            return await work();
          }),
      ),
    close: network.close,
  };
}

interface Lister {
  readonly list: Remote['list'];
  /** Lets work begin the first list early, on a thread of its own: it may come in many pages. */
  readonly ahead: <T>(work: (begin: () => void) => Promise<T>) => Promise<T>;
}

/** The list of a build that read its files here; null if none did. */
function listedIn({ bucket, prefix }: ListAt, { objects }: Run): Listing | null {
  const at = objects === null ? null : parseDestination(objects.address);
  const isHere = at?.kind === 'bucket' && at.bucket === bucket && at.prefix === prefix;
  return isHere ? (objects?.listing() ?? null) : null;
}

function listerOf(store: Store, at: ListAt, run: Run): Lister {
  let early: Promise<Listing> | null = null;
  let built = listedIn(at, run);
  return {
    list: async (database) => {
      const known = built;
      // Whoever lost a race needs a new one.
      built = null;
      if (known !== null && database != null && known.get(DATABASE_NAME)?.etag === database) return known;
      const listing = early ?? listKeys(store, at.prefix);
      early = null;
      return await listing;
    },
    ahead: async (work) => {
      if (built !== null) return await work(() => undefined);
      const thread = openListThread();
      const begin = () => {
        early = thread.list(at, run);
        // Whoever waits for it hears of it.
        early.catch(() => undefined);
      };
      try {
        return await work(begin);
      } finally {
        thread.stop();
      }
    },
  };
}

/** Reads files at the store. */
async function differingIn(
  store: Store,
  files: readonly Outgoing[],
  { prefix, run }: { readonly prefix: string; readonly run: Run },
): Promise<readonly string[]> {
  let [done, compared] = [0, 0];
  const onBytes = (count: number) => (done += count);
  const counted = { count: files.length, done: () => compared };
  run.progress({ doing: 'comparing', bytes: bytesOf(files), done: () => done, files: counted });
  const there = await inParallel(files, STREAMS, async (file) => {
    const same = await findSame(store, file, { prefix, onBytes });
    compared += 1;
    return same;
  });
  run.progress(null);
  return files.flatMap(({ path }, index) => (there[index] === null ? [path] : []));
}
