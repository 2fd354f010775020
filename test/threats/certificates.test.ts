import { enums, PublicKeyPacket, SignaturePacket } from 'openpgp';
import type { AnySecretKeyPacket, PrivateKey } from 'openpgp';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { describeKey } from '../../src/keys/describe.js';
import { readSecretKey } from '../../src/signers/secret-key.js';
import { isCertifiedBy } from '../../src/pgp/certification.js';
import type { Certificate } from '../../src/pgp/certificates.js';
import {
  encodeCertificates,
  mergeCertificates,
  readCertificates,
  signingStatus,
} from '../../src/pgp/certificates.js';
import { encodeArmor } from '../../src/pgp/armor.js';
import { CERTIFICATE_FILE, KEY_FILE } from '../../src/pgp/origin.js';
import { hashedKey, publicPacketOf } from '../../src/pgp/packet-objects.js';
import type { KeySubject } from '../../src/pgp/packet-objects.js';
import { joinPackets, splitPackets } from '../../src/pgp/packets.js';
import type { Packet } from '../../src/pgp/packets.js';
import {
  BORN,
  bindingSubject,
  certificateOf,
  day,
  fingerprint,
  forgeKey,
  forgePacket,
  poisons,
  primaryOf,
  publicBytes,
  subkeyOf,
  withUnhashed,
} from '../pgp/forge.js';
import type { ForgeSignatureOptions } from '../pgp/forge.js';
import { AUTHENTIC, published, refused, verdict, verify } from './scene.js';

const { signature: type, reasonForRevocation, keyFlags } = enums;
const MALFORMED = expect.objectContaining({ code: 'KEYS_MALFORMED' }) as unknown;

let ann: PrivateKey;
let bob: PrivateKey;
/** OpenPGP.js signs over SHA-1 with RSA only. */
let rex: PrivateKey;
beforeAll(async () => {
  [ann, bob] = [await forgeKey({ name: 'Ann' }), await forgeKey({ name: 'Bob' })];
  rex = await forgeKey({ name: 'Rex', rsa: true });
});
afterEach(() => {
  vi.restoreAllMocks();
});

function packetsOf(key: PrivateKey): Packet[] {
  return [...splitPackets(publicBytes(key), CERTIFICATE_FILE)];
}

async function read(packets: readonly Packet[], only?: ReadonlySet<string>): Promise<Certificate> {
  const [certificate] = await readCertificates(joinPackets(packets), only === undefined ? {} : { only });
  return certificate!;
}

async function signature(
  by: AnySecretKeyPacket,
  over: KeySubject,
  options: ForgeSignatureOptions,
): Promise<Packet> {
  return { tag: 2, body: (await forgePacket(by, over, options)).write() };
}

function keyOf(key: PrivateKey): KeySubject {
  return { key: hashedKey(publicPacketOf(primaryOf(key), 5).body) };
}

function userOf(key: PrivateKey): KeySubject {
  const { userID } = key.users[0]!;
  return { ...keyOf(key), userID: { write: () => userID!.write() } };
}

const stolen = (packet: SignaturePacket) => {
  packet.reasonForRevocationFlag = reasonForRevocation.keyCompromised;
  packet.reasonForRevocationString = '';
};

async function subkeyRevocation(by: PrivateKey, options: ForgeSignatureOptions = {}): Promise<Packet> {
  const over = bindingSubject(primaryOf(ann), subkeyOf(ann));
  return await signature(primaryOf(by), over, {
    type: type.subkeyRevocation,
    prepare: stolen,
    ...options,
  });
}

async function keyRevocation(by: PrivateKey, options: ForgeSignatureOptions = {}): Promise<Packet> {
  return await signature(primaryOf(by), keyOf(ann), {
    type: type.keyRevocation,
    prepare: stolen,
    ...options,
  });
}

function statusOf(certificate: Certificate): string {
  return signingStatus(certificate, day(20), fingerprint(subkeyOf(ann))).kind;
}

const POISONS = poisons(() => bob);

