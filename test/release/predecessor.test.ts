import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
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
 * A release machine that starts from nothing continues the database at an address (`--previous URL`). That must be its
 * maintainer's own database: anyone who gave it another history could withdraw files.
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

const BUILD = ['build', 'dist', '--absent', 'withdraw'];

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

test('continues a database that the present key signed', async () => {
  const { status, value } = await answer(machine, previous(['--key', 'ann.asc']));
  expect([status, value['withdrawn']]).toEqual([0, ['sub/other-2.0.tar.gz']]);
  const { Files, Packsign } = next();
  expect(Packsign.Previous).toBe(sha256(place.read('dist/packages.plist')));
  expect(Files.get('demo-1.0.tar.gz')?.Since).toEqual(ISSUED);
  expect(Packsign.History?.get('sub/other-2.0.tar.gz')).toMatchObject([{ SHA256: sha256(OTHER) }]);
  expect(site.requests.every(({ headers }) => headers['if-none-match'] === undefined)).toBe(true);
});

test('refuses a database of somebody else, whatever keys.asc is beside it', async () => {
  await publish(place, known.mallory, { issued: minutes(ISSUED, 5), packsign: { Database: site.url } });
  await expectRefusal('PREVIOUS_INVALID', previous(['--key', 'ann.asc']));
  machine.write('dist/keys.asc', certificateFile(known.ann));
  await expectRefusal('PREVIOUS_INVALID', previous());
  machine.remove('dist/keys.asc');
  await expectRefusal('PREVIOUS_INVALID', previous(['--signers', fingerprint(known.ann)]));
});

test('refuses a database whose signature is gone', async () => {
  place.remove('dist/signatures');
  await expectRefusal('PREVIOUS_INVALID', previous(['--key', 'ann.asc']));
});

test('refuses a database if nothing says whose it is', async () => {
  await expectRefusal('NOT_PINNED', previous());
});

test('treats a missing database as an error, not as a start', async () => {
  place.remove('dist/packages.plist');
  await expectRefusal('PREVIOUS_UNKNOWN', previous(['--key', 'ann.asc']));
  const first = ['--first', '--key', 'ann.asc'];
  for (const least of ['2026-01-01', sha256(DEMO)]) {
    await expectRefusal('PREVIOUS_UNKNOWN', previous([...first, '--not-before', least]));
  }
  site.tricks.set('packages.plist', (_, response) => void response.writeHead(500).end());
  await expectRefusal('NETWORK', previous(first));
  site.tricks.set('packages.plist', (_, response) => void response.end('<html>come back later</html>'));
  await expectRefusal('PREVIOUS_UNKNOWN', previous(first));
  site.tricks.set('packages.plist', (_, response) => void response.writeHead(403).end());
  await expectRefusal('PREVIOUS_UNKNOWN', previous(first));
});

test('--first begins if nothing was published there yet, then goes on; what the hint says', async () => {
  const published = place.read('dist/packages.plist');
  place.remove('dist/packages.plist');
  const first = previous(['--first', '--key', 'ann.asc']);
  const refused = await machine.packsign(previous(['--key', 'ann.asc']));
  expect(refused.stderr).toContain('packsign build dist --first --key ann.asc --previous ');
  expect((await answer(machine, first)).status).toBe(0);
  expect(next().Packsign.Previous).toBeUndefined();
  const begun = machine.read('dist/packages.plist');
  // Nothing is published there yet, so it goes on from what is here.
  expect((await answer(machine, first)).value['unchanged']).toBe(true);
  expect(machine.read('dist/packages.plist')).toEqual(begun);
  const other = newPlace();
  other.write('ann.asc', known.ann.armor());
  other.write('dist/demo-1.0.tar.gz', DEMO);
  place.write('dist/packages.plist', published);
  expect((await answer(other, first)).status).toBe(0);
  expect(decodeDatabase(other.read('dist/packages.plist')).Packsign.Previous).toBe(sha256(published));
});

test('checks the database against what the user trusts and last accepted', async () => {
  machine.write('ann.pub', certificateFile(known.ann));
  await answer(machine, ['trust', 'add', site.url, '--keys', 'ann.pub', '--name', 'ann']);
  const before = machine.snapshot('config');
  expect((await answer(machine, [...previous(), '--check'])).status).toBe(1);
  await publish(place, known.ann, { issued: minutes(ISSUED, -60), packsign: { Database: site.url } });
  await expectRefusal('DATABASE_ROLLED_BACK', previous());
  // A build reads the store and never writes to it.
  expect(machine.snapshot('config')).toEqual(before);
});

