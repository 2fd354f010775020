import { parentPort } from 'node:worker_threads';
import type { Digested } from './digest.js';
import { hashFurther } from './growing-digest.js';
import type { HashStep } from './growing-digest.js';
import { doTasks } from './hash-tasks.js';
import { doObjects } from './hash-objects.js';
import type { ObjectsWork } from './hash-objects.js';
import type { HashWork, Results } from './hash-tasks.js';

/** Sends results as they come, and null at the end. */
async function hash(work: HashWork, send: (results: Results | null) => void): Promise<void> {
  const results: [Digested, number][] = [];
  const sendResults = () => {
    send(results.splice(0));
  };
  await doTasks(work, {
    take: (digested, index) => results.push([digested, index]),
    pause: sendResults,
  });
  sendResults();
  send(null);
}

// The thread that started this one ends it. An error ends it too, and reaches that thread.
parentPort?.on('message', (work: HashWork | HashStep | ObjectsWork) => {
  // eslint-disable-next-line @typescript-eslint/no-floating-promises
  if (work.kind === 'hash') hash(work, (results) => parentPort?.postMessage(results));
  // eslint-disable-next-line @typescript-eslint/no-floating-promises
  else if (work.kind === 'objects') doObjects(work, (message) => parentPort?.postMessage(message));
  else {
    const answer = hashFurther(work);
    if (work.isLast) parentPort?.postMessage({ id: work.id, answer });
  }
});
