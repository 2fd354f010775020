import { createHash } from 'node:crypto';
import { cpSync, rmSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { emptyZip, newKey, newPlace, sdist } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';

// A build takes published entries as they are where nothing that they follow from has changed, and makes only the others.

let ann: TestKey;

beforeAll(async () => {
  ann = await newKey('Ann');
});

const BUILD = ['build', 'dist', '--key', 'ann.asc'];
const MADE = 'dist/.packsign/entries';

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

/** A published directory, whose entries the next build takes as they are. */
async function published(): Promise<Place> {
  const place = newPlace();
  write(place);
  expect((await place.json(BUILD)).status).toBe(0);
  return place;
}

/** Lets the next build read every file and make every entry. */
function forget(place: Place): void {
  for (const path of [MADE, 'dist/.packsign/facts']) rmSync(place.path(path), { force: true });
}

/** Puts a warning into the note about made entries that a build prints only if it believes the note. */
function mark(place: Place): void {
  const made = JSON.parse(place.text(MADE).split('\n')[1] ?? '') as { warnings: object[] };
  made.warnings.push({ code: 'NO_METADATA', path: 'alpha-1.0.tar.gz', message: 'as the note says' });
  const json = JSON.stringify(made);
  place.write(MADE, `packsign-entries 2 ${createHash('sha256').update(json).digest('hex')}\n${json}`);
}

async function isBelieved(place: Place, args: readonly string[] = []): Promise<boolean> {
  place.write('dist/new-1.0.tar.gz', sdist('new', '1.0'));
  const { value, run } = await place.json([...BUILD, ...args]);
  expect(value, run.stderr).toMatchObject({
    added: expect.arrayContaining(['new-1.0.tar.gz']) as unknown,
  });
  return JSON.stringify(value['warnings']).includes('as the note says');
}

describe('a build upon one that made entries', () => {
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
    ...(
      [
        { Maintainer: 'Bob <bob@example.org>' },
        { Description: 'of Ann' },
        { Database: 'https://example.org/packages.plist' },
        { Notify: 'mailto:ann@example.org' },
        { Mirrors: ['https://mirror.example.org/packages.plist'] },
        { Validity: '3 days' },
        { Threshold: 1 },
        { Absent: 'keep' },
        { Include: ['**'] },
        { Exclude: ['epsilon-1.2.tar.gz'] },
        { Mutable: ['epsilon-1.1.tar.gz'] },
        { Checksums: true },
        { Inspect: 'ends' },
        {
          Trusts: [
            { URL: 'https://example.net/packages.plist', Fingerprints: ['A'.repeat(40)], Include: true },
          ],
        },
        { Packages: { 'beta-2.0.tar.gz': { Name: 'beta', Version: '2' } } },
        { Packages: { beta: { Flavor: 'hidden' } } },
        { Packages: { beta: { Description: 'says Ann', 'Home-page': 'https://example.org/' } } },
        {
          Packages: {
            beta: { 'Install-test': 'import beta', 'Install-command': 'make', Prerequisites: ['gcc'] },
          },
        },
        { Packages: { beta: { Name: 'bet', Version: '2' }, tool: { Name: 'tool', Description: 'by hand' } } },
        { Packages: { 'beta-2.0.tar.gz': { Yanked: 'no more' } } },
      ] as const
    ).map((value): [string, (place: Place) => void, ...string[]] => [
      JSON.stringify(value),
      (place) => settings(place, value),
      ...('Mutable' in value ? ['--allow-changed', 'epsilon-1.1.tar.gz', '--reason', 'nightly'] : []),
    ]),
    ['none of these any more', (place) => settings(place, {}), '--absent', 'withdraw'],
  ];

  test('gives the same as a build that reads and makes everything again, step by step', async () => {
    const [knowing, anew] = [await published(), await published()];
    for (const [name, act, ...options] of steps) {
      const outcomes = [];
      for (const place of [knowing, anew]) {
        act(place);
        if (place === anew) forget(place);
        const { status, value } = await place.json([...BUILD, ...options]);
        const { hashed: _1, cached: _2, ...said } = value;
        outcomes.push({
          status,
          value: withoutDates(JSON.stringify(said)),
          database: withoutDates(place.text('dist/packages.plist')),
        });
      }
      expect([name, outcomes[0]]).toEqual([name, outcomes[1]]);
      expect([name, outcomes[0]?.status, outcomes[0]?.value]).toEqual([name, 0, outcomes[0]?.value]);
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

  test('if the same bytes are read again', async () => {
    const place = await published();
    mark(place);
    rmSync(place.path('dist/.packsign/facts'), { force: true });
    place.write('dist/alpha-1.0.tar.gz', sdist('alpha', '1.0'));
    expect(await isBelieved(place)).toBe(true);
  });

  test.each<[string, (place: Place) => unknown, ...string[]]>([
    ['--rehash', () => undefined, '--rehash'],
    ['other settings', (place) => settings(place, { Packages: YANKED, 'Base-URL': 'https://example.org/' })],
    ['options that count as settings', () => undefined, '--validity', '3 days'],
    ['a note that is damaged', (place) => place.write(MADE, place.read(MADE).subarray(0, -1))],
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
