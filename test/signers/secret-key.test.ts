import { inspect } from 'node:util';
import { enums, encryptKey, generateKey as generatePackets } from 'openpgp';
import type { PrivateKey } from 'openpgp';
import { describe, expect, test } from 'vitest';
import { joinPackets, splitPackets } from '../../src/pgp/packets.js';
import { chooseHash } from '../../src/pgp/hash.js';
import { KEY_FILE, SIGNATURE_FILE } from '../../src/pgp/origin.js';
import { readSignaturePacket } from '../../src/pgp/packet-objects.js';
import { readSecretCertificate, readSecretKey } from '../../src/signers/secret-key.js';
import type { Signer } from '../../src/signers/signer.js';
import { verifySignatures } from '../../src/pgp/signatures.js';
import type { SignaturePacket } from 'openpgp';
import {
  BORN,
  certificateOf,
  day,
  DOCUMENT,
  fingerprint,
  forgeKey,
  forgePacket,
  primaryOf,
  publicBytes,
  subkeyOf,
} from '../pgp/forge.js';

const { hash, reasonForRevocation, signature: type } = enums;
const NOW = day(10);
const PASSPHRASE = 'correct horse';

interface Asked {
  count: number;
}

async function open(
  key: PrivateKey | Uint8Array,
  words: string | null = null,
  asked: Asked = { count: 0 },
): Promise<Signer> {
  const bytes = key instanceof Uint8Array ? key : key.write();
  const passphrase = (): Promise<string | null> => {
    asked.count += 1;
    return Promise.resolve(words);
  };
  return await readSecretKey(bytes, { passphrase, date: NOW });
}

async function signed(signer: Signer, deterministic = true): Promise<SignaturePacket> {
  const bytes = await signer.sign(DOCUMENT, { date: NOW, deterministic });
  const reports = await verifySignatures(DOCUMENT, [bytes], { certificates: [signer.certificate], now: NOW });
  expect(reports[0]).toMatchObject({ good: true, fingerprint: signer.fingerprint });
  return readSignaturePacket(splitPackets(bytes, SIGNATURE_FILE)[0]!.body);
}

function withCode(code: string): unknown {
  return expect.objectContaining({ code });
}

