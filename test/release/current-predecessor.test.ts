import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import { publish, publishedSite } from '../consume/scene.js';
import type { Site } from '../consume/scene.js';
import { codeOf, newPlace, sdist } from '../packsign.js';
import type { Answer, Place } from '../packsign.js';
import { DEMO, ISSUED, OTHER, minutes, people, sha256 } from '../threats/scene.js';
import type { People } from '../threats/scene.js';

/** A release machine continues a database from elsewhere (`--previous`), which may be an old one. */
let known: People;
/** Where the site is served from. */
let origin: Place;
let site: Site;
let machine: Place;

beforeAll(async () => {
  known = await people();
});

beforeEach(async () => {
  ({ place: origin, site } = await publishedSite(known.ann));
  machine = newMachine();
});

function newMachine(): Place {
  const made = newPlace();
  made.write('ann.asc', known.ann.armor());
  made.write('dist/new-1.0.tar.gz', sdist('new', '1.0'));
  return made;
}

async function build(more: readonly string[] = [], at = machine): Promise<Answer> {
  const from = ['--database-url', site.url, '--previous', site.url, '--absent', 'keep'];
  return await at.json(['build', 'dist', '--key', 'ann.asc', ...from, ...more]);
}

const hash = () => sha256(origin.read('dist/packages.plist'));
const listed = (at: Place) => Array.from(decodeDatabase(at.read('dist/packages.plist')).Files.keys());

/** What the maintainer does after a build: the files, signatures first. */
function upload(from: Place): void {
  for (const [name, hex] of Object.entries(from.snapshot()))
    origin.write(`dist/${name}`, Buffer.from(hex, 'hex'));
}

describe('a runner that has only the new file', () => {
  test('keeps all old entries, adds one, and has nothing to do when it runs again', async () => {
    const { status, value } = await build();
    expect([status, value['added'], value['withdrawn']]).toEqual([0, ['new-1.0.tar.gz'], []]);
    expect(listed(machine)).toEqual(['demo-1.0.tar.gz', 'new-1.0.tar.gz', 'sub/other-2.0.tar.gz']);
    const before = machine.snapshot();
    // Before the upload, and after it.
    expect((await build()).value).toMatchObject({ unchanged: true });
    expect(machine.snapshot()).toEqual(before);
    upload(machine);
    expect((await build()).value).toMatchObject({ unchanged: true });
    expect(machine.snapshot()).toEqual(before);
  });

  test('signs anew where nothing is new, so that there is a database to upload', async () => {
    await build();
    upload(machine);
    const fresh = newMachine();
    expect((await build([], fresh)).value).toMatchObject({ unchanged: false, published: true, added: [] });
    expect(decodeDatabase(fresh.read('dist/packages.plist')).Packsign.Previous).toBe(hash());
    expect(listed(fresh)).toEqual(listed(machine));
  });

  test('MASS_REMOVAL: without a word about absence, with the three ways out', async () => {
    const answer = await machine.json(['build', 'dist', '--key', 'ann.asc', '--previous', site.url]);
    expect([codeOf(answer), answer.status]).toEqual(['MASS_REMOVAL', 1]);
    const { hint } = answer.value['error'] as { hint: string };
    for (const way of ['put the files back', '--absent keep', '--absent withdraw'])
      expect(hint).toContain(way);
    expect(hint).toContain(`--previous ${site.url}`);
    expect(machine.has('dist/packages.plist')).toBe(false);
  });

  test('two machines in turn: what both released is there', async () => {
    await build();
    upload(machine);
    const second = newPlace();
    second.write('ann.asc', known.ann.armor());
    second.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    expect((await build([], second)).status).toBe(0);
    upload(second);
    machine.write('dist/last-1.0.tar.gz', sdist('last', '1.0'));
    expect((await build()).status).toBe(0);
    expect(listed(machine)).toEqual([
      ...['demo-1.0.tar.gz', 'last-1.0.tar.gz', 'more-1.0.tar.gz', 'new-1.0.tar.gz', 'sub/other-2.0.tar.gz'],
    ]);
  });

  test('STALE_BUILD: two of them upon one database, in one directory', async () => {
    const waiting = ['--database-url', site.url, '--previous', site.url, '--absent', 'keep'];
    await machine.json([
      'build',
      'dist',
      ...waiting,
      '--certificate',
      'ann.asc',
      '--key',
      'ann.asc',
      '--check',
    ]);
    machine.write('dist/keys.asc', origin.read('dist/keys.asc'));
    expect((await machine.json(['build', 'dist', ...waiting])).status).toBe(0);
    const unsigned = machine.read('dist/packages.unsigned.plist');
    expect((await build(['--validity', '90 days'])).status).toBe(0);
    machine.write('dist/packages.unsigned.plist', unsigned);
    const sign = ['sign', 'dist', '--key', 'ann.asc', '--previous', site.url, '--absent', 'keep'];
    expect(codeOf(await machine.json(sign))).toBe('STALE_BUILD');
  });
});

