import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Certificate } from '../../src/pgp/certificates.js';
import {
  encodeCertificates,
  expiryOf,
  mergeCertificates,
  readCertificates,
} from '../../src/pgp/certificates.js';
import { describeKey } from '../../src/keys/describe.js';
import type { NewKey } from '../../src/keys/generate.js';
import { generateKey } from '../../src/keys/generate.js';
import { readSecretKey } from '../../src/signers/secret-key.js';
import { joinSignatures, readSignatures, verifySignatures } from '../../src/pgp/signatures.js';
import { hasTool } from '../tools.js';
import { DOCUMENT } from './forge.js';
import type { Home } from './gnupg.js';
import { gnupgHome, hasGnupg, run } from './gnupg.js';

/** These keys are of today, because the other tools have clocks of their own. */
const NOW = new Date();
const PASSPHRASE = 'grün und blau';

async function good(
  signature: Uint8Array,
  certificates: readonly Certificate[],
  now = NOW,
): Promise<readonly boolean[]> {
  const later = new Date(now.getTime() + 60_000);
  const reports = await verifySignatures(DOCUMENT, readSignatures(signature), { certificates, now: later });
  return reports.map((report) => report.good);
}

async function signWith(key: Uint8Array, passphrase: string | null = null): Promise<Uint8Array> {
  const date = new Date();
  const signer = await readSecretKey(key, { passphrase: () => Promise.resolve(passphrase), date });
  return await signer.sign(DOCUMENT, { date, deterministic: false });
}

describe('what packsign makes, others read', () => {
  let home: Home;
  const keys: NewKey[] = [];
  let certificates: readonly Certificate[];
  let data: string;
  let signature: string;
  let keysAsc: string;
  let keysGpg: string;

  beforeAll(async () => {
    home = gnupgHome();
    for (const rsa of [false, true]) {
      const options = { userId: 'Zoë <zoe@example.org>', expiresInSeconds: 86_400, date: NOW };
      keys.push(await generateKey({ ...options, passphrase: PASSPHRASE, rsa }));
    }
    certificates = (await Promise.all(keys.map(({ certificate }) => readCertificates(certificate)))).flat();
    const encoded = encodeCertificates(certificates);
    keysAsc = home.write('keys.asc', encoded.armored);
    keysGpg = home.write('keys.gpg', encoded.binary);
    data = home.write('data', DOCUMENT);
    const signatures = await Promise.all(keys.map(({ signing }) => signWith(signing, PASSPHRASE)));
    signature = home.write('data.asc', joinSignatures(signatures));
  });

  afterAll(() => {
    home.remove();
  });

  test.runIf(hasTool('gpg'))('gpg verifies both signatures and shows who may do what', () => {
    home.must(['--import', keysAsc]);
    const status = home.must(['--status-fd', '1', '--verify', signature, data]).toString();
    expect(status.match(/VALIDSIG/g)).toHaveLength(2);
    const listing = home.must(['--with-colons', '--list-keys', keys[0]!.fingerprint]).toString();
    expect(listing).toMatch(/^pub:[^\n]*:cSC:/m);
    expect(listing).toMatch(/^sub:[^\n]*:s:/m);
  });

  test.runIf(hasTool('gpgv'))('gpgv verifies with keys.gpg', () => {
    const { status } = run('gpgv', ['--homedir', home.folder, '--keyring', keysGpg, signature, data]);
    expect(status).toBe(0);
  });

  test.runIf(hasTool('sqv'))('sqv verifies with keys.asc, and finds both signers', () => {
    expect(run('sqv', ['-n', '2', '--keyring', keysAsc, signature, data])).toMatchObject({ status: 0 });
    expect(run('sqv', ['-n', '3', '--keyring', keysAsc, signature, data]).status).not.toBe(0);
  });

  test.runIf(hasTool('sq'))('sq verifies with keys.asc', () => {
    const args = ['verify', '--signatures', '2', '--signer-cert', keysAsc, '--detached', signature, data];
    expect(run('sq', args)).toMatchObject({ status: 0 });
  });

  test.runIf(hasGnupg())(
    'gpg signs with the secret key, with its subkey alone, and takes the revocation',
    async () => {
      for (const part of ['signing', 'secret'] as const) {
        const other = gnupgHome();
        try {
          const unlock = ['--passphrase', PASSPHRASE];
          for (const key of keys) {
            other.must([...unlock, '--import', other.write('secret.asc', key[part])]);
            const made = other.must([
              ...unlock,
              '-u',
              key.fingerprint,
              '--armor',
              '--detach-sign',
              '-o',
              '-',
              data,
            ]);
            expect(await good(made, certificates)).toEqual([true]);
            other.must(['--import', other.write('revocation.asc', key.revocation)]);
            expect(other.must(['--with-colons', '--list-keys', key.fingerprint]).toString()).toMatch(
              /^pub:r:/m,
            );
            const [revoked] = await readCertificates(other.must(['--export', key.fingerprint]));
            expect(await good(made, [revoked!])).toEqual([false]);
          }
        } finally {
          other.remove();
        }
      }
    },
  );
});

