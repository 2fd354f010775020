import { mkdirSync, symlinkSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import { takeLock } from '../../src/disk/lock.js';
import { lockPlace } from '../disk/lock-place.js';
import { codeOf, epoch, newKey, newPlace, npmTarball, sdist, transcript } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';

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
  place.write('dist/npm/left-pad-1.3.0.tgz', npmTarball('left-pad', '1.3.0'));
});

const RELEASE = ['build', 'dist', '--key', 'ann.asc'];

async function release(env = {}): Promise<void> {
  expect((await place.packsign(RELEASE, { env })).stderr).toBe('');
}

/** Runs a command that fails, once for people and once with --json; it must change nothing. */
async function refusal(args: readonly string[], env = {}): Promise<readonly unknown[]> {
  const before = place.snapshot('.');
  const answer = await place.json(args, { env });
  const error = answer.value['error'] as Record<string, unknown>;
  expect(Object.keys(answer.value)).toEqual(['error']);
  expect(Object.keys(error)).toEqual(['code', 'message', 'hint']);
  const run = await place.packsign(args, { env });
  expect([run.stdout, run.status]).toEqual(['', answer.status]);
  expect(run.stderr).toMatch(/^packsign: error: [^\n]*[^.\n]\n/);
  expect((await place.packsign([...args, '--quiet'], { env })).stderr).toBe(run.stderr);
  expect((await place.packsign([...args, '--verbose'], { env })).stderr).toContain(
    `(${String(error['code'])})`,
  );
  expect(place.snapshot('.')).toEqual(before);
  return [error['code'], answer.status];
}

