import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { takeLock } from '../../src/disk/lock.js';
import { lockPlace } from '../disk/lock-place.js';
import { newPlace } from '../packsign.js';
import type { Place, Run } from '../packsign.js';
import { fingerprint } from '../pgp/forge.js';
import { certificateFile, people } from '../threats/scene.js';
import type { People } from '../threats/scene.js';
import { given } from '../tools.js';
import { packsign, publishedSite } from './scene.js';
import type { Site } from './scene.js';

/**
 * A trust store and a bundle as a broken disk, a careless editor or somebody else leaves them. One damaged entry is named
 * with the file and the field, and stops no other one.
 */
let known: People;
let site: Site;
let other: Site;
/** A real store with two entries, and a bundle of it. */
let real: string;
let bundle: string;
let user: Place;

const STORE = 'config/packsign/trust.json';

beforeAll(async () => {
  known = await people();
  ({ site } = await publishedSite(known.ann));
  ({ site: other } = await publishedSite(known.bob));
  const first = newPlace();
  first.write('ann.asc', certificateFile(known.ann));
  first.write('bob.asc', certificateFile(known.bob));
  await packsign(first, ['trust', 'add', site.url, '--keys', 'ann.asc', '--name', 'ann']);
  await packsign(first, ['trust', 'add', other.url, '--keys', 'bob.asc', '--name', 'bob']);
  await packsign(first, ['verify', 'ann']);
  real = first.text(STORE);
  bundle = (await packsign(first, ['trust', 'export'])).stdout;
});

beforeEach(() => {
  user = newPlace();
});

test('LOCKED: trust waits for another process as long as --wait says', async () => {
  user.write('ann.asc', certificateFile(known.ann));
  const held = await takeLock(lockPlace(user.path('config/packsign')));
  const add = ['trust', 'add', site.url, '--keys', 'ann.asc', '--name', 'ann'];
  const expectLocked = async (args: readonly string[]) => {
    const { status, stderr } = await packsign(user, [...args, '--wait', '0']);
    expect([status, stderr]).toEqual([2, expect.stringContaining('has been at work here')]);
  };
  await expectLocked(add);
  user.write(STORE, real);
  await expectLocked(['trust', 'remove', 'ann']);
  const waiting = packsign(user, ['trust', 'remove', 'ann', '--wait', '5min']);
  held.release();
  expect((await waiting).status).toBe(0);
});

