import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, truncateSync } from 'node:fs';
import { SignaturePacket, createCleartextMessage, createMessage, enums, sign } from 'openpgp';
import type { AnySecretKeyPacket, PrivateKey } from 'openpgp';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { encodeArmor } from '../../src/pgp/armor.js';
import { SIGNATURE_FILE } from '../../src/pgp/origin.js';
import { joinPackets, splitPackets } from '../../src/pgp/packets.js';
import type { Packet } from '../../src/pgp/packets.js';
import { hashedKey, publicPacketOf } from '../../src/pgp/packet-objects.js';
import { joinSignatures, readSignatures, verifySignatures } from '../../src/pgp/signatures.js';
import type { Place } from '../packsign.js';
import {
  BORN,
  bindingSubject,
  certificateOf,
  day,
  fingerprint,
  forgeKey,
  forgePacket,
  forgeSignature,
  forgeUnnamed,
  poisons,
  primaryOf,
  publicBytes,
  subkeyOf,
  withUnhashed,
} from '../pgp/forge.js';
import { gnupgHome, hasGnupg } from '../pgp/gnupg.js';
import { needTools } from '../tools.js';
import {
  AUTHENTIC,
  DEMO,
  ISSUED,
  certificateFile,
  databaseText,
  insistOn,
  minutes,
  people,
  published,
  put,
  refused,
  replace,
  sha256,
  verdict,
  verify,
} from './scene.js';
import type { People, Signing } from './scene.js';

let known: People;
let ann: PrivateKey;
let bob: PrivateKey;
let mallory: PrivateKey;

beforeAll(async () => {
  known = await people();
  ({ ann, bob, mallory } = known);
});

/** The signature file of the database of a place. */
function signatureOf(place: Place): string {
  return `dist/signatures/${sha256(place.read('dist/packages.plist'))}.asc`;
}

test('what Ann published is authentic to anyone who knows her key', async () => {
  const place = await published(known);
  expect(verdict(await verify(place))).toEqual(AUTHENTIC);
  expect(verdict(await insistOn(place, ann))).toEqual(AUTHENTIC);
});

describe('T1: the signature is over exactly the bytes that are read', () => {
  const evil = () => databaseText().replace('does demo', 'does evil');

  test('an edited database has no signature', async () => {
    const place = await published(known);
    place.write('dist/packages.plist', evil());
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_MISSING'));
  });

  test('the old signature under the new name does not help', async () => {
    const place = await published(known);
    const old = place.read(signatureOf(place));
    put(place, evil(), old);
    place.write('dist/packages.plist.asc', old);
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_INVALID'));
  });

  test('one flipped bit anywhere is detected', async () => {
    const place = await published(known);
    const bytes = place.read('dist/packages.plist');
    const signature = place.read(signatureOf(place));
    for (const at of [0, 200, bytes.length - 1]) {
      const flipped = Buffer.from(bytes);
      flipped[at] = bytes[at]! ^ 1;
      put(place, flipped, signature);
      expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_INVALID'));
    }
  });

  test('bytes after the end are detected', async () => {
    const place = await published(known);
    put(place, `${databaseText()}\n`, place.read(signatureOf(place)));
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_INVALID'));
  });
});

