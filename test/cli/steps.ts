import { mkdirSync } from 'node:fs';
import { afterAll, expect } from 'vitest';
import { serve } from '../consume/scene.js';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { startSmallStore } from '../upload/s3/small-store.js';
import type { SmallStore } from '../upload/s3/small-store.js';

const stores: SmallStore[] = [];

afterAll(async () => {
  for (const store of stores.splice(0)) await store.stop();
});

/** A place in which the steps work, and the address that its directory is served at. */
export async function prepare(): Promise<{ readonly place: Place; readonly url: string }> {
  const place = newPlace();
  const { url } = await serve(place.path('dist'));
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  mkdirSync(place.path('www'));
  place.write('bob.asc', (await newKey('Bob')).secret);
  await prepareBucket(place);
  return { place, url };
}

/** A bucket, and the part of another machine that has read it. */
async function prepareBucket(place: Place): Promise<void> {
  const store = await startSmallStore();
  stores.push(store);
  store.objects.set('dist/demo-1.0.tar.gz', { bytes: sdist('demo', '1.0'), headers: {} });
  const login = 'aws_access_key_id = id\naws_secret_access_key = secret';
  place.write('home/.aws/config', `[default]\nendpoint_url = ${store.url}\n${login}\n`);
  place.write('own/packsign.json', '{ "Maintainer": "Bob <bob@example.org>" }');
  const shard = ['build', 's3://bucket/dist', '--shard', '1/1', '--output', 'part.json'];
  expect((await place.packsign(shard)).status).toBe(0);
}

/** The words of a step, with the address in its place. */
export function wordsOf(args: readonly string[], url: string): readonly string[] {
  return args.map((word) => (word === 'URL' ? url : word));
}

const BOB = ['--key', 'bob.asc'];
const FROM = ['--keys', 'dist/keys.asc'];

/** Each command once, one after the other in one place; for `serve` and `worker`, which never end, see test/page/serve.test.ts and test/cli/queue.test.ts. */
export const STEPS: readonly (readonly [name: string, args: readonly string[], input?: string])[] = [
  ['completion', ['completion', 'zsh']],
  ['init', ['init', 'dist', '--maintainer', 'Ann <ann@example.org>']],
  [
    'key generate',
    [
      ...['key', 'generate', '--user-id', 'Ann <ann@example.org>', '--passphrase-file', '-'],
      ...['--output', 'ann.asc'],
    ],
    'a long passphrase\n',
  ],
  ['key show', ['key', 'show', 'ann.asc']],
  ['key check-backup', ['key', 'check-backup', 'ann.asc', '--passphrase-file', '-'], 'a long passphrase\n'],
  ['build', ['build', 'dist', ...BOB]],
  ['merge', ['merge', 'part.json', '--state', 'own']],
  ['diff', ['diff', 'dist']],
  ['status', ['status', 'dist']],
  ['lint', ['lint', 'dist']],
  ['sign', ['sign', 'dist', ...BOB]],
  ['publish', ['publish', 'dist', 'www']],
  ['split', ['split', 'dist']],
  ['page', ['page', 'dist']],
  ['export', ['export', 'dist']],
  ['verify', ['verify', 'dist', ...FROM]],
  ['list', ['list', 'dist', ...FROM]],
  ['key publish', ['key', 'publish', 'dist', '--certificate', 'ann.pub.asc']],
  ['trust add', ['trust', 'add', 'URL', ...FROM, '--threshold', '1', '--name', 'ours']],
  ['trust list', ['trust', 'list']],
  ['trust refresh', ['trust', 'refresh', 'ours']],
  ['trust accept', ['trust', 'accept', 'ours']],
  ['trust export', ['trust', 'export']],
  ['get', ['get', 'demo', '--output', 'downloads']],
  ['trust remove', ['trust', 'remove', 'ours']],
  ['key extend', ['key', 'extend', 'bob.asc', 'dist', '--expires', '3y']],
  ['key rotate', ['key', 'rotate', 'bob.asc', 'dist']],
  ['watch', ['watch', 'dist', ...BOB, '--once']],
  ['key revoke', ['key', 'revoke', 'bob.asc', '--output', 'gone.asc', '--reason', 'retired']],
];
