import { rmSync, writeFileSync } from 'node:fs';
import type { PrivateKey } from 'openpgp';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { audit, build, list, status, verify } from '../../src/index.js';
import type { ListOptions, VerifyOptions } from '../../src/index.js';
import { verifyDatabase } from '../../src/verify.js';
import { makeRun } from '../../src/run.js';
import type { Place } from '../packsign.js';
import { fingerprint, subkeyOf } from '../pgp/forge.js';
import {
  DEMO,
  certificateFile,
  databaseText,
  dictAt,
  edited,
  minutes,
  people,
  published,
  put,
  signatureFile,
} from '../threats/scene.js';
import type { People } from '../threats/scene.js';
import { FILES, HASTY, answer, newReader, packsign, publish, serve } from './scene.js';
import type { Reader } from './scene.js';

let known: People;

beforeAll(async () => {
  known = await people();
});

const RUN = makeRun({ clock: () => new Date(), network: HASTY });
const EXPIRED = () => databaseText({ expires: minutes(new Date(), -1) });
const YANKED = () =>
  edited(databaseText(), (document) => {
    dictAt(document, 'Files', 'demo-1.0.tar.gz').set('Yanked', 'leaks');
  });

interface Situation {
  readonly name: string;
  readonly text?: () => string;
  readonly by?: () => PrivateKey;
  readonly arrange?: (place: Place) => void;
  /** No pins, so that the keys beside the database count. */
  readonly blind?: true;
  readonly args?: readonly string[];
  readonly options?: Partial<VerifyOptions>;
  /** Whether all is well, and the first words for people. */
  readonly expected: readonly [ok: boolean, status: string, code: string | null, headline: RegExp];
}