describe('T27: unhashed data and places decide nothing', () => {
  test('a revocation of a subkey counts wherever it stands, and however often', async () => {
    const packets = packetsOf(ann);
    const revocation = await subkeyRevocation(ann);
    const clean = await read([...packets, revocation]);
    expect(statusOf(clean)).toBe('revoked');
    for (let at = 1; at <= packets.length; at++) {
      const moved = await read(packets.toSpliced(at, 0, revocation, revocation));
      expect([at, statusOf(moved)]).toEqual([at, 'revoked']);
      expect(moved.binary).toEqual(clean.binary);
    }
    await expect(readCertificates(joinPackets([revocation, ...packets]))).rejects.toThrow(MALFORMED);
  });

  test('so do a revocation of the primary key, and all self-signatures', async () => {
    const [primary, ...bound] = packetsOf(ann);
    const others = [...bound, await keyRevocation(ann)];
    const parts = others.filter(({ tag }) => tag !== 2);
    const signatures = others.filter(({ tag }) => tag === 2);
    const clean = await read([primary!, ...others]);
    expect(statusOf(clean)).toBe('revoked');
    for (const sorted of [
      [...signatures, ...parts],
      [...parts, ...signatures],
      [...parts, ...signatures.toReversed()],
    ])
      expect((await read([primary!, ...sorted])).binary).toHaveLength(clean.binary.length);
    const backwards = bound.filter(({ tag }) => tag === 2).toReversed();
    expect(statusOf(await read([primary!, ...parts, ...backwards]))).toBe('valid');
  });

  test.each(Object.keys(POISONS))('with %s in the unhashed area', async (name) => {
    const poison = POISONS[name]!();
    const signed = [
      ['revoked', [...packetsOf(ann), await subkeyRevocation(ann)]],
      ['revoked', [...packetsOf(ann), await keyRevocation(ann)]],
      ['valid', packetsOf(ann)],
    ] as const;
    for (const [status, packets] of signed) {
      const clean = await read(packets);
      const poisoned = await read(packets.map((one) => (one.tag === 2 ? withUnhashed(one, poison) : one)));
      expect([statusOf(clean), statusOf(poisoned)]).toEqual([status, status]);
      // What is written has an unhashed area of our own.
      expect(encodeCertificates([poisoned])).toEqual(encodeCertificates([clean]));
    }
  });

  test('a poisoned copy that came first does not keep the true revocation out', async () => {
    const packets = packetsOf(ann);
    const revocation = await subkeyRevocation(ann);
    for (const poison of Object.values(POISONS)) {
      const first = await read([...packets, withUnhashed(revocation, poison())]);
      const [merged] = await mergeCertificates([first], [await read([...packets, revocation])]);
      expect(statusOf(merged!)).toBe('revoked');
    }
  });

  test('of copies with other numbers the one that verifies counts, and a merge never loses it', async () => {
    const packets = packetsOf(ann);
    const revocation = await subkeyRevocation(ann);
    const wrong = { tag: 2, body: Buffer.from(revocation.body).fill(1, revocation.body.length - 20) };
    for (const copies of [
      [wrong, revocation],
      [revocation, wrong],
    ])
      expect(statusOf(await read([...packets, ...copies]))).toBe('revoked');
    const [known, without] = [await read([...packets, revocation]), await read([...packets, wrong])];
    expect(statusOf(without)).toBe('valid');
    for (const lists of [
      [known, without],
      [without, known],
    ] as const) {
      const [merged] = await mergeCertificates([lists[0]], [lists[1]]);
      expect(statusOf(merged!)).toBe('revoked');
      expect(statusOf((await readCertificates(merged!.binary))[0]!)).toBe('revoked');
    }
  });

  test('the signature back of a subkey counts in either area, and is kept', async () => {
    const packets = packetsOf(ann);
    const at = packets.length - 1;
    const over = bindingSubject(primaryOf(ann), subkeyOf(ann));
    const back = (await signature(subkeyOf(ann), over, { type: type.keyBinding })).body;
    const stranger = (await signature(subkeyOf(bob), over, { type: type.keyBinding })).body;
    const bare = await signature(primaryOf(ann), over, {
      type: type.subkeyBinding,
      date: day(1),
      prepare: (packet) => (packet.keyFlags = new Uint8Array([keyFlags.signData])),
    });
    const embedded = (body: Uint8Array) =>
      Buffer.concat([Buffer.from([0xff, 0, 0, 0, body.length + 1, 32]), body]);
    const withArea = (...areas: Uint8Array[]) =>
      packets.with(at, withUnhashed(bare, Buffer.concat([...areas])));
    const moved = await read(withArea(embedded(stranger), embedded(back), embedded(Buffer.from([4, 25]))));
    expect(statusOf(moved)).toBe('valid');
    expect(moved.binary).toEqual((await read(withArea(embedded(back)))).binary);
    expect(statusOf((await readCertificates(moved.binary))[0]!)).toBe('valid');
    // A server can strip it from the copy that comes first.
    const first = [...withArea(embedded(stranger)), withUnhashed(bare, embedded(back))];
    expect(statusOf(await read(first))).toBe('valid');
    const stripped = await read(withArea(embedded(stranger)));
    expect(statusOf(stripped)).toBe('unusable');
    for (const [known, fresh] of [
      [stripped, moved],
      [moved, stripped],
    ] as const)
      expect(statusOf((await mergeCertificates([known], [fresh]))[0]!)).toBe('valid');
  });

  test('a revocation with a critical notation that nobody knows counts all the same', async () => {
    const notation = { name: 'x@example.org', value: Buffer.from('1'), humanReadable: true, critical: true };
    const revocation = await subkeyRevocation(ann, {
      prepare: (packet) => (packet.rawNotations = [notation]),
    });
    expect(statusOf(await read([...packetsOf(ann), revocation]))).toBe('revoked');
  });

  test.each(['sha1', 'ripemd', 'sha224', 'sha384', 'sha512', 'sha3_256', 'sha3_512'] as const)(
    'a revocation over %s counts',
    async (hash) => {
      const revocation = await signature(primaryOf(rex), keyOf(rex), {
        type: type.keyRevocation,
        hash: enums.hash[hash],
        prepare: stolen,
      });
      const certificate = await read([...packetsOf(rex), revocation]);
      expect(signingStatus(certificate, day(20)).kind).toBe('revoked');
    },
  );

  test('what a stranger signed is neither counted nor written', async () => {
    const clean = await read(packetsOf(ann));
    const forged = [await subkeyRevocation(bob), await keyRevocation(bob)];
    const certificate = await read([...packetsOf(ann), ...forged, { tag: 13, body: Buffer.from('Eve') }]);
    expect(statusOf(certificate)).toBe('valid');
    expect(certificate.binary).toEqual(clean.binary);
  });
});

