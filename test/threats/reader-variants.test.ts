import { enums } from 'openpgp';
import type { PrivateKey, SignaturePacket } from 'openpgp';
import { beforeAll, describe, expect, test } from 'vitest';
import { encodeArmor } from '../../src/pgp/armor.js';
import { CERTIFICATE_FILE } from '../../src/pgp/origin.js';
import { hashedKey, publicPacketOf } from '../../src/pgp/packet-objects.js';
import { joinPackets, splitPackets } from '../../src/pgp/packets.js';
import type { Packet } from '../../src/pgp/packets.js';
import { answer, publish, serve } from '../consume/scene.js';
import type { Site } from '../consume/scene.js';
import { newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';
import {
  bindingSubject,
  fingerprint,
  forgeKey,
  forgePacket,
  primaryOf,
  publicBytes,
  subkeyOf,
  withUnhashed,
} from '../pgp/forge.js';
import { certificateFile } from './scene.js';

/**
 * More certificate files of the kinds that attackers, servers and old tools make. Each has a revocation in it: whatever
 * stands around it, the file is refused or the revocation counts. Without the revocation it is good or refused.
 */

let ann: PrivateKey;
let others: readonly Packet[];
let certifications: readonly Packet[];
let photo: readonly Packet[];
let place: Place;
let site: Site;
let clean: readonly [Packet, ...Packet[]];
let revocations: Readonly<Record<string, Packet>>;

const signed = async (made: Promise<SignaturePacket>): Promise<Packet> => ({
  ...{ tag: 2, body: (await made).write() },
});
const packetsOf = (key: PrivateKey) => splitPackets(publicBytes(key), CERTIFICATE_FILE);

beforeAll(async () => {
  ann = await forgeKey({ name: 'Ann' });
  const bob = await forgeKey({ name: 'Bob' });
  place = newPlace();
  site = await serve(place.path('dist'));
  await publish(place, ann);
  clean = packetsOf(ann) as unknown as typeof clean;
  const key = { key: hashedKey(publicPacketOf(primaryOf(ann), 5).body) };
  const { subkeyRevocation, keyRevocation, certGeneric } = enums.signature;
  const subject = bindingSubject(primaryOf(ann), subkeyOf(ann));
  const revoke = (type: enums.signature, over: typeof key) =>
    signed(forgePacket(primaryOf(ann), over, { type, prepare: stolen }));
  revocations = {
    'the subkey': await revoke(subkeyRevocation, subject),
    'the primary key': await revoke(keyRevocation, key),
  };
  others = (await Promise.all(Array.from({ length: 32 }, () => forgeKey()))).flatMap(packetsOf);
  const named = { ...key, userID: { write: () => clean[1]?.body ?? new Uint8Array() } };
  const certify = () => signed(forgePacket(primaryOf(bob), named, { type: certGeneric }));
  certifications = await Promise.all(Array.from({ length: 100 }, certify));
  const picture = Buffer.concat([
    Buffer.from([0xff, 0, 0, 0x75, 0x31, 1, 16, 0, 1, 1]),
    Buffer.alloc(29_996),
  ]);
  const shown = { ...key, userAttribute: { write: () => picture } };
  const photoSignature = signed(forgePacket(primaryOf(ann), shown, { type: certGeneric }));
  photo = [{ tag: 17, body: picture }, await photoSignature];
});

function stolen(packet: SignaturePacket): void {
  packet.reasonForRevocationFlag = enums.reasonForRevocation.keyCompromised;
  packet.reasonForRevocationString = '';
}

/** Makes a file of the certificate and its revocation, or something else in its place. */
type Make = (revocation: Packet) => Uint8Array | string;

/** Packets between the certificate and the revocation. */
const between =
  (...packets: readonly Packet[]): Make =>
  (revocation) =>
    joinPackets([...clean, ...packets, revocation]);
const packet = (tag: number, body: Uint8Array | string = 'xyz'): Packet => ({ tag, body: Buffer.from(body) });
const version = (tag: number, number: number): Packet => {
  const head = [number, 0x60, 0, 0, 0, 27, 0, 0, 0, 32];
  return packet(tag, Buffer.concat([Buffer.from(head), Buffer.alloc(32, 5)]));
};

/** Headers of the old format, with a length of this type. */
function oldFormat(packets: readonly Packet[], type: number): Buffer {
  return Buffer.concat(
    packets.flatMap(({ tag, body }) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(body.length);
      return [Buffer.from([0x80 | (tag << 2) | type]), length.subarray(4 - (1 << type)), body];
    }),
  );
}

