import { execFileSync } from 'node:child_process';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import type { Database } from '../../src/model/database.js';
import { newKey, newPlace, npmTarball, sdist, tarball } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';

let key: TestKey;
let place: Place;

beforeAll(async () => {
  key = await newKey('Ann');
});

beforeEach(() => {
  place = newPlace();
  place.write('ann.asc', key.signing);
});

/** The database published for the files of a place. */
async function released(): Promise<Database> {
  const run = await place.packsign(['build', 'dist', '--key', 'ann.asc']);
  expect(run.status, run.stderr).toBe(0);
  expect((await place.packsign(['verify', 'dist'])).status).toBe(0);
  return decodeDatabase(place.read('dist/packages.plist'));
}

function pkgInfo(lines: string): Buffer {
  return tarball([{ path: 'demo-1.0/PKG-INFO', bytes: `Metadata-Version: 2.1\n${lines}\n` }]);
}

test('T36: a writer leaves out paths that mean another file elsewhere, and says why', async () => {
  const odd = {
    'CON/demo-1.0.tar.gz': 'Windows device',
    'lib/aux/demo-1.0.tar.gz': 'Windows device',
    'com1.tar.gz': 'Windows device',
    'v1./demo-1.0.tar.gz': 'end with a dot',
    'SIGNAT~1/demo-1.0.tar.gz': 'short name',
    'a-1~1.zip': 'short name',
    'Assets/packsign-0a1b/demo-1.0.tar.gz': 'packsign itself',
    'Packages.PLIST/demo-1.0.tar.gz': 'packsign itself',
    'Keys.GPG/demo-1.0.tar.gz': 'packsign itself',
  };
  for (const path of Object.keys(odd)) place.write(`dist/${path}`, sdist('demo', '1.0'));
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  const run = await place.packsign(['build', 'dist', '--key', 'ann.asc', '--verbose']);
  expect(run.status, run.stderr).toBe(0);
  for (const [path, why] of Object.entries(odd)) {
    const line = run.stderr.split('\n').find((one) => one.startsWith(`  ${path}: left out: `));
    expect(line).toContain(why);
  }
  expect(run.stderr).toContain('9 files (UNSAFE_NAME):');
  expect(Array.from((await released()).Files.keys())).toEqual(['demo-1.0.tar.gz']);
});

describe('T16: metadata of an archive may be hostile', () => {
  test('controls and bidirectional marks in a summary become spaces', async () => {
    const summary = 'Summary: a\u001b[2Jb\u202ec\u0085d\u2028e\u0007f';
    place.write('dist/demo-1.0.tar.gz', pkgInfo(`Name: demo\nVersion: 1.0\n${summary}`));
    const [entry] = (await released()).Packages;
    // eslint-disable-next-line no-control-regex
    expect(entry!.Description).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
    expect(entry!.Description).toMatch(/^a .*f$/);
  });

  test('markup in a summary stays text', async () => {
    const summary = 'Summary: </string><key>MD5Sum</key>&amp;<![CDATA[';
    place.write('dist/demo-1.0.tar.gz', pkgInfo(`Name: demo\nVersion: 1.0\n${summary}`));
    expect((await released()).Packages[0]!.Description).toBe('</string><key>MD5Sum</key>&amp;<![CDATA[');
  });

  test('a name that is not a plain word counts as absent', async () => {
    place.write('dist/demo-1.0.tar.gz', pkgInfo('Name: d\u00e9mo\nVersion: 1.0'));
    place.write('dist/other-1.0.tar.gz', pkgInfo('Name: ot her\nVersion: 1.0'));
    const { Files } = await released();
    expect(Array.from(Files.values(), ({ Name }) => Name)).toEqual(['demo', 'other']);
  });

  test('a home page that is not a web address is ignored', async () => {
    const home = 'Home-page: javascript:alert(1)';
    place.write('dist/demo-1.0.tar.gz', pkgInfo(`Name: demo\nVersion: 1.0\n${home}`));
    expect((await released()).Packages[0]).not.toHaveProperty('Home-page');
  });

  test('an address in capitals is accepted', async () => {
    const home = 'Home-page: HTTPS://Example.org';
    place.write('dist/demo-1.0.tar.gz', pkgInfo(`Name: demo\nVersion: 1.0\n${home}`));
    expect((await released()).Packages[0]!['Home-page']).toBe('https://Example.org');
  });

  test('a name, version or address that is too long for a database counts as absent', async () => {
    const long = 'a'.repeat(70_000);
    place.write('dist/demo-1.0.tar.gz', pkgInfo(`Name: ${long}\nVersion: 1.0`));
    place.write('dist/other-1.0.tar.gz', pkgInfo(`Name: other\nVersion: 1${long}`));
    const home = `Home-page: https://example.org/${long}`;
    place.write('dist/third-1.0.tar.gz', pkgInfo(`Name: third\nVersion: 1.0\n${home}`));
    const { Files, Packages } = await released();
    expect(Array.from(Files.values(), ({ Name }) => Name)).toEqual(['demo', 'other', 'third']);
    expect(Packages[2]).not.toHaveProperty('Home-page');
  });

  test('__proto__ is an ordinary name', async () => {
    place.write('dist/__proto__-1.0.tgz', npmTarball('__proto__', '1.0.0'));
    place.write('dist/constructor-1.0.tgz', npmTarball('constructor', '1.0.0'));
    place.write(
      'dist/evil-1.0.tgz',
      tarball([
        {
          path: 'package/package.json',
          bytes: '{"name":"evil","version":"1.0.0","__proto__":{"Yanked":"x"}}',
        },
      ]),
    );
    const { Files } = await released();
    expect(Array.from(Files.values(), ({ Name, Yanked }) => [Name, Yanked])).toEqual([
      ['__proto__', undefined],
      ['constructor', undefined],
      ['evil', undefined],
    ]);
  });

  test('damaged contents are published only where a person says so, and named after the file', async () => {
    const good = sdist('demo', '1.0');
    const damaged = {
      'demo-1.0.tar.gz': good.subarray(0, good.length / 2),
      'zero-1.0.tar.gz': Buffer.alloc(4096),
      'empty-1.0.zip': '',
    };
    for (const [path, bytes] of Object.entries(damaged)) place.write(`dist/${path}`, bytes);
    const build = ['build', 'dist', '--key', 'ann.asc'];
    const refused = await place.packsign(build);
    expect([refused.status, place.has('dist/packages.plist')]).toEqual([1, false]);
    const allow = Object.keys(damaged).flatMap((path) => ['--allow-damaged', path]);
    expect((await place.packsign([...build, ...allow])).status).toBe(0);
    const { Files } = await released();
    expect(Array.from(Files.values(), ({ Name }) => Name)).toEqual(['demo', 'empty', 'zero']);
  });
});

