import { randomBytes } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';
import { fingerprint } from '../pgp/forge.js';
import { ISSUED, certificateFile, minutes, people } from '../threats/scene.js';
import type { People } from '../threats/scene.js';
import { atTerminal } from '../terminal.js';
import { hasTool } from '../tools.js';
import { answer, packsign, publish, publishedSite, sendFile } from './scene.js';
import type { Site } from './scene.js';

/** What a person at a terminal sees, and is asked. */
let known: People;
let place: Place;
let site: Site;
let user: Place;

beforeAll(async () => {
  known = await people();
});

beforeEach(async () => {
  ({ place, site } = await publishedSite(known.ann));
  user = newPlace();
  user.write('ann.asc', certificateFile(known.ann));
});

function grouped(key: { getFingerprint(): string }): string {
  const groups = fingerprint(key).match(/.{4}/g) ?? [];
  return `${groups.slice(0, 5).join(' ')}  ${groups.slice(5).join(' ')}`;
}

describe.runIf(hasTool('script'))('at a terminal', () => {
  test('trust add shows the full fingerprint, and keeps nothing that is not confirmed', async () => {
    const add = ['trust', 'add', site.url, '--keys', 'ann.asc', '--name', 'ann'];
    const no = await atTerminal(user, add, { typing: [['[y/N]', 'n\n']] });
    expect(no.status).toBe(1);
    expect(no.seen).toContain(grouped(known.ann));
    expect(no.seen).toContain('was not added');
    expect((await answer(user, ['trust', 'list'])).value['databases']).toEqual([]);
    expect((await atTerminal(user, add, { typing: [['[y/N]', 'y\n']] })).status).toBe(0);
    expect((await answer(user, ['trust', 'list'])).value['databases']).toHaveLength(1);
  });

  test('trust refresh --pin shows who certified the key, and pins what is confirmed', async () => {
    await packsign(user, ['trust', 'add', site.url, '--keys', 'ann.asc', '--name', 'ann']);
    const Fingerprints = [fingerprint(known.ann), fingerprint(known.bob)].sort();
    await publish(place, known.ann, {
      ...{ issued: minutes(ISSUED, 5), keys: [known.ann, known.bob] },
      packsign: { Database: site.url, Signers: { Threshold: 1, Fingerprints } },
    });
    const refresh = ['trust', 'refresh', 'ann', '--pin', fingerprint(known.bob)];
    const pinned = async () =>
      (await answer(user, ['trust', 'list'])).value['databases'] as { fingerprints: string[] }[];
    const declined = await atTerminal(user, refresh, { typing: [['[y/N]', 'n\n']] });
    expect(declined.status).toBe(1);
    expect(declined.seen).toContain(grouped(known.bob));
    expect(declined.seen).toContain('no key that you trust certified it');
    expect(await pinned()).toMatchObject([{ fingerprints: [fingerprint(known.ann)] }]);
    expect((await atTerminal(user, refresh, { typing: [['[y/N]', 'yes\n']] })).status).toBe(0);
    const both = [fingerprint(known.ann), fingerprint(known.bob)];
    expect(await pinned()).toMatchObject([{ fingerprints: both }]);
  });

  test('get shows one line for all files together, and on a pipe nothing', async () => {
    const [one, two] = [randomBytes(300_000), randomBytes(200_000)];
    const archives = { 'one-1.0.tar.gz': one, 'two-1.0.tar.gz': two };
    await publish(place, known.ann, {
      issued: minutes(ISSUED, 5),
      archives,
      packsign: { Database: site.url },
    });
    await packsign(user, ['trust', 'add', site.url, '--keys', 'ann.asc', '--name', 'ann']);
    let goOn = (): void => undefined;
    site.tricks.set('one-1.0.tar.gz', (_, response) => {
      response.writeHead(200, { 'content-length': one.length });
      response.write(one.subarray(0, 150_000));
      goOn = () => response.end(one.subarray(150_000));
    });
    // The server waits until the half is shown: nothing here depends on how fast anything is.
    const half = 'downloading 1 of 2 files, 350 kB of 500 kB';
    const { status, seen } = await atTerminal(user, ['get', 'one', 'two', '--output', 'a'], {
      onSeen: (text) => {
        if (text.includes(half)) goOn();
      },
    });
    expect(status).toBe(0);
    expect(seen).toContain(half);
    site.tricks.set('one-1.0.tar.gz', (request, response) => {
      setTimeout(() => sendFile(place.path('dist/one-1.0.tar.gz'), request, response), 1000);
    });
    const piped = await packsign(user, ['get', 'one', '--output', 'b']);
    expect([piped.status, piped.stderr]).toEqual([0, '']);
    expect(piped.stdout).toBe('b/one-1.0.tar.gz  1.0, 300 kB, as signed\n');
  });
});
