import { mkdirSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';

const HINTS = ['clock', 'entries', 'facts', 'last-build', 'scrub', 'searched'];

/** A directory in which no hint can be read or written, because a folder has its name. */
async function withoutHints(): Promise<Place> {
  const ann = await newKey('Ann');
  const place = newPlace();
  place.write('ann.asc', ann.signing);
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  place.write('dist/notes.txt', 'beside the listed files');
  for (const name of HINTS) mkdirSync(place.path(`dist/.packsign/${name}/full`), { recursive: true });
  mkdirSync(place.path('state/packsign'), { recursive: true });
  place.write('state/packsign/published', 'a file in place of the folder of notes');
  // Of files that were touched a moment ago, the cache would keep nothing.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2100);
  return place;
}

test('a hint that can be neither read nor written stops no command', async () => {
  const place = await withoutHints();
  const succeed = async (...args: readonly string[]) => {
    const run = await place.packsign(args);
    expect([args, run.stderr.replace(/^packsign: \d file.*\n/gm, ''), run.status]).toEqual([args, '', 0]);
    return run.stdout;
  };
  await succeed('build', 'dist', '--maintainer', 'Ann <ann@example.org>');
  await succeed('sign', 'dist', '--key', 'ann.asc', '--quiet');
  await succeed('build', 'dist', '--key', 'ann.asc');
  await succeed('status', 'dist');
  await succeed('diff', 'dist');
  await succeed('verify', 'dist', '--keys', 'dist/keys.asc');
  place.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1'));
  expect(await succeed('watch', 'dist', '--key', 'ann.asc', '--once')).toContain('signed demo-1.1.tar.gz');
  await succeed('build', 'dist', '--key', 'ann.asc', '--check');
  const left = readdirSync(place.path('dist/.packsign')).sort();
  expect(left).toEqual(HINTS);
});
