import { PacksignError, work } from '../../index.js';
import { CONCURRENCY } from '../bucket.js';
import type { Command } from '../command.js';
import { single } from '../option.js';
import { numberOf } from '../options.js';
import { QUEUE_OPTION, queueOf } from '../queue.js';
import { reportWorked, reportWorking } from '../report-worker.js';
import { runOf } from '../run.js';

export const workerCommand: Command = {
  examples: [
    ['packsign worker --queue redis://localhost', 'read for builds, until stopped'],
    ['packsign worker', 'the same, with the address in PACKSIGN_QUEUE'],
    ['packsign worker --concurrency 32', 'for a machine with a fast line'],
  ],
  options: {
    queue: QUEUE_OPTION,
    concurrency: single('NUMBER', `how many objects are read at once (default: ${CONCURRENCY})`),
  },
  run: async (values, session) => {
    const { outside, print } = session;
    const queue = queueOf(values, session);
    if (queue === null) {
      throw new PacksignError('USAGE', 'no queue to work on', {
        hint: 'name its Redis server: packsign worker --queue redis://HOST:6379, or in PACKSIGN_QUEUE',
      });
    }
    const concurrency = numberOf(values, 'concurrency') ?? CONCURRENCY;
    const done = await work(queue, {
      environment: outside.environment,
      run: { ...runOf(values, session), signal: outside.stopSignal() },
      concurrency,
      onReady: () => print(reportWorking(queue, concurrency)),
    });
    return reportWorked(queue, done);
  },
};
