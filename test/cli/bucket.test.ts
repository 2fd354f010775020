import { randomBytes } from 'node:crypto';
import { cpSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newKey, newPlace, sdist, npmTarball } from '../packsign.js';
import type { Place, Run, TestKey } from '../packsign.js';
import { tar, zip } from '../archives/packages.js';
import { startSmallStore } from '../upload/s3/small-store.js';
import type { Asked, SmallStore } from '../upload/s3/small-store.js';

let ann: TestKey;
let place: Place;
let store: SmallStore;

beforeAll(async () => {
  ann = await newKey('Ann');
});

beforeEach(async () => {
  store = await startSmallStore();
  place = newPlace();
  place.write('ann.asc', ann.signing);
  place.write('state/packsign.json', '{ "Maintainer": "Ann <ann@example.org>" }');
  return async () => await store.stop();
});

const SECRET = 'a/secret+that/nobody+may/see';
const NOW = String(Math.floor(Date.now() / 1000));

const run = async (...args: readonly string[]) => await runIn('state', ...args);

async function runIn(state: string, ...[command = '', ...args]: readonly string[]): Promise<Run> {
  return await place.packsign([command, 's3://bucket/dist', '--state', state, ...args], {
    env: {
      ...{ AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: SECRET, AWS_ENDPOINT_URL_S3: store.url },
      SOURCE_DATE_EPOCH: NOW,
    },
  });
}

function put(files: Readonly<Record<string, Buffer>>): void {
  for (const [path, bytes] of Object.entries(files))
    store.objects.set(`dist/${path}`, { bytes, headers: {} });
}

const SIGN = ['--key', 'ann.asc', '--deterministic'] as const;
const reads = () =>
  store.asked.filter(({ method, key, query }) => method === 'GET' && key !== '' && query.size === 0);
const readsOf = (path: string) => reads().filter(({ key }) => key === `dist/${path}`);

/** A gzip file that hardly shrinks. */
const large = (bytes: number) => gzipSync(randomBytes(bytes), { level: 1 });

