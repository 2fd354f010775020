import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place, Run, TestKey } from '../packsign.js';
import { sha256Of, startSmallStore } from '../upload/s3/small-store.js';
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
  place.write('keys.asc', ann.certificate);
  use({ 'Store-Hashes': true });
  return async () => await store.stop();
});

function use(settings: object): void {
  place.write('own/packsign.json', JSON.stringify({ Maintainer: 'Ann <ann@example.org>', ...settings }));
}

async function run(command: string, ...args: readonly string[]): Promise<Run> {
  const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_ENDPOINT_URL_S3: store.url };
  return await place.packsign([command, 's3://bucket/dist', ...args], { env });
}

const build = async (...args: readonly string[]) =>
  await run('build', '--state', 'own', '--key', 'ann.asc', ...args);
const verify = async () => await run('verify', '--keys', 'keys.asc');

type Kept = Partial<Pick<NonNullable<ReturnType<SmallStore['objects']['get']>>, 'sha256' | 'checksumType'>>;

function put(path: string, bytes: Buffer, kept: Kept = { sha256: sha256Of(bytes) }): void {
  store.objects.set(`dist/${path}`, { bytes, headers: {}, ...kept });
}

const A = 'a-1.0.tar.gz';
/** How a file was asked for since the last call. */
function asked(path = A): readonly string[] {
  const methods = store.asked.filter(({ key }) => key === `dist/${path}`).map(({ method }) => method);
  store.asked.length = 0;
  return methods;
}

describe('"Store-Hashes"', () => {
  test('takes the hash that the store keeps, and reads nothing', async () => {
    put(A, sdist('other', '2.0'));
    put('b-1.0.tar.gz', sdist('b', '1.0'), {});
    const { status, stdout } = await build();
    expect([status, stdout]).toEqual([0, expect.stringContaining('1 new file not checked for damage')]);
    expect(stdout).toContain('2 files, 1 package');
    expect(asked()).toEqual(['HEAD']);
    const { value } = await place.json(['list', 'own', '--keys', 'keys.asc']);
    expect(value['packages']).toMatchObject([
      {
        path: A,
        name: 'a',
        version: '1.0',
        sha256: Buffer.from(sha256Of(sdist('other', '2.0')), 'base64').toString('hex'),
      },
      { path: 'b-1.0.tar.gz', name: 'b', version: '1.0' },
    ]);
    expect(place.text('own/packages.plist')).not.toMatch(/Download-URL<\/key>\s*<string>a-1/);
    expect(await verify()).toMatchObject({ status: 0 });
    store.asked.length = 0;
    expect(await build()).toMatchObject({ status: 0 });
    expect(asked()).toEqual([]);
  });

  const bytes = sdist('a', '1.0');
  test.each<readonly [why: string, kept: Kept]>([
    ['keeps none', {}],
    ['keeps that of parts', { sha256: `${sha256Of(bytes)}-2`, checksumType: 'COMPOSITE' }],
    [
      'keeps that of parts, and says nothing of their number',
      { sha256: sha256Of(bytes), checksumType: 'COMPOSITE' },
    ],
    ['keeps something of parts as if it were of the whole', { sha256: `${sha256Of(bytes)}-2` }],
    ['keeps half a hash', { sha256: sha256Of(bytes).slice(0, 40) }],
    ['keeps it in hex', { sha256: Buffer.from(sha256Of(bytes), 'base64').toString('hex') }],
  ])('reads an object of which the store %s', async (_, kept) => {
    put(A, bytes, kept);
    expect(await build()).toMatchObject({ status: 0 });
    expect(asked()).toEqual(['HEAD', 'GET']);
    expect(await verify()).toMatchObject({ status: 0 });
  });

  test('reads an object if the store does not know the request, or answers of another one', async () => {
    put(A, bytes);
    const sha256 = sha256Of(sdist('x', '1.0'));
    const kept = { 'x-amz-checksum-sha256': sha256, 'x-amz-checksum-type': 'FULL_OBJECT' };
    const length = { 'content-length': String(bytes.length) };
    for (const told of [
      { status: 501 },
      { status: 403 },
      { status: 200, headers: { ...kept, ...length, etag: '"other"' } },
      { status: 200, headers: { ...kept, ...length } },
    ]) {
      store.meddle = ({ method }) => (method === 'HEAD' ? told : null);
      expect(await build('--rehash', '--first')).toMatchObject({ status: 0 });
      place.remove('own/.packsign/facts');
      store.asked.length = 0;
      expect(await build()).toMatchObject({ status: 0 });
      expect(asked(), JSON.stringify(told)).toEqual(['HEAD', 'GET']);
    }
    expect(await verify()).toMatchObject({ status: 0 });
  });

  test('is not asked for without the setting, nor with --rehash, and then what it said is read', async () => {
    put(A, bytes);
    expect(await build()).toMatchObject({ status: 0 });
    expect(asked()).toEqual(['HEAD']);
    expect(await build('--rehash')).toMatchObject({ status: 0 });
    expect(asked()).toEqual(['GET']);
    place.remove('own/.packsign/facts');
    expect(await build()).toMatchObject({ status: 0 });
    expect(asked()).toEqual(['HEAD']);
    use({});
    expect(await build()).toMatchObject({ status: 0 });
    expect(asked()).toEqual(['GET']);
  });

  test('verify believes no store', async () => {
    put(A, bytes, { sha256: sha256Of(sdist('x', '1.0')) });
    expect(await build()).toMatchObject({ status: 0 });
    const { status, stdout } = await verify();
    expect([status, stdout]).toEqual([1, expect.stringContaining('FILE_ALTERED')]);
  });
});