describe.runIf(hasGnupg())('what gpg makes', () => {
  let home: Home;
  let data: string;

  beforeAll(() => {
    home = gnupgHome();
    data = home.write('data', DOCUMENT);
  });

  afterAll(() => {
    home.remove();
  });

  /** A certify-only primary key and a signing subkey; answers with the primary fingerprint. */
  function generate(name: string, algorithm: string, passphrase = ''): string {
    const unlock = ['--passphrase', passphrase];
    home.must([...unlock, '--quick-generate-key', name, algorithm, 'cert', '1y']);
    const listing = home.must(['--with-colons', '--list-keys', `=${name}`]).toString();
    const fingerprint = /^fpr:+([0-9A-F]{40})/m.exec(listing)![1]!;
    home.must([...unlock, '--quick-add-key', fingerprint, algorithm, 'sign', '1y']);
    return fingerprint;
  }

  function sign(fingerprint: string, options: readonly string[] = [], passphrase = ''): Buffer {
    const unlock = ['--passphrase', passphrase, '-u', fingerprint];
    return home.must([...unlock, ...options, '--armor', '--detach-sign', '-o', '-', data]);
  }

  test.each([
    ['ed25519', ''],
    ['ed25519', PASSPHRASE],
    ['rsa3072', ''],
    ['rsa3072', PASSPHRASE],
    ['nistp256/ecdsa', ''],
    ['nistp256/ecdsa', PASSPHRASE],
    ['nistp384/ecdsa', ''],
    ['nistp521/ecdsa', ''],
  ])(
    '%s with the passphrase "%s": its signatures verify, and packsign signs with it',
    async (algorithm, passphrase) => {
      const fingerprint = generate(`${algorithm} ${passphrase} <x@example.org>`, algorithm, passphrase);
      const certificates = await readCertificates(home.must(['--export', fingerprint]));
      expect(certificates[0]!.fingerprint).toBe(fingerprint);
      expect(await good(sign(fingerprint, [], passphrase), certificates)).toEqual([true]);

      for (const whole of [true, false]) {
        const command = whole ? '--export-secret-keys' : '--export-secret-subkeys';
        const secret = home.must(['--passphrase', passphrase, '--armor', command, fingerprint]);
        const signature = await signWith(secret, passphrase === '' ? null : passphrase);
        expect(await good(joinSignatures([signature]), certificates)).toEqual([true]);
        const file = home.write('data.asc', joinSignatures([signature]));
        expect(home.must(['--status-fd', '1', '--verify', file, data]).toString()).toContain(`VALIDSIG`);
        expect(await describeKey(secret, new Date())).toMatchObject({
          fingerprint,
          secret: true,
          locked: passphrase !== '',
          usage: ['certify'],
          problem: null,
        });
      }
    },
  );

  test('T3: its text-mode signature does not count', async () => {
    const fingerprint = generate('text <text@example.org>', 'ed25519');
    const certificates = await readCertificates(home.must(['--export', fingerprint]));
    expect(await good(sign(fingerprint, ['--textmode']), certificates)).toEqual([false]);
  });

  test('T7: its SHA-1 self-signatures do not count', async () => {
    const weak = ['--cert-digest-algo', 'SHA1', '--allow-weak-digest-algos', '--allow-weak-key-signatures'];
    home.must([
      ...weak,
      '--passphrase',
      '',
      '--quick-generate-key',
      'old <old@example.org>',
      'rsa2048',
      'sign',
      '1y',
    ]);
    const secret = home.must([
      '--passphrase',
      '',
      '--armor',
      '--export-secret-keys',
      '=old <old@example.org>',
    ]);
    const certificates = await readCertificates(home.must(['--export', '=old <old@example.org>']));
    expect(await good(sign(certificates[0]!.fingerprint), certificates)).toEqual([false]);
    await expect(signWith(secret)).rejects.toThrow(expect.objectContaining({ code: 'KEY_WEAK' }));
  });

  test('a key whose expiry gpg changed keeps what it signed before; merging keeps both', async () => {
    const then = new Date(NOW.getTime() - 100 * 86_400_000);
    const stamp = (date: Date): readonly string[] => [
      '--faked-system-time',
      String(Math.floor(date.getTime() / 1000)),
    ];
    home.must([
      ...stamp(then),
      '--passphrase',
      '',
      '--quick-generate-key',
      'long <long@example.org>',
      'ed25519',
      'sign',
      '110d',
    ]);
    const before = await readCertificates(home.must(['--export', '=long <long@example.org>']));
    const { fingerprint } = before[0]!;
    const signature = sign(fingerprint, stamp(new Date(then.getTime() + 86_400_000)));
    home.must(['--passphrase', '', '--quick-set-expire', fingerprint, '2y']);
    const after = await readCertificates(home.must(['--export', fingerprint]));
    const later = new Date(NOW.getTime() + 86_400_000);
    const expiry = expiryOf(after[0]!, later)!;
    expect(expiry.getTime()).toBeGreaterThan(expiryOf(before[0]!, later)!.getTime());
    for (const certificates of [before, after, await mergeCertificates(before, after)]) {
      expect(await good(signature, certificates)).toEqual([true]);
    }
    expect(expiryOf((await mergeCertificates(before, after))[0]!, later)).toEqual(expiry);
  });

  test('a key on a Brainpool curve is refused by name', async () => {
    home.must([
      '--passphrase',
      '',
      '--quick-generate-key',
      'brain <b@example.org>',
      'brainpoolP256r1',
      'sign',
      '1y',
    ]);
    await expect(readCertificates(home.must(['--export', '=brain <b@example.org>']))).rejects.toThrow(
      'keys on the curve brainpoolP256r1 are not supported',
    );
  });

  test('the whole public ring in armor is read, and one ring with several keys', async () => {
    const ring = gnupgHome();
    try {
      for (const name of ['one', 'two']) {
        ring.must([
          '--passphrase',
          '',
          '--quick-generate-key',
          `${name} <${name}@example.org>`,
          'ed25519',
          'sign',
          '1y',
        ]);
      }
      expect(await readCertificates(ring.must(['--armor', '--export']))).toHaveLength(2);
      const secret = ring.must(['--passphrase', '', '--armor', '--export-secret-keys']);
      await expect(signWith(secret)).rejects.toThrow(expect.objectContaining({ code: 'KEY_MALFORMED' }));
    } finally {
      ring.remove();
    }
  });
});

