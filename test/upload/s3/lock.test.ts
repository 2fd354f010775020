import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { thisProcess } from '../../../src/disk/owner.js';
import { PUBLISHING_NAME } from '../../../src/model/layout.js';
import { openNetwork } from '../../../src/net/transport.js';
import { makeRun } from '../../../src/run.js';
import { withBucketLock } from '../../../src/upload/s3/lock.js';
import type { Check } from '../../../src/upload/remote.js';
import { makeConditions } from '../../../src/upload/s3/put.js';
import { storeSettings } from '../../../src/stores/settings.js';
import { openStore } from '../../../src/stores/store.js';
import { startSmallStore } from './small-store.js';
import type { Asked, SmallStore } from './small-store.js';

const MINUTE = 60_000;

let small: SmallStore;
let upMs: number;
let close: (() => void)[];

beforeEach(async () => {
  upMs = 0;
  close = [];
  small = await startSmallStore();
});

afterEach(async () => {
  for (const one of close) one();
  await small.stop();
});

function lock<T>(
  work: (check: Check | null) => Promise<T>,
  { waitMs = 0, conditions = makeConditions() } = {},
): Promise<T> {
  const run = makeRun({ clock: () => new Date(), waitMs });
  const network = openNetwork({ ...run.network, authorizationFor: () => null });
  close.push(network.close);
  const settings = storeSettings({
    ...{ AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_ENDPOINT_URL: small.url },
  });
  const destination = 's3://bucket/a b';
  const store = openStore({ destination, bucket: 'bucket', settings, network, clock: run.clock });
  return withBucketLock({ store, destination, prefix: 'a b/', conditions, run, nowMs: () => upMs }, work);
}

const key = `a b/${PUBLISHING_NAME}`;
const lockThere = () => small.objects.get(key)?.bytes.toString() ?? null;

/** A lock of somebody else. */
function put(more: object, ageMs = 0): void {
  const { pid, started, boot, namespace } = thisProcess();
  const text = JSON.stringify({ pid, started, boot, namespace, token: 'other', count: 7, ...more });
  const modified = new Date(Date.now() - ageMs);
  small.objects.set(key, { bytes: Buffer.from(text), headers: {}, modified });
}

const taken = async (check: Check | null) => {
  expect(check).not.toBeNull();
  await check?.();
  return lockThere();
};

const isWrite = ({ method, key: at }: Asked) => method === 'PUT' && at === key;

