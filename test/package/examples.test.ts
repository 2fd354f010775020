import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';
import { packsign, publish, serve } from '../consume/scene.js';
import { DEMO, ISSUED, certificateFile, minutes, people, sha256 } from '../threats/scene.js';
import type { People } from '../threats/scene.js';

/** The examples run with the packed package, as whoever copies them runs them. */
let known: People;
let user: Place;

beforeAll(async () => {
  known = await people();
  user = newPlace();
  const modules = user.path('node_modules');
  mkdirSync(modules);
  const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', user.root];
  const env = { ...process.env, npm_config_update_notifier: 'false', npm_config_offline: 'true' };
  const packed = spawnSync('npm', pack, { env, encoding: 'utf8' });
  expect(packed.status, packed.stderr).toBe(0);
  const unpacked = spawnSync('tar', ['-xzf', user.path(packed.stdout.trim()), '-C', modules]);
  expect(unpacked.status).toBe(0);
  renameSync(user.path('node_modules/package'), user.path('node_modules/packsign'));
  symlinkSync(resolve('node_modules'), user.path('node_modules/packsign/node_modules'));
});

async function example(
  name: string,
  ...args: readonly string[]
): Promise<{ status: number | null; stdout: string }> {
  copyFileSync(resolve('examples', name), user.path(name));
  const child = spawn(process.execPath, [name, ...args], {
    cwd: user.root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  const status = await new Promise<number | null>((done) => child.on('close', done));
  return { status, stdout };
}

test('trust-and-get pins a key, downloads, and refuses an older database', async () => {
  const place = newPlace();
  const site = await serve(place.path('dist'));
  await publish(place, known.ann);
  user.write('ann.asc', certificateFile(known.ann));
  const first = await example('trust-and-get.mjs', site.url, 'ann.asc', 'demo', 'out');
  expect(first.stdout).toMatch(
    /^pinned [0-9A-F]{40}\nauthentic\nout\/demo-1\.0\.tar\.gz is what was signed\n$/,
  );
  expect(first.status).toBe(0);
  expect(user.read('out/demo-1.0.tar.gz')).toEqual(DEMO);
  await publish(place, known.ann, { issued: minutes(ISSUED, -60) });
  user.remove('out/demo-1.0.tar.gz');
  user.remove('out/cache');
  const second = await example('trust-and-get.mjs', site.url, 'ann.asc', 'demo', 'out').catch(
    (error: unknown) => error,
  );
  expect(second).toMatchObject({
    status: 1,
    stdout: expect.stringContaining('DATABASE_ROLLED_BACK') as string,
  });
  expect(user.has('out/demo-1.0.tar.gz')).toBe(false);
});

test('shipped-trust uses what trust export made', async () => {
  const place = newPlace();
  const site = await serve(place.path('dist'));
  await publish(place, known.ann);
  place.write('ann.asc', certificateFile(known.ann));
  await packsign(place, ['trust', 'add', site.url, '--keys', 'ann.asc', '--name', 'ann']);
  user.write('trust.json', (await packsign(place, ['trust', 'export'])).stdout);
  const good = await example('shipped-trust.mjs', 'trust.json', 'ann');
  expect([good.status, good.stdout.split('\n')[0]]).toEqual([0, 'authentic']);
  await publish(place, known.mallory, { issued: minutes(ISSUED, 5) });
  const bad = await example('shipped-trust.mjs', 'trust.json', 'ann');
  expect([bad.status, bad.stdout]).toMatchObject([1, expect.stringMatching(/^refused: /) as string]);
});

test('verify-bytes decides on bytes alone', async () => {
  const place = newPlace();
  const bytes = await publish(place, known.ann);
  const signature = `signatures/${sha256(bytes)}.asc`;
  for (const name of ['packages.plist', signature, 'demo-1.0.tar.gz']) {
    user.write(`got/${name}`, place.read(`dist/${name}`));
  }
  user.write('ann.asc', certificateFile(known.ann));
  const args = ['got/packages.plist', 'ann.asc', 'got/demo-1.0.tar.gz'];
  expect(await example('verify-bytes.mjs', ...args)).toEqual({
    ...{ status: 0, stdout: 'authentic\ngot/demo-1.0.tar.gz is listed\n' },
  });
  user.write('got/demo-1.0.tar.gz', 'something else');
  expect(await example('verify-bytes.mjs', ...args)).toEqual({
    ...{ status: 1, stdout: 'authentic\ngot/demo-1.0.tar.gz is altered\n' },
  });
  user.remove(`got/${signature}`);
  const none = await example('verify-bytes.mjs', ...args);
  expect([none.status, none.stdout]).toMatchObject([
    1,
    expect.stringContaining('SIGNATURE_MISSING') as string,
  ]);
});
