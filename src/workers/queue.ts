import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobsOptions, Queue as BullQueue } from 'bullmq';
import type { Redis } from 'ioredis';
import { READERS } from '../model/inspection.js';
import type { QueueAddress } from '../model/queue-address.js';
import type { WorkerAnswer, Questions, TakeAnswer } from '../places/remote-workers.js';
import { connect } from './queue-connection.js';
import type { Told } from './queue-connection.js';

// BullMQ keeps questions and answers in Redis. It gives each question to one worker, and to another one if that is lost.

/** Workers with other readers of archives have a queue of their own. */
export const QUEUE_NAME = `packsign-${READERS}`;
/** How many questions are in the queue at once: enough for hundreds of workers, and little memory. */
const WINDOW = 1000;
/** How often to look for answers; less often for many questions. An event that tells of an answer would carry all of it. */
const LOOK_MS = 200;
/** Without an answer for so long, somebody may want to know that nobody works. */
const QUIET_MS = 5000;
const ANSWER_LIMIT_BYTES = 16 * 1024 * 1024;
const REASON_LIMIT = 500;
const NAMELESS = 'without a name';
const DAY_SECONDS = 86_400;
/** The name of a connection that waits for answers. */
const ASKING = 'packsign-asks';
/** How long the end may take. */
const END_MS = 10_000;

const QUESTION: JobsOptions = {
  attempts: 5,
  backoff: { type: 'exponential', delay: 2000 },
  // For a build that never comes back for its answers.
  removeOnComplete: { age: DAY_SECONDS },
  removeOnFail: { age: DAY_SECONDS },
  stackTraceLimit: 0,
};

type Queue = BullQueue<string, unknown>;

/** The side of those who ask. Throws QUEUE_FAILED, BULLMQ_MISSING. */
export async function openQueue(
  address: QueueAddress,
  told: Told,
): Promise<Questions & { readonly close: (how: { readonly forget: boolean }) => Promise<void> }> {
  const connection = await connect(address, told);
  const queue = new connection.bullmq.Queue<string, unknown>(QUEUE_NAME, {
    connection: connection.redis,
    // Nobody reads them, and each holds an answer.
    streams: { events: { maxLen: 1 } },
  });
  queue.on('error', () => undefined);
  await connection.redis.client('SETNAME', ASKING);
  const forget = async (questions: readonly string[]) => {
    await Promise.all(questions.map((question) => queue.remove(idOf(question))));
  };
  const settled: string[] = [];
  const onQuiet = async () => {
    if (await hasWorkers(queue)) return;
    const { shown, username, password } = address;
    const line =
      `${username}${password}` === ''
        ? `packsign worker --queue ${shown}`
        : 'packsign worker, with its address in PACKSIGN_QUEUE';
    const message = `nobody works on the queue ${shown}; start one or more, here or elsewhere: ${line}`;
    told.warn({ code: 'NO_WORKER', path: null, message });
  };
  return {
    ask: async (questions, take) => {
      const asking = askAll(questions, { queue, redis: connection.redis, take, onQuiet });
      await Promise.race([asking, connection.lost]);
    },
    forget,
    settle: (questions) => settled.push(...questions),
    close: async (how) => {
      const clear = async () => {
        if (how.forget && (await isLast(connection.redis))) await forget(settled);
      };
      await Promise.race([clear(), connection.lost, sleep(END_MS, undefined, { ref: false })]).catch(
        () => undefined,
      );
      connection.close();
    },
  };
}

/** Whether nobody else asks, who may not have heard of all answers. */
async function isLast(redis: Redis): Promise<boolean> {
  await redis.client('SETNAME', 'packsign-leaves');
  const clients = String(await redis.client('LIST').catch(() => ''));
  return !clients.includes(` name=${ASKING} `);
}

/** The same question has the same name, whoever asks it. */
function idOf(question: string): string {
  return createHash('sha256').update(question).digest('hex');
}

async function hasWorkers(queue: Queue): Promise<boolean> {
  const { active = 0, waiting = 0 } = await queue.getJobCounts('active', 'waiting');
  // Not every server lists its clients.
  const count = await queue.getWorkersCount().catch(() => 1);
  return count > 0 && (active > 0 || waiting === 0);
}

interface Asking {
  readonly queue: Queue;
  readonly redis: Redis;
  readonly take: TakeAnswer;
  readonly onQuiet: () => Promise<void>;
}

async function askAll(questions: readonly string[], { queue, redis, take, onQuiet }: Asking): Promise<void> {
  const put = async (texts: readonly string[]) => {
    if (texts.length === 0) return;
    await queue.addBulk(
      texts.map((text) => ({ name: 'read', data: text, opts: { ...QUESTION, jobId: idOf(text) } })),
    );
  };
  const open = new Map<string, { readonly number: number; readonly text: string }>();
  let [next, heardMs] = [0, performance.now()];
  do {
    const more = questions.slice(next, next + WINDOW - open.size);
    more.forEach((text, index) => open.set(idOf(text), { number: next + index, text }));
    next += more.length;
    await put(more);
    const states = await Promise.all(Array.from(open.keys(), (id) => queue.getJobState(id)));
    const missing: string[] = [];
    for (const [index, [id, { number, text }]] of Array.from(open).entries()) {
      const state = states[index];
      // Somebody else has forgotten it, or Redis its last second.
      if (state === 'unknown') missing.push(text);
      const answer =
        state === 'completed' || state === 'failed' ? await answerIn({ queue, redis }, id, state) : null;
      if (answer === null) continue;
      open.delete(id);
      take(answer, number);
      heardMs = performance.now();
    }
    await put(missing);
    if (performance.now() - heardMs > QUIET_MS) {
      await onQuiet();
      heardMs = Infinity;
    }
    if (open.size > 0) await sleep(Math.max(LOOK_MS, open.size));
  } while (open.size > 0 || next < questions.length);
}

/** Null if it is gone meanwhile. A failure is forgotten: the next build asks again. */
async function answerIn(
  { queue, redis }: Pick<Asking, 'queue' | 'redis'>,
  id: string,
  state: 'completed' | 'failed',
): Promise<WorkerAnswer | null> {
  const length = await redis.hstrlen(queue.toKey(id), 'returnvalue');
  if (length > ANSWER_LIMIT_BYTES) return { kind: 'answer', worker: NAMELESS, text: '' };
  const job = await queue.getJob(id);
  if (job === undefined) return null;
  const { processedBy: worker = NAMELESS, returnvalue, failedReason } = job;
  if (state === 'completed') {
    return { kind: 'answer', worker, text: typeof returnvalue === 'string' ? returnvalue : '' };
  }
  await job.remove();
  return { kind: 'failed', reason: failedReason.slice(0, REASON_LIMIT) };
}
