import { beforeAll, describe, expect, test } from 'vitest';
import { codeOf, newKey, newPlace, sdist, transcript } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';
import { run } from '../pgp/gnupg.js';
import { readSecretKey } from '../../src/signers/secret-key.js';
import { joinSignatures } from '../../src/pgp/signatures.js';
import { hasTool } from '../tools.js';

const WAITING = 'dist/packages.unsigned.plist';
const GATHERED = 'dist/packages.unsigned.plist.asc';

let ann: TestKey;
let bob: TestKey;
let eve: TestKey;

beforeAll(async () => {
  [ann, bob, eve] = await Promise.all([newKey('Ann'), newKey('Bob'), newKey('Eve')]);
});

/** A directory with nothing published yet, and the keys beside it. */
function newScene(): Place {
  const place = newPlace();
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  for (const [name, key] of [
    ['ann', ann],
    ['bob', bob],
    ['eve', eve],
  ] as const) {
    place.write(`${name}.asc`, key.signing);
    place.write(`${name}.pub.asc`, key.certificate);
  }
  return place;
}

async function succeed(place: Place, args: readonly string[]): Promise<string> {
  const outcome = await place.packsign(args);
  const stderr = outcome.stderr
    .replace(/^packsign: .* not covered: .*\n/, '')
    .replace(/^packsign: warning: .* could not be checked for damage .*\n/, '');
  expect([outcome.status, stderr, outcome.args]).toEqual([0, '', args]);
  return transcript(outcome);
}

/** keys.asc of Ann and Bob, and a database that waits for both. */
async function waitingForTwo(): Promise<Place> {
  const place = newScene();
  await succeed(place, [
    'key',
    'publish',
    'dist',
    '--certificate',
    'ann.pub.asc',
    '--certificate',
    'bob.pub.asc',
  ]);
  await succeed(place, ['build', 'dist', '--threshold', '2']);
  return place;
}

/** A signature of the waiting database, dated that long ago. */
async function signedBy(key: TestKey, place: Place, agoMs: number): Promise<Uint8Array> {
  const date = new Date(Date.now() - agoMs);
  const passphrase = () => Promise.resolve(null);
  const signer = await readSecretKey(Buffer.from(key.signing), { passphrase, date });
  return await signer.sign(place.read(WAITING), { date, deterministic: true });
}

