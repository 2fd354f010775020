import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fill, openWorkersScene, readFiles } from '../release/workers-scene.js';
import type { WorkersScene } from '../release/workers-scene.js';
import { hasTool } from '../tools.js';

/** How long to go on; once without `npm run soak`. */
const SECONDS = Number(process.env['PACKSIGN_SOAK_SECONDS'] ?? 0) / 10;
const FILES = 150;

describe.runIf(hasTool('redis-server'))('a queue', () => {
  let scene: WorkersScene;

  beforeEach(async () => {
    scene = await openWorkersScene();
  });

  afterEach(async () => {
    await scene.end();
  });

  const hasRead = async (count: number) => {
    while (readFiles(scene.store).length < count) await sleep(20);
  };

  /** Two parts of the work in their order, and milliseconds. */
  function anyMoments(): readonly [early: number, late: number, pause: number] {
    const [one, other] = [0.95 * Math.random(), 0.95 * Math.random()];
    return [Math.min(one, other), Math.max(one, other), 500 * Math.random()];
  }

  async function troubleOnce(): Promise<void> {
    const { store, middleman, place, redis } = scene;
    store.objects.clear();
    store.asked.length = 0;
    fill(store, FILES);
    middleman.habits.delayMs = 40;
    const workers = await Promise.all([1, 2, 3, 4].map(() => scene.worker('--concurrency', '2')));
    const first = scene.start();
    const [early, late, pause] = SECONDS > 0 ? anyMoments() : [0.2, 0.2, 0];
    await hasRead(early * FILES);
    workers[0]!.child.kill('SIGKILL');
    workers[1]!.child.kill('SIGSTOP');
    await hasRead(late * FILES);
    await sleep(pause);
    first.child.kill('SIGKILL');
    await sleep(pause);
    await redis.stop('SIGKILL');
    await redis.start();
    const again = await scene.build();
    expect([again.status, again.stderr]).toEqual([0, expect.not.stringContaining('warning')]);
    expect(place.read('state/packages.unsigned.plist').equals(await scene.expected())).toBe(true);
    for (const { child, ended } of workers) {
      child.kill('SIGTERM');
      child.kill('SIGCONT');
      await ended;
    }
    expect(await workers[2]!.ended).toBe(0);
  }

  test('loses nothing when a worker is killed, another one is stopped, the build is killed and Redis starts again', async () => {
    const begunMs = performance.now();
    let rounds = 0;
    do {
      await scene.anew();
      scene.place.write('alone/.packsign/x', '');
      scene.place.remove('alone');
      await troubleOnce();
      rounds += 1;
    } while (performance.now() - begunMs < SECONDS * 1000);
    console.warn(`${rounds} rounds of trouble for a queue`);
  });

  // It takes the minute for which a queue may be away.
  test.runIf(SECONDS > 0)('QUEUE_FAILED: a worker whose queue is gone for good ends', async () => {
    const worker = await scene.worker();
    await scene.redis.stop('SIGKILL');
    expect(await worker.ended).toBe(2);
    expect(worker.printed()).toContain('run the same command again: what is in the queue is not lost');
  });

  test('has two builds of one bucket read each file once', async () => {
    const { store, place, env, redis } = scene;
    fill(store, FILES);
    scene.middleman.habits.delayMs = 10;
    await Promise.all([scene.worker(), scene.worker()]);
    place.write('other/packsign.json', place.read('state/packsign.json'));
    const words = ['build', 's3://bucket/dist', '--queue', redis.url];
    const [one, other] = await Promise.all(
      ['state', 'other'].map(async (folder) => await place.process([...words, '--state', folder], { env })),
    );
    expect([one?.status, other?.status], `${one?.stderr}${other?.stderr}`).toEqual([0, 0]);
    expect(
      place.read('state/packages.unsigned.plist').equals(place.read('other/packages.unsigned.plist')),
    ).toBe(true);
    expect(readFiles(store).length).toBe(new Set(readFiles(store)).size);
  });
});
