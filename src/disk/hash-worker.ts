import { parentPort, workerData } from 'node:worker_threads';
import { digestFile } from './digest.js';
import type { Digested } from './digest.js';
import type { HashWork } from './hash.js';

const BATCH_FILES = 256;

/** Takes files from the shared list until none is left. */
async function run({ files, options, taken }: HashWork): Promise<void> {
  let batch: [number, Digested][] = [];
  const send = () => {
    parentPort?.postMessage(batch);
    batch = [];
  };
  for (let index = Atomics.add(taken, 0, 1); index < files.length; index = Atomics.add(taken, 0, 1)) {
    const file = files[index];
    if (file === undefined) break;
    batch.push([index, await digestFile(file, options)]);
    if (batch.length === BATCH_FILES) send();
  }
  send();
}

await run(workerData as HashWork);
