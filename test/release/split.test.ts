import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { serve } from '../consume/scene.js';
import { emptyZip, newKey, newPlace, sdist } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';
import { PROGRAM } from '../run.js';

// A directory that is divided among databases, as its maintainer types what packsign prints, and as its readers see it.

interface Plan {
  readonly ok: boolean;
  readonly databases: readonly {
    readonly folder: string;
    readonly url: string | null;
    readonly files: number;
    readonly databaseBytes: number;
  }[];
  readonly commands: readonly string[];
  readonly readers: readonly string[];
}

/** Types lines into a shell that knows packsign, as one paste. */
async function type(place: Place, lines: readonly string[]): Promise<string> {
  place.write('bin/packsign', `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`);
  chmodSync(place.path('bin/packsign'), 0o755);
  const env = {
    ...{ PATH: `${place.path('bin')}:${process.env['PATH'] ?? ''}`, HOME: place.path('home') },
    XDG_STATE_HOME: place.path('state'),
  };
  const child = spawn('sh', ['-c', `exec 2>&1\n${lines.join(' &&\n')}`], { cwd: place.root, env });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const status = await new Promise<number | null>((done) => child.on('close', done));
  expect(status, output).toBe(0);
  return output;
}

const DIST = "it's dist";
const KEY = 'my key.asc';

async function plan(place: Place, ...args: readonly string[]): Promise<Plan> {
  const { value, run } = await place.json(['split', DIST, '--max-files', '10', ...args]);
  expect(run.stderr).toBe('');
  return value as unknown as Plan;
}

let ann: TestKey;
let place: Place;
let url: string;

/** Two big folders, one in another, a small one, and files for which only the settings speak. */
function fill(): void {
  const add = (folder: string, name: string, count: number) => {
    for (let minor = 0; minor < count; minor += 1) {
      place.write(`${DIST}/${folder}${name}-1.${minor}.tar.gz`, sdist(name, `1.${minor}`));
    }
  };
  add('', 'tool', 3);
  add('linux/', 'lamp', 8);
  add('linux/old/', 'wick', 8);
  place.write(`${DIST}/linux/old/flame-1.0.zip`, emptyZip('only its folder says for which platform'));
  add('mac/', 'lantern', 6);
  add('small/', 'match', 1);
  place.write(`${DIST}/linux/notes/READ.txt`, 'read me');
  place.write(`${DIST}/linux/latest.yml`, 'version: 1');
}

const SETTINGS = {
  Maintainer: "Ann O'Neill <ann@example.org>",
  Include: ['linux/{notes,more/notes}/*.txt', '**/linux/latest.yml'],
  Mutable: ['linux/*.yml'],
  Packages: {
    'linux/lamp-1.0.tar.gz': { Yanked: "don't" },
    wick: { Description: 'Burns' },
    tool: { Description: 'Digs' },
  },
};

beforeAll(async () => {
  ann = await newKey('Ann');
});