/** A header of the new format with a partial length. */
function partial({ tag, body }: Packet): Buffer {
  const rest = body.subarray(512);
  return Buffer.concat([
    ...[Buffer.from([0xc0 | tag, 0xe9]), body.subarray(0, 512), Buffer.from([rest.length]), rest],
  ]);
}

const unhashed =
  (area: () => Uint8Array): Make =>
  (revocation) =>
    joinPackets([...clean, revocation.tag === 2 ? withUnhashed(revocation, area()) : revocation]);
const octets =
  (...bytes: readonly number[]) =>
  () =>
    Uint8Array.from(bytes);

/** A copy of the revocation with another octet of its body, counted from the end; before the right one. */
const afterCopy =
  (...changed: readonly number[]): Make =>
  (revocation) =>
    joinPackets([
      ...clean,
      ...changed.map((at) => {
        const body = Buffer.from(revocation.body);
        const octet = body.at(-at) ?? 0;
        body[Math.max(0, body.length - at)] = octet ^ 1;
        return { tag: revocation.tag, body };
      }),
      revocation,
    ]);

const plain = (revocation: Packet) => joinPackets([...clean, revocation]);
const armor = (revocation: Packet) =>
  Buffer.from(encodeArmor(plain(revocation), 'PUBLIC KEY BLOCK')).toString();
const edited =
  (edit: (text: string) => Uint8Array | string): Make =>
  (revocation) =>
    edit(armor(revocation));

