import { utimesSync } from 'node:fs';
import { enums, readKey } from 'openpgp';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import type { Database } from '../../src/model/database.js';
import { encodeArmor } from '../../src/pgp/armor.js';
import { encodeCertificates, readCertificates } from '../../src/pgp/certificates.js';
import { codeOf, epoch, newKey, newPlace, sdist, transcript } from '../packsign.js';
import type { Answer, Place, TestKey } from '../packsign.js';
import { day, forgeKey, publicBytes } from '../pgp/forge.js';

let ann: TestKey;
let bob: TestKey;
let place: Place;

beforeAll(async () => {
  ann = await newKey('Ann');
  bob = await newKey('Bob');
});

beforeEach(() => {
  place = newPlace();
  place.write('ann.asc', ann.signing);
  place.write('bob.asc', bob.signing);
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
});

const SIGN = ['sign', 'dist', '--key', 'ann.asc'];
const RELEASE = ['build', 'dist', '--key', 'ann.asc'];

async function succeed(args: readonly string[], env = {}): Promise<Answer> {
  const answer = await place.json(args, { env });
  expect(answer.run.stderr.replace(/^packsign: .* not covered: .*\n/, '')).toBe('');
  expect(answer.status).toBe(0);
  return answer;
}

async function refusal(args: readonly string[], env = {}): Promise<readonly unknown[]> {
  const before = place.snapshot('.');
  const answer = await place.json(args, { env });
  const run = await place.packsign(args, { env });
  expect([run.stdout, run.status]).toEqual(['', answer.status]);
  expect(run.stderr).toMatch(/^packsign: error: [^\n]*[^.\n]\n/);
  expect(place.snapshot('.')).toEqual(before);
  return [codeOf(answer), answer.status];
}

function droppedOf({ fingerprint }: TestKey): string {
  return `packsign: warning: the waiting database is out of date, and its signatures go with it: ${fingerprint} (SIGNATURES_DROPPED)\n`;
}

function published(): Database {
  return decodeDatabase(place.read('dist/packages.plist'));
}

describe('sign', () => {
  test('publishes the waiting database byte for byte, and says what changes', async () => {
    await succeed(['build', 'dist', '--key', 'ann.asc']);
    place.write('dist/demo-2.0.tar.gz', sdist('demo', '2.0'));
    await succeed(['build', 'dist']);
    const waiting = place.read('dist/packages.unsigned.plist');
    expect(transcript(await place.packsign(SIGN))).toMatchInlineSnapshot(`
      "$ packsign sign dist --key ann.asc
        + demo-2.0.tar.gz
      signed and published dist/packages.plist, fresh until <date>
        by <fingerprint in groups>
      [0]"
    `);
    expect(place.read('dist/packages.plist').equals(waiting)).toBe(true);
    expect(place.has('dist/packages.unsigned.plist')).toBe(false);
    expect(transcript(await place.packsign(SIGN))).toMatchInlineSnapshot(`
      "$ packsign sign dist --key ann.asc
      nothing waits to be signed in dist
      [0]"
    `);
  });

  test('shows what was edited in the waiting database, also without the files', async () => {
    await succeed(RELEASE);
    place.write('dist/demo-2.0.tar.gz', sdist('demo', '2.0'));
    await succeed(['build', 'dist']);
    const edited = place
      .text('dist/packages.unsigned.plist')
      .replace('>demo-1.0.tar.gz</string>', '>https://example.net/demo-1.0.tar.gz</string>')
      .replace(/(?<=<key>Expires<\/key>\s*<date>[\d-]+)T[\d:]+/, 'T00:00:00');
    place.write('dist/packages.unsigned.plist', edited);
    const changes = [
      /^ {2}~ Expires: ".*" → ".*T00:00:00Z"$/m,
      /^ {2}~ demo-1\.0\.tar\.gz: Download-URL: "demo-1\.0\.tar\.gz" → "https:\/\/example\.net\/demo-1\.0\.tar\.gz"$/m,
    ];
    const answers = [
      await place.packsign(['diff', 'dist']),
      await place.packsign([...SIGN, '--without-files']),
    ];
    for (const { stdout } of answers) for (const change of changes) expect(stdout).toMatch(change);
  });

  test('--json has every key, even if nothing waits', async () => {
    await succeed(['build', 'dist', '--maintainer', 'Ann', '--signers', ann.fingerprint]);
    const { value } = await succeed(SIGN);
    const keys = ['database', 'sha256', 'issued', 'expires', 'signers', 'signature', 'published', 'missing'];
    expect(Object.keys(value)).toEqual(expect.arrayContaining(keys));
    expect(value).toMatchObject({
      database: 'dist/packages.plist',
      signers: [ann.fingerprint],
      signature: `dist/signatures/${String(value['sha256'])}.asc`,
      published: true,
      missing: 0,
    });
    const again = (await succeed(SIGN)).value;
    expect(Object.keys(again).sort()).toEqual(Object.keys(value).sort());
    expect(again).toMatchObject({ database: 'dist/packages.plist' });
  });

  test('NOTHING_TO_SIGN', async () => {
    expect(await refusal(SIGN)).toEqual(['NOTHING_TO_SIGN', 2]);
    expect(transcript(await place.packsign(SIGN))).toMatchInlineSnapshot(`
      "$ packsign sign dist --key ann.asc
      ! packsign: error: there is no dist/packages.unsigned.plist to sign
      ! packsign: hint: make one first: packsign build dist
      [2]"
    `);
  });

  test('NO_KEY: no key was given', async () => {
    await succeed(['build', 'dist', '--maintainer', 'Ann']);
    expect(await refusal(['sign', 'dist'])).toEqual(['NO_KEY', 2]);
    expect(transcript(await place.packsign(['sign', 'dist']))).toMatchInlineSnapshot(`
      "$ packsign sign dist
      ! packsign: error: no key to sign with
      ! packsign: hint: name one: packsign sign dist --key FILE
      [2]"
    `);
  });

  test('DATABASE_MALFORMED: somebody else wrote the waiting database', async () => {
    await succeed(['build', 'dist', '--maintainer', 'Ann']);
    place.write('dist/packages.unsigned.plist', `${place.text('dist/packages.unsigned.plist')}\n`);
    expect(await refusal(SIGN)).toEqual(['DATABASE_MALFORMED', 1]);
  });

  test('SIGNATURE_MALFORMED: the collected signatures are no signature file', async () => {
    await succeed(['build', 'dist', '--maintainer', 'Ann']);
    place.write('dist/packages.unsigned.plist.asc', 'junk');
    expect(await refusal(SIGN)).toEqual(['SIGNATURE_MALFORMED', 1]);
  });
});

