import { afterAll, describe, expect, test } from 'vitest';
import { clockOff, hasFaketime, setClock } from '../faketime.js';
import { sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { drop, endAll, listed, startWatch, watchedPlace } from './watching.js';
import type { Watching } from './watching.js';

afterAll(endAll);

const KEY = ['--key', 'key.asc', '--settle', '300ms'] as const;

/** A watch of a directory with one published file, whose clock can be set. */
async function watchWithClock(): Promise<{ place: Place; watching: Watching; set: (by: string) => void }> {
  const { place } = await watchedPlace();
  drop(place, 'dist/a-1.0.tar.gz', sdist('a', '1.0'));
  const file = place.path('clock');
  setClock(file, '+0');
  const watching = startWatch(place, KEY, { env: clockOff({ file }) });
  await watching.until({ event: 'signed' });
  return { place, watching, set: (by) => setClock(file, by) };
}

describe.runIf(hasFaketime)('CLOCK_DOUBTFUL: the clock jumps while a watch runs', () => {
  test.each(['-1h', '+2d', '+1y'])(
    'by %s: it says so once, and goes on when the clock is right',
    async (by) => {
      const { place, watching, set } = await watchWithClock();
      const before = place.read('dist/packages.plist');
      set(by);
      drop(place, 'dist/b-1.0.tar.gz', sdist('b', '1.0'));
      const { hint } = await watching.until({ event: 'held', code: 'CLOCK_DOUBTFUL' });
      expect(hint).toContain('--trust-clock');
      // Retries follow after half a second, a second and two.
      const later = await watching.during(4000);
      expect(later.filter(({ code }) => code === 'CLOCK_DOUBTFUL')).toEqual([]);
      expect(place.read('dist/packages.plist')).toEqual(before);
      set('+0');
      await watching.until({ event: 'signed', paths: ['b-1.0.tar.gz'] });
      expect(listed(place)).toEqual(['a-1.0.tar.gz', 'b-1.0.tar.gz']);
      expect((await place.packsign(['verify', 'dist'])).status).toBe(0);
      await watching.stop();
    },
  );

  test('it needs no note for that', async () => {
    const { place, watching, set } = await watchWithClock();
    place.remove('dist/.packsign/clock');
    set('+2d');
    drop(place, 'dist/b-1.0.tar.gz', sdist('b', '1.0'));
    await watching.until({ event: 'held', code: 'CLOCK_DOUBTFUL' });
    expect(await watching.stop()).toBe(0);
    expect(listed(place)).toEqual(['a-1.0.tar.gz']);
  });
});

describe.runIf(hasFaketime)('a database from the future', () => {
  async function publishedAhead(): Promise<Place> {
    const { place } = await watchedPlace();
    drop(place, 'dist/a-1.0.tar.gz', sdist('a', '1.0'));
    await place.process(['build', 'dist', '--key', 'key.asc'], { env: clockOff('+1y') });
    place.remove('dist/.packsign');
    drop(place, 'dist/b-1.0.tar.gz', sdist('b', '1.0'));
    return place;
  }

  test('CLOCK_BEHIND: is said once, and a watch follows a person who replaced it', async () => {
    const place = await publishedAhead();
    const watching = startWatch(place, KEY);
    await watching.until({ event: 'held', code: 'CLOCK_BEHIND' });
    await watching.until({ event: 'ready' });
    expect(await watching.during(4000)).toEqual([]);
    const build = ['build', 'dist', '--key', 'key.asc', '--trust-clock'];
    expect((await place.packsign(build)).status).toBe(0);
    drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await watching.until({ event: 'signed', paths: ['c-1.0.tar.gz'] });
    await watching.stop();
  });

  test('is replaced by a watch that trusts the clock as it was at the start', async () => {
    const place = await publishedAhead();
    const file = place.path('clock');
    setClock(file, '+0');
    const watching = startWatch(place, [...KEY, '--trust-clock'], { env: clockOff({ file }) });
    await watching.until({ event: 'signed' });
    expect((await place.packsign(['verify', 'dist'])).status).toBe(0);
    setClock(file, '+2d');
    drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await watching.until({ event: 'held', code: 'CLOCK_DOUBTFUL' });
    await watching.stop();
  });
});
