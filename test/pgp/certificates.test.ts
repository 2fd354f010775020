import { armor, enums, generateKey, readKey, readKeys, UserIDPacket } from 'openpgp';
import { describe, expect, test } from 'vitest';
import {
  encodeCertificates,
  expiryOf,
  mergeCertificates,
  readCertificates,
  requireUsable,
  signingStatus,
} from '../../src/pgp/certificates.js';
import { encodeArmor } from '../../src/pgp/armor.js';
import { joinPackets, splitPackets } from '../../src/pgp/packets.js';
import { CERTIFICATE_FILE } from '../../src/pgp/origin.js';
import { readSignaturePacket } from '../../src/pgp/packet-objects.js';
import {
  BORN,
  bindingSubject,
  certificateOf,
  day,
  fingerprint,
  forgeKey,
  forgePacket,
  primaryOf,
  publicBytes,
  subkeyOf,
} from './forge.js';

const { reasonForRevocation, signature: type } = enums;
const MALFORMED = expect.objectContaining({ code: 'KEYS_MALFORMED' }) as unknown;

describe('a certificate file', () => {
  test('holds the certificates of all signers, in one armor block or in binary', async () => {
    const keys = [await forgeKey({ name: 'Ann' }), await forgeKey({ name: 'Bob', rsa: true })];
    const { armored, binary } = encodeCertificates(await Promise.all(keys.map(certificateOf)));
    for (const bytes of [armored, binary]) {
      const certificates = await readCertificates(bytes);
      expect(certificates.map((one) => one.fingerprint)).toEqual(keys.map(fingerprint).sort());
      expect(encodeCertificates(certificates)).toEqual({ armored, binary });
      expect(encodeCertificates([...certificates].reverse())).toEqual({ armored, binary });
    }
    expect(encodeArmor(binary, 'PUBLIC KEY BLOCK')).toEqual(armored);
    expect(Buffer.from(armored).toString().match(/BEGIN/g)).toHaveLength(1);
    expect(await readKeys({ armoredKeys: Buffer.from(armored).toString() })).toHaveLength(2);
  });

  test('describes a certificate', async () => {
    const key = await forgeKey({ expires: 86_400 });
    expect(await certificateOf(key)).toMatchObject({
      fingerprint: fingerprint(key),
      userIds: ['Ann <ann@example.org>'],
      created: BORN,
    });
  });

  test('leaves out packets that readers must ignore', async () => {
    const key = await forgeKey();
    const ignored = [10, 12, 21, 60].map((tag) => ({ tag, body: Buffer.from('PGP') }));
    const bytes = Buffer.concat([joinPackets(ignored), publicBytes(key), joinPackets(ignored)]);
    const [certificate] = await readCertificates(bytes);
    expect(certificate!.binary).toEqual((await certificateOf(key)).binary);
  });

  test('T2: a second armor block is refused, where OpenPGP.js would drop it', async () => {
    const [ann, bob] = [await forgeKey(), await forgeKey()];
    const both = Buffer.from(ann.toPublic().armor() + bob.toPublic().armor());
    await expect(readCertificates(both)).rejects.toThrow(MALFORMED);
  });

  test('T19: refuses a secret key, in any form and next to anything', async () => {
    const key = await forgeKey();
    const pretended = armor(enums.armor.publicKey, key.write());
    const beside = Buffer.concat([publicBytes(key), key.write()]);
    for (const bytes of [Buffer.from(key.armor()), key.write(), Buffer.from(pretended), beside]) {
      await expect(readCertificates(bytes)).rejects.toThrow(MALFORMED);
    }
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('no keys here\n')],
    ['binary junk', Buffer.from([0xff, 1, 2, 3])],
    ['a signature alone', joinPackets([{ tag: 2, body: Buffer.from([4, 0]) }])],
    ['a user id before the key', joinPackets([{ tag: 13, body: Buffer.from('Ann') }])],
    ['more than 1 MiB', Buffer.alloc(1024 * 1024 + 1, 0xc2)],
    [
      'an old PGP key',
      joinPackets([{ tag: 6, body: Buffer.from([3, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 1, 1]) }]),
    ],
    ['a key cut off', joinPackets([{ tag: 6, body: Buffer.from([4, 0, 0, 0, 0, 22]) }])],
  ])('%s is refused', async (_, bytes) => {
    await expect(readCertificates(bytes)).rejects.toThrow(MALFORMED);
  });

  test('refuses a literal packet after a key', async () => {
    const bytes = Buffer.concat([
      publicBytes(await forgeKey()),
      joinPackets([{ tag: 11, body: Buffer.from('b') }]),
    ]);
    await expect(readCertificates(bytes)).rejects.toThrow(MALFORMED);
  });

  test.each([
    ['version 6', { type: 'curve25519', config: { v6Keys: true } }, 'version 6'],
    ['Ed25519 of RFC 9580', { type: 'curve25519' }, 'Ed25519 of RFC 9580 keys are not supported'],
    ['Ed448', { type: 'curve448' }, 'Ed448 keys are not supported'],
  ] as const)('a key of %s is refused by name', async (_, options, message) => {
    const { publicKey } = await generateKey({ ...options, userIDs: [{ name: 'Ann' }], format: 'object' });
    await expect(readCertificates(publicKey.write())).rejects.toThrow(message);
    if (publicKey.keyPacket.version === 4) {
      await expect(readCertificates(publicKey.write())).rejects.toThrow(fingerprint(publicKey));
    }
  });

  test('T6: merges two certificates of the same primary key', async () => {
    const key = await forgeKey();
    const revoked = await key.revoke({ flag: reasonForRevocation.keyCompromised }, day(5));
    const twice = Buffer.concat([publicBytes(key), publicBytes(revoked)]);
    const certificates = await readCertificates(twice);
    expect(certificates).toHaveLength(1);
    expect(signingStatus(certificates[0]!, day(1)).kind).toBe('revoked');
  });

  test('does not show a user id that a stranger added', async () => {
    const [key, eve] = [await forgeKey({ name: 'Ann' }), await forgeKey({ name: 'Eve' })];
    const list = key.toPublic().toPacketList();
    const forged = UserIDPacket.fromObject({ name: 'Trent' });
    const certification = await forgePacket(primaryOf(eve), { key: key.keyPacket, userID: forged } as never, {
      type: type.certPositive,
    });
    certification.issuerKeyID = key.getKeyID();
    list.splice(1, 0, forged, certification);
    const [certificate] = await readCertificates(list.write());
    expect(certificate!.users).toHaveLength(2);
    expect(certificate!.userIds).toEqual(['Ann <ann@example.org>']);
  });

  test('a user id that is not UTF-8 stays verifiable', async () => {
    const key = await forgeKey();
    const latin = { write: () => Buffer.from('Zo\xeb', 'latin1') };
    const certification = await forgePacket(primaryOf(key), { key: key.keyPacket, userID: latin } as never, {
      type: type.certPositive,
      prepare: (packet) => (packet.keyFlags = new Uint8Array([3])),
    });
    const [primary] = splitPackets(publicBytes(key), CERTIFICATE_FILE);
    const bytes = joinPackets([
      primary!,
      { tag: 13, body: latin.write() },
      { tag: 2, body: certification.write() },
    ]);
    const [certificate] = await readCertificates(bytes);
    expect(certificate!.userIds).toEqual(['Zo\u{fffd}']);
    expect(signingStatus(certificate!, day(20)).kind).toBe('valid');
  });
});