describe('build', () => {
  test('leaves a waiting database', async () => {
    expect(transcript(await place.packsign(['build', 'dist', '--maintainer', 'Ann <ann@example.org>'])))
      .toMatchInlineSnapshot(`
        "$ packsign build dist --maintainer Ann <ann@example.org>
        2 files, 2 packages, 5.2 kB (<n> hashed, <n> known)
          + demo-1.0.tar.gz
          + npm/left-pad-1.3.0.tgz
        wrote dist/packages.unsigned.plist; look at it with packsign diff dist --maintainer 'Ann <ann@example.org>', publish it with
          packsign sign dist --key FILE --maintainer 'Ann <ann@example.org>'
        [0]"
      `);
    expect(Object.keys(place.snapshot())).toEqual([
      'demo-1.0.tar.gz',
      'npm/left-pad-1.3.0.tgz',
      'packages.unsigned.plist',
    ]);
  });

  test('--key signs and publishes', async () => {
    expect(transcript(await place.packsign(RELEASE))).toMatchInlineSnapshot(`
      "$ packsign build dist --key ann.asc
      2 files, 2 packages, 5.2 kB (<n> hashed, <n> known)
        + demo-1.0.tar.gz
        + npm/left-pad-1.3.0.tgz
      signed and published dist/packages.plist, fresh until <date>
        by <fingerprint in groups>
      wrote dist/keys.asc, which from now on tells people to trust
        <fingerprint in groups>  Ann <ann@example.org>
      publish this fingerprint in a second place, where people can compare it
      [0]"
    `);
    const names = Object.keys(place.snapshot()).map((name) => name.replace(/[0-9a-f]{64}/, 'SHA256'));
    expect(names).toEqual([
      'demo-1.0.tar.gz',
      'keys.asc',
      'keys.gpg',
      'npm/left-pad-1.3.0.tgz',
      'packages.plist',
      'packages.plist.asc',
      'signatures/SHA256.asc',
    ]);
  });

  test('a second build says that nothing changed, and writes nothing', async () => {
    await release();
    const before = place.snapshot();
    expect(transcript(await place.packsign(RELEASE))).toMatchInlineSnapshot(`
      "$ packsign build dist --key ann.asc
      2 files, 2 packages, 5.2 kB (<n> hashed, <n> known)
      dist/packages.plist is up to date
      [0]"
    `);
    expect(transcript(await place.packsign(['build', 'dist']))).toMatchInlineSnapshot(`
      "$ packsign build dist
      2 files, 2 packages, 5.2 kB (<n> hashed, <n> known)
      dist/packages.plist is up to date
      [0]"
    `);
    expect(place.snapshot()).toEqual(before);
    expect(await place.packsign(['sign', 'dist', '--key', 'ann.asc'])).toMatchObject({ status: 0 });
    expect(place.snapshot()).toEqual(before);
  });

  test('removes a waiting database if the published one has the same content', async () => {
    await release();
    place.write('dist/more-1.0.zip', 'x');
    expect((await place.packsign(['build', 'dist'])).status).toBe(0);
    expect(place.has('dist/packages.unsigned.plist')).toBe(true);
    place.remove('dist/more-1.0.zip');
    expect((await place.json(['build', 'dist'])).value).toMatchObject({
      unchanged: true,
      database: 'dist/packages.plist',
    });
    expect(place.has('dist/packages.unsigned.plist')).toBe(false);
  });

  test('--json has every key, with paths joined to the directory as typed', async () => {
    await release();
    for (const name of ['a', 'b'])
      place.write(`dist/${name}-1.0.tar.gz`, sdist(name, '1.0').subarray(0, 500));
    place.remove('dist/npm');
    const { value, status } = await place.json(['build', 'dist']);
    expect(status).toBe(0);
    expect(Object.keys(value)).toEqual(
      expect.arrayContaining(
        'database sha256 issued packages files bytes hashed cached added withdrawn changed uncovered companions unseen warnings published unchanged'.split(
          ' ',
        ),
      ),
    );
    expect(value).toMatchObject({
      database: 'dist/packages.unsigned.plist',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      issued: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
      packages: 3,
      files: 3,
      added: ['a-1.0.tar.gz', 'b-1.0.tar.gz'],
      withdrawn: ['npm/left-pad-1.3.0.tgz'],
      changed: [],
      published: false,
      unchanged: false,
    });
    const codes = (value['warnings'] as { code: string; path: string }[]).map(({ code }) => code);
    expect(codes).toEqual(['DAMAGED', 'DAMAGED']);
  });

  test('--quiet prints nothing but the object of --json', async () => {
    expect(await place.packsign([...RELEASE, '--quiet'])).toMatchObject({
      stdout: '',
      stderr: '',
      status: 0,
    });
    expect((await place.json(['build', 'dist', '--quiet'])).value).toMatchObject({ unchanged: true });
  });

  test('prints warnings on stderr and goes on', async () => {
    place.write('dist/junk-1.0.tar.gz', sdist('junk', '1.0').subarray(0, 400));
    place.write('dist/nothing.tar.gz', sdist('nothing', '1.0').subarray(0, 40));
    place.write('dist/x-$(id)-1.0.tar.gz', 'x');
    place.write('dist/demo-2.0.tar.gz', sdist('other', '2.0'));
    place.write('dist/twin/demo-1.0.tar.gz', sdist('demo', '1.0', 'y = 1\n'));
    symlinkSync('demo-1.0.tar.gz', place.path('dist/link-1.0.tar.gz'));
    expect(transcript(await place.packsign(['build', 'dist']))).toMatchInlineSnapshot(`
      "$ packsign build dist
      6 files, 5 packages, 12 kB (<n> hashed, <n> known)
        + demo-1.0.tar.gz
        + demo-2.0.tar.gz
        + junk-1.0.tar.gz
        + nothing.tar.gz
        + npm/left-pad-1.3.0.tgz
        + twin/demo-1.0.tar.gz
      wrote dist/packages.unsigned.plist; look at it with packsign diff dist, publish it with
        packsign sign dist --key FILE
      ! packsign: warning: the database names no maintainer; set "Maintainer" in packsign.json (NO_MAINTAINER)
      ! packsign: warning: demo-2.0.tar.gz: its metadata says other 2.0, its file name demo 2.0; give it "Name" and "Version" in packsign.json (NAME_MISMATCH)
      ! packsign: warning: 2 files: damaged: ends early: the rest of the gzip data is missing (DAMAGED): junk-1.0.tar.gz, nothing.tar.gz
      ! packsign: warning: link-1.0.tar.gz: a symbolic link: left out (NOT_REGULAR)
      ! packsign: warning: twin/demo-1.0.tar.gz: is demo 1.0 (source), and so is demo-1.0.tar.gz; both are listed (DUPLICATE_PACKAGE)
      ! packsign: warning: x-$(id)-1.0.tar.gz: left out: a name may hold letters, digits and . _ + ~ = @ , ! - and begins with a letter, digit or _ (UNSAFE_NAME)
      ! packsign: 2 files here are not covered: link-1.0.tar.gz, x-$(id)-1.0.tar.gz; rename files whose names cannot be listed, only regular files are listed, "Exclude" in packsign.json leaves files out
      [0]"
    `);
    expect(transcript(await place.packsign(RELEASE))).toMatchInlineSnapshot(`
      "$ packsign build dist --key ann.asc
      ! packsign: error: 2 files are damaged, so nothing new is published:
      !   junk-1.0.tar.gz: ends early: the rest of the gzip data is missing
      !   nothing.tar.gz: ends early: the rest of the gzip data is missing
      ! packsign: hint: upload them again; to publish them as is: packsign build dist --allow-damaged junk-1.0.tar.gz --allow-damaged nothing.tar.gz --key ann.asc
      [1]"
    `);
  });

  test('escapes a name that would move the cursor', async () => {
    place.write('dist/x\u001b[2J\u009b-1.0.tar.gz', 'x');
    const run = await place.packsign(RELEASE);
    expect(run.stderr).toContain('x\\u{1b}[2J\\u{9b}-1.0.tar.gz');
    const json = await place.packsign([...RELEASE, '--json']);
    // eslint-disable-next-line no-control-regex
    for (const text of [run.stdout, run.stderr, json.stdout]) expect(text).not.toMatch(/[\u001b\u009b]/);
    expect(JSON.parse(json.stdout)).toMatchObject({ warnings: [{ path: 'x\u001b[2J\u009b-1.0.tar.gz' }] });
  });

  test('NO_MAINTAINER: no maintainer is known yet; a build with a key names one', async () => {
    expect(transcript(await place.packsign(['build', 'dist']))).toMatchInlineSnapshot(`
      "$ packsign build dist
      2 files, 2 packages, 5.2 kB (<n> hashed, <n> known)
        + demo-1.0.tar.gz
        + npm/left-pad-1.3.0.tgz
      wrote dist/packages.unsigned.plist; look at it with packsign diff dist, publish it with
        packsign sign dist --key FILE
      ! packsign: warning: the database names no maintainer; set "Maintainer" in packsign.json (NO_MAINTAINER)
      [0]"
    `);
    const { Maintainer, Packsign } = decodeDatabase(place.read('dist/packages.unsigned.plist'));
    expect([Maintainer, Packsign.Signers]).toEqual([undefined, undefined]);
    await release();
    expect(decodeDatabase(place.read('dist/packages.plist'))).toMatchObject({
      Maintainer: 'Ann <ann@example.org>',
      Packsign: { Signers: { Threshold: 1, Fingerprints: [ann.fingerprint] } },
    });
  });

  describe('of a first database that was built before its signers were known', () => {
    const publish = async (more: readonly string[] = []) => {
      await place.packsign(['build', 'dist']);
      expect((await place.packsign(['sign', 'dist', '--key', 'ann.asc', ...more])).status).toBe(0);
    };

    test.each([
      ['with nothing else', {}],
      ['with a maintainer in the settings', { Maintainer: 'Zoe <zoe@example.org>' }],
    ])('changes nothing once it is signed, %s', async (_, settings) => {
      place.write('dist/packsign.json', JSON.stringify(settings));
      await publish();
      expect((await place.json(['status', 'dist'])).value).toMatchObject({ ok: true, state: 'published' });
      expect((await place.json([...RELEASE, '--check'])).value).toMatchObject({ ok: true, unchanged: true });
      expect((await place.json(RELEASE)).value).toMatchObject({ unchanged: true, published: false });
      expect((await place.packsign(['diff', 'dist'])).stdout).toBe('no difference from what is published\n');
      const watched = await place.packsign(['watch', 'dist', '--key', 'ann.asc', '--once', '--json']);
      expect(watched.stdout).not.toContain('"signed"');
    });

    test('changes nothing with two keys either', async () => {
      await publish(['--key', 'bob.asc']);
      expect((await place.json(['status', 'dist'])).value).toMatchObject({ ok: true });
    });

    test('names them with the next change', async () => {
      await publish();
      place.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1'));
      await release();
      const { Packsign } = decodeDatabase(place.read('dist/packages.plist'));
      expect(Packsign.Signers).toEqual({ Threshold: 1, Fingerprints: [ann.fingerprint] });
    });

    test('is changed by settings that name other signers, which people read without JSON', async () => {
      await publish();
      const other = await place.packsign(['status', 'dist', '--signers', bob.fingerprint]);
      expect(other.stdout).toContain(`~ Signers: nothing → Threshold 1, Fingerprints ${bob.fingerprint}\n`);
      expect(other.status).toBe(1);
    });
  });

  describe('with a key that PACKSIGN_KEY or the settings name', () => {
    const inSettings = () => {
      place.write('dist/packsign.json', JSON.stringify({ Key: '../ann.asc' }));
    };
    const env = { PACKSIGN_KEY: 'ann.asc' };

    test('signs with --sign, which --key means too', async () => {
      expect((await place.json(['build', 'dist', '--sign'], { env })).value).toMatchObject({
        published: true,
      });
      inSettings();
      const anew = ['build', 'dist', '--sign', '--first'];
      expect((await place.json(anew)).value).toMatchObject({ published: true });
    });

    test('does not sign without it, says so and what to type', async () => {
      inSettings();
      expect(transcript(await place.packsign(['build', 'dist']))).toMatchInlineSnapshot(`
        "$ packsign build dist
        2 files, 2 packages, 5.2 kB (<n> hashed, <n> known)
          + demo-1.0.tar.gz
          + npm/left-pad-1.3.0.tgz
        wrote dist/packages.unsigned.plist; look at it with packsign diff dist, publish it with
          packsign sign dist
        it is not signed; to sign it with the key of "Key" in dist/packsign.json, type
          packsign build dist --sign
        [0]"
      `);
      const { stdout } = await place.packsign(['build', 'dist'], { env });
      expect(stdout).toContain(
        'to sign it with the key of PACKSIGN_KEY, type\n  packsign build dist --sign\n',
      );
      const status = await place.packsign(['status', 'dist']);
      expect(status.stdout).toContain('next: packsign sign dist\n');
      expect((await place.packsign(['sign', 'dist'])).status).toBe(0);
      place.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1'));
      expect((await place.packsign(['status', 'dist'])).stdout).toContain(
        'next: packsign build dist --sign\n',
      );
    });

    test('--no-sign leaves a waiting database that names the signers, whatever names the key', async () => {
      const run = await place.packsign([...RELEASE, '--no-sign']);
      expect(run.stdout).not.toContain('it is not signed');
      expect(decodeDatabase(place.read('dist/packages.unsigned.plist')).Packsign.Signers).toEqual({
        Threshold: 1,
        Fingerprints: [ann.fingerprint],
      });
    });

    test('init that names a key says to sign with it', async () => {
      const { stdout } = await place.packsign(['init', 'dist', '--key', '../ann.asc']);
      expect(stdout).toBe('wrote dist/packsign.json; next: packsign build dist --sign\n');
    });

    test('--key wins over PACKSIGN_KEY, which wins over the settings', async () => {
      inSettings();
      const both = { PACKSIGN_KEY: 'bob.asc' };
      await place.packsign(['build', 'dist', '--sign', '--key', 'ann.asc'], { env: both });
      expect(codeOf(await place.json(['build', 'dist', '--sign'], { env: both }))).toBe('KEY_NOT_PUBLISHED');
      expect((await place.json(['build', 'dist', '--sign'])).status).toBe(0);
    });

    test('NO_KEY: --sign without any key, also where nothing would be written', async () => {
      expect(await refusal(['build', 'dist', '--sign'])).toEqual(['NO_KEY', 2]);
      expect(await refusal(['build', 'dist', '--sign', '--check'])).toEqual(['NO_KEY', 2]);
      const { stderr } = await place.packsign(['build', 'dist', '--sign'], { env: { PACKSIGN_KEY: '' } });
      expect(stderr).toContain('packsign build dist --key FILE');
    });

    test('NO_KEY: names the file where the settings look for it, not another of that name', async () => {
      place.write('nokey.asc', ann.signing);
      place.write('dist/packsign.json', JSON.stringify({ Key: 'nokey.asc' }));
      const { stderr, status } = await place.packsign(['build', 'dist', '--sign']);
      expect(stderr).toContain('there is no key file dist/nokey.asc');
      expect(status).toBe(2);
    });
  });

  test('two keys make two signers', async () => {
    const { value } = await place.json([...RELEASE, '--key', 'bob.asc']);
    expect(value).toMatchObject({ published: true });
    expect((await place.json(['verify', 'dist'])).value['signatures']).toHaveLength(2);
    expect(decodeDatabase(place.read('dist/packages.plist')).Packsign.Signers).toEqual({
      Threshold: 1,
      Fingerprints: [ann.fingerprint, bob.fingerprint].sort(),
    });
  });
});

