import { chmodSync, chownSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';
import { skip } from '../tools.js';

const WWW_DATA = 33;
let key: TestKey;
let place: Place;

beforeAll(async () => {
  key = await newKey('Ann');
});

beforeEach(() => {
  place = newPlace();
  place.write('key.asc', key.secret);
  place.write('dist/packsign.json', '{ "Page": true, "Checksums": true }');
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
});

/** Runs packsign under an umask. */
async function under(umask: number, ...args: readonly string[]) {
  const before = process.umask(umask);
  try {
    return await place.packsign(args);
  } finally {
    process.umask(before);
  }
}

async function build(umask = 0o022): Promise<string> {
  const { status, stderr } = await under(umask, 'build', 'dist', '--key', 'key.asc');
  expect(status, stderr).toBe(0);
  return stderr;
}

const modeOf = (path: string) => (statSync(place.path(path)).mode & 0o777).toString(8);

/** The paths of the files and folders that packsign published. */
function published(): readonly string[] {
  return readdirSync(place.path('dist'), { recursive: true, encoding: 'utf8' })
    .filter((path) => !/^\.packsign|^demo|packsign\.json/.test(path))
    .map((path) => join('dist', path));
}

function modes(): Readonly<Record<string, readonly string[]>> {
  const isFolder = (path: string) => statSync(place.path(path)).isDirectory();
  const of = (paths: readonly string[]) => [...new Set(paths.map(modeOf))];
  return {
    files: of(published().filter((path) => !isFolder(path))),
    folders: of(published().filter(isFolder)),
  };
}

describe('what is published', () => {
  test.each([0o077, 0o027, 0o002])(
    'is for everybody to read under the umask %o, the first time and later',
    async (umask) => {
      await build(umask);
      expect(modes()).toEqual({ files: ['644'], folders: ['755'] });
      place.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1'));
      await build(umask);
      expect(modes()).toEqual({ files: ['644'], folders: ['755'] });
    },
  );

  test('is still when a lost file is repaired', async () => {
    await build();
    for (const name of ['keys.gpg', 'signatures', 'assets', 'index.html']) place.remove(`dist/${name}`);
    await build(0o077);
    expect(modes()).toEqual({ files: ['644'], folders: ['755'] });
  });

  test('keeps the permissions of what it replaces, and a new file has those of the database', async () => {
    await build();
    for (const path of published())
      if (statSync(place.path(path)).isFile()) chmodSync(place.path(path), 0o640);
    place.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1'));
    place.remove('dist/assets');
    await build();
    expect(modes()).toEqual({ files: ['640'], folders: ['755'] });
  });

  test('never becomes writable for all', async () => {
    await build();
    chmodSync(place.path('dist/packages.plist'), 0o666);
    place.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1'));
    await build();
    expect(modeOf('dist/packages.plist')).toBe('664');
  });

  test('keeps its owner and group when root publishes', async (context) => {
    if (process.getuid?.() !== 0) skip(context, 'only root can give files away');
    await build();
    chownSync(place.path('dist/packages.plist'), WWW_DATA, WWW_DATA);
    place.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1'));
    for (const name of ['keys.gpg', 'signatures']) place.remove(`dist/${name}`);
    await build();
    const owners = ['packages.plist', 'keys.gpg', 'signatures'].map((name) => {
      const { uid, gid } = statSync(place.path(`dist/${name}`));
      return [uid, gid];
    });
    expect(owners).toEqual([
      [WWW_DATA, WWW_DATA],
      [WWW_DATA, WWW_DATA],
      [WWW_DATA, WWW_DATA],
    ]);
  });

  test('FILE_UNWRITABLE: only a group may read it, and this user cannot give it a file', async (context) => {
    if (process.getuid?.() !== 0) skip(context, 'only root can become another user');
    await build();
    chownSync(place.path('dist/packages.plist'), WWW_DATA, WWW_DATA);
    chmodSync(place.path('dist/packages.plist'), 0o640);
    const before = place.read('dist/packages.plist');
    place.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1'));
    // Root without the right to give files away.
    const by = ['setpriv', '--bounding-set=-chown', '--inh-caps=-chown', process.execPath];
    const { status, stderr } = await place.process(['build', 'dist', '--key', 'key.asc'], { by });
    expect(stderr).toContain('only the group 33 may read dist/packages.plist, and you cannot give it a file');
    expect([status, place.read('dist/packages.plist').equals(before)]).toEqual([2, true]);
    chmodSync(place.path('dist/packages.plist'), 0o644);
    const again = await place.process(['build', 'dist', '--key', 'key.asc'], { by });
    expect(again.status, again.stderr).toBe(0);
  });
});

describe('a secret key', () => {
  const GENERATE = ['key', 'generate', '--user-id', 'Ann <ann@example.org>', '--no-passphrase'];

  test.each([0, 0o077, 0o177])('is for its owner alone under the umask %o, new or changed', async (umask) => {
    expect((await under(umask, ...GENERATE, '--output', 'new.asc')).status).toBe(0);
    for (const name of ['new.asc', 'new.signing.asc']) chmodSync(place.path(name), 0o666);
    expect((await under(umask, 'key', 'rotate', 'new.asc')).status).toBe(0);
    expect(['new.asc', 'new.signing.asc', 'new.rev.asc'].map(modeOf)).toEqual(['600', '600', '600']);
  });

  test('stays with its owner when root changes it', async (context) => {
    if (process.getuid?.() !== 0) skip(context, 'only root can give files away');
    chownSync(place.path('key.asc'), WWW_DATA, WWW_DATA);
    expect((await place.packsign(['key', 'extend', 'key.asc'])).status).toBe(0);
    expect(['key.asc', 'key.signing.asc'].map((name) => statSync(place.path(name)).uid)).toEqual([33, 33]);
  });

  test.each([0o644, 0o640, 0o620, 0o604])(
    'KEY_FILE_OPEN: one of the mode %o is used with a warning',
    async (mode) => {
      const said =
        'packsign: warning: key.asc: other users can read or change this secret key: chmod 600 key.asc (KEY_FILE_OPEN)\n';
      chmodSync(place.path('key.asc'), mode);
      expect(await build()).toBe(said);
      expect((await place.packsign(['key', 'check-backup', 'key.asc'])).stderr).toBe(said);
      const rotated = await place.packsign(['key', 'rotate', 'key.asc', '--output', 'other.asc']);
      expect([rotated.status, rotated.stderr]).toEqual([0, said]);
    },
  );

  test.each([0o600, 0o400, 0o700])('one of the mode %o is used without a word', async (mode) => {
    chmodSync(place.path('key.asc'), mode);
    expect(await build()).toBe('');
  });

  test('a public key that others may read is none', async () => {
    await build();
    place.write('pub.asc', key.certificate);
    expect((await place.packsign(['key', 'publish', 'dist', '--certificate', 'pub.asc'])).stderr).toBe('');
  });
});