describe('T2: a signature file is one armor block of signatures and nothing else', () => {
  async function verdictWith(make: (good: Buffer, bytes: Buffer) => Promise<string | Uint8Array>) {
    const place = await published(known);
    const name = signatureOf(place);
    place.write(name, await make(place.read(name), place.read('dist/packages.plist')));
    return verdict(await verify(place));
  }
  const MALFORMED = refused('SIGNATURE_MALFORMED');

  test('a second block', async () => {
    expect(await verdictWith((good) => Promise.resolve(Buffer.concat([good, good])))).toEqual(MALFORMED);
  });

  test('text before it, and after it', async () => {
    expect(await verdictWith((good) => Promise.resolve(`hello\n${good.toString()}`))).toEqual(MALFORMED);
    expect(await verdictWith((good) => Promise.resolve(`${good.toString()}hello\n`))).toEqual(MALFORMED);
  });

  test('binary, unless the user named the file', async () => {
    const binary = (good: Buffer) => Buffer.concat(readSignatures(good));
    expect(await verdictWith((good) => Promise.resolve(binary(good)))).toEqual(MALFORMED);
  });

  test('a signed message with other contents', async () => {
    const message = await sign({
      message: await createMessage({ binary: Buffer.from('other contents') }),
      signingKeys: ann,
      format: 'armored',
    });
    expect(await verdictWith(() => Promise.resolve(message))).toEqual(MALFORMED);
    const disguised = message.replaceAll('PGP MESSAGE', 'PGP SIGNATURE');
    expect(await verdictWith(() => Promise.resolve(disguised))).toEqual(MALFORMED);
  });

  test('a signed message that holds the very database', async () => {
    const message = async (bytes: Buffer) =>
      await sign({ message: await createMessage({ binary: bytes }), signingKeys: ann, format: 'armored' });
    expect(await verdictWith((_, bytes) => message(bytes))).toEqual(MALFORMED);
  });

  test('a clear-signed message', async () => {
    const text = await createCleartextMessage({ text: databaseText() });
    const message = await sign({ message: text, signingKeys: ann, format: 'armored' });
    expect(await verdictWith(() => Promise.resolve(message))).toEqual(MALFORMED);
  });

  test('a key, a marker or padding next to the signature', async () => {
    for (const beside of [publicBytes(ann), joinPackets([{ tag: 10, body: Buffer.from('PGP') }])]) {
      const armored = (good: Buffer) =>
        encodeArmor(Buffer.concat([...readSignatures(good), beside]), 'SIGNATURE');
      expect(await verdictWith((good) => Promise.resolve(armored(good)))).toEqual(MALFORMED);
    }
  });

  test('an empty file', async () => {
    expect(await verdictWith(() => Promise.resolve(''))).toEqual(MALFORMED);
  });

  test('a file larger than 64 KiB is not read', async () => {
    const place = await published(known);
    truncateSync(place.path(signatureOf(place)), 2 ** 33);
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_MALFORMED'));
  });

  test('a named pipe does not hang the reader', async () => {
    const place = await published(known);
    execFileSync('mkfifo', [replace(place, signatureOf(place))]);
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_MALFORMED'));
  });

  test('a folder in its place', async () => {
    const place = await published(known);
    mkdirSync(replace(place, signatureOf(place)));
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_MALFORMED'));
  });

  test('a link to endless zeros', async () => {
    const place = await published(known);
    symlinkSync('/dev/zero', replace(place, signatureOf(place)));
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_MALFORMED'));
  });

  test('a link that leads nowhere is a missing signature', async () => {
    const place = await published(known);
    symlinkSync('nowhere', replace(place, signatureOf(place)));
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_MISSING'));
  });
});

describe('T3: only binary signatures', () => {
  test.runIf(hasGnupg())('a text-mode one by gpg survives changed line ends, and never counts', async () => {
    const home = gnupgHome();
    try {
      home.must(['--import'], Buffer.from(ann.armor()));
      const text = databaseText();
      const bytes = Buffer.from(text);
      const textMode = home.must(['--textmode', '--armor', '--detach-sign', '-u', fingerprint(ann)], bytes);
      for (const variant of [text, text.replaceAll('\n', '\r\n')]) {
        const place = await published(known);
        put(place, variant, textMode);
        expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_INVALID'));
      }
    } finally {
      home.remove();
    }
  });

  test.each([
    ['text', enums.signature.text],
    ['standalone', enums.signature.standalone],
    ['timestamp', enums.signature.timestamp],
    ['generic certification', enums.signature.certGeneric],
  ])('a %s signature does not count', async (_, type) => {
    const place = await published(known);
    const bytes = Buffer.from(databaseText());
    const signature = await forgeSignature(subkeyOf(ann), bytes, { date: ISSUED, type }).catch(() => null);
    // A type that cannot be made over a document is taken from a good signature and renamed.
    const packet = signature ?? renamed(await forgeSignature(subkeyOf(ann), bytes, { date: ISSUED }), type);
    put(place, bytes, joinSignatures([packet]));
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_INVALID'));
  });

  function renamed(signature: Uint8Array, type: number): Uint8Array {
    const copy = Buffer.from(signature);
    copy[signature.length > 193 ? 4 : 3] = type;
    return copy;
  }
});