describe('STALE_BUILD', () => {
  test('another database was published since', async () => {
    await succeed(RELEASE);
    place.write('dist/demo-2.0.tar.gz', sdist('demo', '2.0'));
    await succeed(['build', 'dist']);
    const waiting = place.read('dist/packages.unsigned.plist');
    place.write('dist/demo-3.0.tar.gz', sdist('demo', '3.0'));
    await succeed(RELEASE);
    place.write('dist/packages.unsigned.plist', waiting);
    expect(await refusal(SIGN)).toEqual(['STALE_BUILD', 1]);
    expect(transcript(await place.packsign(SIGN))).toMatchInlineSnapshot(`
      "$ packsign sign dist --key ann.asc
      ! packsign: error: another database was published since this one was built
      ! packsign: hint: build again: packsign build dist
      [1]"
    `);
  });

  test('the database was built more than a day ago', async () => {
    await succeed(['build', 'dist', '--maintainer', 'Ann'], epoch('2026-11-01T00:00:00Z'));
    expect(await refusal(SIGN, epoch('2026-11-02T00:00:01Z'))).toEqual(['STALE_BUILD', 1]);
    await succeed(SIGN, epoch('2026-11-02T00:00:00Z'));
  });

  test('CLOCK_BEHIND: the database was built more than five minutes from now', async () => {
    await succeed(['build', 'dist', '--maintainer', 'Ann'], epoch('2026-11-01T01:00:00Z'));
    expect(await refusal(SIGN, epoch('2026-11-01T00:54:59Z'))).toEqual(['CLOCK_BEHIND', 2]);
    await succeed(SIGN, epoch('2026-11-01T00:55:00Z'));
  });
});

