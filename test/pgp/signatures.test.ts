import { enums, generateKey, LiteralDataPacket, PacketList, sign, createMessage } from 'openpgp';
import type { PrivateKey } from 'openpgp';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { encodeArmor } from '../../src/pgp/armor.js';
import type { Certificate } from '../../src/pgp/certificates.js';
import { readCertificates } from '../../src/pgp/certificates.js';
import { joinPackets, splitPackets } from '../../src/pgp/packets.js';
import { SIGNATURE_FILE } from '../../src/pgp/origin.js';
import type { SignatureReport } from '../../src/pgp/signatures.js';
import { countDistinct, joinSignatures, readSignatures, verifySignatures } from '../../src/pgp/signatures.js';
import {
  BORN,
  bindingSubject,
  certificateOf,
  day,
  DOCUMENT,
  fingerprint,
  forgeKey,
  forgePacket,
  forgeSignature,
  primaryOf,
  subkeyOf,
} from './forge.js';

const { hash, reasonForRevocation, signature: type } = enums;
const NOW = day(100);
const MALFORMED = expect.objectContaining({ code: 'SIGNATURE_MALFORMED' }) as unknown;

async function judge(
  signatures: readonly Uint8Array[],
  certificates: readonly Certificate[],
  now: Date = NOW,
): Promise<readonly SignatureReport[]> {
  return await verifySignatures(DOCUMENT, signatures, { certificates, now });
}

async function judgeOne(
  signature: Uint8Array,
  certificate: Certificate,
  now: Date = NOW,
): Promise<SignatureReport> {
  const [report] = await judge([signature], [certificate], now);
  return report!;
}

function count(reports: readonly SignatureReport[]): number {
  return countDistinct(reports, { from: BORN, until: NOW }).size;
}

let ann: PrivateKey;
let bob: PrivateKey;
let annsCertificate: Certificate;
let bobsCertificate: Certificate;
let annsSignature: Uint8Array;
let bobsSignature: Uint8Array;

beforeAll(async () => {
  ann = await forgeKey({ name: 'Ann' });
  bob = await forgeKey({ name: 'Bob' });
  annsCertificate = await certificateOf(ann);
  bobsCertificate = await certificateOf(bob);
  annsSignature = await forgeSignature(subkeyOf(ann));
  bobsSignature = await forgeSignature(subkeyOf(bob));
});

describe('a signature file', () => {
  const armored = (binary: Uint8Array): Uint8Array => encodeArmor(binary, 'SIGNATURE');

  test('comes back packet by packet, without duplicates', () => {
    const file = joinSignatures([annsSignature, bobsSignature, annsSignature]);
    expect(readSignatures(file)).toEqual([annsSignature, bobsSignature].map((bytes) => Buffer.from(bytes)));
    expect(joinSignatures(readSignatures(file))).toEqual(file);
  });

  test('may be binary only if the user named it', () => {
    expect(() => readSignatures(annsSignature)).toThrow(MALFORMED);
    expect(readSignatures(annsSignature, { allowBinary: true })).toHaveLength(1);
  });

  test('T2: a complete signed message in its place is refused', async () => {
    const message = await sign({
      message: await createMessage({ binary: Buffer.from('other bytes') }),
      signingKeys: ann,
      format: 'binary',
    });
    expect(() => readSignatures(armored(message))).toThrow(MALFORMED);
  });

  test('T2: refuses a literal packet next to a signature', () => {
    const literal = new LiteralDataPacket();
    (literal as unknown as { setBytes(bytes: Uint8Array, format: number): void }).setBytes(DOCUMENT, 98);
    const list = new PacketList();
    list.push(literal);
    const payload = Buffer.from(list.write());
    expect(() => readSignatures(armored(Buffer.concat([annsSignature, payload])))).toThrow(MALFORMED);
    expect(() => readSignatures(armored(Buffer.concat([payload, annsSignature])))).toThrow(MALFORMED);
  });

  test('T2: a second armor block is refused, not dropped', () => {
    const twice = Buffer.concat([armored(annsSignature), armored(bobsSignature)]);
    expect(() => readSignatures(twice)).toThrow(MALFORMED);
  });

  test.each([10, 21, 60])('T2: a packet of type %i, which OpenPGP.js skips, is refused', (tag) => {
    const beside = joinPackets([{ tag, body: Buffer.from('PGP') }]);
    expect(() => readSignatures(armored(Buffer.concat([annsSignature, beside])))).toThrow(MALFORMED);
  });

  test('T2: more than 32 signatures, or 64 KiB, is refused', () => {
    const many = (number: number): Uint8Array =>
      armored(Buffer.concat(Array<Uint8Array>(number).fill(annsSignature)));
    expect(readSignatures(many(32))).toHaveLength(32);
    expect(() => readSignatures(many(33))).toThrow(MALFORMED);
    const padded = Buffer.concat([armored(annsSignature), Buffer.alloc(64 * 1024, '\n')]);
    expect(() => readSignatures(padded)).toThrow(MALFORMED);
  });
});