test('a fresh checkout, which knows no file, counts those that it hashes', async () => {
  await release();
  place.remove('dist/.packsign');
  place.remove('state');
  const counts = async () => {
    const { value } = await place.json(RELEASE);
    return [value['unchanged'], value['files'], value['hashed'], value['cached']];
  };
  expect(await counts()).toEqual([true, 2, 2, 0]);
});

describe('--check', () => {
  test('exits with 1 if something would change, else with 0, and writes nothing', async () => {
    const before = place.snapshot('.');
    expect(transcript(await place.packsign(['build', 'dist', '--check']))).toMatchInlineSnapshot(`
      "$ packsign build dist --check
      2 files, 2 packages, 5.2 kB (<n> hashed, <n> known)
        + demo-1.0.tar.gz
        + npm/left-pad-1.3.0.tgz
      dist/packages.unsigned.plist would be written
      ! packsign: warning: the database names no maintainer; set "Maintainer" in packsign.json (NO_MAINTAINER)
      [1]"
    `);
    expect(place.snapshot('.')).toEqual(before);
    expect(place.has('dist/.packsign')).toBe(false);
    await release();
    expect(transcript(await place.packsign(['build', 'dist', '--check']))).toMatchInlineSnapshot(`
      "$ packsign build dist --check
      2 files, 2 packages, 5.2 kB (<n> hashed, <n> known)
      dist/packages.plist is up to date
      [0]"
    `);
    place.write('dist/more-1.0.zip', 'x');
    expect(await place.json(['build', 'dist', '--check'])).toMatchObject({
      status: 1,
      value: { unchanged: false },
    });
    expect(place.has('dist/packages.unsigned.plist')).toBe(false);
  });

  test('exits with 1 if a refresh is due', async () => {
    await release(epoch('2026-06-01'));
    expect(transcript(await place.packsign(['build', 'dist', '--check']))).toMatchInlineSnapshot(`
      "$ packsign build dist --check
      2 files, 2 packages, 5.2 kB (<n> hashed, <n> known)
      dist/packages.plist must be signed again
      [1]"
    `);
  });
});

