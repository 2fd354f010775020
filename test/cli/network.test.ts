import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { networkOf } from '../../src/cli/network.js';
import type { Outside } from '../../src/cli/streams.js';
import { packsign, publish, sendFile, serve } from '../consume/scene.js';
import type { Site } from '../consume/scene.js';
import { newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';
import { certificateFile, people } from '../threats/scene.js';
import type { People } from '../threats/scene.js';

let known: People;
let place: Place;
let site: Site;
let mirror: Site;

beforeAll(async () => {
  known = await people();
});

beforeEach(async () => {
  place = newPlace();
  [site, mirror] = [await serve(place.path('dist')), await serve(place.path('dist'))];
  await publish(place, known.ann, { packsign: { Mirrors: [mirror.url.replace('127.0.0.1', 'localhost')] } });
  place.write('ann.asc', certificateFile(known.ann));
});

test('proxies are those of the environment; an empty variable names none', () => {
  const of = (environment: Record<string, string>) =>
    networkOf({}, { environment } as unknown as Outside).proxies;
  expect(of({ http_proxy: 'a', https_proxy: 'b', all_proxy: 'c', no_proxy: 'd' })).toEqual({
    ...{ http: 'a', https: 'b', all: 'c', none: 'd' },
  });
  const capitals = { HTTPS_PROXY: 'b', ALL_PROXY: 'c', NO_PROXY: 'd' };
  expect(of({ ...capitals, https_proxy: '', all_proxy: '' })).toEqual({
    ...{ http: '', https: 'b', all: 'c', none: 'd' },
  });
  // A web server sets it from what its visitors send.
  expect(of({ HTTP_PROXY: 'evil' })).toEqual({ http: '', https: '', all: '', none: '' });
});

/** What a site was told about who asks. */
const told = ({ requests }: Site) => new Set(requests.map(({ headers }) => headers.authorization));

async function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const { status, stdout, stderr } = await packsign(place, args, '', env);
  expect([status, stderr]).toEqual([0, '']);
  const kept = ['config', 'cache'].flatMap((folder) =>
    place.has(folder) ? Object.values(place.snapshot(folder)) : [],
  );
  expect([stdout, ...kept.map((hex) => Buffer.from(hex, 'hex').toString())].join()).not.toContain('s3cret');
  return stdout;
}

describe('PACKSIGN_AUTHORIZATION', () => {
  const env = { PACKSIGN_AUTHORIZATION: 'Bearer s3cret\n' };
  const get = (from: string) => [
    'get',
    'demo',
    '--from',
    from,
    '--keys',
    'ann.asc',
    '--output',
    'out',
    '--json',
  ];

  test('goes to the database that is named, and not to its mirrors', async () => {
    site.tricks.set('demo-1.0.tar.gz', (_, response) => response.writeHead(404).end());
    await run(get(site.url), env);
    expect(told(site)).toEqual(new Set(['Bearer s3cret']));
    expect([mirror.requests.length, told(mirror)]).toEqual([1, new Set([undefined])]);
  });

  test('goes to the database behind a name of the store', async () => {
    await run(['trust', 'add', site.url, '--keys', 'ann.asc', '--name', 'ann'], env);
    site.requests.length = 0;
    await run(['verify', 'ann', '--files'], env);
    expect(told(site)).toEqual(new Set(['Bearer s3cret']));
  });

  test('does not follow a redirection to another host', async () => {
    for (const path of ['packages.plist', 'demo-1.0.tar.gz']) {
      site.tricks.set(path, (request, response) => {
        const location = `${mirror.url.replace('127.0.0.1', 'localhost')}${path}`;
        if (request.headers.authorization === undefined)
          sendFile(place.path(`dist/${path}`), request, response);
        else response.writeHead(302, { location }).end();
      });
    }
    await run(get(site.url), env);
    expect(mirror.requests.length).toBeGreaterThan(1);
    expect(told(mirror)).toEqual(new Set([undefined]));
  });

  test('that is no line of text is refused, and not printed', async () => {
    const { status, stderr } = await packsign(place, get(site.url), '', {
      PACKSIGN_AUTHORIZATION: 'a s3cret\r\nb: c',
    });
    expect(status).toBe(2);
    expect(stderr).toContain('PACKSIGN_AUTHORIZATION is not the value of a header');
    expect(stderr).not.toContain('s3cret');
    expect(site.requests).toEqual([]);
  });
});

describe('.netrc', () => {
  test('of the home folder, or the one that NETRC names, is for its hosts', async () => {
    const text = 'machine 127.0.0.1 login ada password s3cret';
    const verify = ['verify', site.url, '--keys', 'ann.asc', '--json'];
    const basic = `Basic ${Buffer.from('ada:s3cret').toString('base64')}`;
    place.write('home/.netrc', text);
    await run(verify, {});
    expect(told(site)).toEqual(new Set([basic]));
    place.remove('home/.netrc');
    site.requests.length = 0;
    await run(verify, { NETRC: place.write('elsewhere', text) });
    expect(told(site)).toEqual(new Set([basic]));
  });

  test('is what somebody is told of whom a site asks who they are', async () => {
    site.tricks.set('packages.plist', (_, response) => response.writeHead(401).end());
    const { status, stderr } = await packsign(place, ['verify', site.url, '--keys', 'ann.asc']);
    expect(status).toBe(2);
    expect(stderr).toMatch(/answers 401: it asks who you are\n.*~\/\.netrc.*PACKSIGN_AUTHORIZATION/);
  });
});
