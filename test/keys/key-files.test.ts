import { statSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { codeOf, newKey, newPlace, sdist, transcript } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';
import { BORN, day, forgeKey } from '../pgp/forge.js';
import { gnupgHome, hasGnupg } from '../pgp/gnupg.js';

const PASSPHRASE = 'correct horse battery staple';
const FILES = [
  'packsign-key.asc',
  'packsign-key.signing.asc',
  'packsign-key.rev.asc',
  'packsign-key.pub.asc',
];
const GENERATE = ['key', 'generate', '--user-id', 'Ann <ann@example.org>'];

describe('key generate', () => {
  test('writes four files and says what each is for', async () => {
    const place = newPlace();
    expect(transcript(await place.packsign([...GENERATE, '--no-passphrase']))).toMatchInlineSnapshot(`
      "$ packsign key generate --user-id Ann <ann@example.org> --no-passphrase
      made the key <fingerprint in groups>
        packsign-key.signing.asc  signs releases: put it on the machine that does
        packsign-key.asc  the whole key: move it offline, with a copy
        packsign-key.rev.asc  revokes it if it is lost: keep it apart from the key
        packsign-key.pub.asc  is public
        it expires at <date>
      next: packsign build DIRECTORY --key packsign-key.signing.asc
      [0]"
    `);
    const modes = FILES.map((name) => (statSync(place.path(name)).mode & 0o777).toString(8));
    expect(modes).toEqual(['600', '600', '600', '644']);
  });

  test('--json gives every path', async () => {
    const place = newPlace();
    const { value, status } = await place.json([...GENERATE, '--no-passphrase', '--output', 'my/k.asc']);
    expect([status, (value['error'] as { code: string }).code]).toEqual([2, 'FILE_UNWRITABLE']);
    const made = await place.json([...GENERATE, '--no-passphrase', '--output', 'k.asc', '--expires', 'none']);
    expect(made).toMatchObject({
      status: 0,
      value: {
        secret: 'k.asc',
        signing: 'k.signing.asc',
        certificate: 'k.pub.asc',
        revocation: 'k.rev.asc',
        expires: null,
      },
    });
    expect(made.value['fingerprint']).toMatch(/^[0-9A-F]{40}$/);
  });

  test.each(FILES)('FILE_EXISTS: %s is never overwritten', async (name) => {
    const place = newPlace();
    place.write(name, 'mine');
    const answer = await place.json([...GENERATE, '--no-passphrase']);
    expect([answer.status, codeOf(answer)]).toEqual([2, 'FILE_EXISTS']);
    expect(FILES.filter((file) => place.has(file))).toEqual([name]);
    expect(place.text(name)).toBe('mine');
  });

  test('PASSPHRASE_NEEDED: never leaves a key unlocked because there is nobody to ask', async () => {
    const place = newPlace();
    const answer = await place.json(GENERATE);
    expect([answer.status, codeOf(answer)]).toEqual([2, 'PASSPHRASE_NEEDED']);
    expect(FILES.some((file) => place.has(file))).toBe(false);
    expect(transcript(await place.packsign(GENERATE))).toMatchInlineSnapshot(`
      "$ packsign key generate --user-id Ann <ann@example.org>
      ! packsign: error: a new key needs a passphrase
      ! packsign: hint: give it with --passphrase-file FILE or in PACKSIGN_PASSPHRASE, or leave it out with --no-passphrase
      [2]"
    `);
  });

  test.each<readonly [string, readonly string[], string]>([
    ['an empty file', ['--passphrase-file', 'empty'], ''],
    ['an empty standard input', ['--passphrase-file', '-'], ''],
  ])('PASSPHRASE_NEEDED: %s is no passphrase', async (_, more, input) => {
    const place = newPlace();
    place.write('empty', '\n');
    const answer = await place.json([...GENERATE, ...more], { input });
    expect([answer.status, codeOf(answer)]).toEqual([2, 'PASSPHRASE_NEEDED']);
    expect(FILES.some((file) => place.has(file))).toBe(false);
  });

  test.each<readonly [string, readonly string[], object]>([
    ['a file', ['--passphrase-file', 'words'], {}],
    ['standard input', ['--passphrase-file', '-'], { input: `${PASSPHRASE}\n` }],
    ['the environment', [], { env: { PACKSIGN_PASSPHRASE: PASSPHRASE } }],
  ])('locks the key with a passphrase from %s', async (_, more, options) => {
    const place = newPlace();
    place.write('words', `${PASSPHRASE}\nsecond line\n`);
    const run = await place.packsign([...GENERATE, ...more], options);
    expect(run.status).toBe(0);
    expect(run.stdout + run.stderr).not.toContain(PASSPHRASE);
    expect((await place.json(['key', 'show', 'packsign-key.asc'])).value).toMatchObject({
      secret: true,
      locked: true,
    });
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    const build = ['build', 'dist', '--key', 'packsign-key.signing.asc'];
    expect(codeOf(await place.json(build))).toBe('PASSPHRASE_NEEDED');
    expect(await place.json(build, { env: { PACKSIGN_PASSPHRASE: PASSPHRASE } })).toMatchObject({
      status: 0,
    });
  });
});

describe('key show', () => {
  let place: Place;
  let key: TestKey;

  beforeAll(async () => {
    place = newPlace();
    key = await newKey('Ann', { lifeSeconds: 10 * 365 * 86_400 });
    place.write('ann.asc', key.secret);
    place.write('ann.signing.asc', key.signing);
    place.write('ann.pub.asc', key.certificate);
  });

  test('describes a certificate and a secret key', async () => {
    expect(transcript(await place.packsign(['key', 'show', 'ann.pub.asc']))).toMatchInlineSnapshot(`
      "$ packsign key show ann.pub.asc
      <fingerprint in groups>
        Ann <ann@example.org>
        Ed25519, made <date>, expires <date>
        certificate (public)
        subkey <fingerprint in groups>
          Ed25519, for sign, made <date>, expires <date>
        every verifier that packsign knows accepts it
      [0]"
    `);
    expect(transcript(await place.packsign(['key', 'show', 'ann.asc']))).toMatchInlineSnapshot(`
      "$ packsign key show ann.asc
      <fingerprint in groups>
        Ann <ann@example.org>
        Ed25519, made <date>, expires <date>
        secret key, not locked
        subkey <fingerprint in groups>
          Ed25519, for sign, made <date>, expires <date>
        every verifier that packsign knows accepts it
      [0]"
    `);
  });

  test('--json has every key', async () => {
    const { value, status } = await place.json(['key', 'show', 'ann.signing.asc']);
    expect(status).toBe(0);
    expect(value).toMatchObject({
      fingerprint: key.fingerprint,
      userIds: ['Ann <ann@example.org>'],
      secret: true,
      locked: false,
      usage: ['certify'],
      created: '2025-01-01T00:00:00Z',
      revoked: false,
      subkeys: [{ usage: ['sign'], revoked: false }],
      problem: null,
    });
    expect(JSON.stringify(value)).not.toContain('PRIVATE');
  });

  test('escapes a user id that would move the cursor', async () => {
    const evil = await newKey('Ann\u001b[2J\u202e');
    place.write('evil.asc', evil.certificate);
    const { stdout } = await place.packsign(['key', 'show', 'evil.asc']);
    expect(stdout).toContain('\\u{1b}[2J');
    // eslint-disable-next-line no-control-regex
    expect(stdout).not.toMatch(/[\u001b\u202e]/);
  });

  test('NO_KEY: no such file', async () => {
    const answer = await place.json(['key', 'show', 'nobody.asc']);
    expect([answer.status, codeOf(answer)]).toEqual([2, 'NO_KEY']);
  });

  test.each<readonly [string, () => string | Uint8Array]>([
    ['junk', () => 'junk'],
    ['nothing', () => ''],
    ['two certificates', () => key.certificate + key.certificate],
    ['half a key', () => key.secret.slice(0, 300)],
  ])('KEY_MALFORMED: %s', async (_, make) => {
    place.write('bad.asc', make());
    const answer = await place.json(['key', 'show', 'bad.asc']);
    expect([answer.status, codeOf(answer)]).toEqual([2, 'KEY_MALFORMED']);
  });
});

describe('keys that cannot sign', () => {
  async function refusal(
    armored: string,
    more: readonly string[] = [],
    env = {},
  ): Promise<readonly unknown[]> {
    const place = newPlace();
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    place.write('key.asc', armored);
    const before = place.snapshot();
    const args = ['build', 'dist', '--key', 'key.asc', ...more];
    const answer = await place.json(args, { env });
    const run = await place.packsign(args, { env });
    expect(place.snapshot()).toEqual(before);
    expect(run.stdout).toBe('');
    expect(run.stderr).toMatch(/^packsign: error: .+\n(?:packsign: hint: .+\n)?$/);
    expect(run.stderr).not.toContain(armored.split('\n')[5]);
    return [codeOf(answer), answer.status, run.status];
  }

  test('KEY_EXPIRED', async () => {
    const key = await newKey('Ann', { lifeSeconds: 86_400 });
    expect(await refusal(key.signing)).toEqual(['KEY_EXPIRED', 1, 1]);
  });

  test('KEY_EXPIRED, T25: the primary key does not step in for an expired subkey', async () => {
    const key = await forgeKey({ subkeys: [{ sign: true, keyExpirationTime: 86_400 }] });
    expect(await refusal(key.armor())).toEqual(['KEY_EXPIRED', 1, 1]);
  });

  test('KEY_REVOKED', async () => {
    const key = await (await forgeKey()).revoke({}, day(5));
    expect(await refusal(key.armor())).toEqual(['KEY_REVOKED', 1, 1]);
  });

  test('KEY_NOT_YET_VALID: SOURCE_DATE_EPOCH is before the key was made', async () => {
    const key = await forgeKey();
    const SOURCE_DATE_EPOCH = String(BORN.getTime() / 1000 - 86_400);
    expect(await refusal(key.armor(), [], { SOURCE_DATE_EPOCH })).toEqual(['KEY_NOT_YET_VALID', 1, 1]);
  });

  test.runIf(hasGnupg())('KEY_WEAK: RSA of 1024 bits', async () => {
    const home = gnupgHome();
    try {
      home.must([
        '--passphrase',
        '',
        '--quick-generate-key',
        'Old <old@example.org>',
        'rsa1024',
        'sign',
        'never',
      ]);
      const armored = home.must(['--armor', '--export-secret-keys']).toString();
      expect(await refusal(armored)).toEqual(['KEY_WEAK', 1, 1]);
    } finally {
      home.remove();
    }
  });

  test('KEY_MALFORMED: a public key', async () => {
    const key = await newKey('Ann');
    expect(await refusal(key.certificate)).toEqual(['KEY_MALFORMED', 2, 2]);
  });

  test('KEY_MALFORMED: two keys in one file', async () => {
    const [a, b] = [await newKey('Ann'), await newKey('Bob')];
    expect(await refusal(a.secret + b.secret)).toEqual(['KEY_MALFORMED', 2, 2]);
  });

  test('NO_KEY: no such file', async () => {
    const place = newPlace();
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    expect(transcript(await place.packsign(['build', 'dist', '--key', 'nobody.asc']))).toMatchInlineSnapshot(`
      "$ packsign build dist --key nobody.asc
      ! packsign: error: there is no key file nobody.asc
      ! packsign: hint: name a file with an OpenPGP secret key, or make one: packsign key generate --user-id "NAME <ADDRESS>"
      [2]"
    `);
    expect(codeOf(await place.json(['sign', 'dist', '--key', 'nobody.asc']))).toBe('NO_KEY');
  });

  test('PASSPHRASE_WRONG, from a file, standard input and the environment', async () => {
    const { signing } = await newKey('Ann', { passphrase: PASSPHRASE });
    const place = newPlace();
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    place.write('key.asc', signing);
    place.write('words', 'wrong words\n');
    const build = ['build', 'dist', '--key', 'key.asc'];
    const runs = [
      await place.packsign([...build, '--passphrase-file', 'words', '--verbose']),
      await place.packsign([...build, '--passphrase-file', '-', '--verbose'], { input: 'wrong words' }),
      await place.packsign([...build, '--verbose'], { env: { PACKSIGN_PASSPHRASE: 'wrong words' } }),
    ];
    for (const run of runs) {
      expect([run.status, run.stdout]).toEqual([2, '']);
      expect(run.stderr).toContain('(PASSPHRASE_WRONG)');
      expect(run.stderr).not.toContain('wrong words');
    }
    place.write('words', `${PASSPHRASE}\r\n`);
    expect((await place.packsign([...build, '--passphrase-file', 'words'])).status).toBe(0);
  });

  test('FILE_UNREADABLE: no passphrase file', async () => {
    const { signing } = await newKey('Ann', { passphrase: PASSPHRASE });
    const place = newPlace();
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    place.write('key.asc', signing);
    const answer = await place.json(['build', 'dist', '--key', 'key.asc', '--passphrase-file', 'nowhere']);
    expect([answer.status, codeOf(answer)]).toEqual([2, 'FILE_UNREADABLE']);
  });
});

describe('PACKSIGN_KEY', () => {
  let key: TestKey;

  beforeAll(async () => {
    key = await newKey('Ann');
  });

  async function waiting(): Promise<Place> {
    const place = newPlace();
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    expect((await place.packsign(['build', 'dist'])).status).toBe(0);
    return place;
  }

  test('may hold an armored secret key', async () => {
    const place = await waiting();
    const env = { PACKSIGN_KEY: key.signing };
    // The signer is known only now, which changes the content, so build again.
    expect((await place.packsign(['build', 'dist'], { env })).status).toBe(0);
    const answer = await place.json(['sign', 'dist'], { env });
    expect(answer).toMatchObject({ status: 0, value: { published: true, signers: [key.fingerprint] } });
  });

  test('may name a file, and --key wins over it', async () => {
    const place = await waiting();
    const bob = await newKey('Bob');
    place.write('ann.asc', key.signing);
    place.write('bob.asc', bob.signing);
    const env = { PACKSIGN_KEY: 'ann.asc' };
    expect((await place.json(['sign', 'dist', '--key', 'bob.asc'], { env })).value['signers']).toEqual([
      bob.fingerprint,
    ]);
  });

  test('T19: is never printed, whatever is wrong with it', async () => {
    const place = await waiting();
    const lines = key.signing.split('\n');
    const damaged: readonly string[] = [
      key.signing.replaceAll('\n', '\\n'),
      key.signing.replaceAll('\n', ' '),
      key.signing.replace('-----BEGIN', '---BEGIN'),
      `my key:\n${key.signing}`,
      Buffer.from(key.signing).toString('base64'),
      lines.slice(0, -4).join('\n'),
      lines.slice(1).join('\n'),
    ];
    for (const PACKSIGN_KEY of damaged) {
      for (const args of [
        ['sign', 'dist', '--verbose'],
        ['sign', 'dist', '--json'],
        ['build', 'dist', '--json'],
      ]) {
        const run = await place.packsign(args, { env: { PACKSIGN_KEY } });
        expect([run.status, run.args]).toEqual([2, args]);
        const printed = run.stdout + run.stderr;
        expect(printed).not.toContain(lines[4]);
        expect(printed).not.toContain(PACKSIGN_KEY.slice(40, 100));
      }
    }
  });
});
