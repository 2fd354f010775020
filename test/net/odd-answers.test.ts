import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { fetchDatabase } from '../../src/index.js';
import { PacksignError } from '../../src/errors.js';
import { openNetwork } from '../../src/net/transport.js';
import { makeRun } from '../../src/run.js';
import { deadMark } from '../disk/marks.js';
import { HASTY, listen, newReader, publish, sendFile, serve } from '../consume/scene.js';
import type { Reader, Site } from '../consume/scene.js';
import { newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';
import { DEMO, certificateFile, people, sha256 } from '../threats/scene.js';
import { skip } from '../tools.js';
import { ENDLESS_ANSWERS, ODD_ANSWERS, drip, flood, raw } from './odd.js';
import type { Odd, OddAnswer } from './odd.js';
import { ODD_VARIANTS } from './odd-variants.js';
import { hasIpv6 } from './servers.js';

/** What comes of answers that are broken, cut off, endless or out to harm: never a crash, and always an end. */

const FILE = 'demo-1.0.tar.gz';
const BIG = randomBytes(100_000);
const LONG = randomBytes(700_000);
let place: Place;
let site: Site;
let reader: Reader;
let keysFile: string;

beforeAll(async () => {
  const { ann } = await people();
  place = newPlace();
  await publish(place, ann, { archives: { [FILE]: DEMO, 'big-1.0.tar.gz': BIG, 'long-1.0.tar.gz': LONG } });
  site = await serve(place.path('dist'));
  reader = newReader();
  await reader.trust(site.url, { keys: certificateFile(ann) });
  keysFile = place.write('ann.asc', certificateFile(ann));
  // From now on its store does not change, and there is a folder.
  await reader.fetch(site.url);
  reader.place.write('downloads/.keep', '');
  reader.place.remove('downloads/.keep');
});

afterAll(() => {
  site.tricks.clear();
});

/** Far more than an answer takes on a busy machine, and far less than for ever. */
const FOR_EVER_MS = 60_000;

async function ended<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const never = new Promise<never>((_, failed) => {
    timer = setTimeout(() => failed(new Error('it has no end')), FOR_EVER_MS);
  });
  return await Promise.race([work, never]).finally(() => clearTimeout(timer));
}

/** What comes of a look, in one word. */
async function outcome(look: Promise<string>): Promise<string> {
  try {
    return await ended(look);
  } catch (error) {
    if (error instanceof PacksignError) return error.code;
    throw error;
  }
}

async function playing(path: string, odd: Odd, look: () => Promise<string>): Promise<string> {
  const bytes = place.read(`dist/${path}`);
  site.tricks.clear();
  site.tricks.set(path, odd(bytes));
  site.tricks.set('elsewhere', (_, response) => response.end(bytes));
  site.requests.length = 0;
  return await outcome(look());
}

async function getFile(name = 'demo'): Promise<string> {
  const { packages, findings } = await reader.get([name], { from: site.url });
  return packages.length > 0 ? 'good' : (findings[0]?.kind ?? 'nothing');
}

/** Verifies without a store, so that nothing is known of the database. */
async function fetchAnew(url = site.url): Promise<string> {
  const run = makeRun({ clock: () => new Date(), network: HASTY });
  const { status, code } = await fetchDatabase(url, { run, keysFile, fingerprints: [], threshold: null });
  return status === 'authentic' ? 'good' : (code ?? status);
}

async function play({ odd, file, database }: OddAnswer): Promise<void> {
  const before = reader.store();
  const gotten = await playing(FILE, odd, getFile);
  // Each place is asked a few times, not for ever.
  expect(site.requests.filter(({ path }) => path === FILE).length).toBeLessThan(13);
  const left = Object.keys(reader.place.snapshot('downloads'));
  expect([gotten, left.filter((name) => !name.endsWith('.part'))]).toEqual([
    file,
    file === 'good' ? [FILE] : [],
  ]);
  for (const name of left) reader.place.remove(`downloads/${name}`);
  expect(await playing('packages.plist', odd, fetchAnew)).toBe(database);
  expect(reader.store()).toEqual(before);
}

test('the cases are all there', () => {
  const names = [...ODD_ANSWERS, ...ODD_VARIANTS, ...ENDLESS_ANSWERS].map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names.length).toBeGreaterThan(180);
});

