import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import type { Database } from '../../src/model/database.js';
import { codeOf, newKey, newPlace, sdist, transcript } from '../packsign.js';
import type { Answer, Place, TestKey } from '../packsign.js';

/** What becomes of listed files that are not in the directory (docs/FORMAT.md §5). */
let ann: TestKey;
let place: Place;

const RELEASE = ['build', 'dist', '--key', 'ann.asc'];
const KEEP = ['--absent', 'keep'];

beforeAll(async () => {
  ann = await newKey('Ann');
});

beforeEach(async () => {
  place = newPlace();
  place.write('ann.asc', ann.signing);
  for (const name of ['a', 'b', 'c']) place.write(`dist/${name}-1.0.tar.gz`, sdist(name, '1.0'));
  await good(RELEASE);
});

async function good(args: readonly string[], at = place): Promise<Answer> {
  const answer = await at.json(args);
  expect(answer.run.stderr + JSON.stringify(answer.value['error'] ?? ''), args.join(' ')).not.toContain(
    'error',
  );
  expect(answer.status).toBe(0);
  return answer;
}

async function refused(args: readonly string[], at = place): Promise<unknown> {
  const before = at.snapshot();
  const answer = await at.json(args);
  expect(at.snapshot()).toEqual(before);
  expect([1, 2]).toContain(answer.status);
  return codeOf(answer);
}

function published(at = place): Database {
  return decodeDatabase(at.read('dist/packages.plist'));
}

function settings(value: object): void {
  place.write('dist/packsign.json', JSON.stringify(value));
}