describe('T17: nothing from inside an archive is executed', () => {
  test.each(['os;evil', 'a.b', 'a-b', '1a', 'import', 'x(y)', 'a\tb'])('Install-test of %j', async (name) => {
    place.write('dist/demo-1.0.tar.gz', pkgInfo(`Name: ${name}\nVersion: 1.0`));
    const [entry] = (await released()).Packages;
    expect(entry!['Install-test']).toMatch(
      /^(?:import [A-Za-z_][A-Za-z0-9_]*|raise ImportError\("no test"\))$/,
    );
    if (name !== 'import') expect(entry!['Install-test']).not.toContain(name);
  });

  test('commands in metadata are dropped', async () => {
    const more =
      'Install-command: rm -rf /\nPre-install-command: id\nDownload-URL: http://evil.example/x.tar.gz';
    place.write('dist/demo-1.0.tar.gz', pkgInfo(`Name: demo\nVersion: 1.0\n${more}`));
    const scripts = {
      scripts: { install: 'rm -rf /' },
      'Install-command': 'id',
      dist: { tarball: 'http://evil.example' },
    };
    place.write('dist/pad-1.0.tgz', npmTarball('pad', '1.0.0', scripts));
    await released();
    expect(place.text('dist/packages.plist')).not.toMatch(
      /rm -rf|evil\.example|<key>(?:Pre-i|I)nstall-command/,
    );
  });

  test('names that a shell would act on are left out', async () => {
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    for (const name of [
      'x-$(id)-1.0',
      'x`id`-1.0',
      'x;id-1.0',
      'x&-1.0',
      'x|y-1.0',
      "x'-1.0",
      'x y-1.0',
      'x\ny-1.0',
      '-x-1.0',
    ]) {
      place.write(`dist/${name}.tar.gz`, 'x');
    }
    expect(Array.from((await released()).Files.keys())).toEqual(['demo-1.0.tar.gz']);
  });
});

describe('T19: secrets', () => {
  test('PACKSIGN_* reaches no child, and no output of a success', async () => {
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    const env = { PACKSIGN_KEY: key.signing, PACKSIGN_PASSPHRASE: 'hunter2' };
    for (const args of [
      ['build', 'dist', '--verbose'],
      ['sign', 'dist', '--verbose'],
      ['verify', 'dist', '--json'],
    ]) {
      const { stdout, stderr } = await place.packsign(args, { env });
      expect(stdout + stderr).not.toContain('hunter2');
      expect(stdout + stderr).not.toContain(key.signing.split('\n')[4]);
    }
    const read = 'cat packages*.plist keys.* .packsign/* || true';
    const everything = execFileSync('sh', ['-c', read], {
      cwd: place.path('dist'),
      encoding: 'latin1',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(everything).toContain('<key>Packsign</key>');
    expect(everything).not.toMatch(/hunter2|PRIVATE KEY/);
  });
});