describe('T27: a designated revoker revokes', () => {
  test('`verify` and `key show` say that there is one whose certificate is missing', async () => {
    const designated = [...packetsOf(ann), await designating(ann, bob)];
    const place = await published({ ann });
    const file = (packets: readonly Packet[]) => encodeArmor(joinPackets(packets), 'PUBLIC KEY BLOCK');
    place.write('pins.asc', file(designated));
    place.write('dist/keys.asc', file(designated));
    const missing = `the key ${fingerprint(bob)} may revoke ${fingerprint(ann)}, and its certificate is not here`;
    const said = async () => (await place.packsign(['verify', 'dist', '--keys', 'pins.asc'])).stderr;
    expect(await said()).toContain(missing);
    const shown = await place.packsign(['key', 'show', 'pins.asc']);
    expect(shown.stdout).toContain('may revoke it too');
    expect(shown.stdout).toContain('its certificate is not here');
    place.write('dist/keys.asc', file([...designated, ...packetsOf(bob)]));
    expect(verdict(await verify(place))).toEqual(AUTHENTIC);
    expect(await said()).not.toContain('may revoke');
    place.write('dist/keys.asc', file([...designated, await keyRevocation(bob), ...packetsOf(bob)]));
    expect(verdict(await verify(place))).toEqual(refused('KEY_REVOKED'));
  });

  async function designating(reader: PrivateKey, revoker: PrivateKey, kind = 0x80): Promise<Packet> {
    return await signature(primaryOf(reader), keyOf(reader), {
      type: type.key,
      date: day(1),
      prepare: (packet) => {
        packet.revocationKeyClass = kind;
        packet.revocationKeyAlgorithm = enums.publicKey.eddsaLegacy;
        packet.revocationKeyFingerprint = Buffer.from(revoker.getFingerprint(), 'hex');
      },
    });
  }

  test.each([0x80, 0xc0])('if its certificate is there, also with class %i', async (kind) => {
    const designation = await designating(ann, bob, kind);
    for (const revocation of [await keyRevocation(bob), await subkeyRevocation(bob)]) {
      const anns = [...packetsOf(ann), designation, withUnhashed(revocation, Buffer.alloc(0))];
      const only = new Set([fingerprint(ann)]);
      const beside = await read([...anns, ...packetsOf(bob)], only);
      expect(statusOf(beside)).toBe('revoked');
      expect(beside.revokers).toEqual([{ fingerprint: fingerprint(bob), isKnown: true }]);
      // What was known once is known without the revoker too.
      const alone = (await readCertificates(encodeCertificates([beside]).armored))[0]!;
      expect(statusOf(alone)).toBe('revoked');
      expect(alone.binary).toEqual(beside.binary);
      const missing = await read(anns);
      expect(statusOf(missing)).toBe('valid');
      expect(missing.revokers).toEqual([{ fingerprint: fingerprint(bob), isKnown: false }]);
      const [later] = await mergeCertificates([missing], [await certificateOf(bob)]);
      expect(statusOf(later!)).toBe('revoked');
      expect(statusOf((await mergeCertificates([missing], [alone]))[0]!)).toBe('revoked');
    }
  });

  test('also in a file with the secret key, and wherever a revocation stands there', async () => {
    const secret = [...splitPackets(ann.write(), KEY_FILE)];
    expect((await describeKey(joinPackets(secret), day(20))).problem).toBe(null);
    const anns = [...packetsOf(ann), await designating(ann, bob), await keyRevocation(bob)];
    const { binary } = await read([...anns, ...packetsOf(bob)], new Set([fingerprint(ann)]));
    // It carries the revoker's key along.
    const written = splitPackets(binary, CERTIFICATE_FILE).filter(({ tag }) => tag === 2);
    const revoked = await describeKey(joinPackets([...secret, ...written]), day(20));
    expect([revoked.problem, revoked.revokers]).toEqual([
      expect.stringContaining('was revoked'),
      [{ fingerprint: fingerprint(bob), isKnown: true }],
    ]);
    const opened = readSecretKey(joinPackets([...secret, ...written]), {
      passphrase: () => Promise.resolve(null),
      date: day(20),
    });
    await expect(opened).rejects.toMatchObject({ code: 'KEY_REVOKED' });
    const unreadable = { tag: 7, body: Buffer.from([4, 0, 0, 0, 1, 99, 1, 2, 3]) };
    const behind = [...secret, unreadable, await keyRevocation(ann)];
    expect((await describeKey(joinPackets(behind), day(20))).problem).toContain('was revoked');
  });

  test('nor by a key that comes along and is not the designated one', async () => {
    const eve = await forgeKey({ name: 'Eve' });
    const [key] = packetsOf(eve);
    const block = Buffer.concat([Buffer.from([0]), joinPackets([key!])]);
    const area = Buffer.concat([Buffer.from([block.length + 1, 38]), block]);
    const forged = withUnhashed(await keyRevocation(eve), area);
    const certificate = await read([...packetsOf(ann), await designating(ann, bob), forged]);
    expect([statusOf(certificate), certificate.revokers[0]?.isKnown]).toEqual(['valid', false]);
  });

  test('also where its certificate comes only after two merges', async () => {
    const designated = [...packetsOf(ann), await designating(ann, bob)];
    const [known, fresh] = [await read([...designated, await keyRevocation(bob)]), await read(designated)];
    const [merged] = await mergeCertificates([known], [fresh]);
    const [later] = await mergeCertificates([merged!], [await certificateOf(bob)]);
    expect(statusOf(later!)).toBe('revoked');
  });

  test('but nobody else does, and no key is one that the primary key did not name', async () => {
    const eve = await forgeKey({ name: 'Eve' });
    const revocation = await keyRevocation(bob);
    const over = keyOf(ann);
    const byEve = await signature(primaryOf(eve), over, {
      type: type.key,
      prepare: (packet) => {
        packet.revocationKeyClass = 0x80;
        packet.revocationKeyAlgorithm = enums.publicKey.eddsaLegacy;
        packet.revocationKeyFingerprint = Buffer.from(bob.getFingerprint(), 'hex');
      },
    });
    for (const designation of [await designating(ann, eve), await designating(ann, bob, 0), byEve]) {
      const packets = [...packetsOf(ann), designation, revocation, ...packetsOf(bob)];
      expect(statusOf(await read(packets))).toBe('valid');
    }
  });
});

