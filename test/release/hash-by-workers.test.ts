import { createHash } from 'node:crypto';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { decodeBatch } from '../../src/format/object-batch.js';
import type { ObjectBatch } from '../../src/format/object-batch.js';
import { encodeRows } from '../../src/format/object-rows.js';
import type { ObjectRow } from '../../src/format/object-rows.js';
import { isArchiveName } from '../../src/model/file-name.js';
import { NO_LOOK } from '../../src/model/inspection.js';
import { digestObject } from '../../src/workers/digest-object.js';
import { QUEUE_NAME } from '../../src/workers/queue.js';
import type { RemoteWorkers } from '../../src/places/remote-workers.js';
import type { Objects } from '../../src/places/objects.js';
import { startHashingByWorkers } from '../../src/release/hash-by-workers.js';
import { identityOfObject } from '../../src/stores/list.js';
import { newByteCount } from '../../src/workers/byte-count.js';
import { openThreads } from '../../src/workers/threads.js';
import { newKey, sdist } from '../packsign.js';
import { privateKeyPem } from '../pgp/hidden.js';
import { hasTool } from '../tools.js';
import { fill, openWorkersScene } from './workers-scene.js';
import type { WorkersScene } from './workers-scene.js';

const OTHER = 'a'.repeat(64);

/** What a worker answers that tells no lie. */
async function honestRows(batch: ObjectBatch, { store }: WorkersScene): Promise<readonly ObjectRow[]> {
  const rows = batch.objects.map(async ({ path, size, etag, modifiedMs, md5 }) => {
    const { bytes } = store.objects.get(`dist/${path}`) ?? { bytes: Buffer.of() };
    const fetch = (at: number, into: Buffer) => into.subarray(0, bytes.copy(into, 0, at));
    const how = { md5, metadata: isArchiveName(path), inspect: batch.inspect, secrets: true } as const;
    const digested = await digestObject({ path, size }, { fetch, spare: [] }, how);
    if (digested.kind === 'failed') throw new Error(digested.message);
    const { sha256, md5: hash, look } = digested;
    const seen = { sha256, md5: hash, ...(look ?? NO_LOOK) };
    return { path, size, etag, modifiedMs, isProgram: null, seen };
  });
  return await Promise.all(rows);
}

type Answer = (rows: readonly ObjectRow[], batch: ObjectBatch) => unknown;

describe.runIf(hasTool('redis-server'))('of workers who do not tell the truth', () => {
  let scene: WorkersScene;
  const running: { readonly close: () => Promise<void> }[] = [];

  let expected: Buffer;

  beforeAll(async () => {
    scene = await openWorkersScene();
    fill(scene.store, 20);
    expected = await scene.expected();
  });

  afterEach(async () => {
    for (const one of running.splice(0)) await one.close();
    await scene.anew();
  });

  afterAll(async () => {
    await scene.end();
  });

  async function answerWith(answer: Answer, name = 'mallory'): Promise<void> {
    const connection = new Redis(scene.redis.port, { maxRetriesPerRequest: null });
    const worker = new Worker<string>(
      QUEUE_NAME,
      async ({ data }) => {
        const batch = decodeBatch(data);
        return answer(await honestRows(batch, scene), batch);
      },
      { connection, name },
    );
    running.push({
      close: async () => {
        await worker.close(true);
        connection.disconnect();
      },
    });
    await worker.waitUntilReady();
  }

  const encode = (rows: readonly ObjectRow[], { inspect }: Pick<ObjectBatch, 'inspect'>) =>
    encodeRows({ inspect, rows });
  /** Says something else about one file. */
  const about = (path: string, change: (row: ObjectRow) => ObjectRow): Answer => {
    return (rows, batch) =>
      encode(
        rows.map((row) => (row.path === path ? change(row) : row)),
        batch,
      );
  };
  const seen =
    (change: object) =>
    (row: ObjectRow): ObjectRow => ({
      ...row,
      seen: row.seen === null ? null : { ...row.seen, ...change },
    });

  async function expectAsAlone(...args: readonly string[]): Promise<string> {
    const { status, stderr } = await scene.build(...args);
    expect(status, stderr).toBe(0);
    const made = scene.place.read('state/packages.unsigned.plist');
    expect(made.equals(expected), stderr).toBe(true);
    return stderr;
  }

  test('one who tells it is believed, so that these tests can fail', async () => {
    await answerWith(encode);
    expect(await expectAsAlone('--double-check', '100')).toBe(
      'packsign: read 22 files of 22 again that workers had read: no difference\n',
    );
  });

  test.each<readonly [string, Answer]>([
    ['nothing', () => ''],
    ['no text', () => ({ rows: [] })],
    ['something that is no JSON', () => '{'],
    ['too much', () => 'x'.repeat(17 * 1024 * 1024)],
    [
      'files that nobody asked for',
      (rows, batch) => encode([...rows, { ...rows[0]!, path: 'zzz-1.0.tar.gz' }], batch),
    ],
    [
      'another version of each file',
      (rows, batch) =>
        encode(
          rows.map((row) => ({ ...row, etag: 'b'.repeat(32) })),
          batch,
        ),
    ],
    [
      'another size',
      (rows, batch) =>
        encode(
          rows.map((row) => ({ ...row, size: row.size + 1 })),
          batch,
        ),
    ],
    [
      'another time',
      (rows, batch) =>
        encode(
          rows.map((row) => ({ ...row, modifiedMs: 1 })),
          batch,
        ),
    ],
    ['files looked through less than asked', (rows) => encode(rows, { inspect: 'ends' })],
    ['no MD5', (rows, batch) => encode(rows.map(seen({ md5: null })), batch)],
    ['a file twice', (rows, batch) => encode([rows[0]!, ...rows], batch)],
  ])('an answer with %s is not believed, and the files are read here', async (_, answer) => {
    await answerWith(answer);
    expect(await expectAsAlone()).toMatch(
      /warning: the worker (?:mallory|without a name) gives answers that are not credible/,
    );
  });

  test('an answer that lacks files is completed here', async () => {
    await answerWith((rows, batch) => encode(rows.slice(1), batch));
    expect(await expectAsAlone()).toBe('');
  });

  test('failures are retried, then the files are read here', async () => {
    await answerWith(() => {
      throw Object.assign(new Error('out of order'), { name: 'UnrecoverableError' });
    });
    expect(await expectAsAlone()).toContain('workers failed, and their files are read here: out of order');
  });

  test.each<readonly [string, Answer]>([
    ['a wrong MD5', about('p1/pkg1-1.0.tar.gz', seen({ md5: 'c'.repeat(32) }))],
    ['both hashes of other bytes', about('p1/pkg1-1.0.tar.gz', seen({ md5: 'c'.repeat(32), sha256: OTHER }))],
  ])('WORKER_DIFFERS: %s is found by the ETag; worker and path are named', async (_, answer) => {
    await answerWith(answer);
    const { status, stderr } = await scene.build();
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining('the worker mallory:\n    p1/pkg1-1.0.tar.gz\n'),
    ]);
    expect(scene.place.has('state/packages.unsigned.plist')).toBe(false);
  });

  test.each<readonly [string, (row: ObjectRow) => ObjectRow]>([
    ['a SHA-256', seen({ sha256: OTHER })],
    ['what a file says of itself', seen({ reading: { kind: 'absent', reason: 'no metadata' } })],
    ['damage', seen({ inspection: { kind: 'damaged', reason: 'ends early' } })],
  ])('WORKER_DIFFERS: a double check of everything finds a lie about %s', async (_, change) => {
    await answerWith(about('p1/pkg1-1.0.tar.gz', change));
    const { status, stderr } = await scene.build('--double-check=100%');
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining('the worker mallory:\n    p1/pkg1-1.0.tar.gz\n'),
    ]);
    expect(scene.place.has('state/packages.unsigned.plist')).toBe(false);
    // Nothing that it said counts any more.
    for (const one of running.splice(0)) await one.close();
    await answerWith(encode, 'alice');
    await expectAsAlone();
  });

  test('a secret that a worker does not see is found by a double check, and one that it leaves out in any case', async () => {
    const { place, store } = scene;
    store.objects.set('dist/keys-1.0.dmg', { bytes: Buffer.from(privateKeyPem()), headers: {} });
    place.write('ann.asc', (await newKey('Ann')).signing);
    await answerWith(encode);
    expect(await scene.build('--double-check', '100')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('    keys-1.0.dmg') as string,
    });
    for (const one of running.splice(0)) await one.close();
    await scene.worker();
    const { status, stderr } = await scene.build('--key', 'ann.asc');
    expect([status, stderr]).toEqual([1, expect.stringMatching(/keys-1\.0\.dmg[^]*private key/)]);
    expect(place.has('state/packages.plist')).toBe(false);
    store.objects.delete('dist/keys-1.0.dmg');
  });
});

