import { enums, PublicKey, readKey, revokeKey } from 'openpgp';
import { beforeAll, describe, expect, test } from 'vitest';
import { expiryOf, readCertificates, requireUsable, signingStatus } from '../../src/pgp/certificates.js';
import { describeKey } from '../../src/keys/describe.js';
import type { NewKey } from '../../src/keys/generate.js';
import { generateKey } from '../../src/keys/generate.js';
import { readSecretCertificate, readSecretKey } from '../../src/signers/secret-key.js';
import { verifySignatures } from '../../src/pgp/signatures.js';
import { BORN, certificateOf, day, DOCUMENT, fingerprint, forgeKey, subkeyOf } from '../pgp/forge.js';

const USER_ID = 'Zoë Ann (releases) <zoe@example.org>';
const plain = { userId: USER_ID, passphrase: null, expiresInSeconds: null, rsa: false, date: BORN } as const;

describe('a new key', () => {
  let key: NewKey;

  beforeAll(async () => {
    key = await generateKey({ ...plain, passphrase: 'words', expiresInSeconds: 730 * 86_400 });
  });

  test('has a primary key that only certifies and a subkey that signs, and both expire', async () => {
    const [certificate] = await readCertificates(key.certificate);
    expect(certificate).toMatchObject({ fingerprint: key.fingerprint, userIds: [USER_ID], created: BORN });
    expect(signingStatus(certificate!, day(1), key.fingerprint)).toMatchObject({ kind: 'unusable' });
    expect(requireUsable(certificate!, day(1)).key).toBe(certificate!.subkeys[0]);
    expect(expiryOf(certificate!, day(1))).toEqual(day(730));
    const [selfCertification] = (await readKey({ armoredKey: Buffer.from(key.certificate).toString() }))
      .users[0]!.selfCertifications;
    expect(selfCertification!.preferredHashAlgorithms).toEqual(
      expect.arrayContaining([enums.hash.sha256, enums.hash.sha512]) as unknown,
    );
  });

  test.each(['secret', 'signing'] as const)(
    'signs from the file %s, with the passphrase alone',
    async (part) => {
      const passphrase = (words: string | null) => () => Promise.resolve(words);
      const signer = await readSecretKey(key[part], { passphrase: passphrase('words'), date: day(1) });
      const signature = await signer.sign(DOCUMENT, { date: day(1), deterministic: false });
      const certificates = await readCertificates(key.certificate);
      const [report] = await verifySignatures(DOCUMENT, [signature], { certificates, now: day(1) });
      expect(report).toMatchObject({ good: true, fingerprint: key.fingerprint });
      for (const [words, code] of [
        [null, 'PASSPHRASE_NEEDED'],
        ['other', 'PASSPHRASE_WRONG'],
      ] as const) {
        const opening = readSecretKey(key[part], { passphrase: passphrase(words), date: day(1) });
        await expect(opening).rejects.toThrow(expect.objectContaining({ code }));
      }
    },
  );

  test('has the same certificate in its four files', async () => {
    const [certificate] = await readCertificates(key.certificate);
    for (const part of ['secret', 'signing'] as const) {
      expect((await readSecretCertificate(key[part])).binary).toEqual(certificate!.binary);
    }
  });

  test('has a revocation certificate that revokes it for good', async () => {
    const { publicKey } = await revokeKey({
      key: new PublicKey(
        (await readKey({ armoredKey: Buffer.from(key.certificate).toString() })).toPacketList(),
      ),
      revocationCertificate: Buffer.from(key.revocation).toString(),
      format: 'binary',
    });
    const [revoked] = await readCertificates(publicKey);
    expect(signingStatus(revoked!, day(1)).kind).toBe('revoked');
  });

  test('is never the same twice, and needs a user id', async () => {
    expect((await generateKey(plain)).fingerprint).not.toBe((await generateKey(plain)).fingerprint);
    await expect(generateKey({ ...plain, userId: ' ' })).rejects.toThrow(
      expect.objectContaining({ code: 'USAGE' }),
    );
  });

  test('needs no passphrase if it was given none; RSA is RSA 4096', async () => {
    const rsa = await generateKey({ ...plain, rsa: true });
    const described = await describeKey(rsa.secret, day(1));
    expect(described).toMatchObject({ algorithm: 'RSA 4096', secret: true, locked: false, expires: null });
    expect(described.subkeys[0]).toMatchObject({ algorithm: 'RSA 4096', usage: ['sign'] });
  });
});

describe('describeKey', () => {
  test('describes secret and public keys, whole and partial', async () => {
    const key = await generateKey({ ...plain, passphrase: 'words', expiresInSeconds: 86_400 });
    const expected = {
      fingerprint: key.fingerprint,
      algorithm: 'Ed25519',
      usage: ['certify'],
      userIds: [USER_ID],
      created: BORN,
      expires: day(1),
      revoked: false,
      subkeys: [{ algorithm: 'Ed25519', usage: ['sign'], created: BORN, expires: day(1), revoked: false }],
      problem: null,
    };
    expect(await describeKey(key.secret, BORN)).toMatchObject({ ...expected, secret: true, locked: true });
    expect(await describeKey(key.signing, BORN)).toMatchObject({ ...expected, secret: true, locked: true });
    expect(await describeKey(key.certificate, BORN)).toMatchObject({
      ...expected,
      secret: false,
      locked: false,
    });
    expect(await describeKey(key.secret, day(2))).toMatchObject({
      signsWith: null,
      problem: 'the key expired at 2025-01-02T00:00:00Z',
    });
  });

  test('describes a revoked key, and one with an encryption subkey', async () => {
    const key = await (await forgeKey({ subkeys: [{ sign: true }, {}] })).revoke({}, day(5));
    const described = await describeKey(key.write(), day(6));
    expect(described).toMatchObject({ revoked: true, signsWith: null });
    expect(described.subkeys.map(({ usage }) => usage)).toEqual([['sign'], ['encrypt']]);
    expect(described.subkeys.map(({ algorithm }) => algorithm)).toEqual(['Ed25519', 'X25519']);
  });

  test('names the key that would sign', async () => {
    const key = await forgeKey();
    expect((await describeKey((await certificateOf(key)).binary, day(1))).signsWith).toBe(
      fingerprint(subkeyOf(key)),
    );
  });

  test('KEY_MALFORMED: a file with no key or two', async () => {
    const two = Buffer.concat([
      (await certificateOf(await forgeKey())).binary,
      (await certificateOf(await forgeKey())).binary,
    ]);
    for (const bytes of [Buffer.from('no key'), two]) {
      await expect(describeKey(bytes, BORN)).rejects.toThrow(
        expect.objectContaining({ code: 'KEY_MALFORMED' }),
      );
    }
  });
});