describe('T4: each signature is checked by itself', () => {
  test('bad, unknown and revoked signatures next to a good one neither count nor affect it', async () => {
    const bytes = Buffer.from(databaseText());
    const good = await forgeSignature(subkeyOf(ann), bytes, { date: ISSUED });
    const other = await forgeSignature(subkeyOf(ann), Buffer.from('other bytes'), { date: ISSUED });
    const unknown = await forgeSignature(subkeyOf(mallory), bytes, { date: ISSUED });
    const orders = [
      [good, other, unknown],
      [other, unknown, good],
      [unknown, good, other],
    ];
    for (const order of orders) {
      const place = await published(known);
      put(place, bytes, joinSignatures(order));
      const answer = await verify(place);
      expect(verdict(answer)).toEqual(AUTHENTIC);
      const signatures = answer.value['signatures'] as { counts: boolean; reason: string | null }[];
      expect(signatures.map(({ counts }) => counts)).toEqual(order.map((packet) => packet === good));
      expect(signatures.every(({ counts, reason }) => counts === (reason === null))).toBe(true);
    }
  });

  test('any number of bad signatures counts as none', async () => {
    const bytes = Buffer.from(databaseText());
    const packets = [];
    for (let index = 0; index < 20; index += 1) {
      packets.push(await forgeSignature(subkeyOf(ann), Buffer.from(`bytes ${index}`), { date: ISSUED }));
    }
    const place = await published(known);
    put(place, bytes, joinSignatures(packets));
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_INVALID'));
  });

  test('a signature by a revoked key does not count', async () => {
    const place = await published(known);
    const revoked = await ann.revoke({ flag: enums.reasonForRevocation.keyCompromised }, day(300));
    place.write('pins.asc', certificateFile(revoked));
    expect(verdict(await verify(place))).toEqual(refused('KEY_REVOKED'));
  });
});

describe('T27: what a signature says unsigned decides nothing', () => {
  const HINTS = poisons(() => bob);
  const bytes = Buffer.from(databaseText());
  const file = (...packets: readonly Packet[]) =>
    joinSignatures(packets.map((packet) => joinPackets([packet])));
  const named = async () =>
    splitPackets(await forgeSignature(subkeyOf(ann), bytes, { date: ISSUED }), SIGNATURE_FILE)[0]!;
  const unnamed = () => forgeUnnamed(subkeyOf(ann), bytes, ISSUED);

  async function verdictOf(signature: Uint8Array, ...more: readonly string[]): Promise<readonly unknown[]> {
    const place = await published(known);
    put(place, bytes, signature);
    place.write('pins.asc', certificateFile(ann, bob));
    return verdict(await verify(place, ...more));
  }

  test.each(Object.keys(HINTS).filter((name) => name !== 'sixty kilobytes'))(
    'a good signature counts with %s in its unhashed area',
    async (name) => {
      const hint = HINTS[name]!();
      expect(await verdictOf(file(withUnhashed(await named(), hint)))).toEqual(AUTHENTIC);
      expect(await verdictOf(file(withUnhashed(unnamed(), hint)))).toEqual(AUTHENTIC);
    },
  );

  test('for nobody but the one who made it, and as often as it is there, once', async () => {
    const hint = HINTS['another issuer']!();
    const made = await named();
    const copies = [made, withUnhashed(made, hint), unnamed(), withUnhashed(unnamed(), hint)];
    expect(await verdictOf(file(...copies), '--threshold', '1')).toEqual(AUTHENTIC);
    expect(await verdictOf(file(...copies), '--threshold', '2')).toEqual(refused('TOO_FEW_SIGNATURES'));
    const place = await published(known);
    put(place, bytes, file(...copies));
    place.write('pins.asc', certificateFile(bob));
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_INVALID'));
  });

  test('a damaged copy beside the right one changes nothing', async () => {
    const made = unnamed();
    const wrong = { tag: 2, body: Buffer.from(made.body).fill(1, made.body.length - 20) };
    const hint = HINTS['another issuer']!();
    for (const copies of [
      [wrong, made],
      [made, wrong],
      [withUnhashed(wrong, hint), withUnhashed(made, hint)],
    ])
      expect(await verdictOf(file(...copies))).toEqual(AUTHENTIC);
    expect(await verdictOf(file(wrong))).toEqual(refused('SIGNATURE_INVALID'));
  });

  test('a signature that names another key signed is not tried on others', async () => {
    const made = await forgePacket(subkeyOf(ann), bytes, { date: ISSUED });
    const spy = vi.spyOn(SignaturePacket.prototype as unknown as { verify: () => unknown }, 'verify');
    const options = { certificates: [await certificateOf(bob)], now: minutes(ISSUED, 1) };
    spy.mockClear();
    await verifySignatures(bytes, [joinPackets([{ tag: 2, body: made.write() }])], options);
    expect(spy.mock.calls).toEqual([]);
    vi.restoreAllMocks();
  });

  test('what packsign writes of it says who made it, so that gpgv counts it', async (context) => {
    needTools(context, 'gpgv');
    const hint = HINTS['another issuer']!();
    const served = joinPackets([withUnhashed(unnamed(), hint)]);
    const certificates = [await certificateOf(ann), await certificateOf(bob)];
    const [report] = await verifySignatures(bytes, [served], { certificates, now: minutes(ISSUED, 1) });
    const home = gnupgHome();
    const ring = home.write('ring.gpg', Buffer.concat(certificates.map(({ binary }) => binary)));
    const data = home.write('data', bytes);
    const gpgv = (signature: Uint8Array) =>
      spawnSync('gpgv', ['--homedir', home.folder, '--keyring', ring, home.write('sig', signature), data])
        .status;
    // The hint leads gpgv to the key of Bob.
    expect([gpgv(served), gpgv(report!.packet!)]).toEqual([1, 0]);
    home.remove();
  });
});

