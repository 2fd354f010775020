import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { lifeOf, readOwner, thisProcess } from '../../disk/owner.js';
import type { Owner } from '../../disk/owner.js';
import { PacksignError } from '../../errors.js';
import { PUBLISHING_NAME } from '../../model/layout.js';
import { shellWord } from '../../model/shell.js';
import { pause } from '../../run.js';
import type { Run } from '../../run.js';
import { lockLost } from '../remote.js';
import type { Check } from '../remote.js';
import { isAbsent } from '../../stores/failure.js';
import { plainEtag } from '../../stores/list.js';
import { bodyOf, etagOfWritten } from './multipart.js';
import { isLost, isUnknown } from './put.js';
import type { Conditions } from './put.js';
import { wholeBody } from '../../stores/store.js';
import type { Ask, Outcome, Store } from '../../stores/store.js';

const LIMIT_BYTES = 4096;
const BEAT_MS = 15_000;
/** An owner writes only while it has been heard of that lately: others need as long again to believe that it is gone. */
const FRESH_MS = 30_000;
const SILENT_MS = 60_000;
const RETRY_MS = 500;
/** Locks that this process does not need any more, whether or not it could remove them. */
const ended = new Set<string>();

export interface LockOptions {
  readonly store: Store;
  readonly destination: string;
  readonly prefix: string;
  readonly conditions: Conditions;
  readonly run: Run;
  /** Of a clock that counts suspensions too, and that nobody can set. */
  readonly nowMs: () => number;
}

/**
 * Does work under a lock: an object that only one can make (`If-None-Match: *`), that its owner writes again and again,
 * and that one other replaces (`If-Match`) once it is silent, by the clock of the store, or once its owner is seen to be
 * dead. A store that does not compare before it writes has no lock, and `work` gets null. Throws LOCKED, LOCK_LOST.
 */
export async function withBucketLock<T>(
  options: LockOptions,
  work: (check: Check | null) => Promise<T>,
): Promise<T> {
  const token = randomUUID();
  let isGivenUp = false;
  const stay = options.run.atSignal(async () => {
    isGivenUp = true;
    const lock = lockObject(options);
    const found = await lock.read();
    if (found !== null && tokenIn(found.text) === token) await lock.remove();
  });
  try {
    const held = await takeLock(options, token);
    if (held === null) return await work(null);
    // The program is about to end: until then it changes nothing that others may be changing by now.
    const check = async () => await (isGivenUp ? new Promise<never>(() => undefined) : held.check());
    return await workUnder(held, async () => await work(check));
  } finally {
    stay();
    ended.add(token);
  }
}

async function workUnder<T>(held: Held, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => {
    held.beat().catch(() => undefined);
  }, BEAT_MS);
  timer.unref();
  try {
    return await work();
  } finally {
    clearInterval(timer);
    await held.release();
  }
}

interface Held {
  readonly beat: () => Promise<void>;
  readonly check: Check;
  /** Never throws: others take over what stays. */
  readonly release: () => Promise<void>;
}

async function takeLock(options: LockOptions, token: string): Promise<Held | null> {
  const { conditions, run, nowMs } = options;
  const lock = lockObject(options);
  const beginMs = nowMs();
  for (;;) {
    const outcome = await tryToTake(lock, token);
    if (outcome === 'unknown') return null;
    if (outcome !== 'busy') {
      if (outcome.etag !== null && (await lock.isGuarded(textOf(token, 0)))) {
        return hold(lock, { token, etag: outcome.etag, heardMs: beginMs }, options);
      }
      conditions.areMissing();
      await lock.remove();
      return null;
    }
    if (nowMs() - beginMs >= run.waitMs) throw locked(options);
    await sleep(RETRY_MS * (0.5 + Math.random()));
    await pause(run);
  }
}

type Attempt = { readonly etag: string | null } | 'busy' | 'unknown';

async function tryToTake(lock: LockObject, token: string): Promise<Attempt> {
  const text = textOf(token, 0);
  const made = await lock.write(text, { 'if-none-match': '*' });
  if (made.kind === 'done') return { etag: made.value };
  if (isUnknown(made.refusal)) return 'unknown';
  const found = await lock.read();
  // We may have made it, and did not hear of it.
  if (found?.text === text) return found;
  if (found?.etag == null || !isDead(found)) return 'busy';
  const taken = await lock.write(text, { 'if-match': `"${found.etag}"` });
  return taken.kind === 'done' ? { etag: taken.value } : 'busy';
}

