import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, utimesSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deadMark } from '../disk/marks.js';
import { answer, newReader, packsign, packsignProcess, publish, serve } from '../consume/scene.js';
import { newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { ISSUED, certificateFile, minutes, people, sha256 } from '../threats/scene.js';
import type { People } from '../threats/scene.js';
import { hasTool } from '../tools.js';
import {
  PROXY_LOGIN,
  apache,
  busybox,
  lighttpd,
  makeTls,
  nginx,
  python,
  sirv,
  squid,
  startServer,
  varnish,
} from './servers.js';
import type { RunningServer, ServerPlan, Tls } from './servers.js';

/** The commands of a user against the web servers, proxies and caches that there are. */

const SMALL = 200;
const BIG = sdist('big', '1.0', `x = ${'0123456789abcdef'.repeat(60_000)}\n`);
const ODD = ['odd/a+b@c-1.0.tar.gz', 'odd/d,e=f!g-1.0.tar.gz', 'odd/h/_i~j-1.0+k.tar.gz'];
/** No file has such a name, but the folder that a server gives may. */
const ODD_FOLDER = 'größe #1, 100% a+b';
const ODD_ADDRESSES = [encodeURIComponent(ODD_FOLDER), 'größe %231, 100%25 a+b'];
const small = (index: number) => `many/file-1.0.${index}.tar.gz`;
const FILES: Readonly<Record<string, Uint8Array>> = Object.fromEntries([
  ['big-1.0.tar.gz', BIG],
  ['demo-1.0.tar.gz', sdist('demo', '1.0')],
  ...ODD.map((path) => [path, sdist('odd', '1.0', `# ${path}\n`)] as const),
  ...Array.from({ length: SMALL }, (_, index) => [small(index), sdist('file', `1.0.${index}`)] as const),
]);
const COUNT = Object.keys(FILES).length;

let known: People;
/** The published folder. */
let folder: string;
const running: RunningServer[] = [];

beforeAll(async () => {
  known = await people();
  const place = newPlace();
  await publish(place, known.ann, { archives: FILES });
  folder = mkdtempSync(join(tmpdir(), 'served-'));
  cpSync(place.path('dist'), folder, { recursive: true });
  chmodSync(folder, 0o755);
  const odd = join(folder, ODD_FOLDER);
  for (const name of ['packages.plist', 'keys.asc', 'signatures', 'demo-1.0.tar.gz']) {
    cpSync(place.path(`dist/${name}`), join(odd, name), { recursive: true });
  }
});

afterAll(async () => {
  for (const server of running) await server.stop();
});

async function start(plan: ServerPlan): Promise<readonly number[]> {
  const server = await startServer(plan);
  running.push(server);
  return server.ports;
}

interface User {
  readonly place: Place;
  /** Runs a command that has to end with 0, and gives its answer. */
  readonly json: (...args: readonly string[]) => Promise<Record<string, unknown>>;
}

/** Somebody with Ann's certificate, and an environment. */
function newUser(environment: Readonly<Record<string, string>> = {}): User {
  const place = newPlace();
  place.write('ann.asc', certificateFile(known.ann));
  const json: User['json'] = async (...args) => {
    const { status, value } = await answer(place, args, '', environment);
    expect([args.join(' '), status, status === 0 ? null : value]).toEqual([args.join(' '), 0, null]);
    return value;
  };
  return { place, json };
}

/** What an earlier run that was killed left of a file: its process number is nobody's any more. */
function leavePart(place: Place, bytes: Uint8Array, count: number): void {
  place.write(`out/.packsign-${sha256(bytes)}.${deadMark()}.00.part`, bytes.subarray(0, count));
}

function expectFiles(place: Place, paths: readonly string[]): void {
  for (const path of paths) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    expect([name, place.read(`out/${name}`).equals(FILES[path] ?? new Uint8Array())]).toEqual([name, true]);
  }
}

/** All that a user does with a database. */
async function useAll(url: string, environment: Readonly<Record<string, string>> = {}): Promise<void> {
  const { place, json } = newUser(environment);
  await json('trust', 'add', url, '--keys', 'ann.asc', '--name', 'ann');
  expect(await json('verify', 'ann')).toMatchObject({ status: 'authentic' });
  // Every file, those with odd names too.
  expect(await json('verify', 'ann', '--files')).toMatchObject({
    ...{ status: 'authentic', files: { checked: COUNT, ok: COUNT }, findings: [] },
  });
  expect(await json('list', 'ann')).toMatchObject({ status: 'authentic' });
  await json('get', 'demo', '--output', 'out');
  await json('get', ...ODD, '--output', 'out');
  leavePart(place, BIG, 300_000);
  await json('get', 'big', '--output', 'out');
  expectFiles(place, ['demo-1.0.tar.gz', ...ODD, 'big-1.0.tar.gz']);
  // Nothing else, no part of a file above all.
  expect(readdirSync(place.path('out'))).toHaveLength(2 + ODD.length);
  expect(await json('verify', url, '--as-stranger')).toMatchObject({ ok: true });
}

