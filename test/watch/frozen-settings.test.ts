import { beforeAll, beforeEach, expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';

/** Settings that nobody has signed with change nothing of what is published, also where bytes change by design. */
let ann: TestKey;
let place: Place;

const YANKED = { 'n-1.0.tar.gz': { Yanked: 'malware' } };

beforeAll(async () => {
  ann = await newKey('Ann');
});

beforeEach(async () => {
  place = newPlace();
  place.write('ann.asc', ann.signing);
  place.write('dist/n-1.0.tar.gz', sdist('n', '1.0'));
  place.write('dist/o-1.0.tar.gz', sdist('o', '1.0'));
  await watchOnce({ Mutable: ['n-*'], Packages: YANKED });
  await new Promise((done) => setTimeout(done, 1100));
  place.write('dist/n-1.0.tar.gz', sdist('n', '1.0', 'y = 2\n'));
});

async function watchOnce(settings: object): Promise<string> {
  place.write('dist/packsign.json', JSON.stringify({ Settle: '0.2s', ...settings }));
  const run = await place.packsign(['watch', 'dist', '--once', '--key', 'ann.asc']);
  return run.stdout + run.stderr;
}

const entry = (path: string) => decodeDatabase(place.read('dist/packages.plist')).Files.get(path);

test('a yank stays, and a file that settings would make mutable waits', async () => {
  place.write('dist/q-1.0.tar.gz', sdist('q', '1.0'));
  const said = await watchOnce({ Mutable: ['n-*', 'q-*', 'o-*'], Description: 'other' });
  expect(said).toContain('SETTINGS_CHANGED');
  expect(entry('n-1.0.tar.gz')).toMatchObject({ Mutable: true, Yanked: 'malware' });
  expect(entry('o-1.0.tar.gz')).not.toHaveProperty('Mutable');
  expect(entry('q-1.0.tar.gz')).toBeUndefined();
});

test('a mutable file stays mutable', async () => {
  expect(await watchOnce({ Description: 'other' })).toContain('SETTINGS_CHANGED');
  expect(entry('n-1.0.tar.gz')).toMatchObject({ Mutable: true, Yanked: 'malware' });
});

test('published addresses stay, where the settings give another Base-URL', async () => {
  const addresses = () =>
    decodeDatabase(place.read('dist/packages.plist')).Packages.map((one) => one['Download-URL']);
  const said = await watchOnce({
    ...{ Mutable: ['n-*'], Packages: YANKED },
    'Base-URL': 'https://example.net/',
  });
  expect(said).toContain('SETTINGS_CHANGED');
  expect(addresses()).toEqual(['o-1.0.tar.gz']);
});