describe('T20: a database is signed anew before it expires', () => {
  test('after two thirds of its validity, and not before', async () => {
    await release(epoch('2026-01-01'));
    const first = place.snapshot();
    await release(epoch('2026-04-30T23:59:59Z'));
    expect(place.snapshot()).toEqual(first);
    const refreshed = await place.json(RELEASE, { env: epoch('2026-05-01') });
    expect(refreshed).toMatchObject({
      status: 0,
      value: { published: true, unchanged: false, issued: '2026-05-01T00:00:00Z' },
    });
    const database = decodeDatabase(place.read('dist/packages.plist'));
    expect(database.Packsign.Expires).toEqual(new Date('2026-10-28T00:00:00Z'));
    expect(database.Files.get('demo-1.0.tar.gz')?.Since).toEqual(new Date('2026-01-01T00:00:00Z'));
  });

  test('never if it does not expire', async () => {
    expect(
      (await place.packsign([...RELEASE, '--validity', 'none'], { env: epoch('2025-02-01') })).status,
    ).toBe(0);
    expect((await place.json([...RELEASE, '--validity', 'none'])).value).toMatchObject({ unchanged: true });
    expect((await place.json(['verify', 'dist'])).value).toMatchObject({
      status: 'authentic',
      expires: null,
    });
  });
});