describe('an odd answer', () => {
  test.each(ODD_ANSWERS)('$name: file $file, database $database', async (answer) => {
    await play(answer);
  });
});

describe('a variant of one', () => {
  test.each(ODD_VARIANTS)('$name: file $file, database $database', async (answer) => {
    await play(answer);
  });
});

describe('T30: an answer without an end has one for us', () => {
  test.each(ENDLESS_ANSWERS)('$name: file $file, database $database', async (answer) => {
    await play(answer);
  });

  test.each([
    ['signatures', 'SIGNATURE_MISSING'],
    ['keys.asc', 'good'],
  ])('404 with a body that drips for %s', async (name, expected) => {
    const path = name === 'keys.asc' ? name : `signatures/${sha256(place.read('dist/packages.plist'))}.asc`;
    expect(await playing(path, drip('HTTP/1.1 404 x\r\n\r\n', 'x'), fetchAnew)).toBe(expected);
  });

  test.each(['404 Not Found', '302 Found\r\nLocation: /elsewhere'])(
    'a body behind %s that nobody wants is not read on while the run goes on',
    async (head) => {
      let isClosed = (): void => undefined;
      const closed = new Promise<void>((resolve) => {
        isClosed = resolve;
      });
      const endless = flood(`HTTP/1.1 ${head}\r\n\r\n`, 'x')(Buffer.alloc(0));
      const url = await listen((request, response) => {
        if (request.url === '/elsewhere') {
          response.writeHead(404).end();
          return;
        }
        request.socket.once('close', isClosed);
        endless(request, response);
      });
      const network = openNetwork(HASTY);
      try {
        expect((await network.get(url)).kind).toBe('absent');
        await ended(closed);
      } finally {
        network.close();
      }
    },
  );
});

describe('what an earlier run left of a file is continued, or begun anew', () => {
  const RIGHT_RANGE = (bytes: Buffer) => `Content-Range: bytes 40000-${bytes.length - 1}/${bytes.length}`;
  const tail = (bytes: Buffer, from = 40_000) => bytes.toString('latin1', from);
  const cases: readonly (readonly [string, (bytes: Buffer) => string])[] = [
    ['a right 206', (bytes) => `206 x\r\n${RIGHT_RANGE(bytes)}\r\n\r\n${tail(bytes)}`],
    [
      'a 206 with `*` for the length',
      (bytes) => `206 x\r\nContent-Range: bytes 40000-${bytes.length - 1}/*\r\n\r\n${tail(bytes)}`,
    ],
    ['200 with the whole', (bytes) => `200 x\r\n\r\n${tail(bytes, 0)}`],
    ['a 206 without a range', (bytes) => `206 x\r\n\r\n${tail(bytes)}`],
    [
      'a 206 from elsewhere',
      (bytes) =>
        `206 x\r\nContent-Range: bytes 5-${bytes.length - 1}/${bytes.length}\r\n\r\n${tail(bytes, 5)}`,
    ],
    ['a 206 with other bytes', (bytes) => `206 x\r\n${RIGHT_RANGE(bytes)}\r\n\r\n${'x'.repeat(60_000)}`],
    [
      'a 206 with less than it says',
      (bytes) => `206 x\r\n${RIGHT_RANGE(bytes)}\r\n\r\n${tail(bytes).slice(0, 5)}`,
    ],
    [
      'a 206 of several parts',
      () => '206 x\r\nContent-Type: multipart/byteranges; boundary=x\r\n\r\n--x\r\n',
    ],
    ['416', () => '416 x\r\nContent-Range: bytes */1\r\n\r\n'],
  ];

  test.each(cases)('after %s', async (_, answer) => {
    reader.place.write(`downloads/.packsign-${sha256(BIG)}.${deadMark()}.00.part`, BIG.subarray(0, 40_000));
    const odd: Odd = (bytes) => (request, response) => {
      const isFirst = request.headers.range === 'bytes=40000-';
      if (isFirst) raw(`HTTP/1.1 ${answer(bytes)}`)(bytes)(request, response);
      else sendFile(place.path('dist/big-1.0.tar.gz'), request, response);
    };
    expect(await playing('big-1.0.tar.gz', odd, () => getFile('big'))).toBe('good');
    expect(reader.place.read('downloads/big-1.0.tar.gz').equals(BIG)).toBe(true);
    expect(Object.keys(reader.place.snapshot('downloads'))).toEqual(['big-1.0.tar.gz']);
    reader.place.remove('downloads/big-1.0.tar.gz');
  });
});

