import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import type { Database } from '../../src/model/database.js';
import { KEY_MADE, makeWorkshop, run, succeed } from '../real.js';
import type { Workshop } from '../real.js';
import { hasTool, hasTools } from '../tools.js';
import { python } from './python.js';

let workshop: Workshop;

beforeAll(async () => {
  workshop = await makeWorkshop();
});

afterAll(() => {
  rmSync(workshop.folder, { recursive: true, force: true });
});

async function build(directory: string): Promise<Database> {
  await succeed(workshop, ['build', directory, '--key', workshop.key], KEY_MADE + 100);
  return decodeDatabase(readFileSync(join(directory, 'packages.plist')));
}

/** Name and Version by path, as in the database. */
function namesIn({ Files }: Database): Readonly<Record<string, readonly (string | undefined)[]>> {
  return Object.fromEntries(Array.from(Files, ([path, { Name, Version }]) => [path, [Name, Version]]));
}

/** The output of md5sum or sha256sum: path → sum. */
function sumsBy(tool: string, { directory, paths }: { directory: string; paths: readonly string[] }) {
  const { stdout } = run({ ...workshop, folder: directory }, [tool, '--', ...paths]);
  return new Map(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => [line.slice(line.indexOf(' ') + 2), line.split(' ', 1)[0]]),
  );
}

/** Needs md5sum and sha256sum. */
function expectSums(directory: string, database: Database): void {
  const paths = Array.from(database.Files.keys());
  const sha256 = sumsBy('sha256sum', { directory, paths });
  const md5 = sumsBy('md5sum', { directory, paths });
  for (const [path, { SHA256, Size }] of database.Files) {
    expect([path, SHA256]).toEqual([path, sha256.get(path)]);
    expect(Size).toBe(statSync(join(directory, path)).size);
  }
  for (const { MD5Sum, 'Download-URL': url = '' } of database.Packages) {
    expect([url, MD5Sum]).toEqual([url, md5.get(decodeURIComponent(url))]);
  }
}

describe.runIf(hasTool('python3'))('archives that Python makes', () => {
  let directory: string;
  let said: Readonly<Record<string, readonly (string | undefined)[]>>;
  let database: Database;

  beforeAll(async () => {
    directory = join(workshop.folder, 'python');
    const { stdout, stderr, status } = run(workshop, [
      'python3',
      '-I',
      resolve('test/interop/make_archives.py'),
      directory,
    ]);
    if (status !== 0) throw new Error(stderr);
    said = JSON.parse(stdout) as typeof said;
    database = await build(directory);
  });

  it('have the names that its e-mail parser reads', () => {
    expect(Object.keys(said).length).toBeGreaterThan(60);
    expect(namesIn(database)).toEqual(said);
  });

  it.runIf(hasTools('sha256sum', 'md5sum'))('have the sums that coreutils compute', () => {
    expectSums(directory, database);
  });

  it('are in a database that plistlib reads with the same values', () => {
    const program = `
import json, plistlib, sys
with open(json.load(sys.stdin), 'rb') as file:
    database = plistlib.load(file, fmt=plistlib.FMT_XML)
def plain(value):
    return value.strftime('%Y-%m-%dT%H:%M:%S.000Z') if hasattr(value, 'strftime') else value
def walk(value):
    if isinstance(value, dict): return {key: walk(item) for key, item in value.items()}
    if isinstance(value, list): return [walk(item) for item in value]
    return plain(value)
json.dump(walk(database), sys.stdout)`;
    const read = python(program, join(directory, 'packages.plist'));
    const ours = { ...database, Files: Object.fromEntries(database.Files) };
    expect(read).toEqual(JSON.parse(JSON.stringify(ours)));
  });
});

describe('packages that npm packs', () => {
  let directory: string;
  let database: Database;

  beforeAll(async () => {
    directory = join(workshop.folder, 'npm');
    mkdirSync(directory);
    const args = ['pack', '--silent', '--offline', '--ignore-scripts', '--pack-destination', directory];
    // npm keeps its cache and logs in the home folder.
    const env = { ...process.env, HOME: join(workshop.folder, 'home') };
    const npm = spawnSync('npm', [...args, ...installedPackages().slice(0, 45)], { env, encoding: 'utf8' });
    if (npm.status !== 0) throw new Error(npm.stderr);
    database = await build(directory);
    expect(database.Files.size).toBeGreaterThanOrEqual(40);
  });

  it.runIf(hasTools('sha256sum', 'md5sum'))('have the sums that coreutils compute', () => {
    expectSums(directory, database);
  });

  it.runIf(hasTool('python3'))('have the names in their package.json', () => {
    const program = `
import json, os, sys, tarfile
said = {}
folder = json.load(sys.stdin)
for name in os.listdir(folder):
    if name.endswith('.tgz'):
        with tarfile.open(os.path.join(folder, name)) as tar:
            package = json.load(tar.extractfile('package/package.json'))
            said[name] = [package['name'], package['version']]
json.dump(said, sys.stdout)`;
    const said = python(program, directory);
    expect(namesIn(database)).toEqual(said);
  });
});

/** Folders of packages that are installed here, scoped ones too. */
function installedPackages(): readonly string[] {
  const modules = resolve('node_modules');
  return readdirSync(modules)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) =>
      name.startsWith('@')
        ? readdirSync(join(modules, name)).map((scoped) => join(modules, name, scoped))
        : [join(modules, name)],
    )
    .filter((folder) => existsSync(join(folder, 'package.json')) && basename(folder) !== 'typescript');
}
