import { mkdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunningServer } from '../../src/page/serve.js';
import { serve } from '../../src/page/serve.js';
import { newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';

/** How many publications run over the readers; `npm run soak` has as many as the contract. */
const PUBLICATIONS = process.env['PACKSIGN_SOAK_SECONDS'] === undefined ? 15 : 200;

let here: Place;
let server: RunningServer;

beforeEach(async () => {
  here = newPlace();
  mkdirSync(here.path('www'));
  await good(
    'key',
    'generate',
    '--user-id',
    'Ann <ann@example.org>',
    '--no-passphrase',
    '--output',
    'ann.asc',
  );
  // Readers have the certificate of the beginning; what is new comes from where they read.
  here.write('pinned.asc', here.read('ann.pub.asc'));
  here.write('dist/packsign.json', '{ "Mutable": ["latest.yml"], "Include": ["latest.yml"] }');
  for (const name of ['a', 'b']) here.write(`dist/${name}-1.0.tar.gz`, sdist(name, '1.0'));
  here.write('dist/latest.yml', 'version: 0\n');
  await good('build', 'dist', '--key', 'ann.asc');
  await good('publish', 'dist', 'www');
  server = await serve(here.path('www'), { host: '127.0.0.1', port: 0, live: false });
});

afterEach(async () => {
  await server.close();
});

async function good(...args: readonly string[]): Promise<void> {
  const { status, stderr } = await here.packsign(args);
  expect(status, `${args.join(' ')}: ${stderr}`).toBe(0);
}

/** What a release may bring: something new, other bytes, something less, other keys. */
async function change(round: number): Promise<void> {
  const name = `c${round}`;
  here.write('dist/latest.yml', `version: ${round}\n`);
  here.write(`dist/${name}-1.0.tar.gz`, sdist(name, '1.0'));
  const more: string[] = [];
  if (round % 3 === 1) {
    here.write('dist/b-1.0.tar.gz', sdist('b', '1.0', `x = ${round}\n`));
    more.push('--allow-changed', 'b-1.0.tar.gz', '--reason', `packed again for the time ${round}`);
  }
  if (round % 4 === 3) here.remove(`dist/c${round - 1}-1.0.tar.gz`);
  if (round % 5 === 2) await good('key', 'rotate', 'ann.asc', 'dist');
  await good('build', 'dist', '--key', 'ann.asc', ...more);
}

/** Verifies without pause until it is told to stop, and gives everything that was not right. */
function startReading(target: string, ...more: readonly string[]) {
  let isOver = false;
  let count = 0;
  const read = async () => {
    const wrong: string[] = [];
    while (!isOver) {
      const { status, stdout, stderr } = await here.packsign([
        'verify',
        target,
        '--keys',
        'pinned.asc',
        ...more,
      ]);
      count += 1;
      if (status !== 0) wrong.push(stdout + stderr);
    }
    return { wrong, count };
  };
  const reading = read();
  return {
    stop: () => {
      isOver = true;
      return reading;
    },
  };
}

describe('while publications run over them', () => {
  test(
    'readers of the folder and of its web server refuse nothing',
    async () => {
      const readers = [startReading('www'), startReading(server.url, '--files')];
      for (let round = 1; round <= PUBLICATIONS; round += 1) {
        await change(round);
        const { status, stderr } = await here.process([
          'publish',
          'dist',
          'www',
          '--delete',
          '--keep-old',
          '0',
        ]);
        expect(status, stderr).toBe(0);
      }
      for (const { stop } of readers) {
        const { wrong, count } = await stop();
        expect(wrong).toEqual([]);
        expect(count).toBeGreaterThan(1);
      }
    },
    1000 * 1000,
  );
});
