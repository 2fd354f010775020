import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { enums } from 'openpgp';
import type { PrivateKey } from 'openpgp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PacksignError } from '../../src/errors.js';
import { encodeArmor } from '../../src/pgp/armor.js';
import { encodeCertificates, readCertificates } from '../../src/pgp/certificates.js';
import { CERTIFICATE_FILE } from '../../src/pgp/origin.js';
import { joinPackets, splitPackets } from '../../src/pgp/packets.js';
import type { Packet } from '../../src/pgp/packets.js';
import { joinSignatures, readSignatures, verifySignatures } from '../../src/pgp/signatures.js';
import { DOCUMENT, day, fingerprint, forgeKey, forgeSignature, publicBytes, subkeyOf } from '../pgp/forge.js';
import { gnupgHome, run } from '../pgp/gnupg.js';
import type { Home } from '../pgp/gnupg.js';
import { hasTool } from '../tools.js';

/**
 * Certificates as an attacker could serve them. packsign decides in this process; gpgv and sqv are asked about what it
 * accepts. They must accept the same certificate as packsign writes it, and also as it was served, except for the
 * reasons that docs/TRUST.md gives: packets in another place, and other unhashed areas.
 */

const { reasonForRevocation } = enums;
const NOW = new Date();

interface Case {
  readonly name: string;
  readonly packets: readonly Packet[];
  readonly fingerprint: string;
  readonly signature: Uint8Array;
}

/** What is done to the packets behind the primary key. */
type Kind = 'order' | 'copies' | 'unhashed' | 'bits' | 'removal' | 'mixture';
const KINDS: readonly Kind[] = ['order', 'copies', 'unhashed', 'bits', 'removal', 'mixture'];

/** What neither gpgv nor sqv sorts out. */
const EXCUSED: ReadonlySet<Kind> = new Set(['order', 'unhashed', 'mixture']);

