import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';

let ann: TestKey;
let place: Place;

beforeAll(async () => {
  ann = await newKey('Ann');
});

beforeEach(async () => {
  place = newPlace();
  place.write('ann.asc', ann.signing);
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  place.write('dist/packsign.json', JSON.stringify({ Page: true, Checksums: true }));
  expect((await place.packsign(BUILD)).status).toBe(0);
});

const BUILD = ['build', 'dist', '--key', 'ann.asc'];
const STATUS = ['status', 'dist'];

const OBSTACLES: readonly (readonly [what: string, put: (path: string) => void])[] = [
  ['a file', (path) => place.write(path, 'x')],
  ['a link to nothing', (path) => symlinkSync('nowhere', place.path(path))],
  ['a link to a file', (path) => symlinkSync(place.path('ann.asc'), place.path(path))],
];

/** The folder of the page's own files. */
function assets(): string {
  const [file = ''] = Object.keys(place.snapshot('dist/assets'));
  return `dist/assets/${file.split('/')[0] ?? ''}`;
}

const FOLDERS: readonly (readonly [name: string, folder: () => string])[] = [
  ['signatures', () => 'dist/signatures'],
  ['assets', () => 'dist/assets'],
  ['a folder in assets', assets],
  ['a folder in a folder of assets', () => `${assets()}/openpgp`],
  ['.packsign', () => 'dist/.packsign'],
];

/** Runs the command that a message proposes. */
function paste(message: string): void {
  const [, command = 'false'] = /: (mv \S+ \S+), then run the same command again/.exec(message) ?? [];
  execFileSync('sh', ['-c', command], { cwd: place.root });
}

describe.each(OBSTACLES)('%s', (_, put) => {
  test.each(FOLDERS)(
    'in the place of %s is named by status and build, with a command that helps',
    async (_name, folderOf) => {
      const folder = folderOf();
      place.remove(folder);
      put(folder);
      const seen = await place.packsign(STATUS);
      expect([seen.status, seen.stdout + seen.stderr]).toEqual([
        expect.toSatisfy((status) => status !== 0),
        expect.stringContaining(`${folder} is not a folder`),
      ]);
      expect(seen.stderr).not.toContain('repairs it');
      const { stderr } = await place.packsign(BUILD);
      expect(stderr).toContain(`${folder} is not a folder`);
      paste(stderr);
      expect((await place.packsign([...BUILD])).status).toBe(0);
      expect((await place.packsign(STATUS)).status).toBe(0);
    },
  );

  test('in the place of --state, or above it, is named by status and build', async () => {
    put('state-folder');
    for (const state of ['state-folder', 'state-folder/below']) {
      const seen = await place.packsign([...STATUS, '--state', state]);
      expect([seen.status, seen.stdout]).toEqual([
        1,
        expect.stringContaining('state-folder is not a folder'),
      ]);
      const { status, stderr } = await place.packsign([...BUILD, '--state', state]);
      expect([status, stderr]).toEqual([2, expect.stringContaining('error: state-folder is not a folder\n')]);
    }
    paste((await place.packsign([...BUILD, '--state', 'state-folder/below'])).stderr);
    expect((await place.packsign([...BUILD, '--state', 'state-folder/below'])).status).toBe(0);
  });
});

test('a folder in the place of a file of the page comes with a command that moves it away', async () => {
  for (const file of ['dist/index.html', `${assets()}/page.js`]) {
    place.remove(file);
    mkdirSync(place.path(file));
    expect((await place.packsign(STATUS)).status).toBe(1);
    const { stderr } = await place.packsign(BUILD);
    expect(stderr).toContain(`${file} is not a regular file`);
    paste(stderr);
    expect((await place.packsign(BUILD)).status).toBe(0);
    expect((await place.packsign(STATUS)).status).toBe(0);
  }
});

test('links to folders are as good as folders', async () => {
  for (const folder of ['dist/signatures', 'dist/assets', 'dist/.packsign']) {
    const moved = `moved${folder.slice(dirname(folder).length)}`;
    mkdirSync(place.path('moved'), { recursive: true });
    execFileSync('mv', [place.path(folder), place.path(moved)]);
    symlinkSync(place.path(moved), place.path(folder));
  }
  place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
  expect((await place.packsign(BUILD)).status).toBe(0);
  expect((await place.packsign(STATUS)).status).toBe(0);
});
