import { beforeAll, beforeEach, expect, test } from 'vitest';
import { newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';
import { fingerprint } from '../pgp/forge.js';
import { ISSUED, minutes, people } from '../threats/scene.js';
import type { People } from '../threats/scene.js';
import { hasTool } from '../tools.js';
import { answer, publish, serve } from './scene.js';
import type { Site } from './scene.js';

/** What a maintainer learns of a publication by looking at it as a newcomer does. */
let known: People;
let place: Place;
let copy: Place;
let site: Site;
let mirror: Site;

beforeAll(async () => {
  known = await people();
});

beforeEach(async () => {
  [place, copy] = [newPlace(), newPlace()];
  [site, mirror] = [await serve(place.path('dist')), await serve(copy.path('dist'))];
  for (const each of [place, copy]) await publish(each, known.ann, options());
});

function options(): { readonly packsign: object } {
  return { packsign: { Database: site.url, Mirrors: [mirror.url] } };
}

async function look(): Promise<Record<string, unknown>> {
  const { status, value } = await answer(newPlace(), ['verify', site.url, '--as-stranger']);
  // What cannot be reached says nothing against what is served there.
  expect(status).toBe(value['ok'] === true ? 0 : value['code'] === 'NETWORK' ? 2 : 1);
  return value;
}

test('a good publication is good everywhere, also for gpgv and sqv', async () => {
  const value = await look();
  const opinions = (['gpgv', 'sqv'] as const)
    .filter((program) => hasTool(program))
    .map((program) => ({ program, good: true, reason: null }));
  const good = { status: 'authentic', code: null, files: { checked: 2, ok: 2 }, opinions, findings: [] };
  expect(value).toMatchObject({
    ...{ ok: true, code: null, pageShowsKeys: null, fingerprints: [fingerprint(known.ann)] },
    sites: [
      {
        url: `${site.url}packages.plist`,
        ...good,
        lagSeconds: null,
        headers: { etag: expect.any(String) as string },
      },
      { url: `${mirror.url}packages.plist`, ...good, lagSeconds: 0 },
    ],
  });
});

test('a mirror that lags behind is told', async () => {
  await publish(place, known.ann, { ...options(), issued: minutes(ISSUED, 5) });
  expect(await look()).toMatchObject({
    ...{ ok: false, code: 'DATABASE_ROLLED_BACK' },
    sites: [{ code: null }, { code: null, lagSeconds: 300 }],
  });
});

test('a mirror with an altered archive, and one that is gone, are told', async () => {
  copy.write('dist/demo-1.0.tar.gz', 'something else');
  expect(await look()).toMatchObject({
    ...{ ok: false, code: 'FILE_ALTERED' },
    sites: [
      { findings: [] },
      { status: 'refused', findings: [{ kind: 'altered', path: 'demo-1.0.tar.gz' }] },
    ],
  });
  mirror.tricks.set('packages.plist', (_, response) => response.writeHead(500).end());
  expect(await look()).toMatchObject({
    ok: false,
    code: 'NETWORK',
    sites: [{}, { status: 'unreachable' }],
  });
});

test('a mirror whose address is none makes no database', async () => {
  await publish(place, known.ann, { packsign: { Database: site.url, Mirrors: ['http://['] } });
  expect(await look()).toMatchObject({
    ok: false,
    code: 'DATABASE_MALFORMED',
    sites: [{ status: 'refused' }],
  });
});

test('a trust page has to show a key that keys.asc holds', async () => {
  const grouped = fingerprint(known.ann).replace(/(.{4})/g, '<span>$1</span>&nbsp;');
  place.write('dist/index.html', `<p>${grouped}</p>`);
  expect(await look()).toMatchObject({ ok: true, pageShowsKeys: true });
  place.write('dist/index.html', `<p>${fingerprint(known.bob)}</p>`);
  expect(await look()).toMatchObject({ ok: false, code: 'FINGERPRINT_MISSING', pageShowsKeys: false });
});

test('a trust page with nothing but tags without an end takes no time', async () => {
  place.write('dist/index.html', `<p>${fingerprint(known.ann)}</p>${'<'.repeat(2_000_000)}`);
  expect(await look()).toMatchObject({ ok: true, pageShowsKeys: true });
});

test('a signature that is not there is told', async () => {
  place.remove('dist/signatures');
  expect(await look()).toMatchObject({
    ok: false,
    code: 'SIGNATURE_MISSING',
    sites: [{ status: 'refused' }],
  });
});
