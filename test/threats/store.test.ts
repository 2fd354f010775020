import { PublicKeyPacket, PublicSubkeyPacket, enums } from 'openpgp';
import type { PrivateKey } from 'openpgp';
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { PacksignError, trustRemove } from '../../src/index.js';
import { encodeArmor } from '../../src/pgp/armor.js';
import { readCertificates } from '../../src/pgp/certificates.js';
import { joinPackets, splitPackets } from '../../src/pgp/packets.js';
import type { Packet } from '../../src/pgp/packets.js';
import { CERTIFICATE_FILE } from '../../src/pgp/origin.js';
import { hashedKey, publicPacketOf } from '../../src/pgp/packet-objects.js';
import { newReader, packsign, publish, serve } from '../consume/scene.js';
import type { Reader, Site } from '../consume/scene.js';
import { newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';
import { openpgpOfRuns } from '../run.js';
import { day, fingerprint, forgeKey, forgePacket, primaryOf, publicBytes, subkeyOf } from '../pgp/forge.js';
import { verifyDatabase } from '../../src/verify.js';
import { ISSUED, certificateFile, minutes, people, sha256 } from './scene.js';
import type { People } from './scene.js';

/** What a user keeps of what others serve: merged, filtered, bounded, and never with a lower bar. */
let known: People;
let place: Place;
let site: Site;
let reader: Reader;

interface Stored {
  readonly name: string;
  readonly url: string;
  readonly threshold: number;
  readonly added: string;
  readonly certificates: string;
  readonly accepted: { readonly issued: string } | null;
}

beforeAll(async () => {
  known = await people();
});

beforeEach(async () => {
  place = newPlace();
  site = await serve(place.path('dist'));
  reader = newReader();
  await publish(place, known.ann, { packsign: { Database: site.url } });
});

function stored(): readonly Stored[] {
  return (JSON.parse(reader.place.text('config/trust.json')) as { databases: Stored[] }).databases;
}

function only(): Stored {
  const [entry] = stored();
  if (entry === undefined || stored().length !== 1) throw new Error('expected one entry');
  return entry;
}

/** Makes the server hold back its next answer for a path until it is let go. */
function holdBack(
  path: string,
  bytes: Buffer,
): { readonly isAsked: Promise<void>; readonly letGo: () => void } {
  let letGo: () => void = () => undefined;
  const free = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const isAsked = new Promise<void>((resolve) => {
    site.tricks.set(path, (_, response) => {
      site.tricks.delete(path);
      resolve();
      free.then(() => response.end(bytes)).catch(() => undefined);
    });
  });
  return { isAsked, letGo: () => letGo() };
}

async function newer(options: Parameters<typeof publish>[2] = {}): Promise<Buffer> {
  return await publish(place, known.ann, {
    ...{ issued: minutes(ISSUED, 5), packsign: { Database: site.url } },
    ...options,
  });
}

describe('T28: what is remembered is merged with what is stored by then', () => {
  beforeEach(async () => {
    await reader.trust(site.url, { keys: certificateFile(known.ann), name: 'ann' });
  });

  test('a revocation that was learned meanwhile stays, and counts', async () => {
    await newer();
    const held = holdBack('keys.asc', place.read('dist/keys.asc'));
    const slow = reader.fetch('ann');
    await held.isAsked;
    const revoked = await known.ann.revoke({ flag: enums.reasonForRevocation.keyCompromised }, day(300));
    place.write('dist/keys.asc', certificateFile(revoked));
    expect(await reader.fetch('ann')).toMatchObject({ code: 'KEY_REVOKED' });
    place.write('dist/keys.asc', certificateFile(known.ann));
    const { certificates } = only();
    held.letGo();
    expect(await slow).toMatchObject({ status: 'refused', code: 'KEY_REVOKED' });
    expect(only().certificates).toBe(certificates);
    expect(await reader.fetch('ann')).toMatchObject({ code: 'KEY_REVOKED' });
  });

  test('a newer database that was accepted meanwhile stays', async () => {
    await newer();
    const held = holdBack('keys.asc', place.read('dist/keys.asc'));
    const slow = reader.fetch('ann');
    await held.isAsked;
    await newer({ issued: minutes(ISSUED, 10) });
    expect(await reader.fetch('ann')).toMatchObject({ status: 'authentic' });
    const { accepted } = only();
    held.letGo();
    expect((await slow).trusted?.Packsign.Issued).toEqual(minutes(ISSUED, 10));
    expect(only().accepted).toEqual(accepted);
  });

  test('an entry that was removed meanwhile stays removed', async () => {
    await newer();
    const held = holdBack('keys.asc', place.read('dist/keys.asc'));
    const slow = reader.fetch('ann');
    await held.isAsked;
    const store = { kind: 'store', folder: reader.place.path('config'), cacheFolder: null } as const;
    await trustRemove('ann', store);
    held.letGo();
    await expect(slow).rejects.toMatchObject({ code: 'NOT_TRUSTED' });
    expect(stored()).toEqual([]);
  });

  test('an entry that was made anew meanwhile keeps its name, its keys and its threshold', async () => {
    await newer({ by: [known.ann, known.bob] });
    const held = holdBack('keys.asc', place.read('dist/keys.asc'));
    const slow = reader.fetch(site.url);
    await held.isAsked;
    const store = { kind: 'store', folder: reader.place.path('config'), cacheFolder: null } as const;
    await trustRemove('ann', store);
    await reader.trust(site.url, { keys: certificateFile(known.ann, known.bob), name: 'both' });
    const before = only();
    expect(before).toMatchObject({ name: 'both', threshold: 2 });
    held.letGo();
    expect(await slow).toMatchObject({ status: 'authentic' });
    expect({ ...only(), refreshed: null }).toEqual({ ...before, refreshed: null });
  });

  test('a database that was added meanwhile is not added twice, nor replaced', async () => {
    const store = { kind: 'store', folder: reader.place.path('config'), cacheFolder: null } as const;
    await trustRemove('ann', store);
    const held = holdBack('keys.asc', place.read('dist/keys.asc'));
    const slow = reader.trust(site.url, { fingerprints: [fingerprint(known.ann)], name: 'late' });
    await held.isAsked;
    await reader.trust(site.url, { keys: certificateFile(known.ann), name: 'ann' });
    const before = only();
    held.letGo();
    await expect(slow).rejects.toMatchObject({ code: 'TRUST_EXISTS' });
    expect(only()).toEqual(before);
  });

  test('a threshold that was raised meanwhile stays, and counts', async () => {
    await trustRemove('ann', { kind: 'store', folder: reader.place.path('config'), cacheFolder: null });
    await reader.trust(site.url, { keys: certificateFile(known.ann, known.bob), threshold: 1, name: 'both' });
    await newer();
    const held = holdBack('keys.asc', place.read('dist/keys.asc'));
    const slow = reader.fetch('both');
    await held.isAsked;
    const raised = reader.place.text('config/trust.json').replace('"threshold": 1', '"threshold": 2');
    reader.place.write('config/trust.json', raised);
    const before = reader.store();
    held.letGo();
    expect(await slow).toMatchObject({ status: 'refused', code: 'TOO_FEW_SIGNATURES' });
    expect(reader.store()).toEqual(before);
  });
});

/** A certificate with all that a server can add without a key of its owner, her photo, and what others said of it. */
async function stuffed(key: PrivateKey, by: PrivateKey): Promise<Uint8Array> {
  const [primary, userId, ...rest] = splitPackets(publicBytes(key), CERTIFICATE_FILE) as readonly [
    ...[Packet, Packet],
    ...Packet[],
  ];
  const own = { key: hashedKey(publicPacketOf(primaryOf(key), 5).body) };
  const written = { write: () => userId.body };
  const type = enums.signature.certGeneric;
  const signature = async (made: ReturnType<typeof forgePacket>): Promise<Packet> => ({
    ...{ tag: 2, body: (await made).write() },
  });
  const photo: Packet = { tag: 17, body: Buffer.concat([Buffer.from([201, 1]), Buffer.alloc(200, 7)]) };
  const hers = { ...own, userAttribute: { write: () => photo.body } };
  const direct = await signature(forgePacket(primaryOf(key), own, { type: enums.signature.key }));
  const foreign = await signature(forgePacket(primaryOf(by), { ...own, userID: written }, { type }));
  const junk = Array.from({ length: 20 }, (_, index): Packet[] => [
    { tag: 13, body: Buffer.from(`junk ${index} ${'x'.repeat(2000)}`) },
    direct,
  ]);
  const packets = [
    ...[primary, direct, direct, userId, foreign, ...rest, ...junk.flat()],
    ...[photo, await signature(forgePacket(primaryOf(key), hers, { type })), direct],
    ...splitPackets(publicBytes(by), CERTIFICATE_FILE),
  ];
  return encodeArmor(joinPackets(packets), 'PUBLIC KEY BLOCK');
}

describe('who names the keys of a trusted database for one run', () => {
  const NAMES: Readonly<Record<string, () => readonly string[]>> = {
    'by --fingerprint': () => ['--fingerprint', fingerprint(known.ann)],
    'by --keys': () => ['--keys', reader.place.write('ann.asc', certificateFile(known.ann))],
  };

  /** What is said of the database under its address and under its name. */
  async function codes(words: readonly string[]): Promise<readonly unknown[]> {
    const answers: unknown[] = [];
    for (const target of [site.url, 'ann']) {
      const { stdout } = await packsign(reader.place, ['verify', target, ...words, '--json']);
      answers.push((JSON.parse(stdout) as { code: unknown }).code);
    }
    return answers;
  }

  beforeEach(async () => {
    await newer();
    await packsign(reader.place, [
      'trust',
      'add',
      site.url,
      '--keys',
      reader.place.write('ann.asc', certificateFile(known.ann)),
      '--name',
      'ann',
    ]);
  });

  test.each(Object.entries(NAMES))('%s is not led back', async (_, words) => {
    expect(await codes(words())).toEqual([null, null]);
    await publish(place, known.ann, { packsign: { Database: site.url } });
    expect(await codes(words())).toEqual(['DATABASE_ROLLED_BACK', 'DATABASE_ROLLED_BACK']);
  });

  test.each(Object.entries(NAMES))('%s does not bring a revoked key back', async (_, words) => {
    const revoked = await known.ann.revoke({ flag: enums.reasonForRevocation.keyCompromised }, ISSUED);
    place.write('dist/keys.asc', certificateFile(revoked));
    expect(await codes([])).toEqual(['KEY_REVOKED', 'KEY_REVOKED']);
    place.write('dist/keys.asc', certificateFile(known.ann));
    expect(await codes(words())).toEqual(['KEY_REVOKED', 'KEY_REVOKED']);
  });

  test('uses none of it if the store is damaged, and the address is named too', async () => {
    reader.place.write('config/packsign/trust.json', '{');
    const words = ['verify', site.url, '--fingerprint', fingerprint(known.ann)];
    expect(await packsign(reader.place, words)).toMatchObject({ status: 0 });
  });
});

describe('T31: what a server serves is filtered before it is stored', () => {
  test('nothing is kept but what the pinned primary key signed, once', async () => {
    place.write('dist/keys.asc', await stuffed(known.ann, known.mallory));
    await reader.trust(site.url, { fingerprints: [fingerprint(known.ann)] });
    await newer();
    place.write('dist/keys.asc', await stuffed(known.ann, known.bob));
    expect(await reader.fetch(site.url)).toMatchObject({ status: 'authentic' });
    const kept = Buffer.from(only().certificates);
    expect(only().certificates).not.toContain(Buffer.alloc(60, 7).toString('base64'));
    const clean = Buffer.from(certificateFile(known.ann));
    // The direct-key signature is hers: it may stay, once.
    expect(kept.length).toBeLessThan(clean.length + 400);
    const [certificate, ...others] = await readCertificates(kept);
    expect([certificate?.userIds, others]).toEqual([['Ann <ann@example.org>'], []]);
  });

  test('beside a refused database only revocations of pinned keys are remembered', async () => {
    const more = await forgeKey({ name: 'Ann', subkeys: [{ sign: true }, { sign: true }] });
    const first = withOneSubkey(more);
    await publish(place, more, { packsign: { Database: site.url } });
    place.write('dist/keys.asc', first);
    await reader.trust(site.url, { keys: first });
    const before = reader.store();
    place.write('dist/keys.asc', certificateFile(more));
    place.write('dist/packages.plist', place.text('dist/packages.plist').replace('does demo', 'does evil'));
    expect(await reader.fetch(site.url)).toMatchObject({ status: 'refused' });
    expect(reader.store()).toEqual(before);
    const subject = {
      key: hashedKey(publicPacketOf(primaryOf(more), 5).body),
      bind: hashedKey(publicPacketOf(subkeyOf(more), 7).body),
    };
    const revocation = await forgePacket(primaryOf(more), subject, {
      type: enums.signature.subkeyRevocation,
    });
    const [primary, userId, self, subkey, binding] = splitPackets(publicBytes(more), CERTIFICATE_FILE);
    const packets = [
      primary,
      userId,
      self,
      subkey,
      { tag: 2, body: revocation.write() },
      binding,
    ] as Packet[];
    place.write('dist/keys.asc', encodeArmor(joinPackets(packets), 'PUBLIC KEY BLOCK'));
    expect(await reader.fetch(site.url)).toMatchObject({ status: 'refused' });
    const [kept] = await readCertificates(Buffer.from(only().certificates));
    expect(kept?.subkeys).toHaveLength(1);
    expect(kept?.subkeys[0]?.revocations).toHaveLength(1);
  });

  test('a revocation by a designated revoker is kept with its key, also when it is served no more', async () => {
    const own = { key: hashedKey(publicPacketOf(primaryOf(known.ann), 5).body) };
    const designation = await forgePacket(primaryOf(known.ann), own, {
      type: enums.signature.key,
      prepare: (packet) => {
        packet.revocationKeyClass = 0x80;
        packet.revocationKeyAlgorithm = enums.publicKey.eddsaLegacy;
        packet.revocationKeyFingerprint = Buffer.from(known.bob.getFingerprint(), 'hex');
      },
    });
    const revocation = await forgePacket(primaryOf(known.bob), own, { type: enums.signature.keyRevocation });
    const anns = splitPackets(publicBytes(known.ann), CERTIFICATE_FILE);
    const designated = [...anns, { tag: 2, body: designation.write() }];
    const revoked = [...designated, { tag: 2, body: revocation.write() }];
    const file = (packets: readonly Packet[]) => encodeArmor(joinPackets(packets), 'PUBLIC KEY BLOCK');
    await reader.trust(site.url, { keys: file(designated), name: 'ann' });
    await newer();
    const bobs = splitPackets(publicBytes(known.bob), CERTIFICATE_FILE);
    place.write('dist/keys.asc', file([...revoked, ...bobs]));
    expect(await reader.fetch('ann')).toMatchObject({ code: 'KEY_REVOKED' });
    await newer({ issued: minutes(ISSUED, 6) });
    expect(await reader.fetch('ann')).toMatchObject({ code: 'KEY_REVOKED' });
  });

  test('what would not fit is refused, and the store can still be read', async () => {
    await reader.trust(site.url, { keys: certificateFile(known.ann), name: 'ann' });
    const other = newPlace();
    const second = await serve(other.path('dist'));
    await publish(other, known.bob, { packsign: { Database: second.url } });
    await reader.trust(second.url, { keys: certificateFile(known.bob), name: 'bob' });
    const before = reader.store();
    const Mirrors = Array.from(
      { length: 40 },
      (_, index) => `https://example.org/${index}/${'x'.repeat(60_000)}`,
    );
    await newer({ packsign: { Database: site.url, Mirrors } });
    await expect(reader.fetch('ann')).rejects.toMatchObject({ code: 'TRUST_TOO_LARGE' });
    expect(reader.store()).toEqual(before);
    expect(await reader.fetch('bob')).toMatchObject({ status: 'authentic' });
  });

  test('of a server’s ETag only a short and printable one is remembered', async () => {
    await reader.trust(site.url, { keys: certificateFile(known.ann), name: 'ann' });
    for (const etag of ['"\u0085"', `"${'x'.repeat(5000)}"`, '""" \t"']) {
      await newer();
      site.tricks.set('packages.plist', (_, response) => {
        response.setHeader('etag', etag);
        response.end(place.read('dist/packages.plist'));
      });
      expect(await reader.fetch('ann')).toMatchObject({ status: 'authentic' });
      expect(await reader.fetch('ann')).toMatchObject({ status: 'authentic' });
    }
  });
});

describe('T29: of keys.asc only the pinned certificates are computed on', () => {
  /** Forty certificates that are as good as Ann's, before and behind hers. */
  async function crowd(): Promise<Uint8Array> {
    const strangers = await Promise.all(Array.from({ length: 40 }, () => forgeKey({ name: 'Eve' })));
    return certificateFile(...strangers, known.ann, ...strangers);
  }

  /** How many keys are read while something runs. */
  async function keysRead(run: () => Promise<unknown>): Promise<number> {
    const { PublicKeyPacket: key, PublicSubkeyPacket: subkey } = openpgpOfRuns();
    const packets = [PublicKeyPacket, PublicSubkeyPacket, key, subkey];
    const spies = packets.map(({ prototype }) => vi.spyOn(prototype, 'read'));
    await run();
    const calls = spies.reduce((sum, { mock }) => sum + mock.calls.length, 0);
    vi.restoreAllMocks();
    return calls;
  }

  /** What a reader does with Ann's fingerprint alone, from the first visit on. */
  const visits: Readonly<Record<string, () => Promise<unknown>>> = {
    'trust add --fingerprint': () =>
      reader.trust(site.url, { fingerprints: [fingerprint(known.ann)], name: 'ann' }),
    'trust add --fingerprint --keys': async () => {
      const added = { fingerprints: [fingerprint(known.ann)], keys: place.read('dist/keys.asc') };
      expect(await reader.trust(site.url, added)).toMatchObject({ threshold: 1 });
    },
    'verify --fingerprint': async () => {
      const args = ['verify', 'dist', '--fingerprint', fingerprint(known.ann)];
      expect((await place.packsign(args)).status).toBe(0);
    },
    'verify --fingerprint --keys': async () => {
      const args = ['verify', 'dist', '--fingerprint', fingerprint(known.ann), '--keys', 'dist/keys.asc'];
      expect((await place.packsign(args)).status).toBe(0);
    },
    get: async () => {
      await reader.trust(site.url, { keys: certificateFile(known.ann), name: 'ann' });
      await newer({ keys: [] });
      place.write('dist/keys.asc', keys);
      expect(await reader.get(['demo'], { from: 'ann' })).toMatchObject({ ok: true });
    },
    'the page': async () => {
      const bytes = place.read('dist/packages.plist');
      const signature = place.read(`dist/signatures/${sha256(bytes)}.asc`);
      const fingerprints = [fingerprint(known.ann)];
      const verdict = await verifyDatabase(bytes, signature, { keys, fingerprints, now: minutes(ISSUED, 1) });
      expect(verdict.status).toBe('authentic');
    },
  };
  let keys: Uint8Array;

  test.each(Object.keys(visits))('%s', async (name) => {
    keys = certificateFile(known.ann);
    const alone = await keysRead(visits[name]!);
    reader = newReader();
    keys = await crowd();
    place.write('dist/keys.asc', keys);
    expect(await keysRead(visits[name]!)).toBe(alone);
    expect(alone).toBeGreaterThan(0);
  });
});

/** The certificate without its second subkey. */
function withOneSubkey(key: PrivateKey): Uint8Array {
  const packets = splitPackets(publicBytes(key), CERTIFICATE_FILE).slice(0, 5);
  return encodeArmor(joinPackets(packets), 'PUBLIC KEY BLOCK');
}

describe('T34: the bar is set by the judge, never by the judged', () => {
  const both = (): Uint8Array => certificateFile(known.ann, known.bob);
  const asking = (Threshold: number) => ({
    Signers: { Threshold, Fingerprints: [fingerprint(known.ann), fingerprint(known.bob)].sort() },
  });

  async function refusal(work: Promise<unknown>): Promise<string> {
    try {
      await work;
      return 'accepted';
    } catch (error) {
      if (!(error instanceof PacksignError)) throw error;
      expect(reader.place.has('config/trust.json')).toBe(false);
      return error.code;
    }
  }

  test('two keys without a threshold are both asked for, whatever the first database says', async () => {
    await newer({ packsign: { Database: site.url, ...asking(1) } });
    expect(await refusal(reader.trust(site.url, { keys: both() }))).toBe('TOO_FEW_SIGNATURES');
    await newer({ by: [known.ann, known.bob], packsign: { Database: site.url, ...asking(1) } });
    expect(await reader.trust(site.url, { keys: both() })).toMatchObject({ threshold: 2 });
  });

  test('a database that asks for more keys than are given is refused, unless the user says how many', async () => {
    await newer({ by: [known.ann, known.bob], packsign: { Database: site.url, ...asking(2) } });
    expect(await refusal(reader.trust(site.url, { keys: certificateFile(known.ann) }))).toBe(
      'TOO_FEW_SIGNATURES',
    );
    const said = { keys: certificateFile(known.ann), threshold: 1 };
    expect(await reader.trust(site.url, said)).toMatchObject({ threshold: 1 });
  });

  test('a threshold above the number of keys is refused, also with --via', async () => {
    const threshold = 5;
    expect(await refusal(reader.trust(site.url, { keys: certificateFile(known.ann), threshold }))).toBe(
      'USAGE',
    );
    const [target] = await vouching({ says: 1, asks: 1, by: [known.bob] });
    await expect(reader.trust(target, { via: 'ann', threshold })).rejects.toMatchObject({ code: 'USAGE' });
  });

  /** A database of Bob and Mallory that Ann vouches for; its address. */
  async function vouching(options: {
    readonly says: number;
    readonly asks: number;
    readonly by?: readonly PrivateKey[];
    readonly named?: readonly PrivateKey[];
  }): Promise<readonly [string]> {
    const { says, asks, by = [known.bob, known.mallory], named = by } = options;
    const other = newPlace();
    const target = await serve(other.path('dist'));
    const fingerprints = (keys: readonly PrivateKey[]) => keys.map((key) => fingerprint(key)).sort();
    await publish(other, known.bob, {
      by,
      keys: [known.bob, known.mallory],
      packsign: {
        Database: target.url,
        Signers: { Threshold: asks, Fingerprints: fingerprints([known.bob, known.mallory]) },
      },
    });
    const Trusts = [{ URL: target.url, Fingerprints: fingerprints(named), Threshold: says }];
    await newer({ packsign: { Database: site.url, Trusts } });
    await reader.trust(site.url, { keys: certificateFile(known.ann), name: 'ann' });
    return [target.url];
  }

  test.each([
    { says: 1, asks: 2 },
    { says: 2, asks: 1 },
  ])('vouched for with $says where the database asks for $asks: two must sign', async (options) => {
    const [target] = await vouching(options);
    expect(await reader.trust(target, { via: 'ann' })).toMatchObject({ threshold: 2 });
  });

  test('a voucher is not undercut by --threshold, nor cut to the keys that it names', async () => {
    const [target] = await vouching({ says: 2, asks: 1 });
    await expect(reader.trust(target, { via: 'ann', threshold: 1 })).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('a voucher that asks for more keys than it names is refused with its database', async () => {
    const voucher = vouching({ says: 2, asks: 1, named: [known.bob] });
    await expect(voucher).rejects.toMatchObject({ code: 'DATABASE_MALFORMED' });
  });

  test('where the database raises the bar, that many must have signed', async () => {
    const named = [known.bob, known.mallory];
    const [target] = await vouching({ says: 1, asks: 2, by: [known.bob], named });
    await expect(reader.trust(target, { via: 'ann' })).rejects.toMatchObject({ code: 'TOO_FEW_SIGNATURES' });
  });

  test('a database that asks for more keys than its voucher names is not added', async () => {
    const [target] = await vouching({ says: 1, asks: 2, named: [known.bob] });
    await expect(reader.trust(target, { via: 'ann' })).rejects.toMatchObject({ code: 'TOO_FEW_SIGNATURES' });
  });
});
