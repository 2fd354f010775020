import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { findSecret, startSecretSearch } from '../../src/pgp/secret-material.js';
import { newKey, newPlace } from '../packsign.js';
import type { TestKey } from '../packsign.js';
import { hasTool, toolPath } from '../tools.js';
import { hiddenSecrets, innocent, privateKeyPem } from './hidden.js';
import { armorOf, binaryOf } from './packets.js';

let key: TestKey;

beforeAll(async () => {
  key = await newKey('Ann');
});

/** The search of a file that is read in pieces of this size. */
function inPieces(bytes: Buffer, pieceBytes: number): string | null {
  const read = (position: number, length: number) => bytes.subarray(position, position + length);
  const search = startSecretSearch({ size: bytes.length, read });
  const piece = Buffer.alloc(pieceBytes);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    search.take(piece.subarray(0, bytes.copy(piece, 0, at, at + pieceBytes)));
  }
  return search.found();
}

test('T19: a secret is found, however it is written down', () => {
  const missed = Object.entries(hiddenSecrets(key)).filter(([, bytes]) => findSecret(bytes) === null);
  expect(missed.map(([path]) => path)).toEqual([]);
});

test('T19: certificates, signatures, and what only looks like a secret, are none', () => {
  const alarms = Object.entries(innocent(key)).filter(([, bytes]) => findSecret(bytes) !== null);
  expect(alarms.map(([path]) => path)).toEqual([]);
});

test('says what it is', () => {
  const secrets = hiddenSecrets(key);
  const kindOf = (path: string) => findSecret(secrets[path] ?? Buffer.alloc(0));
  expect(kindOf('secring.gpg')).toBe('an OpenPGP secret key');
  expect(kindOf('id_ed25519')).toBe('a private key');
  expect(kindOf('key.rev.asc')).toBe('a revocation certificate');
});

describe('a block is found wherever pieces end', () => {
  const PIECE_BYTES = 4096;
  test.each(['latin1', 'utf16le', 'utf16be'] as const)('%s', (encoding) => {
    const pem = Buffer.from(privateKeyPem(), encoding === 'latin1' ? 'latin1' : 'utf16le');
    const bytes = encoding === 'utf16be' ? pem.swap16() : pem;
    const missed: number[] = [];
    for (let at = 0; at <= bytes.length + 2; at += 1) {
      const before = Buffer.alloc(2 * PIECE_BYTES - at, 0xab);
      if (inPieces(Buffer.concat([before, bytes, Buffer.alloc(2 * PIECE_BYTES, 0xab)]), PIECE_BYTES) === null)
        missed.push(at);
    }
    expect(missed).toEqual([]);
  });
});

test('the shortest block in UTF-16 is found wherever it lies in a piece', () => {
  const block = Buffer.from(privateKeyPem(), 'utf16le');
  const missed = Array.from({ length: 300 }, (_, at) => at).filter((at) => {
    const parts = [Buffer.alloc(1000 + at, 0xab), block, Buffer.alloc(3000, 0xab)];
    return findSecret(Buffer.concat(parts)) === null;
  });
  expect(missed).toEqual([]);
});

test('nothing is read again of a file without a block', () => {
  let reads = 0;
  const read = () => {
    reads += 1;
    return Buffer.alloc(0);
  };
  const search = startSecretSearch({ size: 3_000_000, read });
  for (let at = 0; at < 3; at += 1)
    search.take(Buffer.alloc(1_000_000, 'BEGIN -----BEGIN CERTIFICATE-----\n'));
  expect([search.found(), reads]).toEqual([null, 0]);
});

test('a secret key behind many other packets is found in one armored block', () => {
  const certificates = Array.from({ length: 500 }, () => binaryOf(key.certificate));
  const ring = armorOf(Buffer.concat([...certificates, binaryOf(key.secret)]), 'PUBLIC KEY BLOCK');
  expect(ring.length).toBeGreaterThan(100_000);
  expect(findSecret(Buffer.from(ring))).toBe('an OpenPGP secret key');
  const harmless = armorOf(Buffer.concat(certificates), 'PUBLIC KEY BLOCK');
  expect(findSecret(Buffer.from(harmless))).toBeNull();
});