describe('a host without the files', () => {
  test('signs, and the first host publishes without a key', async () => {
    const place = newScene();
    await succeed(place, ['key', 'publish', 'dist', '--certificate', 'ann.pub.asc']);
    await succeed(place, ['build', 'dist']);
    const host = newPlace();
    host.write('ann.asc', ann.signing);
    host.write(WAITING, place.read(WAITING));
    expect(await succeed(host, ['sign', 'dist', '--without-files', '--key', 'ann.asc']))
      .toMatchInlineSnapshot(`
      "$ packsign sign dist --without-files --key ann.asc
        + demo-1.0.tar.gz
      1 of 1 signature: carry dist/packages.unsigned.plist.asc to where it is published, and type there
        packsign sign dist
      ! packsign: warning: a new file could not be checked for damage here; the host that publishes checks for it (NOT_LOOKED_INTO)
      [0]"
    `);
    expect(Object.keys(host.snapshot())).toEqual(['packages.unsigned.plist', 'packages.unsigned.plist.asc']);
    place.write(GATHERED, host.read(GATHERED));
    expect(await succeed(place, ['sign', 'dist'])).toMatchInlineSnapshot(`
      "$ packsign sign dist
        + demo-1.0.tar.gz
      signed and published dist/packages.plist, fresh until <date>
        by <fingerprint in groups>
      [0]"
    `);
    expect((await place.json(['verify', 'dist', '--keys', 'ann.pub.asc'])).value['status']).toBe('authentic');
  });

  test('signs the next database too, which the first host compares with the published one', async () => {
    const place = newScene();
    await succeed(place, ['build', 'dist', '--key', 'ann.asc']);
    place.write('dist/demo-2.0.tar.gz', sdist('demo', '2.0'));
    await succeed(place, ['build', 'dist']);
    const host = newPlace();
    host.write('ann.asc', ann.signing);
    host.write(WAITING, place.read(WAITING));
    await succeed(host, ['sign', 'dist', '--without-files', '--key', 'ann.asc']);
    place.write(GATHERED, host.read(GATHERED));
    place.write('dist/demo-2.0.tar.gz', sdist('demo', '2.0', 'evil()\n'));
    expect(codeOf(await place.json(['sign', 'dist']))).toBe('FILE_DIFFERS');
    place.write('dist/demo-2.0.tar.gz', sdist('demo', '2.0'));
    await succeed(place, ['sign', 'dist']);
  });

  test('checks its signature with keys.asc if it has the whole folder', async () => {
    const place = newScene();
    await succeed(place, ['build', 'dist', '--key', 'ann.asc']);
    place.write('dist/demo-2.0.tar.gz', sdist('demo', '2.0'));
    await succeed(place, ['build', 'dist']);
    const args = ['sign', 'dist', '--without-files', '--key', 'bob.asc'];
    expect(codeOf(await place.json(args))).toBe('KEY_NOT_PUBLISHED');
    await succeed(place, ['sign', 'dist', '--without-files', '--key', 'ann.asc']);
    expect(await succeed(place, ['sign', 'dist'])).toContain('signed and published');
  });

  test('NO_KEY, SIGNATURE_INVALID, SIGNATURE_MALFORMED, KEY_NOT_PUBLISHED: what came back is not good enough', async () => {
    const place = newScene();
    await succeed(place, ['build', 'dist', '--maintainer', 'Ann']);
    expect(codeOf(await place.json(['sign', 'dist']))).toBe('NO_KEY');
    await succeed(place, ['sign', 'dist', '--without-files', '--key', 'eve.asc']);
    const byEve = place.read(GATHERED);
    expect(transcript(await place.packsign(['sign', 'dist']))).toMatchInlineSnapshot(`
      "$ packsign sign dist
      ! packsign: error: there is no dist/keys.asc to check the other signatures with
      ! packsign: hint: publish the certificate of every signer first: packsign key publish dist --certificate FILE
      [1]"
    `);
    await succeed(place, ['key', 'publish', 'dist', '--certificate', 'ann.pub.asc']);
    await succeed(place, ['build', 'dist']);
    place.write(GATHERED, byEve);
    const before = place.snapshot();
    expect(transcript(await place.packsign(['sign', 'dist']))).toMatchInlineSnapshot(`
      "$ packsign sign dist
      ! packsign: error: none of the collected signatures counts: made by a key that is not among the certificates
      ! packsign: hint: sign the waiting database itself, with a key in keys.asc; packsign key publish adds one
      [1]"
    `);
    place.write(GATHERED, 'junk');
    expect(codeOf(await place.json(['sign', 'dist']))).toBe('SIGNATURE_MALFORMED');
    place.write(GATHERED, byEve);
    expect(place.snapshot()).toEqual(before);
  });
});

