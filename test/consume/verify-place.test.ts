import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { serve } from './scene.js';
import type { Site } from './scene.js';

let place: Place;
let site: Site;
/** The database that the stolen key has signed. */
let before: Buffer;

beforeEach(async () => {
  place = newPlace();
  const good = async (...args: readonly string[]) => {
    const { status, stdout, stderr } = await place.packsign(args);
    expect(status, stderr).toBe(0);
    return stdout;
  };
  const user = ['--user-id', 'Ann <ann@example.org>', '--no-passphrase'];
  await good('key', 'generate', ...user, '--output', 'ann.asc');
  place.write('pinned.asc', place.read('ann.pub.asc'));
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  await good('build', 'dist', '--key', 'ann.asc');
  before = place.read('dist/packages.plist');
  const { signsWith } = (await place.json(['key', 'show', 'ann.asc'])).value;
  await good('key', 'rotate', 'ann.asc', 'dist');
  await good('key', 'revoke', 'ann.asc', 'dist', '--subkey', String(signsWith), '--reason', 'compromised');
  place.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1'));
  await good('build', 'dist', '--key', 'ann.asc');
  site = await serve(place.path('dist'));
});

/** The first answers are the database of before. */
function answerLate(times: number): void {
  let left = times;
  site.tricks.set('packages.plist', (_, response) => {
    left -= 1;
    response.end(left >= 0 ? before : readFileSync(place.path('dist/packages.plist')));
  });
}

const verify = () => place.packsign(['verify', site.url, '--keys', 'pinned.asc']);

describe('a database whose key is revoked', () => {
  test('is read again: the one that came with the revocation counts', async () => {
    answerLate(1);
    expect(await verify()).toMatchObject({ status: 0, stderr: '' });
  });

  test('and that stays is refused, without asking for ever', async () => {
    answerLate(Infinity);
    const { status, stdout } = await verify();
    expect([status, stdout]).toEqual([1, expect.stringContaining('(KEY_REVOKED)')]);
    expect(site.requests.filter(({ path }) => path === 'packages.plist').length).toBeLessThan(9);
  });

  test('and that is replaced by other refused ones is refused, without asking for ever', async () => {
    let count = 0;
    site.tricks.set('packages.plist', (_, response) => {
      count += 1;
      response.end(`${before.toString()}${'\n'.repeat(count)}`);
    });
    expect(await verify()).toMatchObject({ status: 1 });
    expect(count).toBeLessThan(20);
  });
});