describe('DATABASE_ROLLED_BACK', () => {
  test('older than the last that was published here, even if that is gone', async () => {
    const old = origin.snapshot();
    await build();
    upload(machine);
    machine.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    await build();
    machine.remove('dist/packages.plist');
    for (const [name, hex] of Object.entries(old)) origin.write(`dist/${name}`, Buffer.from(hex, 'hex'));
    expect(codeOf(await build())).toBe('DATABASE_ROLLED_BACK');
  });

  test('older than the one here, which does not go on from it', async () => {
    await build();
    await publish(origin, known.ann, {
      issued: minutes(ISSUED, 1),
      packsign: { Database: site.url },
      archives: { 'fork-1.0.tar.gz': DEMO },
    });
    expect(codeOf(await build())).toBe('DATABASE_ROLLED_BACK');
  });

  test('older than the last that the trust store accepted', async () => {
    machine.write('keys.asc', origin.read('dist/keys.asc'));
    await machine.json(['trust', 'add', site.url, '--keys', 'keys.asc', '--name', 'ann']);
    await publish(origin, known.ann, { issued: minutes(ISSUED, -5), packsign: { Database: site.url } });
    expect(codeOf(await build())).toBe('DATABASE_ROLLED_BACK');
  });

  test('--not-before: older than a date, or neither of a hash nor next to it', async () => {
    expect(codeOf(await build(['--not-before', '2999-01-01']))).toBe('DATABASE_ROLLED_BACK');
    expect(codeOf(await build(['--not-before', sha256(OTHER)]))).toBe('DATABASE_ROLLED_BACK');
    const first = hash();
    expect((await build(['--not-before', first.toUpperCase()])).status).toBe(0);
    upload(machine);
    const next = newMachine();
    next.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    expect((await build(['--not-before', first], next)).status).toBe(0);
    upload(next);
    const third = newMachine();
    expect(codeOf(await build(['--not-before', first], third))).toBe('DATABASE_ROLLED_BACK');
    expect((await build(['--not-before', '2026-01-01T00:00:00Z'], third)).status).toBe(0);
  });

  test('USAGE: --not-before of something else, or without --previous', async () => {
    expect(codeOf(await build(['--not-before', 'yesterday']))).toBe('USAGE');
    expect(codeOf(await machine.json(['build', 'dist', '--not-before', hash()]))).toBe('USAGE');
  });
});

test('DATABASE_STALE: one that has expired, unless that is allowed', async () => {
  await publish(origin, known.ann, {
    expires: minutes(ISSUED, 1),
    packsign: { Database: site.url },
  });
  expect(codeOf(await build())).toBe('DATABASE_STALE');
  expect((await build(['--allow-stale'])).status).toBe(0);
});

describe('PREDECESSOR_UNCHECKED', () => {
  const isSaid = ({ run }: Answer) => run.stderr.includes('PREDECESSOR_UNCHECKED');

  test('is said where nothing tells which database is the newest', async () => {
    expect(isSaid(await build())).toBe(true);
    // From now on, this machine knows what it published.
    expect(isSaid(await build())).toBe(false);
  });

  test('is not said with --not-before, nor of a file, nor to those who trust the database', async () => {
    expect(isSaid(await build(['--not-before', hash()]))).toBe(false);
    const file = ['--previous', origin.path('dist/packages.plist'), '--absent', 'keep'];
    expect(isSaid(await newMachine().json(['build', 'dist', '--key', 'ann.asc', ...file]))).toBe(false);
    const reader = newMachine();
    reader.write('keys.asc', origin.read('dist/keys.asc'));
    await reader.json(['trust', 'add', site.url, '--keys', 'keys.asc', '--name', 'ann']);
    expect(isSaid(await build([], reader))).toBe(false);
  });
});
