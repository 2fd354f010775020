import { readdirSync, symlinkSync, utimesSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { tar, zip } from '../archives/packages.js';
import type { Member } from '../archives/packages.js';
import { codeOf, newKey, newPlace, sdist, transcript } from '../packsign.js';
import type { Place } from '../packsign.js';
import { needTools } from '../tools.js';

interface Found {
  readonly code: string;
  readonly level: string;
  readonly path: string | null;
  readonly message: string;
  readonly hint: string | null;
  readonly members: readonly string[];
}

async function lintOf(place: Place, ...args: readonly string[]) {
  // Nothing was published anywhere before.
  const first = place.has('dist/packages.plist') ? [] : ['--first'];
  const { value, status } = await place.json(['lint', 'dist', ...first, ...args]);
  const findings = value['findings'] as readonly Found[];
  return { status, value, findings, codes: findings.map(({ code }) => code) };
}

const tarball = (...members: readonly Member[]) => gzipSync(tar(...members));

/** A source package that PackMan can install. */
function source(name: string, version: string, top = `${name}-${version}`): Buffer {
  const text = `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\nSummary: does ${name}\n\n`;
  return tarball({ path: `${top}/PKG-INFO`, text }, { path: `${top}/setup.py`, text: 'setup()' });
}

const SETTINGS = { Maintainer: 'Ann', Database: 'https://example.org/', 'Base-URL': 'https://example.org/' };

function newDist(settings: object = {}): Place {
  const place = newPlace();
  place.write('dist/packsign.json', JSON.stringify({ ...SETTINGS, ...settings }));
  place.write('dist/demo-1.0.tar.gz', source('demo', '1.0'));
  return place;
}

describe('exit status', () => {
  test('0 with nothing to fix, and nothing is written', async () => {
    const place = newDist();
    const before = place.snapshot('.');
    expect(transcript(await place.packsign(['lint', 'dist', '--first']))).toBe(
      '$ packsign lint dist --first\ndist: nothing to fix in 1 file\n[0]',
    );
    expect(place.snapshot('.')).toEqual(before);
    expect(place.has('dist/.packsign')).toBe(false);
  });

  test('0 with notes alone, 1 with a warning or an error; ok says the same', async () => {
    const place = newDist();
    place.write('dist/my-tool-1.0.zip', zip({ path: 'my-tool' }));
    const notes = await lintOf(place);
    expect([notes.status, notes.value['ok'], notes.codes]).toEqual([0, true, ['PACKMAN_HYPHEN']]);
    place.write('dist/notes.txt', 'hello');
    const warned = await lintOf(place);
    expect([warned.status, warned.value['ok'], warned.value['warnings']]).toEqual([1, false, 1]);
    place.remove('dist/notes.txt');
    place.write('dist/evil-1.0.tar.gz', tarball({ path: '../x' }));
    expect((await lintOf(place)).status).toBe(1);
  });

  test('2 where there is nothing to look at', async () => {
    const place = newPlace();
    expect((await place.packsign(['lint', 'nowhere'])).status).toBe(2);
    const empty = await place.json(['lint', 'dist']);
    expect([empty.status, codeOf(empty)]).toEqual([2, 'NOTHING_TO_LIST']);
    const wrong = await newDist().json(['lint', 'dist', '--key', 'gone.asc']);
    expect([wrong.status, codeOf(wrong)]).toEqual([2, 'NO_KEY']);
  });
});

describe('archives', () => {
  test('are shown with their members, and what to do', async () => {
    const place = newDist();
    place.write('dist/evil-1.0.tar.gz', tarball({ path: '../x' }, { path: 'a/\u001b[2J', mode: 0o4755 }));
    place.write('dist/worse-1.0.zip', zip({ path: 'l', mode: 0o120777, text: '/etc' }, { path: '/x' }));
    const shown = (await place.packsign(['lint', 'dist', '--first'])).stdout;
    expect(shown).not.toContain('\u001b');
    expect(shown).toMatchInlineSnapshot(`
      "error: an archive has absolute names: some programs write outside the folder that they unpack into (MEMBER_ABSOLUTE)
        worse-1.0.zip: 1 member with an absolute name: /x
        → make the archive again from inside one folder: tar -czf ARCHIVE FOLDER
      error: an archive has names with "..", which lead out of the folder that it is unpacked into (MEMBER_TRAVERSES)
        evil-1.0.tar.gz: 1 member with ".." in the name: ../x
        → make the archive again from inside one folder: tar -czf ARCHIVE FOLDER
      error: an archive has links that lead out of it, or members that are written through a link (MEMBER_LINK)
        worse-1.0.zip: 1 member leading out by a link, or written through one: l → /etc
        → link to a relative path inside the archive, and pack the files themselves: tar --dereference
      warning: an archive has set-uid or set-gid programs, which run with the rights of their owner (MEMBER_SET_UID)
        evil-1.0.tar.gz: 1 member with a set-uid or set-gid bit: a/\\u{1b}[2J
        → remove the bits before you pack them: chmod ug-s FILE
      warning: an archive has names with control characters, which can fool a terminal (MEMBER_CONTROL)
        evil-1.0.tar.gz: 1 member with control characters in the name: a/\\u{1b}[2J
        → rename them before you pack them
      dist: 3 errors, 2 warnings, 0 notes in 3 files
      "
    `);
  });

  test('a set-uid member is found behind every compression', async (context) => {
    needTools(context, 'xz', 'bzip2', 'zstd');
    const place = newDist();
    const packed = tar({ path: 'bin/x', mode: 0o4755 });
    place.write('dist/a-1.0.tar', packed);
    place.write('dist/b-1.0.tar.gz', gzipSync(packed));
    for (const [program, end] of [
      ['xz', 'xz'],
      ['bzip2', 'bz2'],
      ['zstd', 'zst'],
    ] as const) {
      const { stdout } = spawnSync(program, ['-c'], { input: packed });
      place.write(`dist/${program}-1.0.tar.${end}`, stdout);
    }
    const { findings } = await lintOf(place);
    const found = findings.filter(({ code }) => code === 'MEMBER_SET_UID');
    expect(found.map(({ path }) => path)).toEqual([
      ...['a-1.0.tar', 'b-1.0.tar.gz', 'bzip2-1.0.tar.bz2', 'xz-1.0.tar.xz', 'zstd-1.0.tar.zst'],
    ]);
  });

  test('TOP_FOLDER: a source archive with another folder, or more than one', async () => {
    const place = newDist();
    place.write('dist/other-1.0.tar.gz', source('other', '1.0', 'other-one'));
    const { findings } = await lintOf(place);
    expect(findings).toMatchObject([
      { code: 'TOP_FOLDER', path: 'other-1.0.tar.gz', message: 'it holds other-one, not other-1.0 alone' },
    ]);
  });

  test('TOP_FOLDER: any other archive whose only folder is another release', async () => {
    const place = newDist({ PackMan: false });
    place.write('dist/c-1.1.tar.gz', tarball({ path: 'c-1.0/Makefile' }));
    place.write('dist/d-1.1-linux-amd64.tar.gz', tarball({ path: 'd-1.1/d' }));
    place.write('dist/e-1.1.tar.gz', tarball({ path: 'bin/e' }));
    place.write('dist/f-1.1.tar.gz', tarball({ path: 'f-1.0/f' }, { path: 'README' }));
    const { findings, status } = await lintOf(place);
    expect(status).toBe(0);
    expect(findings).toMatchObject([{ code: 'TOP_FOLDER', path: 'c-1.1.tar.gz', message: 'it holds c-1.0' }]);
  });

  test('NAME_MISMATCH: a wheel that is another package inside', async () => {
    const place = newDist();
    const text = 'Metadata-Version: 2.1\nName: inner\nVersion: 1.0\n\n';
    place.write('dist/outer-1.0-py3-none-any.whl', zip({ path: 'inner-1.0.dist-info/METADATA', text }));
    expect((await lintOf(place)).codes).toContain('NAME_MISMATCH');
  });

  test('a damaged one is said once', async () => {
    const place = newDist();
    place.write('dist/cut-1.0.tar.gz', source('cut', '1.0').subarray(0, 100));
    const { findings, status } = await lintOf(place);
    expect(status).toBe(1);
    expect(findings.filter(({ path }) => path === 'cut-1.0.tar.gz').map(({ code }) => code)).toEqual([
      'DAMAGED',
    ]);
    expect((await lintOf(place, '--allow-damaged', 'cut-1.0.tar.gz')).codes).not.toContain('DAMAGED');
  });

  test('NOT_LOOKED_INTO: one that unpacks to too much, or is of another kind', async () => {
    const place = newDist();
    const bomb = Buffer.concat([tar({ path: 'x' }).subarray(0, 512), Buffer.alloc(100_000_000)]);
    bomb.write('00777777777\0', 124);
    bomb.fill(' ', 148, 156);
    const sum = bomb.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    bomb.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    place.write('dist/bomb-1.0.tar.gz', gzipSync(bomb));
    place.write('dist/odd-1.0.tar.br', Buffer.from([0x8b, 1, 0x80, 0x61, 3]));
    const { findings, status } = await lintOf(place);
    expect(status).toBe(0);
    expect(findings.map(({ code, path, level }) => [code, path, level])).toEqual([
      ['NOT_LOOKED_INTO', 'bomb-1.0.tar.gz', 'note'],
      ['NOT_LOOKED_INTO', 'odd-1.0.tar.br', 'note'],
    ]);
    expect(findings[0]?.message).toContain('unpacks to more than 200 times its size');
  });
});

describe('files', () => {
  test('DATED_AHEAD: the future, with a line to paste', async () => {
    const place = newDist();
    utimesSync(place.path('dist/demo-1.0.tar.gz'), 0, Date.UTC(2100, 0) / 1000);
    expect((await lintOf(place)).findings).toMatchObject([
      {
        code: 'DATED_AHEAD',
        path: 'demo-1.0.tar.gz',
        hint: expect.stringMatching(/^touch dist\/demo-1\.0\.tar\.gz; /) as unknown,
      },
    ]);
  });

  test('each that is not covered is said once, and how to name it', async () => {
    const place = newDist();
    const bytes = source('x', '1.0');
    const names = [
      'two words.tar.gz',
      '-x.tar.gz',
      'con.tar.gz',
      'caf\u00e9.tar.gz',
      'a\u001b.tar.gz',
      'README',
    ];
    for (const name of names) place.write(`dist/${name}`, bytes);
    symlinkSync('demo-1.0.tar.gz', place.path('dist/link.tar.gz'));
    const { findings } = await lintOf(place);
    const hintOf = (name: string) =>
      findings.filter(({ path }) => path === name).map(({ code, hint }) => [code, hint]);
    expect(hintOf('two words.tar.gz')).toEqual([
      ['UNSAFE_NAME', "mv -n 'dist/two words.tar.gz' dist/two-words.tar.gz"],
    ]);
    expect(hintOf('-x.tar.gz')).toEqual([['UNSAFE_NAME', 'mv -n dist/-x.tar.gz dist/x.tar.gz']]);
    expect(hintOf('con.tar.gz')).toEqual([['UNSAFE_NAME', 'rename it']]);
    expect(hintOf('a\u001b.tar.gz')).toEqual([['UNSAFE_NAME', 'rename it']]);
    expect(hintOf('link.tar.gz').map(([code]) => code)).toEqual(['NOT_REGULAR']);
    expect(hintOf('README').map(([code]) => code)).toEqual(['UNCOVERED']);
  });

  test('SECRET_IN_DIRECTORY, unless it is allowed', async () => {
    const place = newDist();
    place.write('dist/key.asc', (await newKey('Ann')).secret);
    const { findings } = await lintOf(place, '--exclude', 'key.asc');
    expect(findings).toMatchObject([{ code: 'SECRET_IN_DIRECTORY', level: 'error' }]);
    const allowed = await lintOf(place, '--exclude', 'key.asc', '--allow-secret', 'dist/key.asc');
    expect(allowed.codes).toEqual([]);
  });
});

describe('settings', () => {
  test('are looked through for what they forget, and what means nothing', async () => {
    const place = newDist({
      ...{ Database: 'http://example.org/', Validity: 'none', Include: ['*.txt'], Mutable: ['demo-*'] },
      Exclude: ['*.log', '*.bak'],
    });
    place.write('dist/x.log', '');
    const { findings } = await lintOf(place);
    expect(findings.map(({ code, message }) => [code, message])).toEqual([
      ['NEVER_EXPIRES', '"Validity" is "none"'],
      ['UNUSED_GLOB', '"Include": "*.txt" matches no file'],
      ['UNUSED_GLOB', '"Exclude": "*.bak" matches no file'],
      ['PLAIN_HTTP', 'http://example.org/packages.plist'],
    ]);
  });

  test('say whether what PackMan cannot do is a warning, a note, or nothing', async (context) => {
    needTools(context, 'xz');
    const place = newDist();
    place.write('dist/my-tool-1.0.tar.gz', source('my-tool', '1.0'));
    place.write('dist/demo-2.0.tar.xz', spawnSync('xz', ['-c'], { input: tar({ path: 'x' }) }).stdout);
    const { findings, status } = await lintOf(place);
    expect(status).toBe(0);
    expect(findings).toMatchObject([
      {
        ...{ code: 'PACKMAN_HYPHEN', level: 'note', path: 'my-tool-1.0.tar.gz' },
        hint: expect.stringContaining('{"my-tool-1.0.tar.gz":{"Name":"my_tool"}}') as unknown,
      },
      { code: 'PACKMAN_VERSIONS', path: null, message: 'of 2 versions of demo, PackMan installs 1.0' },
    ]);
    expect((await lintOf(place, '--pack-man')).status).toBe(1);
    expect((await lintOf(place, '--no-pack-man')).codes).toEqual([]);
  });

  test('of packages, as PackMan takes them', async (context) => {
    needTools(context, 'bzip2');
    const Packages = {
      'tool-1.0.tar.bz2': { Flavor: 'binary' },
      demo: { 'Install-command': 'make', Prerequisites: [{ Name: 'gone' }] },
    };
    const place = newDist({ Packages, 'Base-URL': undefined });
    place.write('dist/tool-1.0.tar.bz2', spawnSync('bzip2', ['-c'], { input: tar({ path: 'x' }) }).stdout);
    place.write('dist/bare-1.0.tar.gz', sdist('bare', '1.0'));
    expect((await lintOf(place)).findings.map(({ code, path }) => [code, path])).toEqual([
      ['PACKMAN_EXTENSION', 'tool-1.0.tar.bz2'],
      ['PACKMAN_FOLDER', 'bare-1.0.tar.gz'],
      ['PACKMAN_COMMAND', 'demo-1.0.tar.gz'],
      ['PACKMAN_PREREQUISITE', 'demo-1.0.tar.gz'],
      ['PACKMAN_RELATIVE', null],
    ]);
  });
});

describe('keys', () => {
  test('those that are named, or else those that are published', async () => {
    const place = newDist();
    const old = { born: new Date(Date.now() - 30 * 86_400_000), lifeSeconds: 40 * 86_400 };
    place.write('old.asc', (await newKey('Old', old)).secret);
    place.write('new.asc', (await newKey('New')).secret);
    const first = await lintOf(place, '--key', 'old.asc');
    expect(first.codes).toEqual(['KEY_EXPIRES_FIRST', 'KEY_EXPIRES_SOON']);
    // Nothing is published by then: the message is about the next database.
    expect(first.findings.find(({ code }) => code === 'KEY_EXPIRES_FIRST')?.message).toMatch(
      /^key \w+ expires at \S+Z, and the database that it signs only at \S+Z$/,
    );
    expect((await lintOf(place, '--key', 'new.asc')).codes).toEqual([]);
    expect((await place.packsign(['build', 'dist', '--first', '--key', 'new.asc'])).status).toBe(0);
    expect((await lintOf(place)).codes).toEqual([]);
    const stranger = await lintOf(place, '--key', 'old.asc');
    expect(stranger.codes).toContain('KEY_NOT_PUBLISHED');
    expect(stranger.findings.find(({ code }) => code === 'KEY_NOT_PUBLISHED')?.level).toBe('error');
  });

  test('KEY_EXPIRED is said once, with what the files have', async () => {
    const place = newDist();
    const dead = { born: new Date(Date.now() - 30 * 86_400_000), lifeSeconds: 86_400 };
    place.write('dead.asc', (await newKey('Dead', dead)).secret);
    place.write('dist/README', 'hello');
    expect((await lintOf(place, '--key', 'dead.asc')).codes).toEqual(['KEY_EXPIRED', 'UNCOVERED']);
  });

  test('a Key of the settings that is not on this machine is a finding', async () => {
    const { codes, status } = await lintOf(newDist({ Key: '../gone.asc' }));
    expect([status, codes]).toEqual([1, ['NO_KEY']]);
  });
});

describe('a directory that is published', () => {
  async function published(): Promise<Place> {
    const place = newDist();
    place.write('key.asc', (await newKey('Ann')).secret);
    for (const name of ['a', 'b', 'c']) place.write(`dist/${name}-1.0.tar.gz`, source(name, '1.0'));
    expect((await place.packsign(['build', 'dist', '--first', '--key', 'key.asc'])).status).toBe(0);
    return place;
  }

  test('BYTES_CHANGED, MASS_REMOVAL: what build would refuse', async () => {
    const place = await published();
    for (const name of ['a', 'b', 'c']) place.remove(`dist/${name}-1.0.tar.gz`);
    place.write('dist/demo-1.0.tar.gz', source('demo', '1.0', 'demo-1.0/.'));
    const { codes, status } = await lintOf(place);
    expect(status).toBe(1);
    expect(codes).toEqual(expect.arrayContaining(['BYTES_CHANGED', 'MASS_REMOVAL']));
  });

  test('PREVIOUS_INVALID: the files are looked at all the same, and nothing is written', async () => {
    const place = await published();
    place.write('dist/packages.plist', place.text('dist/packages.plist').replace('does demo', 'does harm'));
    place.write('dist/evil-1.0.tar.gz', tarball({ path: '../x' }));
    const before = place.snapshot('.');
    const { codes, status } = await lintOf(place);
    expect([status, codes[0]]).toEqual([1, 'PREVIOUS_INVALID']);
    expect(codes).toContain('MEMBER_TRAVERSES');
    expect(place.snapshot('.')).toEqual(before);
  });

  test('keeps its working state as it is', async () => {
    const place = await published();
    const state = () =>
      readdirSync(place.path('dist/.packsign'))
        .sort()
        .map((name) => [name, place.read(`dist/.packsign/${name}`).toString('hex')]);
    const before = state();
    place.write('dist/new-1.0.tar.gz', source('new', '1.0'));
    expect((await lintOf(place)).status).toBe(0);
    expect(state()).toEqual(before);
  });
});
