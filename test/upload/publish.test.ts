import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { identityBehind } from '../../src/disk/identities.js';
import { NOT_INSPECTED, NOT_READ } from '../../src/model/inspection.js';
import { openCache } from '../../src/release/facts-cache.js';
import { eachOnce } from '../../src/upload/open.js';
import { sha256Of } from '../../src/verify/verify-database.js';
import { codeOf, newKey, newPlace, sdist } from '../packsign.js';
import type { Answer, Place, TestKey } from '../packsign.js';

/** A directory that is signed here, and published to a folder. */
let ann: TestKey;
let here: Place;

beforeAll(async () => {
  ann = await newKey('Ann');
});

beforeEach(async () => {
  here = newPlace();
  mkdirSync(here.path('www'));
  here.write('ann.asc', ann.signing);
  here.write('dist/packsign.json', '{ "Page": true, "Checksums": true }');
  for (const name of ['a', 'b']) here.write(`dist/${name}-1.0.tar.gz`, sdist(name, '1.0'));
  here.write('dist/a-1.0.tar.gz.sig', 'a signature of somebody');
  here.write('dist/notes.txt', 'nothing that a database lists');
  await build(here);
});

async function build(at: Place, ...more: readonly string[]): Promise<void> {
  const { status, value } = await at.json(['build', 'dist', '--key', 'ann.asc', ...more]);
  expect(status, JSON.stringify(value['error'])).toBe(0);
}

const publish = (...more: readonly string[]) => here.json(['publish', 'dist', 'www', ...more]);

/** Signs as a machine does whose clock is a year ahead. */
async function inAYear(): Promise<void> {
  here.write('dist/c-1.0.tar.gz', sdist('c', '1.0'));
  const SOURCE_DATE_EPOCH = String(Math.floor(Date.now() / 1000) + 365 * 24 * 60 * 60);
  const command = ['build', 'dist', '--key', 'ann.asc'];
  const { status, stderr } = await here.packsign(command, { env: { SOURCE_DATE_EPOCH } });
  expect(status, stderr).toBe(0);
}

interface Published {
  readonly status: string;
  readonly written: number;
  readonly removed: number;
  readonly files: number;
}

/** What was done at the first destination. */
async function published(...more: readonly string[]): Promise<Published> {
  const answer = await publish(...more);
  expect(answer.status, JSON.stringify(answer.value)).toBe(0);
  return (answer.value['destinations'] as [Published])[0];
}

async function planned(
  ...more: readonly string[]
): Promise<readonly (readonly [step: string, ...paths: string[]])[]> {
  const { value } = await publish('--plan', ...more);
  const [{ steps }] = value['destinations'] as [
    { steps: { name: string; writes: { path: string }[]; removes: string[] }[] },
  ];
  return steps.map(({ name, writes, removes }) => [name, ...writes.map(({ path }) => path), ...removes]);
}

/** The fingerprint of the subkey that signs. */
function subkeyOf(shown: Record<string, unknown>): string {
  const [subkey] = shown['subkeys'] as [{ fingerprint: string }];
  return subkey.fingerprint;
}

/** Gives a file other bytes, and leaves it as large as it is. */
function alter(path: string): void {
  const bytes = here.read(path);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  here.write(path, bytes);
}

async function verified(): Promise<Answer> {
  return await here.json(['verify', 'www', '--fingerprint', ann.fingerprint]);
}

const refusedWith = async (code: string, ...more: readonly string[]) => {
  const before = here.snapshot('www');
  const answer = await publish(...more);
  expect([answer.status, codeOf(answer)]).toEqual([1, code]);
  expect(here.snapshot('www')).toEqual(before);
  return answer.run.stderr;
};

