import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place, Run, TestKey } from '../packsign.js';
import { listen } from './scene.js';
import { startSmallStore } from '../upload/s3/small-store.js';
import type { SmallStore } from '../upload/s3/small-store.js';

let ann: TestKey;
let bob: TestKey;
let place: Place;
let store: SmallStore;

beforeAll(async () => {
  ann = await newKey('Ann');
  bob = await newKey('Bob');
});

beforeEach(async () => {
  store = await startSmallStore();
  place = newPlace();
  place.write('ann.asc', ann.signing);
  place.write('keys.asc', ann.certificate);
  place.write('bob.asc', bob.certificate);
  place.write('own/packsign.json', '{ "Maintainer": "Ann <ann@example.org>", "Mutable": ["m.bin"] }');
  return async () => await store.stop();
});

const ADDRESS = 's3://bucket/dist';
/** A gzip file that hardly shrinks. */
const large = (bytes: number) => gzipSync(randomBytes(bytes), { level: 1 });

async function run(...args: readonly string[]): Promise<Run> {
  const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_ENDPOINT_URL_S3: store.url };
  return await place.packsign(args, { env });
}

function put(path: string, bytes: Buffer | string): void {
  store.objects.set(`dist/${path}`, { bytes: Buffer.from(bytes), headers: {} });
}

async function build(...args: readonly string[]): Promise<void> {
  const { status, stderr } = await run('build', ADDRESS, '--state', 'own', '--key', 'ann.asc', ...args);
  expect({ status, stderr }).toMatchObject({ status: 0 });
}

async function release(...args: readonly string[]): Promise<void> {
  put('a-1.0.tar.gz', sdist('a', '1.0'));
  put('sub/b-1.0.gz', large(3_000_000));
  put('c-1.0.tar.gz', sdist('c', '1.0'));
  put('c-1.0.tar.gz.sig', 'a companion');
  await build(...args);
}

/** Everything in the bucket, in a directory. */
function twin(): void {
  for (const [key, { bytes }] of store.objects) place.write(key.replace(/^dist/, 'www'), bytes);
}

const bytesOf = (path: string) => store.objects.get(`dist/${path}`)?.bytes ?? Buffer.of();
/** What a command says, with the name of the directory in place of the bucket's. */
const said = ({ status, stdout, stderr }: Run) => [
  status,
  ...[stdout, stderr].map((text) => text.replaceAll(ADDRESS, 'www').replaceAll(' --state FOLDER', '')),
];