describe('merging', () => {
  test('adds subkeys, user ids and revocations, and loses nothing', async () => {
    const key = await forgeKey();
    const before = await certificateOf(key);
    const grown = await key.addSubkey({ sign: true, date: day(30) });
    grown.subkeys[0] = await grown.subkeys[0]!.revoke(
      key.keyPacket as never,
      {
        flag: reasonForRevocation.keySuperseded,
      },
      day(31),
    );
    const after = await certificateOf(grown);
    for (const lists of [
      [[before], [after]],
      [[after], [before]],
    ] as const) {
      const [merged, ...rest] = await mergeCertificates(...lists);
      expect(rest).toEqual([]);
      expect(merged!.subkeys.map((subkey) => subkey.fingerprint)).toEqual(
        [0, 1].map((at) => fingerprint(subkeyOf(grown, at))),
      );
      expect(merged!.subkeys[0]!.revocations).toHaveLength(1);
      expect(signingStatus(merged!, day(40))).toMatchObject({
        kind: 'valid',
        key: { fingerprint: fingerprint(subkeyOf(grown, 1)) },
      });
    }
    expect(await mergeCertificates([before], [before])).toEqual([before]);
  });

  test('never loses a known revocation', async () => {
    const key = await forgeKey();
    const revoked = await certificateOf(await key.revoke({}, day(5)));
    const [merged] = await mergeCertificates([revoked], [await certificateOf(key)]);
    expect(merged!.binary).toEqual(revoked.binary);
    expect(() => requireUsable(merged!, day(6))).toThrow(expect.objectContaining({ code: 'KEY_REVOKED' }));
  });

  test('certificates of other primaries follow at the end', async () => {
    const [ann, bob] = [await certificateOf(await forgeKey()), await certificateOf(await forgeKey())];
    expect(await mergeCertificates([bob], [ann])).toEqual([bob, ann]);
  });

  test('a forged newer binding replaces nothing: the server of keys.asc cannot disable a subkey', async () => {
    const [key, eve] = [await forgeKey(), await forgeKey({ name: 'Eve' })];
    const known = await certificateOf(key);
    const forged = await forgePacket(primaryOf(eve), bindingSubject(primaryOf(key), subkeyOf(key)), {
      type: type.subkeyBinding,
      date: day(50),
    });
    forged.issuerKeyID = key.getKeyID();
    const poisoned = key.toPublic();
    poisoned.subkeys[0]!.bindingSignatures = [forged];
    poisoned.users.push(eve.users[0]!.clone());
    const [fresh] = await readCertificates(poisoned.write());
    expect(await mergeCertificates([known], [fresh!])).toEqual([known]);
  });

  test('other unhashed areas do not make new signatures of old ones', async () => {
    const key = await forgeKey();
    const known = await certificateOf(key);
    const padded = key.toPublic();
    padded.users[0]!.selfCertifications[0]!.unhashedSubpackets.push({
      type: 100,
      critical: false,
      body: Buffer.alloc(9),
    });
    const [fresh] = await readCertificates(padded.write());
    expect(fresh!.binary).toEqual(known.binary);
    expect(await mergeCertificates([known], [fresh!])).toEqual([known]);
  });

  test('T24: merges foreign certifications only by primary keys of either side', async () => {
    const [ann, bob, eve] = [
      await forgeKey(),
      await forgeKey({ name: 'Bob' }),
      await forgeKey({ name: 'Eve' }),
    ];
    const certified = bob.toPublic();
    const user = certified.users[0]!;
    for (const by of [primaryOf(ann), subkeyOf(ann), primaryOf(eve)]) {
      const over = { key: bob.keyPacket, userID: user.userID! } as never;
      user.otherCertifications.push(await forgePacket(by, over, { type: type.certGeneric }));
    }
    const [fresh] = await readCertificates(certified.write());
    const [merged] = await mergeCertificates([await certificateOf(bob), await certificateOf(ann)], [fresh!]);
    const issuers = merged!.anatomy.users[0]!.signatures.map(({ body }) =>
      readSignaturePacket(body).issuerKeyID.toHex(),
    );
    expect(issuers).toEqual([bob, ann].map((key) => key.getKeyID().toHex()));
  });
});

