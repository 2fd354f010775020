import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DIRECT_NETWORK, openNetwork } from '../../src/net/transport.js';
import { listKeys } from '../../src/stores/list.js';
import { openListThread } from '../../src/stores/list-on-thread.js';
import type { ListAt, ListThread } from '../../src/stores/list-on-thread.js';
import { openStore } from '../../src/stores/store.js';
import { startSmallStore } from '../upload/s3/small-store.js';
import type { SmallStore } from '../upload/s3/small-store.js';

const network = { ...DIRECT_NETWORK, backOffMs: 1 };
const clock = () => new Date('2031-02-03T04:05:06Z');

let store: SmallStore;
let thread: ListThread;

beforeEach(async () => {
  store = await startSmallStore();
  for (const name of ['dist/a', 'dist/b/ü +', 'dist/c/', 'dist/d', 'other/e'])
    store.objects.set(name, { bytes: Buffer.from(name), headers: {}, modified: new Date(1.7e12) });
  store.pageKeys = 2;
  thread = openListThread();
  return async () => await store.stop();
});

afterEach(() => thread.stop());

function at(endpoint: string): ListAt {
  const credentials = { accessKeyId: 'id', secretAccessKey: 'secret', sessionToken: null };
  return {
    ...{ destination: 's3://bucket/dist', bucket: 'bucket', prefix: 'dist/' },
    settings: { credentials, region: 'us-east-1', endpoint, addressing: 'path', authorities: null },
  };
}

/** The list that this thread makes. */
async function listed(where: ListAt): Promise<unknown> {
  const own = openNetwork(network);
  try {
    return await listKeys(openStore({ ...where, network: own, clock }), where.prefix);
  } finally {
    own.close();
  }
}

test('gives the list that this thread would make', async () => {
  const list = await thread.list(at(store.url), { network, clock });
  expect(Array.from(list.keys())).toEqual(['a', 'b/ü +', 'd']);
  expect(list).toEqual(await listed(at(store.url)));
});

test('asks by the clock of the run, and through its proxy', async () => {
  const proxies = { ...network.proxies, http: store.url };
  await thread.list(at('http://store.example'), { network: { ...network, proxies }, clock });
  const pages = store.asked.map(({ headers }) => [headers.host, headers['x-amz-date']?.slice(0, 13)]);
  expect(pages).toEqual(Array(2).fill(['store.example', '20310203T0405']));
});

test('fails as this thread would', async () => {
  const failure = async (list: Promise<unknown>) => {
    const { code, message, hint } = (await list.catch((error: unknown) => error)) as Record<string, unknown>;
    return { code, message, hint };
  };
  store.meddle = ({ query }) =>
    query.has('continuation-token') ? { status: 403, code: 'AccessDenied' } : null;
  const found = await failure(thread.list(at(store.url), { network, clock }));
  expect(found).toEqual(await failure(listed(at(store.url))));
  expect(found).toMatchObject({ code: 'DESTINATION_FAILED', hint: expect.any(String) as string });
});

test('a list does not wait for ever for a thread that has ended', async () => {
  store.meddle = () => 'silence';
  const listing = thread.list(at(store.url), { network, clock });
  thread.stop();
  await expect(listing).rejects.toThrow('ended without a list');
});

/** A store on a thread of its own, which counts the pages that it gives in shared memory. */
const STORE = `
  const { parentPort, workerData: count } = require('node:worker_threads');
  require('node:http').createServer((request, response) => {
    const token = new URL(request.url, 'http://store').searchParams.get('continuation-token') ?? '';
    const next = token.length < 20 ? '<IsTruncated>true</IsTruncated><NextContinuationToken>' + token + 'x</NextContinuationToken>' : '';
    const file = '<Contents><Key>dist/' + token + 'y</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>1</Size></Contents>';
    response.end('<ListBucketResult>' + file + next + '</ListBucketResult>');
    if (next === '') response.on('finish', () => {
      Atomics.store(count, 0, 1);
      Atomics.notify(count, 0);
    });
  }).listen(0, '127.0.0.1', function () { parentPort.postMessage(this.address().port); });
`;

test('lists all pages while this thread does something else', async () => {
  const count = new Int32Array(new SharedArrayBuffer(4));
  const server = new Worker(STORE, { eval: true, workerData: count });
  const port = await new Promise<number>((resolve) => server.once('message', resolve));
  const listing = thread.list(at(`http://127.0.0.1:${port}`), { network, clock });
  // Nothing else runs on this thread until the last page is out.
  expect(Atomics.wait(count, 0, 0, 300_000)).not.toBe('timed-out');
  expect((await listing).size).toBe(21);
  await server.terminate();
});
