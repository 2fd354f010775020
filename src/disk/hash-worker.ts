import { once } from 'node:events';
import { parentPort } from 'node:worker_threads';
import { doTasks, encodeRow } from './hash-tasks.js';
import type { HashWork } from './hash-tasks.js';

let rows = '';

function send(): void {
  parentPort?.postMessage(rows);
  rows = '';
}

// Work comes in one message, and the thread ends with it.
if (parentPort !== null) {
  const [work] = (await once(parentPort, 'message')) as [HashWork];
  await doTasks(work, {
    take: (digested, index) => {
      rows += encodeRow(digested, index);
    },
    pause: send,
  });
  send();
}
