import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { newKey, newPlace, sdist, tarball } from '../packsign.js';
import type { Place, Run } from '../packsign.js';

const PROGRAM = resolve('dist/bin/packsign.js');
const BUG = 70;

let place: Place;

beforeEach(() => {
  place = newPlace();
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
});

/** Errors that no caller catches, while a server runs. */
const UNCAUGHT: readonly (readonly [name: string, code: string])[] = [
  ['an error in a timer', "setTimeout(() => { throw new Error('boom'); }, 300);"],
  ['an unhandled rejection', "setTimeout(() => Promise.reject(new Error('boom')), 300);"],
  [
    'an error in the event of a socket',
    `const server = require('node:net').createServer((socket) => socket.end('x')).listen(0, '127.0.0.1', () => {
      const socket = require('node:net').connect(server.address().port, '127.0.0.1');
      socket.on('data', () => { throw new Error('boom'); });
    });`,
  ],
  [
    'an emitter without a listener',
    "setTimeout(() => new (require('node:events'))().emit('error', new Error('boom')), 300);",
  ],
];

async function preloaded(code: string, args: readonly string[]): Promise<Run> {
  return await place.process(args, {
    env: { NODE_OPTIONS: `--require=${place.write('preload.cjs', code)}` },
  });
}

describe('an uncaught error is an internal error, with status 70 (T40)', () => {
  test.each(UNCAUGHT)('%s', async (_, code) => {
    const { status, stderr } = await preloaded(code, ['serve', 'dist']);
    expect([status, stderr]).toEqual([
      BUG,
      expect.stringMatching(
        /^packsign: error: this is a bug in packsign \d\S+ on Node \d\S+\nError: boom\n {4}at [^]*\npacksign: hint: /,
      ),
    ]);
  });

  test('with --json it is one object', async () => {
    const [, code = ''] = UNCAUGHT[0] ?? [];
    const { status, stdout } = await preloaded(code, ['serve', 'dist', '--json']);
    const error = { code: 'BUG', message: 'internal error', hint: null };
    expect([status, JSON.parse(stdout.split('\n').at(-2) ?? '')]).toEqual([BUG, { error }]);
  });
});

test('a name with line ends forges no line of an error', async () => {
  const name = 'x\npacksign: hint: rm -rf ~\u001b[2J\u202e';
  for (const args of [
    ['verify', name],
    ['build', name],
    ['get', 'a', '--from', name],
    ['key', 'show', name],
  ]) {
    const { status, stderr } = await place.packsign(args);
    expect(status).toBe(2);
    expect(stderr).not.toMatch(/^packsign: hint: rm/m);
    expect(stderr).toMatch(/^[\P{C}\n]*$/u);
  }
});

test('a run with nothing left to wait for fails, and says so (T40)', async () => {
  const { secret } = await newKey('Ada', { passphrase: 'sesame' });
  const preload = place.write('preload.cjs', 'process.stdin.unref();');
  const args = ['key', 'check-backup', place.write('key.asc', secret), '--passphrase-file', '-'];
  // Its standard input stays open, but Node does not wait for it.
  const child = spawn(process.execPath, ['--require', preload, PROGRAM, ...args], { cwd: place.root });
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()));
  const status = await new Promise((done) => child.on('close', done));
  expect([status, said]).toEqual([
    BUG,
    expect.stringContaining('packsign key ended before it had an answer'),
  ]);
});

describe('a reader who closes the output', () => {
  const statusWithout = (stream: 'stdout' | 'stderr', args: readonly string[]) => {
    const env = { PATH: process.env['PATH'], HOME: place.path('home') };
    const child = spawn(process.execPath, [PROGRAM, ...args], { cwd: place.root, env });
    child[stream].destroy();
    return new Promise((done) => child.on('close', done));
  };

  test('does not change what a command does, if it was stderr', async () => {
    place.write('dist/bare-1.0.tar.gz', tarball([{ path: 'bare', bytes: '' }]));
    expect((await place.packsign(['build', 'dist', '--check'])).stderr).toContain('warning');
    expect(await statusWithout('stderr', ['build', 'dist'])).toBe(0);
    expect(place.has('dist/packages.unsigned.plist')).toBe(true);
  });

  test('makes a watch fail', async () => {
    const { signing } = await newKey('Ada');
    const args = ['watch', 'dist', '--poll', '--key', place.write('key.asc', signing)];
    expect(await statusWithout('stdout', args)).toBe(2);
  });

  test('does not change the exit status of a command that has its answer', async () => {
    expect(await statusWithout('stdout', ['build', 'dist', '--check'])).toBe(1);
    expect(await statusWithout('stdout', ['build', 'dist'])).toBe(0);
  });
});