describe('SOURCE_DATE_EPOCH', () => {
  test('with --deterministic gives the same bytes of every published file', async () => {
    const other = newPlace();
    for (const name of ['ann.asc', 'dist/npm/left-pad-1.3.0.tgz', 'dist/demo-1.0.tar.gz']) {
      other.write(name, place.read(name));
    }
    const env = epoch('2026-11-01');
    const args = [...RELEASE, '--deterministic'];
    expect([
      (await place.packsign(args, { env })).status,
      (await other.packsign(args, { env })).status,
    ]).toEqual([0, 0]);
    expect(other.snapshot()).toEqual(place.snapshot());
    expect((await place.json(['verify', 'dist'])).value).toMatchObject({
      status: 'authentic',
      issued: '2026-11-01T00:00:00Z',
    });
  });

  test('gives the same bytes for build and sign in two steps', async () => {
    const other = newPlace();
    for (const name of ['ann.asc', 'dist/npm/left-pad-1.3.0.tgz', 'dist/demo-1.0.tar.gz']) {
      other.write(name, place.read(name));
    }
    const env = epoch('2026-11-01');
    expect((await place.packsign([...RELEASE, '--deterministic'], { env })).status).toBe(0);
    expect(
      (
        await other.packsign(
          ['build', 'dist', '--signers', ann.fingerprint, '--maintainer', 'Ann <ann@example.org>'],
          { env },
        )
      ).status,
    ).toBe(0);
    expect(
      (await other.packsign(['sign', 'dist', '--key', 'ann.asc', '--deterministic'], { env })).status,
    ).toBe(0);
    expect(other.snapshot()).toEqual(place.snapshot());
  });
});

