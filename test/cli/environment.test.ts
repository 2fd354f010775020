import { chmodSync } from 'node:fs';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { forgetRelativeFolders } from '../../src/cli/environment.js';
import { cacheFolder, notesFolder, trustFolder } from '../../src/cli/folders.js';
import type { Outside } from '../../src/cli/streams.js';
import { codeOf, newKey, newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';

const onUnix = describe.skipIf(process.platform === 'win32');

/** Environments that would make every folder of the user one of the current directory. */
const RELATIVE: readonly Readonly<Record<string, string>>[] = [
  { HOME: '' },
  { HOME: '.' },
  { HOME: 'home/..' },
  { HOME: '', XDG_CACHE_HOME: '.cache', XDG_CONFIG_HOME: '.config', XDG_STATE_HOME: '.local/state' },
];

onUnix('the folders of a user (T37)', () => {
  const places = [notesFolder, trustFolder, cacheFolder] as const;
  const all = (environment: Record<string, string>) =>
    places.map((place) => place({ environment } as unknown as Outside));

  test.each(RELATIVE)('are those of the account if the environment names relative ones: %o', (variables) => {
    expect(all(variables)).toEqual(all({ HOME: userInfo().homedir }));
  });

  test('are those that the variables name, if they are absolute', () => {
    expect(all({ HOME: '/h', XDG_CACHE_HOME: '/c' })).toEqual([
      '/h/.local/state/packsign/published',
      '/h/.config/packsign',
      '/c/packsign/databases',
    ]);
  });
});

describe('the environment of packsign and of the programs that it starts (T37)', () => {
  const after = (environment: Record<string, string>) => {
    forgetRelativeFolders(environment);
    return environment;
  };
  const [one, two] = [resolve('/one'), resolve('/two')];

  test.each([
    ...['HOME', 'XDG_STATE_HOME', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME', 'XDG_DATA_HOME', 'XDG_RUNTIME_DIR'],
    ...['GNUPGHOME', 'SEQUOIA_HOME', 'TMPDIR', 'TMP', 'TEMP', 'NODE_COMPILE_CACHE', 'APPDATA', 'USERPROFILE'],
  ])('has %s only if it is absolute', (name) => {
    for (const relative of ['', '.', 'x', './x', '../x', '~/x'])
      expect(after({ [name]: relative })).toEqual({});
    expect(after({ [name]: one })).toEqual({ [name]: one });
  });

  test.skipIf(process.platform === 'win32')('has no relative folder in the search path', () => {
    expect(after({ PATH: `.:${one}::bin:${two}:` })).toEqual({ PATH: `${one}:${two}` });
    expect(after({ PATH: '.' })).toEqual({});
    expect(after({ PATH: '' })).toEqual({});
  });

  test('keeps all other variables', () => {
    const others = { LANG: '', NO_COLOR: '', PACKSIGN_KEY: 'key.asc', XDG_SESSION_TYPE: 'x11' };
    expect(after({ ...others })).toEqual(others);
  });
});

onUnix('a download that somebody prepared for a relative home (T37)', () => {
  let place: Place;

  beforeEach(() => {
    place = newPlace();
  });

  test.each(RELATIVE)(
    'packsign believes neither its notes nor its trusted databases: %o',
    async (variables) => {
      const key = await newKey('Mallory');
      place.write('key.asc', key.signing);
      place.write('pub.asc', key.certificate);
      place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
      const prepared = { HOME: place.root, XDG_STATE_HOME: place.path('.local/state') };
      expect((await place.packsign(['build', 'dist', '--key', 'key.asc'], { env: prepared })).status).toBe(0);
      const url = `file://${place.path('dist')}/`;
      const add = ['trust', 'add', url, '--keys', 'pub.asc', '--name', 'mallory'];
      expect((await place.packsign(add, { env: prepared })).status).toBe(0);
      expect((await place.json(['verify', 'dist'], { env: prepared })).value['status']).toBe('authentic');
      const env = { XDG_STATE_HOME: '', ...variables };
      expect((await place.json(['verify', 'dist'], { env })).value['status']).toBe('unauthenticated');
      expect(codeOf(await place.json(['verify', 'mallory'], { env }))).toBe('FILE_UNREADABLE');
      expect((await place.packsign(['trust', 'list'], { env })).stdout).not.toContain('mallory');
    },
  );

  test.each(['.:/usr/bin:/bin', ':/usr/bin:/bin', '.', ''])(
    'packsign runs no program from it, whatever the search path says: "%s"',
    async (PATH) => {
      const key = await newKey('Ada');
      place.write('key.asc', key.signing);
      place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
      expect((await place.packsign(['build', 'dist', '--key', 'key.asc'])).status).toBe(0);
      for (const program of ['gpg', 'gpgv', 'sqv'])
        chmodSync(place.write(program, `#!/bin/sh\necho ${program} >> ran\n`), 0o755);
      await place.process(['key', 'show', 'Nobody at all'], { env: { PATH } });
      await place.process(['verify', `file://${place.path('dist')}/`, '--as-stranger'], { env: { PATH } });
      expect(place.has('ran') ? place.text('ran') : '').toBe('');
    },
  );
});

test('NO_HOME: without a home folder packsign believes nothing and writes nothing (T37)', async () => {
  const place = newPlace();
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  // As in a container that runs under an unknown user id.
  const nobody = place.write(
    'nobody.cjs',
    "require('node:os').userInfo = () => { throw new Error('ENOENT'); };",
  );
  const env = { HOME: '', XDG_STATE_HOME: '', NODE_OPTIONS: `--require=${nobody}` };
  const before = place.snapshot('.');
  for (const command of [
    ['trust', 'list'],
    ['verify', 'dist'],
    ['build', 'dist'],
  ])
    expect(JSON.parse((await place.process([...command, '--json'], { env })).stdout)).toMatchObject({
      error: { code: 'NO_HOME' },
    });
  expect(place.snapshot('.')).toEqual(before);
  expect((await place.process(['verify', 'dist'], { env })).stderr).toBe(
    'packsign: error: packsign has no home folder to keep its state in\n' +
      'packsign: hint: set HOME to an absolute path\n',
  );
  expect((await place.process(['--version'], { env })).status).toBe(0);
});