test.each([
  ['cut in half', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
  ['empty', () => Buffer.alloc(0)],
])('a copy in the cache that is %s makes no good database a refused one', async (_, spoil) => {
  user.write('ann.asc', certificateFile(known.ann));
  await packsign(user, ['trust', 'add', site.url, '--keys', 'ann.asc', '--name', 'ann']);
  const copies = readdirSync(user.path('cache/packsign/databases'));
  expect(copies.length).toBe(2);
  for (const copy of copies.map((name) => `cache/packsign/databases/${name}`)) {
    const whole = user.read(copy);
    user.write(copy, spoil(whole));
    const { status, stdout } = await packsign(user, ['verify', 'ann']);
    expect([copy, status, stdout]).toEqual([copy, 0, expect.stringContaining('authentic')]);
    expect(user.read(copy)).toEqual(whole);
  }
});

test('a folder in the place of the store comes with a command that moves it away', async () => {
  mkdirSync(user.path(STORE), { recursive: true });
  const { status, stderr } = await packsign(user, ['trust', 'list']);
  expect(status).toBe(2);
  const [, command = 'false'] = /belongs there: (mv .*), then run the same command/.exec(stderr) ?? [];
  execFileSync('sh', ['-c', command]);
  expect((await packsign(user, ['trust', 'list'])).status).toBe(0);
});

type Value = Record<string, unknown>;

/** The document after a change of the entry called ann. */
function changed(text: string, change: (entry: Value) => void): string {
  const document = JSON.parse(text) as { readonly databases: Value[] };
  for (const entry of document.databases.filter(({ name }) => name === 'ann')) change(entry);
  return JSON.stringify(document);
}

function expectClear(run: Run, ...words: readonly string[]): void {
  expect([0, 1, 2]).toContain(run.status);
  expect(run.stdout + run.stderr).not.toMatch(/\n\s+at |internal error/);
  for (const word of words) expect(run.stderr).toContain(word);
}

const WRONG_TYPES: readonly unknown[] = [
  null,
  true,
  1.5,
  -1,
  1e9,
  {},
  [],
  [[]],
  'not a url',
  'a\u0007b',
  '2',
];

/** Every field of an entry, with values that it cannot have. */
const FIELDS: Readonly<Record<string, readonly unknown[]>> = {
  name: [...WRONG_TYPES.slice(0, -1), '', '../x', 'a b', 'x'.repeat(81), '\u202eann'],
  url: [...WRONG_TYPES, '', 'ftp://example.org/packages.plist', 'https://u:p@example.org/packages.plist'],
  fingerprints: [...WRONG_TYPES.slice(0, -1), ['ABCD'], ['a'.repeat(40)], [['A'.repeat(40)]], [1]],
  threshold: [0, ...WRONG_TYPES, 2, '1', Number.MAX_SAFE_INTEGER],
  grounds: [
    ...WRONG_TYPES,
    ...[{ kind: 'vouched' }, { kind: 'keys', by: 'x' }, { kind: 'blindly' }, { kind: '__proto__' }],
  ],
  added: [
    ...WRONG_TYPES,
    '0000-01-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-02-01',
    '99999-01-01T00:00:00Z',
  ],
  certificates: [
    ...WRONG_TYPES,
    '',
    'x'.repeat(1024 * 1024 + 1),
    '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n',
  ],
  refreshed: [...WRONG_TYPES.slice(1), '0000-01-01T00:00:00Z'],
  accepted: [...WRONG_TYPES.slice(1), { issued: '2026-01-01T00:00:00Z' }],
  unknown: ['anything'],
};

const ACCEPTED: Readonly<Record<string, readonly unknown[]>> = {
  issued: [...WRONG_TYPES, '0000-01-01T00:00:00Z'],
  sha256: [...WRONG_TYPES, 'A'.repeat(64), '../'.repeat(30)],
  database: [1.5, {}, [], 'a\u0007b', 'x'.repeat(2 * 1024 * 1024)],
  maintainer: [1.5, {}, [], '\u001b[31m'],
  notify: [1.5, {}, [], '\u001b[31m'],
  mirrors: [...WRONG_TYPES.filter((value) => !Array.isArray(value)), [1], [null], [[]]],
  etag: [1.5, {}, [], '', 'a b', '\u0085', 'x'.repeat(2000)],
  unknown: ['anything'],
};

const CASES = [
  ...Object.entries(FIELDS).map(([field, values]) => ({ field, values, path: [] as readonly string[] })),
  ...Object.entries(ACCEPTED).map(([field, values]) => ({ field, values, path: ['accepted'] })),
];

describe.each([
  { what: 'a store', isBundle: false },
  { what: 'a bundle', isBundle: true },
])('S13: $what', ({ isBundle }) => {
  const file = isBundle ? 'trust.bundle' : STORE;
  const text = () => (isBundle ? bundle : real);
  const run = async (...args: readonly string[]) =>
    await packsign(user, [...args, ...(isBundle ? ['--trust', file] : [])]);

  test.each(CASES.filter(({ path }) => !isBundle || path.length === 0))(
    'with something else as $path $field is named, and the other entry works',
    async ({ field, values, path }) => {
      for (const value of values) {
        user.write(
          file,
          changed(text(), (entry) => {
            const target = path.reduce((inner, key) => inner[key] as Value, entry);
            target[field] = value;
          }),
        );
        const words = [field === 'name' ? 'databases' : field, file];
        expectClear(await run('verify', site.url), ...words);
        const listed = await run('trust', 'list');
        expectClear(listed, ...words);
        expect([listed.status, listed.stdout.includes('bob: ')]).toEqual([2, true]);
      }
      const verified = await run('verify', 'bob');
      expect([verified.status, verified.stderr]).toEqual([0, '']);
      const got = await run('get', 'demo', '--output', 'out');
      expect([got.status, user.has('out/demo-1.0.tar.gz')]).toEqual([0, true]);
      expectClear(got, field === 'name' ? 'databases' : field);
    },
    30_000,
  );

  const BROKEN: readonly (readonly [string, string, () => string])[] = [
    [
      'a key twice in an entry',
      'threshold',
      () => text().replace('"threshold": 1', '"threshold": 1, "threshold": 1'),
    ],
    [
      '__proto__ in an entry',
      '__proto__',
      () => text().replace('"threshold": 1', '"__proto__": {"x": 1}, "threshold": 1'),
    ],
    [
      'an entry twice',
      'is there twice',
      () => changed(text(), () => undefined).replace('[{', `[${annText()},{`),
    ],
    ['an entry that is a number', '[1]', () => text().replace('[\n', '[\n 5,\n')],
    ['an entry that is null', '[1]', () => text().replace('[\n', '[\n null,\n')],
  ];
  const annText = () =>
    JSON.stringify(
      (JSON.parse(text()) as { databases: Value[] }).databases.find(({ name }) => name === 'ann'),
    );

  test.each(BROKEN)('with %s names it, and the other entry works', async (_, word, make) => {
    user.write(file, make());
    expectClear(await run('trust', 'list'), file, word);
    expect((await run('verify', 'bob')).status).toBe(0);
  });

  const WHOLE: readonly (readonly [string, () => string | Buffer])[] = [
    ['nothing in it', () => ''],
    ['no JSON', () => '{"version": 1'],
    ['bytes that are no UTF-8', () => Buffer.from([0x7b, 0xff, 0x7d])],
    ['a list', () => '[]'],
    ['null', () => 'null'],
    ['no databases', () => '{"version": 1}'],
    ['databases that are an object', () => '{"version": 1, "databases": {}}'],
    ['a version as text', () => text().replace('"version": 1', '"version": "1"')],
    ['a key twice', () => text().replace('"version": 1', '"version": 1, "version": 1')],
    ['an unknown key', () => text().replace('"version": 1', '"version": 1, "__proto__": []')],
    ['100,000 levels', () => `{"version": 1, "databases": [${'['.repeat(100_000)}${']'.repeat(100_000)}]}`],
  ];

  test.each(WHOLE)('with %s is an error that names it, and is left alone', async (_, make) => {
    user.write(file, make());
    for (const args of [
      ['trust', 'list'],
      ['verify', 'bob'],
      ['get', 'demo'],
      ['list', 'bob'],
    ]) {
      const answer = await run(...args);
      expectClear(answer, file);
      expect(answer.status).toBe(2);
    }
    expect(user.read(file)).toEqual(Buffer.from(make()));
  });

  test('that is a folder, a pipe or larger than all that packsign writes is an error that names it', async () => {
    user.write('x', '');
    mkdirSync(user.path(file), { recursive: true });
    expectClear(await run('trust', 'list'), file);
    rmSync(user.path(file), { recursive: true });
    user.write(file, Buffer.alloc(100 * 1024 * 1024, 0x20));
    expectClear(await run('trust', 'list'), file);
    rmSync(user.path(file));
    execFileSync('mkfifo', [user.path(file)]);
    expectClear(await run('verify', 'bob'), file);
  });

  const isSomebody = given(process.getuid?.() !== 0, 'nothing is forbidden to root');
  test.runIf(isSomebody)('that cannot be read is an error that names it', async () => {
    user.write(file, text());
    chmodSync(user.path(file), 0);
    expectClear(await run('trust', 'list'), file);
  });
});

describe('a damaged entry', () => {
  const damage = (entry: Value) => {
    entry['threshold'] = 1.5;
  };

  beforeEach(() => {
    user.write(STORE, changed(real, damage));
  });

  test('makes its database no database that nobody pinned', async () => {
    for (const target of ['ann', site.url]) {
      const run = await packsign(user, ['verify', target, '--allow-unauthenticated', '--verbose']);
      expect([run.status, run.stderr]).toEqual([2, expect.stringContaining('TRUST_DAMAGED')]);
    }
    user.write(
      STORE,
      changed(real, (entry) => (entry['url'] = 'not a url')),
    );
    const run = await packsign(user, ['verify', site.url, '--allow-unauthenticated', '--verbose']);
    expect([run.status, run.stderr]).toEqual([2, expect.stringContaining('TRUST_DAMAGED')]);
  });

  test('stays in the file, with its list of files, when others are written', async () => {
    const hash = /"sha256":"([0-9a-f]{64})"/.exec(changed(real, damage))?.[1] ?? '';
    user.write(`config/packsign/inventory/${hash}.txt`, 'end\n');
    const before = JSON.parse(user.text(STORE)) as { databases: Value[] };
    expect((await packsign(user, ['trust', 'remove', 'bob'])).status).toBe(0);
    const after = JSON.parse(user.text(STORE)) as { databases: Value[] };
    expect(after.databases).toEqual(before.databases.filter(({ name }) => name === 'ann'));
    expect(user.has(`config/packsign/inventory/${hash}.txt`)).toBe(true);
  });

  test('is removed by its name or its address, and can be added again then', async () => {
    user.write('ann.asc', certificateFile(known.ann));
    const add = ['trust', 'add', site.url, '--keys', 'ann.asc', '--name', 'ann'];
    expectClear(await packsign(user, add), 'trust remove ann');
    expect((await packsign(user, ['trust', 'remove', site.url])).status).toBe(0);
    expect((await packsign(user, add)).status).toBe(0);
    expect((await packsign(user, ['trust', 'list'])).stdout).toContain(fingerprint(known.ann).slice(-4));
  });

  test('is left out of a bundle, which is said', async () => {
    const run = await packsign(user, ['trust', 'export']);
    expectClear(run, 'threshold');
    expect(run.status).toBe(2);
    expect((JSON.parse(run.stdout) as { databases: Value[] }).databases.map(({ name }) => name)).toEqual([
      'bob',
    ]);
  });

  test('is a failure of trust refresh, and the others are refreshed', async () => {
    const run = await packsign(user, ['trust', 'refresh']);
    expectClear(run, 'threshold');
    expect([run.status, run.stdout]).toEqual([2, expect.stringContaining('bob: authentic')]);
  });
});

test.each([
  ['cut off', (text: string) => text.slice(0, 70)],
  ['with a path twice', (text: string) => text.replace(/^(.+\n)/, '$1$1')],
  ['with a path that leads out', (text: string) => text.replace('  demo', '  ../demo')],
  ['with one space', (text: string) => text.replace('  demo', ' .demo')],
  ['with a date that is none', (text: string) => text.replace('2026-01-01', '2026-02-30')],
  ['with a reason cut off', (text: string) => text.replace('of two lines"', 'of two lines')],
  ['of zeros', () => '\0'.repeat(100)],
])('a list of accepted files %s is named, as soon as it is needed', async (_, damage) => {
  const { readAcceptedChain, writeAcceptedChain } = await import('../../src/consume/trust-store.js');
  const sha256 = 'a'.repeat(64);
  const folder = user.path('config');
  const files = new Map([['demo-1.0.tar.gz', 'b'.repeat(64)]]);
  const record = { path: 'old-1.0.zip', SHA256: 'c'.repeat(64), Until: new Date('2026-01-01T00:00:00Z') };
  const chain = { files, records: [record, { ...record, Reason: 'a "reason"\nof two lines' }] };
  writeAcceptedChain(folder, sha256, chain);
  const path = `config/inventory/${sha256}.txt`;
  expect(readAcceptedChain(folder, sha256)).toEqual(chain);
  user.write(path, damage(user.text(path)));
  expect(() => readAcceptedChain(folder, sha256)).toThrow(
    expect.objectContaining({ code: 'TRUST_DAMAGED', message: expect.stringContaining(path) as string }),
  );
});
