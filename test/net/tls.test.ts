import { readFileSync } from 'node:fs';
import { createServer as createPlain } from 'node:http';
import { createServer } from 'node:https';
import type { ServerOptions } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packsign } from '../consume/scene.js';
import { newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';
import { hasTool } from '../tools.js';
import { makeTls } from './servers.js';

/** What people read who cannot get through TLS, and what they are told to type. */

const servers: Server[] = [];
let place: Place;

beforeAll(() => {
  place = newPlace();
});

afterAll(() => {
  for (const server of servers) server.close();
});

/** Starts a server and counts its connections. */
async function start(
  options: ServerOptions | null,
): Promise<{ readonly port: number; readonly count: () => number }> {
  let connections = 0;
  const server = options === null ? createPlain() : createServer(options);
  server.on('connection', () => (connections += 1));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  servers.push(server);
  return { port: (server.address() as AddressInfo).port, count: () => connections };
}

async function refusedBy(options: ServerOptions | null, authority: string | null): Promise<string> {
  const { port, count } = await start(options);
  const keys = ['--fingerprint', 'A'.repeat(40)];
  const env = authority === null ? {} : { SSL_CERT_FILE: authority };
  const run = await packsign(place, ['verify', `https://127.0.0.1:${port}/`, ...keys, '--verbose'], '', env);
  expect([run.status, run.stdout]).toEqual([2, '']);
  // Nothing becomes better by asking again.
  expect(count()).toBe(1);
  expect(run.stderr).toContain('(NETWORK)');
  // The library's own words are no help.
  expect(run.stderr).not.toMatch(/routines|:SSL|0A00/);
  return run.stderr;
}

const pair = ({
  key,
  certificate,
}: {
  readonly key: string;
  readonly certificate: string;
}): ServerOptions => ({
  key: readFileSync(key),
  cert: readFileSync(certificate),
});

describe.runIf(hasTool('openssl'))('TLS', () => {
  test('by an authority that nobody knows', async () => {
    const words = await refusedBy(pair(makeTls(place.path('unknown'))), null);
    expect(words).toContain(
      'no authority that this machine knows has signed the TLS certificate of 127.0.0.1',
    );
    expect(words).toContain('SSL_CERT_FILE=FILE or NODE_EXTRA_CA_CERTS=FILE');
  });

  test('for another host', async () => {
    const tls = makeTls(place.path('other'), { names: 'DNS:example.org' });
    expect(await refusedBy(pair(tls), tls.authority)).toContain('the TLS certificate is not for 127.0.0.1');
  });

  test('with a certificate that has expired', async () => {
    const tls = makeTls(place.path('expired'), { days: -1 });
    const words = await refusedBy(pair(tls), tls.authority);
    expect(words).toContain('the TLS certificate of 127.0.0.1 has expired');
    expect(words).toContain('check the clock');
  });

  test('of a version that nobody should speak any more', async () => {
    const tls = makeTls(place.path('old'));
    const old = {
      ...pair(tls),
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    } as const;
    expect(await refusedBy(old, tls.authority)).toMatch(/no TLS connection with 127\.0\.0\.1:\d+/);
  });

  test('where there is none', async () => {
    expect(await refusedBy(null, null)).toMatch(/127\.0\.0\.1:\d+ does not speak TLS there/);
  });

  test.each([
    ['is not there', 'nowhere.pem', 'cannot read the TLS authorities in '],
    ['holds none', 'empty.pem', 'no authority that this machine knows'],
  ])('with a file of authorities that %s', async (_, name, words) => {
    place.write('empty.pem', 'nothing\n');
    const { port } = await start(pair(makeTls(place.path(`file-${name}`))));
    const verify = ['verify', `https://127.0.0.1:${port}/`, '--fingerprint', 'A'.repeat(40)];
    const run = await packsign(place, verify, '', { SSL_CERT_FILE: place.path(name) });
    expect(run.status).toBe(2);
    expect(run.stderr).toContain(words);
  });
});
