import { beforeAll, describe, expect, test } from 'vitest';
import { codeOf, epoch, newKey, newPlace, sdist } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';

const BORN = new Date();
const DAY = 86_400;

let ann: TestKey;
let bob: TestKey;
let locked: TestKey;
let place: Place;

beforeAll(async () => {
  ann = await newKey('Ann', { lifeSeconds: 3000 * DAY });
  bob = await newKey('Bob');
  locked = await newKey('Lea', { passphrase: 'open sesame' });
  place = await unchanged(ann.signing);
});

/** A directory that this key published, in which nothing has changed since a build that looked at every file. */
async function unchanged(signing: string, env: Readonly<Record<string, string>> = {}): Promise<Place> {
  const made = newPlace();
  made.write('signs.asc', signing);
  made.write('bob.asc', bob.signing);
  made.write('bob.pub.asc', bob.certificate);
  made.write('public.asc', ann.certificate);
  made.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  const build = ['build', 'dist', '--key', 'signs.asc', '--validity', '10 days'];
  expect((await made.json(build, { env })).value).toMatchObject({ published: true });
  // Files that were touched a moment ago are read again: their times could hide a later write.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2100);
  expect((await made.json(build, { env })).value).toMatchObject({ unchanged: true });
  return made;
}

const BUILD = ['build', 'dist', '--validity', '10 days'];

describe('a build that has nothing to sign', () => {
  test.each([
    ['NO_KEY', 'no such file', ['nosuch.asc']],
    ['NO_KEY', 'no such file among several', ['signs.asc', '--key', 'nosuch.asc']],
    ['KEY_MALFORMED', 'a public key', ['public.asc']],
    ['KEY_MALFORMED', 'no key at all', ['dist/packages.plist.asc']],
    ['KEY_NOT_PUBLISHED', 'a key that users do not have', ['bob.asc']],
    ['USAGE', 'a command without a certificate', ['exec:true']],
    ['KEY_NOT_PUBLISHED', 'a command for such a key', ['exec:true', '--certificate', 'bob.pub.asc']],
  ])('refuses what a build with something to sign would: %s, %s', async (code, _, key) => {
    const args = [...BUILD, '--key', ...key];
    const [quick, whole] = [await place.json(args), await place.json([...args, '--rehash'])];
    expect([codeOf(quick), quick.status]).toEqual([code, whole.status]);
    expect(codeOf(whole)).toBe(code);
  });

  // A machine that only looks may have the public key alone.
  test.each([
    ['the secret key', 'signs.asc', undefined],
    ['its public half', 'public.asc', undefined],
    ['a key that users do not have', 'bob.asc', 'KEY_NOT_PUBLISHED'],
    ['its public half', 'bob.pub.asc', 'KEY_NOT_PUBLISHED'],
    ['no key at all', 'dist/packages.plist.asc', 'KEYS_MALFORMED'],
  ])('is previewed with the same look at the keys: %s (%s)', async (_, key, code) => {
    const check = [...BUILD, '--check', '--key', key];
    for (const args of [check, [...check, '--rehash'], ['diff', 'dist', '--key', key]])
      expect(codeOf(await place.json(args)), args.join(' ')).toBe(code);
    const { value } = await place.json(['status', 'dist', '--key', key]);
    expect(value).toMatchObject({ attention: code === undefined ? [] : [code] });
  });

  test('names the file in which a key is not what it should be', async () => {
    for (const key of ['public.asc', 'dist/packages.plist.asc']) {
      const { stderr } = await place.packsign([...BUILD, '--key', key]);
      expect(stderr).toContain(`packsign: error: ${key}: `);
    }
  });

  test('does not say in status that changes wait, if a wrong key hides whether they do', async () => {
    const { status, stdout } = await place.packsign(['status', 'dist', '--key', 'nosuch.asc']);
    expect([status, stdout]).toEqual([1, expect.stringContaining('there is no key file nosuch.asc')]);
    expect(stdout).toMatch(/^dist: published; what waits to be signed is unknown$/m);
  });

  test('looks again at a key file with other bytes', async () => {
    const args = [...BUILD, '--key', 'signs.asc'];
    for (let time = 0; time < 2; time += 1) expect((await place.json(args)).status).toBe(0);
    place.write('signs.asc', bob.signing);
    expect(codeOf(await place.json(args))).toBe('KEY_NOT_PUBLISHED');
    place.remove('signs.asc');
    expect(codeOf(await place.json(args))).toBe('NO_KEY');
    place.write('signs.asc', ann.signing);
  });

  test('does not take a public key for the secret one that it was named beside', async () => {
    const env = { PACKSIGN_KEY: 'public.asc' };
    expect((await place.json(BUILD, { env })).status).toBe(0);
    expect((await place.json(BUILD, { env })).status).toBe(0);
    expect(codeOf(await place.json([...BUILD, '--sign'], { env }))).toBe('KEY_MALFORMED');
  });

  test('looks again once a key has expired that did not sign', async () => {
    const carl = await newKey('Carl', { born: BORN, lifeSeconds: DAY });
    place.write('carl.asc', carl.signing);
    await place.packsign(['key', 'publish', 'dist', '--key', 'carl.asc']);
    const answer = async (seconds: number) => {
      const env = epoch(new Date(BORN.getTime() + seconds * 1000));
      return await place.json([...BUILD, '--key', 'carl.asc'], { env });
    };
    // The first one finds other keys published, so it is a full build.
    for (const seconds of [100, 200, DAY - 1]) expect((await answer(seconds)).status).toBe(0);
    expect(codeOf(await answer(DAY + 1))).toBe('KEY_EXPIRED');
  });

  test('asks for no passphrase, and still refuses a wrong one', async () => {
    const right = { PACKSIGN_PASSPHRASE: 'open sesame' };
    const other = await unchanged(locked.signing, right);
    const args = [...BUILD, '--key', 'signs.asc'];
    const answer = async (env: Readonly<Record<string, string>>) => await other.json(args, { env });
    expect((await answer({})).value).toMatchObject({ unchanged: true });
    expect((await answer({})).value).toMatchObject({ unchanged: true });
    expect(codeOf(await answer({ PACKSIGN_PASSPHRASE: 'wrong' }))).toBe('PASSPHRASE_WRONG');
    expect((await answer(right)).value).toMatchObject({ unchanged: true });
    expect(codeOf(await answer({ PACKSIGN_PASSPHRASE: 'wrong' }))).toBe('PASSPHRASE_WRONG');
  });

  test('writes no secret, and no passphrase, into the folder of working state', async () => {
    for (let time = 0; time < 2; time += 1) await place.packsign([...BUILD, '--key', 'signs.asc']);
    const note = place.text('dist/.packsign/last-build');
    expect(note).toMatch(/"keys":\{"name":"[0-9a-f]{64}","until":"/);
    expect(note).not.toContain('PRIVATE KEY');
  });
});

test.each([
  ['sign', ['sign', 'dist', '--key', 'bob.asc']],
  ['watch', ['watch', 'dist', '--once', '--key', 'bob.asc']],
])('%s refuses a key that users do not have, also where nothing waits', async (_, args) => {
  expect(await place.packsign(args)).toMatchObject({ status: 1 });
  expect((await place.packsign(args)).stderr).toContain('is not in the published keys.asc');
});