describe('T5: full primary fingerprints are pinned', () => {
  test('a key that is only in keys.asc does not count', async () => {
    const place = await published(known, databaseText(), { by: [subkeyOf(mallory)] });
    place.write('dist/keys.asc', certificateFile(ann, mallory));
    expect(verdict(await insistOn(place, ann))).toEqual(refused('SIGNATURE_INVALID'));
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_INVALID'));
  });

  test('another key with the same user id is another key', async () => {
    const { ann: twin } = await people();
    const place = await published(known, databaseText(), { by: [subkeyOf(twin)] });
    place.write('dist/keys.asc', certificateFile(twin));
    expect(verdict(await insistOn(place, ann))).toEqual(refused('SIGNATURE_INVALID'));
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_INVALID'));
  });

  test('without pins the keys beside the database prove nothing', async () => {
    const place = await published(known, databaseText(), { by: [subkeyOf(mallory)] });
    place.write('dist/keys.asc', certificateFile(mallory));
    const answer = await place.json(['verify', 'dist']);
    expect(verdict(answer)).toEqual(['unauthenticated', 'NOT_PINNED', 1]);
    expect(answer.value).toMatchObject({ pinnedBy: 'directory', issued: null, expires: null });
  });

  test('the fingerprint of a subkey does not pin a key', async () => {
    const place = await published(known);
    const subkey = await place.json(['verify', 'dist', '--fingerprint', fingerprint(subkeyOf(ann))]);
    expect(verdict(subkey)).toEqual(refused('SIGNATURE_INVALID'));
  });

  test.each(['short', 'long'])('a %s key id is refused as a pin', async (length) => {
    const place = await published(known);
    const digits = fingerprint(ann).slice(length === 'short' ? -8 : -16);
    const answer = await place.json(['verify', 'dist', '--fingerprint', digits]);
    expect([answer.status, answer.value['error']]).toMatchObject([2, { code: 'USAGE' }]);
  });
});

