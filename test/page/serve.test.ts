import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { symlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';

const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

/** Starts a command that runs until it is stopped, and waits for the address that it prints. */
async function start(place: Place, args: readonly string[]): Promise<{ url: string; child: ChildProcess }> {
  const child = spawn(process.execPath, [resolve('dist/bin/packsign.js'), ...args], {
    cwd: place.root,
    env: { PATH: process.env['PATH'], HOME: place.path('home') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => (said += bytes.toString()));
  }
  while (!/http:\S+\//.test(said) && child.exitCode === null)
    await new Promise((wait) => setTimeout(wait, 20));
  return { url: /http:[^\s,"]+\//.exec(said)?.[0] ?? said, child };
}

interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Not with fetch, which would normalize the path. */
function get(url: string, path: string, { method = 'GET', headers = {} } = {}): Promise<Got> {
  return new Promise((done, failed) => {
    const asked = request(
      url,
      { path, method, headers: { Host: new URL(url).host, ...headers } },
      (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('end', () =>
          done({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(pieces).toString('latin1'),
          }),
        );
      },
    );
    asked.on('error', failed);
    asked.end();
  });
}

/** A database with a trust page, signed by Ada; Eve's key is at hand. */
async function pagedPlace(): Promise<{ place: Place; eve: TestKey }> {
  const [ada, eve] = [await newKey('Ada'), await newKey('Eve')];
  const place = newPlace();
  place.write('ada.asc', ada.signing);
  place.write('ada.rev.asc', ada.revocation);
  place.write('eve.asc', eve.signing);
  place.write('dist/packsign.json', '{"Page": true}');
  place.write('dist/lantern-1.0.tar.gz', sdist('lantern', '1.0'));
  expect((await place.packsign(['build', 'dist', '--key', 'ada.asc'])).status).toBe(0);
  return { place, eve };
}

/** Private files in every place, and links to them. */
function layTraps(place: Place, secretKey: string): void {
  for (const folder of ['', 'sub/', 'sub/deep/']) {
    for (const name of PRIVATE)
      place.write(`dist/${folder}${name}`, name.endsWith('~') ? secretKey : 'private');
  }
  place.write('dist/packsign.json', '{"Page": true}');
  place.write('dist/notes.txt', `a note\n\n${secretKey}\nand more`);
  place.write('dist/sub/readme.txt', 'public');
  place.write('secret', 'private');
  for (const [name, target] of [
    ['out', place.path('secret')],
    ['outside', place.root],
    ['settings', 'packsign.json'],
    ['waiting', 'sub/packages.unsigned.plist'],
    ['hidden', '.hidden/x'],
    ['state', '.packsign'],
    ['latest', 'sub'],
  ] as const)
    symlinkSync(target, place.path(`dist/${name}`));
}

const PRIVATE = [
  ...['packsign.json', 'packages.unsigned.plist', 'packages.unsigned.plist.asc', '.hidden/x', '.htpasswd'],
  ...[
    '.packsign-0123456789abcdef0123456789.tmp',
    '.packsign/keys.held.asc',
    'key.asc~',
    '#key.asc#',
    'ada.rev.asc',
  ],
  // Copies, and names that a file system without case, or without dots and spaces at the end, takes for the same.
  ...[
    'packsign.json.bak',
    'packsign.json~',
    'Packsign.JSON',
    'PACKAGES.Unsigned.plist',
    'packsign.json.',
    'packsign.json ',
  ],
  ...['pack\u017fign.json', 'packages.unsigned.plist.asc. .'],
];

/** Ways to write a path. */
const SPELLINGS: readonly ((path: string) => string)[] = [
  (path) => `/${path}`,
  (path) => `//${path}`,
  (path) => `///${path}`,
  (path) => `/./${path}`,
  (path) => `/sub/../${path}`,
  (path) => `/sub/deep/../../${path}`,
  (path) => `/%2e/${path}`,
  (path) => `/sub/%2e%2E/${path}`,
  (path) => `/%2F${path}`,
  (path) => `/%5C${path}`,
  (path) => `/\\${path}`,
  (path) => `/sub//${path}`,
  (path) => `/sub/${path}`,
  (path) => `/sub/deep/${path}`,
  (path) => `/sub%2F${path}`,
  (path) => `/sub/.//${path}`,
  (path) => `/latest/${path}`,
  (path) => `/${path}/`,
  (path) => `/${path}/.`,
  (path) => `/${path}%00`,
  (path) => `/${path}%00.txt`,
  (path) => `/${path}?x`,
  (path) => `/${path}%3Fx`,
  (path) => `/${path}%20`,
  (path) => `/${path}.`,
  (path) => `http://localhost/${path}`,
  (path) => `http://localhost//${path}`,
  (path) => `/${path.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`)}`,
  (path) => `/${path.replaceAll('.', '%2E')}`,
];

const TRAPS = [
  ...SPELLINGS.flatMap((spell) => PRIVATE.map((path) => spell(encodeURI(path).replace(/#/g, '%23')))),
  ...['/out', '/outside/secret', '/settings', '/waiting', '/hidden', '/state/facts', '/state/', '/notes.txt'],
  ...[
    '/nothing',
    '/signatures',
    '/../secret',
    '/%2e%2e/secret',
    '/..%2fsecret',
    '/sub/../../secret',
    '/%00',
    '/%',
  ],
  ...['/%ff', '/%c0%ae%c0%ae/secret', '/sub/', '/sub'],
];

describe('packsign serve', () => {
  const place = newPlace();
  let url: string;

  beforeAll(async () => {
    const key = await newKey('Ada');
    place.write('key.asc', key.signing);
    place.write('dist/packsign.json', '{"Page": true}');
    place.write('dist/lantern-1.0.tar.gz', sdist('lantern', '1.0'));
    expect((await place.packsign(['build', 'dist', '--key', 'key.asc'])).status).toBe(0);
    layTraps(place, key.signing);
    ({ url } = await start(place, ['serve', 'dist']));
  });

  it.each([
    ['/', 'text/html; charset=utf-8', 'no-cache'],
    ['/packages.plist', 'application/x-plist', 'no-cache'],
    ['/packages.plist.asc', 'application/pgp-signature', 'no-cache'],
    ['/keys.asc', 'application/pgp-keys', 'no-cache'],
    ['/keys.gpg', 'application/pgp-keys', 'no-cache'],
    ['/lantern-1.0.tar.gz', 'application/gzip', 'public, max-age=31536000, immutable'],
  ])('gives %s its type and caching', async (path, type, caching) => {
    const { status, headers } = await get(url, path);
    expect([status, headers['content-type'], headers['cache-control']]).toEqual([200, type, caching]);
  });

  it('lets clients keep assets for ever, and gives scripts a type that browsers run', async () => {
    const html = (await get(url, '/')).body;
    const [, script = ''] = /src="([^"]+\/page\.js)"/.exec(html) ?? [];
    const { headers } = await get(url, `/${script}`);
    expect(headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(headers['cache-control']).toContain('immutable');
  });

  it('sends the exact bytes, ranges of them, and nothing to clients that have them', async () => {
    const bytes = place.read('dist/lantern-1.0.tar.gz').toString('latin1');
    const whole = await get(url, '/lantern-1.0.tar.gz');
    expect(whole.body).toBe(bytes);
    const range = (text: string) => get(url, '/lantern-1.0.tar.gz', { headers: { Range: text } });
    expect(await range('bytes=2-5')).toMatchObject({ status: 206, body: bytes.slice(2, 6) });
    expect((await range('bytes=2-5')).headers['content-range']).toBe(`bytes 2-5/${bytes.length}`);
    expect(await range('bytes=-3')).toMatchObject({ status: 206, body: bytes.slice(-3) });
    expect(await range(`bytes=${bytes.length - 1}-`)).toMatchObject({ status: 206, body: bytes.slice(-1) });
    expect(await range(`bytes=${bytes.length}-`)).toMatchObject({ status: 416 });
    expect(await range('bytes=0-1,3-4')).toMatchObject({ status: 200, body: bytes });
    const { etag = '' } = whole.headers;
    expect((await get(url, '/lantern-1.0.tar.gz', { headers: { 'If-None-Match': etag } })).status).toBe(304);
    expect(await get(url, '/lantern-1.0.tar.gz', { method: 'HEAD' })).toMatchObject({
      status: 200,
      body: '',
    });
  });

  it.each(TRAPS)('sends nothing for %s', async (path) => {
    const { status, body } = await get(url, path);
    expect([400, 404]).toContain(status);
    expect(body).toMatch(/^\d{3} [a-z ]+\n$/);
  });

  it.each([
    ...[
      '//sub/readme.txt',
      '/sub//readme.txt',
      '/./sub/readme.txt',
      '/sub/./readme.txt',
      '/x/../sub/readme.txt',
    ],
    ...[
      '/sub%2Freadme.txt',
      '/sub\\readme.txt',
      '/sub/readme.txt%0A',
      '/%2e/sub/readme.txt',
      'http://localhost/sub/readme.txt',
    ],
  ])('answers to one form of a path, and not to %s', async (path) => {
    expect(await get(url, path)).toMatchObject({ status: 400, body: '400 bad request\n' });
  });

  it('sends the files beside them, and those of the folder that a link leads to', async () => {
    expect(await get(url, '/sub/readme.txt')).toMatchObject({ status: 200, body: 'public' });
    expect(await get(url, '/%73ub/read%6De.txt?x=//#y')).toMatchObject({ status: 200, body: 'public' });
    expect(await get(url, '/latest/readme.txt')).toMatchObject({ status: 200, body: 'public' });
    expect((await get(url, '/keys.asc')).status).toBe(200);
  });

  it('only reads, and only for this machine', async () => {
    expect((await get(url, '/', { method: 'POST' })).status).toBe(405);
    expect((await get(url, '/', { headers: { Host: 'evil.example' } })).status).toBe(421);
    expect((await get(url, '/', { headers: { Host: '127.0.0.1:1' } })).status).toBe(200);
  });

  it('does not announce changes, and ends with 0', async () => {
    expect((await get(url, '/')).headers['server-timing']).toBeUndefined();
    const { child } = await start(place, ['serve', 'dist', '--json']);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('fails with a message if the port is taken', async () => {
    const { port } = new URL(url);
    expect(await place.packsign(['serve', 'dist', '--port', port])).toMatchObject({ status: 2 });
  });
});

describe('the page that follows the publication', () => {
  it('is written by build and sign only if "Page" is true', async () => {
    const key = await newKey('Ada');
    const place = newPlace();
    place.write('key.asc', key.signing);
    place.write('dist/lantern-1.0.tar.gz', sdist('lantern', '1.0'));
    expect((await place.packsign(['build', 'dist', '--key', 'key.asc'])).status).toBe(0);
    expect(place.has('dist/index.html')).toBe(false);
    place.write('dist/packsign.json', '{"Page": true}');
    place.write('dist/lantern-1.1.tar.gz', sdist('lantern', '1.1'));
    expect((await place.packsign(['build', 'dist'])).status).toBe(0);
    expect(place.has('dist/index.html')).toBe(true);
    expect((await place.packsign(['sign', 'dist', '--key', 'key.asc'])).status).toBe(0);
    const page = place.text('dist/index.html');
    expect(page).toContain('lantern-1.1.tar.gz');
    // As after a run that ended before the page.
    place.remove('dist/index.html');
    expect((await place.packsign(['build', 'dist', '--key', 'key.asc'])).status).toBe(0);
    expect(place.text('dist/index.html')).toBe(page);
    expect((await place.json(['page', 'dist'])).value).toMatchObject({ unchanged: true });
    // A page that somebody edited.
    place.write('dist/index.html', page.replace('>Files<', '>My files<'));
    place.write('dist/lantern-1.2.tar.gz', sdist('lantern', '1.2'));
    const run = await place.packsign(['build', 'dist', '--key', 'key.asc']);
    expect([run.status, run.stderr]).toEqual([
      0,
      expect.stringMatching(/index\.html: was edited by hand and left alone: .* \(PAGE_EDITED\)/),
    ]);
    expect(place.text('dist/index.html')).not.toContain('lantern-1.2');
    expect((await place.packsign(['verify', 'dist', '--fingerprint', key.fingerprint])).status).toBe(0);
  });

  it('follows keys.asc: what key publish adds, and a revocation that waited for the next database', async () => {
    const { place } = await pagedPlace();
    const showsKeys = () => place.text('dist/index.html').includes(place.text('dist/keys.asc').trim());
    expect(showsKeys()).toBe(true);
    expect((await place.packsign(['key', 'publish', 'dist', '--key', 'eve.asc'])).status).toBe(0);
    expect(showsKeys()).toBe(true);
    expect((await place.packsign(['sign', 'dist', '--co-sign', '--key', 'eve.asc'])).status).toBe(0);
    place.remove('dist/index.html');
    expect((await place.packsign(['key', 'publish', 'dist', '--key', 'eve.asc'])).status).toBe(0);
    expect(showsKeys()).toBe(true);
    // Eve has signed too, so no revocation has to wait.
    expect((await place.json(['key', 'revoke', 'ada.rev.asc', 'dist'])).value['held']).toBeNull();
    expect(showsKeys()).toBe(true);
    expect((await place.json(['page', 'dist'])).value).toMatchObject({ unchanged: true });
    // A page that somebody edited stays, and keys.asc is written without it.
    place.write('dist/index.html', place.text('dist/index.html').replace('>Files<', '>My files<'));
    place.write('bob.asc', (await newKey('Bob')).signing);
    const run = await place.packsign(['key', 'publish', 'dist', '--key', 'bob.asc']);
    expect([run.status, run.stderr]).toEqual([0, expect.stringContaining('(PAGE_EDITED)')]);
    expect(showsKeys()).toBe(false);
    const coSigned = await place.packsign(['sign', 'dist', '--co-sign', '--key', 'bob.asc']);
    expect([coSigned.status, coSigned.stderr]).toEqual([0, expect.stringContaining('(PAGE_EDITED)')]);
  });

  it('follows a revocation that was held back', async () => {
    const { place, eve } = await pagedPlace();
    expect((await place.packsign(['key', 'publish', 'dist', '--key', 'eve.asc'])).status).toBe(0);
    expect((await place.json(['key', 'revoke', 'ada.rev.asc', 'dist'])).value['held']).toContain('revoked');
    const before = place.text('dist/keys.asc');
    const args = ['build', 'dist', '--signers', eve.fingerprint, '--key', 'eve.asc'];
    expect((await place.packsign(args)).status).toBe(0);
    expect(place.text('dist/keys.asc')).not.toBe(before);
    expect(place.text('dist/index.html')).toContain(place.text('dist/keys.asc').trim());
  });

  it('follows a watch, which serves it and announces its changes', async () => {
    const key = await newKey('Ada');
    const place = newPlace();
    place.write('key.asc', key.signing);
    place.write('dist/packsign.json', '{"Page": true, "Settle": "50ms"}');
    place.write('dist/lantern-1.0.tar.gz', sdist('lantern', '1.0'));
    const { url, child } = await start(place, ['watch', 'dist', '--key', 'key.asc', '--serve']);
    let front = await get(url, '/');
    while (front.status !== 200) front = await get(url, '/');
    expect(front.headers['server-timing']).toBe('packsign-changes;desc="/.packsign/changes"');
    expect(front.body).toBe(place.read('dist/index.html').toString('latin1'));
    const told = new Promise<string>((done) => {
      request(new URL('/.packsign/changes', url), (response) => {
        let text = '';
        response.on('data', (bytes: Buffer) => {
          text += bytes.toString();
          if (text.includes('event: change')) done(text);
        });
      }).end();
    });
    place.write('dist/lantern-1.1.tar.gz', sdist('lantern', '1.1'));
    expect(await told).toContain('event: change');
    expect((await get(url, '/')).body).toContain('lantern-1.1.tar.gz');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});