describe('T14, BYTES_CHANGED: a path never gets other bytes silently', () => {
  test('status asks a person to decide, and says what to type', async () => {
    await succeed(RELEASE);
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0', 'x = 2\n'));
    const { status, value } = await place.json(['status', 'dist']);
    expect([status, value['state'], value['attention']]).toEqual([
      ...[1, 'changed'],
      ['BYTES_CHANGED', 'UNSIGNED_CHANGES'],
    ]);
    expect((await place.packsign(['status', 'dist'])).stdout).toContain(
      '  give the new bytes a new version and name, or say why\n',
    );
  });

  const PATH = 'dist/demo-1.0.tar.gz';
  const [A, B, C] = ['a = 1\n', 'b = 1\n', 'c = 1\n'].map((body) => sdist('demo', '1.0', body)) as [
    Buffer,
    Buffer,
    Buffer,
  ];
  const allow = (reason: string) => [...RELEASE, '--allow-changed', 'demo-1.0.tar.gz', '--reason', reason];

  async function start(): Promise<void> {
    place.write('dist/keep-1.0.tar.gz', sdist('keep', '1.0'));
    place.write(PATH, A);
    await succeed(RELEASE, epoch('2026-10-01'));
  }

  test('build warns and leaves a waiting database; sign and build --key refuse', async () => {
    await start();
    place.write(PATH, B);
    expect(transcript(await place.packsign(['build', 'dist']))).toMatchInlineSnapshot(`
      "$ packsign build dist
      2 files, 2 packages, 6.2 kB (<n> hashed, <n> known)
        ! demo-1.0.tar.gz has other bytes
            was sha256 <sha256>, 3095 bytes, since <date>
            is  sha256 <sha256>, 3095 bytes
        ~ demo-1.0.tar.gz: MD5Sum: "b34404961d9fd9a4894f50e82e545698" → "de7f8d2d37d4b37442a309061d4d7dc6"
      wrote dist/packages.unsigned.plist; look at it with packsign diff dist, publish it with
        packsign sign dist --key FILE
      ! packsign: warning: demo-1.0.tar.gz: other bytes than before: sha256 was <sha256>, is <sha256> (BYTES_CHANGED)
      [0]"
    `);
    expect(await refusal(SIGN)).toEqual(['BYTES_CHANGED', 1]);
    expect(await refusal(RELEASE)).toEqual(['BYTES_CHANGED', 1]);
    expect(transcript(await place.packsign(SIGN))).toMatchInlineSnapshot(`
      "$ packsign sign dist --key ann.asc
      ! packsign: error: files are not what was published under their names:
      !   demo-1.0.tar.gz
      !     was sha256 <sha256>, 3095 bytes, since <date>
      !     is  sha256 <sha256>, 3095 bytes
      ! packsign: hint: give the new bytes a new version and name, or say why: packsign build dist --allow-changed demo-1.0.tar.gz --reason TEXT; files that change by design belong under "Mutable" in packsign.json
      [1]"
    `);
  });

  test('History keeps a reason for ever', async () => {
    await start();
    const before = published().Files.get('demo-1.0.tar.gz')!.SHA256;
    place.write(PATH, B);
    await succeed(allow('rebuilt'), epoch('2026-10-02'));
    expect(published().Packsign.History).toEqual(
      new Map([['demo-1.0.tar.gz', [{ SHA256: before, Until: new Date('2026-10-02'), Reason: 'rebuilt' }]]]),
    );
    expect(published().Files.get('demo-1.0.tar.gz')!.Since).toEqual(new Date('2026-10-02'));
    expect(published().Files.get('keep-1.0.tar.gz')!.Since).toEqual(new Date('2026-10-01'));
    expect((await place.json(RELEASE, { env: epoch('2026-10-03') })).value).toMatchObject({
      unchanged: true,
    });
  });

  test('needs a reason each time, back and forth: A → B → A → C', async () => {
    await start();
    for (const [step, bytes] of [B, A, C].entries()) {
      place.write(PATH, bytes);
      const env = epoch(new Date(Date.UTC(2026, 9, 2 + step)));
      expect(await refusal(RELEASE, env)).toEqual(['BYTES_CHANGED', 1]);
      await succeed(allow(`step ${step}`), env);
    }
    const records = published().Packsign.History?.get('demo-1.0.tar.gz') ?? [];
    expect(records.map(({ Reason }) => Reason)).toEqual(['step 0', 'step 1', 'step 2']);
  });

  test('a withdrawn file may come back with the same bytes, and not with others', async () => {
    await start();
    place.remove(PATH);
    await succeed(RELEASE, epoch('2026-10-02'));
    const gone = published().Packsign.History?.get('demo-1.0.tar.gz') ?? [];
    expect(gone).toMatchObject([{ Until: new Date('2026-10-02') }]);
    expect(gone[0]).not.toHaveProperty('Reason');
    place.write(PATH, B);
    expect(await refusal(RELEASE, epoch('2026-10-03'))).toEqual(['BYTES_CHANGED', 1]);
    place.write(PATH, A);
    await succeed(RELEASE, epoch('2026-10-03'));
    expect(published().Files.get('demo-1.0.tar.gz')!.Since).toEqual(new Date('2026-10-03'));
    place.remove(PATH);
    await succeed(RELEASE, epoch('2026-10-04'));
    place.write(PATH, B);
    expect(await refusal(RELEASE, epoch('2026-10-05'))).toEqual(['BYTES_CHANGED', 1]);
    await succeed(allow('again'), epoch('2026-10-05'));
    // The two withdrawals, and the reason: no record is altered.
    expect(published().Packsign.History?.get('demo-1.0.tar.gz')).toMatchObject([
      { Until: new Date('2026-10-02') },
      { Until: new Date('2026-10-04') },
      { Until: new Date('2026-10-05'), Reason: 'again' },
    ]);
  });

  test('a reason for one path does not count for another', async () => {
    await start();
    place.write(PATH, B);
    place.write('dist/keep-1.0.tar.gz', C);
    expect(await refusal(allow('rebuilt'))).toEqual(['BYTES_CHANGED', 1]);
  });

  test('refuses a waiting database that forgot its history', async () => {
    await start();
    place.write(PATH, B);
    await succeed(allow('rebuilt'), epoch('2026-10-02'));
    place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    await succeed(['build', 'dist'], epoch('2026-10-03'));
    const waiting = place.text('dist/packages.unsigned.plist');
    const forgetful = waiting.replace(/ {6}<key>History<\/key>\n {6}<dict>\n[^]*\n {6}<\/dict>\n/, '');
    expect(forgetful).not.toBe(waiting);
    place.write('dist/packages.unsigned.plist', forgetful);
    expect(await refusal(SIGN, epoch('2026-10-03'))).toEqual(['BYTES_CHANGED', 1]);
  });
});