const alter = (place: Place) => place.write('dist/demo-1.0.tar.gz', 'evil');
const lose = (place: Place) => place.remove('dist/sub/other-2.0.tar.gz');
const add = (place: Place) => place.write('dist/new-1.0.tar.gz', DEMO);
const STALE = { args: ['--allow-stale'], options: { allowStale: true } } as const;
const OPEN = { args: ['--allow-unauthenticated'], options: { allowUnauthenticated: true } } as const;
const STRICT = { args: ['--strict'], options: { strict: true } } as const;
const GOOD = [true, 'authentic', null, /^authentic \(🔒/] as const;
const ALTERED = [false, 'refused', 'FILE_ALTERED', /^1 file is not as signed \(refused\): /] as const;
const MISSING = [false, 'refused', 'FILE_MISSING', /^1 file is missing \(refused\): /] as const;

const SITUATIONS: readonly Situation[] = [
  { name: 'all is well', expected: GOOD },
  { name: 'all is well, strictly', ...STRICT, expected: GOOD },
  { name: 'a file is altered', arrange: alter, expected: ALTERED },
  { name: 'a file is missing', arrange: lose, expected: MISSING },
  {
    name: 'one file is altered, one is missing',
    arrange: (place) => {
      alter(place);
      lose(place);
    },
    expected: [
      ...[false, 'refused', 'FILE_ALTERED'],
      /^1 file is not as signed, 1 file is missing \(refused\): /,
    ] as unknown as Situation['expected'],
  },
  {
    name: 'both are altered',
    arrange: (place) => {
      alter(place);
      place.write('dist/sub/other-2.0.tar.gz', 'evil');
    },
    expected: [false, 'refused', 'FILE_ALTERED', /^2 files are not as signed \(refused\): /],
  },
  {
    name: 'a file is altered, and files are not looked at',
    arrange: alter,
    ...{ args: ['--no-files'], options: { files: false } },
    expected: GOOD,
  },
  { name: 'a file is not listed', arrange: add, expected: GOOD },
  {
    name: 'a file is not listed, strictly',
    ...{ arrange: add, ...STRICT },
    expected: [false, 'refused', 'UNCOVERED', /^1 file is not covered \(refused\): /],
  },
  { name: 'a file is yanked', text: YANKED, expected: GOOD },
  {
    name: 'a file is yanked, strictly',
    ...{ text: YANKED, ...STRICT },
    expected: [false, 'refused', 'WARNINGS', /^1 file is yanked \(refused\): /],
  },
  { name: 'stale', text: EXPIRED, expected: [false, 'stale', 'DATABASE_STALE', /^stale \(/] },
  {
    name: 'stale, which is accepted',
    ...{ text: EXPIRED, ...STALE },
    expected: [true, 'stale', 'DATABASE_STALE', /^stale \(/],
  },
  {
    name: 'stale, which is accepted, and altered',
    text: EXPIRED,
    arrange: alter,
    ...STALE,
    expected: ALTERED,
  },
  {
    name: 'stale, though unauthenticated ones are accepted',
    ...{ text: EXPIRED, ...OPEN },
    expected: [false, 'stale', 'DATABASE_STALE', /^stale \(/],
  },
  {
    name: 'no key is known',
    blind: true,
    expected: [false, 'unauthenticated', 'NOT_PINNED', /^unauthenticated \(🔓/],
  },
  {
    name: 'no key is known, which is accepted',
    ...{ blind: true, ...OPEN },
    expected: [true, 'unauthenticated', 'NOT_PINNED', /^unauthenticated \(🔓/],
  },
  {
    name: 'no key is known, which is accepted, and a file is altered',
    ...{ blind: true, arrange: alter, ...OPEN },
    expected: ALTERED,
  },
  {
    name: 'another key signed',
    by: () => known.mallory,
    ...{ args: ['--allow-stale', '--allow-unauthenticated'] },
    options: { allowStale: true, allowUnauthenticated: true },
    expected: [false, 'refused', 'SIGNATURE_INVALID', /^refused \(refusal\)/],
  },
  {
    name: 'too few keys signed',
    args: ['--fingerprint', 'ANN', '--fingerprint', 'BOB', '--threshold', '2'],
    options: { threshold: 2 },
    expected: [false, 'refused', 'TOO_FEW_SIGNATURES', /^refused \(refusal\)/],
  },
  {
    name: 'the signature is gone',
    arrange: (place) => place.remove('dist/signatures'),
    expected: [false, 'refused', 'SIGNATURE_MISSING', /^refused \(refusal\)/],
  },
  {
    name: 'the database is gone',
    arrange: (place) => place.remove('dist/packages.plist'),
    expected: [false, 'refused', 'DATABASE_MISSING', /^refused \(refusal\)/],
  },
  {
    name: 'it is dated in the future',
    text: () => databaseText({ issued: minutes(new Date(), 60) }),
    expected: [false, 'refused', 'DATABASE_FROM_FUTURE', /^refused \(refusal\)/],
  },
  {
    name: 'it is signed and malformed',
    text: () => `${databaseText()}\n`,
    expected: [false, 'refused', 'DATABASE_MALFORMED', /^refused \(refusal\)/],
  },
];

const fingerprints = () =>
  new Map([
    ['ANN', fingerprint(known.ann)],
    ['BOB', fingerprint(known.bob)],
  ]);

/** The place, and the options of the command line and of the library that say the same. */
async function arranged({ text = databaseText, by = () => known.ann, ...situation }: Situation) {
  const place = await published(known, text(), { by: [subkeyOf(by())] });
  situation.arrange?.(place);
  const insists = situation.options?.threshold === 2;
  const names = fingerprints();
  const args = (situation.args ?? []).map((word) => names.get(word) ?? word);
  const pins = situation.blind === true ? [] : ['--keys', 'pins.asc'];
  const options: VerifyOptions = {
    ...{ run: RUN, signatureFile: null, files: null, threshold: null },
    keysFile: situation.blind === true ? null : place.path('pins.asc'),
    fingerprints: insists ? [...names.values()] : [],
    ...situation.options,
  };
  return { place, args: ['dist', ...pins, ...args], options };
}

describe('library, exit status, JSON and the first line say the same of a directory', () => {
  test.each(SITUATIONS.map((each) => [each.name, each] as const))('%s', async (_, situation) => {
    const [ok, state, code, headline] = situation.expected;
    const { place, args, options } = await arranged(situation);
    const result = await verify(place.path('dist'), options);
    expect([result.ok, result.status, result.code]).toEqual([ok, state, code]);
    const { status: exit, value } = await place.json(['verify', ...args]);
    expect([exit, value['ok'], value['status'], value['code']]).toEqual([ok ? 0 : 1, ok, state, code]);
    expect(String(value['message']).replace(/\bdist\//, '')).toBe(
      String(result.message).replaceAll(`${place.path('dist')}/`, ''),
    );
    const { stdout } = await place.packsign(['verify', ...args]);
    expect(stdout).toMatch(headline);
    if (!ok && state !== 'stale') expect(stdout).not.toMatch(/🔒|authentic \(/);
  });

  test.each(
    SITUATIONS.filter(({ args }) => !args?.includes('--strict')).map((each) => [each.name, each] as const),
  )('and of its list: %s', async (_, situation) => {
    const { place, args, options } = await arranged(situation);
    const { files: _files, strict: _strict, ...rest } = options;
    const { ok, status: state, code } = await list(place.path('dist'), rest satisfies ListOptions);
    const words = args.filter((word) => word !== '--no-files');
    const { status: exit, value } = await place.json(['list', ...words]);
    expect([value['ok'], value['status'], value['code'], exit]).toEqual([ok, state, code, ok ? 0 : 1]);
  });

  test.each(
    SITUATIONS.filter(
      ({ args, arrange, blind }) => args === undefined && arrange === undefined && !blind,
    ).map((each) => [each.name, each] as const),
  )('and of its bytes: %s', async (_, { text = databaseText, by = () => known.ann, expected }) => {
    const bytes = Buffer.from(text());
    const signature = await signatureFile(bytes, { by: [subkeyOf(by())] });
    const keys = certificateFile(known.ann);
    const options = { keys, fingerprints: null, now: new Date() };
    const result = await verifyDatabase(bytes, signature, options);
    expect([result.ok, result.status, result.code]).toEqual(expected.slice(0, 3));
  });
});

describe('of a database at an address', () => {
  /** The library and the command line have stores of their own here. */
  async function trustTwice(reader: Reader, url: string): Promise<void> {
    await reader.trust(url, { keys: certificateFile(known.ann), name: 'ann' });
    reader.place.write('pins.asc', certificateFile(known.ann));
    const add = ['trust', 'add', url, '--keys', 'pins.asc', '--name', 'ann'];
    expect((await packsign(reader.place, add)).status).toBe(0);
  }

  test('an altered file is refused by verify, get and the audit', async () => {
    const reader = newReader();
    const site = await serve(reader.place.path('dist'));
    await publish(reader.place, known.ann, { archives: FILES, packsign: { Database: site.url } });
    await trustTwice(reader, site.url);
    const check = async (ok: boolean) => {
      const run = { ...RUN, trust: { kind: 'none' } as const };
      const audited = await audit(site.url, { run, searchPath: '' });
      const seen = await answer(reader.place, ['verify', site.url, '--as-stranger']);
      expect([audited.ok, seen.value['ok'], seen.status]).toEqual([ok, ok, ok ? 0 : 1]);
      const states = [ok ? 'authentic' : 'refused'];
      expect(audited.sites.map((one) => one.status)).toEqual(states);
      expect((await packsign(reader.place, ['verify', site.url, '--as-stranger'])).stdout).toMatch(
        ok ? /: authentic\n/ : /: refused: 1 file is not as signed \(FILE_ALTERED\)\n/,
      );
      const verified = await answer(reader.place, ['verify', 'ann', '--files']);
      expect([verified.value['ok'], verified.value['status'], verified.status]).toEqual([
        ...[ok, states[0], ok ? 0 : 1],
      ]);
      rmSync(reader.place.path('downloads'), { recursive: true, force: true });
      const got = await reader.get(['demo']);
      expect([got.ok, got.status, got.packages.length]).toEqual([ok, states[0], ok ? 1 : 0]);
      expect(reader.place.has('downloads/demo-1.0.tar.gz')).toBe(ok);
      const command = ['get', 'demo', '--output', 'out'];
      expect((await packsign(reader.place, command)).status).toBe(ok ? 0 : 1);
      expect(reader.place.has('out/demo-1.0.tar.gz')).toBe(ok);
      rmSync(reader.place.path('out'), { recursive: true, force: true });
      expect((await reader.fetch('ann')).ok).toBe(true);
    };
    await check(true);
    writeFileSync(reader.place.path('dist/demo-1.0.tar.gz'), 'evil');
    await check(false);
  });

  test('one that is rolled back is refused by the library and the command', async () => {
    const reader = newReader();
    const site = await serve(reader.place.path('dist'));
    await publish(reader.place, known.ann, { issued: minutes(new Date(), -10) });
    await trustTwice(reader, site.url);
    const text = databaseText({ issued: minutes(new Date(), -60) });
    put(reader.place, text, await signatureFile(Buffer.from(text), { by: [subkeyOf(known.ann)] }));
    rmSync(reader.place.path('cache'), { recursive: true, force: true });
    const { ok, status: state, code } = await reader.fetch('ann');
    expect([ok, state, code]).toEqual([false, 'refused', 'DATABASE_ROLLED_BACK']);
    const seen = await answer(reader.place, ['verify', 'ann']);
    expect([seen.value['ok'], seen.value['code'], seen.status]).toEqual([false, code, 1]);
  });
});

describe('of a directory that is to be published', () => {
  let place: Place;
  const maker = () => ({
    run: makeRun({
      ...{ clock: () => new Date(), network: HASTY },
      stateFolder: place.path('dist/.packsign'),
    }),
    ...{ settings: {}, signing: () => Promise.resolve([]), allowed: new Map<string, string>() },
    ...{ rehash: false, first: false, previous: null, absent: null },
  });
  const check = async () =>
    await build(place.path('dist'), { ...maker(), check: true, strict: false, release: null });

  beforeEach(async () => {
    place = await published(known);
    for (const name of ['packages.plist', 'signatures', 'keys.asc']) place.remove(`dist/${name}`);
    place.write('ann.asc', known.ann.armor());
  });

  async function expectSame(): Promise<boolean> {
    const asked = await status(place.path('dist'), maker());
    const seen = await place.json(['status', 'dist']);
    expect([seen.value['ok'], seen.status]).toEqual([asked.ok, asked.ok ? 0 : 1]);
    const checked = await check();
    const said = await place.json(['build', 'dist', '--check']);
    expect([said.value['ok'], said.status]).toEqual([checked.ok, checked.ok ? 0 : 1]);
    return asked.ok && checked.ok;
  }

  test('`ok` of status and build --check is exit status 0', async () => {
    expect(await expectSame()).toBe(false);
    expect((await place.packsign(['build', 'dist', '--key', 'ann.asc'])).status).toBe(0);
    expect(await expectSame()).toBe(true);
    place.write('dist/new-1.0.tar.gz', DEMO);
    expect(await expectSame()).toBe(false);
    place.remove('dist/new-1.0.tar.gz');
    place.remove('dist/packages.plist.asc');
    expect(await expectSame()).toBe(false);
  });
});