describe('verification', () => {
  test('reports who signed, when, and when that key expires', async () => {
    const report = await judgeOne(annsSignature, annsCertificate);
    expect(report).toEqual({
      fingerprint: fingerprint(ann),
      issuer: fingerprint(subkeyOf(ann)),
      userId: 'Ann <ann@example.org>',
      signedAt: day(10),
      good: true,
      reason: null,
      revoked: false,
      packet: annsSignature,
      keyExpires: null,
    });
  });

  test('every hash of the specification and the primary key itself are accepted', async () => {
    for (const algorithm of [hash.sha256, hash.sha384, hash.sha512, hash.sha3_256, hash.sha3_512]) {
      const signature = await forgeSignature(primaryOf(ann), DOCUMENT, { hash: algorithm });
      expect((await judgeOne(signature, annsCertificate)).good).toBe(true);
    }
  });

  test.each([['nistP256'], ['nistP384'], ['nistP521']] as const)('reads signatures on %s', async (curve) => {
    const key = await forgeKey({ curve });
    const algorithm = { nistP256: hash.sha256, nistP384: hash.sha384, nistP521: hash.sha512 }[curve];
    const signature = await forgeSignature(subkeyOf(key), DOCUMENT, { hash: algorithm });
    expect(await judgeOne(signature, await certificateOf(key))).toMatchObject({ good: true });
  });

  test('T1: one changed bit of the document invalidates the signature', async () => {
    const altered = Buffer.from(DOCUMENT);
    altered.writeUInt8(altered.readUInt8(3) ^ 1, 3);
    const [report] = await verifySignatures(altered, [annsSignature], {
      certificates: [annsCertificate],
      now: NOW,
    });
    expect(report).toMatchObject({ good: false, fingerprint: fingerprint(ann) });
  });

  test('T3: a text-mode signature does not count, not even over the same bytes', async () => {
    const text = await forgeSignature(subkeyOf(ann), DOCUMENT, { type: type.text });
    expect(await judgeOne(text, annsCertificate)).toMatchObject({
      good: false,
      reason: 'not a signature over the exact bytes',
    });
  });

  test.each([type.standalone, type.timestamp, type.certGeneric, type.keyRevocation, 0x99])(
    'T3: a signature of type %i does not count',
    async (number) => {
      const packet = Buffer.from(annsSignature);
      const body = splitPackets(packet, SIGNATURE_FILE)[0]!.body;
      body[1] = number;
      expect(await judgeOne(packet, annsCertificate)).toMatchObject({ good: false });
    },
  );

  test('T4: a good signature survives a bad one beside it and a duplicate never counts twice', async () => {
    const bad = await forgeSignature(subkeyOf(ann), Buffer.from('other bytes'));
    const damaged = joinPackets([{ tag: 2, body: Buffer.from([4, 0, 22, 8, 0xff, 0xff, 1]) }]);
    const empty = joinPackets([{ tag: 2, body: Buffer.alloc(0) }]);
    const stranger = await forgeSignature(primaryOf(await forgeKey()));
    for (const file of [
      [bad, annsSignature, damaged, empty, stranger],
      [annsSignature, bad, annsSignature, damaged],
      [damaged, stranger, empty, annsSignature],
    ]) {
      const reports = await judge(file, [bobsCertificate, annsCertificate]);
      expect(reports).toHaveLength(file.length);
      expect([...countDistinct(reports, { from: BORN, until: NOW })]).toEqual([fingerprint(ann)]);
    }
  });

  test('T4: unsupported signatures do not affect the others', async () => {
    const signatures = [annsSignature];
    for (const v6Keys of [true, false]) {
      const modern = await generateKey({
        type: 'curve25519',
        userIDs: [{ name: 'Eve' }],
        date: BORN,
        subkeys: [],
        format: 'object',
        config: { v6Keys },
      });
      signatures.unshift(await forgeSignature(primaryOf(modern.privateKey), DOCUMENT, { hash: hash.sha512 }));
    }
    const reports = await judge(signatures, [annsCertificate]);
    expect(reports.map(({ good }) => good)).toEqual([false, false, true]);
    expect(reports[1]?.reason).toBe('signatures of version 6 are not supported');
  });

  test('T4: a certificate that lists the subkey of another neither steals nor hides its signatures', async () => {
    const evil = await forgeKey({ name: 'Eve' });
    const foreign = ann.subkeys[0]!;
    // Eve binds Ann's subkey herself; she has no signature back by it, so she reuses Ann's.
    const binding = await forgePacket(primaryOf(evil), bindingSubject(primaryOf(evil), subkeyOf(ann)), {
      type: type.subkeyBinding,
      date: BORN,
      prepare: (packet) => {
        packet.keyFlags = new Uint8Array([enums.keyFlags.signData]);
        packet.embeddedSignature = foreign.bindingSignatures[0]!.embeddedSignature;
      },
    });
    const list = evil.toPublic().toPacketList();
    list.push(ann.toPublic().subkeys[0]!.keyPacket, binding);
    const [thief] = await readCertificates(list.write());
    expect(thief!.subkeys).toHaveLength(2);
    for (const certificates of [
      [thief!, annsCertificate],
      [annsCertificate, thief!],
    ]) {
      const [report] = await judge([annsSignature], certificates);
      expect(report).toMatchObject({ good: true, fingerprint: fingerprint(ann) });
    }
    expect(await judgeOne(annsSignature, thief!)).toMatchObject({
      good: false,
      fingerprint: fingerprint(evil),
    });
  });

  test('T5: a good signature by a key that is not among the certificates does not count', async () => {
    expect(await judgeOne(bobsSignature, annsCertificate)).toMatchObject({
      good: false,
      fingerprint: null,
      issuer: fingerprint(subkeyOf(bob)),
    });
  });

  test('T6: primary key and subkey of one certificate are one signer', async () => {
    const byPrimary = await forgeSignature(primaryOf(ann));
    const reports = await judge([annsSignature, byPrimary], [annsCertificate, bobsCertificate]);
    expect(reports.every(({ good }) => good)).toBe(true);
    expect(count(reports)).toBe(1);
    expect(count(await judge([annsSignature, bobsSignature], [annsCertificate, bobsCertificate]))).toBe(2);
  });

  test.each([hash.sha1, hash.sha224])(
    'T7: a signature over the weak hash %i does not count',
    async (algorithm) => {
      const key = await forgeKey({ rsa: true, subkeys: [] });
      const signature = await forgeSignature(primaryOf(key), DOCUMENT, { hash: algorithm });
      expect(await judgeOne(signature, await certificateOf(key))).toMatchObject({
        good: false,
        reason: 'the signature is over a hash that is too weak',
      });
    },
  );

  test('T7: signatures by a certificate with only SHA-1 self-signatures do not count', async () => {
    const key = await forgeKey({ rsa: true, subkeys: [] });
    const user = key.users[0]!;
    const [certification] = user.selfCertifications;
    const weak = await forgePacket(primaryOf(key), { key: key.keyPacket, userID: user.userID! } as never, {
      type: type.certPositive,
      hash: hash.sha1,
      date: BORN,
      prepare: (packet) => (packet.keyFlags = certification!.keyFlags),
    });
    const signature = await forgeSignature(primaryOf(key));
    user.selfCertifications = [weak];
    const certificate = await certificateOf(key);
    expect(await judgeOne(signature, certificate)).toMatchObject({
      good: false,
      reason: 'the key has only SHA-1 or weaker self-signatures',
    });
    user.selfCertifications = [weak, certification!];
    expect((await judgeOne(signature, await certificateOf(key))).good).toBe(true);
  });

  test('T22: a signature from the future does not count, except within the slack', async () => {
    const near = await forgeSignature(subkeyOf(ann), DOCUMENT, {
      date: new Date(NOW.getTime() + 9 * 60_000),
    });
    const far = await forgeSignature(subkeyOf(ann), DOCUMENT, {
      date: new Date(NOW.getTime() + 11 * 60_000),
    });
    expect(await judgeOne(near, annsCertificate)).toMatchObject({ good: true });
    expect(await judgeOne(far, annsCertificate)).toMatchObject({ good: false });
  });

  test('T23: a signature counts only between the two moments, both included', async () => {
    const reports = await judge([annsSignature], [annsCertificate]);
    const second = 1000;
    const at = day(10).getTime();
    const within = (from: number, until: number): number =>
      countDistinct(reports, { from: new Date(from), until: new Date(until) }).size;
    expect(within(at, at)).toBe(1);
    expect(within(at + second, at + 2 * second)).toBe(0);
    expect(within(at - 2 * second, at - second)).toBe(0);
  });

  test('T23: after a soft revocation only a backdated signature is good, and it is outside the window', async () => {
    const key = await forgeKey();
    const revoked = await key.revoke({ flag: reasonForRevocation.keySuperseded }, day(50));
    const certificate = await certificateOf(revoked);
    const before = await forgeSignature(subkeyOf(key), DOCUMENT, { date: day(49) });
    const after = await forgeSignature(subkeyOf(key), DOCUMENT, { date: day(51) });
    // The order must not matter: OpenPGP.js remembers a revocation that it has met once.
    for (const file of [
      [after, before],
      [before, after],
    ]) {
      const reports = await judge(file, [certificate]);
      expect(reports.map(({ good }) => good)).toEqual(file.map((signature) => signature === before));
      expect(countDistinct(reports, { from: day(60), until: NOW }).size).toBe(0);
    }
  });

  test.each(['noReason', 'keyCompromised'] as const)(
    'a hard revocation (%s) kills every signature',
    async (name) => {
      const key = await forgeKey();
      const revoked = await key.revoke({ flag: reasonForRevocation[name] }, day(90));
      expect(await judgeOne(await forgeSignature(subkeyOf(key)), await certificateOf(revoked))).toMatchObject(
        {
          good: false,
          reason: 'the key was revoked at 2025-04-01T00:00:00Z',
          revoked: true,
        },
      );
    },
  );

  test('a soft or hard revocation of a subkey affects only that subkey', async () => {
    for (const [flag, good] of [
      [reasonForRevocation.keyRetired, true],
      [reasonForRevocation.keyCompromised, false],
    ] as const) {
      const key = await forgeKey();
      const signature = await forgeSignature(subkeyOf(key));
      key.subkeys[0] = await key.subkeys[0]!.revoke(key.keyPacket as never, { flag }, day(50));
      const certificate = await certificateOf(key);
      expect((await judgeOne(signature, certificate)).good).toBe(good);
      const later = await forgeSignature(subkeyOf(key), DOCUMENT, { date: day(60) });
      expect((await judgeOne(later, certificate)).good).toBe(false);
      expect((await judgeOne(await forgeSignature(primaryOf(key)), certificate)).good).toBe(true);
    }
  });

  test('accepts a revocation over SHA-1, as in old revocation certificates', async () => {
    const key = await forgeKey({ rsa: true, subkeys: [] });
    const revocation = await forgePacket(primaryOf(key), { key: key.keyPacket } as never, {
      type: type.keyRevocation,
      hash: hash.sha1,
    });
    const signature = await forgeSignature(primaryOf(key));
    expect((await judgeOne(signature, await certificateOf(key))).good).toBe(true);
    key.revocationSignatures = [revocation];
    expect((await judgeOne(signature, await certificateOf(key))).good).toBe(false);
  });

  test('ignores a revocation by a stranger', async () => {
    const key = await forgeKey();
    const stranger = await forgePacket(primaryOf(bob), { key: key.keyPacket } as never, {
      type: type.keyRevocation,
      prepare: (packet) => (packet.reasonForRevocationFlag = null),
    });
    stranger.issuerKeyID = key.getKeyID();
    key.revocationSignatures = [stranger];
    expect((await judgeOne(await forgeSignature(subkeyOf(key)), await certificateOf(key))).good).toBe(true);
  });

  test('accepts a revocation appended after the last subkey', async () => {
    const key = await forgeKey();
    const revoked = await key.revoke({ flag: reasonForRevocation.noReason }, day(50));
    const list = key.toPublic().toPacketList();
    list.push(revoked.revocationSignatures[0]!);
    const [certificate] = await readCertificates(list.write());
    expect((await judgeOne(await forgeSignature(subkeyOf(key)), certificate!)).good).toBe(false);
  });

  test('signatures from before a subkey expired stay good, and report the expiry', async () => {
    const key = await forgeKey({ subkeys: [{ sign: true, keyExpirationTime: 20 * 86_400 }] });
    const certificate = await certificateOf(key);
    expect(await judgeOne(await forgeSignature(subkeyOf(key)), certificate)).toMatchObject({
      good: true,
      keyExpires: day(20),
    });
    const late = await forgeSignature(subkeyOf(key), DOCUMENT, { date: day(20) });
    expect(await judgeOne(late, certificate)).toMatchObject({
      good: false,
      reason: 'the key expired at 2025-01-21T00:00:00Z',
    });
  });

  test('an expired primary key makes its subkeys expire too', async () => {
    const key = await forgeKey({ expires: 20 * 86_400, subkeys: [{ sign: true, keyExpirationTime: 0 }] });
    const late = await forgeSignature(subkeyOf(key), DOCUMENT, { date: day(21) });
    expect((await judgeOne(late, await certificateOf(key))).good).toBe(false);
  });

  test('older signatures stay good after a new self-signature extends the key', async () => {
    const key = await forgeKey({ expires: 20 * 86_400 });
    const signature = await forgeSignature(subkeyOf(key));
    const user = key.users[0]!;
    const renewed = await forgePacket(primaryOf(key), { key: key.keyPacket, userID: user.userID! } as never, {
      type: type.certPositive,
      date: day(15),
      prepare: (packet) => {
        packet.keyFlags = new Uint8Array([3]);
        packet.keyExpirationTime = 500 * 86_400;
        packet.keyNeverExpires = false;
      },
    });
    user.selfCertifications = [renewed];
    expect(await judgeOne(signature, await certificateOf(key))).toMatchObject({
      good: true,
      keyExpires: day(20),
    });
  });

  test('an encryption subkey does not sign, although it is an RSA key', async () => {
    const key = await forgeKey({ rsa: true, subkeys: [{}] });
    expect(await judgeOne(await forgeSignature(subkeyOf(key)), await certificateOf(key))).toMatchObject({
      good: false,
      reason: 'the key is not a signing key',
    });
  });

  test('an expired signature, and one dated before its key was made, do not count', async () => {
    const brief = await forgeSignature(subkeyOf(ann), DOCUMENT, {
      prepare: (packet) => {
        packet.signatureExpirationTime = 60;
        packet.signatureNeverExpires = false;
      },
    });
    expect((await judgeOne(brief, annsCertificate, new Date(day(10).getTime() + 59_000))).good).toBe(true);
    expect((await judgeOne(brief, annsCertificate)).reason).toBe('the signature has expired');
    const early = await forgeSignature(subkeyOf(ann), DOCUMENT, { date: day(-1) });
    expect((await judgeOne(early, annsCertificate)).good).toBe(false);
  });

  test('an unknown critical notation makes a signature bad', async () => {
    const notation = { name: 'x@example.org', value: Buffer.from('1'), humanReadable: true, critical: true };
    const signature = await forgeSignature(subkeyOf(ann), DOCUMENT, {
      prepare: (packet) => (packet.rawNotations = [notation]),
    });
    expect((await judgeOne(signature, annsCertificate)).good).toBe(false);
  });

  test('weak RSA keys do not count', async () => {
    const { privateKey } = await generateKey({
      type: 'rsa',
      rsaBits: 1536,
      userIDs: [{ name: 'Old' }],
      subkeys: [],
      date: BORN,
      format: 'object',
      config: { minRSABits: 1024 },
    });
    expect(
      await judgeOne(await forgeSignature(primaryOf(privateKey)), await certificateOf(privateKey)),
    ).toMatchObject({
      good: false,
      reason: 'RSA keys shorter than 2048 bits are too weak',
    });
  });

  test('T4, T6: no mutation, copy, deletion or reordering of packets raises the count', async () => {
    const revokedKey = await forgeKey({ name: 'Rex' });
    const revoked = await certificateOf(await revokedKey.revoke({}, day(20)));
    const good = [annsSignature, bobsSignature];
    const others = [
      await forgeSignature(subkeyOf(revokedKey)),
      await forgeSignature(subkeyOf(ann), Buffer.from('other bytes')),
      await forgeSignature(subkeyOf(bob), DOCUMENT, { type: type.text }),
    ];
    const pool = [...good, ...others];
    const pick = fc.record({
      which: fc.nat(pool.length - 1),
      flip: fc.option(fc.record({ at: fc.nat(400), bit: fc.nat(7) }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(pick, { maxLength: 12 }), async (picks) => {
        const file = picks.map(({ which, flip }) => flipped(pool[which]!, flip));
        const intact = new Set(file.flatMap((bytes) => good.filter((original) => bytes.equals(original))));
        const reports = await judge(file, [annsCertificate, bobsCertificate, revoked]);
        const counted = countDistinct(reports, { from: BORN, until: NOW });
        // A flip in an unhashed part may leave a good signature good; nobody but its signer gains by that.
        const touched = new Set(picks.filter(({ which }) => which < good.length).map(({ which }) => which));
        expect(counted.size).toBeGreaterThanOrEqual(intact.size);
        expect(counted.size).toBeLessThanOrEqual(touched.size);
        expect([...counted].every((one) => [fingerprint(ann), fingerprint(bob)].includes(one))).toBe(true);
      }),
      { numRuns: 150 },
    );
  });
});

function flipped(packet: Uint8Array, flip: { at: number; bit: number } | undefined): Buffer {
  const copy = Buffer.from(packet);
  if (flip !== undefined && flip.at < copy.length)
    copy.writeUInt8(copy.readUInt8(flip.at) ^ (1 << flip.bit), flip.at);
  return copy;
}