describe('a directory that is split', () => {
  let made: Plan;
  let reader: Place;

  beforeAll(async () => {
    [place, reader] = [newPlace(), newPlace()];
    place.write(KEY, ann.signing);
    fill();
    ({ url } = await serve(place.path(DIST)));
    place.write(`${DIST}/packsign.json`, JSON.stringify({ ...SETTINGS, Database: url }));
    expect((await place.packsign(['build', DIST, '--key', KEY, '--first'])).stderr).toBe('');
    reader.write('ann.asc', ann.certificate);
    expect((await reader.packsign(['trust', 'add', url, '--keys', 'ann.asc', '--name', 'ann'])).status).toBe(
      0,
    );
    for (const name of ['wick-1.1.tar.gz', 'lamp-1.1.tar.gz', 'tool-1.1.tar.gz', 'lamp-1.0.tar.gz']) {
      const folder = { w: 'linux/old/', l: 'linux/', t: '' }[name[0] ?? ''] ?? '';
      reader.write(`before/${name}`, place.read(`${DIST}/${folder}${name}`));
    }
    const before = place.snapshot();
    made = await plan(place, '--key', KEY);
    expect(place.snapshot()).toEqual(before);
    await type(place, made.commands);
  }, 120_000);

  test('is planned by folder: the largest become databases, small ones stay', () => {
    expect(made.ok).toBe(true);
    expect(made.databases.map(({ folder, files }) => [folder, files])).toEqual([
      [DIST, 10],
      [`${DIST}/linux`, 10],
      [`${DIST}/linux/old`, 9],
    ]);
  });

  test('has the databases that were planned, each about as large', () => {
    for (const { folder, databaseBytes } of made.databases) {
      const bytes = place.read(`${folder}/packages.plist`).length;
      expect(Math.abs(databaseBytes - bytes) / bytes, folder).toBeLessThan(0.1);
    }
  });

  test('lists each file once, with what the settings say of it', async () => {
    const listed: Record<string, object> = {};
    for (const { folder } of made.databases) {
      const { value } = await place.json(['export', folder, '--format', 'json']);
      for (const file of value['files'] as readonly { readonly path: string }[]) {
        const path = `${folder}/${file.path}`;
        expect(listed[path], path).toBeUndefined();
        listed[path] = file;
      }
    }
    expect(Object.keys(listed)).toHaveLength(29);
    expect(listed[`${DIST}/linux/lamp-1.0.tar.gz`]).toMatchObject({ yanked: "don't" });
    expect(place.text(`${DIST}/linux/packages.plist`)).toContain('<key>Mutable</key>');
    expect(listed[`${DIST}/linux/old/wick-1.0.tar.gz`]).toMatchObject({ name: 'wick', version: '1.0' });
    expect(place.text(`${DIST}/linux/old/packages.plist`)).toMatch(
      /<key>Platform<\/key>\s*<string>linux<\/string>/,
    );
  });

  test('has nothing left to do, in any folder', async () => {
    for (const { folder } of made.databases) {
      const { status, stdout, stderr } = await place.packsign([
        'build',
        folder,
        '--key',
        KEY,
        '--check',
        '--strict',
      ]);
      expect([status, stderr], stdout).toEqual([0, '']);
    }
    expect(await plan(place, '--key', KEY)).toMatchObject({ ok: true, commands: [], readers: [] });
  });

  test('tells readers who ask the old database where the file is now', async () => {
    const { status, stderr } = await reader.packsign(['get', 'linux/lamp-1.1.tar.gz']);
    expect(status).toBe(2);
    expect(stderr).toContain(`packsign trust add ${url}linux/packages.plist --via ann`);
    const inner = await reader.packsign(['get', 'linux/old/wick-1.1.tar.gz']);
    expect(inner.stderr).toContain(`packsign trust add ${url}linux/old/packages.plist --via ann`);
    expect((await reader.packsign(['get', 'wick'])).stderr).toContain('packsign trust refresh ann');
    const old = await reader.packsign(['verify', 'before/wick-1.1.tar.gz']);
    expect([old.status, old.stderr]).toEqual([
      1,
      expect.stringContaining(`packsign trust add ${url}linux/old/packages.plist --via ann`) as string,
    ]);
  });

  test('serves its readers as before, once they have added its folders', async () => {
    await type(reader, made.readers);
    const names = ['tool', 'lamp', 'wick', 'lantern', 'match', 'linux/latest.yml'.slice(6), 'notes/READ.txt'];
    const { status, stderr } = await reader.packsign(['get', 'tool']);
    expect([status, stderr]).toEqual([0, '']);
    for (const name of names.slice(1)) {
      const got = await reader.packsign(['get', name, '--output', 'got']);
      expect([got.status, got.stderr], name).toEqual([0, '']);
    }
    for (const { url: address } of made.databases) {
      expect(await reader.json(['verify', address ?? ''])).toMatchObject({ status: 0 });
    }
  });

  test('is no contradiction: what moved is good, and what is yanked stays so', async () => {
    const good = ['wick-1.1.tar.gz', 'lamp-1.1.tar.gz', 'tool-1.1.tar.gz'].map((name) => `before/${name}`);
    expect(await reader.json(['verify', ...good])).toMatchObject({
      status: 0,
      value: { status: 'authentic' },
    });
    const { status, value } = await reader.json(['verify', 'before/lamp-1.0.tar.gz']);
    expect([status, value['code']]).toEqual([1, 'FILE_NOT_LISTED']);
    expect((await reader.packsign(['verify', 'before/lamp-1.0.tar.gz'])).stdout).toContain("yanked: don't");
  });

  test('loses no file where it is published with --delete', async () => {
    mkdirSync(place.path('www/linux/old'), { recursive: true });
    for (const folder of ['linux/old', 'linux', '']) {
      const publishing = [
        'publish',
        `${DIST}/${folder}`,
        `www/${folder}`,
        '--url',
        'none',
        '--delete',
        '--keep-old',
        '0',
      ];
      expect((await place.packsign(publishing)).stderr).toBe('');
    }
    expect(
      (await place.packsign(['publish', DIST, 'www', '--url', 'none', '--delete', '--keep-old', '0'])).status,
    ).toBe(0);
    for (const folder of ['', '/linux', '/linux/old']) {
      const { status, run } = await place.json(['verify', `www${folder}`, '--fingerprint', ann.fingerprint]);
      expect(status, run.stdout).toBe(0);
    }
  });
});

