import { once } from 'node:events';
import { parentPort } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { doTasks, encodeRow } from './hash-tasks.js';
import type { HashWork } from './hash-tasks.js';

async function work(port: MessagePort): Promise<void> {
  const [tasks] = (await once(port, 'message')) as [HashWork];
  let rows = '';
  const send = () => {
    port.postMessage(rows);
    rows = '';
  };
  await doTasks(tasks, {
    take: (digested, index) => {
      rows += encodeRow(digested, index);
    },
    pause: send,
  });
  send();
}

// Work comes in one message, and the thread ends with it, or with what went wrong.
// eslint-disable-next-line @typescript-eslint/no-floating-promises
if (parentPort !== null) work(parentPort);