describe('keep', () => {
  test('both halves of the entries stay as they are, and one file is added', async () => {
    const before = published();
    for (const name of ['a', 'b', 'c']) place.remove(`dist/${name}-1.0.tar.gz`);
    place.write('dist/d-1.0.tar.gz', sdist('d', '1.0'));
    expect(await refused(RELEASE)).toBe('MASS_REMOVAL');
    const { value } = await good([...RELEASE, ...KEEP]);
    expect(value).toMatchObject({ added: ['d-1.0.tar.gz'], withdrawn: [], changed: [], kept: 3 });
    const { Files, Packages, Packsign } = published();
    for (const [path, entry] of before.Files) expect(Files.get(path)).toEqual(entry);
    expect(Packages).toEqual(expect.arrayContaining([...before.Packages]));
    expect([Files.size, Packages.length, Packsign.History]).toEqual([4, 4, undefined]);
  });

  test('a second run has nothing to do, and status says how many are kept', async () => {
    place.remove('dist/a-1.0.tar.gz');
    place.remove('dist/b-1.0.tar.gz');
    const before = place.snapshot();
    expect((await good([...RELEASE, ...KEEP])).value).toMatchObject({ unchanged: true, kept: 2 });
    expect((await good([...RELEASE, ...KEEP])).value).toMatchObject({ unchanged: true, kept: 2 });
    expect(place.snapshot()).toEqual(before);
    expect((await place.json(['status', 'dist', ...KEEP])).value).toMatchObject({ ok: true, kept: 2 });
    expect((await place.packsign(['status', 'dist', ...KEEP])).stdout).toContain(
      '2 of the files are not here',
    );
    expect((await place.json(['status', 'dist'])).value).toMatchObject({
      attention: ['MASS_REMOVAL', 'UNSIGNED_CHANGES'],
    });
  });

  test('verify says that they are missing', async () => {
    place.remove('dist/a-1.0.tar.gz');
    await good([...RELEASE, ...KEEP]);
    const { value } = await place.json(['verify', 'dist']);
    expect(value).toMatchObject({ ok: false, findings: [{ kind: 'missing' }] });
  });

  test('a kept file that comes back with other bytes is BYTES_CHANGED, with the same bytes nothing', async () => {
    const bytes = place.read('dist/a-1.0.tar.gz');
    place.remove('dist/a-1.0.tar.gz');
    await good([...RELEASE, ...KEEP]);
    place.write('dist/a-1.0.tar.gz', sdist('a', '1.0', 'x = 2\n'));
    expect(await refused([...RELEASE, ...KEEP])).toBe('BYTES_CHANGED');
    place.write('dist/a-1.0.tar.gz', bytes);
    expect((await good(RELEASE)).value).toMatchObject({ unchanged: true, kept: 0 });
  });

  test('the settings yank a kept file, by path or name, and never lift a yank', async () => {
    for (const name of ['a', 'b', 'c']) place.remove(`dist/${name}-1.0.tar.gz`);
    settings({ Absent: 'keep', Packages: { 'a-1.0.tar.gz': { Yanked: 'leaks' }, b: { Yanked: 'burns' } } });
    await good(RELEASE);
    const yanks = () => Array.from(published().Files.values(), ({ Yanked }) => Yanked);
    expect(yanks()).toEqual(['leaks', 'burns', undefined]);
    expect(published().Packages.map(({ Name }) => Name)).toEqual(['c']);
    settings({ Absent: 'keep', Packages: { b: { Yanked: 'otherwise' } } });
    expect((await good(RELEASE)).value).toMatchObject({ unchanged: true });
    expect(yanks()).toEqual(['leaks', 'burns', undefined]);
    expect(published().Packages.map(({ Name }) => Name)).toEqual(['c']);
  });

  test.each([
    [
      { Packages: { 'x-1.0.tar.gz': { 'Download-URL': 'https://cdn.example.org/get?id=5' } } },
      'x-1.0.tar.xz',
    ],
    [{ 'Base-URL': 'https://x.org/dist/' }, 'x-1.0.tar.gz'],
    [{ 'Base-URL': 'https://x.org/dist/' }, 'dist/x-1.0.tar.gz'],
  ])('each file has one package, whatever its address: %j without %s', async (given, gone) => {
    settings({ Absent: 'keep', ...given });
    const other = 'Base-URL' in given ? 'dist/x-1.0.tar.gz' : 'x-1.0.tar.xz';
    for (const path of ['x-1.0.tar.gz', other]) place.write(`dist/${path}`, sdist('x', '1.0'));
    await good([...RELEASE, '--allow-damaged', other]);
    const packages = published().Packages;
    expect(packages.length).toBe(5);
    place.remove(`dist/${gone}`);
    expect((await good(RELEASE)).value).toMatchObject({ unchanged: true, kept: 1 });
    expect(published().Packages).toEqual(packages);
  });

  test('mutable files stay so, and leave when they are excluded', async () => {
    place.write('dist/latest.bin', 'latest');
    await good([...RELEASE, '--mutable', 'latest.*']);
    const entry = published().Files.get('latest.bin');
    place.remove('dist/latest.bin');
    await good([...RELEASE, ...KEEP, '--validity', '90 days']);
    expect(published().Files.get('latest.bin')).toEqual(entry);
    expect((await good([...RELEASE, ...KEEP, '--exclude', 'latest.*'])).value).toMatchObject({
      withdrawn: ['latest.bin'],
    });
  });

  test('MASS_REMOVAL: a glob that excludes most of them needs a word too', async () => {
    for (const name of ['a', 'b', 'c']) place.remove(`dist/${name}-1.0.tar.gz`);
    expect(await refused([...RELEASE, ...KEEP, '--exclude', '*'])).toBe('MASS_REMOVAL');
    expect(await refused([...RELEASE, ...KEEP, '--exclude', '[ab]*'])).toBe('MASS_REMOVAL');
    await good([...RELEASE, ...KEEP, '--exclude', 'a-*']);
  });

  test.each(['dist/A-1.0.TAR.GZ', 'dist/A-1.0.tar.gz/x.zip'])(
    'a kept file stays listed, and %s is left out, which is in its way',
    async (name) => {
      place.remove('dist/a-1.0.tar.gz');
      place.write(name, sdist('x', '1.0'));
      const path = name.slice('dist/'.length);
      const { value } = await place.json([...RELEASE, ...KEEP]);
      expect(value).toMatchObject({
        warnings: [{ code: 'UNSAFE_NAME', path }],
        uncovered: [{ path, reason: 'case' }],
        unchanged: true,
      });
    },
  );

  test('a new file at the name of a folder of a kept one is left out', async () => {
    place.write('dist/v1.bin/x-1.0.tar.gz', sdist('x', '1.0'));
    await good(RELEASE);
    place.remove('dist/v1.bin');
    place.write('dist/V1.bin', 'in the way');
    expect((await place.json([...RELEASE, ...KEEP])).value).toMatchObject({
      warnings: [{ code: 'UNSAFE_NAME', path: 'V1.bin' }],
      unchanged: true,
    });
  });

  test('two packages with the same file name in two folders are not mixed up', async () => {
    place.write('dist/x/a-1.0.tar.gz', sdist('a', '1.0', 'x = 2\n'));
    await place.packsign(RELEASE);
    const { Packages } = published();
    place.remove('dist/a-1.0.tar.gz');
    expect((await place.json([...RELEASE, ...KEEP])).value).toMatchObject({ unchanged: true });
    expect(published().Packages).toEqual(Packages);
  });
});

