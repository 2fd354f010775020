import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';
import { fingerprint } from '../pgp/forge.js';
import { ISSUED, certificateFile, minutes, people } from '../threats/scene.js';
import type { People } from '../threats/scene.js';
import { answer, packsign, publish, publishedSite, serve } from './scene.js';
import type { Site } from './scene.js';
import { given } from '../tools.js';

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

function grouped(text: string): string {
  return text.replace(/(.{4})/g, '$1 ').trim();
}

function codeOf(value: Record<string, unknown>): unknown {
  return (value['error'] as Record<string, unknown>)['code'];
}

describe('trust add', () => {
  test('pins the keys of a file, and verify, list and get know the database from then on', async () => {
    const { status, value } = await answer(user, [
      'trust',
      'add',
      site.url,
      '--keys',
      'ann.asc',
      '--name',
      'ann',
    ]);
    expect(status).toBe(0);
    expect(value).toMatchObject({
      ...{ name: 'ann', url: `${site.url}packages.plist`, trustedBy: 'keys', via: null, threshold: 1 },
      fingerprints: [fingerprint(known.ann)],
    });
    for (const target of ['ann', site.url, `${site.url}packages.plist`]) {
      const verified = await answer(user, ['verify', target]);
      expect(verified.status).toBe(0);
      expect(verified.value).toMatchObject({
        status: 'authentic',
        pinnedBy: 'store',
        database: `${site.url}packages.plist`,
      });
    }
    const listed = await answer(user, ['list', 'ann']);
    expect(listed.status).toBe(0);
    expect(listed.value['packages']).toMatchObject([
      { path: 'demo-1.0.tar.gz' },
      { path: 'sub/other-2.0.tar.gz' },
    ]);
    const got = await answer(user, ['get', 'demo', '--output', 'out']);
    expect(got.status).toBe(0);
    expect(user.has('out/demo-1.0.tar.gz')).toBe(true);
    expect(statSync(user.path('config/packsign/trust.json')).mode & 0o777).toBe(0o600);
  });

  test('takes a pasted key', async () => {
    const key = Buffer.from(certificateFile(known.ann)).toString();
    const { status, value } = await answer(user, ['trust', 'add', site.url, '--keys', '-'], `\n${key}\n`);
    expect([status, value['fingerprints']]).toEqual([0, [fingerprint(known.ann)]]);
  });

  test('fetches the key of a fingerprint, spaces allowed, and insists on it', async () => {
    const wrong = await answer(user, ['trust', 'add', site.url, '--fingerprint', fingerprint(known.bob)]);
    expect([wrong.status, codeOf(wrong.value)]).toEqual([1, 'FINGERPRINT_MISSING']);
    expect(user.has('config/packsign/trust.json')).toBe(false);
    const right = await answer(user, [
      'trust',
      'add',
      site.url,
      '--fingerprint',
      grouped(fingerprint(known.ann)),
    ]);
    expect([right.status, right.value['trustedBy']]).toEqual([0, 'fingerprint']);
  });

  test('wants to be told how', async () => {
    const { status, value } = await answer(user, ['trust', 'add', site.url]);
    expect([status, codeOf(value)]).toEqual([2, 'USAGE']);
  });

  test('keeps nothing of a database that is not signed by the key', async () => {
    user.write('bob.asc', certificateFile(known.bob));
    const { status, value } = await answer(user, ['trust', 'add', site.url, '--keys', 'bob.asc']);
    expect([status, codeOf(value)]).toEqual([1, 'SIGNATURE_INVALID']);
    expect(user.has('config/packsign/trust.json')).toBe(false);
  });

  test('blindly: the padlock stays open, and get refuses', async () => {
    expect((await answer(user, ['trust', 'add', site.url, '--blindly', '--name', 'x'])).status).toBe(0);
    const verified = await answer(user, ['verify', 'x']);
    expect(verified.status).toBe(1);
    expect(verified.value).toMatchObject({ status: 'unauthenticated', code: 'NOT_PINNED', pinnedBy: null });
    const listed = await answer(user, ['list', 'x', '--allow-unauthenticated']);
    expect([listed.status, listed.value['status']]).toEqual([0, 'unauthenticated']);
    const got = await answer(user, ['get', 'demo']);
    expect([got.status, codeOf(got.value)]).toEqual([1, 'NOT_PINNED']);
  });

  test('a threshold that the keys cannot meet is an error', async () => {
    const { status, value } = await answer(user, [
      'trust',
      'add',
      site.url,
      '--keys',
      'ann.asc',
      '--threshold',
      '2',
    ]);
    expect([status, codeOf(value)]).toEqual([2, 'USAGE']);
  });

  test('twice is an error, and nothing is pinned anew', async () => {
    await packsign(user, ['trust', 'add', site.url, '--keys', 'ann.asc']);
    const before = user.snapshot('config');
    const { status, value } = await answer(user, ['trust', 'add', site.url, '--blindly']);
    expect([status, codeOf(value)]).toEqual([2, 'TRUST_EXISTS']);
    expect(user.snapshot('config')).toEqual(before);
  });

  test('what was added blindly is pinned by adding it with its key, under the name that it has', async () => {
    await packsign(user, ['trust', 'add', site.url, '--name', 'x', '--blindly']);
    user.write('mallory.asc', certificateFile(known.mallory));
    const refused = await answer(user, ['trust', 'add', site.url, '--keys', 'mallory.asc']);
    expect(refused.status).toBe(1);
    const blind = await answer(user, ['trust', 'add', site.url, '--blindly']);
    expect([blind.status, codeOf(blind.value)]).toEqual([2, 'TRUST_EXISTS']);
    const pinned = await answer(user, ['trust', 'add', site.url, '--keys', 'ann.asc']);
    expect([pinned.status, pinned.value['name']]).toEqual([0, 'x']);
    const verified = await answer(user, ['verify', 'x']);
    expect([verified.status, verified.value['status']]).toEqual([0, 'authentic']);
    const again = await answer(user, ['trust', 'add', site.url, '--keys', 'mallory.asc']);
    expect([again.status, codeOf(again.value)]).toEqual([2, 'TRUST_EXISTS']);
  });
});