test('accepts a mirror or a new address of the database, but no other database', async () => {
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

test('keeps the keys of the other signers in keys.asc, and no others', async () => {
  const Fingerprints = [fingerprint(known.ann), fingerprint(known.bob)].sort();
  await publish(place, known.ann, {
    ...{ issued: minutes(ISSUED, 5), keys: [known.ann, known.bob, known.mallory] },
    packsign: { Database: site.url, Signers: { Threshold: 1, Fingerprints } },
  });
  expect((await answer(machine, previous(['--key', 'ann.asc']))).status).toBe(0);
  const published = await readCertificates(machine.read('dist/keys.asc'));
  expect(published.map((certificate) => certificate.fingerprint).sort()).toEqual(Fingerprints);
});

test('a path names a published directory or its packages.plist, and nothing there is never a start', async () => {
  const from = (path: string) => [...BUILD, '--key', 'ann.asc', '--previous', path];
  machine.write('empty/a-1.0.tar.gz', DEMO);
  place.write('dist/old.plist', place.read('dist/packages.plist'));
  const wrong = ['empty', 'empty/a-1.0.tar.gz', place.path('dist/old.plist'), place.path('dist/keys.asc')];
  for (const path of wrong) await expectRefusal('FILE_UNREADABLE', from(machine.path(path)));
  machine.write('dist/packsign.json', JSON.stringify({ Database: site.url }));
  expect((await answer(machine, from(place.path('dist')))).status).toBe(0);
  expect(next().Packsign.Previous).toBe(sha256(place.read('dist/packages.plist')));
  for (const path of wrong)
    await expectRefusal('FILE_UNREADABLE', [...BUILD, '--key', 'ann.asc', '--adopt', machine.path(path)]);
});

test('a damaged database of another directory does not make this one start anew', async () => {
  place.write('dist/packages.plist', `${place.read('dist/packages.plist').toString()}\n`);
  const { value } = await answer(machine, [...BUILD, '--key', 'ann.asc', '--previous', place.path('dist')]);
  expect(value).toMatchObject({ error: { code: 'PREVIOUS_INVALID' } });
  expect(JSON.stringify(value)).toContain('nothing was built upon it');
  expect(JSON.stringify(value)).not.toContain('--first');
});

test('sign continues it too, after a build that left a waiting database', async () => {
  expect((await answer(machine, previous(['--signers', fingerprint(known.ann)]))).status).toBe(0);
  await expectRefusal('STALE_BUILD', ['sign', 'dist', '--key', 'ann.asc', '--absent', 'withdraw']);
  const sign = ['sign', 'dist', '--key', 'ann.asc', '--absent', 'withdraw', '--previous', site.url];
  expect(await answer(machine, sign)).toMatchObject({ status: 0, value: { published: true } });
  expect(next().Packsign.Previous).toBe(sha256(place.read('dist/packages.plist')));
});

describe('T34: what is known here says how many must have signed, never the other database', () => {
  const signersOf = (Threshold: number) => ({
    Signers: { Threshold, Fingerprints: [fingerprint(known.ann), fingerprint(known.bob)].sort() },
  });
  const both = () => ['--signers', fingerprint(known.ann), '--signers', fingerprint(known.bob)];

  /** Ann's key alone signs a database that says that one is enough. */
  async function stolen(): Promise<void> {
    await publish(place, known.ann, {
      ...{ issued: minutes(ISSUED, 5), keys: [known.ann, known.bob] },
      packsign: { Database: site.url, ...signersOf(1) },
    });
  }

  async function signedByBoth(Threshold: number): Promise<void> {
    const by = [known.ann, known.bob];
    const packsign = { Database: site.url, ...signersOf(Threshold) };
    await publish(place, known.ann, { issued: minutes(ISSUED, 5), by, packsign });
  }

  test('with --threshold', async () => {
    await stolen();
    await expectRefusal('PREVIOUS_INVALID', previous([...both(), '--threshold', '2']));
    machine.write('dist/keys.asc', certificateFile(known.ann, known.bob));
    await expectRefusal('PREVIOUS_INVALID', previous(['--threshold', '2']));
    await signedByBoth(1);
    expect((await answer(machine, previous(['--threshold', '2', '--check']))).status).toBe(1);
  });

  test('with the keys that the user pinned, whoever is in keys.asc here', async () => {
    machine.write('both.asc', certificateFile(known.ann, known.bob));
    await signedByBoth(2);
    await answer(machine, ['trust', 'add', site.url, '--keys', 'both.asc']);
    await stolen();
    await expectRefusal('PREVIOUS_INVALID', previous());
    machine.write('dist/keys.asc', certificateFile(known.ann, known.bob));
    await expectRefusal('PREVIOUS_INVALID', previous());
  });

  test('asks where several keys are known here, and not how many of them', async () => {
    await stolen();
    await expectRefusal('NOT_PINNED', previous(both()));
    expect((await answer(machine, previous([...both(), '--threshold', '1', '--check']))).status).toBe(1);
  });

  test('a threshold that the keys known here cannot meet is an error', async () => {
    await stolen();
    await expectRefusal('NOT_PINNED', previous(['--key', 'ann.asc', '--threshold', '2']));
  });

  test('a higher threshold of the other database counts too', async () => {
    await publish(place, known.ann, {
      ...{ issued: minutes(ISSUED, 5), keys: [known.ann, known.bob] },
      packsign: { Database: site.url, ...signersOf(2) },
    });
    await expectRefusal('PREVIOUS_INVALID', previous([...both(), '--threshold', '1']));
  });

  test('a file that was copied from elsewhere is held to the keys and the threshold of this directory', async () => {
    await stolen();
    const file = place.path('dist/packages.plist');
    const args = [...BUILD, '--previous', file, ...both(), '--threshold'];
    await expectRefusal('PREVIOUS_INVALID', [...args, '2']);
    expect((await answer(machine, [...args, '1', '--check'])).status).toBe(1);
  });
});