describe('a plan', () => {
  beforeAll(async () => {
    place = newPlace();
    place.write(KEY, ann.signing);
    fill();
    ({ url } = await serve(place.path(DIST)));
  });

  test('without a database is an estimate, and says so', async () => {
    place.write(`${DIST}/packsign.json`, JSON.stringify({ ...SETTINGS, Database: url }));
    const { stdout, status } = await place.packsign(['split', DIST, '--max-files', '10', '--key', KEY]);
    expect(status).toBe(0);
    expect(stdout).toContain('sizes are estimated: 29 files are in no database yet');
    expect(stdout).not.toContain('packsign verify');
    const { commands, databases } = await plan(place, '--key', KEY);
    await type(place, commands);
    for (const { folder, databaseBytes } of databases) {
      const bytes = place.read(`${folder}/packages.plist`).length;
      expect(Math.abs(databaseBytes - bytes) / bytes, folder).toBeLessThan(0.25);
    }
  }, 60_000);

  test('says what it has to know to print commands', async () => {
    const other = newPlace();
    other.write('key.asc', ann.signing);
    for (const name of ['a', 'b']) other.write(`dist/${name}/${name}-1.0.tar.gz`, sdist(name, '1.0'));
    const said = async (...args: readonly string[]) =>
      (await other.packsign(['split', 'dist', '--max-files', '1', ...args])).stdout;
    expect(await said()).toContain('packsign split dist --max-files 1 --database-url ADDRESS --key FILE');
    const address = ['--database-url', 'https://example.org/dist'];
    expect(await said(...address)).toContain('which key signs: packsign split dist --max-files 1 --key FILE');
    expect(await said('--key', 'key.asc')).toContain('--max-files 1 --database-url ADDRESS --key key.asc');
    const whole = await said('--key', 'key.asc', ...address);
    expect(whole).not.toContain('has to know');
    expect(whole).toContain('packsign build dist/a --key key.asc');
    expect(whole).toContain('https://example.org/dist/a/packages.plist');
  });

  test('of a small directory is that nothing is to be split', async () => {
    const { status, stdout } = await place.packsign(['split', `${DIST}/mac`]);
    expect([status, stdout]).toEqual([
      0,
      expect.stringContaining('no more than the 10,000 of one database, nothing to split') as string,
    ]);
  });

  test('that cannot keep the limit says no', async () => {
    const { status, stdout } = await place.packsign(['split', `${DIST}/mac`, '--max-files', '2']);
    expect(status).toBe(1);
    expect(stdout).toContain('no folder to split it by');
  });

  test('leaves a folder its own packsign.json', async () => {
    const other = newPlace();
    other.write('key.asc', ann.signing);
    for (const name of ['a', 'b']) other.write(`dist/${name}/${name}-1.0.tar.gz`, sdist(name, '1.0'));
    other.write('dist/a/packsign.json', '{"Description": "mine"}');
    const args = ['--max-files', '1', '--key', 'key.asc', '--database-url', 'https://example.org/dist'];
    const { value } = await other.json(['split', 'dist', ...args]);
    await type(other, (value as unknown as Plan).commands);
    expect(other.text('dist/a/packages.plist')).toContain('mine');
  });

  test('needs every listed file here: a new database could not list the others', async () => {
    const other = newPlace();
    other.write('key.asc', ann.signing);
    for (const name of ['a', 'b', 'c']) other.write(`dist/${name}/${name}-1.0.tar.gz`, sdist(name, '1.0'));
    expect((await other.packsign(['build', 'dist', '--key', 'key.asc'])).status).toBe(0);
    other.remove('dist/a/a-1.0.tar.gz');
    const { status, stderr } = await other.packsign(['split', 'dist', '--max-files', '1']);
    expect(status).toBe(1);
    expect(stderr).toContain('a/a-1.0.tar.gz is listed, and not in dist');
  });
});
