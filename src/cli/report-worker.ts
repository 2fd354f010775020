import { formatBytes } from '../index.js';
import type { QueueAddress, WorkDone } from '../index.js';
import type { Report } from './command.js';
import { count } from './terminal.js';

// What a worker says: on which queue it works, and at the end what it has done.

export function reportWorking({ shown: queue }: QueueAddress, concurrency: number): Report {
  const lines = [`working on the queue ${queue}, ${concurrency} objects at once`];
  return { json: { event: 'ready', queue, concurrency }, lines, exitStatus: 0 };
}

export function reportWorked({ shown: queue }: QueueAddress, done: WorkDone): Report {
  const { batches, files, bytes } = done;
  return {
    json: { event: 'stopped', queue, batches, files, bytes },
    lines: [`stopped: read ${count(files, 'file')} (${formatBytes(bytes)})`],
    exitStatus: 0,
  };
}