/** A generator with a seed (mulberry32), so that each run tries the same. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function shuffled<T>(list: readonly T[], random: (below: number) => number): T[] {
  return list
    .map((value) => ({ value, at: random(1e9) }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

const AREAS = [
  Buffer.alloc(0),
  Buffer.from([9, 16, 1, 2, 3, 4, 5, 6, 7, 8]),
  Buffer.concat([Buffer.from([22, 33, 4]), Buffer.alloc(20, 9)]),
  Buffer.from([3, 0x80 | 99, 1, 2]),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 1]),
  Buffer.alloc(5000, 1),
];

function poisoned(packet: Packet, random: (below: number) => number): Packet {
  if (packet.tag !== 2) return packet;
  const body = Buffer.from(packet.body);
  const hashedEnd = 6 + body.readUInt16BE(4);
  const end = hashedEnd + 2 + body.readUInt16BE(hashedEnd);
  const added = AREAS[random(AREAS.length)]!;
  const area = random(2) === 0 ? added : Buffer.concat([body.subarray(hashedEnd + 2, end), added]);
  const length = Buffer.from([area.length >> 8, area.length & 0xff]);
  return { tag: 2, body: Buffer.concat([body.subarray(0, hashedEnd), length, area, body.subarray(end)]) };
}

function flipped({ tag, body }: Packet, random: (below: number) => number): Packet {
  const bytes = Buffer.from(body);
  const at = random(bytes.length);
  bytes[at] = bytes[at]! ^ (1 << random(8));
  return { tag, body: bytes };
}

function mutated(
  packets: readonly Packet[],
  kind: Kind,
  random: (below: number) => number,
): readonly Packet[] {
  const [primary, ...others] = packets;
  const one = random(others.length);
  switch (kind) {
    case 'order':
      return [primary!, ...shuffled(others, random)];
    case 'copies':
      return [primary!, ...others, ...shuffled(packets, random).slice(0, 3)];
    case 'unhashed':
      return [primary!, ...others.map((packet) => (random(2) === 0 ? poisoned(packet, random) : packet))];
    case 'bits':
      return [primary!, ...others.with(one, flipped(others[one]!, random))];
    case 'removal':
      return [primary!, ...others.toSpliced(one, 1)];
    case 'mixture':
      return mutated(mutated(packets, 'unhashed', random), 'order', random);
  }
}

describe.runIf(hasTool('gpgv') && hasTool('sqv'))(
  'over certificates of every kind, packsign accepts nothing that gpgv or sqv refuses',
  () => {
    let home: Home;
    let cases: readonly Case[];

    beforeAll(async () => {
      home = gnupgHome();
      const ann = await forgeKey({ name: 'Ann' });
      const rsa = await forgeKey({ name: 'Rex', rsa: true });
      const curve = await forgeKey({ name: 'Curt', curve: 'nistP256' });
      const sub = async (key: PrivateKey, flag: enums.reasonForRevocation) => {
        const copy = await ann.addSubkey({ sign: true, date: day(2) });
        copy.subkeys[0] = await key.subkeys[0]!.revoke(ann.keyPacket as never, { flag }, day(30));
        return copy;
      };
      const keys: Record<string, PrivateKey> = {
        ann,
        rsa,
        curve,
        stolen: await ann.revoke({ flag: reasonForRevocation.keyCompromised }, day(30)),
        retired: await ann.revoke({ flag: reasonForRevocation.keyRetired }, day(30)),
        'stolen subkey': await sub(ann, reasonForRevocation.keyCompromised),
        'superseded subkey': await sub(ann, reasonForRevocation.keySuperseded),
      };
      cases = await Promise.all(
        Object.entries(keys).map(async ([name, key]) => ({
          name,
          packets: splitPackets(publicBytes(key), CERTIFICATE_FILE),
          fingerprint: fingerprint(key),
          signature: joinSignatures([await forgeSignature(subkeyOf(key), DOCUMENT, { date: day(10) })]),
        })),
      );
    });
    afterAll(() => {
      home.remove();
    });

    /** The certificate as packsign writes it; null if it does not accept the signature with it. */
    async function accepted({ packets, fingerprint: wanted, signature }: Case): Promise<Uint8Array | null> {
      try {
        const certificates = await readCertificates(joinPackets(packets), { only: new Set([wanted]) });
        const [report] = await verifySignatures(DOCUMENT, readSignatures(signature), {
          certificates,
          now: NOW,
        });
        return report?.good === true ? encodeCertificates(certificates).binary : null;
      } catch (error) {
        if (error instanceof PacksignError) return null;
        throw error;
      }
    }

    /** Which of them refuse. */
    function refusing(binary: Uint8Array, signature: Uint8Array): readonly string[] {
      const ring = home.write('ring.gpg', binary);
      const armored = home.write('ring.asc', encodeArmor(binary, 'PUBLIC KEY BLOCK'));
      const [sig, data] = [home.write('data.asc', signature), home.write('data', DOCUMENT)];
      const gpgv = run('gpgv', ['--homedir', home.folder, '--keyring', ring, sig, data]);
      const sqv = run('sqv', ['--keyring', armored, sig, data]);
      return [...(gpgv.status === 0 ? [] : ['gpgv']), ...(sqv.status === 0 ? [] : ['sqv'])];
    }

    test('as they are, and with 120 mutations', async () => {
      const random = randomOf(16);
      const mutations = Array.from({ length: 120 }, (_, index) => {
        const one = cases[index % cases.length]!;
        const kind = KINDS[index % KINDS.length]!;
        return { ...one, name: `${one.name}, ${kind}`, kind, packets: mutated(one.packets, kind, random) };
      });
      const whole = cases.map((one) => ({ ...one, kind: null }));
      let count = 0;
      for (const one of [...whole, ...mutations]) {
        const written = await accepted(one);
        if (written === null) continue;
        count += 1;
        expect([one.name, refusing(written, one.signature)]).toEqual([one.name, []]);
        if (one.kind !== null && EXCUSED.has(one.kind)) continue;
        expect([one.name, refusing(joinPackets(one.packets), one.signature)]).toEqual([one.name, []]);
      }
      expect(count).toBeGreaterThan(50);
    });

    test('docs/TRUST.md gives the reasons why they may refuse what was served', () => {
      const text = readFileSync(join(import.meta.dirname, '../../docs/TRUST.md'), 'utf8');
      expect(text).toContain('not behind its key or user id');
      expect(text).toContain('unhashed area');
    });
  },
);