describe('a signer from a file', () => {
  test('signs binary, version 4, SHA-256, with issuer and date hashed, from armored and binary keys', async () => {
    const key = await forgeKey();
    for (const bytes of [key.write(), Buffer.from(key.armor())]) {
      const signer = await open(bytes);
      expect(signer.fingerprint).toBe(fingerprint(key));
      const packet = await signed(signer);
      expect(packet).toMatchObject({
        version: 4,
        signatureType: type.binary,
        hashAlgorithm: hash.sha256,
        created: NOW,
        unhashedSubpackets: [],
        rawNotations: [],
      });
      expect(Buffer.from(packet.issuerFingerprint!).toString('hex').toUpperCase()).toBe(
        fingerprint(subkeyOf(key)),
      );
    }
  });

  test('deterministic: the same bytes give the same signature; otherwise a salt tells them apart', async () => {
    const signer = await open(await forgeKey());
    const date = NOW;
    const make = (deterministic: boolean): Promise<Uint8Array> =>
      signer.sign(DOCUMENT, { date, deterministic });
    expect(await make(true)).toEqual(await make(true));
    expect(await make(false)).not.toEqual(await make(false));
    expect((await signed(signer, false)).rawNotations).toHaveLength(1);
  });

  test.each([
    ['nistP256', hash.sha256],
    ['nistP384', hash.sha384],
    ['nistP521', hash.sha512],
  ] as const)('the hash is as long as the curve %s', async (curve, algorithm) => {
    expect((await signed(await open(await forgeKey({ curve })))).hashAlgorithm).toBe(algorithm);
  });

  test('respects a preference that leaves out SHA-256', () => {
    expect(chooseHash('Ed25519', [])).toBe(hash.sha256);
    expect(chooseHash('Ed25519', [hash.sha512, hash.sha256])).toBe(hash.sha256);
    expect(chooseHash('Ed25519', [hash.sha384, hash.sha512])).toBe(hash.sha512);
    expect(chooseHash('RSA 4096', [hash.sha1])).toBe(hash.sha256);
    expect(chooseHash('NIST P-521', [hash.sha256])).toBe(hash.sha512);
  });

  test('asks for a passphrase only if the key that signs is locked', async () => {
    const asked = { count: 0 };
    await open(await forgeKey(), 'unneeded', asked);
    expect(asked.count).toBe(0);
    const locked = await encryptKey({ privateKey: await forgeKey(), passphrase: PASSPHRASE });
    await signed(await open(locked, PASSPHRASE, asked));
    expect(asked.count).toBe(1);
    await expect(open(locked, null)).rejects.toThrow(withCode('PASSPHRASE_NEEDED'));
    await expect(open(locked, 'wrong horse')).rejects.toThrow(withCode('PASSPHRASE_WRONG'));
    await expect(open(locked, '')).rejects.toThrow(withCode('PASSPHRASE_WRONG'));
  });

  test('T19: neither errors nor the signer show passphrase or key', async () => {
    const key = await forgeKey();
    const seed = Buffer.from((subkeyOf(key).privateParams as { seed: Uint8Array }).seed).toString('hex');
    const locked = await encryptKey({ privateKey: key, passphrase: PASSPHRASE });
    const error: unknown = await open(locked, 'my other secret').catch((reason: unknown) => reason);
    const signer = await open(locked, PASSPHRASE);
    for (const shown of [error, signer]) {
      const text = inspect(shown, {
        depth: 20,
        showHidden: true,
        maxStringLength: null,
        maxArrayLength: null,
      });
      expect(text).not.toContain('my other secret');
      expect(text).not.toContain(PASSPHRASE);
      expect(text.toLowerCase()).not.toContain(seed);
      expect(text).not.toContain('privateParams');
    }
  });

  test('a key with only the signing subkey signs', async () => {
    const key = await forgeKey();
    primaryOf(key).makeDummy();
    const packet = await signed(await open(key));
    expect(packet.issuerKeyID.toHex()).toBe(subkeyOf(key).getKeyID().toHex());
  });

  test('a primary key that never had a signing subkey signs by itself', async () => {
    const key = await forgeKey({ subkeys: [{}] });
    expect((await signed(await open(key))).issuerKeyID.toHex()).toBe(key.getKeyID().toHex());
  });

  test('the newest valid subkey whose secret half is there signs', async () => {
    const key = await (await forgeKey()).addSubkey({ sign: true, date: day(5) });
    expect((await signed(await open(key))).issuerKeyID.toHex()).toBe(subkeyOf(key, 1).getKeyID().toHex());
    subkeyOf(key, 1).makeDummy();
    expect((await signed(await open(key))).issuerKeyID.toHex()).toBe(subkeyOf(key, 0).getKeyID().toHex());
    subkeyOf(key, 0).makeDummy();
    await expect(open(key)).rejects.toThrow(withCode('KEY_UNUSABLE'));
  });

  test('the certificate of a key file needs no passphrase and is its public half', async () => {
    const key = await forgeKey();
    const locked = await encryptKey({ privateKey: await forgeKey(), passphrase: PASSPHRASE });
    expect((await readSecretCertificate(key.write())).binary).toEqual((await certificateOf(key)).binary);
    expect((await readSecretCertificate(locked.write())).fingerprint).toBe(fingerprint(locked));
  });
});

