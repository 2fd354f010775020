import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { identityOfObject } from '../../src/stores/list.js';
import { newByteCount } from '../../src/workers/byte-count.js';
import { startHashingObjects } from '../../src/workers/hash-objects.js';
import { openThreads } from '../../src/workers/threads.js';
import type { Threads } from '../../src/workers/threads.js';

const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Hashes so many objects of one size in a store that is slow now and then; gives what was found, and what is right. */
async function hashSome(count: number, threads: Threads) {
  const objects = Array.from({ length: count }, (_, number) => ({
    path: `p${number}-1.0.gz`,
    bytes: randomBytes(3000),
  }));
  const byPath = new Map(objects.map(({ path, bytes }) => [path, bytes]));
  const files = objects.map(({ path, bytes }) => ({
    path,
    identity: identityOfObject({ size: bytes.length, etag: sha256Of(bytes), modifiedMs: 0 }),
  }));
  const found = await startHashingObjects(
    files,
    {
      ...{ threads, concurrency: 2, md5: false, inspect: 'whole', secrets: true, counted: newByteCount() },
      needs: () => ({ md5: false, metadata: true }),
      read: async ({ path }, at, length) => {
        await sleep(Math.random() * 6);
        return (byPath.get(path) ?? Buffer.of()).subarray(at, at + length);
      },
    },
    () => undefined,
  ).finish();
  return {
    found: found.map((one) => (one.kind === 'digested' ? one.sha256 : one)),
    right: objects.map(({ bytes }) => sha256Of(bytes)),
  };
}

test('a thread that does two works at once confuses neither their objects nor their results', async () => {
  const threads = { ...openThreads({ most: 1 }), count: 1 };
  const both = await Promise.all([hashSome(60, threads), hashSome(80, threads)]);
  for (const { found, right } of both) expect(found).toEqual(right);
  const { found, right } = await hashSome(20, threads);
  expect(found).toEqual(right);
  threads.stop();
});