describe('vouching', () => {
  let other: Site;
  let second: Place;

  beforeEach(async () => {
    second = newPlace();
    other = await serve(second.path('dist'));
    await publish(second, known.bob, { packsign: { Database: other.url } });
    const Trusts = [
      { URL: other.url, Fingerprints: [fingerprint(known.bob)], Threshold: 1, Maintainer: 'Bob' },
    ];
    await publish(place, known.ann, { issued: minutes(ISSUED, 1), packsign: { Database: site.url, Trusts } });
  });

  test('a trusted database offers another, which is added on its word and shown so', async () => {
    const added = await answer(user, ['trust', 'add', site.url, '--keys', 'ann.asc', '--name', 'ann']);
    expect(added.value['offers']).toMatchObject([{ url: other.url }]);
    // Never followed by itself.
    expect(other.requests).toEqual([]);
    const { status, value } = await answer(user, [
      'trust',
      'add',
      other.url,
      '--via',
      'ann',
      '--name',
      'bob',
    ]);
    expect(status).toBe(0);
    expect(value).toMatchObject({ trustedBy: 'vouched', via: 'ann', fingerprints: [fingerprint(known.bob)] });
    expect((await packsign(user, ['trust', 'list'])).stdout).toContain('vouched for by ann');
    expect((await answer(user, ['verify', 'bob'])).value).toMatchObject({
      status: 'authentic',
      pinnedBy: 'store',
    });
  });

  test('a word counts for the addresses that it names, and only while it is fresh', async () => {
    await packsign(user, ['trust', 'add', site.url, '--keys', 'ann.asc', '--name', 'ann']);
    const third = newPlace();
    const unnamed = await serve(third.path('dist'));
    await publish(third, known.bob, { packsign: { Database: unnamed.url } });
    const strange = await answer(user, ['trust', 'add', unnamed.url, '--via', 'ann']);
    expect([strange.status, codeOf(strange.value)]).toEqual([1, 'NOT_VOUCHED_FOR']);
    expect((await answer(user, ['trust', 'list'])).value['databases']).toHaveLength(1);
    const Trusts = [{ URL: other.url, Fingerprints: [fingerprint(known.bob)], Threshold: 1 }];
    const expires = minutes(ISSUED, 3);
    const stale = { issued: minutes(ISSUED, 2), expires, packsign: { Database: site.url, Trusts } };
    await publish(place, known.ann, stale);
    const old = await answer(user, ['trust', 'add', other.url, '--via', 'ann']);
    expect([old.status, codeOf(old.value)]).toEqual([1, 'NOT_VOUCHED_FOR']);
  });

  test('a vouched database that its own keys do not sign is not added', async () => {
    await packsign(user, ['trust', 'add', site.url, '--keys', 'ann.asc', '--name', 'ann']);
    await publish(second, known.mallory, {
      ...{ issued: minutes(ISSUED, 1), keys: [known.mallory, known.bob] },
      packsign: { Database: other.url },
    });
    const { status, value } = await answer(user, ['trust', 'add', other.url, '--via', 'ann']);
    expect([status, codeOf(value)]).toEqual([1, 'SIGNATURE_INVALID']);
  });

  test('what nobody vouches for is not added', async () => {
    await packsign(user, [
      'trust',
      'add',
      other.url,
      '--fingerprint',
      fingerprint(known.bob),
      '--name',
      'bob',
    ]);
    const { status, value } = await answer(user, ['trust', 'add', site.url, '--via', 'bob']);
    expect([status, codeOf(value)]).toEqual([1, 'NOT_VOUCHED_FOR']);
  });
});