describe('sign', () => {
  const SIGN = ['sign', 'dist', '--key', 'ann.asc'];

  beforeEach(async () => {
    place.remove('dist/a-1.0.tar.gz');
    settings({ Packages: { 'a-1.0.tar.gz': { Yanked: 'leaks' } } });
    await good(['build', 'dist', ...KEEP]);
  });

  test('needs the same word, and then takes an entry as it was but for a yank', async () => {
    expect(await refused(SIGN)).toBe('FILE_DIFFERS');
    await good([...SIGN, ...KEEP]);
    expect(published().Files.get('a-1.0.tar.gz')?.Yanked).toBe('leaks');
    expect(published().Files.size).toBe(3);
  });

  test.each<readonly [string, (text: string) => string]>([
    ['another hash', (text) => text.replace(/(a-1\.0[^]*?<key>SHA256<\/key>\s*<string>)..../, '$10000')],
    [
      'another version',
      (text) => text.replace(/(<key>Files<[^]*?<key>Version<\/key>\s*<string>)1.0/, '$11.1'),
    ],
    ['another size', (text) => text.replace(/(a-1\.0[^]*?<integer>)\d/, '$19')],
    ['a file that was never listed', (text) => text.replace('<key>a-1.0.tar.gz', '<key>a-0.9.tar.gz')],
  ])('refuses %s of an absent file', async (_, change) => {
    const waiting = place.text('dist/packages.unsigned.plist');
    const [head = '', files = ''] = waiting.split('    <key>Files</key>');
    const changed = `${head}${change(`    <key>Files</key>${files}`)}`;
    expect(changed).not.toBe(waiting);
    place.write('dist/packages.unsigned.plist', changed);
    expect(await refused([...SIGN, ...KEEP])).toBe('FILE_DIFFERS');
  });

  test('refuses to lift a yank', async () => {
    await good([...SIGN, ...KEEP]);
    settings({});
    place.write('dist/d-1.0.tar.gz', sdist('d', '1.0'));
    await good(['build', 'dist', ...KEEP]);
    const waiting = place.text('dist/packages.unsigned.plist');
    const lifted = waiting.replace(/ {8}<key>Yanked<\/key>\n {8}<string>leaks<\/string>\n/, '');
    expect(lifted).not.toBe(waiting);
    place.write('dist/packages.unsigned.plist', lifted);
    expect(await refused([...SIGN, ...KEEP])).toBe('FILE_DIFFERS');
  });
});

test('diff shows what would go, and that it needs a word', async () => {
  place.remove('dist/a-1.0.tar.gz');
  place.remove('dist/b-1.0.tar.gz');
  const { value } = await good(['diff', 'dist']);
  expect(value).toMatchObject({
    withdrawn: ['a-1.0.tar.gz', 'b-1.0.tar.gz'],
    warnings: [{ code: 'MASS_REMOVAL', path: null }],
  });
  expect((await good(['diff', 'dist', ...KEEP])).value).toMatchObject({ withdrawn: [], warnings: [] });
});

test('NOTHING_TO_LIST only where nothing was listed; then an empty list must be typed', async () => {
  const empty = newPlace();
  empty.write('ann.asc', ann.signing);
  empty.write('dist/README.md', 'hello');
  settings({ Absent: 'withdraw' });
  expect(await refused(RELEASE, empty)).toBe('NOTHING_TO_LIST');
  expect(await refused([...RELEASE, ...KEEP], empty)).toBe('NOTHING_TO_LIST');
  await good([...RELEASE, '--absent', 'withdraw'], empty);
  expect(published(empty).Files.size).toBe(0);
});

test('USAGE: any other word', async () => {
  expect(transcript(await place.packsign([...RELEASE, '--absent', 'forget']))).toMatchInlineSnapshot(`
    "$ packsign build dist --key ann.asc --absent forget
    ! packsign: error: --absent must be ask, withdraw or keep, not "forget"
    ! packsign: hint: packsign build --help
    [2]"
  `);
  settings({ Absent: true });
  expect(await refused(RELEASE)).toBe('SETTINGS_INVALID');
});