describe('T29: nothing is computed on a key that is not pinned, and everything has a limit', () => {
  /** How many signatures are checked, and how many keys are read, while something runs. */
  async function costOf(run: () => Promise<unknown>): Promise<{ checked: number; keys: number }> {
    const verify = vi.spyOn(SignaturePacket.prototype as unknown as { verify: () => unknown }, 'verify');
    const keys = vi.spyOn(PublicKeyPacket.prototype, 'read');
    await run().catch(() => null);
    const cost = { checked: verify.mock.calls.length, keys: keys.mock.calls.length };
    vi.restoreAllMocks();
    return cost;
  }

  /** A certificate with a modulus and an exponent of any size. */
  function rsaPackets(bits: number, exponentBits = 17): Packet[] {
    const number = (size: number) => {
      const bytes = Buffer.alloc(Math.ceil(size / 8), 0xff);
      bytes[0] = 0xff >> (bytes.length * 8 - size);
      return Buffer.concat([Buffer.from([size >> 8, size & 0xff]), bytes]);
    };
    const head = Buffer.from([4, 0x60, 0, 0, 0, 1]);
    return [
      { tag: 6, body: Buffer.concat([head, number(bits), number(exponentBits)]) },
      { tag: 13, body: Buffer.from('Eve') },
    ];
  }

  /** Signatures over a user id that fail only when they are computed. */
  async function junk(over: KeySubject, count: number): Promise<Packet[]> {
    const good = await signature(primaryOf(ann), over, { type: type.certPositive });
    return Array.from({ length: count }, (_, index) => {
      const body = Buffer.from(good.body);
      body.writeUInt32BE(index, body.length - 4);
      return { tag: 2, body };
    });
  }

  test('whatever stands beside the pinned certificate costs nothing', async () => {
    const only = new Set([fingerprint(ann)]);
    const alone = await costOf(() => read(packetsOf(ann), only));
    const strangers = [
      ...Array.from({ length: 200 }, () => packetsOf(bob)).flat(),
      ...Array.from({ length: 40 }, (_, index) => rsaPackets(16_384 - index * 8, 2048)).flat(),
      { tag: 6, body: Buffer.from([6, 1, 2, 3]) },
      ...(await junk(userOf(bob), 1000)),
    ];
    const packets = [...strangers, ...packetsOf(ann), ...strangers];
    expect(await costOf(() => read(packets, only))).toEqual(alone);
    expect((await read(packets, only)).binary).toEqual((await read(packetsOf(ann))).binary);
  });

  test('a repeated certificate or signature costs no more than one', async () => {
    const alone = await costOf(() => read(packetsOf(ann)));
    const packets = packetsOf(ann);
    const [last] = packets.slice(-1);
    const repeated = [
      ...Array.from({ length: 200 }, () => packets[0]!),
      ...packets,
      ...Array.from({ length: 2000 }, (_, index) => withUnhashed(last!, Buffer.from([2, 100, index & 0xff]))),
    ];
    expect(await costOf(() => read(repeated))).toEqual(alone);
    const known = await read(packets);
    const fresh = await read(repeated);
    expect((await costOf(() => mergeCertificates([known], [fresh]))).checked).toBe(0);
  });

  test('each certification by another key is checked once, also in several merges', async () => {
    const forged = await signature(primaryOf(bob), userOf(ann), { type: type.certGeneric });
    const bobs = await certificateOf(bob);
    const wrong = { tag: 2, body: Buffer.from(forged.body).fill(1, forged.body.length - 20) };
    const anns = await read([...packetsOf(ann), wrong]);
    const cost = await costOf(async () => {
      for (let turn = 0; turn < 3; turn++) await mergeCertificates([anns], [bobs]);
    });
    expect(cost.checked).toBe(1);
  });

  test.each([
    ['a modulus of more than 8192 bits', () => rsaPackets(8200)],
    ['an exponent of more than 64 bits', () => rsaPackets(4096, 72)],
  ])('%s is refused unread', async (_, packets) => {
    await expect(read(packets())).rejects.toThrow('RSA keys');
    expect((await costOf(() => read(packets()))).checked).toBe(0);
  });

  test('more than 32 keys, 64 parts or 512 signatures are refused, not cut off', async () => {
    const users = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ tag: 13, body: Buffer.from(`user ${index}`) }));
    const many = Array.from({ length: 33 }, (_, index) => rsaPackets(2048 + index * 8)).flat();
    const cases = [
      many,
      [...packetsOf(ann), ...users(70)],
      [...packetsOf(ann), ...(await junk(userOf(ann), 513))],
    ];
    for (const packets of cases) await expect(read(packets)).rejects.toThrow(/more than (32|64|512)/);
    const large = { tag: 13, body: Buffer.alloc(70_000) };
    await expect(read([...packetsOf(ann), large])).rejects.toThrow('64 KiB');
    expect((await costOf(() => read(cases[2]!))).checked).toBe(0);
  });

  test('signatures of others are not counted, but hashing them has a limit too', async () => {
    const users = Array.from({ length: 60 }, (_, index) => ({ tag: 13, body: Buffer.from(`user ${index}`) }));
    const foreign = Array.from({ length: 2000 }, (_, index) => {
      const hashed = [5, 2, 0x60, 0, index >> 8, index & 0xff, 9, 16, 1, 2, 3, 4, 5, 6, 7, 8];
      return {
        tag: 2,
        body: Buffer.from([4, 0x10, 22, 8, 0, hashed.length, ...hashed, 0, 0, 1, 2, 0, 1, 1]),
      };
    });
    await expect(read([...packetsOf(ann), ...users, ...foreign])).rejects.toThrow('takes too long');
    expect(statusOf(await read([...packetsOf(ann), ...foreign]))).toBe('valid');
  });

  test('a signature whose digest begins otherwise is not checked, and 50,000 packets are the most', async () => {
    const wrong = (await junk(userOf(ann), 400)).map(({ tag, body }) => {
      const bytes = Buffer.from(body);
      const end = 6 + bytes.readUInt16BE(4);
      const at = end + 2 + bytes.readUInt16BE(end);
      bytes[at] = bytes[at]! ^ 1;
      return { tag, body: bytes };
    });
    const alone = await costOf(() => read(packetsOf(ann)));
    expect(await costOf(() => read([...packetsOf(ann), ...wrong]))).toEqual(alone);
    const markers = Array.from({ length: 50_000 }, () => ({ tag: 10, body: Buffer.from('PGP') }));
    await expect(read([...packetsOf(ann), ...markers])).rejects.toThrow('more than 50000 packets');
  });

  test('padding never pushes a revocation out: it counts, or the certificate is not usable', async () => {
    const revocation = await subkeyRevocation(ann);
    for (const count of [10, 500, 508, 511, 2000]) {
      const packets = [...packetsOf(ann), ...(await junk(userOf(ann), count)), revocation];
      const status = await read(packets).then(statusOf, (error: unknown) => error);
      expect(status === 'valid' ? `valid after ${count}` : 'not usable').toBe('not usable');
    }
  });

  test('what is too much to compute ends, however the signatures are spread', async () => {
    const key = await forgeKey({ name: 'Curve', curve: 'nistP521' });
    const [good] = packetsOf(key).filter(({ tag }) => tag === 2);
    const copies = Array.from({ length: 500 }, (_, index) => {
      const body = Buffer.from(good!.body);
      body.writeUInt32BE(index, body.length - 4);
      return { tag: 2, body };
    });
    const [primary, user, ...others] = packetsOf(key);
    const { checked } = await costOf(() => read([primary!, user!, ...copies, ...others]));
    expect(checked).toBeLessThan(100);
    await expect(read([primary!, user!, ...copies, ...others])).rejects.toThrow('takes too long');
  });
});