/** Files in which the certificate can be read: the revocation counts, and without it all is well. */
const READ: Readonly<Record<string, Make>> = {
  'nothing else': plain,
  armor,
  'a marker of 3000 octets': between(packet(10, Buffer.alloc(3000))),
  'padding first': (it) => joinPackets([packet(21, Buffer.alloc(5000)), ...clean, it]),
  '900 kB of padding': between(packet(21, Buffer.alloc(900_000))),
  '40,000 empty packets of padding': between(...Array<Packet>(40_000).fill(packet(21, ''))),
  'trust packets': (it) => joinPackets([...clean, it].flatMap((one) => [one, packet(12)])),
  ...Object.fromEntries([40, 60, 63].map((tag) => [`a packet of type ${tag}`, between(packet(tag))])),
  'a private packet first': (it) => joinPackets([packet(60), ...clean, it]),
  'headers of the old format, two octets': (it) => oldFormat([...clean, it], 1),
  'headers of the old format, four octets': (it) => oldFormat([...clean, it], 2),
  ...Object.fromEntries(
    [3, 5, 6].map((number) => [`a subkey of version ${number}`, between(version(14, number))]),
  ),
  ...Object.fromEntries(
    [0, 2, 3, 5, 6, 255].map((number) => [`a signature of version ${number}`, between(version(2, number))]),
  ),
  'an empty signature': between(packet(2, '')),
  'an empty user id': between(packet(13, '')),
  'an empty user attribute': between(packet(17, '')),
  'an empty subkey': between(packet(14, '')),
  'a subkey cut off': between(packet(14, Buffer.from([4, 1, 2]))),
  'a subkey of an unknown algorithm': between(packet(14, Buffer.from([4, 96, 0, 0, 0, 99, 1]))),
  'a subkey of 60 kB': between(packet(14, Buffer.alloc(60_000, 4))),
  'a user id of 65 kB': between(packet(13, Buffer.alloc(65_000, 65))),
  'a user id with controls': between(packet(13, 'a\0b\u001b[31m\npacksign: error\u202e\u009b')),
  'a photo': (it) => joinPackets([...clean, ...photo, it]),
  'the primary key as a subkey': (it) => joinPackets([...clean, packet(14, clean[0].body), it]),
  '100 certifications': (it) => joinPackets([...clean, ...certifications, it]),
  'a second copy with the revocation': (it) => joinPackets([...clean, ...others.slice(0, 5), clean[0], it]),
  'a first copy with the revocation': (it) => joinPackets([clean[0], it, ...clean]),
  '31 others': (it) => joinPackets([...clean, it, ...others.slice(5)]),
  'a critical notation, unhashed': unhashed(octets(3, 0x94, 0, 0)),
  'a reason, unhashed': unhashed(octets(2, 29, 3)),
  'a critical reason, unhashed': unhashed(octets(2, 0x9d, 3)),
  'not revocable, unhashed': unhashed(octets(2, 7, 0)),
  'not exportable, unhashed': unhashed(octets(2, 0x84, 0)),
  'flags, unhashed': unhashed(octets(2, 27, 255)),
  'a target, unhashed': unhashed(octets(2, 31, 1)),
  'an issuer of zeros, unhashed': unhashed(octets(9, 16, 0, 0, 0, 0, 0, 0, 0, 0)),
  'an issuer of version 6, unhashed': unhashed(octets(34, 33, 6, ...Array<number>(32).fill(1))),
  'a key block that is none, unhashed': unhashed(octets(4, 38, 0, 0xc6, 0xff)),
  '6000 issuers, unhashed': unhashed(() =>
    Buffer.alloc(60_000, Buffer.from([9, 16, 1, 2, 3, 4, 5, 6, 7, 8])),
  ),
  '65,535 octets, unhashed': unhashed(() => Buffer.alloc(65_535, 0xff)),
  'copies with other numbers': afterCopy(1, 2, 3, 4),
  'a copy with another beginning of the digest': afterCopy(68),
  'line ends of Windows': edited((text) => text.replaceAll('\n', '\r\n')),
  'no checksum': edited((text) => text.replace(/\n=.*\n/, '\n')),
  'a wrong checksum': edited((text) => text.replace(/\n=.*\n/, '\n=AAAA\n')),
  'an armor header of 900 kB': edited((text) =>
    text.replace('\n\n', `\nComment: ${'x'.repeat(900_000)}\n\n`),
  ),
  '30,000 armor headers': edited((text) => text.replace('\n\n', `\n${'Comment: x\n'.repeat(30_000)}\n`)),
  'an armor header with controls': edited((text) => text.replace('\n\n', '\nComment: \0\u001b[31m\n\n')),
  '500,000 lines first': edited((text) => '\n'.repeat(500_000) + text),
  'blanks in the empty line': edited((text) => text.replace('\n\n', '\n \t\n')),
};

/** Files that are refused, with and without the revocation. */
const REFUSED: Readonly<Record<string, Make>> = {
  ...Object.fromEntries(
    [0, 1, 3, 4, 8, 9, 11, 18, 19, 20, 22, 39].map((tag) => [
      `a packet of type ${tag}`,
      between(packet(tag)),
    ]),
  ),
  '60,000 empty packets of padding': between(...Array<Packet>(60_000).fill(packet(21, ''))),
  'a partial length': (it) => Buffer.concat([plain(it), partial(packet(13, Buffer.alloc(600, 65)))]),
  'a partial length of a private packet': (it) =>
    Buffer.concat([plain(it), partial(packet(60, Buffer.alloc(600)))]),
  'an indeterminate length': (it) => Buffer.concat([plain(it), Buffer.from([0xb7, 65])]),
  'a length of 4 GiB': (it) => Buffer.concat([plain(it), Buffer.from([0xcd, 255, 255, 255, 255, 255, 65])]),
  'half a header': (it) => Buffer.concat([plain(it), Buffer.from([0xcd])]),
  'the revocation first': (it) => joinPackets([it.tag === 2 ? it : packet(2), ...clean]),
  'a subkey of 70 kB': between(packet(14, Buffer.alloc(70_000, 4))),
  'a part of a secret key': between(packet(7, Buffer.from([4, 1]))),
  'a secret key': () => ann.write(),
  'text before': edited((text) => `hello\n${text}`),
  'text behind': edited((text) => `${text}hello`),
  'a byte-order mark': edited((text) => `\ufeff${text}`),
  'UTF-16': edited((text) => Buffer.from(text, 'utf16le')),
  'armor in armor': edited((text) => encodeArmor(Buffer.from(text), 'PUBLIC KEY BLOCK')),
  'another kind of armor': edited((text) => text.replaceAll('PUBLIC KEY BLOCK', 'MESSAGE')),
  'dots in base64': edited((text) => text.replace(/\n(\S)/, '\n.$1')),
  nothing: () => '',
  'a megabyte of zeros': () => Buffer.alloc(1_000_000),
  'a megabyte of empty packets': () => Buffer.alloc(1_000_000, 0x80),
};