describe('T14, MASS_REMOVAL: an emptied directory is not a release', () => {
  async function start(count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      place.write(`dist/pack${index}-1.0.tar.gz`, sdist(`pack${index}`, '1.0'));
    }
    place.remove('dist/demo-1.0.tar.gz');
    await succeed(RELEASE, epoch('2026-11-01'));
  }

  function withdraw(count: number): void {
    for (let index = 0; index < count; index += 1) place.remove(`dist/pack${index}-1.0.tar.gz`);
  }

  test('refuses if more than half of the files are gone, and says the three ways out', async () => {
    await start(3);
    withdraw(2);
    place.write('dist/pack0-2.0.tar.gz', sdist('pack0', '2.0'));
    expect(await refusal(RELEASE)).toEqual(['MASS_REMOVAL', 1]);
    expect(await refusal(['build', 'dist', '--check'])).toEqual(['MASS_REMOVAL', 1]);
    expect(await refusal(['build', 'dist'])).toEqual(['MASS_REMOVAL', 1]);
    await succeed(['build', 'dist', '--absent', 'withdraw']);
    expect(await refusal(SIGN)).toEqual(['MASS_REMOVAL', 1]);
    expect(transcript(await place.packsign(SIGN))).toMatchInlineSnapshot(`
      "$ packsign sign dist --key ann.asc
      ! packsign: error: 2 of 3 published files are not here, or excluded:
      !   pack0-1.0.tar.gz
      !   pack1-1.0.tar.gz
      ! packsign: hint: put the files back; or keep their entries, if the files are missing only on this machine: packsign build dist --absent keep; or take them off the list: packsign build dist --absent withdraw
      [1]"
    `);
    await succeed([...SIGN, '--absent', 'withdraw']);
  });

  test('allows half to go, and one of one whose place another takes', async () => {
    await start(4);
    withdraw(2);
    await succeed(RELEASE);
    place.remove('dist/pack2-1.0.tar.gz');
    await succeed(RELEASE);
    place.remove('dist/pack3-1.0.tar.gz');
    place.write('dist/pack0-2.0.tar.gz', sdist('pack0', '2.0'));
    await succeed(RELEASE);
  });

  test('refuses if the last file is gone, unless that is typed', async () => {
    await succeed(RELEASE);
    place.remove('dist/demo-1.0.tar.gz');
    expect(await refusal(RELEASE)).toEqual(['MASS_REMOVAL', 1]);
    place.write('dist/packsign.json', '{"Absent": "withdraw"}');
    expect(await refusal(RELEASE)).toEqual(['MASS_REMOVAL', 1]);
    await succeed([...RELEASE, '--absent', 'withdraw']);
    expect(decodeDatabase(place.read('dist/packages.plist')).Files.size).toBe(0);
    expect(await refusal(RELEASE)).toEqual(['NOTHING_TO_LIST', 2]);
    await succeed([...RELEASE, '--absent', 'withdraw']);
  });
});

