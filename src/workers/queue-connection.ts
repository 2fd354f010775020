import type * as Bullmq from 'bullmq';
import type * as Ioredis from 'ioredis';
import { PacksignError, reasonOf, systemCode } from '../errors.js';
import type { Warning } from '../model/finding.js';
import type { QueueAddress } from '../model/queue-address.js';

/** A connection to the Redis server of a queue, and BullMQ, which uses it. */
export interface QueueConnection {
  readonly bullmq: typeof Bullmq;
  readonly redis: Ioredis.Redis;
  /** Rejects with QUEUE_FAILED once Redis has been away for too long. */
  readonly lost: Promise<never>;
  readonly close: () => void;
}

/** What a queue tells people meanwhile. */
export interface Told {
  readonly warn: (warning: Warning) => void;
}

/** How long Redis may take to answer for the first time, and how long it may be away later, before and after a warning. */
const GREETING_MS = 15_000;
const UNSAID_MS = 3000;
const PATIENCE_MS = 60_000;

/** Throws QUEUE_FAILED, BULLMQ_MISSING. */
export async function connect(address: QueueAddress, told: Told): Promise<QueueConnection> {
  const { bullmq, ioredis } = await loadPackages();
  const { host, port, username, password, database: db, isTls } = address;
  let isOver = false;
  const redis = new ioredis.Redis({
    ...{ host, port, db, lazyConnect: true },
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    ...(isTls ? { tls: {} } : {}),
    // As BullMQ wants it: commands wait while Redis is away.
    maxRetriesPerRequest: null,
    // BullMQ makes connections of its own with these options, which must not try again for ever.
    retryStrategy: () => (isOver ? null : 1000),
  });
  const { lost, end } = watchOver(redis, address, told);
  const close = () => {
    isOver = true;
    end();
    redis.disconnect();
  };
  try {
    await greet(redis);
    await requireNoEviction(redis);
  } catch (error) {
    close();
    throw failure(address, error);
  }
  return { bullmq, redis, lost, close };
}

/** Loads both packages, which nobody needs without a queue. Throws BULLMQ_MISSING. */
async function loadPackages(): Promise<{
  readonly bullmq: typeof Bullmq;
  readonly ioredis: typeof Ioredis;
}> {
  try {
    const [bullmq, ioredis] = await Promise.all([import('bullmq'), import('ioredis')]);
    return { bullmq, ioredis };
  } catch (error) {
    if (!['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND'].includes(systemCode(error) ?? '')) throw error;
    throw new PacksignError('BULLMQ_MISSING', 'a queue needs bullmq and ioredis, which are not installed', {
      hint: 'install them as packsign is: npm install bullmq ioredis, or npm install --global bullmq ioredis',
    });
  }
}

async function greet(redis: Ioredis.Redis): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error('it does not answer as Redis does')), GREETING_MS);
    redis.once('error', fail);
    redis.once('ready', () => {
      clearTimeout(timer);
      resolve();
    });
    redis.connect().catch(() => undefined);
  });
}

/** A server that drops what it keeps when memory is short loses work. */
async function requireNoEviction(redis: Ioredis.Redis): Promise<void> {
  const told = await redis.info('memory').catch(() => '');
  const [, policy = 'noeviction'] = /^maxmemory_policy:(.*?)\r?$/m.exec(told) ?? [];
  if (policy === 'noeviction') return;
  throw new PacksignError(
    'QUEUE_FAILED',
    `the server of the queue loses work when its memory is full (maxmemory-policy ${policy})`,
    {
      hint: 'set it to noeviction: redis-cli CONFIG SET maxmemory-policy noeviction',
    },
  );
}

/** Says that Redis is away, and gives up at last. */
function watchOver(
  redis: Ioredis.Redis,
  address: QueueAddress,
  { warn }: Told,
): { readonly lost: Promise<never>; readonly end: () => void } {
  let last: unknown = new Error('the connection is closed');
  let timers: readonly NodeJS.Timeout[] = [];
  let isOver = false;
  const forget = () => {
    for (const timer of timers) clearTimeout(timer);
    timers = [];
  };
  const say = () => {
    const message = `the queue ${address.shown} is away (${reasonIn(last)}): trying again`;
    warn({ code: 'QUEUE_AWAY', path: null, message });
  };
  const lost = new Promise<never>((_, reject) => {
    redis.on('error', (error) => (last = error));
    redis.on('ready', forget);
    redis.on('close', () => {
      if (isOver || timers.length > 0) return;
      timers = [setTimeout(say, UNSAID_MS), setTimeout(() => reject(failure(address, last)), PATIENCE_MS)];
    });
  });
  lost.catch(() => undefined);
  const end = () => {
    isOver = true;
    forget();
  };
  return { lost, end };
}

function failure({ shown, host }: QueueAddress, error: unknown): PacksignError {
  if (error instanceof PacksignError) return error;
  const reason = reasonIn(error);
  const isLogin = /NOAUTH|WRONGPASS|NOPERM|AUTH/.test(reason);
  return new PacksignError('QUEUE_FAILED', `cannot use the queue ${shown}: ${reason}`, {
    hint: isLogin
      ? 'put its address with name and password into PACKSIGN_QUEUE: redis://USER:PASSWORD@HOST:6379'
      : `start Redis on ${host}, or check the address; then run the same command again: what is in the queue is not lost`,
    cause: error,
  });
}

/** Of several attempts, Node says nothing but their code. */
function reasonIn(error: unknown): string {
  const reason = reasonOf(error);
  return reason === '' ? (systemCode(error) ?? 'no answer') : reason;
}
