import { beforeAll, beforeEach, expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import { readCertificates } from '../../src/pgp/certificates.js';
import { newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';
import { fingerprint } from '../pgp/forge.js';
import { DEMO, ISSUED, OTHER, certificateFile, minutes, people, sha256 } from '../threats/scene.js';
import type { People } from '../threats/scene.js';
import { answer, publish, publishedSite, serve } from '../consume/scene.js';
import type { Site } from '../consume/scene.js';

/**
 * A release machine that starts from nothing carries on what is published under an address (`--previous URL`). What
 * it builds upon must be its maintainer's own: whoever gave it another history could take archives out of it.
 */
let known: People;
let place: Place;
let site: Site;
let machine: Place;

beforeAll(async () => {
  known = await people();
});

beforeEach(async () => {
  ({ place, site } = await publishedSite(known.ann));
  machine = newPlace();
  machine.write('ann.asc', known.ann.armor());
  machine.write('dist/demo-1.0.tar.gz', DEMO);
});

const BUILD = ['build', 'dist', '--allow-removed'];

function previous(more: readonly string[] = []): string[] {
  return [...BUILD, '--database-url', site.url, '--previous', site.url, ...more];
}

async function expectRefusal(code: string, args: readonly string[]): Promise<void> {
  const before = machine.snapshot('.');
  const { value } = await answer(machine, args);
  expect(value).toMatchObject({ error: { code } });
  expect(machine.snapshot('.')).toEqual(before);
}

function next(): ReturnType<typeof decodeDatabase> {
  return decodeDatabase(machine.read('dist/packages.plist'));
}

test('is carried on where the key that signs it is the one that signs now', async () => {
  const { status, value } = await answer(machine, previous(['--key', 'ann.asc']));
  expect([status, value['withdrawn']]).toEqual([0, ['dist/sub/other-2.0.tar.gz']]);
  const { Archives, Packsign } = next();
  expect(Packsign.Previous).toBe(sha256(place.read('dist/packages.plist')));
  expect(Archives.get('demo-1.0.tar.gz')?.Since).toEqual(ISSUED);
  expect(Packsign.History?.get('sub/other-2.0.tar.gz')).toMatchObject([{ SHA256: sha256(OTHER) }]);
  expect(site.requests.every(({ headers }) => headers['if-none-match'] === undefined)).toBe(true);
});

test('of somebody else is nothing to build upon, whatever keys.asc lies beside it', async () => {
  await publish(place, known.mallory, { issued: minutes(ISSUED, 5), packsign: { Database: site.url } });
  await expectRefusal('PREVIOUS_INVALID', previous(['--key', 'ann.asc']));
  machine.write('dist/keys.asc', certificateFile(known.ann));
  await expectRefusal('PREVIOUS_INVALID', previous());
  machine.remove('dist/keys.asc');
  await expectRefusal('PREVIOUS_INVALID', previous(['--signers', fingerprint(known.ann)]));
});

test('whose signature was taken away is nothing to build upon', async () => {
  place.remove('dist/signatures');
  await expectRefusal('PREVIOUS_INVALID', previous(['--key', 'ann.asc']));
});

test('is not believed while nothing says whose it is', async () => {
  await expectRefusal('NOT_PINNED', previous());
});

test('that is not there is an error, not a beginning', async () => {
  place.remove('dist/packages.plist');
  await expectRefusal('FILE_UNREADABLE', previous(['--key', 'ann.asc']));
});

test('is held to what the user trusts, and to the last one that was accepted', async () => {
  machine.write('ann.pub', certificateFile(known.ann));
  await answer(machine, ['trust', 'add', site.url, '--keys', 'ann.pub', '--name', 'ann']);
  const before = machine.snapshot('config');
  expect((await answer(machine, [...previous(), '--check'])).status).toBe(1);
  await publish(place, known.ann, { issued: minutes(ISSUED, -60), packsign: { Database: site.url } });
  await expectRefusal('PREVIOUS_INVALID', previous());
  // A build reads the store and never writes to it.
  expect(machine.snapshot('config')).toEqual(before);
});

test('may be asked for at another address, and may be about to move, but is no other database', async () => {
  const copy = newPlace();
  const mirror = await serve(copy.path('dist'));
  await publish(copy, known.ann, { packsign: { Database: site.url } });
  const signs = ['--key', 'ann.asc', '--check'];
  const at = (url: string) => [...BUILD, '--database-url', url, '--previous', mirror.url, ...signs];
  expect((await answer(machine, at(site.url))).status).toBe(1);
  await expectRefusal('PREVIOUS_INVALID', at('https://example.org/packages.plist'));
  const moving = [...BUILD, '--database-url', 'https://example.org/packages.plist', '--previous', site.url];
  expect((await answer(machine, [...moving, ...signs])).status).toBe(1);
});

test('keeps the keys of its other signers in keys.asc, and nobody else’s', async () => {
  const Fingerprints = [fingerprint(known.ann), fingerprint(known.bob)].sort();
  await publish(place, known.ann, {
    ...{ issued: minutes(ISSUED, 5), keys: [known.ann, known.bob, known.mallory] },
    packsign: { Database: site.url, Signers: { Threshold: 1, Fingerprints } },
  });
  expect((await answer(machine, previous(['--key', 'ann.asc']))).status).toBe(0);
  const published = await readCertificates(machine.read('dist/keys.asc'));
  expect(published.map((certificate) => certificate.fingerprint).sort()).toEqual(Fingerprints);
});

test('is carried on by sign too, when what was built waited', async () => {
  expect((await answer(machine, previous(['--signers', fingerprint(known.ann)]))).status).toBe(0);
  await expectRefusal('STALE_BUILD', ['sign', 'dist', '--key', 'ann.asc', '--allow-removed']);
  const sign = ['sign', 'dist', '--key', 'ann.asc', '--allow-removed', '--previous', site.url];
  expect(await answer(machine, sign)).toMatchObject({ status: 0, value: { published: true } });
  expect(next().Packsign.Previous).toBe(sha256(place.read('dist/packages.plist')));
});