describe('refusals', () => {
  test.each([
    ['text', Buffer.from('no key\n')],
    ['nothing', Buffer.alloc(0)],
    ['junk', Buffer.from([0xc5, 1, 4])],
  ])('%s is KEY_MALFORMED', async (_, bytes) => {
    await expect(open(bytes)).rejects.toThrow(withCode('KEY_MALFORMED'));
  });

  test('a public key is KEY_MALFORMED with a hint, two keys are KEY_MALFORMED', async () => {
    const key = await forgeKey();
    const hint = expect.stringContaining('secret') as string;
    const hinted: unknown = expect.objectContaining({ code: 'KEY_MALFORMED', hint });
    await expect(open(publicBytes(key))).rejects.toThrow(hinted);
    await expect(open(Buffer.from(key.toPublic().armor()))).rejects.toThrow(hinted);
    const two = Buffer.concat([key.write(), (await forgeKey()).write()]);
    await expect(open(two)).rejects.toThrow(withCode('KEY_MALFORMED'));
    await expect(open(Buffer.from(key.armor() + key.armor()))).rejects.toThrow(withCode('KEY_MALFORMED'));
  });

  test('T25: with an expired signing subkey no key signs, not even the primary key', async () => {
    const key = await forgeKey({ subkeys: [{ sign: true, keyExpirationTime: 5 * 86_400 }] });
    await expect(open(key)).rejects.toThrow(withCode('KEY_EXPIRED'));
  });

  test.each(['keySuperseded', 'keyCompromised'] as const)(
    'T25: with a revoked signing subkey no key signs (%s)',
    async (name) => {
      const key = await forgeKey();
      const flag = reasonForRevocation[name];
      key.subkeys[0] = await key.subkeys[0]!.revoke(primaryOf(key) as never, { flag }, day(1));
      await expect(open(key)).rejects.toThrow(withCode('KEY_REVOKED'));
    },
  );

  test('a revoked or expired primary key disables its subkeys', async () => {
    await expect(open(await (await forgeKey()).revoke({}, day(1)))).rejects.toThrow(withCode('KEY_REVOKED'));
    await expect(open(await forgeKey({ expires: 86_400 }))).rejects.toThrow(withCode('KEY_EXPIRED'));
  });

  test('a key younger than the date is KEY_NOT_YET_VALID, when opened and when it signs', async () => {
    await expect(open(await forgeKey({ date: day(11) }))).rejects.toThrow(withCode('KEY_NOT_YET_VALID'));
    const signer = await open(await forgeKey());
    await expect(signer.sign(DOCUMENT, { date: day(-1), deterministic: true })).rejects.toThrow(
      withCode('KEY_NOT_YET_VALID'),
    );
  });

  test('a key that expires between reading and signing is KEY_EXPIRED', async () => {
    const signer = await open(await forgeKey({ expires: 11 * 86_400 }));
    await expect(signer.sign(DOCUMENT, { date: day(11), deterministic: true })).rejects.toThrow(
      withCode('KEY_EXPIRED'),
    );
  });

  test('a short RSA key is KEY_WEAK', async () => {
    const { privateKey } = await generatePackets({
      type: 'rsa',
      rsaBits: 1536,
      userIDs: [{ name: 'Old' }],
      date: BORN,
      format: 'object',
      config: { minRSABits: 1024 },
    });
    await expect(open(privateKey)).rejects.toThrow(withCode('KEY_WEAK'));
  });

  test('T7: a key with only SHA-1 self-signatures is KEY_WEAK', async () => {
    const key = await forgeKey({ rsa: true, subkeys: [] });
    const user = key.users[0]!;
    user.selfCertifications = [
      await forgePacket(primaryOf(key), { key: key.keyPacket, userID: user.userID! } as never, {
        type: type.certPositive,
        hash: hash.sha1,
        date: BORN,
        prepare: (packet) => (packet.keyFlags = new Uint8Array([3])),
      }),
    ];
    await expect(open(key)).rejects.toThrow(withCode('KEY_WEAK'));
  });

  test('a key without a self-signature, and one that only certifies, are KEY_UNUSABLE', async () => {
    const bare = await forgeKey();
    bare.users = [];
    await expect(open(bare)).rejects.toThrow(withCode('KEY_UNUSABLE'));
    const certifier = await forgeKey({ subkeys: [] });
    certifier.users[0]!.selfCertifications = [
      await forgePacket(
        primaryOf(certifier),
        { key: certifier.keyPacket, userID: certifier.users[0]!.userID! } as never,
        {
          type: type.certPositive,
          date: BORN,
          prepare: (packet) => (packet.keyFlags = new Uint8Array([1])),
        },
      ),
    ];
    await expect(open(certifier)).rejects.toThrow(withCode('KEY_UNUSABLE'));
  });

  test('refuses by name the RFC 9580 key that older tools cannot read', async () => {
    const { privateKey } = await generatePackets({
      type: 'curve25519',
      userIDs: [{ name: 'New' }],
      format: 'object',
    });
    await expect(open(privateKey)).rejects.toThrow('Ed25519 of RFC 9580 keys are not supported');
  });

  test('refuses a secret half that does not belong to its public half, before it signs', async () => {
    const [key, other] = [await forgeKey({ subkeys: [] }), await forgeKey({ subkeys: [] })];
    const [packet, ...rest] = splitPackets(key.write(), KEY_FILE);
    const foreign = splitPackets(other.write(), KEY_FILE)[0]!;
    const publicLength = splitPackets(publicBytes(key), KEY_FILE)[0]!.body.length;
    const body = Buffer.concat([packet!.body.subarray(0, publicLength), foreign.body.subarray(publicLength)]);
    const mixed = joinPackets([{ tag: 5, body }, ...rest]);
    await expect(open(mixed)).rejects.toThrow(withCode('KEY_MALFORMED'));
  });
});
