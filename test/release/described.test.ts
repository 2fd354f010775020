import { createHash } from 'node:crypto';
import { cpSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { emptyZip, newKey, newPlace, sdist } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';

// A build takes the entries of files that it knows from the last published database, and describes only the others.

let ann: TestKey;

beforeAll(async () => {
  ann = await newKey('Ann');
});

const BUILD = ['build', 'dist', '--key', 'ann.asc'];
const MEMO = 'dist/.packsign/last-build';

/** Files touched a moment ago are read again: their times could hide a later write. */
function settle(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2100);
}

const YANKED = { 'delta-1.0.tar.gz': { Yanked: 'it is bad' } };

function write(place: Place): void {
  place.write('ann.asc', ann.signing);
  place.write('dist/alpha-1.0.tar.gz', sdist('alpha', '1.0'));
  place.write('dist/beta-2.0.tar.gz', sdist('another', '9.9'));
  place.write('dist/gamma-1.0.zip', emptyZip('no archive'));
  place.write('dist/delta-1.0.tar.gz', sdist('delta', '1.0'));
  settings(place, { Packages: YANKED });
}

function settings(place: Place, value: object): void {
  place.write('dist/packsign.json', JSON.stringify({ Maintainer: 'Ann <ann@example.org>', ...value }));
}

/** A published directory whose files are known, so that a build takes their published entries. */
async function published(): Promise<Place> {
  const place = newPlace();
  write(place);
  settle();
  expect((await place.json(BUILD)).status).toBe(0);
  return place;
}

/** Puts a warning into the last build's notes that a build prints only if it believes them. */
function mark(place: Place): void {
  const memo = JSON.parse(place.text(MEMO).split('\n')[1] ?? '') as { summary: { warnings: object[] } };
  memo.summary.warnings.push({ code: 'NO_METADATA', path: 'alpha-1.0.tar.gz', message: 'as the memo says' });
  const json = JSON.stringify(memo);
  place.write(MEMO, `packsign-build 4 ${createHash('sha256').update(json).digest('hex')}\n${json}`);
}

async function isBelieved(place: Place, args: readonly string[] = []): Promise<boolean> {
  place.write('dist/new-1.0.tar.gz', sdist('new', '1.0'));
  const { value, run } = await place.json([...BUILD, ...args]);
  expect(value, run.stderr).toMatchObject({
    added: expect.arrayContaining(['dist/new-1.0.tar.gz']) as unknown,
  });
  return JSON.stringify(value['warnings']).includes('as the memo says');
}

describe('a build with files that it knows', () => {
  const steps: readonly [string, (place: Place) => void, ...string[]][] = [
    ['a release', (place) => place.write('dist/epsilon-1.0.tar.gz', sdist('epsilon', '1.0'))],
    [
      'an archive named by hand',
      (place) => settings(place, { Packages: { ...YANKED, 'beta-2.0.tar.gz': { Name: 'beta' } } }),
    ],
    [
      'another address',
      (place) => settings(place, { Packages: YANKED, 'Base-URL': 'https://example.org/x' }),
    ],
    ['a release below it', (place) => place.write('dist/epsilon-1.1.tar.gz', sdist('epsilon', '1.1'))],
    ['no PackMan', (place) => settings(place, { Packages: YANKED, PackMan: false })],
    ['nothing yanked any more', (place) => settings(place, {})],
    [
      'other bytes',
      (place) => place.write('dist/alpha-1.0.tar.gz', sdist('alpha', '1.0', 'x = 2\n')),
      '--allow-changed',
      'alpha-1.0.tar.gz',
      '--reason',
      'mended',
    ],
    ['a withdrawal', (place) => place.remove('dist/gamma-1.0.zip')],
    [
      'two packages at one address',
      (place) =>
        settings(place, { Packages: { 'delta-1.0.tar.gz': { 'Download-URL': 'alpha-1.0.tar.gz' } } }),
    ],
    [
      'addresses that are crossed',
      (place) => {
        settings(place, {
          Packages: {
            'alpha-1.0.tar.gz': { 'Download-URL': 'delta-1.0.tar.gz' },
            'delta-1.0.tar.gz': { 'Download-URL': 'elsewhere/delta-1.0.tar.gz' },
          },
        });
      },
    ],
    ['a release beside them', (place) => place.write('dist/epsilon-1.2.tar.gz', sdist('epsilon', '1.2'))],
    ['both gone but for one', (place) => settings(place, {})],
  ];

  test('gives the same as a build that describes them again, step by step', async () => {
    const [knowing, anew] = [await published(), await published()];
    for (const [name, act, ...options] of steps) {
      const outcomes = [];
      for (const place of [knowing, anew]) {
        act(place);
        if (place === anew) place.remove(MEMO);
        const { status, value } = await place.json([...BUILD, ...options]);
        outcomes.push({
          status,
          value: withoutDates(JSON.stringify(value)),
          database: withoutDates(place.text('dist/packages.plist')),
        });
      }
      expect([name, outcomes[0]]).toEqual([name, outcomes[1]]);
      expect([name, outcomes[0]?.status]).toEqual([name, 0]);
      settle();
    }
  });

  function withoutDates(text: string): string {
    return text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\b[0-9a-f]{64}\b(?!<\/string>\s*<key>Since)/g, '…');
  }
});

describe('a build takes a published entry as it is', () => {
  test('if nothing speaks against it', async () => {
    const place = await published();
    mark(place);
    expect(await isBelieved(place)).toBe(true);
  });

  test.each<[string, (place: Place) => unknown, ...string[]]>([
    ['--rehash', () => undefined, '--rehash'],
    ['other settings', (place) => settings(place, { Packages: YANKED, 'Base-URL': 'https://example.org/' })],
    ['options that count as settings', () => undefined, '--validity', '3 days'],
    ['an archive that was touched', (place) => place.write('dist/alpha-1.0.tar.gz', sdist('alpha', '1.0'))],
    [
      'a cache that is damaged',
      (place) => place.write('dist/.packsign/cache', place.read('dist/.packsign/cache').subarray(0, -1)),
    ],
    ['a cache that is gone', (place) => place.remove('dist/.packsign/cache')],
    [
      'a database that was published elsewhere since',
      async (place) => {
        const elsewhere = newPlace();
        cpSync(place.path('dist'), elsewhere.path('dist'), { recursive: true });
        elsewhere.write('ann.asc', ann.signing);
        elsewhere.write('dist/elsewhere-1.0.tar.gz', sdist('elsewhere', '1.0'));
        expect((await elsewhere.json(BUILD)).status).toBe(0);
        for (const name of ['packages.plist', 'packages.plist.asc', 'signatures', 'elsewhere-1.0.tar.gz']) {
          cpSync(elsewhere.path(`dist/${name}`), place.path(`dist/${name}`), { recursive: true });
        }
      },
    ],
  ])('not with %s', async (_, act, ...args) => {
    const place = await published();
    mark(place);
    await act(place);
    expect(await isBelieved(place, args)).toBe(false);
  });
});
