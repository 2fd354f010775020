import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { trustAccept } from '../../src/index.js';
import type { TrustAcceptOptions } from '../../src/index.js';
import { wholeSeconds } from '../../src/model/time.js';
import { makeRun } from '../../src/run.js';
import { epoch, newKey, newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';
import { DEMO, ISSUED, OTHER, certificateFile, minutes, people } from '../threats/scene.js';
import type { People } from '../threats/scene.js';
import { HASTY, answer, newReader, packsign, publish, serve } from './scene.js';
import type { PublishOptions, Reader, Site } from './scene.js';

/** A reader whom a database does not account to, and the way out. */
let known: People;
let place: Place;
let site: Site;
let reader: Reader;

beforeAll(async () => {
  known = await people();
});

beforeEach(async () => {
  place = newPlace();
  site = await serve(place.path('dist'));
  reader = newReader();
  await publish(place, known.ann, { archives: { 'demo-1.0.tar.gz': DEMO, 'other-2.0.tar.gz': OTHER } });
  await reader.trust(site.url, { keys: certificateFile(known.ann), name: 'ann' });
});

/** The same maintainer begins anew, some minutes later: a file is gone, and no record says so. */
async function anew(later = 5, options: PublishOptions = {}): Promise<void> {
  const archives = { 'demo-1.0.tar.gz': DEMO };
  await publish(place, known.ann, { issued: minutes(ISSUED, later), archives, ...options });
}

const yes: TrustAcceptOptions['confirm'] = () => Promise.resolve(true);

async function accept(confirm = yes, clock = () => new Date()): Promise<unknown> {
  const folders = { folder: reader.place.path('config'), cacheFolder: reader.place.path('cache') };
  const trust = { kind: 'store', ...folders } as const;
  const run = { ...makeRun({ clock, network: HASTY }), trust };
  return await trustAccept('ann', { run, confirm });
}

const status = async () => {
  const { status: said, code } = await reader.fetch('ann');
  return [said, code];
};

describe('trust accept', () => {
  test('T33: shows what vanished, and accepts exactly that', async () => {
    await anew();
    expect(await reader.fetch('ann')).toMatchObject({
      ...{ status: 'refused', code: 'HISTORY_BROKEN' },
      message: expect.stringMatching(
        /other-2.0.tar.gz is gone, and no record says so; .* packsign trust accept ann$/,
      ) as string,
    });
    const shown: unknown[] = [];
    await accept((broken) => {
      shown.push(broken.breaks);
      return Promise.resolve(true);
    });
    expect(shown).toEqual([[{ path: 'other-2.0.tar.gz', message: 'is gone, and no record says so' }]]);
    expect(await status()).toEqual(['authentic', null]);
    await anew(10);
    expect(await status()).toEqual(['authentic', null]);
  });

  test('a no leaves everything as it was', async () => {
    await anew();
    const before = reader.store();
    await expect(accept(() => Promise.resolve(false))).rejects.toMatchObject({ code: 'NOT_CONFIRMED' });
    expect(reader.store()).toEqual(before);
    expect(await status()).toEqual(['refused', 'HISTORY_BROKEN']);
  });

  test('what comes while the person reads is not accepted with it', async () => {
    await anew();
    await accept(async () => {
      await anew(10, { archives: { 'lamp-1.0.tar.gz': DEMO } });
      return true;
    });
    expect(await status()).toEqual(['refused', 'HISTORY_BROKEN']);
  });

  test('what another process accepted while the person reads counts', async () => {
    await anew();
    const outcome = accept(async () => {
      const archives = { 'demo-1.0.tar.gz': DEMO, 'other-2.0.tar.gz': OTHER };
      await publish(place, known.ann, { issued: minutes(ISSUED, 20), archives });
      expect(await status()).toEqual(['authentic', null]);
      return true;
    });
    expect(await outcome).toMatchObject({ breaks: [] });
    const issued = minutes(ISSUED, 20);
    expect((await reader.fetch('ann')).accepted).toMatchObject({ issued });
  });

  test('an old database stays an old one', async () => {
    await anew(-5);
    await expect(accept()).rejects.toMatchObject({ code: 'DATABASE_ROLLED_BACK' });
  });

  test('a database from the future, accepted under a wrong clock: how to forget it is said', async () => {
    const now = wholeSeconds(new Date());
    const ahead = minutes(now, 365 * 24 * 60);
    const archives = { 'demo-1.0.tar.gz': DEMO, 'other-2.0.tar.gz': OTHER };
    const entry = () => JSON.parse(JSON.stringify(reader.store())) as unknown;
    await publish(place, known.ann, { archives, issued: ahead });
    await accept(yes, () => ahead);
    const before = entry();
    await publish(place, known.ann, { archives, issued: now });
    const says =
      /from the future: .*packsign trust remove ann, then type packsign trust add .* --name ann --fingerprint [0-9A-F]{40} --threshold 1$/;
    expect(await reader.fetch('ann')).toMatchObject({
      ...{ status: 'refused', code: 'DATABASE_ROLLED_BACK' },
      message: expect.stringMatching(says) as string,
    });
    await expect(accept()).rejects.toMatchObject({
      ...{ code: 'DATABASE_ROLLED_BACK', hint: null },
      message: expect.stringMatching(says) as string,
    });
    expect(entry()).toEqual(before);
  });

  test('another key, or another database of one instant, is no matter of history', async () => {
    await anew(5, { by: [known.mallory] });
    await expect(accept()).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
    await anew(0);
    await expect(accept()).rejects.toMatchObject({ code: 'DATABASE_FORKED' });
  });

  test('nothing to accept is said', async () => {
    expect(await accept()).toMatchObject({ target: 'ann', issued: ISSUED, breaks: [] });
    await anew();
    await accept();
    expect(await accept()).toMatchObject({ breaks: [] });
  });

  test('a database that has expired is accepted as that', async () => {
    await anew(5, { expires: minutes(ISSUED, 6) });
    await accept();
    expect(await status()).toEqual(['stale', 'DATABASE_STALE']);
  });

  test('at the command line: asks, or is told with --yes', async () => {
    const user = newPlace();
    user.write('keys.asc', certificateFile(known.ann));
    await packsign(user, ['trust', 'add', site.url, '--keys', 'keys.asc', '--name', 'ann']);
    await anew();
    const refused = await packsign(user, ['trust', 'accept', 'ann']);
    expect([refused.status, refused.stdout]).toEqual([1, '']);
    expect(refused.stderr).toMatch(/other-2.0.tar.gz is gone[^]*--yes accepts it/);
    const { status: ended, value } = await answer(user, ['trust', 'accept', 'ann', '--yes']);
    expect([ended, value]).toMatchObject([0, { target: 'ann', breaks: [{ path: 'other-2.0.tar.gz' }] }]);
    expect((await packsign(user, ['verify', 'ann'])).status).toBe(0);
    const unknown = await packsign(user, ['trust', 'accept', 'bob', '--yes']);
    expect([unknown.status, unknown.stderr]).toEqual([
      2,
      expect.stringContaining('no trusted database is called bob'),
    ]);
  });
});

describe('reasons', () => {
  test('of files that were replaced are told once', async () => {
    const record = {
      SHA256: (await reader.fetch('ann')).trusted?.Files.get('demo-1.0.tar.gz')?.SHA256 ?? '',
    };
    const issued = minutes(ISSUED, 5);
    const History = new Map([['demo-1.0.tar.gz', [{ ...record, Until: issued, Reason: 'it leaked' }]]]);
    const archives = { 'demo-1.0.tar.gz': OTHER, 'other-2.0.tar.gz': OTHER };
    await publish(place, known.ann, { issued, archives, packsign: { History } });
    const changes = async () => (await reader.fetch('ann')).changes;
    expect(await changes()).toEqual([
      { code: 'FILE_REPLACED', path: 'demo-1.0.tar.gz', message: 'its maintainer changed it: it leaked' },
    ]);
    expect(await changes()).toEqual([]);
  });
});

describe('a directory that this machine publishes', () => {
  const elsewhere = { XDG_STATE_HOME: '/nonexistent' };

  test('is held to what was published, says what breaks that, and can be accepted', async () => {
    const own = newPlace();
    own.write('ann.asc', (await newKey('Ann')).signing);
    own.write('dist/demo-1.0.tar.gz', DEMO);
    own.write('dist/other-2.0.tar.gz', OTHER);
    const build = async (more: readonly string[] = [], env: Readonly<Record<string, string>> = {}) =>
      await own.packsign(['build', 'dist', '--key', 'ann.asc', ...more], { env });
    const verdict = async () => (await answer(own, ['verify', 'dist'])).value['code'];
    await build([], epoch('2026-10-01'));
    own.remove('dist/other-2.0.tar.gz');
    // Another machine, which knows nothing of what this one published.
    const anew = await build(['--first'], { ...elsewhere, ...epoch('2026-10-02') });
    expect([anew.status, anew.stderr]).toEqual([
      0,
      expect.stringMatching(/starts a new history, .*HISTORY_BROKEN/),
    ]);
    expect(await verdict()).toBe('HISTORY_BROKEN');
    const { status: ended, value } = await answer(own, ['trust', 'accept', 'dist', '--yes']);
    expect([ended, value]).toMatchObject([0, { target: 'dist', breaks: [{ path: 'other-2.0.tar.gz' }] }]);
    expect(await verdict()).toBeNull();
    own.remove('dist/demo-1.0.tar.gz');
    own.write('dist/lamp-1.0.tar.gz', OTHER);
    const known = await build(['--first'], epoch('2026-10-03'));
    expect(known.stderr).toMatch(/does not continue [^\n]*demo-1.0.tar.gz is gone[^\n]*HISTORY_BROKEN/);
    expect(await verdict()).toBeNull();
  });
});
