import { parentPort, workerData } from 'node:worker_threads';
import { doTasks, encodeRow } from './hash-tasks.js';
import type { HashWork } from './hash-tasks.js';

let rows = '';

function send(): void {
  parentPort?.postMessage(rows);
  rows = '';
}

await doTasks(workerData as HashWork, {
  take: (digested, index) => {
    rows += encodeRow(digested, index);
  },
  pause: send,
});
send();