describe('T6: distinct primary keys are counted', () => {
  const two = ['--threshold', '2'];

  async function signedBy(by: Signing['by']): Promise<Place> {
    const place = await published(known, databaseText(), { by });
    place.write('dist/keys.asc', certificateFile(ann, bob));
    place.write('pins.asc', certificateFile(ann, bob));
    return place;
  }

  test('two of two are authentic', async () => {
    expect(verdict(await verify(await signedBy([subkeyOf(ann), subkeyOf(bob)]), ...two))).toEqual(AUTHENTIC);
  });

  test('the same key twice counts once', async () => {
    const place = await published(known);
    const bytes = place.read('dist/packages.plist');
    const packets = [
      await forgeSignature(subkeyOf(ann), bytes, { date: ISSUED }),
      await forgeSignature(subkeyOf(ann), bytes, { date: minutes(ISSUED, 1) }),
    ];
    put(place, bytes, joinSignatures(packets));
    place.write('pins.asc', certificateFile(ann, bob));
    expect(verdict(await verify(place, ...two))).toEqual(refused('TOO_FEW_SIGNATURES'));
  });

  test('a primary key and its subkey count once', async () => {
    const answer = await verify(await signedBy([primaryOf(ann), subkeyOf(ann)]), ...two);
    expect(verdict(answer)).toEqual(refused('TOO_FEW_SIGNATURES'));
    // They are good, and not enough.
    expect(answer.value['signatures']).toMatchObject([{ counts: true }, { counts: true }]);
  });

  test('a key named twice, or listed twice, counts once', async () => {
    const place = await published(known);
    place.write('pins.asc', certificateFile(ann, ann));
    expect(await verify(place, ...two)).toMatchObject({ status: 2, value: { error: { code: 'USAGE' } } });
    const fingerprints = ['--fingerprint', fingerprint(ann), '--fingerprint', fingerprint(ann)];
    const named = await place.json(['verify', 'dist', ...fingerprints, ...two]);
    expect(named).toMatchObject({ status: 2, value: { error: { code: 'USAGE' } } });
  });

  test('a certificate that claims another’s subkey counts for nobody else', async () => {
    // Mallory is pinned too, and lists Ann's subkey as hers: she can bind it, but has no signature back.
    const packet = await forgePacket(primaryOf(mallory), bindingSubject(primaryOf(mallory), subkeyOf(ann)), {
      type: enums.signature.subkeyBinding,
      date: day(1),
      prepare: (signature) => {
        signature.keyFlags = new Uint8Array([enums.keyFlags.signData]);
      },
    });
    const annsSubkey = Buffer.from(publicBytes(ann));
    const thief = Buffer.concat([
      publicBytes(mallory),
      subkeyPacketOf(annsSubkey),
      joinPackets([{ tag: 2, body: packet.write() }]),
    ]);
    const place = await published(known);
    place.write('pins.asc', encodeArmor(Buffer.concat([publicBytes(ann), thief]), 'PUBLIC KEY BLOCK'));
    expect(verdict(await verify(place, ...two))).toEqual(refused('TOO_FEW_SIGNATURES'));
  });

  function subkeyPacketOf(certificate: Buffer): Uint8Array {
    for (let at = 0; ;) {
      const length = certificate[at + 1]! < 192 ? certificate[at + 1]! : 0;
      if ((certificate[at]! & 0x3f) === 14) return certificate.subarray(at, at + 2 + length);
      at += 2 + (length || ((certificate[at + 1]! - 192) << 8) + certificate[at + 2]! + 193);
    }
  }

  test('the threshold of the database does not change a user’s pins', async () => {
    const signers = { Threshold: 1, Fingerprints: [fingerprint(ann), fingerprint(bob)].sort() };
    const place = await published(known, databaseText({ signers }));
    place.write('pins.asc', certificateFile(ann, bob));
    expect(verdict(await verify(place, ...two))).toEqual(refused('TOO_FEW_SIGNATURES'));
  });
});

describe('T7: self-signatures over SHA-1 count as absent', () => {
  async function certificateWith(primary: AnySecretKeyPacket, hash: enums.hash): Promise<Uint8Array> {
    const name = Buffer.from('Mallory');
    const key = publicPacketOf(primary, 5);
    const over = { key: hashedKey(key.body), userID: { write: () => name } };
    const certification = await forgePacket(primary, over, {
      type: enums.signature.certPositive,
      hash,
      date: BORN,
      prepare: (signature) => {
        signature.keyFlags = new Uint8Array([enums.keyFlags.certifyKeys | enums.keyFlags.signData]);
      },
    });
    const packets = [key, { tag: 13, body: name }, { tag: 2, body: certification.write() }];
    return encodeArmor(joinPackets(packets), 'PUBLIC KEY BLOCK');
  }

  test('signatures by a certificate with only such self-signatures do not count', async () => {
    const primary = primaryOf(await forgeKey({ rsa: true }));
    const place = await published(known, databaseText(), { by: [primary] });
    place.write('pins.asc', await certificateWith(primary, enums.hash.sha256));
    expect(verdict(await verify(place))).toEqual(AUTHENTIC);
    place.write('pins.asc', await certificateWith(primary, enums.hash.sha1));
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_INVALID'));
  });
});

