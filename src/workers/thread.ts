import { parentPort } from 'node:worker_threads';
import { hashFurther } from './growing-digest.js';
import type { HashStep } from './growing-digest.js';
import { doTasks, encodeRow } from './hash-tasks.js';
import type { HashWork } from './hash-tasks.js';
import { doStats } from './stat-together.js';
import type { StatWork } from './stat-together.js';

type Work = HashWork | StatWork | HashStep;

/** Sends results as they come, and null at the end. */
async function hash(work: HashWork, send: (rows: string | null) => void): Promise<void> {
  let rows = '';
  const sendRows = () => {
    send(rows);
    rows = '';
  };
  await doTasks(work, {
    take: (digested, index) => {
      rows += encodeRow(digested, index);
    },
    pause: sendRows,
  });
  sendRows();
  send(null);
}

// The thread that started this one ends it. An error ends it too, and reaches that thread.
parentPort?.on('message', (work: Work) => {
  // eslint-disable-next-line @typescript-eslint/no-floating-promises
  if (work.kind === 'hash') hash(work, (rows) => parentPort?.postMessage(rows));
  else if (work.kind === 'grow') {
    const answer = hashFurther(work);
    if (work.isLast) parentPort?.postMessage({ id: work.id, answer });
  } else doStats(work);
});