describe('Threshold', () => {
  test('collects signatures until there are enough', async () => {
    const place = await waitingForTwo();
    expect(await succeed(place, ['sign', 'dist', '--key', 'ann.asc'])).toMatchInlineSnapshot(`
      "$ packsign sign dist --key ann.asc
        + demo-1.0.tar.gz
      1 of 2 signatures; dist/packages.unsigned.plist waits for the others
      [0]"
    `);
    expect(place.has('dist/packages.plist')).toBe(false);
    const status = (await place.json(['status', 'dist'])).value['waiting'];
    expect(status).toMatchObject({ signed: [ann.fingerprint], missing: [bob.fingerprint] });
    // The same key again adds nothing.
    const gathered = place.read(GATHERED);
    expect((await place.json(['sign', 'dist', '--key', 'ann.asc'])).value).toMatchObject({
      published: false,
      missing: 1,
    });
    expect(place.read(GATHERED)).toEqual(gathered);
    expect((await place.json(['sign', 'dist', '--key', 'bob.asc'])).value).toMatchObject({
      published: true,
      missing: 0,
      signers: [ann.fingerprint, bob.fingerprint].sort(),
    });
    const pins = ['--keys', 'dist/keys.asc', '--threshold', '2'];
    expect((await place.json(['verify', 'dist', ...pins])).value['status']).toBe('authentic');
  });

  test('status names the missing signers, and ignores signatures that do not count', async () => {
    const place = await waitingForTwo();
    const says = async () =>
      transcript(await place.packsign(['status', 'dist']))
        .match(/.*(?:signatures|not signed).*/g)
        ?.sort();
    expect(await says()).toEqual([
      '  0 of 2 signatures',
      '  has not signed: <fingerprint in groups>  Ann <ann@example.org>',
      '  has not signed: <fingerprint in groups>  Bob <bob@example.org>',
    ]);
    // A date before the database was issued, and one signer twice.
    place.write(GATHERED, joinSignatures([await signedBy(ann, place, 3_600_000)]));
    expect((await place.json(['status', 'dist'])).value['waiting']).toMatchObject({ signed: [] });
    place.write(
      GATHERED,
      joinSignatures([await signedBy(bob, place, 0), await signedBy(bob, place, 60_000)]),
    );
    expect(await says()).toEqual([
      '  1 of 2 signatures',
      '  has not signed: <fingerprint in groups>  Ann <ann@example.org>',
    ]);
    // Nor does one by a key whose revocation waits to be published.
    await succeed(place, ['sign', 'dist', '--key', 'ann.asc']);
    place.write('dist/demo-2.0.tar.gz', sdist('demo', '2.0'));
    await succeed(place, ['build', 'dist']);
    place.write('ann.rev.asc', ann.revocation);
    place.write(GATHERED, joinSignatures([await signedBy(ann, place, 0)]));
    expect((await place.json(['status', 'dist'])).value['waiting']).toMatchObject({
      signed: [ann.fingerprint],
    });
    expect((await place.json(['key', 'revoke', 'ann.rev.asc', 'dist'])).value['held']).not.toBeNull();
    expect((await place.json(['status', 'dist'])).value['waiting']).toMatchObject({ signed: [] });
  });

  test('collects from two hosts that do not share files', async () => {
    const place = await waitingForTwo();
    const host = newPlace();
    host.write(WAITING, place.read(WAITING));
    for (const [name, key] of [
      ['ann', ann],
      ['bob', bob],
    ] as const) {
      host.write(`${name}.asc`, key.signing);
      await succeed(host, ['sign', 'dist', '--without-files', '--key', `${name}.asc`]);
    }
    place.write(GATHERED, host.read(GATHERED));
    expect((await place.json(['sign', 'dist'])).value).toMatchObject({ published: true, missing: 0 });
  });

  /** Signed by Ann and Bob, with a signature that Eve added. */
  async function publishedDespiteEve(): Promise<Place> {
    const place = await waitingForTwo();
    const host = newPlace();
    host.write(WAITING, place.read(WAITING));
    for (const [name, key] of [
      ['eve', eve],
      ['bob', bob],
    ] as const) {
      host.write(`${name}.asc`, key.signing);
      expect((await host.packsign(['sign', 'dist', '--without-files', '--key', `${name}.asc`])).status).toBe(
        0,
      );
    }
    place.write(GATHERED, host.read(GATHERED));
    expect((await place.json(['sign', 'dist', '--key', 'ann.asc'])).value['published']).toBe(true);
    return place;
  }

  test('does not publish signatures that do not count', async () => {
    const { value } = await (await publishedDespiteEve()).json(['verify', 'dist', '--keys', 'dist/keys.asc']);
    expect(value['signatures']).toHaveLength(2);
  });

  test.runIf(hasTool('sqv'))('sqv finds two signers in the published database', async () => {
    const place = await publishedDespiteEve();
    const files = ['dist/packages.plist.asc', 'dist/packages.plist'].map(place.path);
    expect(run('sqv', ['-n', '2', '--keyring', place.path('dist/keys.asc'), ...files]).status).toBe(0);
  });

  test('KEY_NOT_PUBLISHED: the first database of two signers needs their certificates first', async () => {
    const place = newScene();
    const signers = ['--signers', ann.fingerprint, '--signers', bob.fingerprint, '--threshold', '2'];
    const before = place.snapshot();
    expect(transcript(await place.packsign(['build', 'dist', '--key', 'ann.asc', ...signers])))
      .toMatchInlineSnapshot(`
        "$ packsign build dist --key ann.asc --signers <fingerprint> --signers <fingerprint> --threshold 2
        ! packsign: error: there is no dist/keys.asc to check the other signatures with
        ! packsign: hint: publish the certificate of every signer first: packsign key publish dist --certificate FILE
        [1]"
      `);
    expect(place.snapshot()).toEqual(before);
    await succeed(place, ['build', 'dist', '--key', 'ann.asc', '--key', 'bob.asc', ...signers]);
  });
});

