import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';
import { startSmallStore } from '../upload/s3/small-store.js';
import type { SmallStore } from '../upload/s3/small-store.js';
import { PATIENCE_MS, endAll, eventually, startWatch } from './watching.js';
import type { Watching } from './watching.js';

let ann: TestKey;
let place: Place;
let store: SmallStore;

beforeAll(async () => {
  ann = await newKey('Ann');
});
afterAll(endAll);

beforeEach(async () => {
  store = await startSmallStore();
  place = newPlace();
  place.write('ann.asc', ann.signing);
  place.write('keys.asc', ann.certificate);
  place.write('own/packsign.json', '{ "Maintainer": "Ann <ann@example.org>" }');
  return async () => {
    endAll();
    await store.stop();
  };
});

const ADDRESS = 's3://bucket/dist';
const env = () => ({
  ...{ AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_ENDPOINT_URL_S3: store.url },
});

function start(...args: readonly string[]): Watching {
  const how = ['--state', 'own', '--key', 'ann.asc', '--poll', '500ms'];
  return startWatch(place, [ADDRESS, ...how, ...args], { env: env() });
}

function put(path: string, bytes: Buffer | string): void {
  store.objects.set(`dist/${path}`, { bytes: Buffer.from(bytes), headers: {} });
}

async function published(): Promise<readonly string[]> {
  const { value } = await place.json(['verify', ADDRESS, '--keys', 'keys.asc'], { env: env() });
  expect(value).toMatchObject({ ok: true });
  const listed = await place.json(['list', ADDRESS, '--keys', 'keys.asc'], { env: env() });
  return (listed.value['packages'] as { readonly path: string }[]).map(({ path }) => path);
}

