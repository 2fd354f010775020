import { existsSync, readFileSync } from 'node:fs';
import { enums } from 'openpgp';
import type { PrivateKey } from 'openpgp';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { encodeDatabase } from '../../src/format/encode-database.js';
import { encodeArmor } from '../../src/pgp/armor.js';
import { CERTIFICATE_FILE } from '../../src/pgp/origin.js';
import { hashedKey, publicPacketOf } from '../../src/pgp/packet-objects.js';
import { joinPackets, splitPackets } from '../../src/pgp/packets.js';
import type { Packet } from '../../src/pgp/packets.js';
import { answer, publish, serve } from '../consume/scene.js';
import type { Site } from '../consume/scene.js';
import { ENDLESS_ANSWERS, ODD_ANSWERS } from '../net/odd.js';
import { ODD_VARIANTS } from '../net/odd-variants.js';
import { newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';
import { openpgpOfRuns } from '../run.js';
import {
  bindingSubject,
  day,
  fingerprint,
  forgeKey,
  forgePacket,
  primaryOf,
  publicBytes,
  subkeyOf,
  withUnhashed,
} from '../pgp/forge.js';
import { READER_CASES } from './reader-cases.js';
import type { OddRow, OtherTest } from './reader-cases.js';
import { DEMO, certificateFile, database, published, put, signatureFile } from './scene.js';

/**
 * All that seven attack scripts on readers try, from poisoned revocations to odd servers: each case is refused or
 * bounded. Cases that other tests run are named there by title, and must still be there.
 */

const COUNT = 222;

let ann: PrivateKey;
beforeAll(async () => {
  ann = await forgeKey({ name: 'Ann' });
});

type Outcomes = Readonly<Record<string, string>>;

interface Scene {
  readonly user: Place;
  readonly site: Site;
  /** The published directory is its `dist`. */
  readonly place: Place;
  /** Replaces `keys.asc` by these packets. */
  readonly serveKeys: (packets: Uint8Array) => void;
}

/** A database of a key at an address, and a user who knows nothing yet. */
async function sceneOf(key: PrivateKey): Promise<Scene> {
  const place = newPlace();
  const site = await serve(place.path('dist'));
  await publish(place, key, { packsign: { Database: site.url } });
  const serveKeys = (packets: Uint8Array) => place.write('dist/keys.asc', armored(packets));
  return { user: newPlace(), site, place, serveKeys };
}

const armored = (packets: Uint8Array) => encodeArmor(packets, 'PUBLIC KEY BLOCK');
const packetsOf = (key: PrivateKey): readonly Packet[] => splitPackets(publicBytes(key), CERTIFICATE_FILE);
const add = (url: string, key: PrivateKey, name: string) => [
  ...['trust', 'add', url, '--fingerprint', fingerprint(key), '--name', name],
];

/** The exit status, with the code of the error or the refusal, or the status of the database. */
async function run(place: Place, ...args: readonly string[]): Promise<string> {
  const { status, value } = await answer(place, args);
  const [first = {}] = (value['databases'] ?? []) as readonly Readonly<Record<string, unknown>>[];
  const { code } = (value['error'] ?? {}) as { readonly code?: string };
  const words = [code, value['code'], value['status'], args.includes('refresh') ? first['code'] : null];
  return [status, words.find((word) => typeof word === 'string') ?? []].flat().join(' ');
}

async function poison(): Promise<Outcomes> {
  const { user, site, serveKeys } = await sceneOf(ann);
  const subject = bindingSubject(primaryOf(ann), subkeyOf(ann));
  const made = await forgePacket(primaryOf(ann), subject, {
    type: enums.signature.subkeyRevocation,
    prepare: (packet) => {
      packet.reasonForRevocationFlag = enums.reasonForRevocation.keyCompromised;
      packet.reasonForRevocationString = 'stolen';
    },
  });
  const revocation = { tag: 2, body: made.write() };
  const poisoned = withUnhashed(revocation, Buffer.from([9, 16, ...Buffer.alloc(8, 0xaa)]));
  const clean = packetsOf(ann);
  const [revoked, spoilt] = [revocation, poisoned].map((packet) => joinPackets([...clean, packet]));
  user.write('revoked.gpg', revoked!);
  user.write('poisoned.gpg', spoilt!);
  const outcomes: Record<string, string> = {};
  serveKeys(joinPackets(clean));
  const verify = async (file: string) => await run(user, 'verify', site.url, '--keys', file);
  outcomes['the true revocation in the file of the user'] = await verify('revoked.gpg');
  outcomes['the poisoned one in the file of the user'] = await verify('poisoned.gpg');
  serveKeys(spoilt!);
  outcomes['trust add while the poisoned one is served'] = await run(user, ...add(site.url, ann, 'ann'));
  serveKeys(revoked!);
  outcomes['trust refresh, which then knows no such database'] = await run(user, 'trust', 'refresh', 'ann');
  outcomes['verify by a name that was not added'] = await run(user, 'verify', 'ann');
  outcomes['get from what was not added'] = await run(user, 'get', 'demo', '--from', 'ann');
  serveKeys(joinPackets(clean));
  outcomes['trust add while a clean one is served'] = await run(user, ...add(site.url, ann, 'ann'));
  serveKeys(revoked!);
  outcomes['trust refresh learns of the true one'] = await run(user, 'trust', 'refresh', 'ann');
  outcomes['the poisoned one in the file, the true one beside the database'] = await verify('poisoned.gpg');
  return outcomes;
}

async function brick(): Promise<Outcomes> {
  const { user, site, place, serveKeys } = await sceneOf(ann);
  const bob = await forgeKey({ name: 'Bob' });
  const fat = await sceneOf(bob);
  const junk = (count: number, behind: readonly Packet[] = []): readonly Packet[] =>
    Array.from({ length: count }, (_, index) => [
      ...[{ tag: 13, body: Buffer.from(`junk ${index} ${'x'.repeat(4000)}`) }, ...behind],
    ]).flat();
  const outcomes: Record<string, string> = {};
  outcomes['trust add of an honest database'] = await run(user, ...add(site.url, ann, 'honest'));
  fat.serveKeys(joinPackets([...packetsOf(bob), ...junk(220)]));
  outcomes['trust add with 220 user ids behind the key'] = await run(user, ...add(fat.site.url, bob, 'fat'));
  outcomes['trust list after it'] = await run(user, 'trust', 'list');
  outcomes['verify of what was not added'] = await run(user, 'verify', 'fat');
  const get = ['get', 'demo', '--output', 'out'];
  outcomes['get from the honest one'] = await run(user, ...get, '--from', 'honest');
  outcomes['get from all'] = await run(user, ...get);
  outcomes['trust refresh of all'] = await run(user, 'trust', 'refresh');
  outcomes['trust remove of what was not added'] = await run(user, 'trust', 'remove', 'fat');
  outcomes['trust list again'] = await run(user, 'trust', 'list');

  const key = { key: hashedKey(publicPacketOf(primaryOf(ann), 5).body) };
  const direct = (await forgePacket(primaryOf(ann), key, { type: enums.signature.key })).write();
  const packet = { tag: 2, body: direct };
  const [primary, ...rest] = packetsOf(ann);
  serveKeys(joinPackets([primary!, packet, ...rest, ...junk(210, [packet])]));
  const good = place.read('dist/packages.plist');
  place.write('dist/packages.plist', good.toString().replace('does demo', 'does evil'));
  const STORE = 'config/packsign/trust.json';
  const before = user.read(STORE).length;
  const refused = 'verify with an altered database and 210 user ids, each with a signature of the key';
  outcomes[refused] = await run(user, 'verify', 'honest');
  outcomes['the store after it has as many bytes as before'] =
    `${user.read(STORE).length - before} bytes more`;
  place.write('dist/packages.plist', good);
  place.write('dist/keys.asc', certificateFile(ann));
  outcomes['verify when all is well again'] = await run(user, 'verify', 'honest');
  outcomes['trust list in the end'] = await run(user, 'trust', 'list');
  return outcomes;
}

async function quad(): Promise<Outcomes> {
  const place = await published({ ann });
  const eve = await forgeKey({ name: 'Eve' });
  const [primary, userId] = packetsOf(eve);
  const subject = {
    key: hashedKey(publicPacketOf(primaryOf(eve), 5).body),
    userID: { write: () => userId!.body },
  };
  const signatures: Packet[] = [];
  for (let index = 0; index < 400; index += 1) {
    const date = new Date(day(10).getTime() + index * 1000);
    const made = await forgePacket(primaryOf(eve), subject, { type: enums.signature.certPositive, date });
    signatures.push({ tag: 2, body: made.write() });
  }
  const checked = async (args: readonly string[]) => {
    const { prototype } = openpgpOfRuns().SignaturePacket;
    const verify = vi.spyOn(prototype as unknown as { verify: () => unknown }, 'verify');
    const outcome = await run(place, ...args);
    const calls = verify.mock.calls.length;
    verify.mockRestore();
    return { outcome, calls };
  };
  const args = ['verify', 'dist', '--keys', 'pins.asc', '--no-files'];
  const alone = await checked(args);
  expect(alone.calls).toBeGreaterThan(2);
  const outcomes: Record<string, string> = {};
  for (const [count, copies] of [
    ...[[100, 0] as const, [100, 100] as const, [100, 200] as const, [200, 200] as const],
    [400, 400] as const,
  ]) {
    const stranger = [primary!, userId!, ...signatures.slice(0, count)];
    const repeated = Array<Packet>(copies).fill(primary!);
    place.write('dist/keys.asc', armored(joinPackets([...packetsOf(ann), ...stranger, ...repeated])));
    const { outcome, calls } = await checked(args);
    const name = `${count} self-signatures, ${copies === 0 ? 'no' : copies} copies`;
    outcomes[name] = `${outcome} at the cost of ${calls === alone.calls ? 'none' : `${calls} checks`}`;
  }
  return outcomes;
}

async function get(): Promise<Outcomes> {
  const { user, site } = await sceneOf(ann);
  const outcomes: Record<string, string> = {};
  outcomes['trust add'] = await run(user, ...add(site.url, ann, 'ann'));
  user.write('out/DEMO-1.0.tar.gz', 'another file');
  const other = await run(user, 'get', 'demo', '--output', 'out');
  const isThere = user.has('out/demo-1.0.tar.gz') && user.text('out/DEMO-1.0.tar.gz') === 'another file';
  outcomes['a file in other case is there'] = `${other} and ${isThere ? 'both files' : 'not both'}`;
  outcomes['a device as a package'] = await run(user, 'get', 'CON.tar.gz', '--output', 'out');
  return outcomes;
}

async function paths(): Promise<Outcomes> {
  const names = READER_CASES.filter(({ script }) => script === 'get, path').map(({ name }) => name);
  const place = await published({ ann });
  const placeholder = 'placeholder-1.0.tar.gz';
  const text = encodeDatabase(database({ archives: { [placeholder]: DEMO } })).toString();
  const outcomes: Record<string, string> = {};
  for (const path of names) {
    const bytes = Buffer.from(text.replace(`<key>${placeholder}</key>`, `<key>${path}</key>`));
    put(place, bytes, await signatureFile(bytes, { by: [subkeyOf(ann)] }));
    const args = ['verify', 'dist', '--keys', 'pins.asc', '--no-files'];
    const { value } = await answer(place, args);
    const outcome = await run(place, ...args);
    const reason = String(value['message']).split(': ').at(-1) ?? '';
    outcomes[path] = outcome === '0 authentic' ? outcome : `${outcome}: ${reason}`;
  }
  return outcomes;
}

const SCENARIOS: Readonly<Record<string, () => Promise<Outcomes>>> = {
  ...{ poison, brick, quad, get },
  'get, path': paths,
};

function expectedOf(script: string): Outcomes {
  return Object.fromEntries(
    READER_CASES.flatMap((one) =>
      one.script === script && 'outcome' in one.test ? [[one.name, one.test.outcome]] : [],
    ),
  );
}

describe('every case of the scripts is refused or bounded', () => {
  test.each(Object.keys(SCENARIOS))('%s, run here', async (script) => {
    const expected = expectedOf(script);
    expect(Object.keys(expected).length).toBeGreaterThan(2);
    expect(await SCENARIOS[script]?.()).toEqual(expected);
  });

  const others = READER_CASES.filter((one) => !('outcome' in one.test));
  test.each(others)('$script: $name, run elsewhere', ({ test: elsewhere }) => {
    if ('odd' in elsewhere) expectOdd(elsewhere);
    else if ('title' in elsewhere) expectTest(elsewhere);
    else throw new Error('nowhere');
  });

  test('none is missing, and none is there twice', () => {
    const names = READER_CASES.map(({ script, name }) => `${script}: ${name}`);
    expect(new Set(names).size).toBe(names.length);
    const run = READER_CASES.filter((one) => 'outcome' in one.test).map(({ script }) => script);
    expect(new Set(run)).toEqual(new Set(Object.keys(SCENARIOS)));
    console.log(`${names.length} cases of readers refused or bounded`);
    expect(names.length).toBe(COUNT);
  });
});

const TABLES = { ODD_ANSWERS, ODD_VARIANTS, ENDLESS_ANSWERS };

/** The table of odd answers has the row, which expects this outcome, and its test is there. */
function expectOdd({ odd, file, database: ofDatabase }: OddRow): void {
  const [name, table] = Object.entries(TABLES).find(([, rows]) => rows.some((row) => row.name === odd)) ?? [];
  const row = table?.find((one) => one.name === odd);
  expect({ file: row?.file, database: row?.database }).toMatchObject({
    ...(file === undefined ? {} : { file }),
    ...(ofDatabase === undefined ? {} : { database: ofDatabase }),
  });
  const title = '$name: file $file, database $database';
  expect(sourceOf('net/odd-answers').includes(`test.each(${name ?? ''})('${title}', async`)).toBe(true);
}

/** The file has a test with this title, and this row in its table. */
function expectTest({ file, title, row }: OtherTest): void {
  const source = sourceOf(file);
  const isTitle = (quote: string) => new RegExp(`${quote}${escaped(title)}${quote},\\s*(?:async )?\\(`);
  expect(
    [`'`, '"', '`'].some((quote) => isTitle(quote).test(source)),
    title,
  ).toBe(true);
  const hasRow = row === undefined || new RegExp(`'${escaped(row)}',?\\s`).test(source);
  expect(hasRow, row).toBe(true);
}

function sourceOf(name: string): string {
  const path = `test/${name}.test.ts`;
  expect(existsSync(path), path).toBe(true);
  const source = readFileSync(path, 'utf8');
  expect(source).not.toMatch(/\b(?:test|it|describe)\.(?:skip|todo|only)\b/);
  return source;
}

function escaped(text: string): string {
  return text.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&');
}
