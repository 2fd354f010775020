import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PUBLISHING_NAME } from '../../src/model/layout.js';
import { makeRun } from '../../src/run.js';
import { bucketRemote } from '../../src/upload/bucket.js';
import { makeTls } from '../net/servers.js';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place, Run, TestKey } from '../packsign.js';
import { hasTool } from '../tools.js';
import { startSmallStore } from './s3/small-store.js';
import type { Asked, SmallStore } from './s3/small-store.js';

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
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  await build();
  return async () => await store.stop();
});

const SECRET = 'a/secret+that/nobody+may/see';

function publish(env: Readonly<Record<string, string>> = {}, ...args: readonly string[]): Promise<Run> {
  return place.packsign(['publish', 'dist', 's3://bucket/a b/', ...args], {
    env: {
      ...{
        AWS_ACCESS_KEY_ID: 'id',
        AWS_SECRET_ACCESS_KEY: SECRET,
        AWS_SESSION_TOKEN: 'token+that/nobody+may/see',
      },
      ...{ AWS_ENDPOINT_URL_S3: store.url, ...env },
    },
  });
}

async function build(): Promise<void> {
  expect(await place.packsign(['build', 'dist', '--key', 'ann.asc'])).toMatchObject({ status: 0 });
}

async function published(): Promise<void> {
  expect(await publish()).toMatchObject({ status: 0, stderr: '' });
}

/** As on a machine that has not published yet. */
function forget(): void {
  for (const name of readdirSync(place.path('dist/.packsign'))) {
    if (name.startsWith('published-to-')) place.remove(`dist/.packsign/${name}`);
  }
}

const isDatabase = ({ key, method }: Asked) => method === 'PUT' && key.endsWith('/packages.plist');
const isFile = ({ key, method }: Asked) => method === 'PUT' && key.includes('demo-');
/** But those of the lock. */
const writes = () =>
  store.asked.filter(
    ({ method, key }) => ['PUT', 'POST', 'DELETE'].includes(method) && !key.endsWith(`/${PUBLISHING_NAME}`),
  );

/** What a reader may fetch is what the directory has, and nothing else lies there. */
function expectSame(): void {
  const there = [...store.objects].map(([key, { bytes }]) => [key, bytes.toString('hex')]);
  const here = Object.entries(place.snapshot()).map(([path, hex]) => [`a b/${path}`, hex]);
  expect(there.sort()).toEqual(here.sort());
}