describe('key status', () => {
  test('the newest valid signing subkey signs; T25: the primary key never replaces it', async () => {
    const key = await (
      await forgeKey()
    ).addSubkey({ sign: true, date: day(10), keyExpirationTime: 10 * 86_400 });
    const certificate = await certificateOf(key);
    const at = (number: number): unknown => signingStatus(certificate, day(number));
    expect(at(5)).toMatchObject({ kind: 'valid', key: { fingerprint: fingerprint(subkeyOf(key, 0)) } });
    expect(at(15)).toMatchObject({ kind: 'valid', key: { fingerprint: fingerprint(subkeyOf(key, 1)) } });
    expect(at(25)).toMatchObject({ kind: 'valid', key: { fingerprint: fingerprint(subkeyOf(key, 0)) } });
    expect(at(-1)).toMatchObject({ kind: 'not-yet-valid' });
    expect(expiryOf(certificate, day(15))).toEqual(day(20));
    expect(expiryOf(certificate, day(5))).toBeNull();
  });

  test('T25: with expired subkeys the status is expired, even if the primary key could sign', async () => {
    const key = await forgeKey({ subkeys: [{ sign: true, keyExpirationTime: 86_400 }] });
    const certificate = await certificateOf(key);
    expect(signingStatus(certificate, day(2))).toMatchObject({ kind: 'expired' });
    expect(signingStatus(certificate, day(2), fingerprint(key))).toMatchObject({ kind: 'valid' });
    expect(signingStatus(certificate, day(2), 'F'.repeat(16))).toMatchObject({ kind: 'unusable' });
    expect(expiryOf(certificate, day(2))).toEqual(day(1));
    expect(() => requireUsable(certificate, day(2))).toThrow(
      expect.objectContaining({ code: 'KEY_EXPIRED' }),
    );
  });

  test('agrees with OpenPGP.js where it is right', async () => {
    const keys = [
      await forgeKey(),
      await forgeKey({ expires: 20 * 86_400 }),
      await forgeKey({ subkeys: [{ sign: true, keyExpirationTime: 20 * 86_400 }, {}] }),
      await (await forgeKey()).revoke({ flag: reasonForRevocation.keyRetired }, day(20)),
      await (await forgeKey()).revoke({ flag: reasonForRevocation.keyCompromised }, day(20)),
    ];
    for (const key of keys) {
      const certificate = await certificateOf(key);
      for (const number of [-1, 0, 1, 19, 20, 21]) {
        // Read anew each time, because OpenPGP.js remembers revocations in its objects.
        const theirs = await (
          await readKey({ binaryKey: publicBytes(key) })
        )
          .getSigningKey(subkeyOf(key).getKeyID(), day(number))
          .then(
            () => 'valid',
            () => 'not',
          );
        const ours = signingStatus(certificate, day(number), fingerprint(subkeyOf(key)));
        expect([number, ours.kind === 'valid' ? 'valid' : 'not']).toEqual([number, theirs]);
      }
    }
  });
});