/** In a process of its own, where an error in an event of a socket could not hide. */
async function getSmall(
  url: string,
  env: Readonly<Record<string, string>> = {},
  count = SMALL,
): Promise<void> {
  const { place } = newUser();
  const paths = Array.from({ length: count }, (_, index) => small(index));
  const args = ['get', ...paths, '--from', url, '--keys', 'ann.asc', '--output', 'out'];
  const { status, stderr } = await packsignProcess(place, args, { env });
  expect([status, stderr]).toEqual([0, '']);
  expectFiles(place, paths);
}

/** A database elsewhere, whose files are gone there, but not from this mirror of it. */
async function useAsMirror(url: string): Promise<void> {
  const place = newPlace();
  const site = await serve(place.path('dist'));
  await publish(place, known.ann, { archives: FILES, packsign: { Mirrors: [url] } });
  for (const path of [...ODD, 'big-1.0.tar.gz']) {
    site.tricks.set(path, (_, response) => response.writeHead(404).end('no such file'));
  }
  const { place: users, json } = newUser();
  const got = await json('get', ...ODD, 'big', '--from', site.url, '--keys', 'ann.asc', '--output', 'out');
  const origins = (got['packages'] as readonly { readonly from: string }[]).map(
    ({ from }) => new URL(from).host,
  );
  expect(new Set(origins)).toEqual(new Set([new URL(url).host]));
  expectFiles(users, [...ODD, 'big-1.0.tar.gz']);
}

/** The addresses that a person may copy from a browser. */
async function useEveryAddress(url: string, folders = ODD_ADDRESSES): Promise<void> {
  const { place, json } = newUser();
  for (const end of ['', '/', '/packages.plist', '/index.html', '/#keys', '/packages.plist?x=1']) {
    const address = `${url.replace(/\/$/, '')}${end}`;
    expect(await json('verify', address, '--keys', 'ann.asc')).toMatchObject({ status: 'authentic' });
  }
  for (const name of folders) {
    await json('get', 'demo', '--from', `${url}${name}/`, '--keys', 'ann.asc', '--output', 'out');
    expectFiles(place, ['demo-1.0.tar.gz']);
    place.remove('out');
  }
}

const SERVERS = [
  ['python3', python],
  ['busybox', busybox],
  ['lighttpd', lighttpd],
  ['apache2', apache],
  ['node', sirv],
] as const;

describe.each(SERVERS)('%s', (program, planFor) => {
  const isHere = program === 'node' || hasTool(program);
  let url: string;

  beforeAll(async () => {
    if (isHere) url = `http://127.0.0.1:${(await start(planFor(folder)))[0] ?? 0}/`;
  });

  test.runIf(isHere)('serves all that a user does', async () => {
    await useAll(url);
    // sirv, the one that runs on Node, decodes no %23.
    await useEveryAddress(url, program === 'node' ? [] : ODD_ADDRESSES);
  });

  test.runIf(isHere)('serves as a mirror', async () => {
    await useAsMirror(url);
  });

  test.runIf(isHere)(`serves ${SMALL} downloads without a crash`, async () => {
    await getSmall(url);
  });
});