describe('T21: for a pinned database a missing signature is a refusal', () => {
  test('however the pins are given', async () => {
    const place = await published(known);
    place.remove('dist/signatures');
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_MISSING'));
    expect(verdict(await insistOn(place, ann))).toEqual(refused('SIGNATURE_MISSING'));
    expect(verdict(await verify(place, '--allow-unauthenticated'))).toEqual(refused('SIGNATURE_MISSING'));
    expect(verdict(await verify(place, '--allow-stale'))).toEqual(refused('SIGNATURE_MISSING'));
  });

  test('the copy packages.plist.asc is not used on its own', async () => {
    const place = await published(known);
    place.write('dist/packages.plist.asc', place.read(signatureOf(place)));
    place.remove('dist/signatures');
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_MISSING'));
    const named = await verify(place, '--signature', 'dist/packages.plist.asc');
    expect(verdict(named)).toEqual(AUTHENTIC);
  });

  test('a database without a signature is refused also next to its own keys', async () => {
    const place = await published(known);
    place.remove('dist/signatures');
    expect(verdict(await place.json(['verify', 'dist']))).toEqual(refused('SIGNATURE_MISSING'));
  });

  test('a missing keys.asc does not bypass the pins', async () => {
    const place = await published(known);
    place.remove('dist/keys.asc');
    expect(verdict(await insistOn(place, ann))).toEqual(refused('SIGNATURE_INVALID'));
    expect(verdict(await verify(place))).toEqual(AUTHENTIC);
  });
});

describe('T23: a signature was made between Issued and now', () => {
  test.each([
    ['11 minutes before it was issued', -11],
    ['a year before', -365 * 24 * 60],
  ])('%s', async (_, early) => {
    const place = await published(known, databaseText(), { date: minutes(ISSUED, early) });
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_INVALID'));
  });

  test('9 minutes before is within the slack', async () => {
    const place = await published(known, databaseText(), { date: minutes(ISSUED, -9) });
    expect(verdict(await verify(place))).toEqual(AUTHENTIC);
  });

  test('a signature from the future', async () => {
    const place = await published(known, databaseText(), { date: minutes(new Date(), 25) });
    expect(verdict(await verify(place))).toEqual(refused('SIGNATURE_INVALID'));
  });

  test('a signature dated back to before the key was retired', async () => {
    const retired = await ann.revoke({ flag: enums.reasonForRevocation.keyRetired }, minutes(ISSUED, -60));
    const honest = await published(known, databaseText(), { date: ISSUED });
    honest.write('pins.asc', certificateFile(retired));
    expect(verdict(await verify(honest))).toEqual(refused('KEY_REVOKED'));
    const backdated = await published(known, databaseText(), { date: minutes(ISSUED, -120) });
    backdated.write('pins.asc', certificateFile(retired));
    expect(verdict(await verify(backdated))).toEqual(refused('SIGNATURE_INVALID'));
  });

  test('what a key signed before it was retired stays good', async () => {
    const place = await published(known);
    const retired = await ann.revoke({ flag: enums.reasonForRevocation.keyRetired }, minutes(ISSUED, 30));
    place.write('pins.asc', certificateFile(retired));
    expect(verdict(await verify(place))).toEqual(AUTHENTIC);
  });
});

describe('T24: a stolen signing subkey cannot change a user’s pins', () => {
  test('a new key that it recommends is not trusted', async () => {
    const place = await published(
      known,
      databaseText({ signers: { Threshold: 1, Fingerprints: [fingerprint(mallory)] } }),
      {
        by: [subkeyOf(mallory)],
      },
    );
    place.write('dist/keys.asc', certificateFile(ann, mallory));
    expect(verdict(await insistOn(place, ann))).toEqual(refused('SIGNATURE_INVALID'));
  });

  test('a subkey that the stolen one bound does not count', async () => {
    const thief = await people();
    const packet = await forgePacket(subkeyOf(ann), bindingSubject(primaryOf(ann), subkeyOf(thief.mallory)), {
      type: enums.signature.subkeyBinding,
      date: day(2),
      prepare: (signature) => {
        signature.keyFlags = new Uint8Array([enums.keyFlags.signData]);
      },
    });
    const grown = ann.toPublic();
    const foreign = thief.mallory.toPublic().subkeys[0]!;
    foreign.bindingSignatures.splice(0, 1, packet);
    grown.subkeys.push(foreign);
    const place = await published(known, databaseText(), { by: [subkeyOf(thief.mallory)] });
    place.write('dist/keys.asc', encodeArmor(grown.write(), 'PUBLIC KEY BLOCK'));
    expect(verdict(await insistOn(place, ann))).toEqual(refused('SIGNATURE_INVALID'));
    grown.subkeys.pop();
  });
});