describe('sign --co-sign', () => {
  async function published(): Promise<Place> {
    const place = newScene();
    await succeed(place, [
      'key',
      'publish',
      'dist',
      '--certificate',
      'ann.pub.asc',
      '--certificate',
      'bob.pub.asc',
    ]);
    await succeed(place, ['build', 'dist', '--key', 'ann.asc']);
    return place;
  }

  test('adds a signature, and changes neither the published nor the waiting database', async () => {
    const place = await published();
    const database = place.read('dist/packages.plist');
    place.write('dist/demo-2.0.tar.gz', sdist('demo', '2.0'));
    await succeed(place, ['build', 'dist']);
    expect(await succeed(place, ['sign', 'dist', '--co-sign', '--key', 'bob.asc'])).toMatchInlineSnapshot(`
      "$ packsign sign dist --co-sign --key bob.asc
      signed and published dist/packages.plist, fresh until <date>
        by <fingerprint in groups>
        by <fingerprint in groups>
      [0]"
    `);
    expect(place.read('dist/packages.plist')).toEqual(database);
    expect(place.has(WAITING)).toBe(true);
    const pins = ['--keys', 'dist/keys.asc', '--threshold', '2', '--no-files'];
    expect((await place.json(['verify', 'dist', ...pins])).value['status']).toBe('authentic');
    const [name = ''] = Object.keys(place.snapshot('dist/signatures'));
    expect(place.read(`dist/signatures/${name}`)).toEqual(place.read('dist/packages.plist.asc'));
    expect(await succeed(place, ['sign', 'dist', '--co-sign', '--key', 'bob.asc'])).toMatchInlineSnapshot(`
      "$ packsign sign dist --co-sign --key bob.asc
      dist/packages.plist is already signed by every key that you named
      ! packsign: 1 file here is not covered: demo-2.0.tar.gz; build again to list new files
      [0]"
    `);
  });

  test('NOTHING_TO_SIGN, NO_KEY, KEY_NOT_PUBLISHED, PREVIOUS_INVALID', async () => {
    const args = ['sign', 'dist', '--co-sign'];
    expect(transcript(await newScene().packsign([...args, '--key', 'ann.asc']))).toMatchInlineSnapshot(`
      "$ packsign sign dist --co-sign --key ann.asc
      ! packsign: error: there is no published dist/packages.plist
      ! packsign: hint: sign a waiting database without --co-sign
      [2]"
    `);
    const place = await published();
    const before = place.snapshot();
    expect(codeOf(await place.json(args))).toBe('NO_KEY');
    expect(codeOf(await place.json([...args, '--key', 'eve.asc']))).toBe('KEY_NOT_PUBLISHED');
    expect(place.snapshot()).toEqual(before);
    place.write('dist/packages.plist', place.text('dist/packages.plist').replace('demo', 'evil'));
    expect(codeOf(await place.json([...args, '--key', 'bob.asc']))).toBe('PREVIOUS_INVALID');
  });
});