describe('the store', () => {
  beforeEach(async () => {
    await packsign(user, ['trust', 'add', site.url, '--keys', 'ann.asc', '--name', 'ann']);
  });

  test.each([
    ['cut off', (bytes: Buffer) => bytes.subarray(0, 200)],
    ['empty', () => Buffer.alloc(0)],
    [
      'of a later version',
      (bytes: Buffer) => Buffer.from(bytes.toString().replace('"version": 1', '"version": 2')),
    ],
    [
      'with half a fingerprint',
      (bytes: Buffer) => Buffer.from(bytes.toString().replace(fingerprint(known.ann), 'ABCD')),
    ],
    [
      'with a threshold of none',
      (bytes: Buffer) => Buffer.from(bytes.toString().replace('"threshold": 1', '"threshold": 0')),
    ],
  ])('%s is a clear error, and is left alone', async (_, damage) => {
    const damaged = damage(user.read('config/packsign/trust.json'));
    writeFileSync(user.path('config/packsign/trust.json'), damaged);
    for (const args of [
      ['trust', 'list'],
      ['verify', site.url],
      ['trust', 'add', site.url, '--blindly'],
    ]) {
      const { status, value } = await answer(user, args);
      expect([status, codeOf(value)]).toEqual([2, 'TRUST_DAMAGED']);
    }
    expect(user.read('config/packsign/trust.json')).toEqual(damaged);
  });

  test('with a lost inventory is damaged as soon as it is needed', async () => {
    user.remove('config/packsign/inventory');
    expect((await answer(user, ['verify', 'ann'])).status).toBe(0);
    await publish(place, known.ann, { issued: minutes(ISSUED, 5), packsign: { Database: site.url } });
    const { status, value } = await answer(user, ['verify', 'ann']);
    expect([status, codeOf(value)]).toEqual([2, 'TRUST_DAMAGED']);
  });

  test('asks for news with one small request', async () => {
    await packsign(user, ['verify', 'ann']);
    site.requests.length = 0;
    expect((await answer(user, ['verify', 'ann'])).value['status']).toBe('authentic');
    expect(site.requests.map(({ path }) => path)).toEqual(['packages.plist']);
    expect(site.requests[0]?.headers['if-none-match']).toBeDefined();
  });

  test('what is kept of a database is verified anew each time', async () => {
    await packsign(user, ['verify', 'ann']);
    const [name = ''] = Object.keys(user.snapshot('cache')).filter((file) => file.endsWith('.plist'));
    const bytes = user.read(`cache/${name}`);
    writeFileSync(user.path(`cache/${name}`), bytes.toString().replace('demo', 'evil'));
    expect((await answer(user, ['verify', 'ann'])).value['status']).toBe('authentic');
    expect(user.read(`cache/${name}`)).toEqual(bytes);
  });

  test('is written by several processes at once without a loss', async () => {
    await publish(place, known.ann, { issued: minutes(ISSUED, 5), packsign: { Database: site.url } });
    const runs = await Promise.all(Array.from({ length: 4 }, () => answer(user, ['verify', 'ann'])));
    expect(runs.map(({ status }) => status)).toEqual([0, 0, 0, 0]);
    expect((await answer(user, ['trust', 'list'])).value['databases']).toHaveLength(1);
  });

  const isSomebody = given(process.getuid?.() !== 0, 'nothing is forbidden to root');
  test.runIf(isSomebody)('that cannot be written is an error, never a silent lapse', async () => {
    await publish(place, known.ann, { issued: minutes(ISSUED, 5), packsign: { Database: site.url } });
    chmodSync(user.path('config/packsign'), 0o500);
    const { status, value } = await answer(user, ['verify', 'ann']);
    chmodSync(user.path('config/packsign'), 0o700);
    expect([status, codeOf(value)]).toEqual([2, 'FILE_UNWRITABLE']);
  });

  test('forgets a database that is removed', async () => {
    expect((await answer(user, ['trust', 'remove', 'ann'])).status).toBe(0);
    expect((await answer(user, ['trust', 'list'])).value['databases']).toEqual([]);
    expect(Object.keys(user.snapshot('config'))).toEqual(['packsign/trust.json']);
    const { status, value } = await answer(user, ['trust', 'remove', 'ann']);
    expect([status, codeOf(value)]).toEqual([2, 'NOT_TRUSTED']);
  });

  test('is exported as a bundle that works in its place, and is never written to', async () => {
    const bundle = (await packsign(user, ['trust', 'export'])).stdout;
    const other = newPlace();
    other.write('trust.json', bundle);
    const verified = await answer(other, ['verify', 'ann', '--trust', 'trust.json']);
    expect([verified.status, verified.value['pinnedBy']]).toEqual([0, 'store']);
    expect((await answer(other, ['get', 'demo', '--trust', 'trust.json'])).status).toBe(0);
    expect(other.text('trust.json')).toBe(bundle);
    expect(other.has('config')).toBe(false);
  });
});