function hold(
  lock: LockObject,
  { token, ...first }: { readonly token: string; readonly etag: string; readonly heardMs: number },
  options: LockOptions,
): Held {
  const { nowMs } = options;
  let { etag, heardMs } = first;
  let count = 0;
  let isLost = false;
  const isFresh = () => !isLost && nowMs() - heardMs <= FRESH_MS;
  const beatOnce = async () => {
    if (isLost) return;
    const startMs = nowMs();
    const text = textOf(token, (count += 1));
    const outcome = await lock.write(text, { 'if-match': `"${etag}"` });
    const now = outcome.kind === 'done' ? { text, etag: outcome.value } : await lock.read();
    if (now?.etag == null || tokenIn(now.text) !== token) isLost = true;
    else {
      etag = now.etag;
      // The answer to the one before may have been lost. This one was refused then, and nobody has heard of us.
      if (now.text === text) heardMs = startMs;
    }
  };
  let last: Promise<void> = Promise.resolve();
  const beat = () => (last = last.catch(() => undefined).then(beatOnce));
  const check = async () => {
    for (let tries = 0; tries < 2 && !isFresh(); tries += 1) await beat();
    if (!isFresh()) throw lockLost(options.destination);
  };
  return {
    beat,
    check,
    release: async () => {
      try {
        await last.catch(() => undefined);
        await check();
        await lock.remove();
      } catch {
        // Whatever it is, it harms nobody for longer than a minute.
      }
    },
  };
}

interface FoundLock {
  readonly text: string;
  readonly etag: string | null;
  /** By the clock of the store. */
  readonly silentMs: number;
}

interface LockObject {
  readonly write: (text: string, headers: Ask['headers']) => Promise<Outcome<string | null>>;
  readonly read: () => Promise<FoundLock | null>;
  readonly remove: () => Promise<void>;
  /** Whether conditions are kept, and not passed over, for an object that is there with this text. */
  readonly isGuarded: (text: string) => Promise<boolean>;
}

function lockObject({ store, prefix }: LockOptions): LockObject {
  const [key, doing] = [`${prefix}${PUBLISHING_NAME}`, 'take the lock'];
  const write: LockObject['write'] = async (text, headers = {}) => {
    const body = bodyOf(Buffer.from(text));
    const all = { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers };
    const expects: Ask['expects'] = (refusal) => isLost(refusal) || isUnknown(refusal);
    return await store.ask({ doing, method: 'PUT', key, headers: all, body, expects }, etagOfWritten);
  };
  return {
    write,
    read: async () => {
      const outcome = await store.ask({ doing, method: 'GET', key, expects: isAbsent }, async (answer) => {
        const { etag = '', date = '', 'last-modified': modified = '' } = answer.headers;
        const silentMs = Date.parse(date) - Date.parse(modified);
        const text = (await wholeBody(answer, LIMIT_BYTES)).toString();
        return { text, etag: plainEtag(etag), silentMs: Number.isNaN(silentMs) ? 0 : silentMs };
      });
      return outcome.kind === 'done' ? outcome.value : null;
    },
    remove: async () => {
      await store.ask({ doing, method: 'DELETE', key, expects: isAbsent }, wholeBody);
    },
    isGuarded: async (text) => {
      const outcomes = await Promise.all([
        write(text, { 'if-none-match': '*' }),
        write(text, { 'if-match': `"${'0'.repeat(32)}"` }),
      ]);
      return outcomes.every((outcome) => outcome.kind === 'refused' && isLost(outcome.refusal));
    },
  };
}

/** Without the name of the host: others may be able to read it. */
function textOf(token: string, count: number): string {
  const { pid, started, boot, namespace } = thisProcess();
  return JSON.stringify({ pid, started, boot, namespace, token, count });
}

function isDead({ text, silentMs }: FoundLock): boolean {
  if (silentMs > SILENT_MS || ended.has(tokenIn(text))) return true;
  const owner = readOwner({ ...told(text), host: 'unknown' });
  return owner !== null && lifeOf(owner) === 'dead';
}

function tokenIn(text: string): string {
  const { token } = told(text);
  return typeof token === 'string' ? token : '';
}

function told(text: string): Readonly<Partial<Record<keyof Owner | 'token', unknown>>> {
  try {
    return (JSON.parse(text) as object | null) ?? {};
  } catch {
    return {};
  }
}

function locked({ destination }: LockOptions): PacksignError {
  const lock = `${destination.replace(/\/+$/, '')}/${PUBLISHING_NAME}`;
  return new PacksignError('LOCKED', `another packsign publishes to ${destination}`, {
    hint: `wait until it is done; if it is gone, packsign takes over after a minute (--wait 90s), or: aws s3 rm ${shellWord(lock)}`,
  });
}
