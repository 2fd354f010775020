import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { QueueAddress } from '../model/queue-address.js';
import { QUEUE_NAME } from './queue.js';
import { connect } from './queue-connection.js';
import type { Told } from './queue-connection.js';

export interface Answering extends Told {
  /** Gives the answer to a question; gives up as soon as `signal` says so. */
  readonly answer: (question: string) => Promise<string>;
  /** Ends the work: the question that is open goes back into the queue. */
  readonly signal: AbortSignal;
  readonly onReady: () => void;
}

/** A worker that is silent for so long is lost: its question goes to another one, until it has cost so many workers. */
const LOSS = { lockDuration: 10_000, stalledInterval: 3000, maxStalledCount: 3 };
/** How long the end may take while Redis is away. */
const END_MS = 5000;

/** The side of the workers: answers one question after the other, until the signal. Throws QUEUE_FAILED, BULLMQ_MISSING. */
export async function answerQuestions(address: QueueAddress, answering: Answering): Promise<void> {
  const { answer, signal, onReady } = answering;
  const { bullmq, redis, lost, close } = await connect(address, answering);
  const name = `${hostname().replace(/[^!-~]/g, '?')}:${process.pid}`;
  const worker = new bullmq.Worker<string, string>(
    QUEUE_NAME,
    async (job, token) => {
      try {
        return await answer(job.data);
      } catch (error) {
        if (!signal.aborted) throw error;
        await job.moveToWait(token);
        throw new bullmq.WaitingError();
      }
    },
    { ...LOSS, connection: redis, concurrency: 1, name },
  );
  // Of one that is lost, another worker does the work; a connection that is lost is told by itself.
  worker.on('error', () => undefined);
  try {
    onReady();
    await Promise.race([untilAborted(signal), lost]);
    await Promise.race([worker.close(), lost, sleep(END_MS, undefined, { ref: false })]);
  } catch (error) {
    close();
    await Promise.race([worker.close(true), sleep(1000)]);
    throw error;
  } finally {
    close();
  }
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}