describe('a bucket', () => {
  test('holds what was signed, with types and caching, below its prefix', async () => {
    store.objects.set('a b/', { bytes: Buffer.of(), headers: {} });
    store.objects.set('a bc', { bytes: Buffer.from('other'), headers: {} });
    await published();
    expect(store.objects.get('a b/packages.plist')?.headers).toMatchObject({
      ...{ 'content-type': 'application/x-plist', 'cache-control': 'no-cache' },
      'x-amz-content-sha256': createHash('sha256').update(place.read('dist/packages.plist')).digest('hex'),
    });
    expect(store.objects.get('a b/demo-1.0.tar.gz')?.headers).toMatchObject({
      ...{ 'content-type': 'application/gzip', 'cache-control': 'public, max-age=31536000, immutable' },
    });
    store.objects.delete('a b/');
    store.objects.delete('a bc');
    expectSame();
    store.asked.length = 0;
    expect((await publish()).stdout).toContain('is up to date');
    expect(writes()).toEqual([]);
  });

  test('is listed page by page, whatever its keys are called', async () => {
    place.write('dist/a+b~c-1.0.tar.gz', sdist('abc', '1.0'));
    await build();
    store.pageKeys = 2;
    await published();
    expectSame();
    expect((await publish()).stdout).toContain('is up to date');
  });

  test('gets a file only where it was seen empty, and a replaced one only over that which was seen', async () => {
    await published();
    expect(writes().every(({ headers }) => headers['if-none-match'] === '*')).toBe(true);
    store.asked.length = 0;
    place.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1'));
    await build();
    await published();
    expectSame();
    const database = store.asked.find(isDatabase);
    expect(database?.headers['if-match']).toMatch(/^"[0-9a-f]{32}"$/);
    expect(database?.headers['if-none-match']).toBeUndefined();
  });

  test('to which somebody else has just written refuses, and what that was stays', async () => {
    let count = 0;
    store.meddle = (asked) => {
      if (isFile(asked))
        store.objects.set(asked.key, { bytes: Buffer.from(`other ${(count += 1)}`), headers: {} });
      return null;
    };
    const { status, stderr } = await publish();
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining('somebody else publishes to s3://bucket/a b/'),
    ]);
    expect(store.objects.has('a b/packages.plist')).toBe(false);
    expect(store.objects.get('a b/demo-1.0.tar.gz')?.bytes.toString()).toMatch(/^other/);
  });

  test.each([
    ['501', { status: 501, code: 'NotImplemented' }],
    ['400', { status: 400, code: 'InvalidArgument' }],
  ])('that answers %s to conditions gets files without them', async (_, told) => {
    store.meddle = ({ headers }) => ('if-none-match' in headers || 'if-match' in headers ? told : null);
    await published();
    expectSame();
  });

  test('gets a file twice in one publication only over what we wrote', async () => {
    const write = async (text: string, meanwhile = '') => {
      if (meanwhile !== '') store.objects.set('keys.asc', { bytes: Buffer.from(meanwhile), headers: {} });
      const bytes = Buffer.from(text);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const file = { path: 'keys.asc', size: bytes.length, sha256, bytes, over: 'nothing' } as const;
      await remote.write([file], { directory: 'dist', onBytes: () => undefined, onWritten: () => undefined });
    };
    const environment = {
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: SECRET,
      AWS_ENDPOINT_URL: store.url,
    };
    const run = makeRun({ clock: () => new Date() });
    const at = { destination: 's3://bucket', bucket: 'bucket', prefix: '' };
    const remote = bucketRemote(at, { run, environment });
    await write('additions');
    await write('additions and revocations');
    expect(store.objects.get('keys.asc')?.bytes.toString()).toBe('additions and revocations');
    await expect(write('more', 'of somebody else')).rejects.toMatchObject({ code: 'DESTINATION_RACED' });
    remote.close();
  });

  test('whose answer was lost is asked again, and takes its own write for ours', async () => {
    let isLost = true;
    store.cutAfter = (asked) => {
      const isNow = isLost && isDatabase(asked);
      if (isNow) isLost = false;
      return isNow;
    };
    await published();
    expect(store.asked.filter(isDatabase)).toHaveLength(2);
    expectSame();
  });

  test('that asks us to slow down gets its time', async () => {
    let left = 3;
    store.meddle = (asked) => (isFile(asked) && left-- > 0 ? { status: 503, code: 'SlowDown' } : null);
    await published();
    expectSame();
  });

  test('gets a large file in parts, and after a failure keeps none of them', async () => {
    place.write('dist/demo-2.0.zip.txt', Buffer.alloc(70 * 1024 * 1024, 'a line of a large file\n'));
    let fails = true;
    store.meddle = ({ query }) =>
      fails && query.get('partNumber') === '3' ? { status: 403, code: 'AccessDenied' } : null;
    const first = await publish({}, '--with-uncovered');
    expect([first.status, store.uploads.size]).toEqual([2, 0]);
    expect(first.stderr).toContain('cannot write demo-2.0.zip.txt at s3://bucket/a b/');
    fails = false;
    expect(await publish({}, '--with-uncovered')).toMatchObject({ status: 0 });
    expect(store.uploads.size).toBe(0);
    expectSame();
  });

  test.each([
    ['and sends only what is missing', 'a line of a large file\n'],
    ['and sends all of it if the file has other bytes', 'another line of it....\n'],
  ])('goes on with an upload that was cut off, %s', async (_, line) => {
    const before = 'a line of a large file\n';
    place.write('dist/demo-2.0.zip.txt', Buffer.alloc(70 * 1024 * 1024, before));
    let isThere = true;
    store.meddle = ({ query }) => {
      isThere &&= query.get('partNumber') !== '4';
      return isThere ? null : 'cut';
    };
    expect(await publish({}, '--with-uncovered')).toMatchObject({ status: 2 });
    const [parts] = [...store.uploads.values()].map((upload) => [...upload.keys()]);
    expect(parts?.length).toBeGreaterThan(0);
    store.meddle = () => null;
    store.asked.length = 0;
    place.write('dist/demo-2.0.zip.txt', Buffer.alloc(70 * 1024 * 1024, line));
    expect(await publish({}, '--with-uncovered')).toMatchObject({ status: 0 });
    const sent = store.asked.flatMap(({ query }) => query.get('partNumber') ?? []).map(Number);
    const missing = [1, 2, 3, 4, 5].filter((one) => line !== before || parts?.includes(one) !== true);
    expect(sent.toSorted((a, b) => a - b)).toEqual(missing);
    expect(store.uploads.size).toBe(0);
    expectSame();
  });

  test('that says 200 to an upload that failed is not believed', async () => {
    place.write('dist/demo-2.0.zip.txt', Buffer.alloc(65 * 1024 * 1024));
    store.meddle = ({ method, query }) =>
      method === 'POST' && query.has('uploadId') ? { status: 200, code: 'InternalError' } : null;
    expect(await publish({}, '--with-uncovered')).toMatchObject({ status: 2 });
    expect([store.uploads.size, store.objects.has('a b/demo-2.0.zip.txt')]).toEqual([0, false]);
  });

  test('loses what is gone, with --delete', async () => {
    place.write('dist/demo-0.9.tar.gz', sdist('demo', '0.9'));
    await build();
    await published();
    place.remove('dist/demo-0.9.tar.gz');
    expect(await place.packsign(['build', 'dist', '--key', 'ann.asc', '--absent', 'withdraw'])).toMatchObject(
      { status: 0 },
    );
    // It is gone since the second after the one before, when both are built at once.
    await sleep(2000);
    expect(await publish({}, '--delete', '--keep-old', '0')).toMatchObject({ status: 0, stderr: '' });
    expect([...store.objects.keys()].filter((key) => key.includes('demo'))).toEqual(['a b/demo-1.0.tar.gz']);
  });

  test('cut at any request is complete after the next publication', async () => {
    await published();
    place.write('dist/demo-1.0.tar.gz.asc', 'not read');
    place.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1'));
    await build();
    const before = new Map(store.objects);
    for (let at = 1; ; at += 1) {
      store.objects.clear();
      for (const [key, object] of before) store.objects.set(key, object);
      forget();
      let count = 0;
      store.meddle = (asked) => {
        // All is done when the lock is given back, and the next one takes it over.
        if (asked.method === 'DELETE' && asked.key.endsWith(PUBLISHING_NAME)) {
          return count >= at - 1 ? { status: 403, code: 'AccessDenied' } : null;
        }
        return (count += 1) >= at ? { status: 403, code: 'AccessDenied' } : null;
      };
      const { status } = await publish();
      const isCut = count >= at;
      store.meddle = () => null;
      expect(status).toBe(isCut ? 2 : 0);
      await published();
      expectSame();
      if (!isCut) break;
    }
  });

  test('tells what is wrong, and never the secret', async () => {
    const cases = [
      [{ status: 403, code: 'SignatureDoesNotMatch' }, 'the secret key is wrong'],
      [{ status: 403, code: 'InvalidAccessKeyId' }, 'does not know the key of AWS_ACCESS_KEY_ID'],
      [{ status: 403, code: 'RequestTimeTooSkewed' }, 'the clock of this machine'],
      [{ status: 404, code: 'NoSuchBucket' }, 'there is no bucket bucket'],
      [
        {
          status: 301,
          code: 'PermanentRedirect',
          headers: { 'x-amz-bucket-region': 'eu-west-1', location: 'http://127.0.0.1:1/' },
        },
        'set AWS_REGION=eu-west-1',
      ],
      [
        { status: 400, code: 'AuthorizationHeaderMalformed', extra: '<Region>eu-west-1</Region>' },
        'set AWS_REGION=eu-west-1',
      ],
      [{ status: 307, code: 'TemporaryRedirect' }, 'redirects requests'],
      [{ status: 400, code: 'ExpiredToken' }, 'the session has expired'],
      [{ status: 418, code: 'Odd\u0007\u001b[31m' }, 'says Odd'],
      [{ status: 500, code: 'InternalError' }, 'InternalError: by the test'],
    ] as const;
    for (const [told, words] of cases) {
      store.meddle = () => told;
      const { status, stdout, stderr } = await publish({}, '--verbose');
      expect([status, stdout, stderr]).toEqual([2, '', expect.stringContaining(words)]);
      expect(stderr).toContain('(DESTINATION_FAILED)');
      expect(stderr).not.toContain('nobody+may');
      expect(stderr).not.toContain('\u001b[31m');
    }
  });

  test('that is no bucket is not taken for an empty one', async () => {
    store.meddle = ({ query }) => (query.has('list-type') ? { status: 200 } : null);
    const { status, stderr } = await publish();
    expect([status, stderr]).toEqual([2, expect.stringContaining('something other than a list of S3')]);
  });
});

afterAll(() => {
  expect(JSON.stringify(place.snapshot('.'))).not.toContain(Buffer.from(SECRET).toString('hex'));
});

test.runIf(hasTool('openssl'))('a store whose authority AWS_CA_BUNDLE names gets every request', async () => {
  const { authority, certificate, key } = makeTls(place.path('tls'));
  const lists: (string | undefined)[] = [];
  const server = createServer(
    { cert: readFileSync(certificate), key: readFileSync(key) },
    (asked, answer) => {
      if (asked.url?.includes('list-type') === true) lists.push(asked.headers.host);
      const { method, headers } = asked;
      const passed = request(store.url + (asked.url ?? ''), { method, headers }, (there) => {
        answer.writeHead(there.statusCode ?? 0, there.headers);
        there.pipe(answer);
      });
      asked.pipe(passed);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const env = { AWS_ENDPOINT_URL_S3: `https://${host}` };
  expect(await publish(env)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('authority') as string,
  });
  expect(await publish({ ...env, AWS_CA_BUNDLE: authority })).toMatchObject({ status: 0 });
  expect(lists).toEqual([host]);
  server.closeAllConnections();
  server.close();
});