/** Files with keys of strangers that cannot be read: those who named their keys need not care. */
const STRANGE: Readonly<Record<string, Make>> = {
  ...Object.fromEntries(
    [3, 5, 6].map((number) => [
      `a key of version ${number}`,
      (it: Packet) => joinPackets([version(6, number), packet(13, 'Eve'), ...clean, it]),
    ]),
  ),
  'an empty key': (it) => joinPackets([...clean, it, packet(6, '')]),
  '32 others': (it) => joinPackets([...clean, it, ...others]),
};

/** In place of the revocation: nothing that means anything. */
const NOTHING = packet(12);

async function codesOf(file: Uint8Array | string, args: (url: string) => readonly string[]): Promise<string> {
  const user = newPlace();
  user.write('keys', file);
  place.write('dist/keys.asc', file);
  const { status, value } = await answer(user, args(site.url));
  const { code = value['code'] ?? value['status'] } = (value['error'] ?? {}) as { readonly code?: unknown };
  return `${status} ${String(code)}`;
}

const named = (url: string) => ['verify', url, '--keys', 'keys'];
const beside = (url: string) => ['verify', url, '--fingerprint', fingerprint(ann)];
const added = (url: string) => ['trust', 'add', url, '--fingerprint', fingerprint(ann)];

describe('T27: a certificate file with a revocation', () => {
  test.each(Object.keys(READ))('and %s is read', async (name) => {
    for (const look of [named, beside, added]) {
      expect(await codesOf(READ[name]?.(NOTHING) ?? '', look)).toBe('0 authentic');
      for (const [of, revocation] of Object.entries(revocations)) {
        expect([of, await codesOf(READ[name]?.(revocation) ?? '', look)]).toEqual([of, '1 KEY_REVOKED']);
      }
    }
  });

  test.each(Object.keys(REFUSED))('and %s is refused', async (name) => {
    for (const revocation of [NOTHING, ...Object.values(revocations)]) {
      const file = REFUSED[name]?.(revocation) ?? '';
      const codes = [await codesOf(file, named), await codesOf(file, beside), await codesOf(file, added)];
      expect(codes).toEqual(['2 KEYS_MALFORMED', '1 KEYS_MALFORMED', '2 KEYS_MALFORMED']);
    }
  });
});

describe('T29: a key that nobody named, in keys.asc', () => {
  test.each(Object.keys(STRANGE))('%s: does not keep anybody from the named one', async (name) => {
    for (const [of, revocation] of Object.entries(revocations)) {
      const file = STRANGE[name]?.(revocation) ?? '';
      expect(await codesOf(file, named)).toBe('2 KEYS_MALFORMED');
      for (const look of [beside, added])
        expect([of, await codesOf(file, look)]).toEqual([of, '1 KEY_REVOKED']);
    }
    const file = STRANGE[name]?.(NOTHING) ?? '';
    for (const look of [beside, added]) expect(await codesOf(file, look)).toBe('0 authentic');
    place.write('dist/keys.asc', certificateFile(ann));
  });
});