describe('verify s3://BUCKET', () => {
  const DAMAGES: Readonly<Record<string, readonly [damage: () => void, ...args: string[]]>> = {
    nothing: [() => undefined],
    'an altered file': [() => put('a-1.0.tar.gz', sdist('a', '1.0', 'x = 2\n'))],
    'a file altered in one byte': [
      () => {
        const bytes = Buffer.from(bytesOf('sub/b-1.0.gz'));
        bytes[2_500_000] = (bytes[2_500_000] ?? 0) ^ 1;
        put('sub/b-1.0.gz', bytes);
      },
    ],
    'a shorter file': [() => put('sub/b-1.0.gz', bytesOf('sub/b-1.0.gz').subarray(9))],
    'an empty file': [() => put('a-1.0.tar.gz', '')],
    'a missing file': [() => store.objects.delete('dist/c-1.0.tar.gz')],
    'a missing and an altered file': [
      () => {
        store.objects.delete('dist/c-1.0.tar.gz');
        put('a-1.0.tar.gz', sdist('a', '2.0'));
      },
    ],
    'a database that is cut': [() => put('packages.plist', bytesOf('packages.plist').subarray(0, 900))],
    'no database': [() => store.objects.delete('dist/packages.plist')],
    'no signature': [
      () => {
        for (const key of store.objects.keys())
          if (/signatures|plist\.asc/.test(key)) store.objects.delete(key);
      },
    ],
    'an empty database': [() => put('packages.plist', '')],
    'something else than a database': [() => put('packages.plist', '<html>login</html>')],
    'a damaged signature': [
      () => {
        for (const key of store.objects.keys()) if (key.includes('signatures/')) put(key.slice(5), 'x');
      },
    ],
    'damaged keys': [() => put('keys.asc', bytesOf('keys.asc').subarray(0, 200))],
    'a lock that somebody left': [() => put('.packsign-publish', '{}')],
    'no keys': [() => store.objects.delete('dist/keys.asc')],
    'files that are not covered': [
      () => {
        put('notes.txt', 'text');
        put('tool', '#!/bin/sh\necho\n');
        put('README', 'text');
        put('late-1.0.zip', 'PK');
        put('.hidden.zip', 'PK');
      },
    ],
    'the same, strictly': [() => put('tool', '#!/bin/sh\necho\n'), '--strict'],
    'other keys': [() => undefined, '--keys', 'bob.asc'],
    'no files asked for': [() => store.objects.delete('dist/c-1.0.tar.gz'), '--no-files'],
  };

  test.each(Object.entries(DAMAGES))('with %s says what a directory says', async (_, [damage, ...args]) => {
    await release();
    damage();
    twin();
    const keys = args.includes('--keys') ? args : ['--keys', 'keys.asc', ...args];
    for (const form of [[], ['--json']]) {
      const bucket = await run('verify', ADDRESS, ...keys, ...form);
      const directory = await run('verify', 'www', ...keys, ...form);
      expect(said(bucket)).toEqual(said(directory));
    }
    // Of itself it proves nothing, as in a directory that this machine did not publish.
    const open = await run('verify', ADDRESS);
    const directory = await run('verify', 'www');
    expect(said(open)).toEqual(said(directory));
    expect(open.status).toBe(1);
  });

  test('reads every byte of what is listed from the bucket, and writes nothing', async () => {
    await release();
    await run('verify', ADDRESS, '--keys', 'keys.asc');
    const before = place.snapshot('.');
    store.asked.length = 0;
    expect(await run('verify', ADDRESS, '--keys', 'keys.asc')).toMatchObject({ status: 0 });
    expect(place.snapshot('.')).toEqual(before);
    expect(store.asked.every(({ method }) => method === 'GET')).toBe(true);
    const asked = store.asked.map(({ key }) => key);
    expect(asked).toEqual(expect.arrayContaining(['dist/a-1.0.tar.gz', 'dist/c-1.0.tar.gz']));
    expect(asked.filter((key) => key === 'dist/sub/b-1.0.gz')).toHaveLength(3);
  });

  test('a file that is replaced while it is read is altered', async () => {
    await release();
    store.meddle = ({ key, headers }) => {
      if (key === 'dist/sub/b-1.0.gz' && headers.range?.startsWith('bytes=0-') !== true)
        put('sub/b-1.0.gz', large(3_000_000));
      return null;
    };
    const { status, stdout } = await run('verify', ADDRESS, '--keys', 'keys.asc', '--json');
    expect([status, JSON.parse(stdout)]).toMatchObject([
      1,
      {
        ...{ ok: false, status: 'refused', code: 'FILE_ALTERED' },
        findings: [{ kind: 'altered', found: 'a file that changed while it was read' }],
      },
    ]);
  });

  test('a publication that comes meanwhile is what it verifies in the end', async () => {
    put('m.bin', '#!/bin/sh\n');
    await release();
    const before = new Map(store.objects);
    put('m.bin', '#!/bin/sh\necho new\n');
    await build();
    const after = new Map(store.objects);
    const have = (objects: typeof after) => {
      store.objects.clear();
      for (const [key, object] of objects) store.objects.set(key, object);
    };
    have(before);
    store.meddle = ({ key }) => {
      if (key === 'dist/m.bin') have(after);
      return null;
    };
    expect(await run('verify', ADDRESS, '--keys', 'keys.asc')).toMatchObject({ status: 0 });
  });

  test('reads as many files at once as it may', async () => {
    for (let at = 0; at < 30; at += 1) put(`a-${at}.tar.gz`, sdist('a', String(at)));
    await build();
    // The store answers once twelve files are asked for, and leaves time for one too many.
    let reading = 0;
    let most = 0;
    let letThrough: () => void;
    const through = new Promise<void>((resolve) => (letThrough = resolve));
    store.hold = async ({ key }) => {
      if (!key.startsWith('dist/a-')) return;
      reading += 1;
      most = Math.max(most, reading);
      if (reading === 12) await sleep(300).then(letThrough);
      await through;
      reading -= 1;
    };
    const args = ['verify', ADDRESS, '--keys', 'keys.asc', '--concurrency', '12'];
    expect(await run(...args)).toMatchObject({ status: 0 });
    expect(most).toBe(12);
  });

  test('a store that gives no answer is no verdict', async () => {
    await release();
    store.meddle = ({ key }) => (key === 'dist/a-1.0.tar.gz' ? { status: 403, code: 'AccessDenied' } : null);
    const { status, stdout, stderr } = await run('verify', ADDRESS, '--keys', 'keys.asc');
    expect({ status, stdout, stderr }).toMatchObject({ status: 2, stdout: '' });
    expect(stderr).toContain('cannot read a-1.0.tar.gz at s3://bucket/dist');
    expect(stderr).toContain('s3:ListBucket and s3:GetObject in the bucket bucket');
  });

  test('knows a database of an address that is trusted, and what was accepted of it', async () => {
    const url = await listen((request, response) => {
      const object = store.objects.get(`dist${new URL(request.url ?? '/', 'http://host').pathname}`);
      response.writeHead(object === undefined ? 404 : 200).end(object?.bytes);
    });
    place.write('own/packsign.json', `{ "Database": "${url}packages.plist" }`);
    await release('--first');
    const old = store.objects.get('dist/packages.plist');
    expect(await run('trust', 'add', url, '--keys', 'keys.asc')).toMatchObject({ status: 0 });
    expect(await run('verify', ADDRESS)).toMatchObject({ status: 0 });
    put('d-1.0.tar.gz', sdist('d', '1.0'));
    await build();
    expect(await run('verify', ADDRESS)).toMatchObject({ status: 0 });
    if (old !== undefined) store.objects.set('dist/packages.plist', old);
    const { status, stdout } = await run('verify', ADDRESS);
    expect([status, stdout]).toEqual([1, expect.stringContaining('DATABASE_ROLLED_BACK')]);
  });

  test('takes the database itself, and lists it', async () => {
    await release();
    const keys = ['--keys', 'keys.asc'];
    expect(await run('verify', `${ADDRESS}/packages.plist`, ...keys)).toMatchObject({ status: 0 });
    const list = await run('list', ADDRESS, ...keys, '--json');
    expect(JSON.parse(list.stdout)).toMatchObject({
      database: `${ADDRESS}/packages.plist`,
      packages: [{ path: 'a-1.0.tar.gz' }, { path: 'c-1.0.tar.gz' }, { path: 'sub/b-1.0.gz' }],
    });
  });

  test('USAGE: other commands say which one reads a bucket', async () => {
    for (const args of [
      ['trust', 'add', ADDRESS],
      ['verify', 'keys.asc', '--from', ADDRESS],
    ]) {
      const { status, stderr } = await run(...args, '--keys', 'keys.asc');
      expect([status, stderr]).toEqual([2, expect.stringContaining(`packsign verify ${ADDRESS}`)]);
    }
  });

  test('USAGE: a signature file is for a database file', async () => {
    const { status, stderr } = await run('verify', ADDRESS, '--signature', 'x.asc');
    expect([status, stderr]).toEqual([2, expect.stringContaining('--signature is for database files')]);
  });
});