describe('certificate files', () => {
  const hostile: readonly (readonly [string, () => string | Uint8Array])[] = [
    ['a secret key', () => ann.armor()],
    [
      'a secret key among certificates',
      () => encodeArmor(Buffer.concat([publicBytes(bob), ann.write()]), 'PUBLIC KEY BLOCK'),
    ],
    ['two blocks', () => Buffer.concat([certificateFile(ann), certificateFile(bob)])],
    ['text before the block', () => `trust me\n${Buffer.from(certificateFile(ann)).toString()}`],
    ['text behind the block', () => `${Buffer.from(certificateFile(ann)).toString()}trust me\n`],
    ['junk', () => 'junk'],
    ['nothing', () => ''],
    ['a signature', () => encodeArmor(joinPackets([{ tag: 2, body: Buffer.alloc(8) }]), 'SIGNATURE')],
  ];

  test.each(hostile)('%s in keys.asc refuses the directory', async (_, make) => {
    const place = await published(known);
    place.write('dist/keys.asc', make());
    expect(verdict(await insistOn(place, ann))).toEqual(refused('KEYS_MALFORMED'));
    expect(verdict(await place.json(['verify', 'dist']))).toEqual(refused('KEYS_MALFORMED'));
  });

  test.each(hostile)('%s in the file that a user names is an error', async (_, make) => {
    const place = await published(known);
    place.write('pins.asc', make());
    expect(await verify(place)).toMatchObject({ status: 2, value: { error: { code: 'KEYS_MALFORMED' } } });
  });

  test('keys.asc as a named pipe, a folder, or without end', async () => {
    for (const put of [
      (path: string) => execFileSync('mkfifo', [path]),
      (path: string) => mkdirSync(path),
      (path: string) => symlinkSync('/dev/zero', path),
    ]) {
      const place = await published(known);
      put(replace(place, 'dist/keys.asc'));
      expect(await insistOn(place, ann)).toMatchObject({ status: 1, value: { status: 'refused' } });
    }
  });

  test('pinned keys do not depend on the keys next to the database', async () => {
    const place = await published(known);
    place.write('dist/keys.asc', ann.armor());
    expect(verdict(await verify(place))).toEqual(AUTHENTIC);
  });

  test('no output contains any part of a secret key', async () => {
    const place = await published(known);
    place.write('pins.asc', ann.armor());
    const { stdout, stderr } = await place.packsign(['verify', 'dist', '--keys', 'pins.asc', '--verbose']);
    for (const line of ann
      .armor()
      .split('\n')
      .filter((text) => text.length > 40)) {
      expect(stdout + stderr).not.toContain(line);
    }
  });
});

test('a database file by itself is checked against the named keys', async () => {
  const place = await published(known);
  const file = ['verify', 'dist/packages.plist'];
  expect(verdict(await place.json([...file, '--keys', 'pins.asc']))).toEqual(AUTHENTIC);
  expect(verdict(await place.json(file))).toEqual(['unauthenticated', 'NOT_PINNED', 1]);
  place.write('copy.plist', place.read('dist/packages.plist'));
  place.write('copy.asc', place.read(signatureOf(place)));
  const copy = ['verify', 'copy.plist', '--keys', 'pins.asc'];
  expect(verdict(await place.json(copy))).toEqual(refused('SIGNATURE_MISSING'));
  expect(verdict(await place.json([...copy, '--signature', 'copy.asc']))).toEqual(AUTHENTIC);
  place.write('copy.plist', DEMO);
  expect(verdict(await place.json([...copy, '--signature', 'copy.asc']))).toEqual(
    refused('SIGNATURE_INVALID'),
  );
});