describe('the lock of a bucket', () => {
  test('is there while work is done, and not afterwards', async () => {
    const text = await lock(taken);
    expect(JSON.parse(text ?? '')).toMatchObject({ pid: process.pid, count: 0 });
    expect(text).not.toContain(thisProcess().host);
    expect(lockThere()).toBeNull();
    await expect(lock(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(lockThere()).toBeNull();
  });

  test.each([
    ['of this machine that lives', {}, 0],
    ['of another machine', { boot: 'x' }, 0],
    ['of another machine that was heard of a moment ago', { boot: 'x' }, 50_000],
    ['that this version cannot read', { pid: 'x' }, 0],
    ['that is dated in the future', { boot: 'x' }, -60 * MINUTE],
  ])('LOCKED: %s', async (_, more, ageMs) => {
    put(more, ageMs);
    const before = lockThere();
    await expect(lock(taken)).rejects.toMatchObject({
      code: 'LOCKED',
      hint: expect.stringContaining(`aws s3 rm 's3://bucket/a b/${PUBLISHING_NAME}'`) as string,
    });
    expect(lockThere()).toBe(before);
  });

  test.each([
    ['of a dead process of this machine', { started: '1' }, 0],
    ['of another machine that was silent for a minute', { boot: 'x' }, MINUTE + 5000],
    ['of this machine that stands still', {}, MINUTE + 5000],
    ['that nobody can read, silent for a minute', { pid: 'x' }, MINUTE + 5000],
  ])('is taken over: one %s', async (_, more, ageMs) => {
    put(more, ageMs);
    expect(await lock(taken)).not.toContain('"other"');
    expect(lockThere()).toBeNull();
  });

  test('is taken over by one only', async () => {
    put({ boot: 'x' }, MINUTE + 5000);
    let inside = 0;
    const done = await Promise.allSettled(
      Array.from({ length: 8 }, () =>
        lock(async (check) => {
          inside += 1;
          expect(inside).toBe(1);
          await check?.();
          inside -= 1;
          return 'done';
        }),
      ),
    );
    const codes = done.map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason)));
    expect(codes.filter((text) => text !== 'done' && !text.includes('another packsign publishes'))).toEqual(
      [],
    );
    expect(codes).toContain('done');
  });

  test('is waited for', async () => {
    let isFree = false;
    const first = lock(async () => {
      await vi.waitFor(() => {
        expect(small.asked.filter(isWrite).length).toBeGreaterThan(4);
      }, 10_000);
      isFree = true;
    });
    await vi.waitFor(() => {
      expect(lockThere()).not.toBeNull();
    });
    await lock(
      (check) => {
        expect(isFree).toBe(true);
        return taken(check);
      },
      { waitMs: 20_000 },
    );
    await first;
  });

  test('LOCK_LOST: another took over while its owner stood still; whose lock stays', async () => {
    await expect(
      lock(async (check) => {
        put({ boot: 'x' });
        // It was heard of a moment ago: nobody else believes it dead.
        await check?.();
        upMs += 31_000;
        await check?.();
      }),
    ).rejects.toMatchObject({ code: 'LOCK_LOST' });
    expect(lockThere()).toContain('"other"');
    small.objects.delete(key);
    await expect(
      lock(async (check) => {
        small.objects.delete(key);
        upMs += 31_000;
        await check?.();
      }),
    ).rejects.toMatchObject({ code: 'LOCK_LOST' });
    expect(lockThere()).toBeNull();
  });

  test('LOCK_LOST: another took over before its maker knew that it had it', async () => {
    // The second write of its maker asks whether the store compares.
    let writes = 0;
    small.cutAfter = (asked) => {
      if (isWrite(asked) && (writes += 1) === 2) {
        put({ boot: 'x' });
        upMs += 2 * MINUTE;
      }
      return false;
    };
    await expect(lock(taken)).rejects.toMatchObject({ code: 'LOCK_LOST' });
    expect(lockThere()).toContain('"other"');
  });

  test('is no sign of life where it is found as it was left: its owner writes it again', async () => {
    await lock(async (check) => {
      // A sign of life that arrived, long ago, and whose answer did not.
      const text = (lockThere() ?? '').replace('"count":0', '"count":99');
      small.objects.set(key, { bytes: Buffer.from(text), headers: {} });
      upMs += 2 * MINUTE;
      await check?.();
      expect(lockThere()).toContain('"count":2');
    });
    expect(lockThere()).toBeNull();
  });

  test('that another has by now is not removed at the end of the work', async () => {
    await lock(async () => {
      put({ boot: 'x' });
      upMs += 31_000;
      await Promise.resolve();
    });
    expect(lockThere()).toContain('"other"');
  });

  test('stays ours when the answer to a write is lost', async () => {
    let left = 1;
    small.cutAfter = (asked) => isWrite(asked) && left-- === 1;
    expect(await lock(taken)).toContain(`"pid":${process.pid}`);
    await lock(async (check) => {
      left = 1;
      upMs += 31_000;
      await check?.();
      upMs += 31_000;
      await check?.();
      expect(lockThere()).toContain('"count":2');
    });
    expect(lockThere()).toBeNull();
  });

  test.each([
    ['answers 501 to conditions', (headers: Asked['headers']) => 'if-none-match' in headers, true],
    [
      'passes over If-None-Match',
      (headers: Asked['headers']) => {
        delete headers['if-none-match'];
        return false;
      },
      false,
    ],
    [
      'passes over If-Match',
      (headers: Asked['headers']) => {
        delete headers['if-match'];
        return false;
      },
      false,
    ],
  ])('is none where the store %s', async (_, refuses, areOffered) => {
    small.meddle = ({ headers }) => (refuses(headers) ? { status: 501, code: 'NotImplemented' } : null);
    const conditions = makeConditions();
    expect(await lock((check) => Promise.resolve(check), { conditions })).toBeNull();
    // Writes find out for themselves what a store refuses.
    expect(conditions.areOffered()).toBe(areOffered);
    expect(lockThere()).toBeNull();
  });
});