describe('keys of cosign', () => {
  const block = (label: string, value: unknown) =>
    Buffer.from(
      `-----BEGIN ${label}-----\n${Buffer.from(JSON.stringify(value)).toString('base64').replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`,
    );
  const kdf = { name: 'scrypt', params: { N: 65536, r: 8, p: 1 }, salt: 'AAAA' };
  const cipher = { name: 'nacl/secretbox', nonce: 'AAAA' };
  const ciphertext = Buffer.alloc(154, 7).toString('base64');

  test.each(['ENCRYPTED SIGSTORE PRIVATE KEY', 'ENCRYPTED COSIGN PRIVATE KEY'])('%s', (label) => {
    expect(findSecret(block(label, { kdf, cipher, ciphertext }))).toBe('a private key');
    for (const value of [
      {},
      { kdf, cipher },
      { kdf: null, ciphertext },
      { kdf, cipher, ciphertext: '...' },
      { cipher, ciphertext },
      'kdf',
    ])
      expect([value, findSecret(block(label, value))]).toEqual([value, null]);
    const cut = `-----BEGIN ${label}-----\neyJrZGYiOnsibmFtZSI6InNjcnlwdCIs\n...\n-----END ${label}-----\n`;
    expect(findSecret(Buffer.from(cut))).toBeNull();
  });
});

describe('the work grows with the size of a file, and no faster', () => {
  /** How many bytes are read of a file for each that it has. */
  const readings = (bytes: Buffer): number => {
    let count = 0;
    const read = (position: number, length: number) => {
      const piece = bytes.subarray(position, position + length);
      count += piece.length;
      return piece;
    };
    const search = startSecretSearch({ size: bytes.length, read });
    search.take(bytes);
    expect(search.found()).toBeNull();
    return count / bytes.length;
  };
  const repeated = (text: string, size: number) => Buffer.alloc(size, text);
  const HEADERS = ['PRIVATE KEY', 'RSA PRIVATE KEY', 'PGP PRIVATE KEY BLOCK', 'PGP SIGNATURE'];

  test.each(HEADERS)('many headers with short and with long bodies: %s', (label) => {
    for (const length of [0, 4, 64, 1000, 10_000, 60_000]) {
      const block = `-----BEGIN ${label}-----\n${'x'.repeat(length)}\n`;
      expect([length, readings(repeated(block, 300_000)) < 50]).toEqual([length, true]);
      const wide = Buffer.from(repeated(block, 100_000).toString('latin1'), 'utf16le');
      expect([length, readings(wide) < 50]).toEqual([length, true]);
    }
  });

  test('OpenPGP packets of every size', () => {
    for (const length of [0, 1, 100, 8000, 65_000, 66_000]) {
      for (const tag of [5, 7, 13]) {
        const header = Buffer.from([0xc0 | tag, 0xff, 0, length >> 16, (length >> 8) & 0xff, length & 0xff]);
        const packet = Buffer.concat([header, Buffer.alloc(length, 4)]);
        const ring = Buffer.concat(Array.from({ length: Math.ceil(500_000 / packet.length) }, () => packet));
        expect([length, readings(ring) < 3]).toEqual([length, true]);
      }
    }
  });

  test('backslashes: quadratic work would not end', () => {
    const many = '\\'.repeat(2_000_000);
    expect(findSecret(Buffer.from(`-----BEGIN PRIVATE KEY-----\n${many}`))).toBeNull();
  });
});

test('a block ends where the next begins', () => {
  const pem = privateKeyPem();
  expect(findSecret(Buffer.from(`-----BEGIN PRIVATE KEY-----\nAAAA\n${pem}`))).toBe('a private key');
  expect(findSecret(Buffer.from(pem.replace(/-----END.*/, pem)))).toBe('a private key');
});