describe('FILE_DIFFERS: files must match the waiting database', () => {
  test.each<readonly [string, () => void]>([
    ['other bytes', () => place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0', 'evil()\n'))],
    ['a missing one', () => place.remove('dist/keep-1.0.tar.gz')],
  ])('%s', async (_, spoil) => {
    place.write('dist/keep-1.0.tar.gz', sdist('keep', '1.0'));
    await succeed(['build', 'dist', '--maintainer', 'Ann']);
    spoil();
    expect(await refusal(SIGN)).toEqual(['FILE_DIFFERS', 1]);
    expect(await refusal([...SIGN, '--rehash'])).toEqual(['FILE_DIFFERS', 1]);
  });

  test('names the files', async () => {
    await succeed(['build', 'dist', '--maintainer', 'Ann']);
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0', 'evil()\n'));
    expect(transcript(await place.packsign(SIGN))).toMatchInlineSnapshot(`
      "$ packsign sign dist --key ann.asc
      ! packsign: error: files differ from dist/packages.unsigned.plist:
      !   demo-1.0.tar.gz has other bytes: sha256 is <sha256>
      ! packsign: hint: build again and see what changed: packsign build dist, packsign diff dist; if files are missing only on this machine, sign with --absent keep
      [1]"
    `);
  });

  test('--without-files signs on another host', async () => {
    await succeed(['build', 'dist', '--maintainer', 'Ann']);
    const host = newPlace();
    host.write('ann.asc', ann.signing);
    host.write('dist/packages.unsigned.plist', place.read('dist/packages.unsigned.plist'));
    expect(await host.json([...SIGN, '--without-files'])).toMatchObject({
      status: 0,
      value: { published: false, missing: 0, signature: 'dist/packages.unsigned.plist.asc' },
    });
  });
});

describe('T19, SECRET_IN_DIRECTORY: does not publish a folder that holds a secret key', () => {
  test.each([
    'secret.asc',
    'sub/notes.txt',
    '.hidden',
    'signatures/old.asc',
    'signatures/.asc',
    'assets/x.js',
  ])('%s', async (name) => {
    place.write(`dist/${name}`, `notes\n${ann.secret}`);
    expect(await refusal(RELEASE)).toEqual(['SECRET_IN_DIRECTORY', 1]);
    await succeed(['build', 'dist', '--maintainer', 'Ann']);
    expect(await refusal(SIGN)).toEqual(['SECRET_IN_DIRECTORY', 1]);
    expect(await refusal([...SIGN, '--without-files'])).toEqual(['SECRET_IN_DIRECTORY', 1]);
  });

  test('reports it even if there is nothing to sign', async () => {
    await succeed(RELEASE);
    // Files that were touched a moment ago are read again, so only the third build takes the shortcut.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2100);
    await succeed(RELEASE);
    await succeed(RELEASE);
    place.write('dist/sub/notes.txt', ann.secret);
    for (const command of [RELEASE, ['build', 'dist', '--check']]) {
      expect(await refusal(command)).toEqual(['SECRET_IN_DIRECTORY', 1]);
    }
    const watched = await place.packsign(['watch', 'dist', '--key', 'ann.asc', '--once']);
    expect([watched.status, watched.stderr]).toEqual([
      1,
      expect.stringContaining('refused SECRET_IN_DIRECTORY'),
    ]);
    const { status, value } = await place.json(['status', 'dist']);
    expect([status, value['state'], value['attention']]).toEqual([1, 'published', ['SECRET_IN_DIRECTORY']]);
    expect((await place.packsign(['status', 'dist'])).stdout).toContain(
      '  there are secrets in the directory: sub/notes.txt (an OpenPGP secret key)\n',
    );
    place.remove('dist/sub/notes.txt');
    expect((await place.packsign(['status', 'dist'])).status).toBe(0);
    await succeed(RELEASE);
  });

  test('names the file, and prints nothing of the key', async () => {
    place.write('dist/secret.asc', ann.secret);
    const run = await place.packsign(RELEASE);
    expect(transcript(run)).toMatchInlineSnapshot(`
      "$ packsign build dist --key ann.asc
      ! packsign: error: there are secrets in the directory: secret.asc (an OpenPGP secret key)
      ! packsign: hint: move them to a place that is never published; for a key that only tests use: --allow-secret PATH
      [1]"
    `);
    expect(run.stderr).not.toContain(ann.secret.split('\n')[5]);
  });

  test('allows a certificate, and text that only mentions a key', async () => {
    place.write('dist/README.md', 'a key begins with -----BEGIN PGP PRIVATE KEY BLOCK----- and so on\n');
    place.write('dist/ann.pub.asc', ann.certificate);
    await succeed(RELEASE);
  });
});

describe('T8, KEY_NOT_PUBLISHED: a signature must verify with the published certificate', () => {
  test('refuses another key', async () => {
    await succeed(RELEASE);
    place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    expect(await refusal(['build', 'dist', '--key', 'bob.asc'])).toEqual(['KEY_NOT_PUBLISHED', 1]);
    expect(await refusal([...RELEASE, '--key', 'bob.asc'])).toEqual(['KEY_NOT_PUBLISHED', 1]);
    expect(transcript(await place.packsign(['build', 'dist', '--key', 'bob.asc']))).toMatchInlineSnapshot(`
      "$ packsign build dist --key bob.asc
      ! packsign: error: the key <fingerprint> is not in the published keys.asc
      ! packsign: hint: publish it first, so that users can verify what it signs: packsign key publish dist --key bob.asc
      [1]"
    `);
  });

  test('refuses a subkey that keys.asc does not know yet', async () => {
    const key = await forgeKey();
    place.write('ann.asc', key.armor());
    await succeed(RELEASE);
    const grown = await key.addSubkey({ sign: true, date: day(20) });
    place.write('ann.asc', grown.armor());
    place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    expect(await refusal(RELEASE)).toEqual(['KEY_NOT_PUBLISHED', 1]);
  });

  test('KEY_REVOKED: the published certificate is revoked, though the key file is not', async () => {
    const key = await forgeKey();
    place.write('ann.asc', key.armor());
    await succeed(RELEASE, epoch('2026-11-01'));
    const retired = { flag: enums.reasonForRevocation.keyRetired };
    const revoked = await key.revoke(retired, new Date('2026-11-02'));
    place.write('dist/keys.asc', encodeArmor(publicBytes(revoked), 'PUBLIC KEY BLOCK'));
    // This repairs keys.gpg.
    expect((await place.packsign(['page', 'dist', '--force'])).status).toBe(0);
    place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    expect(await refusal(RELEASE)).toEqual(['KEY_REVOKED', 1]);
  });

  test('never changes keys.asc, and keeps keys.gpg in step with it', async () => {
    await succeed(RELEASE);
    const keys = place.read('dist/keys.asc');
    const both = await readCertificates(Buffer.from(ann.certificate));
    expect(place.read('dist/keys.gpg').equals(encodeCertificates(both).binary)).toBe(true);
    place.write('dist/keys.gpg', 'x');
    place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    expect((await place.packsign(RELEASE)).stderr).toBe('packsign: put back keys.gpg\n');
    expect(place.read('dist/keys.asc').equals(keys)).toBe(true);
    expect(place.read('dist/keys.gpg').equals(encodeCertificates(both).binary)).toBe(true);
  });
});

describe('EXPIRES_AFTER_KEY', () => {
  test.each([
    [
      '20 hours',
      20 * 3600,
      ', or shorten "Validity": packsign build dist --validity "18 hours" --key ann.asc',
    ],
    ['30 hours', 30 * 3600, ', or shorten "Validity": packsign build dist --validity "1 day" --key ann.asc'],
    ['90 minutes', 90 * 60, ''],
  ])('the hint for a key of %s, an hour later, names a time that it allows', async (_, lifeSeconds, more) => {
    const short = await newKey('Ann', { born: new Date(Date.now() - 3_600_000), lifeSeconds });
    place.write('ann.asc', short.signing);
    const { stderr } = await place.packsign(RELEASE);
    expect(stderr).toContain(`packsign: hint: extend the key${more}\n`);
    const [, validity] = /--validity "(.*?)"/.exec(more) ?? [];
    if (validity !== undefined) await succeed([...RELEASE, '--validity', validity]);
  });

  test('a database never outlives the key that signs it', async () => {
    const short = await newKey('Ann', { born: new Date(Date.now() - 3_600_000), lifeSeconds: 30 * 86_400 });
    place.write('ann.asc', short.signing);
    expect(await refusal(RELEASE)).toEqual(['EXPIRES_AFTER_KEY', 1]);
    expect(await refusal([...RELEASE, '--validity', 'none'])).toEqual(['EXPIRES_AFTER_KEY', 1]);
    expect(transcript(await place.packsign(RELEASE))).toMatchInlineSnapshot(`
      "$ packsign build dist --key ann.asc
      ! packsign: error: the database would outlive the key that signs it, which expires at <date>
      ! packsign: hint: extend the key, or shorten "Validity": packsign build dist --validity "29 days" --key ann.asc
      [1]"
    `);
    await succeed([...RELEASE, '--validity', '29 days']);
  });
});

test('KEY_REVOKED, T25: keys.asc revokes the subkey that signs, but not another one', async () => {
  const key = await forgeKey({ subkeys: [{ sign: true }] });
  place.write('ann.asc', key.armor());
  const grown = await key.addSubkey({ sign: true, date: day(20) });
  const certificate = (await readKey({ binaryKey: publicBytes(grown) })).toPublic();
  const primary = key.keyPacket;
  certificate.subkeys[0] = await certificate.subkeys[0]!.revoke(
    primary as never,
    { flag: enums.reasonForRevocation.keySuperseded },
    day(30),
  );
  place.write('dist/keys.asc', encodeArmor(certificate.write(), 'PUBLIC KEY BLOCK'));
  expect(await refusal(RELEASE)).toEqual(['KEY_REVOKED', 1]);
});

describe('a threshold of 2 of 2', () => {
  beforeEach(async () => {
    const certificates = await readCertificates(
      Buffer.from(
        encodeCertificates(
          (
            await Promise.all([ann, bob].map(({ certificate }) => readCertificates(Buffer.from(certificate))))
          ).flat(),
        ).armored,
      ),
    );
    place.write('dist/keys.asc', encodeCertificates(certificates).armored);
    const Signers = [ann.fingerprint, bob.fingerprint];
    place.write('dist/packsign.json', JSON.stringify({ Signers, Threshold: 2 }));
  });

  test('is met by two runs of sign', async () => {
    await succeed(['build', 'dist']);
    expect(transcript(await place.packsign(SIGN))).toMatchInlineSnapshot(`
      "$ packsign sign dist --key ann.asc
        + demo-1.0.tar.gz
      1 of 2 signatures; dist/packages.unsigned.plist waits for the others
      [0]"
    `);
    expect(place.has('dist/packages.plist')).toBe(false);
    const again = await succeed(SIGN);
    expect(again.value).toMatchObject({
      database: 'dist/packages.unsigned.plist',
      signature: 'dist/packages.unsigned.plist.asc',
      signers: [ann.fingerprint],
      published: false,
      missing: 1,
    });
    expect((await place.json(['verify', 'dist'])).value).toMatchObject({
      status: 'refused',
      code: 'DATABASE_MISSING',
    });
    const { value } = await succeed(['sign', 'dist', '--key', 'bob.asc']);
    expect(value).toMatchObject({
      published: true,
      missing: 0,
      signers: [ann.fingerprint, bob.fingerprint].sort(),
    });
    expect(await place.json(['verify', 'dist', '--keys', 'dist/keys.asc', '--threshold', '2'])).toMatchObject(
      {
        status: 0,
      },
    );
    expect(place.has('dist/packages.unsigned.plist.asc')).toBe(false);
  });

  test('build --key with one key waits for the other', async () => {
    const { value } = await succeed(RELEASE);
    expect(value).toMatchObject({ published: false, database: 'dist/packages.unsigned.plist' });
    expect((await succeed(['sign', 'dist', '--key', 'bob.asc'])).value).toMatchObject({ published: true });
  });

  test('a build of the same content keeps the waiting database and its signatures', async () => {
    await succeed(RELEASE, epoch('2026-08-01T12:00:00Z'));
    const waiting = [
      place.read('dist/packages.unsigned.plist'),
      place.read('dist/packages.unsigned.plist.asc'),
    ];
    for (const args of [['build', 'dist'], ['build', 'dist', '--strict'], RELEASE]) {
      await succeed(args, epoch('2026-08-02T08:00:00Z'));
      expect(place.read('dist/packages.unsigned.plist').equals(waiting[0] ?? Buffer.alloc(0))).toBe(true);
      expect(place.read('dist/packages.unsigned.plist.asc').equals(waiting[1] ?? Buffer.alloc(0))).toBe(true);
    }
    expect(
      (await place.packsign(['build', 'dist'], { env: epoch('2026-08-02T08:00:00Z') })).stdout,
    ).toContain(
      'dist/packages.unsigned.plist has this content already, and stays with its signatures; look at it',
    );
    const { value } = await succeed(['build', 'dist', '--key', 'bob.asc'], epoch('2026-08-02T08:00:00Z'));
    expect(value).toMatchObject({ published: true });
    expect(place.read('dist/packages.plist').equals(waiting[0] ?? Buffer.alloc(0))).toBe(true);
    // What was signed is what the next build goes on from.
    place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    await succeed([...RELEASE, '--key', 'bob.asc'], epoch('2026-08-03T08:00:00Z'));
    expect(published().Files.get('demo-1.0.tar.gz')?.Since).toEqual(new Date('2026-08-01T12:00:00Z'));
  });

  test.each([
    ['has an edited text', (text: string) => text.replace('<string>1.0</string>', '<string>1.1</string>')],
    ['has an edited date', (text: string) => text.replace('2026-08-01T12:00:00Z', '2026-08-01T12:00:01Z')],
    ['has one more space', (text: string) => text.replace('<dict>', '<dict> ')],
  ])('a build makes the waiting database anew if it %s', async (_, edit) => {
    await succeed(RELEASE, epoch('2026-08-01T12:00:00Z'));
    const edited = edit(place.text('dist/packages.unsigned.plist'));
    expect(edited).not.toBe(place.text('dist/packages.unsigned.plist'));
    place.write('dist/packages.unsigned.plist', edited);
    const env = epoch('2026-08-01T13:00:00Z');
    expect((await succeed(['build', 'dist', '--key', 'bob.asc'], env)).value).toMatchObject({
      published: false,
      issued: '2026-08-01T13:00:00Z',
    });
  });

  test('a build makes it anew if it is too old, from the future, or other validity is asked for', async () => {
    for (const [date, ...more] of [
      ['2026-08-02T12:00:01Z'],
      ['2026-08-01T11:54:59Z'],
      ['2026-08-01T12:00:01Z', '--validity', '30 days'],
    ]) {
      await succeed(RELEASE, epoch('2026-08-01T12:00:00Z'));
      const env = epoch(date ?? '');
      const { value, run } = await place.json(['build', 'dist', '--key', 'bob.asc', ...more], { env });
      expect(value).toMatchObject({ published: false, issued: date });
      expect(run.stderr).toBe(droppedOf(ann));
      place.remove('dist/packages.unsigned.plist');
      place.remove('dist/packages.unsigned.plist.asc');
    }
  });

  test('a build of other content says whose signatures it drops', async () => {
    await succeed(RELEASE);
    place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    for (const args of [
      ['build', 'dist'],
      ['build', 'dist', '--key', 'bob.asc'],
    ]) {
      const { stderr } = await place.packsign(args);
      expect(stderr).toBe(args.length > 2 ? '' : droppedOf(ann));
    }
    place.remove('dist/more-1.0.tar.gz');
    expect((await place.packsign(RELEASE)).stderr).toBe(droppedOf(bob));
  });

  test('a waiting database whose signatures cannot be read gets new ones', async () => {
    await succeed(RELEASE);
    place.write('dist/packages.unsigned.plist.asc', 'junk');
    await succeed(['build', 'dist']);
    expect(place.has('dist/packages.unsigned.plist.asc')).toBe(false);
    place.write('dist/packages.unsigned.plist.asc', 'junk');
    expect((await succeed(RELEASE)).value).toMatchObject({ published: false });
    expect((await succeed(['build', 'dist', '--key', 'bob.asc'])).value).toMatchObject({ published: true });
  });

  test('signatures of other bytes do not count', async () => {
    await succeed(['build', 'dist']);
    await succeed(SIGN);
    const gathered = place.read('dist/packages.unsigned.plist.asc');
    place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    expect((await place.json(['build', 'dist'])).status).toBe(0);
    expect(place.has('dist/packages.unsigned.plist.asc')).toBe(false);
    place.write('dist/packages.unsigned.plist.asc', gathered);
    expect((await succeed(['sign', 'dist', '--key', 'bob.asc'])).value).toMatchObject({
      published: false,
      missing: 1,
    });
  });

  test('T6: one key cannot meet it alone', async () => {
    await succeed(['build', 'dist']);
    await succeed(SIGN);
    expect((await succeed([...SIGN, '--key', 'ann.asc'])).value).toMatchObject({
      published: false,
      missing: 1,
    });
  });
});

describe('after a crash past the commit point', () => {
  test('the next run that writes repairs what was left', async () => {
    await succeed(RELEASE);
    place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    const stale = place.read('dist/packages.plist.asc');
    await succeed(RELEASE);
    const good = place.snapshot();
    place.write('dist/packages.plist.asc', stale);
    place.write('dist/packages.unsigned.plist', place.read('dist/packages.plist'));
    place.write('dist/packages.unsigned.plist.asc', stale);
    place.write('dist/.packsign-0123456789abcdef0123456789.tmp', 'half');
    place.write('dist/signatures/.packsign-0123456789abcdef0123456789.tmp', 'half');
    expect((await place.json(['verify', 'dist'])).value).toMatchObject({ status: 'authentic' });
    expect(await place.json(SIGN)).toMatchObject({
      status: 0,
      run: { stderr: 'packsign: put back packages.plist.asc\n' },
    });
    expect(place.snapshot()).toEqual(good);
  });

  test('takes over the lock of a dead process', async () => {
    for (const text of ['', JSON.stringify({ pid: 1, started: '0' })]) {
      place.write('dist/.packsign/lock', text);
      utimesSync(place.path('dist/.packsign/lock'), 0, 0);
      await succeed(RELEASE);
    }
  });
});
