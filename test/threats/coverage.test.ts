import { appendFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import { ar, rpm } from '../archives/packages.js';
import { emptyZip, newKey, newPlace, npmTarball, sdist, tarball } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';

// A directory as a small project publishes it: what one platform after the other asked for, and what lies beside.

const ELF = '\x7fELF\x02\x01\x01';
const ZIP = emptyZip('');
const EMPTY_TAR_GZ = tarball([]);
/** As xz, lzip, 7z and zstd make them of an empty tar archive, or of nothing. */
const EMPTY = {
  tarXz:
    '/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4AP/AAtdAABv/f//o7d/RjIAAAAMJ2kgl2N4wwABJ4AIAAAALnmurbHEZ/sCAAAAAARZWg==',
  tarLz: 'TFpJUAEMAABv/f//o7eADILb//+f8AAALq+17wAEAAAAAAAALAAAAAAAAAA=',
  sevenZip: 'N3q8ryccAASNm9UPAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
  zst: 'KLUv/QRYEQAAeAqu/eki',
};
const decoded = (text: string) => Buffer.from(text, 'base64');

const LISTED: Readonly<Record<string, string | Uint8Array>> = {
  '1.1.0/lantern-linux-amd64': ELF,
  'Lantern-1.2.0-x86_64.AppImage': ELF,
  'Lantern-1.2.0.dmg': 'koly\0\0\0\x04\0\0\x02\0',
  'Lantern-1.2.0.pkg': 'xar!',
  'acme-lantern-1.2.0.tgz': npmTarball('@acme/lantern', '1.2.0'),
  'install.sh': '#!/bin/sh\n',
  'lantern-1.2.0-1.noarch.rpm': rpm({ 1000: 'lantern', 1001: '1.2.0', 1002: '1', 1022: 'noarch' }),
  'lantern-1.2.0-linux-amd64.gz': gzipSync('one compressed file'),
  'lantern-1.2.0-py3-none-any.whl': ZIP,
  'lantern-1.2.0-setup.exe': 'MZ',
  'lantern-1.2.0-win.7z': decoded(EMPTY.sevenZip),
  'lantern-1.2.0-x86_64-linux.zst': decoded(EMPTY.zst),
  'lantern-1.2.0.apk': ZIP,
  'lantern-1.2.0.crate': tarball([{ path: 'lantern-1.2.0/Cargo.toml', bytes: '[package]' }]),
  'lantern-1.2.0.flatpak': 'flatpak',
  'lantern-1.2.0.gem': gunzipSync(tarball([{ path: 'data.tar.gz', bytes: EMPTY_TAR_GZ }])),
  'lantern-1.2.0.iso': '\0\x01CD001\x01\0',
  'lantern-1.2.0.jar': ZIP,
  'lantern-1.2.0.msi': '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1',
  'lantern-1.2.0.tar.gz': sdist('lantern', '1.2.0'),
  'lantern-1.2.0.tar.lz': decoded(EMPTY.tarLz),
  'lantern-1.2.0.wasm': '\0asm\x01\0\0\0',
  'lantern-linux-amd64': ELF,
  'lantern-x86_64-unknown-linux-gnu.tar.xz': decoded(EMPTY.tarXz),
  'lantern_1.2.0-1_amd64.deb': ar(
    { name: 'debian-binary', contents: '2.0\n' },
    { name: 'control.tar.gz', contents: EMPTY_TAR_GZ },
    { name: 'data.tar.gz', contents: EMPTY_TAR_GZ },
  ),
  'lantern_1.2.0_amd64.snap': `hsqs${'\0'.repeat(92)}`,
};

const COMPANIONS = [
  ...['SHA256SUMS', 'SHA256SUMS.asc', 'lantern-1.2.0.tar.gz.asc', 'lantern-1.2.0.tar.gz.intoto.jsonl'],
  ...['lantern-linux-amd64.sha256', 'lantern_1.2.0-1_amd64.deb.sbom'],
];

const UNCOVERED = [
  { path: 'CON.zip', reason: 'name' },
  { path: 'Lantern Setup 1.2.0.exe', reason: 'name' },
  { path: 'RELEASE_NOTES.md', reason: 'kind' },
  { path: 'caf\\xE9-1.0.zip', reason: 'name' },
  { path: 'lantern-1.2.0.dmg', reason: 'case' },
  { path: 'lantern-1.2.0.sbom', reason: 'kind' },
  { path: 'latest', reason: 'link' },
  { path: 'latest.zip', reason: 'link' },
  { path: 'v1 (old)/lantern-1.0.zip', reason: 'name' },
] as const;

const FIRST_NAMES = UNCOVERED.slice(0, 5).map(({ path }) => path);
const HERE = `${UNCOVERED.length} files here are not covered: ${FIRST_NAMES.join(', ')} and ${UNCOVERED.length - 5} more`;
const ADVICE =
  '"Include" in packsign.json lists files of other kinds, rename files whose names cannot be listed, only regular files are listed, "Exclude" leaves files out';
const ALL_NAMES = UNCOVERED.map(({ path, reason }) => `${path} (${reason})`).join(', ');
const COVERAGE = { uncovered: UNCOVERED, companions: COMPANIONS.length };

let key: TestKey;

beforeAll(async () => {
  key = await newKey('Ann');
});

function newRelease(): Place {
  const place = newPlace();
  place.write('ann.asc', key.signing);
  place.write('ann.pub.asc', key.certificate);
  const bytes = (one: string | Uint8Array) => (typeof one === 'string' ? Buffer.from(one, 'latin1') : one);
  for (const [path, one] of Object.entries(LISTED)) place.write(`dist/${path}`, bytes(one));
  for (const path of COMPANIONS) place.write(`dist/${path}`, 'about another file');
  for (const { path, reason } of UNCOVERED) {
    if (reason !== 'link' && !path.includes('\\')) place.write(`dist/${path}`, 'x');
  }
  symlinkSync('lantern-linux-amd64', place.path('dist/latest'));
  symlinkSync('lantern-1.2.0.jar', place.path('dist/latest.zip'));
  writeFileSync(Buffer.from(`${place.path('dist')}/caf\xe9-1.0.zip`, 'latin1'), 'x');
  mkdirSync(place.path('dist/empty'));
  place.write('dist/.DS_Store', 'hidden');
  return place;
}

const listedIn = (place: Place, name = 'packages.plist') =>
  Array.from(decodeDatabase(place.read(`dist/${name}`)).Files.keys());

describe('T38: of a directory with forty files', () => {
  let place: Place;

  beforeAll(() => {
    place = newRelease();
    const all = Object.keys(LISTED).length + COMPANIONS.length + UNCOVERED.length;
    expect(all).toBeGreaterThanOrEqual(40);
  });

  /** Runs a command that must succeed, and name what is not covered in one line. */
  async function names(args: readonly string[], status = 0): Promise<void> {
    const run = await place.packsign(args);
    expect(run.status, run.stderr).toBe(status);
    const line = `packsign: ${HERE}; ${ADVICE}`;
    expect(run.stderr.split('\n').filter((each) => each.includes('not covered'))).toEqual([line]);
  }

  test('build, diff, status and sign list every artefact, and name every other file', async () => {
    await names(['build', 'dist']);
    expect(listedIn(place, 'packages.unsigned.plist')).toEqual(Object.keys(LISTED).sort());
    await names(['diff', 'dist']);
    await names(['status', 'dist'], 1);
    await names(['sign', 'dist', '--key', 'ann.asc']);
    expect(listedIn(place)).toEqual(Object.keys(LISTED).sort());
  });

  test('so do they, and page, where nothing is left to do', async () => {
    await names(['build', 'dist']);
    await names(['build', 'dist', '--rehash']);
    await names(['build', 'dist', '--key', 'ann.asc']);
    await names(['build', 'dist', '--check']);
    await names(['diff', 'dist']);
    await names(['status', 'dist']);
    await names(['sign', 'dist', '--key', 'ann.asc']);
    await names(['page', 'dist']);
    await names(['page', 'dist']);
    expect(place.text('dist/index.html')).not.toContain('RELEASE_NOTES');
  });

  test.each([['build'], ['diff'], ['status'], ['page'], ['sign', '--key', 'ann.asc']])(
    '%s says all of it, and why, with --verbose and --json',
    async (command, ...args) => {
      const { stderr } = await place.packsign([command, 'dist', '--verbose', ...args]);
      expect(stderr).toContain(`${UNCOVERED.length} files here are not covered: ${ALL_NAMES}; ${ADVICE}\n`);
      expect((await place.json([command, 'dist', ...args])).value).toMatchObject(COVERAGE);
    },
  );

  test('verify counts it in the first line, and fails with --strict alone', async () => {
    const all = Object.keys(LISTED).length;
    const words = `${all} of ${all} files as signed; ${HERE}; ${COMPANIONS.length} companions`;
    const args = ['verify', 'dist', '--keys', 'ann.pub.asc'];
    const run = await place.packsign(args);
    expect([run.status, run.stdout.split('\n')[0]]).toEqual([0, expect.stringContaining(words)]);
    expect(run.stdout).toMatch(/^authentic /);
    for (const { path } of UNCOVERED) expect(run.stdout).toContain(`\n  unlisted: ${path}\n`);
    expect((await place.json(args)).value).toMatchObject({ ok: true, code: null, ...COVERAGE });
    const strict = await place.packsign([...args, '--strict']);
    expect([strict.status, strict.stdout.split('\n')[0]]).toEqual([1, expect.stringContaining(words)]);
    expect(strict.stdout).toMatch(/^9 files are not covered \(refused\): .*\(UNCOVERED\)\n/);
    expect((await place.json([...args, '--strict'])).value).toMatchObject({ ok: false, code: 'UNCOVERED' });
  });

  test('build refuses it with --strict', async () => {
    const { status, run, value } = await place.json(['build', 'dist', '--strict']);
    expect([status, value['error']]).toMatchObject([1, { code: 'UNCOVERED' }]);
    for (const { path } of UNCOVERED) expect(run.stdout).toContain(JSON.stringify(path).slice(1, -1));
  });

  test('an altered copy of any listed file makes verify end with 1', async () => {
    for (const path of Object.keys(LISTED)) {
      const before = place.read(`dist/${path}`);
      appendFileSync(place.path(`dist/${path}`), '\n');
      const { status, value } = await place.json(['verify', 'dist', '--keys', 'ann.pub.asc']);
      const altered = (value['findings'] as { kind: string; path: string }[]).filter(
        ({ kind }) => kind !== 'unlisted',
      );
      expect([path, status, value['code'], altered]).toMatchObject([
        ...[path, 1, 'FILE_ALTERED'],
        [{ kind: 'altered', path }],
      ]);
      writeFileSync(place.path(`dist/${path}`), before);
    }
    expect((await place.json(['verify', 'dist', '--keys', 'ann.pub.asc'])).status).toBe(0);
  });
});

test('T38: watch lists and names the same, also what came a moment ago', async () => {
  const place = newRelease();
  const { status, stdout, stderr } = await place.packsign(['watch', 'dist', '--once', '--key', 'ann.asc']);
  expect(status, stderr).toBe(0);
  expect(stdout).toContain(' not covered: ');
  expect(listedIn(place)).toEqual(Object.keys(LISTED).sort());
  const run = await place.packsign(['watch', 'dist', '--once', '--json', '--key', 'ann.asc']);
  const events = run.stdout.split('\n').slice(0, -1);
  const said = events.map((line) => JSON.parse(line) as { uncovered: readonly { path: string }[] | null });
  const uncovered = said.flatMap((event) => event.uncovered ?? []);
  // Each is named once, when it is new.
  expect(uncovered.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual(
    UNCOVERED.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
  );
});

test('T38: with Include "**" every file with a name that a database can hold is listed', async () => {
  const place = newRelease();
  const run = await place.json(['build', 'dist', '--include', '**', '--key', 'ann.asc']);
  expect(run.status).toBe(0);
  const rest = UNCOVERED.filter(({ reason }) => reason !== 'kind');
  expect(run.value).toMatchObject({ uncovered: rest, companions: 0 });
  const kinds = UNCOVERED.filter(({ reason }) => reason === 'kind').map(({ path }) => path);
  expect(listedIn(place)).toEqual([...Object.keys(LISTED), ...COMPANIONS, ...kinds].sort());
});

test('T38: with Exclude nothing is left to name', async () => {
  const place = newRelease();
  const excluded = [
    '*.md',
    'lantern-*.sbom',
    'CON.zip',
    'latest*',
    'Lantern Setup*',
    'v1*/**',
    'l*.dmg',
    'caf*',
  ];
  const args = excluded.flatMap((glob) => ['--exclude', glob]);
  const { status, value } = await place.json(['build', 'dist', ...args]);
  expect([status, value['uncovered'], value['companions']]).toEqual([0, [], COMPANIONS.length]);
});