describe('watch s3://BUCKET', { timeout: 2 * PATIENCE_MS }, () => {
  test('signs and publishes what comes and goes; replaced bytes wait for a person', async () => {
    const watching = start();
    await watching.until({ event: 'held', code: 'NOTHING_TO_LIST' });
    put('a-1.0.tar.gz', sdist('a', '1.0'));
    await watching.until({ event: 'signed', paths: ['a-1.0.tar.gz'] });
    await watching.until({ event: 'published' });
    put('b-1.0.tar.gz', sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: ['b-1.0.tar.gz'] });
    await watching.until({ event: 'published' });
    expect(await published()).toEqual(['a-1.0.tar.gz', 'b-1.0.tar.gz']);
    put('a-1.0.tar.gz', sdist('a', '1.0', 'x = 2\n'));
    const refused = await watching.until({
      event: 'refused',
      code: 'BYTES_CHANGED',
      paths: ['a-1.0.tar.gz'],
    });
    expect(refused.hint).toContain(`${ADDRESS} --state own`);
    store.objects.delete('dist/b-1.0.tar.gz');
    await watching.until({ event: 'signed', paths: ['b-1.0.tar.gz'] });
    put('a-1.0.tar.gz', sdist('a', '1.0'));
    await watching.until({ event: 'published' });
    expect(await watching.stop(), watching.stderr()).toBe(0);
    expect(watching.lines.filter(({ code }) => code === 'BYTES_CHANGED')).toHaveLength(1);
    expect(await published()).toEqual(['a-1.0.tar.gz']);
  });

  test('publishes again what somebody removes or replaces there', async () => {
    put('a-1.0.tar.gz', sdist('a', '1.0'));
    const watching = start();
    await watching.until({ event: 'published' });
    const database = store.objects.get('dist/packages.plist')?.bytes ?? Buffer.of();
    store.objects.delete('dist/packages.plist');
    await eventually('it is back', () => store.objects.has('dist/packages.plist'));
    expect(store.objects.get('dist/packages.plist')?.bytes.equals(database)).toBe(true);
    const keys = store.objects.get('dist/keys.asc')?.bytes ?? Buffer.of();
    put('keys.asc', 'x');
    await eventually(
      'the keys are back',
      () => store.objects.get('dist/keys.asc')?.bytes.equals(keys) === true,
    );
    expect(await watching.stop(), watching.stderr()).toBe(0);
    expect(await published()).toEqual(['a-1.0.tar.gz']);
  });

  test('lists the bucket once a round, and asks for nothing else while nothing changes', async () => {
    put('a-1.0.tar.gz', sdist('a', '1.0'));
    put('NOTES', 'text');
    const watching = start();
    await watching.until({ event: 'published' });
    // What was published is in the next list, and looked at once.
    const lastAsked = () => store.asked.slice(-4).map(({ method, key }) => `${method} ${key}`);
    await eventually('four lists in a row', () => lastAsked().join() === 'GET ,GET ,GET ,GET ');
    expect(await watching.stop()).toBe(0);
    expect(watching.lines.filter(({ event }) => event === 'signed')).toHaveLength(1);
  });

  test('says once that the store is away, and goes on when it is back', async () => {
    const hook = ['--on-failure', 'sh -c "cat >> failures"', '--on-publish', 'sh -c "cat >> publications"'];
    put('a-1.0.tar.gz', sdist('a', '1.0'));
    const watching = start(...hook);
    await watching.until({ event: 'published' });
    for (const name of ['b', 'c']) {
      store.asked.length = 0;
      store.meddle = () => ({ status: 403, code: 'AccessDenied' });
      const error = await watching.until({ event: 'error', code: 'DESTINATION_FAILED' });
      expect(error.message).toContain('list the files at s3://bucket/dist');
      await eventually('tried again', () => store.asked.length > 4);
      put(`${name}-1.0.tar.gz`, sdist(name, '1.0'));
      store.meddle = () => null;
      await watching.until({ event: 'signed', paths: [`${name}-1.0.tar.gz`] });
      await watching.until({ event: 'published' });
    }
    expect(await watching.stop()).toBe(0);
    expect(watching.lines.filter(({ event }) => event === 'error')).toHaveLength(2);
    // A publication that was under way fails too.
    const told = (name: string, event: string) => place.text(name).split(`"event":"${event}"`).length - 1;
    expect([told('failures', 'error'), told('publications', 'published')]).toEqual([2, 3]);
  });

  test('ends at a signal while the store does not answer', async () => {
    put('a-1.0.tar.gz', sdist('a', '1.0'));
    const watching = start();
    await watching.until({ event: 'published' });
    store.meddle = () => 'silence';
    store.asked.length = 0;
    await eventually('a list is asked for', () => store.asked.length > 0);
    expect(await watching.stop('SIGTERM')).toBe(0);
    expect(watching.lines.at(-1)?.event).toBe('stopped');
  });

  test('--once signs and publishes what is there, and ends', async () => {
    put('a-1.0.tar.gz', sdist('a', '1.0'));
    expect(await start('--once').ended()).toBe(0);
    expect(await published()).toEqual(['a-1.0.tar.gz']);
    store.meddle = ({ method }) => (method === 'PUT' ? { status: 403, code: 'AccessDenied' } : null);
    put('b-1.0.tar.gz', sdist('b', '1.0'));
    expect(await start('--once').ended()).toBe(2);
  });

  test('reads settings that somebody changes, and finds what they list', async () => {
    put('a-1.0.tar.gz', sdist('a', '1.0'));
    put('tool.cfg', 'x');
    const watching = start();
    await watching.until({ event: 'published' });
    place.write('own/packsign.json', '{ "Maintainer": "Ann <ann@example.org>", "Include": ["*.cfg"] }');
    const args = ['build', ADDRESS, '--state', 'own', '--key', 'ann.asc', '--wait', '1min'];
    expect(await place.packsign(args, { env: env() })).toMatchObject({ status: 0 });
    await eventually('a cycle', () => watching.lines.some(({ event }) => event === 'unchanged'));
    put('more.cfg', 'x');
    await watching.until({ event: 'signed', paths: ['more.cfg'] });
    expect(await watching.stop()).toBe(0);
  });

  test('USAGE: --poll takes a time, and --serve a directory', async () => {
    const args = ['watch', ADDRESS, '--state', 'own', '--key', 'ann.asc'];
    const poll = await place.packsign([...args, '--poll', 'often'], { env: env() });
    expect([poll.status, poll.stderr]).toEqual([
      2,
      expect.stringContaining('--poll must be a time like 30s'),
    ]);
    const shown = await place.packsign([...args, '--serve'], { env: env() });
    expect([shown.status, shown.stderr]).toEqual([2, expect.stringContaining(`not the files of ${ADDRESS}`)]);
  });
});