describe('refusals of build', () => {
  test('NOTHING_TO_LIST', async () => {
    place.remove('dist');
    place.write('dist/README.md', 'hello');
    expect(await refusal(['build', 'dist'])).toEqual(['NOTHING_TO_LIST', 2]);
    expect(transcript(await place.packsign(['build', 'dist']))).toMatchInlineSnapshot(`
      "$ packsign build dist
      ! packsign: error: there is nothing to list in dist
      !   README.md: no archive, package, installer or program
      ! packsign: hint: copy archives, packages, installers or programs there; to list files of every kind: packsign build dist --include '**'
      [2]"
    `);
  });

  test('NOTHING_TO_LIST says what "Exclude" leaves out', async () => {
    place.remove('dist');
    place.write('dist/tool-1.0.sh', '#!/bin/sh\n');
    place.write('dist/packsign.json', '{ "Exclude": ["**"] }');
    expect(transcript(await place.packsign(['build', 'dist']))).toMatchInlineSnapshot(`
      "$ packsign build dist
      ! packsign: error: there is nothing to list in dist
      !   tool-1.0.sh: left out by "Exclude"
      ! packsign: hint: correct "Exclude" in packsign.json, or what you typed after --exclude; or copy other files of your release there
      [2]"
    `);
  });

  test('DIRECTORY_UNREADABLE: no such directory, and does not create it', async () => {
    expect(await refusal(['build', 'nowhere'])).toEqual(['DIRECTORY_UNREADABLE', 2]);
    expect(place.has('nowhere')).toBe(false);
    expect((await refusal(['sign', 'nowhere', '--key', 'ann.asc']))[1]).toBe(2);
    expect(place.has('nowhere')).toBe(false);
    expect(await refusal(['build', 'dist/demo-1.0.tar.gz'])).toEqual(['DIRECTORY_UNREADABLE', 2]);
  });

  test('SETTINGS_INVALID', async () => {
    place.write('dist/packsign.json', '{"Maintainr": "Ann"}');
    expect(await refusal(['build', 'dist'])).toEqual(['SETTINGS_INVALID', 2]);
    expect(transcript(await place.packsign(['build', 'dist']))).toMatchInlineSnapshot(`
      "$ packsign build dist
      ! packsign: error: dist/packsign.json: Maintainr: is not a setting; did you mean "Maintainer"?
      ! packsign: hint: docs/SETTINGS.md and templates/packsign.schema.json list every key
      [2]"
    `);
    place.write('dist/packsign.json', 'Maintainer: Ann');
    expect(await refusal(['build', 'dist'])).toEqual(['SETTINGS_INVALID', 2]);
    place.write('dist/packsign.json', '{}');
    expect(await refusal(['build', 'dist', '--validity', 'soon'])).toEqual(['SETTINGS_INVALID', 2]);
    expect(await refusal(['build', 'dist', '--key', 'ann.asc', '--threshold', '2'])).toEqual([
      'SETTINGS_INVALID',
      2,
    ]);
  });

  test('T26, SETTINGS_INVALID: settings in the directory cannot run commands', async () => {
    place.write('dist/packsign.json', '{"Key": "exec:touch pwned"}');
    for (const args of [
      ['build', 'dist'],
      ['sign', 'dist'],
      ['diff', 'dist'],
    ]) {
      expect(await refusal(args)).toEqual(['SETTINGS_INVALID', 2]);
    }
    expect([place.has('pwned'), place.has('dist/pwned')]).toEqual([false, false]);
  });

  test('WARNINGS: --strict writes nothing', async () => {
    place.write('dist/junk-1.0.tar.gz', sdist('junk', '1.0').subarray(0, 400));
    expect(await refusal(['build', 'dist', '--strict', '--maintainer', 'Ann'])).toEqual(['WARNINGS', 1]);
    expect(await refusal([...RELEASE, '--strict'])).toEqual(['WARNINGS', 1]);
    expect(transcript(await place.packsign([...RELEASE, '--strict']))).toMatchInlineSnapshot(`
      "$ packsign build dist --key ann.asc --strict
      ! packsign: error: nothing was written, because --strict accepts none of these:
      !   junk-1.0.tar.gz: damaged: ends early: the rest of the gzip data is missing (DAMAGED)
      ! packsign: hint: fix them, or leave out --strict
      [1]"
    `);
    place.remove('dist/junk-1.0.tar.gz');
    expect((await place.packsign([...RELEASE, '--strict'])).status).toBe(0);
  });

  test('LOCKED: another packsign is at work', async () => {
    const held = await takeLock(lockPlace(place.path('dist/.packsign')));
    try {
      for (const command of [
        ['build', 'dist'],
        ['sign', 'dist', '--key', 'ann.asc'],
        ['page', 'dist'],
        ['key', 'publish', 'dist', '--key', 'ann.asc'],
      ]) {
        expect(await refusal([...command, '--wait', '0'])).toEqual(['LOCKED', 2]);
      }
      expect((await place.packsign(['build', 'dist', '--check'])).status).toBe(1);
      expect((await place.packsign(['diff', 'dist'])).status).toBe(0);
    } finally {
      held.release();
    }
    expect((await place.packsign(['build', 'dist'])).status).toBe(0);
  });

  test('FILE_UNWRITABLE: the working state is not writable', async () => {
    place.write('file', 'x');
    expect(await refusal(['build', 'dist', '--state', 'file'])).toEqual(['FILE_UNWRITABLE', 2]);
  });

  test('FILE_UNREADABLE: something else is in the place of a file', async () => {
    mkdirSync(place.path('dist/packages.plist'));
    expect(await refusal(['build', 'dist'])).toEqual(['FILE_UNREADABLE', 2]);
    expect((await place.packsign(['status', 'dist'])).stderr).toContain(
      'hint: a file of packsign belongs there: mv dist/packages.plist dist/packages.plist.old',
    );
    place.remove('dist/packages.plist');
    mkdirSync(place.path('dist/packsign.json'));
    expect(await refusal(['build', 'dist'])).toEqual(['FILE_UNREADABLE', 2]);
    place.remove('dist/packsign.json');
    expect(await refusal(['build', 'dist', '--previous', 'nowhere.plist'])).toEqual(['FILE_UNREADABLE', 2]);
  });

  test('KEYS_MALFORMED', async () => {
    place.write('dist/keys.asc', 'junk');
    expect(await refusal(['build', 'dist'])).toEqual(['KEYS_MALFORMED', 2]);
    expect(await refusal(RELEASE)).toEqual(['KEYS_MALFORMED', 2]);
  });

  test('PREVIOUS_UNKNOWN: does not start a database with an address anew by accident', async () => {
    const more = ['--database-url', 'https://example.org/packages.plist'];
    expect(await refusal([...RELEASE, ...more])).toEqual(['PREVIOUS_UNKNOWN', 2]);
    const watched = await place.packsign(['watch', 'dist', '--key', 'ann.asc', '--once', ...more]);
    expect([watched.status, watched.stderr]).toEqual([2, expect.stringContaining('build dist --first')]);
    expect(place.has('dist/packages.plist')).toBe(false);
    expect((await place.packsign([...RELEASE, ...more, '--first'])).status).toBe(0);
  });

  describe('PREVIOUS_UNKNOWN: a database that was published and is lost', () => {
    const LOST = 'dist/packages.plist is missing, and was published before';
    const commands = [
      ['status', 'dist'],
      ['diff', 'dist'],
      ['build', 'dist', '--check'],
      ['build', 'dist'],
      RELEASE,
      ['watch', 'dist', '--key', 'ann.asc', '--once'],
    ];

    test.each([
      ['on the machine that published', 'dist/packages.plist.asc'],
      ['on another machine', 'state'],
    ])('is no reason to begin anew, %s', async (_, alsoLost) => {
      await release(epoch('2026-10-01'));
      place.remove('dist/packages.plist');
      place.remove(alsoLost);
      const before = place.snapshot('dist');
      for (const command of commands) {
        const { status, stdout, stderr } = await place.packsign(command);
        expect([stdout + stderr, status]).toEqual([
          expect.stringContaining(LOST),
          command[0] === 'status' ? 1 : 2,
        ]);
      }
      expect(place.snapshot('dist')).toEqual(before);
      expect((await place.packsign([...RELEASE, '--first'])).status).toBe(0);
    });

    test('counts no longer in a directory that somebody emptied', async () => {
      await release(epoch('2026-10-01'));
      place.remove('dist');
      place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
      expect((await place.packsign(RELEASE)).status).toBe(0);
    });
  });

  test('--previous continues a database from another place', async () => {
    await release(epoch('2026-10-01'));
    const elsewhere = newPlace();
    elsewhere.write('ann.asc', ann.signing);
    elsewhere.write('dist/demo-2.0.tar.gz', sdist('demo', '2.0'));
    const previous = place.path('dist/packages.plist');
    const args = [...RELEASE, '--database-url', 'https://example.org/packages.plist', '--previous', previous];
    expect(codeOf(await elsewhere.json(args))).toBe('MASS_REMOVAL');
    const answer = await elsewhere.json([...args, '--absent', 'withdraw']);
    expect(answer).toMatchObject({
      status: 0,
      value: { withdrawn: ['demo-1.0.tar.gz', 'npm/left-pad-1.3.0.tgz'] },
    });
    const { Packsign } = decodeDatabase(elsewhere.read('dist/packages.plist'));
    expect(Array.from(Packsign.History?.keys() ?? [])).toEqual(['demo-1.0.tar.gz', 'npm/left-pad-1.3.0.tgz']);
    expect(Packsign.Previous).toHaveLength(64);
  });

  test.each(['dist/Demo-1.0.tar.gz', 'dist/DEMO-1.0.tar.gz/other-2.0.tar.gz'])(
    'a published file stays listed although %s, which comes first, differs from it in case',
    async (twin) => {
      await place.packsign(RELEASE);
      place.write(twin, sdist('other', '2.0'));
      const { value } = await place.json(RELEASE);
      const path = twin.slice('dist/'.length);
      expect(value['uncovered']).toEqual([{ path, reason: 'case' }]);
      expect(value['warnings']).toMatchObject([{ code: 'UNSAFE_NAME', path }]);
      expect(value['unchanged']).toBe(true);
    },
  );

  test('LISTED_FILE_UNREADABLE: withdraws a published file only if it is gone', async () => {
    await release();
    place.remove('dist/demo-1.0.tar.gz');
    mkdirSync(place.path('dist/demo-1.0.tar.gz'));
    expect(await refusal(['build', 'dist'])).toEqual(['LISTED_FILE_UNREADABLE', 2]);
    place.remove('dist/demo-1.0.tar.gz');
    place.write('copy.tar.gz', sdist('demo', '1.0'));
    symlinkSync('../copy.tar.gz', place.path('dist/demo-1.0.tar.gz'));
    expect(await refusal(RELEASE)).toEqual(['LISTED_FILE_UNREADABLE', 2]);
    expect((await place.packsign([...RELEASE, '--exclude', 'demo-*'])).status).toBe(0);
  });

  test('CLOCK_BEHIND', async () => {
    await release();
    place.write('dist/more-1.0.zip', 'x');
    const before = epoch(new Date(Date.now() - 6 * 60_000));
    expect(await refusal(['build', 'dist'], before)).toEqual(['CLOCK_BEHIND', 2]);
    const slightly = epoch(new Date(Date.now() - 4 * 60_000));
    expect((await place.packsign(['build', 'dist'], { env: slightly })).status).toBe(0);
  });
});

