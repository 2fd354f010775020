import { readdirSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import type { Place } from '../packsign.js';
import { sdist } from '../packsign.js';
import { drop, endAll, eventually, expectSound, startWatch, watchedPlace } from './watching.js';
import type { Watching } from './watching.js';

afterAll(endAll);

/** A watch that maintains a page, after it has written one. */
async function watching(): Promise<{ place: Place; watch: Watching; page: string }> {
  const { place } = await watchedPlace();
  place.write('dist/packsign.json', JSON.stringify({ Page: true }));
  drop(place, 'dist/lantern-1.0.tar.gz', sdist('lantern', '1.0'));
  const watch = startWatch(place, ['--key', 'key.asc', '--settle', '0.1s']);
  await watch.until({ event: 'ready' });
  return { place, watch, page: place.text('dist/index.html') };
}

function assetsOf(place: Place): string {
  return `dist/assets/${readdirSync(place.path('dist/assets'))[0] ?? ''}`;
}

describe('a watch that maintains the trust page', () => {
  it('restores it if somebody removes, damages or truncates it between publications', async () => {
    const { place, watch, page } = await watching();
    const database = place.text('dist/packages.plist');
    place.remove('dist/index.html');
    const line = await watch.until({ event: 'unchanged' });
    expect([line.message, line.warnings]).toEqual(['wrote the trust page', []]);
    expect(place.text('dist/index.html')).toBe(page);

    const script = `${assetsOf(place)}/page.js`;
    const whole = place.text(script);
    place.write(script, whole.slice(0, 100));
    await eventually('the script is whole', () => place.text(script) === whole);
    place.remove(assetsOf(place));
    await eventually('there are assets', () => place.has(script));

    place.write('dist/index.html', page.slice(0, -1000));
    await eventually('the page is whole', () => place.text('dist/index.html') === page);
    expect(place.text('dist/packages.plist')).toBe(database);
    expect(await watch.stop()).toBe(0);
    await expectSound(place);
  });

  it('leaves an edited page alone, says so once, and continues when it is gone', async () => {
    const { place, watch, page } = await watching();
    const edited = page.replace('Compare the key', 'Compare my key');
    place.write('dist/index.html', edited);
    const line = await watch.until({ event: 'unchanged' });
    expect(line.warnings).toMatchObject([{ code: 'PAGE_EDITED', path: 'index.html' }]);
    drop(place, 'dist/lantern-1.1.tar.gz', sdist('lantern', '1.1'));
    expect((await watch.until({ event: 'signed' })).warnings).toEqual([]);
    expect(place.text('dist/index.html')).toBe(edited);
    place.remove('dist/index.html');
    await eventually('there is a page', () => place.has('dist/index.html'));
    expect(place.text('dist/index.html')).toContain('lantern-1.1.tar.gz');
    expect(await watch.stop()).toBe(0);
  });

  it('waits for an editor that writes in place', async () => {
    const { place, watch, page } = await watching();
    // Empty, half written, written: each is a beginning of the right page.
    const edited = page.replace('It does not say', 'It never says');
    for (const length of [0, 2000, edited.length]) {
      place.write('dist/index.html', edited.slice(0, length));
      await watch.during(700);
    }
    await watch.until({ event: 'unchanged' });
    expect(place.text('dist/index.html')).toBe(edited);
    expect(await watch.stop()).toBe(0);
  });
});
