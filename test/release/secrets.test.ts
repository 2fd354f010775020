import { chmodSync, mkdirSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hiddenSecrets, innocent, privateKeyPem } from '../pgp/hidden.js';
import { codeOf, newKey, newPlace, sdist } from '../packsign.js';
import type { Answer, Place, TestKey } from '../packsign.js';
import { given } from '../tools.js';

let key: TestKey;
let hidden: Readonly<Record<string, Buffer>>;
let place: Place;

beforeAll(async () => {
  key = await newKey('Ann');
  hidden = hiddenSecrets(key);
});

beforeEach(() => {
  place = newPlace();
  place.write('ann.asc', key.signing);
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
});

const BUILD = ['build', 'dist', '--key', 'ann.asc'];
const SIGN = ['sign', 'dist', '--key', 'ann.asc'];
const WATCH = ['watch', 'dist', '--key', 'ann.asc', '--once'];

const REFUSED = { status: 1, code: 'SECRET_IN_DIRECTORY' };

async function outcomeOf(args: readonly string[]): Promise<{ status: number | null; code: unknown }> {
  const answer = await place.json(args);
  return { status: answer.status, code: codeOf(answer) };
}

function messageOf({ value }: Answer): unknown {
  return (value['error'] as Record<string, unknown> | undefined)?.['message'];
}

