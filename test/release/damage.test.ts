import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PacksignError } from '../../src/errors.js';
import type { Database } from '../../src/model/database.js';
import type { FileFacts } from '../../src/model/entry.js';
import type { Warning } from '../../src/model/finding.js';
import type { Inspection } from '../../src/model/inspection.js';
import { damageHint, damageWarnings, findDamage, refuseDamage } from '../../src/release/damage.js';
import { makeRun } from '../../src/index.js';
import { codeOf, newKey, newPlace, sdist } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';

const SOUND: Inspection = { kind: 'sound', inspect: 'whole' };
const CUT: Inspection = { kind: 'damaged', reason: 'ends early' };
const UNSEEN: Inspection = { kind: 'unseen', reason: 'too large' };

function facts(path: string, inspection: Inspection, sha256 = path): FileFacts {
  const reading = { kind: 'absent', reason: 'nothing there' } as const;
  return { path, size: 1, sha256, md5: null, reading, inspection };
}

/** A published database that lists these hashes by path. */
function listing(hashes: Readonly<Record<string, string>>): Database {
  const Files = new Map(Object.entries(hashes).map(([path, SHA256]) => [path, { SHA256 }]));
  return { Files } as unknown as Database;
}

function find(
  files: readonly FileFacts[],
  { published = null, allow = [] }: { published?: Database | null; allow?: readonly string[] } = {},
) {
  const place = newPlace();
  for (const { path } of files) place.write(`dist/${path}`, '');
  const warned: Warning[] = [];
  const directory = place.path('dist');
  const stateFolder = place.path('dist/.packsign');
  const run = makeRun({ clock: () => new Date(), stateFolder, warn: (warning) => warned.push(warning) });
  const allowDamaged = allow.map((path) => path.replace('DIST', directory));
  const damage = findDamage(directory, files, { run, published, allowDamaged });
  expect(warned).toEqual([]);
  return { damaged: Array.from(damage.damaged.keys()), unseen: damage.unseen, needless: damage.needless };
}

describe('T39: what is damaged', () => {
  test('is found among new files, and what was not looked through is counted', () => {
    const files = [facts('a.zip', SOUND), facts('b.zip', CUT), facts('c.zip', UNSEEN)];
    expect(find(files)).toEqual({ damaged: ['b.zip'], unseen: 1, needless: [] });
  });

  test('is no matter where the predecessor lists the bytes, under whatever path', () => {
    const files = [
      facts('a.zip', CUT, 'one'),
      facts('moved/b.zip', CUT, 'two'),
      facts('c.zip', UNSEEN, 'two'),
    ];
    const published = listing({ 'a.zip': 'one', 'b.zip': 'two' });
    expect(find(files, { published })).toEqual({ damaged: [], unseen: 0, needless: [] });
  });

  test('is found where the predecessor lists other bytes under the path', () => {
    const published = listing({ 'a.zip': 'other' });
    expect(find([facts('a.zip', CUT, 'one')], { published }).damaged).toEqual(['a.zip']);
  });

  test('is allowed under every spelling of its path, and nothing else is', () => {
    const files = [facts('a.zip', CUT), facts('sub/b.zip', CUT), facts('c.zip', CUT)];
    expect(find(files, { allow: ['a.zip', 'DIST/sub/b.zip'] })).toEqual({
      ...{ damaged: ['c.zip'], unseen: 0, needless: [] },
    });
    expect(find(files, { allow: ['./a.zip', 'sub/../c.zip'] }).damaged).toEqual(['sub/b.zip']);
  });

  test('that is allowed and is not there, or not damaged, is said', () => {
    const { damaged, needless } = find([facts('a.zip', SOUND), facts('b.zip', CUT)], {
      allow: ['nowhere.zip', 'a.zip', '../b.zip'],
    });
    expect(damaged).toEqual(['b.zip']);
    expect(needless).toEqual(
      [
        ['nowhere.zip', 'allowed, but there is no such file in the directory'],
        ['a.zip', 'allowed, but nothing is wrong with it, or it is published already'],
        ['../b.zip', 'allowed, but there is no such file in the directory'],
      ].map(([path, message]) => ({ code: 'NOT_DAMAGED', path, message })),
    );
  });

  test('is named with its reason, and with what to do', () => {
    const damaged = new Map([
      ['a.zip', 'ends early'],
      ['b.zip', 'is empty'],
    ]);
    expect(damageWarnings({ damaged })).toEqual([
      { code: 'DAMAGED', path: 'a.zip', message: 'damaged: ends early' },
      { code: 'DAMAGED', path: 'b.zip', message: 'damaged: is empty' },
    ]);
    const refusal = refusalOf(() => refuseDamage(damaged, null));
    expect(refusal).toMatchObject({ code: 'DAMAGED' });
    expect(refusal?.message).toBe(
      '2 files are damaged, so nothing new is published:\n  a.zip: ends early\n  b.zip: is empty',
    );
    expect(refusal?.hint).toBe(
      'upload them again; to publish them as is: packsign build DIRECTORY --allow-damaged a.zip --allow-damaged b.zip --key KEY',
    );
    expect(refusalOf(() => refuseDamage(new Map(), null))).toBeNull();
  });
});

