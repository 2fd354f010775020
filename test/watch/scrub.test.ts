import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { READERS } from '../../src/model/inspection.js';
import { sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { PATIENCE_MS, drop, endAll, eventually, sleep, startWatch, watchedPlace } from './watching.js';

const KEY = ['--key', 'key.asc'];
const A = 'a-1.0.tar.gz';
const B = 'b-1.0.tar.gz';

afterAll(endAll);

/** Makes the cache believe that nobody changed a file since it was hashed, as when a disk loses bits. */
function hideWrite(place: Place, name: string): void {
  const path = place.path('dist/.packsign/facts');
  const bytes = readFileSync(path);
  const body = Buffer.from(bytes.subarray(bytes.indexOf(0x0a) + 1));
  const numbers = body.indexOf(0x0a) + 1;
  const count = Number(body.toString('latin1', 0, numbers).split(' ')[0]);
  const row = body
    .toString('utf8', numbers + count * 40)
    .split('\n')
    .indexOf(name);
  const { mtimeNs, ctimeNs } = statSync(place.path(`dist/${name}`), { bigint: true });
  body.writeBigInt64LE(mtimeNs, numbers + row * 40 + 24);
  body.writeBigInt64LE(ctimeNs, numbers + row * 40 + 32);
  const checksum = createHash('sha256').update(body).digest('hex');
  writeFileSync(path, Buffer.concat([Buffer.from(`packsign-facts ${READERS} ${checksum}\n`), body]));
}

/** Two published files, old enough for the cache. */
async function rememberedPlace(settings: object): Promise<Place> {
  const { place } = await watchedPlace();
  place.write('dist/packsign.json', JSON.stringify(settings));
  drop(place, `dist/${A}`, sdist('a', '1.0'));
  drop(place, `dist/${B}`, sdist('b', '1.0'));
  await sleep(2100);
  expect((await place.packsign(['build', 'dist', ...KEY])).status).toBe(0);
  return place;
}

function flipBit(place: Place, name: string): Buffer {
  const before = readFileSync(place.path(`dist/${name}`));
  const bytes = Buffer.from(before);
  bytes[100] = bytes[100]! ^ 1;
  writeFileSync(place.path(`dist/${name}`), bytes);
  return before;
}

describe.concurrent('"Scrub"', { timeout: 4 * PATIENCE_MS }, () => {
  test('finds bytes that went bad although nobody wrote the file, reports it once, and withdraws nothing', async () => {
    const place = await rememberedPlace({ Maintainer: 'Ada <ada@example.org>', Scrub: '1 second' });
    const good = flipBit(place, A);
    hideWrite(place, A);
    // Until it is stable, it would count as a file that somebody is writing.
    await sleep(2100);
    const published = readFileSync(place.path('dist/packages.plist'));
    const watching = startWatch(place, KEY);
    await watching.until({ event: 'ready' });
    drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0'));
    const bad = await watching.until({ event: 'error', code: 'FILE_DIFFERS', paths: [A] });
    expect(bad.message).toContain('went bad');
    expect(bad.hint).toContain('restore it');
    await eventually('the new one is signed', () =>
      readFileSync(place.path('dist/packages.plist'), 'utf8').includes('c-1.0.tar.gz'),
    );
    const listing = readFileSync(place.path('dist/packages.plist'), 'utf8');
    const sha256 = createHash('sha256').update(good).digest('hex');
    expect(published.includes(sha256) && listing.includes(sha256)).toBe(true);
    // Restored, it has the signed bytes.
    writeFileSync(place.path(`dist/${A}`), good);
    await sleep(3000);
    expect(await watching.stop()).toBe(0);
    expect(watching.lines.filter(({ code }) => code === 'FILE_DIFFERS')).toHaveLength(1);
    expect((await place.packsign(['verify', 'dist', '--keys', 'pub.asc'])).status).toBe(0);
  });

  test('continues where the last watch ended, and does nothing without the setting', async () => {
    const place = await rememberedPlace({ Maintainer: 'Ada <ada@example.org>', Scrub: '2 seconds' });
    const watching = startWatch(place, KEY);
    await watching.until({ event: 'ready' });
    await eventually('one was read', () => place.has('dist/.packsign/scrub'));
    expect(await watching.stop()).toBe(0);
    const { path } = JSON.parse(readFileSync(place.path('dist/.packsign/scrub'), 'utf8')) as { path: string };
    expect([A, B]).toContain(path);

    const quiet = await rememberedPlace({ Maintainer: 'Ada <ada@example.org>' });
    flipBit(quiet, A);
    hideWrite(quiet, A);
    await sleep(2100);
    const other = startWatch(quiet, KEY);
    await other.until({ event: 'ready' });
    await sleep(6000);
    expect(await other.stop()).toBe(0);
    expect(quiet.has('dist/.packsign/scrub')).toBe(false);
  });
});