describe('trust refresh', () => {
  test('goes on where one of several cannot be reached, and says so', async () => {
    const second = newPlace();
    const gone = await serve(second.path('dist'));
    await publish(second, known.ann);
    for (const [name, url] of [
      ['a', gone.url],
      ['b', site.url],
    ] as const) {
      await packsign(user, ['trust', 'add', url, '--keys', 'ann.asc', '--name', name]);
    }
    gone.tricks.set('packages.plist', (_, response) => response.writeHead(501).end());
    const { status, value } = await answer(user, ['trust', 'refresh']);
    expect(status).toBe(2);
    expect(value).toMatchObject({
      ...{
        databases: [{ name: 'b', status: 'authentic' }],
        failures: [{ name: 'a', error: { code: 'NETWORK' } }],
      },
    });
    expect((await packsign(user, ['trust', 'refresh'])).stderr).toContain('packsign: error: a: ');
  });

  test('shows a signer that is proposed, and pins it only when it is named', async () => {
    await packsign(user, ['trust', 'add', site.url, '--keys', 'ann.asc', '--name', 'ann']);
    const [ann, bob] = [fingerprint(known.ann), fingerprint(known.bob)];
    await publish(place, known.ann, {
      issued: minutes(ISSUED, 5),
      keys: [known.ann, known.bob],
      packsign: { Database: site.url, Signers: { Threshold: 1, Fingerprints: [ann, bob].sort() } },
    });
    const first = await answer(user, ['trust', 'refresh', 'ann']);
    expect(first.status).toBe(0);
    expect(first.value['databases']).toMatchObject([
      { fingerprints: [ann], proposed: [{ fingerprint: bob, certifiedBy: [] }], pinned: [] },
    ]);
    const strange = await answer(user, ['trust', 'refresh', 'ann', '--pin', fingerprint(known.mallory)]);
    expect([strange.status, codeOf(strange.value)]).toEqual([1, 'FINGERPRINT_MISSING']);
    const second = await answer(user, ['trust', 'refresh', 'ann', '--pin', bob]);
    expect(second.value['databases']).toMatchObject([
      { fingerprints: [ann, bob], threshold: 1, pinned: [bob] },
    ]);
    await publish(place, known.bob, { issued: minutes(ISSUED, 6), packsign: { Database: site.url } });
    expect((await answer(user, ['verify', 'ann'])).value).toMatchObject({ status: 'authentic' });
  });
});
