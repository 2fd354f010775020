import { mkdirSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { follow } from '../../src/upload/follow.js';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';

describe('watch --publish', () => {
  let here: Place;

  beforeEach(async () => {
    here = newPlace();
    here.write('ann.asc', (await newKey('Ann')).signing);
    here.write('dist/a-1.0.tar.gz', sdist('a', '1.0'));
    here.write('dist/packsign.json', JSON.stringify({ Publish: [here.path('www')], Settle: '100 ms' }));
  });

  const watched = async (...more: readonly string[]) => {
    const run = await here.process([
      'watch',
      'dist',
      '--key',
      'ann.asc',
      '--once',
      '--publish',
      '--json',
      ...more,
    ]);
    const events = run.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { readonly event: string; readonly code?: string });
    return { run, events };
  };

  test('--once publishes what it signed, and says so; what was published before too', async () => {
    mkdirSync(here.path('www'));
    const { run, events } = await watched();
    expect(run.status, run.stderr).toBe(0);
    expect(events.map(({ event }) => event)).toContain('published');
    expect(here.read('www/packages.plist')).toEqual(here.read('dist/packages.plist'));
    here.remove('www/packages.plist');
    expect((await watched()).events).toContainEqual(expect.objectContaining({ event: 'published' }));
  });

  test('--once fails if a destination fails, signs all the same, and runs --on-failure', async () => {
    const { run, events } = await watched('--on-failure', `sh -c 'cat > ${here.path('failure')}'`);
    expect(run.status).toBe(2);
    expect(events).toContainEqual(
      expect.objectContaining({ event: 'unpublished', code: 'DESTINATION_FAILED' }),
    );
    expect(here.has('dist/packages.plist')).toBe(true);
    expect(JSON.parse(here.text('failure'))).toMatchObject({
      event: 'unpublished',
      code: 'DESTINATION_FAILED',
    });
  });

  test('without a destination it does not begin', async () => {
    here.write('dist/packsign.json', '{}');
    const run = await here.process(['watch', 'dist', '--key', 'ann.asc', '--once', '--publish']);
    expect([run.status, run.stderr]).toEqual([2, expect.stringContaining('no destination given for dist')]);
  });
});

describe('uploads beside a watch', () => {
  /** Uploads that end when the test says so. */
  const scene = (once = false) => {
    const begun: ((isDone: boolean) => void)[] = [];
    const stop = new AbortController();
    const publish = () => new Promise<boolean>((resolve) => begun.push(resolve));
    return { begun, stop, ...follow({ publish, once, signal: stop.signal }) };
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  test('run one at a time; what is signed meanwhile goes out at once with the next', async () => {
    const { begun, tell, ended } = scene();
    for (let each = 0; each < 5; each += 1) tell();
    expect(begun).toHaveLength(1);
    begun[0]?.(true);
    await turn();
    expect(begun).toHaveLength(2);
    begun[1]?.(true);
    await ended();
    expect(begun).toHaveLength(2);
  });

  test('are tried again after a failure, but with --once', async () => {
    const { begun, stop, tell, ended } = scene();
    tell();
    begun[0]?.(false);
    await expect.poll(() => begun.length, { timeout: 10_000 }).toBe(2);
    stop.abort();
    await ended();
    const single = scene(true);
    single.tell();
    single.begun[0]?.(false);
    await single.ended();
    expect(single.begun).toHaveLength(1);
  });

  test('do not hold a watch that is stopped', async () => {
    const { begun, stop, tell, ended } = scene();
    tell();
    stop.abort();
    await ended();
    expect(begun).toHaveLength(1);
  });
});