describe('T39, DAMAGED: commands', () => {
  const BUILD = ['build', 'dist', '--key', 'ann.asc'];
  const SIGN = ['sign', 'dist', '--key', 'ann.asc'];
  const CUT_NAME = 'cut-1.0.tar.gz';
  let ann: TestKey;
  let place: Place;

  beforeAll(async () => {
    ann = await newKey('Ann');
  });
  beforeEach(() => {
    place = newPlace();
    place.write('ann.asc', ann.signing);
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    place.write(`dist/${CUT_NAME}`, sdist('cut', '1.0').subarray(0, 500));
  });

  const codesOf = (warnings: unknown) => (warnings as readonly Warning[]).map(({ code }) => code);

  test('build --key and --strict refuse, and write nothing', async () => {
    const before = place.snapshot();
    const outcomes: unknown[] = [];
    for (const args of [BUILD, ['build', 'dist', '--strict', '--maintainer', 'A']]) {
      const answer = await place.json(args);
      outcomes.push([answer.status, codeOf(answer)]);
    }
    expect(outcomes).toEqual([
      [1, 'DAMAGED'],
      [1, 'WARNINGS'],
    ]);
    expect(place.snapshot()).toEqual(before);
  });

  test('NOT_DAMAGED: an allowed path that is not there is a warning of the result, which --strict refuses', async () => {
    place.remove(`dist/${CUT_NAME}`);
    const allowing = [...BUILD, '--allow-damaged', 'nosuch.zip', '--maintainer', 'A'];
    expect(codeOf(await place.json([...allowing, '--strict']))).toBe('WARNINGS');
    expect(place.has('dist/packages.plist')).toBe(false);
    expect(codesOf((await place.json(allowing)).value['warnings'])).toEqual(['NOT_DAMAGED']);
    expect((await place.json(['build', 'dist', '--maintainer', 'A'])).value['warnings']).toEqual([]);
  });

  test('the hint works as it is typed, for several files and for one that replaces a published one', async () => {
    place.write(`dist/${CUT_NAME}`, sdist('cut', '1.0'));
    expect((await place.json(BUILD)).status).toBe(0);
    place.write(`dist/${CUT_NAME}`, sdist('cut', '1.0').subarray(0, 500));
    place.write('dist/more~1-1.0.tar.gz', sdist('more', '1.0').subarray(0, 500));
    const { value } = await place.json(BUILD);
    const { message, hint } = value['error'] as { message: string; hint: string };
    expect(message).toMatch(/cut-1\.0\.tar\.gz: ends early.*; other bytes are published under its name\n/);
    expect(message).not.toMatch(/more.*other bytes/);
    expect(hint).toContain(
      `packsign build dist --allow-damaged ${CUT_NAME} --allow-damaged 'more~1-1.0.tar.gz' --allow-changed ${CUT_NAME} --reason TEXT --key ann.asc`,
    );
    const typed = hint
      .replace(/^.*packsign /, '')
      .replaceAll("'", '')
      .split(' ');
    expect((await place.json(typed)).value).toMatchObject({ published: true });
  });

  test('status of a published directory gives the reason of what watch holds, and says nothing untrue', async () => {
    place.remove(`dist/${CUT_NAME}`);
    expect((await place.json(BUILD)).status).toBe(0);
    place.write('dist/odd-2.0.tar.gz', sdist('other', '2.0'));
    place.write(`dist/${CUT_NAME}`, sdist('cut', '1.0').subarray(0, 500));
    const { stdout, stderr } = await place.packsign(['status', 'dist']);
    expect(stderr).toMatch(/odd-2\.0\.tar\.gz: its metadata says other 2\.0, .*\(NAME_MISMATCH\)/);
    expect(stderr).not.toContain('DAMAGED');
    expect(stdout).toContain(`a file is damaged, so nothing new is published:\n    ${CUT_NAME}: ends early`);
    expect(stdout).toContain(`packsign build dist --allow-damaged ${CUT_NAME} --key KEY`);
  });

  test('the hint does not name all of many files', () => {
    const paths = Array.from({ length: 6 }, (_, index) => `${index}.zip`);
    expect(damageHint(paths, null)).toBe(
      'upload them again; to publish them as is: packsign build DIRECTORY --allow-damaged PATH --key KEY, with PATH once for each',
    );
  });

  test('an override in "Packages" silences nothing', async () => {
    const Packages = { [CUT_NAME]: { Name: 'cut', Version: '1.0' } };
    place.write('dist/packsign.json', JSON.stringify({ Packages }));
    expect(codeOf(await place.json(BUILD))).toBe('DAMAGED');
  });

  test('build, build --check, diff and status warn; sign looks again and refuses', async () => {
    const seen = [];
    for (const args of [
      ['build', 'dist', '--check'],
      ['diff', 'dist'],
      ['build', 'dist'],
    ]) {
      seen.push(codesOf((await place.json(args)).value['warnings']));
    }
    expect(seen).toEqual(Array(3).fill(['NO_MAINTAINER', 'DAMAGED']));
    const status = await place.json(['status', 'dist']);
    expect(status.value['attention']).toContain('DAMAGED');
    expect(status.value['warnings']).toContainEqual({
      ...{ code: 'DAMAGED', path: CUT_NAME },
      message: expect.stringContaining('damaged: ends early') as unknown,
    });
    const answer = await place.json(SIGN);
    expect([answer.status, codeOf(answer)]).toEqual([1, 'DAMAGED']);
    expect(place.has('dist/packages.plist')).toBe(false);
    const signed = await place.json([...SIGN, '--allow-damaged', CUT_NAME]);
    expect(signed.value).toMatchObject({ published: true });
  });

  test('once published it is no matter any more, also under another name', async () => {
    expect((await place.json([...BUILD, '--allow-damaged', CUT_NAME])).value).toMatchObject({
      ...{ published: true, warnings: [] },
    });
    place.write('dist/copy/cut-1.0.tar.gz', place.read(`dist/${CUT_NAME}`));
    place.write('dist/next-1.0.tar.gz', sdist('next', '1.0'));
    expect((await place.json(BUILD)).value).toMatchObject({ published: true });
  });

  test('sign --without-files says that nobody looked', async () => {
    expect((await place.json(['build', 'dist'])).status).toBe(0);
    const run = await place.packsign([...SIGN, '--without-files']);
    expect([run.status, run.stderr]).toEqual([
      0,
      expect.stringContaining(
        '2 new files could not be checked for damage here; the host that publishes checks for it',
      ),
    ]);
    expect(codeOf(await place.json(['sign', 'dist']))).toBe('DAMAGED');
  });

  test('files that are looked through once more lend nothing to those that are new', async () => {
    place.remove(`dist/${CUT_NAME}`);
    // Large enough for the threads to share them.
    const large = () => gzipSync(randomBytes(10_000_000), { level: 1 });
    place.write('dist/y-1.0.gz', large());
    place.write('dist/z-1.0.gz', large());
    await sleep(2100);
    expect((await place.json([...BUILD.slice(0, 2), '--inspect', 'ends'])).status).toBe(0);
    for (const name of ['a', 'b', 'x']) place.write(`dist/${name}-1.0.gz`, large());
    expect((await place.json(BUILD)).status).toBe(0);
    const text = place.text('dist/packages.plist');
    for (const name of ['a', 'b', 'x', 'y', 'z']) {
      const hash = createHash('sha256')
        .update(place.read(`dist/${name}-1.0.gz`))
        .digest('hex');
      expect(text.split(hash).length, name).toBe(2);
    }
  });

  test('files that were looked at by their ends only are looked through when Inspect is whole again', async () => {
    place.remove(`dist/${CUT_NAME}`);
    const bytes = sdist('bad', '1.0', 'x = 1\n'.repeat(1000));
    bytes[bytes.length >> 1]! ^= 1;
    place.write('dist/bad-1.0.tar.gz', bytes);
    // What was touched a moment ago is not remembered.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2100);
    const ends = await place.json(['build', 'dist', '--inspect', 'ends']);
    expect(codesOf(ends.value['warnings'])).toEqual(['NO_MAINTAINER']);
    expect((await place.json(['build', 'dist', '--inspect', 'ends'])).value).toMatchObject({ hashed: 0 });
    const whole = await place.json(['build', 'dist']);
    expect(codesOf(whole.value['warnings'])).toEqual(['NO_MAINTAINER', 'DAMAGED']);
    expect(codeOf(await place.json(BUILD))).toBe('DAMAGED');
    // Once the bytes are published, nobody looks at them again.
    expect((await place.json([...BUILD, '--inspect', 'ends', '--rehash'])).value).toMatchObject({
      published: true,
    });
    expect((await place.json(BUILD)).value).toMatchObject({ unchanged: true, hashed: 0 });
  });

  test('names the first few files of a long list, and all with --verbose', async () => {
    for (let index = 0; index < 30; index += 1) {
      place.write(`dist/x${index}-1.0.tar.gz`, sdist('x', `${index}`).subarray(0, 500));
    }
    const [brief, whole] = [await place.packsign(BUILD), await place.packsign([...BUILD, '--verbose'])];
    expect(brief.stderr.match(/^ {2}\S+: ends early/gm)).toHaveLength(20);
    expect(brief.stderr).toContain('  … and 11 more lines with --verbose\n');
    expect(whole.stderr.match(/^ {2}\S+: ends early/gm)).toHaveLength(31);
    const warned = await place.packsign(['build', 'dist']);
    expect(warned.stderr).toMatch(
      /warning: 31 files: damaged: .* \(DAMAGED\): cut-1.0.tar.gz, .* and 26 more\n/,
    );
  });
});

function refusalOf(act: () => void): PacksignError | null {
  try {
    act();
    return null;
  } catch (error) {
    if (error instanceof PacksignError) return error;
    throw error;
  }
}
