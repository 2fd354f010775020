import { describe, expect, test } from 'vitest';
import { newKey, newPlace, sdist, transcript } from '../packsign.js';
import { forgeKey, publicBytes } from '../pgp/forge.js';
import { gnupgHome, hasGnupg } from '../pgp/gnupg.js';

const DAY = 86_400;
const NOW_SECONDS = Math.floor(Date.now() / 1000);

/** The codes of the warnings that key show prints. */
async function lintOf(key: string | Uint8Array, more: readonly string[] = []): Promise<readonly unknown[]> {
  const place = newPlace();
  place.write('key.asc', key);
  const { value, status } = await place.json(['key', 'show', 'key.asc', ...more]);
  expect(status).toBe(0);
  return (value['lint'] as { code: string }[]).map(({ code }) => code);
}

const endsIn = (days: number) => ({
  born: new Date((NOW_SECONDS - 30 * DAY) * 1000),
  lifeSeconds: (30 + days) * DAY,
});

describe('key show warns of what verifiers refuse', () => {
  test('does not warn about a key that packsign makes', async () => {
    expect(await lintOf((await newKey('Ann')).certificate)).toEqual([]);
    expect(await lintOf((await newKey('Ann')).signing)).toEqual([]);
  });

  test.each<readonly [number, readonly string[]]>([
    [200, []],
    [170, ['KEY_EXPIRES_SOON']],
    [3, ['KEY_EXPIRES_SOON']],
    [-1, ['KEY_EXPIRED']],
  ])('KEY_EXPIRES_SOON, KEY_EXPIRED: %i days before its end', async (days, codes) => {
    expect(await lintOf((await newKey('Ann', endsIn(days))).certificate)).toEqual(codes);
  });

  test('KEY_NO_SIGNER, KEY_NO_ADDRESS, KEY_RSA_SHORT', async () => {
    expect(await lintOf(publicBytes(await forgeKey({ subkeys: [] })))).toEqual(['KEY_NO_SIGNER']);
    const short = publicBytes(await forgeKey({ rsa: true, subkeys: [] }));
    expect(await lintOf(short)).toEqual(['KEY_RSA_SHORT', 'KEY_NO_SIGNER']);
  });

  test.runIf(hasGnupg())(
    'KEY_SHA1, KEY_NO_ADDRESS, KEY_RSA_SHORT: an old key of gpg, by its name',
    async () => {
      const home = gnupgHome();
      try {
        const weak = ['--cert-digest-algo', 'SHA1', '--allow-weak-key-signatures', '--passphrase', ''];
        home.must([...weak, '--quick-generate-key', 'Old release key', 'rsa2048', 'sign', 'never']);
        const place = newPlace();
        const run = await place.packsign(['key', 'show', 'Old release key'], {
          env: { GNUPGHOME: home.folder },
        });
        expect(transcript(run)).toMatchInlineSnapshot(`
          "$ packsign key show Old release key
          <fingerprint in groups>
            Old release key
            RSA 2048, made <date>, never expires
            certificate (public)
            cannot sign: the key has only SHA-1 or weaker self-signatures
            ! key <fingerprint> is RSA 2048: programs built on Sequoia refuse it from <date> on (KEY_RSA_SHORT)
            ! user id "Old release key" of <fingerprint> has only SHA-1 self-signatures: packsign ignores them, programs built on Sequoia since <date> (KEY_SHA1)
            ! key <fingerprint> has no key that signs (KEY_NO_SIGNER)
            ! user id "Old release key" has no address to write to (KEY_NO_ADDRESS)
          [0]"
        `);
      } finally {
        home.remove();
      }
    },
  );

  test('KEY_REVOKED', async () => {
    const key = await (await forgeKey()).revoke({}, new Date());
    expect(await lintOf(publicBytes(key))).toEqual(['KEY_REVOKED']);
  });
});

describe('sign, watch and status warn too', () => {
  test('the warnings change nothing else', async () => {
    const place = newPlace();
    const key = await newKey('Ann', endsIn(100));
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    place.write('ann.asc', key.secret);
    expect(
      (await place.packsign(['build', 'dist', '--key', 'ann.asc', '--validity', '60 days'])).status,
    ).toBe(0);
    expect(
      (await place.packsign(['key', 'rotate', 'ann.asc', '--output', 'new.asc', '--expires', '90d'])).status,
    ).toBe(0);
    const status = await place.json(['status', 'dist']);
    expect([status.status, status.value['attention']]).toEqual([0, []]);
    expect(status.run.stderr).toMatch(
      /^packsign: warning: key \w+ expires at .*, in 99 days \(KEY_EXPIRES_SOON\)\n$/,
    );
    place.write('dist/demo-2.0.tar.gz', sdist('demo', '2.0'));
    expect((await place.packsign(['build', 'dist', '--validity', '60 days'])).status).toBe(0);
    const sign = await place.packsign(['sign', 'dist', '--key', 'ann.asc']);
    expect([sign.status, sign.stderr]).toEqual([0, expect.stringContaining('(KEY_EXPIRES_SOON)')]);
    const watch = await place.packsign(['watch', 'dist', '--key', 'ann.asc', '--once']);
    expect(watch.stderr).toContain('(KEY_EXPIRES_SOON)');
    const shown = (await place.json(['key', 'show', 'new.pub.asc', '--directory', 'dist'])).value['lint'];
    expect(shown).toContainEqual(expect.objectContaining({ code: 'KEY_NOT_PUBLISHED' }));
  });

  test('--quiet hides the warnings', async () => {
    const place = newPlace();
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    place.write('ann.asc', (await newKey('Ann', endsIn(100))).secret);
    expect(
      (await place.packsign(['build', 'dist', '--validity', '60 days', '--key', 'ann.asc'])).status,
    ).toBe(0);
    expect((await place.packsign(['status', 'dist', '--quiet'])).stderr).toBe('');
  });
});