describe('build s3://BUCKET', () => {
  test('makes and publishes the very database that a local build of the same files makes', async () => {
    const files = {
      'lantern-1.0.tar.gz': sdist('lantern', '1.0'),
      'sub/lantern-1.0.tgz': npmTarball('lantern', '1.0'),
      'big-1.0.gz': large(5_000_000),
      'zipped-1.0.zip': zip({ path: 'a.txt', text: 'a' }, { path: 'b.bin', stored: randomBytes(9_000_000) }),
      tool: Buffer.from('#!/bin/sh\necho tool\n'),
      NOTES: Buffer.from('no program'),
      'empty-file': Buffer.of(),
      '.hidden.zip': Buffer.from('hidden'),
    };
    put(files);
    expect(await run('build', ...SIGN)).toMatchObject({ status: 0 });
    for (const [path, bytes] of Object.entries(files)) place.write(`local/${path}`, bytes);
    place.write('local/packsign.json', '{ "Maintainer": "Ann <ann@example.org>" }');
    const local = ['build', 'local', ...SIGN];
    expect((await place.packsign(local, { env: { SOURCE_DATE_EPOCH: NOW } })).status).toBe(0);
    for (const name of ['packages.plist', 'packages.plist.asc', 'keys.asc']) {
      expect(place.read(`state/${name}`), name).toEqual(place.read(`local/${name}`));
      expect(store.objects.get(`dist/${name}`)?.bytes, name).toEqual(place.read(`local/${name}`));
    }
    // Its directory, at its end, is read ahead; the rest is read once.
    const fetched = readsOf('zipped-1.0.zip').map(({ headers }) => headers.range);
    expect(fetched.length).toBeLessThanOrEqual(new Set(fetched).size + 2);
    expect(place.has('state/lantern-1.0.tar.gz')).toBe(false);
    expect([...store.objects.keys()].filter((key) => key.includes('packsign'))).toEqual([]);
  });

  test('reads what is new once, and nothing else again', async () => {
    put({ 'a-1.0.tar.gz': sdist('a', '1.0'), 'notes.txt': Buffer.from('text') });
    expect(await run('build', ...SIGN)).toMatchObject({ status: 0 });
    store.asked.length = 0;
    put({ 'b-1.0.gz': large(5_000_000) });
    expect(await run('build', ...SIGN)).toMatchObject({ status: 0 });
    expect(reads().map(({ key }) => key)).not.toContain('dist/a-1.0.tar.gz');
    expect(reads().map(({ key }) => key)).not.toContain('dist/notes.txt');
    const pieces = readsOf('b-1.0.gz').map(({ headers }) => headers.range);
    expect([pieces.length, new Set(pieces).size]).toEqual([5, 5]);
    expect(await run('status')).toMatchObject({ status: 0 });
    store.asked.length = 0;
    expect(await run('build', ...SIGN)).toMatchObject({ status: 0 });
    expect(reads().filter(({ key }) => /[ab]-1/.test(key))).toEqual([]);
  });

  test('lists the bucket once where an object was added, and reads that alone', async () => {
    put({ 'a-1.0.tar.gz': sdist('a', '1.0') });
    expect(await run('build', ...SIGN)).toMatchObject({ status: 0 });
    put({ 'b-1.0.tar.gz': sdist('b', '1.0') });
    store.asked.length = 0;
    expect(await run('build', ...SIGN)).toMatchObject({ status: 0 });
    expect(store.asked.filter(({ method, key }) => method === 'GET' && key === '')).toHaveLength(1);
    expect(reads().filter(({ key }) => key.endsWith('.tar.gz'))).toHaveLength(1);
  });

  test('never publishes over a newer database that came after the list', async () => {
    put({ 'a-1.0.tar.gz': sdist('a', '1.0') });
    expect(await run('build', ...SIGN)).toMatchObject({ status: 0 });
    cpSync(place.path('state'), place.path('other'), { recursive: true });
    const before = new Map(store.objects);
    put({ 'c-1.0.tar.gz': sdist('c', '1.0') });
    expect(await runIn('other', 'build', ...SIGN)).toMatchObject({ status: 0 });
    const newer = new Map(store.objects);
    store.objects.clear();
    for (const [key, object] of before) store.objects.set(key, object);
    put({ 'b-1.0.tar.gz': sdist('b', '1.0') });
    store.meddle = ({ key }) => {
      if (key === 'dist/b-1.0.tar.gz') for (const [name, object] of newer) store.objects.set(name, object);
      return null;
    };
    const { status, stderr } = await run('build', ...SIGN);
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/DESTINATION_(?:NEWER|FORKED)|newer|continue/),
    ]);
    expect(store.objects.get('dist/packages.plist')).toEqual(newer.get('dist/packages.plist'));
  });

  test('an object that is replaced or removed while it is read is left out, and said', async () => {
    put({
      'a-1.0.tar.gz': sdist('a', '1.0'),
      'b-1.0.gz': large(5_000_000),
      'c-1.0.tar.gz': sdist('c', '1.0'),
    });
    store.meddle = ({ key, headers }: Asked) => {
      if (key === 'dist/c-1.0.tar.gz') store.objects.delete(key);
      if (key === 'dist/b-1.0.gz' && headers.range?.startsWith('bytes=0-') !== true)
        put({ 'b-1.0.gz': large(10) });
      return null;
    };
    const { status, stderr } = await run('build', ...SIGN);
    expect({ status, stderr }).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('b-1.0.gz: changed while it was read') as string,
    });
    const { value } = await place.json(['list', 'state', '--keys', 'state/keys.asc']);
    expect(JSON.stringify(value)).not.toMatch(/[bc]-1\.0/);
    expect(JSON.stringify(value)).toContain('a-1.0.tar.gz');
  });

  test('a store that fails ends the build, and nothing is signed', async () => {
    put({ 'a-1.0.tar.gz': sdist('a', '1.0'), 'b-1.0.tar.gz': sdist('b', '1.0') });
    store.meddle = ({ key }) => (key === 'dist/b-1.0.tar.gz' ? { status: 403, code: 'AccessDenied' } : null);
    const { status, stderr } = await run('build', ...SIGN);
    expect(status).toBe(2);
    expect(stderr).toContain('cannot read b-1.0.tar.gz at s3://bucket/dist');
    expect(place.has('state/packages.plist')).toBe(false);
  });

  test('changed bytes are refused, and a damaged object too', async () => {
    put({ 'a-1.0.tar.gz': sdist('a', '1.0') });
    expect(await run('build', ...SIGN)).toMatchObject({ status: 0 });
    put({ 'a-1.0.tar.gz': sdist('a', '1.0', 'x = 2\n') });
    expect(await run('build', ...SIGN)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('a-1.0.tar.gz') as string,
    });
    put({ 'a-1.0.tar.gz': sdist('a', '1.0'), 'd-1.0.gz': large(5_000_000).subarray(0, 4_500_000) });
    expect(await run('build', ...SIGN)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('d-1.0.gz: ends early') as string,
    });
  });

  test('waits for review as a directory does: build, diff, sign', async () => {
    put({ 'a-1.0.tar.gz': sdist('a', '1.0') });
    const built = await run('build');
    expect(built.stdout).toContain('packsign diff s3://bucket/dist --state state,');
    expect(built.stdout).toContain('packsign sign s3://bucket/dist --state state --key FILE');
    expect((await run('diff')).stdout).toContain('a-1.0.tar.gz');
    expect(store.objects.has('dist/packages.plist')).toBe(false);
    const signed = await run('sign', '--key', 'ann.asc', '--json');
    expect([signed.status, JSON.parse(signed.stdout)]).toMatchObject([0, { ok: true, published: true }]);
    expect(store.objects.has('dist/packages.plist')).toBe(true);
  });

  test('lint says what it says of a directory with the same files, and writes nothing', async () => {
    const files = {
      'a-1.0.tar.gz': gzipSync(tar({ path: 'b-2.0/x' }, { path: '../out' }, { path: 's', mode: 0o4755 })),
      'z-1.0.zip': zip({ path: '/abs', text: 'a' }, { path: 'big', stored: randomBytes(3_000_000) }),
      'cut-1.0.gz': large(2_000_000).subarray(0, 1_500_000),
      'other-1.0.7z': Buffer.from('7z'),
      'bad name.zip': zip({ path: 'x' }),
      'notes.txt': Buffer.from('text'),
    };
    put(files);
    for (const [path, bytes] of Object.entries(files)) place.write(`local/${path}`, bytes);
    place.write('local/packsign.json', place.text('state/packsign.json'));
    const findings = ({ stdout }: Run) =>
      (JSON.parse(stdout) as { readonly findings: readonly Record<string, unknown>[] }).findings.map(
        ({ code, path, members, level }) => [code, path, members, level],
      );
    const local = findings(await place.packsign(['lint', 'local', '--json']));
    expect(local.map(([code]) => code)).toEqual(expect.arrayContaining(['DAMAGED', 'MEMBER_TRAVERSES']));
    expect(findings(await run('lint', '--json'))).toEqual(local);
    expect(place.has('state/.packsign')).toBe(false);
    expect(readsOf('z-1.0.zip').length).toBeGreaterThan(3);
  });

  test('page writes the page of what is signed, and publishes it', async () => {
    put({ 'a-1.0.tar.gz': sdist('a', '1.0') });
    expect(await run('build', ...SIGN)).toMatchObject({ status: 0 });
    expect(await run('page')).toMatchObject({ status: 0 });
    expect(store.objects.get('dist/index.html')?.bytes).toEqual(place.read('state/index.html'));
    expect(JSON.parse((await run('page', '--json')).stdout)).toMatchObject({ ok: true, unchanged: true });
    const again = await run('page');
    expect([again.status, again.stdout]).toEqual([0, expect.stringContaining('is up to date')]);
  });

  test('PREVIOUS_UNKNOWN: begins nothing anew where the bucket has a database', async () => {
    put({ 'a-1.0.tar.gz': sdist('a', '1.0') });
    expect(await run('build', ...SIGN)).toMatchObject({ status: 0 });
    place.remove('state');
    place.write('state/packsign.json', '{}');
    const { status, stderr } = await run('build', ...SIGN);
    expect([status, stderr]).toEqual([2, expect.stringContaining('there is a database at s3://bucket/dist')]);
  });

  test('a command that does not read buckets says so', async () => {
    const { status, stderr } = await place.packsign([
      'key',
      'publish',
      's3://bucket/dist',
      '--key',
      'ann.asc',
    ]);
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining('works on a directory, not on s3://bucket/dist'),
    ]);
  });

  test('USAGE: the folder of --state has no files, and knows where they lie', async () => {
    put({ 'a-1.0.tar.gz': sdist('a', '1.0') });
    expect(await run('build', ...SIGN)).toMatchObject({ status: 0 });
    for (const command of ['build', 'status', 'diff', 'sign']) {
      const { status, stderr } = await place.packsign([command, 'state']);
      expect([status, stderr]).toEqual([
        2,
        expect.stringContaining(
          `the files of state lie in s3://bucket/dist\npacksign: hint: packsign ${command} s3://bucket/dist --state state; `,
        ),
      ]);
    }
    const verify = await place.packsign(['verify', 'state']);
    expect([verify.status, verify.stderr]).toEqual([
      2,
      expect.stringContaining('hint: packsign verify s3://bucket/dist --keys state/keys.asc; '),
    ]);
    expect(await place.packsign(['verify', 'state', '--no-files'])).toMatchObject({ status: 0 });
    // Who has brought them here says so.
    place.write('state/a-1.0.tar.gz', sdist('a', '1.0'));
    place.remove('state/.packsign/bucket');
    expect(await place.packsign(['status', 'state'])).toMatchObject({ status: 0 });
  });

  test('a look at what would change notes nothing', async () => {
    put({ 'a-1.0.tar.gz': sdist('a', '1.0') });
    expect(await run('build', '--check')).toMatchObject({ status: 1 });
    expect(place.has('state/.packsign')).toBe(false);
  });

  test('USAGE: needs a folder that stays', async () => {
    const { status, stderr } = await place.packsign(['build', 's3://bucket/dist']);
    expect([status, stderr]).toEqual([2, expect.stringContaining('--state FOLDER')]);
  });
});