describe('a body that ends early', () => {
  beforeEach(() => {
    for (const name of Object.keys(reader.place.snapshot('downloads')))
      reader.place.remove(`downloads/${name}`);
  });

  const FRAMINGS: Readonly<Record<string, (sent: Buffer, of: Buffer) => string>> = {
    'with a length': (sent, of) => `Content-Length: ${of.length}\r\n\r\n${sent.toString('latin1')}`,
    'in chunks': (sent) =>
      `Transfer-Encoding: chunked\r\n\r\n${sent.length === 0 ? '' : `${sent.length.toString(16)}\r\n${sent.toString('latin1')}\r\n`}`,
    'without a length': (sent) => `\r\n${sent.toString('latin1')}`,
  };
  const TENTHS = Array.from({ length: 10 }, (_, index) => index);

  describe.each(Object.keys(FRAMINGS))('%s', (framing) => {
    test.each(TENTHS)('after %i tenths is asked for once more, from there', async (tenths) => {
      const head = FRAMINGS[framing] ?? (() => '');
      const cut = (bytes: Buffer) => bytes.subarray(0, Math.floor((bytes.length * tenths) / 10));
      const odd: Odd = (bytes) => {
        let asked = 0;
        return (request, response) => {
          asked += 1;
          if (asked > 1) sendFile(place.path(`dist${request.url ?? ''}`), request, response);
          else raw(`HTTP/1.1 200 OK\r\n${head(cut(bytes), bytes)}`)(bytes)(request, response);
        };
      };
      expect(await playing('big-1.0.tar.gz', odd, () => getFile('big'))).toBe('good');
      const asked = site.requests.filter(({ path }) => path === 'big-1.0.tar.gz');
      const [first, again, ...more] = asked.map(({ headers }) => headers.range);
      expect([first, more]).toEqual([undefined, []]);
      const from = Number(/^bytes=(\d+)-$/.exec(again ?? 'bytes=0-')?.[1]);
      // Node drops what it has read and we have not when a connection breaks.
      if (tenths > 0) expect(from).toBeGreaterThan(0);
      expect(from).toBeLessThanOrEqual((BIG.length * tenths) / 10);
      expect(reader.place.read('downloads/big-1.0.tar.gz').equals(BIG)).toBe(true);
      expect(Object.keys(reader.place.snapshot('downloads'))).toEqual(['big-1.0.tar.gz']);
      reader.place.remove('downloads/big-1.0.tar.gz');
      expect(await playing('packages.plist', odd, fetchAnew)).toBe('good');
    });
  });

  test('again and again comes to its end, as long as each time brings something', async () => {
    const odd: Odd = (bytes) => (request, response) => {
      const from = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0);
      const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
      const headers = `HTTP/1.1 206 x\r\nContent-Range: ${range}\r\nContent-Length: ${bytes.length - from}`;
      raw(`${headers}\r\n\r\n${bytes.toString('latin1', from, from + 70_000)}`)(bytes)(request, response);
    };
    expect(await playing('long-1.0.tar.gz', odd, () => getFile('long'))).toBe('good');
    expect(reader.place.read('downloads/long-1.0.tar.gz').equals(LONG)).toBe(true);
    expect(site.requests.filter(({ path }) => path === 'long-1.0.tar.gz').length).toBeGreaterThan(6);
    reader.place.remove('downloads/long-1.0.tar.gz');
  });
});

describe('addresses of IPv6', () => {
  test('are asked like any other', async (context) => {
    if (!hasIpv6()) skip(context, 'this machine has no IPv6');
    const server = createServer((request, response) => {
      sendFile(place.path(`dist${request.url ?? ''}`), request, response);
    });
    await new Promise<void>((done) => server.listen(0, '::1', done));
    const url = `http://[::1]:${(server.address() as AddressInfo).port}/`;
    expect(await outcome(fetchAnew(url))).toBe('good');
    server.closeAllConnections();
    server.close();
  });
});