describe.runIf(hasTool('sq')).each(['cv25519', 'rsa3k'])('what sq makes: %s', (suite) => {
  let home: Home;
  let data: string;
  let certificates: readonly Certificate[];
  let theirs: Uint8Array;
  let keyring: string;
  let ours: string;

  beforeAll(async () => {
    home = gnupgHome();
    data = home.write('data', DOCUMENT);
    const secret = join(home.folder, 'secret.key');
    const userId = ['-u', 'Sia <sia@example.org>'];
    const made = run('sq', ['key', 'generate', '--cipher-suite', suite, ...userId, '-e', secret]);
    expect(made).toMatchObject({ status: 0 });
    const certificate = run('sq', ['key', 'extract-cert', secret]).stdout;
    certificates = await readCertificates(certificate);
    keyring = home.write('cert.asc', certificate);
    theirs = run('sq', ['sign', '--signer-key', secret, '--detached', data]).stdout;
    ours = home.write('data.asc', joinSignatures([await signWith(run('sq', ['armor', secret]).stdout)]));
  });

  afterAll(() => {
    home.remove();
  });

  test('its signatures verify', async () => {
    expect(await good(theirs, certificates)).toEqual([true]);
  });

  test('sq verifies what packsign signs with it', () => {
    expect(run('sq', ['verify', '--signer-cert', keyring, '--detached', ours, data])).toMatchObject({
      status: 0,
    });
  });

  test.runIf(hasTool('sqv'))('sqv verifies what packsign signs with it', () => {
    expect(run('sqv', ['--keyring', keyring, ours, data])).toMatchObject({ status: 0 });
  });
});
