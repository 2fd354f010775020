import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';
import { startSmallStore } from '../upload/s3/small-store.js';
import type { SmallStore } from '../upload/s3/small-store.js';
import { eventually } from '../watch/watching.js';

let ann: TestKey;
let place: Place;
let store: SmallStore;

beforeAll(async () => {
  ann = await newKey('Ann');
});

beforeEach(async () => {
  store = await startSmallStore();
  place = newPlace();
  place.write('ann.asc', ann.signing);
  place.write('dist/a-1.0.tar.gz', sdist('a', '1.0'));
  expect(await place.packsign(['build', 'dist', '--key', 'ann.asc'])).toMatchObject({ status: 0 });
  return async () => await store.stop();
});

const LOCK = 'dist/.packsign-publish';
const env = () => ({
  ...{ PATH: process.env['PATH'], HOME: place.path('home'), XDG_STATE_HOME: place.path('state') },
  ...{ AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_ENDPOINT_URL_S3: store.url },
});

/** Ends a command in the middle of a publication, and gives its exit status. */
async function endedBy(signal: NodeJS.Signals, args: readonly string[]): Promise<number | null> {
  let isStuck = false;
  const before = store.meddle;
  store.meddle = (asked) => {
    const isDatabase = asked.method === 'PUT' && asked.key === 'dist/packages.plist';
    if (isDatabase) isStuck = true;
    return isDatabase ? 'silence' : before(asked);
  };
  const child = spawn(process.execPath, [resolve('dist/bin/packsign.js'), ...args], {
    cwd: place.root,
    env: env(),
  });
  const over = new Promise<number | null>((done) => child.on('close', done));
  await eventually('it writes the database', () => isStuck);
  expect(store.objects.has(LOCK)).toBe(true);
  child.kill(signal);
  return await over;
}

describe('a signal', () => {
  const PUBLISH = ['publish', 'dist', 's3://bucket/dist'] as const;

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 143],
  ] as const)(
    '%s leaves no lock in a bucket, and the next command goes on at once',
    async (signal, status) => {
      expect(await endedBy(signal, PUBLISH)).toBe(status);
      expect(store.objects.has(LOCK)).toBe(false);
      store.meddle = () => null;
      expect(await place.packsign(PUBLISH, { env: env() })).toMatchObject({ status: 0 });
    },
  );

  test('ends a watch that publishes to a bucket, without its lock', async () => {
    const watching = ['watch', 'dist', '--key', 'ann.asc', '--publish'];
    place.write('dist/packsign.json', '{ "Publish": ["s3://bucket/dist"] }');
    expect(await endedBy('SIGTERM', watching)).toBe(0);
    expect(store.objects.has(LOCK)).toBe(false);
  });

  test('does not wait for a store that gives no answer', async () => {
    store.meddle = ({ method, key }) => (method === 'GET' && key === LOCK ? 'silence' : null);
    expect(await endedBy('SIGTERM', PUBLISH)).toBe(143);
    expect(store.objects.has(LOCK)).toBe(true);
  });
});