/** The paths in the message of a refusal. */
async function refusedPaths(args: readonly string[]): Promise<readonly string[]> {
  const answer = await place.json(args);
  expect({ status: answer.status, code: codeOf(answer) }).toEqual(REFUSED);
  return Array.from(
    String(messageOf(answer)).matchAll(/(?:: |, )([^,]+) \((?:an? )/g),
    ([, path]) => path ?? '',
  );
}

describe('T19: each of these keeps a directory from being published', () => {
  test('by build, each by itself', async () => {
    const missed: string[] = [];
    for (const [path, bytes] of Object.entries(hidden)) {
      place.write(`dist/${path}`, bytes);
      const { status, code } = await outcomeOf([...BUILD, '--include', 'later.gpg', '--exclude', 'utf16*']);
      if (status !== 1 || code !== REFUSED.code) missed.push(path);
      place.remove(`dist/${path}`);
    }
    expect(missed).toEqual([]);
    expect(place.has('dist/packages.plist')).toBe(false);
    expect((await place.packsign(BUILD)).status).toBe(0);
  });

  test('by build, sign, sign --without-files, sign --co-sign and watch, all at once', async () => {
    expect((await place.packsign(BUILD)).status).toBe(0);
    for (const [path, bytes] of Object.entries(hidden)) place.write(`dist/${path}`, bytes);
    expect((await place.packsign(['build', 'dist'])).status).toBe(0);
    for (const args of [BUILD, SIGN, [...SIGN, '--without-files'], [...SIGN, '--co-sign']]) {
      const message = String(messageOf(await place.json(args)));
      expect([args, message]).toEqual([
        args,
        expect.stringContaining('there are secrets in the directory: '),
      ]);
      expect(message).toMatch(/, \d+ more$/);
    }
    const { status, stderr } = await place.packsign(WATCH);
    expect([status, stderr]).toEqual([1, expect.stringContaining('refused SECRET_IN_DIRECTORY')]);
    expect((await place.json(['status', 'dist'])).value['attention']).toContain('SECRET_IN_DIRECTORY');
    place.remove('dist/packages.unsigned.plist');
    expect(await outcomeOf(SIGN)).toEqual(REFUSED);
  }, 60_000);

  test('also where a file that was harmless becomes one', async () => {
    const old = new Date(1_700_000_000_000);
    const file = place.write('dist/.notes', `harmless${' '.repeat(privateKeyPem().length)}`);
    utimesSync(file, old, old);
    // What was touched a moment ago is not remembered.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2100);
    for (let run = 0; run < 2; run += 1) expect((await place.packsign(BUILD)).status).toBe(0);
    const remembered = () => statSync(place.path('dist/.packsign/searched')).mtimeMs;
    const before = remembered();
    place.write('dist/demo-2.0.tar.gz', sdist('demo', '2.0'));
    expect((await place.packsign(BUILD)).status).toBe(0);
    // What this build published is looked through in memory, and not worth a note.
    expect(remembered()).toBe(before);
    writeFileSync(file, `${privateKeyPem()}harmless`);
    utimesSync(file, old, old);
    expect(await refusedPaths(BUILD)).toEqual(['.notes']);
  });
});

test('T19: certificates, signatures and what only looks like a secret are published, listed or not', async () => {
  for (const [path, bytes] of Object.entries(innocent(key))) {
    place.write(`dist/${path}`, bytes);
    place.write(`dist/.hidden/${path}`, bytes);
  }
  const run = await place.packsign([...BUILD, '--include', '**']);
  expect(run.status, run.stderr).toBe(0);
  expect((await place.packsign(['verify', 'dist'])).status).toBe(0);
});

describe('where secrets are looked for', () => {
  test('in names that are no UTF-8, files and folders, hidden or not', async () => {
    const bytes = (text: string) => Buffer.from(place.path(`dist/${text}`), 'latin1');
    mkdirSync(place.path('dist/.hidden'));
    mkdirSync(bytes('f\xe9/deep'), { recursive: true });
    for (const name of ['a\xe9.txt', '.hidden/b\xe9', 'f\xe9/deep/key'])
      writeFileSync(bytes(name), key.secret);
    expect(await refusedPaths(BUILD)).toEqual(['.hidden/b\\xE9', 'a\\xE9.txt', 'f\\xE9/deep/key']);
  });

  test('in a file that differs only in case from a listed one', async () => {
    place.write('dist/Demo-1.0.tar.gz', key.secret);
    place.write('dist/demo-1.0.tar.gz', key.secret);
    expect(await refusedPaths(BUILD)).toEqual(['Demo-1.0.tar.gz', 'demo-1.0.tar.gz']);
  });

  test('not behind links, and not in the working state', async () => {
    place.write('elsewhere/key.asc', key.secret);
    symlinkSync(place.path('elsewhere/key.asc'), place.path('dist/link.asc'));
    symlinkSync(place.path('elsewhere'), place.path('dist/folder'));
    place.write('dist/.packsign/key.asc', key.secret);
    const run = await place.packsign(BUILD);
    expect(run.status, run.stderr).toBe(0);
  });

  test.runIf(given(process.getuid?.() !== 0, 'root can read every file'))(
    'a file that cannot be read is named',
    async () => {
      chmodSync(place.write('dist/.secret', key.secret), 0);
      const run = await place.packsign(BUILD);
      expect(run.status).toBe(0);
      expect(run.stderr).toContain('warning: .secret: cannot be read, and was not searched for secret keys');
    },
  );
});

describe('--allow-secret', () => {
  const TEST_KEY = ['--allow-secret', 'tests/key.pem'];

  test('lets build, sign and watch publish this file, and no other', async () => {
    place.write('dist/tests/key.pem', privateKeyPem());
    place.write('dist/key-1.0.sh', key.secret);
    expect(await refusedPaths([...BUILD, ...TEST_KEY])).toEqual(['key-1.0.sh']);
    expect((await place.packsign([...BUILD, ...TEST_KEY, '--allow-secret', 'key-1.0.sh'])).status).toBe(0);
    expect((await place.packsign(['verify', 'dist'])).status).toBe(0);
    place.remove('dist/key-1.0.sh');
    expect((await place.packsign(['build', 'dist'])).status).toBe(0);
    expect(await outcomeOf(SIGN)).toEqual(REFUSED);
    expect((await place.packsign([...SIGN, ...TEST_KEY])).status).toBe(0);
    place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    expect((await place.packsign([...WATCH, ...TEST_KEY])).status).toBe(0);
    expect(place.text('dist/packages.plist')).toContain('more-1.0.tar.gz');
  });

  test('says so if there is no secret in the file', async () => {
    place.write('dist/tests/key.pem', 'no key');
    const run = await place.packsign([...BUILD, ...TEST_KEY]);
    expect(run.status).toBe(0);
    expect(run.stderr).toContain('warning: tests/key.pem: allowed, but there is no secret in it');
  });

  test('takes every spelling of the path', async () => {
    place.write('dist/tests/key.pem', privateKeyPem());
    for (const path of [
      './tests/key.pem',
      'tests//key.pem',
      'tests/../tests/./key.pem',
      'dist/tests/key.pem',
      './dist//tests/key.pem',
      place.path('dist/tests/key.pem'),
    ]) {
      const run = await place.packsign([...BUILD, '--allow-secret', path]);
      expect([path, run.status, run.stderr.includes('allowed')]).toEqual([path, 0, false]);
    }
    const twice = await place.packsign([...BUILD, ...TEST_KEY, '--allow-secret', './tests/key.pem']);
    expect([twice.status, twice.stderr.includes('allowed')]).toEqual([0, false]);
  });

  test('means the file in the directory where there is one on both paths', async () => {
    place.write('dist/tests/key.pem', privateKeyPem());
    place.write('dist/dist/tests/key.pem', privateKeyPem());
    expect(await refusedPaths([...BUILD, '--allow-secret', 'dist/tests/key.pem'])).toEqual(['tests/key.pem']);
  });

  test.each(['tests/kye.pem', 'tests', '.', '../key.pem', '/', 'dist/.packsign/key.pem', 'tests/key.pem/x'])(
    'says so if there is no such file: %s',
    async (path) => {
      place.write('dist/tests/key.pem', privateKeyPem());
      place.write('dist/.packsign/key.pem', privateKeyPem());
      place.write('key.pem', privateKeyPem());
      const run = await place.packsign([...BUILD, '--allow-secret', path]);
      expect([run.status, run.stderr]).toEqual([
        1,
        expect.stringContaining(`warning: ${path}: allowed, but there is no such file in the directory`),
      ]);
    },
  );

  test('is no setting', async () => {
    place.write('dist/packsign.json', '{ "AllowSecret": ["tests/key.pem"] }');
    expect(await outcomeOf(BUILD)).toEqual({ status: 2, code: 'SETTINGS_INVALID' });
  });
});
