import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCompiled } from '../../src/cli/compiled.js';
import { given } from '../tools.js';

let home = '';
let program = '';

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'packsign-compiled-'));
  program = join(home, 'program.js');
  write("console.log('this program')");
});
afterEach(() => rmSync(home, { recursive: true }));

const folder = () => join(home, 'packsign/compiled');
const write = (source: string) => {
  writeFileSync(program, source);
};

/** The folders that Node is told to keep compiled code in. */
function enabled(cacheHome = home): readonly string[] {
  const folders: string[] = [];
  write('');
  runCompiled(program, { environment: { HOME: home, XDG_CACHE_HOME: cacheHome }, command: 'build' }, (path) =>
    folders.push(path),
  );
  return folders;
}

/** What the program prints, run in a process of its own that keeps compiled code as Node 20 needs it. */
function run(command?: string, variables = {}): string {
  const words = { environment: { HOME: home, XDG_CACHE_HOME: home, ...variables }, command };
  const module = pathToFileURL(resolve('dist/src/cli/compiled.js')).href;
  const script = `const { runCompiled } = await import('${module}');
    runCompiled(${JSON.stringify(program)}, ${JSON.stringify(words)}, null);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  return stdout + stderr;
}

const kept = () => (existsSync(folder()) ? readdirSync(folder()).sort() : []);
const keptFile = () => join(folder(), 'build-program.js.v8');

/** What stands in a kept file: a digest over the source and what was compiled, and that. */
function sealed(source: string, data: Uint8Array): Uint8Array {
  const digest = createHash('sha256').update(`${source.length}\n`).update(source).update(data).digest();
  return Buffer.concat([digest, data]);
}

const onUnix = test.runIf(given(process.platform === 'linux', 'this is not Linux'));
const asRoot = test.runIf(given(process.getuid?.() === 0, 'only root gives a folder to somebody else'));

describe('where compiled code is kept', () => {
  onUnix('in a folder that only its user may open', () => {
    expect(enabled()).toEqual([folder()]);
    expect(lstatSync(folder()).mode & 0o777).toBe(0o700);
    expect(enabled()).toEqual([folder()]);
  });

  onUnix.each([0o777, 0o770, 0o702])('not where others could put code of theirs: mode %o', (mode) => {
    mkdirSync(folder(), { recursive: true });
    chmodSync(folder(), mode);
    expect(enabled()).toEqual([]);
    write("console.log('this program')");
    expect([run('build'), kept()]).toEqual(['this program\n', []]);
  });

  onUnix('not behind a link', () => {
    mkdirSync(join(home, 'elsewhere'), { mode: 0o700 });
    mkdirSync(join(home, 'packsign'));
    symlinkSync(join(home, 'elsewhere'), folder());
    expect(enabled()).toEqual([]);
  });

  asRoot('not in a folder of somebody else: sudo may leave HOME as it was', () => {
    mkdirSync(folder(), { recursive: true, mode: 0o700 });
    chownSync(folder(), 1000, 1000);
    expect(enabled()).toEqual([]);
  });

  onUnix('nothing fails where no folder can be made', () => {
    writeFileSync(join(home, 'file'), '');
    expect(enabled(join(home, 'file'))).toEqual([]);
  });
});

test('another folder, or none, where that is asked for', () => {
  const elsewhere = join(home, 'elsewhere');
  run('build', { NODE_COMPILE_CACHE: elsewhere });
  run('build', { NODE_DISABLE_COMPILE_CACHE: '1' });
  expect([kept(), readdirSync(elsewhere)]).toEqual([[], ['build-program.js.v8']]);
});

describe('on a Node that keeps nothing by itself', () => {
  test('each command has its own compiled code, readable for its user alone', () => {
    for (const command of ['build', 'key', '--help', '../up', undefined])
      expect(run(command)).toBe('this program\n');
    expect(kept()).toEqual(['build-program.js.v8', 'key-program.js.v8', 'program.js.v8']);
    if (process.platform === 'linux') expect(lstatSync(keptFile()).mode & 0o777).toBe(0o600);
  });

  test('what was kept is run next time, and stays', () => {
    run('build');
    const bytes = readFileSync(keptFile());
    expect(run('build')).toBe('this program\n');
    expect(readFileSync(keptFile())).toEqual(bytes);
    // The only way to see that it is used: other code of the same length, and a digest that says it belongs to this one.
    const own = readFileSync(program, 'utf8');
    write("console.log('that program')");
    run('key');
    const other = readFileSync(join(folder(), 'key-program.js.v8')).subarray(32);
    write(own);
    writeFileSync(keptFile(), sealed(own, other));
    expect(run('build')).toBe('that program\n');
  });

  test('not for a program that is another by now, even of the same length, which is all that V8 compares', () => {
    run('build');
    write("console.log('that program')");
    expect(run('build')).toBe('that program\n');
    expect(run('build')).toBe('that program\n');
  });

  test.each<[string, (bytes: Buffer) => Uint8Array]>([
    ['one bit', (bytes) => bytes.with(bytes.length - 9, (bytes.at(-9) ?? 0) ^ 1)],
    ['its end', (bytes) => bytes.subarray(0, -100)],
    ['its start', (bytes) => bytes.subarray(1)],
    ['all', () => new Uint8Array()],
  ])('damaged code is not run, and made anew: %s', (_, damage) => {
    run('build');
    const bytes = readFileSync(keptFile());
    writeFileSync(keptFile(), damage(bytes));
    expect(run('build')).toBe('this program\n');
    expect(readFileSync(keptFile()).length).toBeGreaterThan(bytes.length - 100);
    expect(run('build')).toBe('this program\n');
  });

  test('a run that failed keeps nothing', () => {
    write('process.exitCode = 1');
    run('build');
    expect(kept()).toEqual([]);
  });

  test('OpenPGP.js is kept too, and loaded once', () => {
    mkdirSync(join(home, 'node_modules/openpgp'), { recursive: true });
    writeFileSync(
      join(home, 'node_modules/openpgp/index.js'),
      "console.log('loaded'); exports.name = 'pgp';",
    );
    write("console.log(require('openpgp').name, require('openpgp') === require('openpgp'))");
    for (const command of ['build', 'build']) expect(run(command)).toBe('loaded\npgp true\n');
    expect(kept()).toEqual(['build-index.js.v8', 'build-program.js.v8']);
  });

  test('other modules are loaded as ever, and errors name their place', () => {
    write("require('node:path').join(__dirname, 'x'); nowhere");
    for (const command of ['build', 'build']) expect(run(command)).toContain(`${program}:1:44`);
  });
});
