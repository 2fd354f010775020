import { generateKeyPairSync } from 'node:crypto';
import { armorOf, binaryOf } from './packets.js';
import type { TestKey } from '../packsign.js';

/** Ways in which people leave secrets in a directory without a thought. Path → bytes. */
export function hiddenSecrets(key: TestKey): Readonly<Record<string, Buffer>> {
  const { secret, certificate, revocation } = key;
  const binary = binaryOf(secret);
  const pem = privateKeyPem();
  const lines = pem.trim().split('\n');
  const eachLine = (prefix: string, text = pem) => text.replace(/^/gm, prefix);
  const files: Readonly<Record<string, string | Buffer>> = {
    'key.asc': secret,
    'x-1.0.tar.gz': secret,
    '.git/key.asc': secret,
    '.hidden/deep/notes': secret,
    'sub/.packsign/key.asc': secret,
    'secring.gpg': binary,
    'old-headers.gpg': withOldHeaders(secret),
    'later.gpg': Buffer.concat([binaryOf(certificate), withOldHeaders(secret)]),
    'many.gpg': Buffer.concat([...Array.from({ length: 300 }, () => binaryOf(certificate)), binary]),
    'behind-others.asc': certificate + secret,
    'wrong-label.asc': armorOf(binary, 'PUBLIC KEY BLOCK'),
    'large.bin': Buffer.concat([Buffer.alloc(3_000_000, 'text\n'), Buffer.from(secret)]),
    'indented.md': `A key:\n\n${eachLine('    ', secret)}`,
    'quoted.txt': eachLine('> ', secret),
    'crlf.asc': secret.replaceAll('\n', '\r\n'),
    'cr.asc': secret.replaceAll('\n', '\r'),
    'utf16le.asc': Buffer.from(secret, 'utf16le'),
    'utf16le-bom.asc': Buffer.from(`\ufeff${secret}`, 'utf16le'),
    'utf16be.pem': Buffer.from(pem, 'utf16le').swap16(),
    'utf16be-bom.pem': Buffer.from(`\ufeff${pem}`, 'utf16le').swap16(),
    'appended-by-powershell': Buffer.concat([Buffer.from('odd\n\n'), Buffer.from(secret, 'utf16le')]),
    'ed25519.pem': pem,
    'rsa.pem': rsa({ type: 'pkcs1', format: 'pem' }),
    'rsa-pkcs8.pem': rsa({ type: 'pkcs8', format: 'pem' }),
    'rsa-encrypted.pem': rsa({ type: 'pkcs1', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' }),
    'pkcs8-encrypted.pem': rsa({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }),
    'ec.pem': ecKey(),
    'dsa.pem': dsaKey(),
    id_ed25519: OPENSSH,
    'key.ppk': PUTTY,
    'private-keys-v1.d/0.key': AGENT,
    'account.json': JSON.stringify({ type: 'service_account', private_key: pem }),
    'test.c': lines.map((line) => `  "${line}\\n"\n`).join(''),
    'test.js': lines.map((line) => `  '${line}\\n'`).join(' +\n'),
    'a.diff': eachLine('+'),
    env: `KEY="${lines.join(' ')}"\n`,
    'key.rev.asc': revocation,
    'inert.rev': `Remove the colon.\n\n:${revocation}`,
    'rev.sig': binaryOf(revocation),
    'signature-label.rev': armorOf(binaryOf(revocation), 'SIGNATURE'),
  };
  return Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, Buffer.from(bytes)]));
}

