import { execFileSync } from 'node:child_process';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import type { Database } from '../../src/model/database.js';
import { codeOf, epoch, newKey, newPlace, sdist } from '../packsign.js';
import type { Answer, Place, TestKey } from '../packsign.js';

/** What a writer must not publish, because no reader would take it, or because a person did not ask for it. */
let ann: TestKey;
let place: Place;

beforeAll(async () => {
  ann = await newKey('Ann');
});

beforeEach(() => {
  place = newPlace();
  place.write('ann.asc', ann.signing);
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
});

const run = (args: readonly string[], at: string): Promise<Answer> =>
  place.json([...args, 'dist', '--key', 'ann.asc'], { env: epoch(at) });
const build = (at: string, ...more: readonly string[]) => run(['build', ...more], at);
const published = (): Database => decodeDatabase(place.read('dist/packages.plist'));

describe('the date of a database', () => {
  test('is later than that of the one before, also with --first', async () => {
    await build('2026-10-01');
    place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    expect((await build('2026-10-01', '--first')).status).toBe(0);
    expect(published().Packsign.Issued).toEqual(new Date('2026-10-01T00:00:01Z'));
  });

  test('STALE_BUILD: not that of one that somebody dated by hand', async () => {
    await build('2026-10-01T00:00:10Z');
    place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    await place.packsign(['build', 'dist'], { env: epoch('2026-10-01T00:01:00Z') });
    const draft = place.text('dist/packages.unsigned.plist');
    const before = place.read('dist/packages.plist');
    for (const date of ['2026-10-01T00:00:10Z', '2026-10-01T00:00:00Z']) {
      place.write('dist/packages.unsigned.plist', draft.replaceAll('2026-10-01T00:01:00Z', date));
      expect(codeOf(await run(['sign'], '2026-10-01T00:02:00Z'))).toMatch(/STALE_BUILD|DATABASE_MALFORMED/);
      expect(place.read('dist/packages.plist')).toEqual(before);
    }
  });

  test('STALE_BUILD: not before the last one that this machine published', async () => {
    await build('2026-10-01T00:00:00Z');
    execFileSync('cp', ['-r', 'dist', 'backup'], { cwd: place.root });
    place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    await build('2026-10-01T00:05:00Z');
    execFileSync('cp', ['-r', 'backup/.', 'dist'], { cwd: place.root });
    expect(codeOf(await build('2026-10-01T00:04:00Z'))).toBe('STALE_BUILD');
    const later = await build('2026-10-01T00:06:00Z');
    expect([later.status, published().Files.size]).toEqual([0, 2]);
  });
});

describe('a directory of files that change by design', () => {
  const MUTABLE = ['--mutable', '**'];

  test('MASS_REMOVAL: does not pass for a first database', async () => {
    for (let number = 0; number < 12; number += 1)
      place.write(`dist/n-${number}.0.tar.gz`, sdist('n', `${number}.0`));
    await build('2026-10-01', ...MUTABLE);
    for (let number = 0; number < 12; number += 1) place.remove(`dist/n-${number}.0.tar.gz`);
    place.remove('dist/demo-1.0.tar.gz');
    place.write('dist/q-1.0.tar.gz', sdist('q', '1.0'));
    await place.packsign(['build', 'dist', ...MUTABLE, '--absent', 'withdraw'], { env: epoch('2026-10-02') });
    expect(codeOf(await run(['sign', ...MUTABLE], '2026-10-02'))).toBe('MASS_REMOVAL');
  });

  test('MASS_REMOVAL: nor is a new file without a name the successor of all that have none', async () => {
    for (let number = 0; number < 12; number += 1) place.write(`dist/tool${number}.bin`, `${number}`);
    await build('2026-10-01');
    for (let number = 0; number < 12; number += 1) place.remove(`dist/tool${number}.bin`);
    place.write('dist/other.bin', 'other');
    expect(codeOf(await build('2026-10-02'))).toBe('MASS_REMOVAL');
  });
});

test('FILE_DIFFERS: a waiting database must not drop a file that lies there', async () => {
  place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
  await build('2026-10-01');
  await place.packsign(['build', 'dist', '--exclude', 'more*'], { env: epoch('2026-10-02') });
  expect(codeOf(await run(['sign'], '2026-10-02'))).toBe('FILE_DIFFERS');
  expect((await run(['sign', '--exclude', 'more*'], '2026-10-02')).status).toBe(0);
});

test('a former path that differs in case is named, and its bytes may come back', async () => {
  place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
  await build('2026-10-01');
  place.remove('dist/demo-1.0.tar.gz');
  await build('2026-10-02');
  place.write('dist/Demo-1.0.tar.gz', sdist('demo', '1.0', 'y = 2\n'));
  const refused = await build('2026-10-03');
  expect(refused.run.stderr).toMatch(
    /was sha256 [0-9a-f]{64}, withdrawn \S+ as demo-1.0.tar.gz, which differs only in case/,
  );
  expect(
    (await build('2026-10-03', '--allow-changed', 'Demo-1.0.tar.gz', '--reason', 'renamed')).status,
  ).toBe(0);
  const bytes = place.read('dist/Demo-1.0.tar.gz');
  place.remove('dist/Demo-1.0.tar.gz');
  await build('2026-10-04');
  place.write('dist/Demo-1.0.tar.gz', bytes);
  expect((await build('2026-10-05')).status).toBe(0);
});
