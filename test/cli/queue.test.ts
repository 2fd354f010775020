import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, symlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newPlace, sdist } from '../packsign.js';
import { fill, openWorkersScene, readFiles } from '../release/workers-scene.js';
import type { WorkersScene } from '../release/workers-scene.js';
import { startRedis } from '../servers/redis.js';
import { sha256Of } from '../upload/s3/small-store.js';
import { hasTool } from '../tools.js';

describe.runIf(hasTool('redis-server'))('build --queue and worker', () => {
  let scene: WorkersScene;

  beforeEach(async () => {
    scene = await openWorkersScene();
  });

  afterEach(async () => {
    await scene.end();
  });

  test('make the very database of a build without workers, who read everything once', async () => {
    const { place, store, redis } = scene;
    fill(store, 60);
    const worker = await scene.worker();
    expect(worker.printed()).toContain(`working on the queue ${redis.url}, 8 objects at once`);
    expect(await scene.build()).toMatchObject({ status: 0, stderr: '' });
    const read = readFiles(store);
    expect([read.length, new Set(read).size]).toEqual([61, 61]);
    expect(place.read('state/packages.unsigned.plist').equals(await scene.expected())).toBe(true);
    // The cache has it all, and the queue nothing.
    expect((await scene.build()).stdout).toContain('(0 hashed, 62 known)');
    expect(await left(redis.port)).toEqual([]);
    worker.child.kill('SIGTERM');
    expect(await worker.ended).toBe(0);
    expect(worker.printed()).toMatch(/stopped: read 62 files \(\d.* MB\)\n$/);
    expect(place.has('.packsign')).toBe(false);
  });

  test('with "Store-Hashes", workers read what the store has no hash of', async () => {
    const { place, store } = scene;
    place.write('state/packsign.json', '{ "Maintainer": "Ann <ann@example.org>", "Store-Hashes": true }');
    for (const name of ['a', 'b', 'c']) {
      const bytes = sdist(name, '1.0');
      const kept = name === 'b' ? {} : { sha256: sha256Of(bytes) };
      store.objects.set(`dist/${name}-1.0.tar.gz`, { bytes, headers: {}, ...kept });
    }
    const worker = await scene.worker();
    expect(await scene.build()).toMatchObject({ status: 0, stderr: '' });
    worker.child.kill('SIGTERM');
    expect(await worker.ended).toBe(0);
    expect(worker.printed()).toContain('stopped: read 1 file (');
    expect(readFiles(store)).toEqual(['dist/b-1.0.tar.gz']);
  });

  test('say what to start where nobody works, and lose nothing by Ctrl-C', async () => {
    const { store, redis } = scene;
    fill(store, 3);
    const build = scene.start();
    await build.says(`start one or more, here or elsewhere: packsign worker --queue ${redis.url}`);
    build.child.kill('SIGINT');
    expect(await build.ended).toBe(130);
    await scene.worker();
    const again = await scene.build();
    expect(again).toMatchObject({ status: 0, stderr: '' });
    expect(new Set(readFiles(store)).size).toBe(readFiles(store).length);
  });

  test('a worker that is told to stop gives back what it has begun, and begins nothing more', async () => {
    const { store, middleman, place } = scene;
    fill(store, 40);
    middleman.habits.delayMs = 300;
    const first = await scene.worker('--concurrency', '1');
    const build = scene.start();
    while (readFiles(store).length < 3) await sleep(20);
    first.child.kill('SIGTERM');
    expect(await first.ended).toBe(0);
    expect(readFiles(store).length).toBeLessThan(40);
    middleman.habits.delayMs = 0;
    await scene.worker();
    expect([await build.ended, build.printed()]).toEqual([0, expect.stringContaining('(42 hashed')]);
    expect(place.read('state/packages.unsigned.plist').equals(await scene.expected())).toBe(true);
  });

  test('a worker whom the store refuses ends, and spoils nothing for the others', async () => {
    const { store, place, redis, env } = scene;
    fill(store, 10);
    const build = scene.start();
    const refused = { ...env, AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9' };
    const { status, stderr } = await place.process(['worker', '--queue', redis.url], { env: refused });
    expect([status, stderr]).toEqual([2, expect.stringMatching(/cannot read \S+ at s3:\/\/bucket\/dist/)]);
    await scene.worker();
    expect([await build.ended, build.printed()]).toEqual([
      0,
      expect.not.stringContaining('warning: workers'),
    ]);
  });

  test('with a sample read again, the chance of finding a lie is said', async () => {
    fill(scene.store, 60);
    await scene.worker();
    const { status, stderr } = await scene.build('--double-check', '5%');
    expect([status, stderr]).toEqual([
      0,
      'packsign: read 4 files of 62 again that workers had read: no difference; had they lied about 1 of them, this would have shown with a probability of 6.5 %\n',
    ]);
  });

  test('the password of a queue is never printed', async () => {
    const { place, env } = scene;
    const closed = await startRedis('--requirepass', 'hush');
    const { host } = new URL(closed.url);
    const worker = ['worker', '--queue', `redis://:wrong-hush@${host}`];
    for (const [args, more] of [
      [worker, {}],
      [[...worker, '--json'], {}],
      [[...worker, '--verbose', '--concurency', '3'], {}],
      [['worker', '--queue', `redis://:wrong-hush@/@${host}`], {}],
      [['worker'], { PACKSIGN_QUEUE: `redis://:wrong-hush@${host}` }],
    ] as const) {
      const { status, stdout, stderr } = await place.process(args, { env: { ...env, ...more } });
      expect(status, stderr).toBe(2);
      expect(stdout + stderr).not.toContain('hush');
    }
    const typed = await place.process(worker, { env });
    expect(typed.stderr).toContain('the password in --queue can be seen by other users of this machine');
    expect(typed.stderr).toContain('PACKSIGN_QUEUE');
    await closed.end();
  });

  test('QUEUE_FAILED: says at once that there is no Redis, or one that loses work', async () => {
    const { place, env, redis } = scene;
    const nobody = await place.process(['worker', '--queue', 'redis://127.0.0.1:9'], { env });
    expect([nobody.status, nobody.stderr]).toEqual([
      2,
      expect.stringContaining('cannot use the queue redis://127.0.0.1:9: connect ECONNREFUSED'),
    ]);
    const admin = new Redis(redis.port);
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    admin.disconnect();
    const forgetful = await scene.build();
    expect([forgetful.status, forgetful.stderr]).toEqual([
      2,
      expect.stringContaining('CONFIG SET maxmemory-policy noeviction'),
    ]);
  });

  test('USAGE: what makes no sense is refused, before anything is read', async () => {
    const { place, env, redis } = scene;
    const lines: readonly (readonly [args: readonly string[], says: string])[] = [
      [['worker'], 'no queue to work on'],
      [
        ['worker', '--queue', 'http://127.0.0.1'],
        'the address of the queue is none such as redis://HOST:6379',
      ],
      [['build', 'dist', '--queue', redis.url], '--queue is for files in a bucket'],
      [['build', 's3://bucket/dist', '--state', 'state', '--double-check', '5'], 'no queue is named'],
      ...['0', '101', '-1', '5%%', 'all'].map(
        (percent) =>
          [
            [
              'build',
              's3://bucket/dist',
              '--state',
              'state',
              '--queue',
              redis.url,
              `--double-check=${percent}`,
            ],
            '--double-check must be a percentage like 5% or 100',
          ] as const,
      ),
    ];
    for (const [args, says] of lines) {
      expect(await place.packsign(args, { env }), args.join(' ')).toMatchObject({
        status: 2,
        stderr: expect.stringContaining(says) as string,
      });
    }
  });

  /** What is in the queue for anybody. */
  async function left(port: number): Promise<readonly string[]> {
    const redis = new Redis(port);
    const keys = await redis.keys('*');
    redis.disconnect();
    return keys.filter((key) => !/:(?:meta|id|events|stalled-check|marker)$/.test(key));
  }
});

test('BULLMQ_MISSING: says what to install where the packages of a queue are not', () => {
  const place = newPlace();
  cpSync('dist', place.path('node_modules/packsign/dist'), { recursive: true });
  cpSync('package.json', place.path('node_modules/packsign/package.json'));
  for (const name of readdirSync('node_modules').filter((one) => !/^(?:bullmq|ioredis|\..*)$/.test(one))) {
    symlinkSync(`${process.cwd()}/node_modules/${name}`, place.path(`node_modules/${name}`));
  }
  const program = place.path('node_modules/packsign/dist/bin/packsign.js');
  const run = (...args: readonly string[]) =>
    spawnSync(process.execPath, [program, ...args], {
      encoding: 'utf8',
      env: {
        ...process.env,
        AWS_ACCESS_KEY_ID: 'id',
        AWS_SECRET_ACCESS_KEY: 'secret',
        AWS_REGION: 'us-east-1',
      },
    });
  expect(run('worker', '--queue', 'redis://127.0.0.1')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('npm install bullmq ioredis') as string,
  });
  expect(run('status', place.path('dist')).stdout).toContain('next:');
});