describe('T32: a certification that people are to confirm is judged as strictly as a binding', () => {
  const NOW = day(40);
  type Made = readonly Packet[];
  const certify = async (options: ForgeSignatureOptions = {}, by = primaryOf(bob)): Promise<Packet> =>
    await signature(by, userOf(ann), { type: type.certGeneric, ...options });
  const lasting = (seconds: number) => (packet: SignaturePacket) => {
    packet.signatureExpirationTime = seconds;
    packet.signatureNeverExpires = false;
  };
  async function isCertified(made: Made, by?: Certificate): Promise<boolean> {
    const packets = packetsOf(ann);
    return await isCertifiedBy(
      await read(packets.toSpliced(3, 0, ...made)),
      by ?? (await certificateOf(bob)),
      NOW,
    );
  }

  test('a good one counts, wherever it stands', async () => {
    expect(await isCertified([await certify()])).toBe(true);
    const packets = [...packetsOf(ann), await certify()];
    expect(await isCertifiedBy(await read(packets), await certificateOf(bob), NOW)).toBe(true);
    const lapsing = await certify({ prepare: lasting(365 * 86_400) });
    expect(await isCertified([lapsing])).toBe(true);
  });

  test.each<readonly [string, () => Promise<Made>]>([
    ['that expired', async () => [await certify({ prepare: lasting(86_400) })]],
    ['from the future', async () => [await certify({ date: day(41) })]],
    ['older than the key', async () => [await certify({ date: day(-1) })]],
    [
      'whose newest successor expired',
      async () => [await certify(), await certify({ date: day(11), prepare: lasting(86_400) })],
    ],
    [
      'that was taken back',
      async () => [await certify(), await certify({ type: type.certRevocation, date: day(20) })],
    ],
    [
      'with a critical notation that nobody knows',
      async () => [
        await certify({
          prepare: (packet) => {
            const value = Buffer.from('1');
            packet.rawNotations = [{ name: 'x@example.org', value, humanReadable: true, critical: true }];
          },
        }),
      ],
    ],
  ])('one %s does not', async (_, make) => {
    expect(await isCertified(await make())).toBe(false);
  });

  test('nor one over SHA-1, but over SHA-1 it can be taken back, whatever the unhashed area says', async () => {
    const by = await certificateOf(rex);
    const weak = { hash: enums.hash.sha1 };
    expect(await isCertified([await certify({}, primaryOf(rex))], by)).toBe(true);
    expect(await isCertified([await certify(weak, primaryOf(rex))], by)).toBe(false);
    const back = await certify({ ...weak, type: type.certRevocation, date: day(20) }, primaryOf(rex));
    const poisoned = withUnhashed(back, POISONS['another issuer']!());
    expect(await isCertified([await certify({}, primaryOf(rex)), poisoned], by)).toBe(false);
  });

  test('nor one by a key that is revoked or expired, or over a user id that the key does not have', async () => {
    const made = [await certify()];
    const retired = await bob.revoke({ flag: reasonForRevocation.keyRetired }, day(30));
    expect(await isCertified(made, await certificateOf(retired))).toBe(false);
    const short = await forgeKey({ name: 'Bob', expires: 5 * 86_400 });
    expect(await isCertified([await certify({}, primaryOf(short))], await certificateOf(short))).toBe(false);
    const userID = { write: () => Buffer.from('Ann of Bob') };
    const over = { ...keyOf(ann), userID };
    const packet = await signature(primaryOf(bob), over, { type: type.certGeneric });
    const packets = [...packetsOf(ann), { tag: 13, body: userID.write() }, packet];
    expect(await isCertifiedBy(await read(packets), await certificateOf(bob), NOW)).toBe(false);
  });

  test('nor one over a user id that was taken back, or by a key that may not certify', async () => {
    const packets = [...packetsOf(ann), await certify()];
    const back = await signature(primaryOf(ann), userOf(ann), { type: type.certRevocation, date: day(20) });
    const by = await certificateOf(bob);
    expect(await isCertifiedBy(await read(packets), by, NOW)).toBe(true);
    expect(await isCertifiedBy(await read([...packets, back]), by, NOW)).toBe(false);
    const signing = await signature(primaryOf(bob), userOf(bob), {
      type: type.certPositive,
      date: day(5),
      prepare: (packet) => (packet.keyFlags = new Uint8Array([keyFlags.signData])),
    });
    const limited = await read([...packetsOf(bob), signing]);
    expect(await isCertifiedBy(await read(packets), limited, NOW)).toBe(false);
  });

  test('T24: nor one by a subkey, even one that may sign', async () => {
    const bySubkey = await certify({}, subkeyOf(bob));
    expect(await isCertified([bySubkey])).toBe(false);
    expect(await isCertified([withUnhashed(bySubkey, POISONS['another issuer']!())])).toBe(false);
    expect(await isCertified([bySubkey, await certify()])).toBe(true);
    expect(BORN < NOW).toBe(true);
  });
});
