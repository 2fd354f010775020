import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { codeFile, compiledIn, encodeCode, load, makeScript } from '../../src/cli/compiled-code.js';
import { newKey, newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';

let place: Place;
/** A copy of the program, its bundle, and OpenPGP.js as it finds it. */
let program: string;
let bundle: string;
let openpgp: string;
/** What a run prints that uses the bundle and OpenPGP.js. */
let right: string;
/** File → what is kept of it. */
let made: ReadonlyMap<string, Buffer>;

beforeAll(async () => {
  place = newPlace();
  place.write('key.asc', (await newKey('Ann')).certificate);
  copyTo(place.path('installed'));
  program = place.path('installed/dist/bin/packsign.js');
  bundle = place.path('installed/dist/program/cli/packsign.js');
  openpgp = createRequire(bundle).resolve('openpgp');
  right = run().stdout;
  expect(right).toMatch(/^[0-9A-F ]{50}\n/);
  makeCode();
  made = new Map([bundle, openpgp].map((file) => [file, readFileSync(kept(file))]));
});

beforeEach(() => {
  cpSync(resolve('dist/program/cli/packsign.js'), bundle);
  for (const file of [bundle, openpgp]) rmSync(kept(file), { recursive: true, force: true });
});

/** Copies the program without compiled code. */
function copyTo(folder: string): void {
  for (const name of ['dist/bin', 'dist/program', 'package.json'])
    cpSync(resolve(name), join(folder, name), {
      recursive: true,
      filter: (path) => !path.endsWith('.v8'),
    });
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
}

function kept(file: string): string {
  return codeFile(dirname(bundle), file);
}

function run(env: Readonly<Record<string, string>> = {}, flags: readonly string[] = []) {
  return spawnSync(process.execPath, [...flags, program, 'key', 'show', 'key.asc'], {
    cwd: place.root,
    env: { HOME: place.path('home'), ...env },
    encoding: 'utf8',
  });
}

/** Makes the code, in an environment of its own. */
function makeCode(env: Readonly<Record<string, string>> = {}): void {
  const maker = place.path('installed/dist/bin/compile-code.js');
  const made = spawnSync(process.execPath, [maker], { env, encoding: 'utf8' });
  expect([made.status, made.stdout, made.stderr]).toEqual([0, '', '']);
}

/** The code as it was made, changed. */
function keepCode(change: (kept: Buffer) => Uint8Array = (bytes) => bytes): void {
  for (const [file, bytes] of made) writeFileSync(kept(file), change(Buffer.from(bytes)));
}

function expectRight({ status, stdout, stderr }: ReturnType<typeof run>): void {
  expect([status, stdout, stderr]).toEqual([0, right, '']);
}

/** Another program, just as long as this one. */
function otherSource(file: string, word: string): Buffer {
  return Buffer.from(`console.log('${word}');`.padEnd(readFileSync(file, 'utf8').length));
}

/** V8's code of that: V8 itself takes it for that of this one. */
function otherCode(file: string): Buffer {
  return makeScript(file, otherSource(file, 'planted')).createCachedData();
}

test('the code that is kept is used, for the bundle and for OpenPGP.js', () => {
  keepCode();
  for (const file of [bundle, openpgp]) expect(compiledIn(dirname(bundle))(file)).not.toBeNull();
  expectRight(run());
  // So code that this test plants would run, if it counted.
  writeFileSync(kept(bundle), encodeCode(bundle, readFileSync(bundle), otherCode(bundle)));
  expect(run().stdout).toBe('planted\n');
});

describe('the bundle runs as it is', () => {
  test('if the code is of another source of the same length', () => {
    writeFileSync(kept(bundle), encodeCode(bundle, otherSource(bundle, 'planted'), otherCode(bundle)));
    expectRight(run());
  });

  test('if it is newer than the code, and as long as before', () => {
    keepCode();
    writeFileSync(bundle, otherSource(bundle, 'newer'));
    expect(run().stdout).toBe('newer\n');
  });

  test('if the code of OpenPGP.js is of another source of the same length', () => {
    writeFileSync(kept(openpgp), encodeCode(openpgp, otherSource(openpgp, 'planted'), otherCode(openpgp)));
    expectRight(run());
  });

  test('if the code was made at another path, which Node 20 would show in stacks', () => {
    writeFileSync(
      kept(bundle),
      encodeCode('/elsewhere/packsign.js', readFileSync(bundle), otherCode(bundle)),
    );
    expectRight(run());
  });

  test.each([0, 1, 31, 32, 33, 4096, -1])('if the code is cut: %i bytes', (bytes) => {
    keepCode((code) => code.subarray(0, bytes < 0 ? code.length + bytes : bytes));
    expectRight(run());
  });

  test.each([0, 31, 32, 40, 60, 5000, 100_000, -1])('if a byte of the code flipped: at %i', (at) => {
    keepCode((code) => {
      const index = at < 0 ? code.length + at : at;
      code[index] = (code[index] ?? 0) ^ 0x10;
      return code;
    });
    expectRight(run());
  });

  test('if the code cannot be read', () => {
    for (const file of [bundle, openpgp]) mkdirSync(kept(file));
    expectRight(run());
  });

  test('if Node runs with other flags of V8', () => {
    keepCode();
    expectRight(run({}, ['--no-opt', '--stack-size=900']));
  });
});

test('nothing but the folder of the bundle is looked into (T37)', () => {
  const planted = encodeCode(bundle, readFileSync(bundle), otherCode(bundle));
  for (const folder of [
    '.',
    'home/.cache/packsign/compiled',
    'cache/packsign/compiled',
    'tmp',
    'dist/program/cli',
  ])
    place.write(`${folder}/packsign.js.v8`, planted);
  const spy = place.write(
    'spy.cjs',
    `const fs = require('node:fs');
for (const name of ['readFileSync', 'openSync', 'statSync', 'existsSync', 'readdirSync']) {
  const { [name]: real } = fs;
  fs[name] = (path, ...more) => {
    if (/v8|compiled/.test(String(path))) fs.appendFileSync(process.env.SPIED, path + '\\n');
    return real(path, ...more);
  };
}
`,
  );
  const before = place.snapshot('home');
  const folders = { XDG_CACHE_HOME: place.path('cache'), TMPDIR: place.path('tmp') };
  const spied = place.path('spied');
  for (const env of [folders, { ...folders, HOME: '' }, { HOME: '.', XDG_CACHE_HOME: '.cache' }])
    expectRight(run({ ...env, SPIED: spied, NODE_OPTIONS: `--require=${spy}` }));
  expect(new Set(readFileSync(spied, 'utf8').trim().split('\n'))).toEqual(new Set([kept(bundle)]));
  expect(place.snapshot('home')).toEqual(before);
});

test('what runs by compiled code has its own file, lines and columns in a stack', () => {
  const file = place.write(
    'some.cjs',
    "exports.stack = new Error('x').stack;\nexports.at = [__filename, __dirname];\n",
  );
  const script = makeScript(file, readFileSync(file));
  const { stack, at } = load(file, () => script) as { stack: string; at: readonly string[] };
  expect(stack).toContain(`at ${file}:1:17\n`);
  expect(at).toEqual([file, dirname(file)]);
});

test('making the code leaves nothing elsewhere', () => {
  const before = readdirSync(dirname(bundle));
  mkdirSync(place.path('scratch'));
  makeCode({ TMPDIR: place.path('scratch'), HOME: place.path('home') });
  expect(readdirSync(place.path('scratch'))).toEqual([]);
  expect(existsSync(place.path('home/.local'))).toBe(false);
  const added = readdirSync(dirname(bundle)).filter((name) => !before.includes(name));
  expect(added.sort()).toEqual(['openpgp.min.cjs.v8', 'packsign.js.v8']);
});