describe.runIf(hasTool('nginx') && hasTool('openssl'))('nginx', () => {
  let tls: Tls;
  let ports: readonly number[];
  const http = (index: number) => `http://127.0.0.1:${ports[index] ?? 0}/`;

  beforeAll(async () => {
    tls = makeTls(mkdtempSync(join(tmpdir(), 'tls-')));
    chmodSync(join(tls.key, '..'), 0o755);
    ports = await start(nginx(folder, tls));
  });

  test('serves all that a user does', async () => {
    await useAll(http(0));
    await useEveryAddress(http(0));
    await useAsMirror(http(0));
    await getSmall(http(0));
  });

  test('that compresses every type serves the files as they are', async () => {
    await useAll(http(1));
    await getSmall(http(1));
  });

  test.each([
    [429, 2],
    [503, 3],
  ])('that answers %i to more than a few requests a second serves all of them', async (_, index) => {
    await useAll(http(index));
    await getSmall(http(index), {}, 60);
  });

  test('that speaks HTTP/2 over TLS is known by its authority, which is named in either way', async () => {
    const secure = `https://127.0.0.1:${ports[4] ?? 0}/`;
    await useAll(secure, { SSL_CERT_FILE: tls.authority });
    await getSmall(secure, { NODE_EXTRA_CA_CERTS: tls.authority });
    const unknown = await packsign(newUser().place, ['verify', secure, '--keys', 'ann.asc']);
    expect([unknown.status, unknown.stdout]).toEqual([2, '']);
    expect(unknown.stderr).toMatch(/no authority that this machine knows .*\n.*SSL_CERT_FILE=FILE/);
  });

  describe.runIf(hasTool('squid'))('behind squid', () => {
    let open: string;
    let closed: string;

    beforeAll(async () => {
      const [first = 0, second = 0] = await start(squid(ports[4] ?? 0));
      [open, closed] = [`127.0.0.1:${first}`, `127.0.0.1:${second}`];
    });

    const login = `${PROXY_LOGIN.name}:${encodeURIComponent(PROXY_LOGIN.password)}`;

    test('is reached over http without CONNECT, and over https with it', async () => {
      await useAll(http(0), { http_proxy: open });
      await getSmall(http(0), { ALL_PROXY: `http://${open}` });
      const secure = `https://127.0.0.1:${ports[4] ?? 0}/`;
      await useAll(secure, { HTTPS_PROXY: open, SSL_CERT_FILE: tls.authority });
      await getSmall(secure, { https_proxy: open, NODE_EXTRA_CA_CERTS: tls.authority });
    });

    test('is reached with a name and a password, which are never printed', async () => {
      await useAll(http(0), { http_proxy: `http://${login}@${closed}` });
      const secure = `https://127.0.0.1:${ports[4] ?? 0}/`;
      await useAll(secure, { https_proxy: `${login}@${closed}`, SSL_CERT_FILE: tls.authority });
      for (const [url, who, words] of [
        [http(0), '', 'asks for a user name'],
        [secure, '', 'asks for a user name'],
        [http(0), 'reader:secret@', 'asks for a user name'],
        [secure, 'reader:secret@', 'asks for a user name'],
        // To this port squid allows no CONNECT.
        [http(0).replace('http:', 'https:'), `${login}@`, 'refuses'],
      ] as const) {
        const proxy = `http://${who}${closed}`;
        const env = { http_proxy: proxy, https_proxy: proxy, SSL_CERT_FILE: tls.authority };
        const run = await packsign(
          newUser().place,
          ['verify', url, '--keys', 'ann.asc', '--verbose'],
          '',
          env,
        );
        expect([run.status, run.stdout]).toEqual([2, '']);
        expect(run.stderr).toContain(`the proxy http://${closed} ${words}`);
        expect(run.stderr).not.toMatch(/secret|pass%20word|pass word/);
      }
    });

    test('that is dead gets the blame, and not the server', async () => {
      for (const url of [http(0), `https://127.0.0.1:${ports[4] ?? 0}/`]) {
        const env = { ALL_PROXY: '127.0.0.1:1' };
        const run = await packsign(newUser().place, ['verify', url, '--keys', 'ann.asc'], '', env);
        expect(run.status).toBe(2);
        expect(run.stderr).toMatch(/the proxy http:\/\/127\.0\.0\.1:1: nothing answers at 127\.0\.0\.1:1\n/);
      }
    });
  });
});

describe.runIf(hasTool('varnishd') && hasTool('busybox'))('varnish', () => {
  test('serves all that a user does, and does not turn time back where its copy is old', async () => {
    const origin = mkdtempSync(join(tmpdir(), 'origin-'));
    chmodSync(origin, 0o755);
    const place = newPlace();
    const copyToOrigin = () => cpSync(place.path('dist'), origin, { recursive: true });
    await publish(place, known.ann, { archives: FILES });
    copyToOrigin();
    // busybox tells versions of one length apart by the second.
    utimesSync(join(origin, 'packages.plist'), minutes(ISSUED, -60), minutes(ISSUED, -60));
    const [originPort = 0] = await start(busybox(origin));
    const [cachePort = 0] = await start(varnish(originPort));
    await useAll(`http://127.0.0.1:${cachePort}/`);
    // One address in front of two edges, of which the cache is the one that is behind.
    let edge = cachePort;
    const front = createServer((socket) => {
      const onward = connect(edge, '127.0.0.1');
      for (const [from, to] of [
        [socket, onward],
        [onward, socket],
      ] as const) {
        from.on('error', () => to.destroy());
        from.pipe(to);
      }
    });
    await new Promise<void>((done) => front.listen(0, '127.0.0.1', done));
    running.push({
      ports: [],
      log: () => '',
      stop: () => new Promise((done) => void front.close(() => done())),
    });
    const url = `http://127.0.0.1:${(front.address() as AddressInfo).port}/`;
    const reader = newReader();
    await reader.trust(url, { keys: certificateFile(known.ann) });
    await publish(place, known.ann, { archives: FILES, issued: minutes(ISSUED, 5) });
    copyToOrigin();
    edge = originPort;
    expect((await reader.fetch(url)).trusted?.Packsign.Issued).toEqual(minutes(ISSUED, 5));
    edge = cachePort;
    const again = await reader.fetch(url);
    expect([again.status, again.trusted?.Packsign.Issued]).toEqual(['authentic', minutes(ISSUED, 5)]);
    mkdirSync(reader.place.path('downloads'), { recursive: true });
    expect((await reader.get(['demo'])).packages).toHaveLength(1);
  });
});
