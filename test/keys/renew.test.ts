import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { codeOf, epoch, newKey, newPlace, sdist, transcript } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';
import { gnupgHome, hasGnupg } from '../pgp/gnupg.js';
import { readSecretKey } from '../../src/signers/secret-key.js';
import { joinSignatures } from '../../src/pgp/signatures.js';

const PASSPHRASE = 'correct horse battery staple';
const DAY_MS = 86_400_000;
/** Days before today: `verify` uses the real clock. */
const ago = (days: number) => epoch(new Date(Date.now() - days * DAY_MS));

/** A directory that Ann published 30 days ago, with her certificate of that day in begin.asc. */
async function story(ann: TestKey): Promise<Place> {
  const place = newPlace();
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  place.write('ann.asc', ann.secret);
  place.write('ann.signing.asc', ann.signing);
  place.write('ann.pub.asc', ann.certificate);
  place.write('ann.rev.asc', ann.revocation);
  await release(place, 30, ['--key', 'ann.signing.asc']);
  place.write('begin.asc', place.read('dist/keys.asc'));
  return place;
}

async function release(place: Place, days: number, more: readonly string[]): Promise<void> {
  place.write(`dist/demo-1.${days}.tar.gz`, sdist('demo', `1.${days}`));
  const run = await place.packsign(['build', 'dist', ...more], { env: ago(days) });
  expect([run.status, run.stderr]).toEqual([0, '']);
}

/** What users see who have the first certificate, the published one, or the fingerprint. */
async function answers(place: Place, fingerprint: string): Promise<readonly unknown[]> {
  const statuses = [];
  for (const pins of [
    ['--keys', 'begin.asc'],
    ['--keys', 'dist/keys.asc'],
    ['--fingerprint', fingerprint],
  ]) {
    statuses.push((await place.json(['verify', 'dist', ...pins])).value['status']);
  }
  return statuses;
}

const ALL_AUTHENTIC = ['authentic', 'authentic', 'authentic'];
const ALL_REFUSED = ['refused', 'refused', 'refused'];

let ann: TestKey;
let bob: TestKey;

beforeAll(async () => {
  ann = await newKey('Ann', { lifeSeconds: 3 * 365 * 86_400 });
  bob = await newKey('Bob');
});

