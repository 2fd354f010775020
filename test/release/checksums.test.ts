import { mkdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { codeOf, newKey, newPlace, sdist, transcript } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';
import { run } from '../pgp/gnupg.js';
import { readSecretKey } from '../../src/signers/secret-key.js';
import { joinSignatures } from '../../src/pgp/signatures.js';
import { sha256Of } from '../../src/verify/verify-database.js';
import { hasTool } from '../tools.js';

let ann: TestKey;
let bob: TestKey;
let place: Place;

const SUMS = 'dist/SHA256SUMS';
const SIGNATURE = 'dist/SHA256SUMS.asc';
const WAITING = 'dist/packages.unsigned.plist';
const GATHERED = 'dist/packages.unsigned.plist.asc';
const RELEASE = ['build', 'dist', '--key', 'ann.asc'];

beforeAll(async () => {
  [ann, bob] = await Promise.all([newKey('Ann'), newKey('Bob')]);
});

beforeEach(() => {
  place = newPlace();
  place.write('ann.asc', ann.signing);
  place.write('bob.asc', bob.signing);
  place.write('ann.pub.asc', ann.certificate);
  place.write('bob.pub.asc', bob.certificate);
  configure({ Checksums: true });
  place.write('dist/b/demo-1.0.tar.gz', sdist('demo', '1.0'));
  place.write('dist/a-1.0.tar.gz', sdist('a', '1.0'));
});

function configure(settings: object): void {
  place.write('dist/packsign.json', JSON.stringify(settings));
}

/** Runs packsign, which must end with 0. Gives what it says on stderr. */
async function succeed(args: readonly string[], at = place): Promise<string> {
  const outcome = await at.packsign(args);
  expect([outcome.args, outcome.stdout, outcome.stderr, outcome.status].at(-1), outcome.stderr).toBe(0);
  return outcome.stderr;
}

function lines(...paths: readonly string[]): string {
  return paths.map((path) => `${sha256Of(place.read(`dist/${path}`))}  ${path}\n`).join('');
}

/** Who signed the checksums that lie there: each program that is here must say the same. */
async function goodSigners(folder = place.path('dist')): Promise<readonly string[]> {
  const within = (program: string, ...args: readonly string[]) =>
    run('sh', ['-c', 'cd "$0" && exec "$@"', folder, program, ...args]);
  const summed = within('sha256sum', '--check', '--strict', '--quiet', 'SHA256SUMS');
  expect([summed.status, summed.stdout.toString()]).toEqual([0, '']);
  const { readCertificates } = await import('../../src/pgp/certificates.js');
  const { readSignatures, verifySignatures } = await import('../../src/pgp/signatures.js');
  const certificates = await readCertificates(place.read('dist/keys.asc'));
  const reports = await verifySignatures(place.read(SUMS), readSignatures(place.read(SIGNATURE)), {
    certificates,
    now: new Date(),
  });
  expect(reports.every(({ good }) => good)).toBe(true);
  if (hasTool('gpgv')) {
    const args = ['--keyring', './keys.gpg', 'SHA256SUMS.asc', 'SHA256SUMS'];
    expect(within('gpgv', ...args).status).toBe(0);
  }
  if (hasTool('sqv')) {
    const args = ['--keyring', 'keys.asc', 'SHA256SUMS.asc', 'SHA256SUMS'];
    expect(within('sqv', ...args).status).toBe(0);
  }
  return reports.map(({ fingerprint }) => fingerprint ?? '').sort();
}

function both(): readonly string[] {
  return [ann.fingerprint, bob.fingerprint].sort();
}

describe('SHA256SUMS', () => {
  test('has a line of coreutils for each listed file that is not yanked, sorted by path', async () => {
    configure({ Checksums: true, Packages: { 'old-1.0.tar.gz': { Yanked: 'broken' } } });
    place.write('dist/old-1.0.tar.gz', sdist('old', '1.0'));
    place.write('dist/notes.txt', 'not listed');
    await succeed(RELEASE);
    expect(place.text(SUMS)).toBe(lines('a-1.0.tar.gz', 'b/demo-1.0.tar.gz'));
    expect(await goodSigners()).toEqual([ann.fingerprint]);
  });

  test('is written by --checksums, and by nothing else', async () => {
    configure({});
    await succeed(RELEASE);
    expect([place.has(SUMS), place.has(SIGNATURE)]).toEqual([false, false]);
    await succeed([...RELEASE, '--checksums']);
    expect(await goodSigners()).toEqual([ann.fingerprint]);
  });

  test('follows every publication, by build, sign and watch', async () => {
    await succeed(RELEASE);
    place.write('dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await succeed(['build', 'dist']);
    expect(place.text(SUMS)).not.toContain('c-1.0');
    await succeed(['sign', 'dist', '--key', 'ann.asc']);
    expect(place.text(SUMS)).toBe(lines('a-1.0.tar.gz', 'b/demo-1.0.tar.gz', 'c-1.0.tar.gz'));
    expect(await goodSigners()).toEqual([ann.fingerprint]);
    place.remove('dist/a-1.0.tar.gz');
    await succeed(['watch', 'dist', '--key', 'ann.asc', '--once']);
    expect(place.text(SUMS)).toBe(lines('b/demo-1.0.tar.gz', 'c-1.0.tar.gz'));
    expect(await goodSigners()).toEqual([ann.fingerprint]);
  });

  test('keeps its bytes and its signature while no hash changes', async () => {
    await succeed(RELEASE);
    const before = [SUMS, SIGNATURE].map((file) => [place.text(file), statSync(place.path(file)).mtimeMs]);
    await succeed(RELEASE);
    await succeed([...RELEASE, '--description', 'other']);
    await succeed(['sign', 'dist', '--key', 'ann.asc']);
    expect([SUMS, SIGNATURE].map((file) => [place.text(file), statSync(place.path(file)).mtimeMs])).toEqual(
      before,
    );
  });

  test('is signed with one prompt for each key', async () => {
    const locked = await newKey('Cat', { passphrase: 'secret words' });
    place.write('cat.asc', locked.signing);
    place.write('words', 'secret words');
    await succeed(['build', 'dist', '--key', 'cat.asc', '--passphrase-file', 'words']);
    expect(await goodSigners()).toEqual([locked.fingerprint]);
    place.remove(SIGNATURE);
    // Its signature is kept, so nobody needs the key.
    await succeed(['build', 'dist']);
    expect(await goodSigners()).toEqual([locked.fingerprint]);
  });

  test('empty: nothing is left to list', async () => {
    await succeed(RELEASE);
    configure({ Checksums: true, Packages: { a: { Yanked: 'x' }, demo: { Yanked: 'x' } } });
    await succeed(RELEASE);
    expect(place.text(SUMS)).toBe('');
  });

  test('is no evidence: verify passes over it, whatever it holds', async () => {
    await succeed(RELEASE);
    place.write(SUMS, 'anything');
    const { value, status } = await place.json(['verify', 'dist', '--keys', 'ann.pub.asc', '--strict']);
    expect([status, value['status'], value['findings']]).toEqual([0, 'authentic', []]);
  });

  test('is never listed, and no companion for those who wrote it', async () => {
    configure({ Checksums: true, Include: ['**'] });
    await succeed(RELEASE);
    const { value } = await place.json([...RELEASE, '--rehash']);
    expect(value).toMatchObject({ unchanged: true, files: 2, companions: 0, uncovered: [] });
    place.write('dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await succeed(RELEASE);
    expect(place.text('dist/packages.plist')).not.toContain('SHA256SUMS');
    place.remove(SUMS);
    place.write('dist/d-1.0.tar.gz', sdist('d', '1.0'));
    await succeed(RELEASE);
    expect(place.text('dist/packages.plist')).not.toContain('SHA256SUMS');
    expect(await goodSigners()).toEqual([ann.fingerprint]);
  });
});

describe('what is lost or outdated is put right, by build and by sign', () => {
  const OTHER = 'dist/c-1.0.tar.gz';
  const kept = () => `dist/signatures/${sha256Of(place.read(SUMS))}.asc`;
  const halve = (file: string) => {
    const bytes = place.read(file);
    place.write(file, bytes.subarray(0, bytes.length / 2));
  };
  const LOSSES: readonly (readonly [string, () => Promise<void> | void])[] = [
    ['no list', () => place.remove(SUMS)],
    ['no signature', () => place.remove(SIGNATURE)],
    [
      'neither',
      () => {
        place.remove(SUMS);
        place.remove(SIGNATURE);
      },
    ],
    ['a list that broke off', () => void place.write(SUMS, place.read(SUMS).subarray(0, 100))],
    ['an empty list', () => void place.write(SUMS, '')],
    ['a pair that broke off', () => [SUMS, SIGNATURE].forEach(halve)],
    ['a pair of zeros', () => [SUMS, SIGNATURE].forEach((file) => place.write(file, Buffer.alloc(300)))],
    ['no kept signature', () => place.remove(kept())],
    ['a kept signature that broke off', () => halve(kept())],
    [
      'neither a list nor a kept signature',
      () => {
        place.remove(kept());
        place.remove(SUMS);
      },
    ],
    ['a list and a kept signature that broke off', () => [kept(), SUMS].forEach(halve)],
    ['no folder of signatures', () => place.remove('dist/signatures')],
    ['a damaged signature', () => void place.write(SIGNATURE, 'junk')],
    ['an empty signature', () => void place.write(SIGNATURE, '')],
    [
      'the pair of the database before, as after a crash',
      async () => {
        const [sums, signature] = [place.read(SUMS), place.read(SIGNATURE)];
        place.write(OTHER, sdist('c', '1.0'));
        await succeed(RELEASE);
        place.write(SUMS, sums);
        place.write(SIGNATURE, signature);
      },
    ],
    [
      'the new list with the signature of the old one',
      async () => {
        const signature = place.read(SIGNATURE);
        place.write(OTHER, sdist('c', '1.0'));
        await succeed(RELEASE);
        place.write(SIGNATURE, signature);
      },
    ],
  ];
  const WRITERS = [
    ['build', 'dist'],
    ['sign', 'dist'],
  ];

  test.each([RELEASE, ['watch', 'dist', '--key', 'ann.asc', '--once']])('%s %s %s %s', async (...writer) => {
    await succeed(RELEASE);
    place.remove(SUMS);
    await succeed(writer);
    expect(await goodSigners()).toEqual([ann.fingerprint]);
  });

  test.each(LOSSES)('%s', async (_, spoil) => {
    for (const writer of WRITERS) {
      rmSync(place.path(OTHER), { force: true });
      await succeed(RELEASE);
      await spoil();
      const { status, value } = await place.json(['status', 'dist']);
      expect([status, value['attention']]).toEqual([1, ['PUBLICATION_INCOMPLETE']]);
      expect((await place.packsign(['build', 'dist', '--check'])).status).toBe(1);
      await succeed(writer);
      expect([writer, await goodSigners()]).toEqual([writer, [ann.fingerprint]]);
      expect((await place.packsign(['status', 'dist'])).status).toBe(0);
      expect((await place.packsign(['build', 'dist', '--check'])).status).toBe(0);
    }
  });

  test('if both signatures are damaged, status says so, and a key repairs them', async () => {
    for (const spoil of [halve, (file: string) => place.write(file, '')]) {
      await succeed(RELEASE);
      [kept(), SIGNATURE].forEach(spoil);
      expect((await place.packsign(['status', 'dist'])).status).toBe(1);
      expect(await succeed(['build', 'dist'])).toContain('CHECKSUMS_NOT_WRITTEN');
      await succeed(RELEASE);
      expect(await goodSigners()).toEqual([ann.fingerprint]);
      expect((await place.packsign(['status', 'dist'])).status).toBe(0);
    }
  });

  test('a release follows although the folder of signatures was lost', async () => {
    await succeed(RELEASE);
    place.remove('dist/signatures');
    place.write(OTHER, sdist('c', '1.0'));
    expect(await succeed(RELEASE)).not.toContain('CHECKSUMS');
    expect(await goodSigners()).toEqual([ann.fingerprint]);
    expect((await place.packsign(['status', 'dist'])).status).toBe(0);
  });

  test('a folder in the place of the kept signature comes with a command that moves it away', async () => {
    await succeed(RELEASE);
    const file = kept();
    place.remove(file);
    mkdirSync(place.path(file));
    expect(await succeed(RELEASE)).toContain(`belongs there: mv ${file} ${file}.old, then run`);
  });

  test('without the kept signature too, by whoever has the key; without the key it is said', async () => {
    await succeed(RELEASE);
    place.remove(`dist/signatures/${sha256Of(place.read(SUMS))}.asc`);
    place.remove(SUMS);
    place.remove(SIGNATURE);
    expect(await succeed(['build', 'dist'])).toBe(
      'packsign: warning: SHA256SUMS: was not written: a signature is missing; packsign sign --key FILE adds one (CHECKSUMS_NOT_WRITTEN)\n',
    );
    expect((await place.packsign(['status', 'dist'])).status).toBe(1);
    expect(codeOf(await place.json(['sign', 'dist', '--key', 'bob.asc']))).toBe('KEY_NOT_PUBLISHED');
    expect(place.has(SUMS)).toBe(false);
    await succeed(['sign', 'dist', '--key', 'ann.asc']);
    expect(await goodSigners()).toEqual([ann.fingerprint]);
  });
});

describe('CHECKSUMS_NOT_OURS: what somebody else wrote is left alone, and said', () => {
  const OWN = `${'0'.repeat(64)}  own.txt\n`;
  const FOREIGN: readonly (readonly [string, () => void])[] = [
    ['other lines', () => void place.write(SUMS, OWN)],
    ['the first of our lines', () => void place.write(SUMS, lines('a-1.0.tar.gz'))],
    ['our lines in another order', () => void place.write(SUMS, lines('b/demo-1.0.tar.gz', 'a-1.0.tar.gz'))],
    ['one more line', () => void place.write(SUMS, lines('a-1.0.tar.gz', 'b/demo-1.0.tar.gz') + OWN)],
    ['a link', () => symlinkSync('a-1.0.tar.gz', place.path(SUMS))],
    ['a folder', () => mkdirSync(place.path(SUMS))],
    ['a signature alone', () => void place.write(SIGNATURE, 'mine')],
    [
      'the same lines with a signature of their own',
      () => {
        place.write(SUMS, lines('a-1.0.tar.gz', 'b/demo-1.0.tar.gz'));
        place.write(SIGNATURE, 'mine');
      },
    ],
  ];

  test.each(FOREIGN)('%s', async (_, write) => {
    write();
    const before = place.snapshot();
    const warned = /^packsign: warning: SHA256SUMS: is not packsign's.* \(CHECKSUMS_NOT_OURS\)$/m;
    expect(await succeed(RELEASE)).toMatch(warned);
    expect(place.snapshot()).toMatchObject(before);
    expect(await succeed(['build', 'dist'])).toMatch(warned);
    expect(await succeed(RELEASE)).toMatch(warned);
    for (const command of [
      ['status', 'dist'],
      ['build', 'dist', '--check'],
    ]) {
      const { status, stdout, stderr } = await place.packsign(command);
      expect([status, stderr]).toEqual([1, expect.stringMatching(warned)]);
      expect(stdout).toContain('but files of the publication are missing or out of date');
      expect(stdout.includes('next: packsign status dist\n')).toBe(command[0] === 'status');
    }
    place.write('dist/c-1.0.tar.gz', sdist('c', '1.0'));
    expect(await succeed(RELEASE)).toMatch(warned);
    expect(place.snapshot()).toMatchObject(before);
    // Once it is moved away, packsign writes its own.
    rmSync(place.path(SUMS), { recursive: true, force: true });
    rmSync(place.path(SIGNATURE), { force: true });
    await succeed(RELEASE);
    expect(await goodSigners()).toEqual([ann.fingerprint]);
  });

  test('also if it has a good signature by the same key', async () => {
    const passphrase = () => Promise.resolve(null);
    const signer = await readSecretKey(Buffer.from(ann.signing), { passphrase, date: new Date() });
    const signed = await signer.sign(Buffer.from(OWN), { date: new Date(), deterministic: true });
    place.write(SUMS, OWN);
    place.write(SIGNATURE, joinSignatures([signed]));
    const before = place.snapshot();
    await succeed(RELEASE);
    expect(place.snapshot()).toMatchObject(before);
  });

  test('an edit of ours too, also by watch', async () => {
    await succeed(RELEASE);
    place.write(SUMS, place.text(SUMS) + OWN);
    expect(await succeed(RELEASE)).toContain('CHECKSUMS_NOT_OURS');
    place.write('dist/d-1.0.tar.gz', sdist('d', '1.0'));
    expect(await succeed(['watch', 'dist', '--key', 'ann.asc', '--once'])).toContain('CHECKSUMS_NOT_OURS');
    expect(place.text(SUMS)).toContain(OWN);
  });

  test('if it is included, it is listed and covered', async () => {
    configure({ Checksums: true, Include: ['SHA256SUMS'] });
    place.write(SUMS, OWN);
    expect(await succeed(RELEASE)).toContain('CHECKSUMS_NOT_OURS');
    expect(place.text('dist/packages.plist')).toContain('<key>SHA256SUMS</key>');
    expect(place.text(SUMS)).toBe(OWN);
    expect((await place.json(['verify', 'dist', '--keys', 'ann.pub.asc'])).value['status']).toBe('authentic');
  });

  test.each(['sha256sums', 'SHA256sums.asc', 'sha256sums/a.txt'])(
    'none are written beside %s, which is listed and the same file on some systems',
    async (path) => {
      configure({ Checksums: true, Include: ['*.txt', 'sha256sums*', 'SHA256sums*'] });
      place.write(`dist/${path}`, 'text');
      expect(await succeed(RELEASE)).toContain('CHECKSUMS_NOT_OURS');
      expect(place.has(SUMS)).toBe(false);
    },
  );

  test('the same lines without a signature need nothing but that', async () => {
    place.write(SUMS, lines('a-1.0.tar.gz', 'b/demo-1.0.tar.gz'));
    const { mtimeMs } = statSync(place.path(SUMS));
    expect(await succeed(RELEASE)).not.toContain('CHECKSUMS');
    expect(statSync(place.path(SUMS)).mtimeMs).toBe(mtimeMs);
    expect(await goodSigners()).toEqual([ann.fingerprint]);
  });
});

describe('CHECKSUMS_OUTDATED: the setting was taken away', () => {
  test('says so when the list is no longer right, and leaves it alone', async () => {
    await succeed(RELEASE);
    configure({});
    expect(await succeed(RELEASE)).not.toContain('CHECKSUMS');
    const before = place.text(SUMS);
    place.write('dist/c-1.0.tar.gz', sdist('c', '1.0'));
    const warned = /^packsign: warning: SHA256SUMS: .* \(CHECKSUMS_OUTDATED\)$/m;
    for (const command of [RELEASE, RELEASE, ['build', 'dist'], ['sign', 'dist']])
      expect(await succeed(command)).toMatch(warned);
    const { status, stdout, stderr } = await place.packsign(['status', 'dist']);
    expect([status, stderr]).toEqual([1, expect.stringMatching(warned)]);
    expect(stdout).toContain('files of the publication are missing or out of date');
    expect(place.text(SUMS)).toBe(before);
    place.remove(SUMS);
    place.remove(SIGNATURE);
    expect(await succeed(['status', 'dist'])).toBe('');
  });

  test('says nothing of a list that somebody else wrote', async () => {
    configure({});
    place.write(SUMS, 'own\n');
    for (const command of [RELEASE, ['status', 'dist']])
      expect(await succeed(command)).not.toContain('CHECKSUMS');
  });
});

describe('several signers', () => {
  const publishBoth = [
    'key',
    'publish',
    'dist',
    '--certificate',
    'ann.pub.asc',
    '--certificate',
    'bob.pub.asc',
  ];

  beforeEach(async () => {
    await succeed(publishBoth);
    configure({ Checksums: true, Threshold: 2 });
    await succeed(['build', 'dist']);
  });

  test('the second one adds a signature to the database and to the checksums', async () => {
    await succeed(['sign', 'dist', '--key', 'ann.asc']);
    expect([place.has(SUMS), place.has('dist/packages.plist')]).toEqual([false, false]);
    const status = (await place.json(['status', 'dist'])).value['waiting'];
    expect(status).toMatchObject({ signed: [ann.fingerprint], missing: [bob.fingerprint] });
    await succeed(['sign', 'dist', '--key', 'bob.asc']);
    expect(await goodSigners()).toEqual(both());
    expect((await place.packsign(['status', 'dist'])).status).toBe(0);
  });

  test.runIf(hasTool('gpgv'))('gpgv checks the waiting database alone', async () => {
    await succeed(['sign', 'dist', '--key', 'ann.asc']);
    const files = [GATHERED, WAITING].map((file) => place.path(file));
    const { status } = run('gpgv', ['--keyring', place.path('dist/keys.gpg'), ...files]);
    expect(status).toBe(0);
  });

  test('on hosts of their own, of which only the first knows the settings', async () => {
    for (const [key, options] of [
      ['ann.asc', ['--checksums']],
      ['bob.asc', []],
    ] as const) {
      const host = newPlace();
      host.write(key, place.read(key));
      host.write(WAITING, place.read(WAITING));
      if (place.has(GATHERED)) host.write(GATHERED, place.read(GATHERED));
      await succeed(['sign', 'dist', '--without-files', '--key', key, ...options], host);
      expect(Object.keys(host.snapshot())).toEqual([
        'packages.unsigned.plist',
        'packages.unsigned.plist.asc',
      ]);
      place.write(GATHERED, host.read(GATHERED));
    }
    expect(await succeed(['sign', 'dist'])).toBe('');
    expect(await goodSigners()).toEqual(both());
  });

  test('who signed without them signs them later', async () => {
    await succeed(['sign', 'dist', '--key', 'ann.asc', '--no-checksums']);
    expect(await succeed(['sign', 'dist', '--key', 'bob.asc'])).toContain('a signature is missing');
    expect(place.has('dist/packages.plist')).toBe(true);
    expect(place.has(SUMS)).toBe(false);
    expect(await succeed(['sign', 'dist', '--key', 'ann.asc'])).toBe('');
    expect(await goodSigners()).toEqual(both());
  });

  test('damaged signatures of the checksums do not keep the database from being published', async () => {
    await succeed(['sign', 'dist', '--key', 'ann.asc']);
    place.write(
      GATHERED,
      place.text(GATHERED).replace(/(BEGIN SHA256SUMS SIGNATURE-----\n\n)..../, '$1junk'),
    );
    expect(await succeed(['sign', 'dist', '--key', 'bob.asc'])).toContain('CHECKSUMS_NOT_WRITTEN');
    expect((await place.json(['verify', 'dist', '--keys', 'dist/keys.asc'])).value['status']).toBe(
      'authentic',
    );
    expect(await succeed(['sign', 'dist', '--key', 'ann.asc'])).toBe('');
    expect(await goodSigners()).toEqual(both());
  });

  test('--co-sign adds to both', async () => {
    configure({ Checksums: true, Threshold: 1, Signers: both() });
    await succeed(RELEASE);
    expect(await goodSigners()).toEqual([ann.fingerprint]);
    await succeed(['sign', 'dist', '--co-sign', '--key', 'bob.asc']);
    expect(await goodSigners()).toEqual(both());
  });

  test('who no longer signs the database no longer signs them, though no hash changed', async () => {
    configure({ Checksums: true, Threshold: 1, Signers: [ann.fingerprint] });
    await succeed(RELEASE);
    configure({ Checksums: true, Threshold: 1, Signers: [bob.fingerprint] });
    await succeed(['build', 'dist', '--key', 'bob.asc']);
    expect(await goodSigners()).toEqual([bob.fingerprint]);
  });
});

test('the transcript of a release with checksums', async () => {
  place.remove('dist/b/demo-1.0.tar.gz');
  await succeed(RELEASE);
  place.write('dist/c-1.0.tar.gz', sdist('c', '1.0'));
  expect(transcript(await place.packsign(RELEASE))).toMatchInlineSnapshot(`
    "$ packsign build dist --key ann.asc
    2 files, 2 packages, 6.2 kB (<n> hashed, <n> known)
      + c-1.0.tar.gz
    signed and published dist/packages.plist, fresh until <date>
      by <fingerprint in groups>
    [0]"
  `);
  expect(codeOf(await place.json(['build', 'dist', '--checksums', 'x']))).toBe('USAGE');
});

test('own checksums that an earlier setting let be listed are withdrawn, and never listed again', async () => {
  const own = newPlace();
  own.write('ann.asc', (await newKey('Ann')).signing);
  own.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  own.write('dist/packsign.json', '{"Include": ["**"]}');
  const build = async (...more: readonly string[]) =>
    (await own.json(['build', 'dist', '--key', 'ann.asc', ...more])).status;
  expect([await build('--checksums'), await build(), await build('--checksums')]).toEqual([0, 0, 0]);
  expect(own.text('dist/packages.plist')).not.toContain('SHA256SUMS');
});
