import { parentPort, workerData } from 'node:worker_threads';
import { digestFile } from './digest.js';
import type { Digested } from './digest.js';
import type { HashWork } from './hash.js';

const BATCH_FILES = 256;

/** Takes tasks from the shared list until none is left. */
async function run({ tasks, taken }: HashWork): Promise<void> {
  let batch: [number, Digested][] = [];
  const send = () => {
    parentPort?.postMessage(batch);
    batch = [];
  };
  for (let next = Atomics.add(taken, 0, 1); next < tasks.length; next = Atomics.add(taken, 0, 1)) {
    const task = tasks[next];
    if (task === undefined) break;
    batch.push([task.index, await digestFile(task.file, task.options)]);
    if (batch.length === BATCH_FILES) send();
  }
  send();
}

await run(workerData as HashWork);
