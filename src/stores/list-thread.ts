import { parentPort } from 'node:worker_threads';
import { steadyTime } from '../disk/steady-time.js';
import { PacksignError } from '../errors.js';
import { listKeys } from './list.js';
import type { ListResult, ListWork } from './list-on-thread.js';
import { networkTo } from './network.js';
import { openStore } from './store.js';

/** Does what `list-on-thread` asks for, as the thread that asks would. */
async function list({ nowMs, authorities, prefix, ...at }: ListWork): Promise<ListResult> {
  const { upMs } = steadyTime();
  const clock = () => new Date(nowMs + steadyTime().upMs - upMs);
  const own = { ...at.network, authorities: () => authorities, authorizationFor: () => null };
  const network = networkTo(at.settings, { network: own });
  try {
    const store = openStore({ ...at, network, clock });
    return { kind: 'listed', listing: await listKeys(store, prefix) };
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    const { code, message, hint } = error;
    return { kind: 'failed', failure: { code, message, hint } };
  } finally {
    network.close();
  }
}

// The thread that started this one ends it. An error ends it too, and reaches that thread.
parentPort?.once('message', (work: ListWork) => {
  // eslint-disable-next-line @typescript-eslint/no-floating-promises
  list(work).then((result) => parentPort?.postMessage(result));
});