describe('key rotate', () => {
  test('users need no new key, and the old subkey no longer signs', async () => {
    const place = await story(ann);
    place.write('old.signing.asc', ann.signing);
    const run = await place.packsign(['key', 'rotate', 'ann.asc', 'dist'], { env: ago(20) });
    expect(transcript(run)).toMatchInlineSnapshot(`
      "$ packsign key rotate ann.asc dist
      <fingerprint in groups>
        signs with <fingerprint in groups>
        expires at <date>
        wrote ann.asc
        wrote ann.signing.asc
        wrote ann.pub.asc
        refreshed dist/keys.asc
      [0]"
    `);
    expect(await answers(place, ann.fingerprint)).toEqual(ALL_AUTHENTIC);
    place.write('dist/new-1.0.tar.gz', sdist('new', '1.0'));
    const late = await place.json(['build', 'dist', '--key', 'old.signing.asc'], { env: ago(10) });
    expect([late.status, codeOf(late)]).toEqual([1, 'KEY_REVOKED']);
    await release(place, 9, ['--key', 'ann.signing.asc']);
    expect(await answers(place, ann.fingerprint)).toEqual(ALL_AUTHENTIC);
    // Without the refreshed certificate nobody knows the subkey.
    place.write('dist/keys.asc', bob.certificate);
    expect((await place.json(['verify', 'dist', '--keys', 'begin.asc'])).value['status']).toBe('refused');
  });

  test('--old-expires keeps the old subkey for a while; --output keeps the files', async () => {
    const place = await story(ann);
    const before = place.read('ann.asc');
    const args = ['key', 'rotate', 'ann.asc', 'dist', '--old-expires', '200 days', '--output', 'new.asc'];
    const { value, status } = await place.json(args, { env: ago(20) });
    expect([status, value['files']]).toEqual([0, ['new.asc', 'new.signing.asc', 'new.pub.asc']]);
    expect(place.read('ann.asc')).toEqual(before);
    place.write('old.signing.asc', ann.signing);
    await release(place, 10, ['--key', 'old.signing.asc', '--validity', '100 days']);
    expect(await answers(place, ann.fingerprint)).toEqual(ALL_AUTHENTIC);
    const again = await place.json(args, { env: ago(20) });
    expect([again.status, codeOf(again)]).toEqual([2, 'FILE_EXISTS']);
  });

  test('a locked key stays locked, and no secret is printed', async () => {
    const place = await story(await newKey('Ann', { passphrase: PASSPHRASE }).then(unlockedFor));
    async function unlockedFor(key: TestKey): Promise<TestKey> {
      return await Promise.resolve({ ...ann, secret: key.secret });
    }
    expect(codeOf(await place.json(['key', 'rotate', 'ann.asc', 'dist']))).toBe('PASSPHRASE_NEEDED');
    const wrong = await place.json(['key', 'rotate', 'ann.asc', 'dist'], {
      env: { PACKSIGN_PASSPHRASE: 'x' },
    });
    expect(codeOf(wrong)).toBe('PASSPHRASE_WRONG');
    const env = { PACKSIGN_PASSPHRASE: PASSPHRASE };
    const run = await place.packsign(['key', 'rotate', 'ann.asc', 'dist'], { env });
    expect(run.status).toBe(0);
    expect(run.stdout).toContain('it is not in dist/keys.asc; next: packsign key publish');
    expect(run.stdout + run.stderr).not.toMatch(/horse|PRIVATE/);
    const shown = (await place.json(['key', 'show', 'ann.signing.asc'])).value;
    expect(shown).toMatchObject({ locked: true, problem: null });
    expect(codeOf(await place.json(['key', 'check-backup', 'ann.asc']))).toBe('PASSPHRASE_NEEDED');
    expect((await place.packsign(['key', 'check-backup', 'ann.asc'], { env })).status).toBe(0);
  });

  test.runIf(hasGnupg())('gpg signs with the new subkey, from the file without the primary key', async () => {
    const place = await story(ann);
    expect((await place.packsign(['key', 'rotate', 'ann.asc', 'dist'], { env: ago(20) })).status).toBe(0);
    const home = gnupgHome();
    try {
      home.must(['--import', place.path('ann.signing.asc')]);
      place.write('dist/new-1.0.tar.gz', sdist('new', '1.0'));
      const env = { GNUPGHOME: home.folder };
      expect((await place.packsign(['build', 'dist', '--key', ann.fingerprint], { env })).stderr).toBe('');
    } finally {
      home.remove();
    }
    expect(await answers(place, ann.fingerprint)).toEqual(ALL_AUTHENTIC);
  });
});

describe('key extend', () => {
  test('changes the expiry, and users with the first certificate see it', async () => {
    const short = await newKey('Ann', { born: new Date(Date.now() - 40 * DAY_MS), lifeSeconds: 25 * 86_400 });
    const place = newPlace();
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    place.write('ann.asc', short.secret);
    await release(place, 30, ['--key', 'ann.asc', '--validity', '10 days']);
    place.write('begin.asc', place.read('dist/keys.asc'));
    expect(await answers(place, short.fingerprint)).toEqual(['stale', 'stale', 'stale']);
    const late = await place.json(['build', 'dist', '--key', 'ann.asc', '--description', 'x']);
    expect([late.status, codeOf(late)]).toEqual([1, 'KEY_EXPIRED']);
    const run = await place.packsign(['key', 'extend', 'ann.asc', 'dist', '--expires', '3y'], {
      env: ago(5),
    });
    expect(transcript(run)).toMatchInlineSnapshot(`
      "$ packsign key extend ann.asc dist --expires 3y
      <fingerprint in groups>
        signs with <fingerprint in groups>
        expires at <date>
        wrote ann.asc
        wrote ann.signing.asc
        wrote ann.pub.asc
        refreshed dist/keys.asc
      [0]"
    `);
    await release(place, 4, ['--key', 'ann.asc']);
    expect(await answers(place, short.fingerprint)).toEqual(ALL_AUTHENTIC);
  });

  test('EXPIRES_AFTER_KEY before, but not after --expires none', async () => {
    const place = await story(ann);
    const build = [
      'build',
      'dist',
      '--key',
      'ann.signing.asc',
      '--description',
      'x',
      '--validity',
      '9 years',
    ];
    expect(codeOf(await place.json(build))).toBe('EXPIRES_AFTER_KEY');
    const { value } = await place.json(['key', 'extend', 'ann.asc', 'dist', '--expires', 'none']);
    expect(value).toMatchObject({ expires: null, held: null, keys: 'dist/keys.asc' });
    expect((await place.packsign(build)).status).toBe(0);
  });

  test('KEY_UNUSABLE: the file of a release machine cannot certify', async () => {
    const place = await story(ann);
    const before = [place.snapshot(), place.read('ann.signing.asc')];
    expect(transcript(await place.packsign(['key', 'extend', 'ann.signing.asc', 'dist'])))
      .toMatchInlineSnapshot(`
      "$ packsign key extend ann.signing.asc dist
      ! packsign: error: the secret primary key <fingerprint> is not in this file
      ! packsign: hint: use the file with the whole key, such as packsign-key.asc, which may be offline
      [2]"
    `);
    expect([place.snapshot(), place.read('ann.signing.asc')]).toEqual(before);
  });

  test('USAGE and NO_KEY', async () => {
    const place = await story(ann);
    expect(codeOf(await place.json(['key', 'extend', 'ann.asc', '--expires', 'soon']))).toBe('USAGE');
    expect(codeOf(await place.json(['key', 'extend', 'no.asc']))).toBe('NO_KEY');
    expect(codeOf(await place.json(['key', 'extend', 'ann.pub.asc']))).toBe('KEY_MALFORMED');
  });
});

