import { randomBytes } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { privateKeyPem } from '../pgp/hidden.js';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place, Run, TestKey } from '../packsign.js';
import { startSmallStore } from '../upload/s3/small-store.js';
import type { SmallStore } from '../upload/s3/small-store.js';

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
  place.write('own/packsign.json', '{ "Maintainer": "Ann <ann@example.org>", "Exclude": ["left-out.zip"] }');
  put('a-1.0.tar.gz', sdist('a', '1.0'));
  return async () => await store.stop();
});

function put(path: string, bytes: Buffer | string): void {
  store.objects.set(`dist/${path}`, { bytes: Buffer.from(bytes), headers: {} });
}

async function run(command: string, ...args: readonly string[]): Promise<Run> {
  const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_ENDPOINT_URL_S3: store.url };
  return await place.packsign([command, 's3://bucket/dist', '--state', 'own', ...args], { env });
}

const build = async (...args: readonly string[]) => await run('build', '--key', 'ann.asc', ...args);

describe('secrets in objects that are not listed', () => {
  test.each([
    ['notes.txt', () => `see\n${privateKeyPem()}`],
    ['.git/key.asc', () => ann.secret],
    ['left-out.zip', () => privateKeyPem()],
    ['a-1.0.tar.gz.asc', () => ann.secret],
    ['UPPER/SECRING.GPG', () => Buffer.concat([Buffer.from(ann.secret), randomBytes(900_000)])],
  ])('SECRET_IN_DIRECTORY: %s', async (path, bytes) => {
    put(path, bytes());
    const { status, stderr } = await build();
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining(`there are secrets in s3://bucket/dist: ${path} (`),
    ]);
    expect(store.objects.has('dist/packages.plist')).toBe(false);
    expect(await build('--allow-secret', path)).toMatchObject({ status: 0 });
  });

  test('are looked for once in each object, and not in large ones', async () => {
    put('notes.txt', 'text');
    put('empty.txt', '');
    put('large.txt', randomBytes(70_000));
    expect(await build()).toMatchObject({ status: 0 });
    const asked = () => store.asked.map(({ key }) => key).filter((key) => key.endsWith('.txt'));
    // The beginning of each says whether it is a program.
    expect(asked().sort()).toEqual(['dist/large.txt', 'dist/notes.txt', 'dist/notes.txt']);
    store.asked.length = 0;
    put('b-1.0.tar.gz', sdist('b', '1.0'));
    expect(await build()).toMatchObject({ status: 0 });
    expect(await run('lint')).toMatchObject({ status: 1 });
    expect(asked()).toEqual([]);
    put('notes.txt', privateKeyPem());
    expect(await build()).toMatchObject({ status: 1 });
    expect(asked()).toEqual(['dist/notes.txt', 'dist/notes.txt']);
  });

  test('a key in the folder of --state is not in the bucket', async () => {
    place.write('own/key.asc', ann.secret);
    expect(await build()).toMatchObject({ status: 0 });
  });
});