describe('a database that is there already', () => {
  const PACKMAN = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict><key>Version</key><string>0.3</string><key>Packages</key><array/></dict>
</plist>
`;

  test('FOREIGN_DATABASE: a database of PackMan', async () => {
    place.write('dist/packages.plist', PACKMAN);
    for (const args of [['build', 'dist'], RELEASE, ['diff', 'dist']]) {
      expect(await refusal(args)).toEqual(['FOREIGN_DATABASE', 2]);
    }
    expect(transcript(await place.packsign(['build', 'dist']))).toMatchInlineSnapshot(`
      "$ packsign build dist
      ! packsign: error: dist/packages.plist was not made by packsign
      ! packsign: hint: to start a new history: packsign build dist --first
      [2]"
    `);
    expect((await place.packsign([...RELEASE, '--first'])).status).toBe(0);
    expect((await place.json(['verify', 'dist'])).value).toMatchObject({ status: 'authentic' });
  });

  test.each<readonly [string, (dir: Place) => void]>([
    [
      'edited',
      (dir) =>
        dir.write('dist/packages.plist', dir.text('dist/packages.plist').replace('does demo', 'does evil')),
    ],
    [
      'without its signature and the copy',
      (dir) => {
        dir.remove('dist/signatures');
        dir.remove('dist/packages.plist.asc');
      },
    ],
    ['with another key in keys.asc', (dir) => dir.write('dist/keys.asc', bob.certificate)],
    ['without keys.asc', (dir) => dir.remove('dist/keys.asc')],
  ])('PREVIOUS_INVALID: %s', async (_, spoil) => {
    await release();
    place.write('dist/more-1.0.zip', 'x');
    expect((await place.packsign(['build', 'dist'])).status).toBe(0);
    spoil(place);
    for (const args of [['build', 'dist'], RELEASE, ['sign', 'dist', '--key', 'ann.asc']]) {
      expect(await refusal(args)).toEqual(['PREVIOUS_INVALID', 1]);
    }
    expect((await refusal(['build', 'dist', '--key', 'bob.asc']))[0]).toBe('PREVIOUS_INVALID');
  });

  test('--first starts anew, and sign replaces only the database of that moment', async () => {
    await release();
    const damaged = place.text('dist/packages.plist').replace('does demo', 'does evil');
    place.write('dist/packages.plist', damaged);
    expect((await place.packsign(['build', 'dist', '--first'])).status).toBe(0);
    place.write('dist/packages.plist', `${damaged} `);
    expect(await refusal(['sign', 'dist', '--key', 'ann.asc'])).toEqual(['PREVIOUS_INVALID', 1]);
    place.write('dist/packages.plist', damaged);
    expect((await place.packsign(['sign', 'dist', '--key', 'ann.asc'])).stderr).toBe('');
    expect((await place.json(['verify', 'dist'])).value).toMatchObject({ status: 'authentic' });
  });
});

describe('diff', () => {
  test('shows what would change, in full, and writes nothing', async () => {
    await release();
    expect(transcript(await place.packsign(['diff', 'dist']))).toMatchInlineSnapshot(`
      "$ packsign diff dist
      no difference from what is published
      [0]"
    `);
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0', 'evil()\n'));
    place.write('dist/new-1.0.tar.gz', sdist('new', '1.0'));
    place.remove('dist/npm');
    place.write(
      'dist/packsign.json',
      JSON.stringify({
        Packages: { new: { 'Install-command': 'echo one\necho two' } },
        Notify: 'mailto:a@example.org',
      }),
    );
    const before = place.snapshot('.');
    expect(transcript(await place.packsign(['diff', 'dist']))).toMatchInlineSnapshot(`
      "$ packsign diff dist
      nothing waits; this is what packsign build would make
        new
          + new-1.0.tar.gz  1.0, 3.1 kB
        left-pad
          - npm/left-pad-1.3.0.tgz  1.3.0, 2.1 kB
        ! demo-1.0.tar.gz has other bytes
            was sha256 <sha256>, 3095 bytes, since <date>
            is  sha256 <sha256>, 3095 bytes
        ~ Notify: nothing → "mailto:a@example.org"
        ~ demo-1.0.tar.gz: MD5Sum: "a007f7ff9b73a23bf0c4afd02d43bc0e" → "6724bcc40d206a586c8770ffc69046d7"
        ~ new: Install-command, which PackMan executes:
            echo one
            echo two
      ! packsign: warning: demo-1.0.tar.gz: other bytes than before: sha256 was <sha256>, is <sha256> (BYTES_CHANGED)
      [0]"
    `);
    expect(place.snapshot('.')).toEqual(before);
    expect((await place.packsign(['build', 'dist'])).status).toBe(0);
    expect((await place.packsign(['diff', 'dist'])).stdout).toContain('dist/packages.unsigned.plist waits');
  });

  test('--json has every key', async () => {
    const { value, status } = await place.json(['diff', 'dist']);
    expect(status).toBe(0);
    expect(value).toMatchObject({
      database: 'dist/packages.unsigned.plist',
      waiting: false,
      added: ['demo-1.0.tar.gz', 'npm/left-pad-1.3.0.tgz'],
      withdrawn: [],
      changed: [],
    });
  });
});

describe('init', () => {
  test('writes packsign.json, which build reads', async () => {
    const args = [
      'init',
      'dist',
      '--maintainer',
      'Ann <ann@example.org>',
      '--base-url',
      'https://example.org/',
    ];
    expect(transcript(await place.packsign(args))).toMatchInlineSnapshot(`
      "$ packsign init dist --maintainer Ann <ann@example.org> --base-url https://example.org/
      wrote dist/packsign.json; next: packsign build dist --key FILE
      [0]"
    `);
    expect(transcript(await place.packsign(['build', 'dist']))).not.toContain('NO_MAINTAINER');
    const database = decodeDatabase(place.read('dist/packages.unsigned.plist'));
    expect(database.Packages[0]?.['Download-URL']).toBe('https://example.org/demo-1.0.tar.gz');
    // Maintainer and signers come together.
    expect((await place.packsign(['build', 'dist', '--maintainer', 'Bob'])).status).toBe(0);
    expect(decodeDatabase(place.read('dist/packages.unsigned.plist')).Maintainer).toBeUndefined();
    const signers = ['--signers', ann.fingerprint];
    expect((await place.packsign(['build', 'dist', '--maintainer', 'Bob', ...signers])).status).toBe(0);
    expect(decodeDatabase(place.read('dist/packages.unsigned.plist')).Maintainer).toBe('Bob');
  });

  test('SETTINGS_INVALID: signers for whom nobody is responsible', async () => {
    expect(await refusal(['build', 'dist', '--signers', ann.fingerprint])).toEqual(['SETTINGS_INVALID', 2]);
  });

  test('FILE_EXISTS: never overwrites without --force', async () => {
    place.write('dist/packsign.json', '{}');
    expect(await refusal(['init', 'dist'])).toEqual(['FILE_EXISTS', 2]);
    expect(await place.json(['init', 'dist', '--force'])).toMatchObject({
      status: 0,
      value: { settings: 'dist/packsign.json' },
    });
    expect(place.text('dist/packsign.json')).toContain('Description');
  });

  test('DIRECTORY_UNREADABLE and SETTINGS_INVALID', async () => {
    expect(await refusal(['init', 'nowhere'])).toEqual(['DIRECTORY_UNREADABLE', 2]);
    expect(await refusal(['init', 'dist', '--base-url', 'example.org'])).toEqual(['SETTINGS_INVALID', 2]);
    expect(codeOf(await place.json(['init', 'dist', '--key', 'exec:id']))).toBe('SETTINGS_INVALID');
  });
});