/** What looks like a secret, and is none. */
export function innocent(key: TestKey): Readonly<Record<string, Buffer>> {
  const { publicKey } = generateKeyPairSync('ed25519');
  const labels = ['RSA PRIVATE KEY', 'PRIVATE KEY', 'OPENSSH PRIVATE KEY', 'PGP PRIVATE KEY BLOCK'];
  const around = (body: string) =>
    labels.map((label) => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`).join('\n');
  const pem = privateKeyPem();
  const files: Readonly<Record<string, string | Buffer>> = {
    'public.asc': key.certificate,
    'public.gpg': binaryOf(key.certificate),
    'public.pem': publicKey.export({ type: 'spki', format: 'pem' }),
    'id.pub': 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINYDFyEoIxn9w2m+zx8BlSrf3zBOxQMV9jmu++8Mvk9k a@b\n',
    'dots.md': around('...'),
    'empty.md': around(''),
    'words.md': around('base64 of the key goes here'),
    'xs.md': around('X'.repeat(64)),
    'cut.md': `${pem.slice(0, 50)}...\n-----END PRIVATE KEY-----\n`,
    'cut-armor.md': `${key.secret.slice(0, 120)}\n...\n-----END PGP PRIVATE KEY BLOCK-----\n`,
    'encrypted.md': `-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n${'MIIE'.repeat(16)}\n...\n-----END RSA PRIVATE KEY-----\n`,
    'one-line.md': 'A key begins with -----BEGIN PGP PRIVATE KEY BLOCK----- and ends like that.\n',
    'reader.py': `HEAD = b"-----BEGIN OPENSSH PRIVATE KEY-----\\n"\nTAIL = b"-----END OPENSSH PRIVATE KEY-----"\n`,
    'program.elf': Buffer.from(`\x7fELF\0${labels.map((label) => `-----BEGIN ${label}-----\0`).join('')}`),
    'message.asc': '-----BEGIN PGP MESSAGE-----\n\nhQEMA0tjMhAYgyQ9AQf/\n-----END PGP MESSAGE-----\n',
    'magic.bin': Buffer.from('openssh-key-v1\0'),
    'ppk.md': 'A file begins with\n\nPuTTY-User-Key-File-3: ssh-ed25519\n',
    // The magic numbers of PNG, xz and Mach-O begin like packets.
    'a.png': Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'),
    'a.xz-like': Buffer.from('fd377a585a000004e6d6b446', 'hex'),
    // A packet of a secret key, with a body that is none.
    'luck.bin': Buffer.concat([Buffer.from([0x95, 0x00, 0x40, 4]), Buffer.alloc(63, 0x55)]),
  };
  return Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, Buffer.from(bytes)]));
}

export function privateKeyPem(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function rsa(how: {
  readonly type: 'pkcs1' | 'pkcs8';
  readonly format: 'pem';
  readonly cipher?: string;
  readonly passphrase?: string;
}): string | Buffer {
  return generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export(how);
}

function ecKey(): string | Buffer {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type: 'sec1',
    format: 'pem',
  });
}

function dsaKey(): string | Buffer {
  const { privateKey } = generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 });
  return privateKey.export({ type: 'pkcs8', format: 'pem' });
}

/** By OpenSSH 9.2, for this test. */
const OPENSSH = `-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACDWAxchKCMZ/cNpvs8fAZUq398wTsUDFfY5rvvvDL5PZAAAAJCl0oIZpdKC
GQAAAAtzc2gtZWQyNTUxOQAAACDWAxchKCMZ/cNpvs8fAZUq398wTsUDFfY5rvvvDL5PZA
AAAEAb0UgN/SJy4oUmrvb4tj8CeXasyM90hS+cZI8XU4DR4dYDFyEoIxn9w2m+zx8BlSrf
3zBOxQMV9jmu++8Mvk9kAAAAB3Jvb3RAdm0BAgMEBQY=
-----END OPENSSH PRIVATE KEY-----
`;

const PUTTY = `PuTTY-User-Key-File-3: ssh-ed25519
Encryption: none
Comment: test
Public-Lines: 2
AAAAC3NzaC1lZDI1NTE5AAAAINYDFyEoIxn9w2m+zx8BlSrf3zBOxQMV9jmu++8M
vk9k
Private-Lines: 1
AAAAIBvRSA39InLihSau9vi2PwJ5dqzIz3SFL5xkjxdTgNHh
Private-MAC: 0000
`;

const AGENT = `Created: 20260101T000000
Key: (private-key (ecc (curve Ed25519)(flags eddsa)(q
  #40D6031721282319FDC369BECF1F01952ADFDF304EC50315F639AEFBEF0CBE4F64#)
  (d #1BD1480DFD2272E28526AEF6F8B63F027976ACC8CF74852F9C648F17538 0D1E1#)))
`;

/** The packets with headers of the old format (RFC 9580 §4.2.2). */
function withOldHeaders(armored: string): Buffer {
  return binaryOf(armored, (tag, length) => [0x80 | (tag << 2) | 1, length >> 8, length & 0xff]);
}