describe('publish to a folder', () => {
  test('copies everything that readers fetch, and nothing else', async () => {
    expect(await published()).toMatchObject({ status: 'published', files: 2, removed: 0 });
    const sent = Object.keys(here.snapshot('www')).filter((path) => !path.startsWith('assets/'));
    const signatures = readdirSync(here.path('dist/signatures')).map((name) => `signatures/${name}`);
    expect(sent).toEqual(
      [
        ...['SHA256SUMS', 'SHA256SUMS.asc', 'a-1.0.tar.gz', 'a-1.0.tar.gz.sig', 'b-1.0.tar.gz', 'index.html'],
        ...['keys.asc', 'keys.gpg', 'packages.plist', 'packages.plist.asc', ...signatures],
      ].sort(),
    );
    expect((await verified()).value).toMatchObject({ ok: true, status: 'authentic', uncovered: [] });
  });

  test('writes nothing where all is there, and says what no signature covers', async () => {
    await published();
    const before = here.snapshot('www');
    const { run, value } = await publish();
    expect(value).toMatchObject({
      ok: true,
      destinations: [{ status: 'unchanged', written: 0, uncovered: [{ path: 'notes.txt' }] }],
    });
    expect(run.stderr).toContain('1 file here is not covered: notes.txt');
    expect(here.snapshot('www')).toEqual(before);
  });

  test('sends what no signature covers only if asked to', async () => {
    await published();
    expect(await published('--with-uncovered')).toMatchObject({ written: 1 });
    expect(here.text('www/notes.txt')).toBe('nothing that a database lists');
  });

  test('prints the steps in the order that readers need', async () => {
    const [signature = ''] = readdirSync(here.path('dist/signatures')).map((name) => `signatures/${name}`);
    const steps = await planned();
    expect(steps.map(([name]) => name)).toEqual([
      'files',
      'keys',
      'signatures',
      'database',
      'copies',
      'companions',
      'page',
    ]);
    expect(steps[0]).toEqual(['files', 'a-1.0.tar.gz', 'b-1.0.tar.gz']);
    expect(steps[2]).toContain(signature);
    expect(here.snapshot('www')).toEqual({});
  });

  test.each(['-x', 'a:b', "it's a $(dir)"])(
    'prints lines for rclone that can be pasted: from %s',
    async (name) => {
      renameSync(here.path('dist'), here.path(name));
      mkdirSync(here.path('w:w'));
      const plan = await here.packsign(['publish', `./${name}`, './w:w', '--plan']);
      expect(plan.status, plan.stderr).toBe(0);
      const lines = plan.stdout.split('the same with rclone:\n')[1] ?? '';
      // The shell takes them apart; each copy gets one folder to read from, and one to write to.
      writeFileSync(
        here.path('rclone'),
        '#!/bin/sh\nwhile [ "$1" != - ]; do shift; done\nshift\nwhile read -r path; do mkdir -p "$2/$(dirname "$path")"; cp -- "$1/$path" "$2/$path"; done\n',
        { mode: 0o755 },
      );
      execFileSync('sh', ['-c', lines], {
        cwd: here.root,
        env: { ...process.env, PATH: `${here.root}:${process.env['PATH'] ?? ''}` },
      });
      expect((await here.json(['verify', './w:w', '--fingerprint', ann.fingerprint])).status).toBe(0);
    },
  );

  test('prints lines to paste all or not at all', async () => {
    for (let each = 0; each < 210; each += 1)
      here.write(`dist/n${each}-1.0.tar.gz`, sdist(`n${each}`, '1.0'));
    await build(here);
    const { stdout } = await here.packsign(['publish', 'dist', 'www', '--plan']);
    expect(stdout).toMatch(/the same with rclone: \d+ lines with --verbose/);
    expect(stdout).not.toContain('rclone copy');
    const { stdout: all } = await here.packsign(['publish', 'dist', 'www', '--plan', '--verbose']);
    expect(all).toContain('n99-1.0.tar.gz\nEND');
  });

  test('says why it has no lines to paste', async () => {
    mkdirSync(here.path('w\u202ew'));
    const { stdout } = await here.packsign(['publish', 'dist', 'w\u202ew', '--plan']);
    expect(stdout).toMatch(/no lines for other tools: a name has characters that a terminal does not show/);
    expect(stdout).not.toContain('the same with');
  });

  test('replaces other bytes of a file right before the database that lists them', async () => {
    await published();
    here.write('dist/b-1.0.tar.gz', sdist('b', '1.0', 'x = 2\n'));
    here.write('dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await build(here, '--allow-changed', 'b-1.0.tar.gz', '--reason', 'packed again');
    const names = (await planned()).map(([name, ...paths]) =>
      name.includes('files') ? `${name} ${paths.join()}` : name,
    );
    expect(names.slice(0, 4)).toEqual([
      'files c-1.0.tar.gz',
      'signatures',
      'replaced files b-1.0.tar.gz',
      'database',
    ]);
    expect(await published()).toMatchObject({ status: 'published', files: 3 });
    expect(here.read('www/b-1.0.tar.gz')).toEqual(here.read('dist/b-1.0.tar.gz'));
    expect((await verified()).status).toBe(0);
  });

  test('publishes a revocation behind the database that no longer rests on the revoked key', async () => {
    here.write('whole.asc', ann.secret);
    await published();
    const old = subkeyOf((await here.json(['key', 'show', 'whole.asc'])).value);
    for (const args of [
      ['key', 'rotate', 'whole.asc', 'dist'],
      ['key', 'revoke', 'whole.asc', 'dist', '--subkey', old, '--reason', 'compromised'],
      ['build', 'dist', '--key', 'whole.asc'],
    ]) {
      const { status, run } = await here.json(args);
      expect(status, run.stderr).toBe(0);
    }
    const steps = (await planned()).map(([name]) => name);
    expect(steps.slice(0, 3)).toEqual(['keys', 'signatures', 'database']);
    expect(steps.slice(-1)).toEqual(['revocations']);
    expect(await published()).toMatchObject({ status: 'published' });
    expect(here.read('www/keys.asc')).toEqual(here.read('dist/keys.asc'));
    expect((await verified()).status).toBe(0);
    expect(await published()).toMatchObject({ status: 'unchanged' });
  });

  test('leaves files that are gone, removes them with --delete once they are old, and never those of others', async () => {
    await published();
    here.write('www/theirs-1.0.tar.gz', 'somebody put it there');
    for (const name of ['b-1.0.tar.gz', 'a-1.0.tar.gz.sig']) here.remove(`dist/${name}`);
    await build(here, '--absent', 'withdraw');
    expect(await published()).toMatchObject({ removed: 0 });
    expect(await published('--delete')).toMatchObject({ removed: 0 });
    expect(await published('--delete', '--keep-old', '0')).toMatchObject({ removed: 2 });
    const left = ['a-1.0.tar.gz', 'b-1.0.tar.gz', 'a-1.0.tar.gz.sig', 'theirs-1.0.tar.gz'].filter((name) =>
      here.has(`www/${name}`),
    );
    expect(left).toEqual(['a-1.0.tar.gz', 'theirs-1.0.tar.gz']);
  });

  test('leaves a file whose name differs from a listed one by case alone: the destination may ignore that', async () => {
    here.write('dist/Demo-1.0.tar.gz', sdist('demo', '1.0'));
    await build(here);
    await published();
    here.remove('dist/Demo-1.0.tar.gz');
    here.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    await build(here, '--absent', 'withdraw');
    expect(await published('--delete', '--keep-old', '0')).toMatchObject({ removed: 0 });
    expect(here.has('www/Demo-1.0.tar.gz')).toBe(true);
  });

  test('replaces what another machine wrote that was killed before it wrote its database', async () => {
    await published();
    here.write('www/b-1.0.tar.gz', sdist('b', '1.0', 'x = 2\n'));
    here.write('dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await build(here);
    await published();
    expect(here.read('www/b-1.0.tar.gz')).toEqual(here.read('dist/b-1.0.tar.gz'));
    // The same without a new database, and once it is put back there is no more to do.
    here.write('www/b-1.0.tar.gz', sdist('b', '1.0', 'x = 2\n'));
    expect(await published()).toMatchObject({ status: 'published', written: 1 });
    for (let each = 0; each < 2; each += 1) {
      expect(await published()).toMatchObject({ status: 'unchanged', written: 0 });
    }
  });

  test('does not believe its own journal about a file that somebody else may have overwritten', async () => {
    await published();
    here.write('dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await build(here);
    const signature = readdirSync(here.path('dist/signatures')).find(
      (name) => !here.has(`www/signatures/${name}`),
    );
    mkdirSync(here.path(`www/signatures/${signature ?? ''}`));
    expect((await publish()).status).not.toBe(0);
    here.remove(`www/signatures/${signature ?? ''}`);
    alter('www/c-1.0.tar.gz');
    await published();
    expect((await verified()).value).toMatchObject({ ok: true, files: { checked: 3, ok: 3 } });
  });

  test('goes on with what a killed run sent', async () => {
    await published();
    here.write('dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await build(here);
    const before = here.read('www/packages.plist');
    here.write('www/.packsign/lock', '');
    here.write('www/c-1.0.tar.gz', sdist('c', '1.0').subarray(0, 100));
    expect(await published()).toMatchObject({ status: 'published' });
    expect(here.read('www/packages.plist').equals(before)).toBe(false);
    expect((await verified()).status).toBe(0);
  });
});

describe('publish refuses', () => {
  test('files that are not what was signed', async () => {
    here.write('dist/b-1.0.tar.gz', sdist('b', '1.0', 'x = 2\n'));
    expect(await refusedWith('FILE_ALTERED')).toContain(
      'b-1.0.tar.gz in dist has other bytes than were signed',
    );
  });

  test('with --check, also files that look as if nobody had touched them since the build', async () => {
    await published();
    const path = 'b-1.0.tar.gz';
    const sha256 = sha256Of(here.read(`dist/${path}`));
    alter(`dist/${path}`);
    const identity = identityBehind(here.path(`dist/${path}`));
    if (identity === null) throw new Error('the file is there');
    const cache = openCache(here.path('dist/.packsign'), { rehash: false, remember: true });
    const facts = { path, size: Number(identity.size), sha256, md5: null };
    cache.keep([{ path, identity }], [{ ...facts, reading: NOT_READ, inspection: NOT_INSPECTED }]);
    cache.save();
    expect(await published()).toMatchObject({ status: 'unchanged' });
    await refusedWith('FILE_ALTERED', '--check');
    // Nor does it leave the directory.
    here.remove(`www/${path}`);
    await refusedWith('FILE_ALTERED');
  });

  test('a directory that is not signed, or has expired', async () => {
    here.remove('dist/packages.plist');
    const answer = await publish();
    expect([answer.status, codeOf(answer)]).toEqual([2, 'NOT_PUBLISHED']);
    await build(here, '--validity', '1 second', '--first');
    await new Promise((done) => setTimeout(done, 1100));
    await refusedWith('DATABASE_STALE');
  });

  test('a database from the future, which no reader would take', async () => {
    const before = here.snapshot('www');
    await inAYear();
    for (const more of [[], ['--check'], ['--plan']]) await refusedWith('DATABASE_FROM_FUTURE', ...more);
    expect(here.snapshot('www')).toEqual(before);
  });

  test('a listed file that lies neither here nor there', async () => {
    await published();
    here.remove('dist/b-1.0.tar.gz');
    // It is there: nothing is missing.
    expect(await published()).toMatchObject({ status: 'unchanged' });
    here.remove('www/b-1.0.tar.gz');
    await refusedWith('FILE_MISSING');
  });

  test('a listed file that lies only there, where a killed machine overwrote it', async () => {
    await published();
    here.remove('dist/b-1.0.tar.gz');
    const bytes = here.read('www/b-1.0.tar.gz');
    alter('www/b-1.0.tar.gz');
    await refusedWith('FILE_MISSING');
    here.write('www/b-1.0.tar.gz', bytes);
    expect(await published()).toMatchObject({ status: 'unchanged' });
  });

  test('a secret under the name of a signature, and whatever else lies there', async () => {
    const name = (digit: string) => `signatures/${digit.repeat(64)}.asc`;
    here.write('elsewhere', 'nothing that anybody signed');
    symlinkSync(here.path('elsewhere'), here.path(`dist/${name('a')}`));
    here.write(`dist/${name('c')}`, 'no signature');
    await published();
    expect([name('a'), name('c')].filter((path) => here.has(`www/${path}`))).toEqual([]);
    here.write(`dist/${name('b')}`, ann.secret);
    await refusedWith('SECRET_IN_DIRECTORY');
  });

  test('to write behind a link at the destination', async () => {
    mkdirSync(here.path('out'));
    symlinkSync('../out', here.path('www/sub'));
    here.write('dist/sub/d-1.0.tar.gz', sdist('d', '1.0'));
    await build(here);
    const answer = await publish();
    expect([answer.status, codeOf(answer)]).toEqual([2, 'DESTINATION_FAILED']);
    expect([readdirSync(here.path('out')), here.has('www/packages.plist')]).toEqual([[], false]);
  });

  test('to replace a folder by a file, or a file by a folder', async () => {
    here.write('dist/sub/d-1.0.tar.gz', sdist('d', '1.0'));
    await build(here);
    const words: readonly (readonly [path: string, text: string])[] = [
      ['www/sub', 'www/sub is a file, and a folder belongs there'],
      ['www/b-1.0.tar.gz/in', 'www/b-1.0.tar.gz is a folder, and a file belongs there'],
      ['www/packages.plist.asc/in', 'www/packages.plist.asc is a folder, and a file belongs there'],
    ];
    for (const [path, text] of words) {
      here.remove('www');
      mkdirSync(here.path('www'));
      here.write(path, 'somebody put it there');
      const answer = await publish();
      expect([answer.status, codeOf(answer)]).toEqual([2, 'DESTINATION_FAILED']);
      expect(answer.run.stderr).toContain(text);
      expect(here.text(path)).toBe('somebody put it there');
    }
  });

  test('a secret that would go along', async () => {
    here.write('dist/a-1.0.tar.gz.pem', ann.secret);
    await refusedWith('SECRET_IN_DIRECTORY');
  });

  test('to go backwards, and says how to join both', async () => {
    await published();
    const old = here.snapshot('dist');
    here.write('dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await build(here);
    await published();
    here.remove('dist');
    for (const [name, hex] of Object.entries(old)) here.write(`dist/${name}`, Buffer.from(hex, 'hex'));
    expect(await refusedWith('DESTINATION_NEWER')).toContain('packsign publish dist www --adopt --key FILE');
  });

  test('a database that does not continue the one there, and joins it with --adopt', async () => {
    await published();
    const other = newPlace();
    other.write('ann.asc', ann.signing);
    for (const [name, hex] of Object.entries(here.snapshot('dist')))
      other.write(`dist/${name}`, Buffer.from(hex, 'hex'));
    other.write('dist/other-1.0.tar.gz', sdist('other', '1.0'));
    await build(other);
    expect((await other.json(['publish', 'dist', here.path('www')])).status).toBe(0);
    here.write('dist/own-1.0.tar.gz', sdist('own', '1.0'));
    await build(here);
    await refusedWith('DESTINATION_FORKED');
    here.write('dist/unseen-1.0.tar.gz', sdist('unseen', '1.0'));
    const { run, value } = await here.json(['publish', 'dist', 'www', '--adopt', '--key', 'ann.asc']);
    expect(value['destinations']).toMatchObject([{ files: 5 }]);
    // A file that no build has shown is named.
    expect(run.stderr).toContain(
      'packsign: joined with what is published there:\n  + other-1.0.tar.gz\n  + unseen-1.0.tar.gz\n',
    );
    expect((await verified()).value).toMatchObject({ ok: true, files: { checked: 5 } });
  });

  test("somebody else's database", async () => {
    const bob = await newKey('Bob');
    const other = newPlace();
    other.write('ann.asc', bob.signing);
    other.write('dist/x-1.0.tar.gz', sdist('x', '1.0'));
    await build(other);
    expect((await other.json(['publish', 'dist', here.path('www')])).status).toBe(0);
    await refusedWith('DESTINATION_FOREIGN');
    await refusedWith('DESTINATION_FOREIGN', '--adopt', '--key', 'ann.asc');
  });

  test('one that is damaged, which may have been ours', async () => {
    here.write('www/packages.plist', 'x');
    const { run } = await here.json(['publish', 'dist', 'www']);
    expect(run.stderr).toMatch(/somebody else's, or damaged: .*\n.*if it was yours, remove/);
    expect(here.read('www/packages.plist').toString()).toBe('x');
  });

  test('a file in place of a folder', async () => {
    here.write('www/packages.plist', 'x');
    const { status, run } = await here.json(['publish', 'dist', 'www/packages.plist']);
    expect(status).toBe(2);
    expect(run.stderr).toMatch(/www.packages\.plist is not a folder/);
  });

  test.each([
    ['github', 'https://github.com/ann/tool/releases', /has no folders/],
    ['an address', 'https://example.org/dist/', /cannot be written to through https/],
    ['an option', '-e=sh', /begins with a dash/],
    ['a line', 'a\nb', /is not a destination/],
  ])('what is not a destination: %s', async (_, destination, words) => {
    here.write('dist/packsign.json', JSON.stringify({ Publish: [destination] }));
    const answer = await here.json(['publish', 'dist']);
    expect([answer.status, codeOf(answer)]).toEqual([2, 'USAGE']);
    expect(answer.run.stderr).toMatch(words);
  });

  test.each([
    ['--check --plan', '--check does nothing with --plan'],
    ['--adopt --plan --key ann.asc', '--adopt does nothing with --plan'],
    ['--plan --url https://example.org', '--url does nothing with --plan'],
    ['--adopt --check --key ann.asc', '--adopt does nothing with --check'],
    ['--delete --check', '--delete does nothing with --check'],
    ['--wait 1s --check', '--wait does nothing with --check'],
    ['--keep-old 3d', '--keep-old does nothing without --delete'],
    ['--cache-wait 3s', '--cache-wait does nothing without an address'],
    ['--url none --cache-wait 3s', '--cache-wait does nothing without an address'],
    ['--key ann.asc', '--key does nothing without --adopt'],
    ['--validity 3d', '--validity does nothing without --adopt'],
    ['--adopt', 'no key to sign with'],
  ])('options of which one does nothing: %s', async (options, words) => {
    const answer = await publish(...options.split(' '));
    expect(answer.status).toBe(2);
    expect(answer.run.stderr).toContain(words);
    expect(here.snapshot('www')).toEqual({});
  });

  test.each(['dist', 'dist/below'])('the directory itself, or a folder in it: %s', async (folder) => {
    mkdirSync(here.path('dist/below'));
    const answer = await here.json(['publish', 'dist', folder]);
    expect([answer.status, codeOf(answer)]).toEqual([2, 'USAGE']);
  });

  test('a folder that is not there: its disk may not be mounted', async () => {
    const answer = await here.json(['publish', 'dist', 'nowhere']);
    expect([answer.status, codeOf(answer)]).toEqual([2, 'DESTINATION_FAILED']);
    expect(here.has('nowhere')).toBe(false);
  });
});

describe('a database from the future at the destination', () => {
  const rebuilt = async (name: string) => {
    here.write(`dist/${name}-1.0.tar.gz`, sdist(name, '1.0'));
    await build(here, '--trust-clock');
  };

  test('is replaced by the one that was built upon it, once the clock is right', async () => {
    await published();
    await inAYear();
    cpSync(here.path('dist'), here.path('www'), { recursive: true });
    await rebuilt('d');
    expect(await published()).toMatchObject({ status: 'published', files: 4 });
    expect(await published('--check')).toMatchObject({ status: 'checked' });
  });

  test('of another machine is left alone by one that was not', async () => {
    await published();
    cpSync(here.path('dist'), here.path('earlier'), { recursive: true });
    await inAYear();
    cpSync(here.path('dist'), here.path('www'), { recursive: true });
    here.remove('dist');
    renameSync(here.path('earlier'), here.path('dist'));
    await refusedWith('DESTINATION_NEWER');
  });
});

test('a directory that lacks a page or checksums is published, and says so', async () => {
  for (const name of ['index.html', 'SHA256SUMS']) here.remove(`dist/${name}`);
  const { stderr, status } = await here.packsign(['publish', 'dist', 'www']);
  expect(status).toBe(0);
  for (const name of ['index.html', 'SHA256SUMS']) {
    expect(stderr).toContain('(PUBLICATION_INCOMPLETE)');
    expect(stderr).toContain(name);
    expect(here.has(`www/${name}`)).toBe(false);
  }
});

test('a folder has one journal, whatever link leads to it', async () => {
  await published();
  symlinkSync(here.path('www'), here.path('link'));
  const { value } = await here.json(['publish', 'dist', 'link']);
  expect(value).toMatchObject({ destinations: [{ status: 'unchanged', written: 0 }] });
});

describe('where to', () => {
  test('a destination that is given more than once is published to once', async () => {
    symlinkSync('www', here.path('link'));
    const answer = await publish('www/', './www', 'link', here.path('dist/../www'));
    expect(answer.value['destinations']).toEqual([expect.objectContaining({ destination: 'www' })]);
    here.write('dist/packsign.json', JSON.stringify({ Publish: ['../www', '../www/'] }));
    const set = await here.json(['publish', 'dist']);
    expect(set.value['destinations']).toEqual([expect.anything()]);
  });

  test.each([
    [['host:x', 'host:./x/', 'host:x//', 'host:y/../x'], 1],
    [['host:', 'host:.', 'host:/', 'other:'], 3],
    [['host::m/x', 'host::m/x/', 'rsync://host/m/x'], 2],
    [['rsync://h/m/x', 'rsync://h/m/./x/', 'rsync://h/m/y'], 2],
    [['s3://bucket/x', 's3://bucket/x/', 's3://bucket', 's3://bucket/'], 2],
  ])('of %j, %i are different places', (destinations, count) => {
    expect(eachOnce(destinations)).toHaveLength(count);
  });

  test('not into the directory, and not to a folder around it, which holds keys', async () => {
    symlinkSync('.', here.path('around'));
    mkdirSync(here.path('dist/inside'));
    const before = here.snapshot();
    for (const destination of ['dist', 'dist/', 'dist/inside', '.', './', 'around', here.root, '/']) {
      for (const more of [[], ['--plan'], ['--check']]) {
        const answer = await here.json(['publish', 'dist', destination, ...more]);
        expect([destination, answer.status, codeOf(answer)]).toEqual([destination, 2, 'USAGE']);
      }
    }
    expect(here.snapshot()).toEqual(before);
    const { stderr } = await here.packsign(['publish', 'dist', '.']);
    expect(stderr).toContain('cannot publish dist to .: dist is inside it');
  });
});

test('a folder in the place of the database is named, by --check and --plan too', async () => {
  mkdirSync(here.path('www/packages.plist'));
  for (const more of [[], ['--check'], ['--plan']]) {
    const { status, stderr } = await here.packsign(['publish', 'dist', 'www', ...more]);
    expect([status, stderr]).toEqual([
      2,
      'packsign: error: www/packages.plist is a folder, and a file belongs there\npacksign: hint: move it away, then publish again\n',
    ]);
  }
});

describe('publish --check', () => {
  test('says that nothing is published there yet, and what to type', async () => {
    const answer = await publish('--check');
    expect([answer.status, answer.value['error']]).toEqual([
      1,
      {
        code: 'DESTINATION_DIFFERS',
        message: 'nothing is published at www',
        hint: 'publish it: packsign publish dist www',
      },
    ]);
    await published();
    expect(await published('--check')).toMatchObject({ status: 'checked' });
  });

  test('says that a larger database is another one', async () => {
    await published();
    here.write('www/packages.plist', Buffer.alloc(1_000_000, 'x'));
    const answer = await publish('--check');
    expect([answer.status, codeOf(answer)]).toEqual([1, 'DESTINATION_DIFFERS']);
    expect(answer.run.stderr).toContain('packages.plist is a different one');
  });

  test('says which file is not there', async () => {
    await published();
    here.remove('www/a-1.0.tar.gz');
    expect((await publish('--check')).run.stderr).toContain('a-1.0.tar.gz is not there');
  });

  test('reads everything back, and writes nothing', async () => {
    await published();
    expect(await published('--check')).toMatchObject({ status: 'checked' });
    here.write('www/a-1.0.tar.gz', sdist('a', '1.0', 'x = 3\n'));
    const answer = await publish('--check');
    expect([answer.status, codeOf(answer)]).toEqual([1, 'DESTINATION_DIFFERS']);
    expect(answer.run.stderr).toContain('a-1.0.tar.gz has other bytes');
    // What differs is sent again.
    expect(await published()).toMatchObject({ written: 1 });
    expect(await published('--check')).toMatchObject({ status: 'checked' });
    for (const name of ['www/b-1.0.tar.gz', 'dist/b-1.0.tar.gz']) here.remove(name);
    expect(codeOf(await publish('--check'))).toBe('DESTINATION_DIFFERS');
  });
});

describe('several destinations', () => {
  test('come from packsign.json; one that fails keeps no other waiting', async () => {
    mkdirSync(here.path('mirror'));
    here.write(
      'dist/packsign.json',
      JSON.stringify({ Publish: [here.path('nowhere'), here.path('mirror')] }),
    );
    const { status, value, run } = await here.json(['publish', 'dist']);
    expect(status).toBe(2);
    expect(value).toMatchObject({
      ok: false,
      destinations: [{ error: { code: 'DESTINATION_FAILED' } }, { status: 'published' }],
    });
    expect(run.stderr).toContain('there is no folder');
    expect(here.has('mirror/packages.plist')).toBe(true);
  });
});

test('a folder that is missing, or empty as under an unmounted disk, is said so, and stays as it is', async () => {
  await published();
  here.remove('www');
  for (const how of [['--check'], ['--plan'], []]) {
    expect((await publish(...how)).run.stderr).toContain('mount its disk, or make it: mkdir -p www');
  }
  mkdirSync(here.path('www'));
  const { status, run } = await publish();
  expect([status, run.stderr]).toEqual([2, expect.stringContaining('on purpose: mkdir www/.packsign')]);
  expect(readdirSync(here.path('www'))).toEqual([]);
  mkdirSync(here.path('www/.packsign'));
  expect(await published()).toMatchObject({ status: 'published' });
});
