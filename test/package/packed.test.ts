import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSdist } from '../real.js';

const MANIFEST = JSON.parse(
  spawnSync(process.execPath, ['-p', 'JSON.stringify(require("./package.json"))'], { encoding: 'utf8' })
    .stdout,
) as { version: string; dependencies: Readonly<Record<string, string>> };

let folder: string;
/** A project of somebody else, in which packsign is installed. */
let consumer: string;

/** Runs a program in the consumer's folder, with a home of its own. */
function inConsumer(command: string, args: readonly string[]) {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: join(folder, 'home'),
    npm_config_offline: 'true',
    // npm's own news is not what packsign prints.
    npm_config_update_notifier: 'false',
  };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: consumer, env, encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** Runs what npm puts on the PATH. */
function packsign(...args: readonly string[]) {
  return inConsumer(join(consumer, 'node_modules', '.bin', 'packsign'), args);
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'packsign-packed-'));
  consumer = join(folder, 'consumer');
  mkdirSync(join(folder, 'home'));
  mkdirSync(join(consumer, 'node_modules'), { recursive: true });
  const manifest = { name: 'consumer', version: '1.0.0', type: 'module', private: true };
  writeFileSync(join(consumer, 'package.json'), JSON.stringify(manifest));
  // What is packed is what was compiled before the tests; nothing is compiled again beneath them.
  const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
  const env = { ...process.env, HOME: join(folder, 'home') };
  const packed = spawnSync('npm', pack, { env, encoding: 'utf8' });
  if (packed.status !== 0) throw new Error(packed.stderr);
  install(join(folder, packed.stdout.trim()));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** As npm install does, but with the dependencies that are installed here: nothing is fetched. */
function install(tarball: string): void {
  const modules = join(consumer, 'node_modules');
  const unpacked = inConsumer('tar', ['-xzf', tarball, '-C', modules]);
  if (unpacked.status !== 0) throw new Error(unpacked.stderr);
  cpSync(join(modules, 'package'), join(modules, 'packsign'), { recursive: true });
  rmSync(join(modules, 'package'), { recursive: true });
  mkdirSync(join(modules, '.bin'));
  symlinkSync('../packsign/dist/bin/packsign.js', join(modules, '.bin', 'packsign'));
  // Only what the manifest names: a dependency that it forgets is missing here too.
  for (const name of Object.keys(MANIFEST.dependencies)) {
    const link = join(modules, 'packsign', 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true }); // a scope is a folder of its own
    symlinkSync(resolve('node_modules', name), link);
  }
}

describe('the packed package', () => {
  it('holds what it needs, and none of the tests', () => {
    const packsign = join(consumer, 'node_modules', 'packsign');
    const all = readdirSync(packsign, { recursive: true, encoding: 'utf8' });
    const paths = all.filter((path) => !path.startsWith('node_modules'));
    for (const path of [
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
      'dist/bin/packsign.js',
      'dist/src/index.d.ts',
    ]) {
      expect(paths).toContain(path);
    }
    expect(existsSync(join(packsign, 'templates', 'packsign.schema.json'))).toBe(true);
    expect(existsSync(join(packsign, 'templates', 'output', 'build.schema.json'))).toBe(true);
    // V8's code fits one Node only, and nobody can read it.
    expect(paths.filter((path) => path.endsWith('.v8'))).toEqual([]);
    expect(paths.filter((path) => /^(?:test|src|bench|scripts|demo)(?:\/|$)|\.test\./.test(path))).toEqual(
      [],
    );
  });

  it('runs by npx, which finds its version', () => {
    expect(inConsumer('npx', ['--no-install', 'packsign', '--version'])).toMatchObject({
      status: 0,
      stdout: `${MANIFEST.version}\n`,
      stderr: '',
    });
  });

  it('makes a key, builds, signs and verifies as the help says', () => {
    const dist = join(consumer, 'dist');
    writeSdist(join(dist, 'adder-1.0.tar.gz'), { name: 'adder', version: '1.0' });
    const made = packsign('key', 'generate', '--user-id', 'Ada <ada@example.org>', '--no-passphrase');
    expect(made.status, made.stderr).toBe(0);
    const built = packsign('build', 'dist', '--key', 'packsign-key.signing.asc');
    expect(built.status, built.stderr).toBe(0);
    const verified = packsign('verify', 'dist', '--keys', 'packsign-key.pub.asc');
    expect(verified.status, verified.stderr).toBe(0);
    expect(verified.stdout).toContain('authentic');
  });

  it('is a library with types, which takes the programs of docs/LIBRARY.md', () => {
    const program = `import { PacksignError, makeRun, verify } from 'packsign';
import type { VerifyResult } from 'packsign';

const options = {
  keysFile: 'packsign-key.pub.asc',
  fingerprints: [],
  threshold: null,
  signatureFile: null,
  files: true,
  run: makeRun({ clock: () => new Date() }),
};
const result: VerifyResult = await verify('dist', options);
if (result.trusted !== null) console.log(result.status, [...result.trusted.Files.keys()].join());
try {
  await verify('nowhere', options);
} catch (error) {
  if (error instanceof PacksignError) console.log(error.code);
}
`;
    writeFileSync(join(consumer, 'program.mts'), program);
    const documented = programsOfDocument();
    expect(documented).toHaveLength(2);
    const compiled = compile('program.mts', ...documented);
    expect(compiled.status, compiled.stdout).toBe(0);
    expect(inConsumer(process.execPath, ['program.mjs'])).toMatchObject({
      status: 0,
      stdout: 'authentic adder-1.0.tar.gz\nFILE_UNREADABLE\n',
    });
  });
});

/** Writes the programs of docs/LIBRARY.md into the consumer's folder, with what they take as given. Returns their names. */
function programsOfDocument(): readonly string[] {
  const given = `declare const [database, signature, keys]: readonly Uint8Array[];
declare const FINGERPRINT: string;
declare const file: File;
`;
  const programs = readFileSync('docs/LIBRARY.md', 'utf8').matchAll(/^```js\n(.*?)^```$/gms);
  return Array.from(programs, ([, text = ''], index) => {
    const name = `documented-${index}.mts`;
    writeFileSync(join(consumer, name), `${text}${text.includes('FINGERPRINT') ? given : ''}`);
    return name;
  });
}

/** Compiles programs of the consumer as strictly as a user may, the types of the package included. */
function compile(...programs: readonly string[]) {
  const tsc = [
    resolve('node_modules/typescript/bin/tsc'),
    ...programs,
    '--strict',
    '--skipLibCheck',
    'false',
  ];
  const types = ['--typeRoots', resolve('node_modules/@types'), '--types', 'node'];
  return inConsumer(process.execPath, [...tsc, '--module', 'nodenext', '--target', 'es2023', ...types]);
}