describe('key revoke', () => {
  test('a soft revocation invalidates later signatures, not earlier ones', async () => {
    const place = await story(ann);
    const args = ['key', 'revoke', 'ann.asc', 'dist', '--reason', 'retired'];
    expect(transcript(await place.packsign(args, { env: ago(20) }))).toMatchInlineSnapshot(`
      "$ packsign key revoke ann.asc dist --reason retired
      <fingerprint in groups>
        cannot sign any more
        wrote ann.asc
        wrote ann.signing.asc
        wrote ann.pub.asc
        refreshed dist/keys.asc
      [0]"
    `);
    expect(await answers(place, ann.fingerprint)).toEqual(ALL_AUTHENTIC);
    const late = await place.json(['build', 'dist', '--key', 'ann.signing.asc', '--description', 'x']);
    expect([late.status, codeOf(late)]).toEqual([1, 'KEY_REVOKED']);
  });

  test('T23: refuses a database of today with a signature dated before the revocation', async () => {
    const place = await story(ann);
    place.write('thief.asc', ann.signing);
    expect(
      (await place.packsign(['key', 'revoke', 'ann.asc', 'dist', '--reason', 'superseded'], { env: ago(20) }))
        .status,
    ).toBe(0);
    const revoked = place.read('dist/keys.asc');
    // A thief keeps the earlier certificate, and signs with the clock set back.
    place.write('dist/keys.asc', place.read('begin.asc'));
    place.write('dist/evil-1.0.tar.gz', sdist('evil', '1.0'));
    expect((await place.packsign(['build', 'dist'], { env: ago(10) })).status).toBe(0);
    const backdated = await place.json(['sign', 'dist', '--key', 'thief.asc'], { env: ago(25) });
    expect([backdated.status, codeOf(backdated)]).toEqual([2, 'CLOCK_BEHIND']);
    // Made without packsign, it counts for nobody.
    const honest = place.read('dist/packages.plist');
    const bytes = place.read('dist/packages.unsigned.plist');
    const date = new Date(Date.now() - 25 * DAY_MS);
    const signer = await readSecretKey(Buffer.from(ann.signing), {
      passphrase: () => Promise.resolve(null),
      date,
    });
    const made = joinSignatures([await signer.sign(bytes, { date, deterministic: true })]);
    place.write('dist/packages.plist', bytes);
    place.write(`dist/signatures/${createHash('sha256').update(bytes).digest('hex')}.asc`, made);
    for (const keys of [place.read('begin.asc'), revoked]) {
      place.write('dist/keys.asc', keys);
      expect(await answers(place, ann.fingerprint)).toEqual(ALL_REFUSED);
    }
    place.write('dist/packages.plist', honest);
    place.write('dist/keys.asc', place.read('begin.asc'));
    // The true date does not help the thief either.
    const honestly = await place.packsign(['sign', 'dist', '--key', 'thief.asc'], { env: ago(10) });
    expect([honestly.status, honestly.stderr]).toEqual([0, '']);
    place.write('dist/keys.asc', revoked);
    expect(await answers(place, ann.fingerprint)).toEqual(ALL_REFUSED);
  });

  test('a hard revocation invalidates everything, and waits until another key has signed', async () => {
    const place = await story(ann);
    place.write('bob.asc', bob.signing);
    place.write('bob.pub.asc', bob.certificate);
    const args = ['key', 'revoke', 'ann.asc', 'dist', '--reason', 'compromised', '--message', 'stolen'];
    expect(transcript(await place.packsign(args, { env: ago(20) }))).toMatchInlineSnapshot(`
      "$ packsign key revoke ann.asc dist --reason compromised --message stolen
      <fingerprint in groups>
        cannot sign any more
        wrote ann.asc
        wrote ann.signing.asc
        wrote ann.pub.asc
        refreshed dist/keys.asc
      the revocation is held back until the published database no longer depends on the revoked key:
        packsign build dist --key KEY
      [0]"
    `);
    // The published database still verifies, and the revoked key signs no other database.
    expect(await answers(place, ann.fingerprint)).toEqual(ALL_AUTHENTIC);
    const late = await place.json(['build', 'dist', '--key', 'ann.signing.asc', '--description', 'x']);
    expect(codeOf(late)).toBe('KEY_REVOKED');
    expect((await place.packsign(['key', 'publish', 'dist', '--certificate', 'bob.pub.asc'])).status).toBe(0);
    await release(place, 5, ['--key', 'bob.asc', '--signers', bob.fingerprint]);
    expect(place.has('dist/.packsign/keys.held.asc')).toBe(false);
    expect((await answers(place, bob.fingerprint)).slice(1)).toEqual(['authentic', 'authentic']);
    expect((await place.json(['key', 'show', 'begin.asc'])).value['revoked']).toBe(false);
    // Her earlier signatures are invalid wherever the refreshed certificate is known.
    const [first] = Object.keys(place.snapshot('dist/signatures'));
    expect(first).toBeDefined();
    expect((await place.json(['verify', 'dist', '--keys', 'begin.asc'])).value['status']).toBe('refused');
  });

  test('status shows a revocation that waits, and the next build publishes it even if nothing else changed', async () => {
    const place = await story(ann);
    place.write('bob.asc', bob.signing);
    place.write('bob.pub.asc', bob.certificate);
    const args = ['key', 'revoke', 'ann.asc', 'dist', '--reason', 'compromised'];
    expect((await place.packsign(args, { env: ago(20) })).status).toBe(0);
    expect((await place.packsign(['key', 'publish', 'dist', '--certificate', 'bob.pub.asc'])).status).toBe(0);
    const { status, stdout } = await place.packsign(['status', 'dist'], { env: ago(10) });
    expect([status, stdout]).toEqual([1, expect.stringContaining('a revocation waits')]);
    expect(stdout).toContain('next: packsign build dist --key FILE');
    expect(codeOf(await place.json(['build', 'dist', '--key', 'ann.signing.asc'], { env: ago(9) }))).toBe(
      'KEY_REVOKED',
    );
    expect((await place.packsign(['build', 'dist', '--key', 'bob.asc'], { env: ago(5) })).status).toBe(0);
    expect(place.has('dist/.packsign/keys.held.asc')).toBe(false);
    expect((await place.json(['status', 'dist'], { env: ago(4) })).value['attention']).not.toContain(
      'REVOCATION_WAITS',
    );
    expect((await place.json(['verify', 'dist', '--keys', 'bob.pub.asc'])).value['status']).toBe('authentic');
    // Users who pinned the revoked key see that it is revoked.
    expect((await place.json(['verify', 'dist', '--keys', 'begin.asc'])).value['status']).toBe('refused');
  });

  test('needs only the revocation certificate, packsign’s own or one of GnuPG', async () => {
    const place = await story(ann);
    const bare = await place.json(['key', 'revoke', 'ann.rev.asc', 'dist']);
    expect([bare.status, bare.value['files'], bare.value['signingKey']]).toEqual([0, [], null]);
    expect(bare.value['held']).toContain('revoked');
    const gnupg = `This is a revocation certificate.\n\n:${ann.revocation}`;
    place.write('gnupg.rev', gnupg);
    expect((await place.packsign(['key', 'revoke', 'gnupg.rev', 'dist'])).status).toBe(0);
    place.write('bob.rev', bob.revocation);
    expect(transcript(await place.packsign(['key', 'revoke', 'bob.rev', 'dist']))).toMatchInlineSnapshot(`
      "$ packsign key revoke bob.rev dist
      ! packsign: error: bob.rev revokes none of the keys in dist/keys.asc
      ! packsign: hint: name the directory that publishes the key: packsign key revoke bob.rev DIR
      [1]"
    `);
  });

  test('revokes only a stolen subkey: first a new subkey, then a new database, then the revocation', async () => {
    const place = await story(ann);
    const [subkey] = (await place.json(['key', 'show', 'ann.pub.asc'])).value['subkeys'] as {
      fingerprint: string;
    }[];
    const env = ago(20);
    expect(
      (await place.packsign(['key', 'rotate', 'ann.asc', 'dist', '--old-expires', '900 days'], { env }))
        .status,
    ).toBe(0);
    const args = ['key', 'revoke', 'ann.asc', 'dist', '--reason', 'compromised'];
    const { value } = await place.json([...args, '--subkey', subkey?.fingerprint ?? ''], { env: ago(19) });
    expect(value['held']).toContain('revoked');
    await release(place, 18, ['--key', 'ann.signing.asc']);
    expect(await answers(place, ann.fingerprint)).toEqual(ALL_AUTHENTIC);
    const published = (await place.json(['key', 'show', 'dist/keys.asc'])).value['subkeys'] as {
      revoked: boolean;
    }[];
    expect(published.map(({ revoked }) => revoked)).toEqual([true, false]);
    expect(codeOf(await place.json([...args, '--subkey', '0'.repeat(40)]))).toBe('NO_KEY');
  });

  test('USAGE: --reason is required, one of four', async () => {
    const place = await story(ann);
    expect(transcript(await place.packsign(['key', 'revoke', 'ann.asc', 'dist']))).toMatchInlineSnapshot(`
      "$ packsign key revoke ann.asc dist
      ! packsign: error: --reason is required
      ! packsign: hint: --reason superseded or retired keeps what it signed; compromised or unspecified invalidates all of it
      [2]"
    `);
    expect(codeOf(await place.json(['key', 'revoke', 'ann.asc', 'dist', '--reason', 'bored']))).toBe('USAGE');
  });
});

