import { beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/all.js';
import { serve } from '../consume/scene.js';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';

// Most tests run packsign inside their own process. These run each command as users do: the launcher starts the bundle,
// which reads real descriptors and must not keep the process alive.

let place: Place;
let url: string;

beforeAll(async () => {
  place = newPlace();
  url = (await serve(place.path('dist'))).url;
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  place.write('bob.asc', (await newKey('Bob')).secret);
});

const BOB = ['--key', 'bob.asc'];
const FROM = ['--keys', 'dist/keys.asc'];

/** Each command once, one after the other in one place; for `serve`, which never ends, see test/page/serve.test.ts. */
const STEPS: readonly (readonly [name: string, args: readonly string[], input?: string])[] = [
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
  ['diff', ['diff', 'dist']],
  ['status', ['status', 'dist']],
  ['sign', ['sign', 'dist', ...BOB]],
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

describe('in a process of its own', () => {
  test.each(STEPS.map(([name, args, input = '']) => ({ name, args, input })))(
    '$name does its work and ends',
    async ({ name, args, input }) => {
      if (name === 'sign') {
        place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
        expect((await place.packsign(['build', 'dist'])).status).toBe(0);
      }
      const words = args.map((word) => (word === 'URL' ? url : word));
      const run = await place.process([...words, '--json'], { input });
      expect([run.status, run.stderr]).toEqual([0, '']);
      const lines = run.stdout.split('\n').slice(0, -1);
      expect(lines.length).toBeGreaterThan(0);
      for (const line of lines) expect(JSON.parse(line)).toBeTypeOf('object');
    },
  );

  test('every command has a test', () => {
    const names = COMMANDS.map(({ usage }) => usage.replace(/ [[<].*$/, ''));
    expect(names.filter((name) => name !== 'serve').sort()).toEqual(STEPS.map(([name]) => name).sort());
  });

  test('an error goes to stderr and to the exit status', async () => {
    const run = await place.process(['verify', 'nowhere']);
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toMatch(/^packsign: error: there is no file or directory nowhere\n/);
    expect(await place.process(['--no-such-option'])).toMatchObject({ status: 2, stdout: '' });
    expect((await place.process(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