describe('keys as other programs make them', () => {
  const made = (command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    execFileSync(command, args, {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    });

  test.runIf(hasTool('gpg'))('GnuPG: armored, binary, wrapped, in its own folders, and revocations', () => {
    const place = newPlace();
    const GNUPGHOME = place.path('g');
    mkdirSync(GNUPGHOME, { mode: 0o700 });
    const gpg = (...args: readonly string[]) =>
      made('gpg', ['--batch', '--quiet', '--passphrase', '', ...args], { GNUPGHOME });
    gpg('--quick-gen-key', 'Ann <ann@example.org>', 'rsa2048');
    gpg('--quick-gen-key', 'Bob <bob@example.org>', 'ed25519');
    const ring = gpg('--export-secret-keys');
    expect(findSecret(ring)).toBe('an OpenPGP secret key');
    expect(findSecret(gpg('--export-secret-keys', '--armor'))).toBe('an OpenPGP secret key');
    expect(findSecret(gpg('--output', '-', '--enarmor', place.write('ring', ring)))).toBe(
      'an OpenPGP secret key',
    );
    expect(findSecret(gpg('--export'))).toBeNull();
    expect(findSecret(gpg('--export', '--armor'))).toBeNull();
    const files = Object.entries(place.snapshot('g'));
    const kindsBelow = (folder: string) =>
      files.filter(([path]) => path.startsWith(folder)).map(([, hex]) => findSecret(Buffer.from(hex, 'hex')));
    expect(kindsBelow('openpgp-revocs.d/')).toEqual(['a revocation certificate', 'a revocation certificate']);
    expect(kindsBelow('private-keys-v1.d/').every((kind) => kind === 'a private key')).toBe(true);
  });

  test.runIf(hasTool('ssh-keygen'))('OpenSSH: old and new format, with a passphrase and without', () => {
    const place = newPlace();
    for (const type of ['ed25519', 'ecdsa', 'rsa']) {
      for (const format of ['RFC4716', 'PKCS8', 'PEM']) {
        for (const passphrase of ['', 'correct horse']) {
          const path = place.path(`${type}-${format}-${passphrase.length}`);
          made('ssh-keygen', ['-q', '-t', type, '-m', format, '-N', passphrase, '-f', path]);
          expect([path, findSecret(readFileSync(path))]).toEqual([path, 'a private key']);
          expect(findSecret(readFileSync(`${path}.pub`))).toBeNull();
        }
      }
    }
  });

  test.runIf(hasTool('openssl'))('OpenSSL: each kind, beside its parameters and its certificate', () => {
    const openssl = (...args: readonly string[]) => made('openssl', args);
    const place = newPlace();
    const rsa = openssl('genrsa', '-traditional', '2048');
    const path = place.write('rsa.pem', rsa);
    const certificate = openssl('req', '-x509', '-key', path, '-subj', '/CN=a', '-days', '1');
    expect(findSecret(certificate)).toBeNull();
    const secrets = [
      rsa,
      Buffer.concat([certificate, rsa]),
      openssl('ecparam', '-genkey', '-name', 'secp521r1'),
      openssl('genpkey', '-algorithm', 'X448'),
      openssl('rsa', '-in', path, '-aes256', '-traditional', '-passout', 'pass:x'),
      openssl('pkcs8', '-topk8', '-in', path, '-passout', 'pass:x'),
    ];
    expect(secrets.map((bytes) => findSecret(bytes))).toEqual(secrets.map(() => 'a private key'));
    expect(findSecret(openssl('rsa', '-in', path, '-pubout'))).toBeNull();
  });

  test.runIf(hasTool('sq'))('Sequoia: revocations under the label of a signature', () => {
    const place = newPlace();
    const [secret, revocation] = [place.path('key'), place.path('rev')];
    made('sq', ['key', 'generate', '--userid', 'Ann', '--export', secret, '--rev-cert', revocation]);
    expect(findSecret(readFileSync(secret))).toBe('an OpenPGP secret key');
    expect(findSecret(readFileSync(revocation))).toBe('a revocation certificate');
  });
});

describe('programs that read keys hold none', () => {
  test.each(['gpg', 'openssl', 'ssh-keygen', 'sq'] as const)('%s', (name) => {
    if (!hasTool(name)) return;
    const path = execFileSync('which', [toolPath(name) ?? name], { encoding: 'utf8' }).trim();
    expect(findSecret(readFileSync(path))).toBeNull();
  });
});