test('where a store encrypts, no ETag is an MD5: a few files tell, and the others are believed', async () => {
  const bytes = sdist('demo', '1.0');
  const [md5, sha256] = ['md5', 'sha256'].map((name) => createHash(name).update(bytes).digest('hex'));
  const stored = { size: bytes.length, modifiedMs: 1, etag: 'f'.repeat(32) };
  const files = Array.from({ length: 30 }, (_, index) => ({
    path: `demo-1.${index}.tar.gz`,
    identity: identityOfObject(stored),
  }));
  const read: string[] = [];
  const told: string[] = [];
  const workers: RemoteWorkers = {
    doubleCheck: null,
    settle: () => undefined,
    forget: () => Promise.resolve(),
    ask: (questions, take) => {
      questions.forEach((text, number) => {
        const { objects, inspect } = decodeBatch(text);
        const seen = {
          sha256: sha256!,
          md5: md5!,
          reading: NO_LOOK.reading,
          inspection: { kind: 'sound', inspect },
        } as const;
        const rows = objects.map((object) => ({ ...object, isProgram: null, seen }));
        take({ kind: 'answer', worker: 'alice', text: encodeRows({ inspect, rows }) }, number);
      });
      return Promise.resolve();
    },
  };
  const threads = openThreads();
  const objects: Objects = {
    ...{
      address: 's3://bucket/dist',
      concurrency: 8,
      workers,
      identityOf: () => null,
      told: null,
      kindOf: () => null,
      storedSha256: () => Promise.resolve(null),
      listAgain: () => Promise.resolve(),
    },
    listing: () => new Map(files.map(({ path }) => [path, stored])),
    scan: () => {
      throw new Error('not asked');
    },
    read: ({ path }, at, length) => {
      read.push(path);
      return Promise.resolve(bytes.subarray(at, at + length));
    },
  };
  const hashing = startHashingByWorkers(
    files,
    {
      ...{
        objects,
        workers,
        threads,
        md5: true,
        metadata: false,
        inspect: 'whole',
        directory: '.',
        secrets: true,
      },
      ...{ counted: newByteCount(), needs: () => ({ md5: true, metadata: false }) },
      warn: ({ message }) => told.push(message),
    },
    () => undefined,
  );
  const results = await hashing.finish();
  threads.stop();
  expect(results.map((digested) => 'sha256' in digested && digested.sha256)).toEqual(files.map(() => sha256));
  expect([new Set(read).size, told]).toEqual([8, []]);
});
