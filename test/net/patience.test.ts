import { expect, test } from 'vitest';
import { PacksignError } from '../../src/errors.js';
import { networkError } from '../../src/net/failure.js';
import { makePatience } from '../../src/net/patience.js';

const HASTY = { backOffMs: 1, patienceMs: 1000 } as const;
const passing = () => networkError('closed', null, { isFinal: false });

/** Runs attempts that fail as they are told, and counts them. */
async function attempts(
  failures: readonly (() => Error)[],
  progress?: () => number,
): Promise<{ readonly count: number; readonly error: unknown }> {
  let count = 0;
  const attempt = () => {
    const failure = failures[count];
    count += 1;
    return failure === undefined ? Promise.resolve('done') : Promise.reject(failure());
  };
  const error = await makePatience(HASTY)
    .retrying(attempt, progress)
    .then(
      () => null,
      (reason: unknown) => reason,
    );
  return { count, error };
}

test('what may pass is tried three times, what is final once, what is no failure of the network never again', async () => {
  expect(await attempts([passing, passing])).toEqual({ count: 3, error: null });
  expect((await attempts([passing, passing, passing])).count).toBe(3);
  expect((await attempts([() => networkError('404')])).count).toBe(1);
  expect((await attempts([() => new PacksignError('NETWORK_SLOW', 'slow')])).count).toBe(1);
  expect((await attempts([() => new TypeError('a bug')])).count).toBe(1);
});

test('attempts that bring something are not counted', async () => {
  let bytes = 0;
  const gaining = () => {
    bytes += 1;
    return passing();
  };
  expect((await attempts(Array<() => Error>(20).fill(gaining), () => bytes)).error).toBeNull();
  expect((await attempts(Array<() => Error>(20).fill(passing), () => bytes)).count).toBe(3);
});

test('a server that has enough is asked more often, but not for ever', async () => {
  const throttled = () => networkError('429', null, { isFinal: false, isThrottling: true });
  expect(await attempts(Array<() => Error>(5).fill(throttled))).toEqual({ count: 6, error: null });
});

test('T30: a server that has us wait again and again is not waited for longer than twice our patience', async () => {
  // What is waited for is counted as it is asked for, however late the timers of a busy machine ring.
  for (const [waitMs, most] of [
    [0, 6],
    [600, 4],
  ] as const) {
    const patience = makePatience(HASTY);
    let count = 0;
    const work = patience.retrying(async () => {
      await patience.turn();
      count += 1;
      throw networkError('503', null, { isFinal: false, isThrottling: true, waitMs });
    });
    const hint = expect.stringContaining('--timeout') as string;
    await expect(work).rejects.toMatchObject({ code: 'NETWORK', hint });
    expect(count).toBe(most);
  }
});

test('nor one that fails, and each time asks for a pause', async () => {
  const later = () => networkError('502', null, { isFinal: false, waitMs: 1100 });
  expect((await attempts([later, later])).count).toBe(2);
});

test('a server that asks for a long pause is not waited for', async () => {
  const later = () => networkError('503', null, { isFinal: false, isThrottling: true, waitMs: 1e9 });
  const { count, error } = await attempts([later]);
  expect(count).toBe(1);
  expect(error).toMatchObject({
    code: 'NETWORK',
    message: expect.stringMatching(/wait 16667 minutes/) as string,
  });
});

test('once a server has had enough, all requests wait', async () => {
  const patience = makePatience(HASTY);
  let isFirst = true;
  await patience.retrying(() => {
    if (!isFirst) return Promise.resolve();
    isFirst = false;
    return Promise.reject(networkError('429', null, { isFinal: false, isThrottling: true }));
  });
  const started = performance.now();
  await patience.turn();
  await patience.turn();
  expect(performance.now() - started).toBeGreaterThan(240);
});