describe('key check-backup', () => {
  test('tries out the whole key', async () => {
    const place = await story(ann);
    const before = place.snapshot('.');
    expect(transcript(await place.packsign(['key', 'check-backup', 'ann.asc']))).toMatchInlineSnapshot(`
      "$ packsign key check-backup ann.asc
      this backup is good: <fingerprint in groups>
        Ann <ann@example.org>
        the primary key certifies
        <fingerprint in groups> signs
        not locked: keep it where only you can read it
      [0]"
    `);
    const { value } = await place.json(['key', 'check-backup', 'ann.asc']);
    expect(value).toMatchObject({ fingerprint: ann.fingerprint, missing: [], locked: false });
    expect(place.snapshot('.')).toEqual(before);
  });

  test('KEY_UNUSABLE: a key without its secret primary key is no backup', async () => {
    const place = await story(ann);
    expect(transcript(await place.packsign(['key', 'check-backup', 'ann.signing.asc'])))
      .toMatchInlineSnapshot(`
        "$ packsign key check-backup ann.signing.asc
        ! packsign: error: the secret primary key <fingerprint> is not in this file
        ! packsign: hint: a backup must hold the whole key: the file without .signing in its name
        [2]"
      `);
  });

  test('KEY_MALFORMED: a damaged backup', async () => {
    const place = await story(ann);
    const lines = ann.secret.split('\n');
    const middle = Math.floor(lines.length / 2);
    for (const at of [3, middle, lines.length - 4]) {
      const line = lines[at] ?? '';
      const damaged = [
        ...lines.slice(0, at),
        `${line.startsWith('A') ? 'B' : 'A'}${line.slice(1)}`,
        ...lines.slice(at + 1),
      ];
      place.write('damaged.asc', damaged.join('\n'));
      const answer = await place.json(['key', 'check-backup', 'damaged.asc']);
      expect([answer.status, codeOf(answer)]).toEqual([
        2,
        expect.stringMatching(/^KEY_(?:MALFORMED|UNUSABLE)$/),
      ]);
    }
    expect(codeOf(await place.json(['key', 'check-backup', 'ann.pub.asc']))).toBe('KEY_MALFORMED');
  });
});
