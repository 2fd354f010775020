import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestContext } from 'vitest';
import { deadMark, elsewhere } from '../disk/marks.js';
import { certificateFile, people, sha256 } from '../threats/scene.js';
import type { People } from '../threats/scene.js';
import { skip } from '../tools.js';
import { newReader, packsign, publish, serve } from './scene.js';
import type { Reader, Site } from './scene.js';

let known: People;
let reader: Reader;
let site: Site;

const BYTES = Buffer.alloc(300_000, 'as signed ');
const NAME = 'big-1.0.tar.gz';
/** The process number is nobody's. */
const PART = `downloads/.packsign-${sha256(BYTES)}.${deadMark()}.00.part`;
/** The same on another machine, or in another container, that shares the folder. */
const PART_ELSEWHERE = PART.replace(deadMark(), elsewhere(deadMark()));
const TARGET = `downloads/${NAME}`;
const DONE = { packages: [{ from: expect.stringMatching(/^http/) as string }], findings: [] };
const REFUSED = { code: 'FILE_EXISTS', hint: 'move it away, or name another folder with --output DIR' };

beforeAll(async () => {
  known = await people();
});

beforeEach(async () => {
  reader = newReader();
  site = await serve(reader.place.path('dist'));
  await publish(reader.place, known.ann, { archives: { [NAME]: BYTES } });
  await reader.trust(site.url, { keys: certificateFile(known.ann) });
  mkdirSync(reader.place.path('downloads'));
  reader.place.write('mine.txt', 'a file of the user');
  site.requests.length = 0;
});

const at = (path: string) => reader.place.path(path);
const ranges = () =>
  site.requests.filter(({ path }) => path === NAME).map(({ headers }) => headers.range ?? null);

/** The file is there, with the right bytes and the rights of a new one, and nothing else of the user's changed. */
function expectDelivered(): void {
  const { mode, nlink } = lstatSync(at(TARGET));
  // A new file, under the umask of this process.
  writeFileSync(at('new'), '', { mode: 0o644 });
  expect([mode, nlink]).toEqual([lstatSync(at('new')).mode, 1]);
  expect(readFileSync(at(TARGET)).equals(BYTES)).toBe(true);
  expect(reader.place.text('mine.txt')).toBe('a file of the user');
}

type Plant = (path: string, context: TestContext) => unknown;

/** What somebody may put where `get` looks. */
const PLANTED: readonly (readonly [string, Plant])[] = [
  ['a hard link to another file', (path) => linkSync(at('mine.txt'), path)],
  ['a link to another file', (path) => symlinkSync(at('mine.txt'), path)],
  ['a link that leads nowhere', (path) => symlinkSync(at('nowhere'), path)],
  ['a link to itself', (path) => symlinkSync(path, path)],
  ['a named pipe', (path) => execFileSync('mkfifo', [path])],
  [
    'a folder with files',
    (path) => {
      mkdirSync(path);
      writeFileSync(`${path}/file`, 'a file of the user');
    },
  ],
  [
    'a device',
    (path, context) => {
      const { status } = spawnSync('mknod', [path, 'c', '1', '5']);
      if (status !== 0) skip(context, 'no device can be made here');
    },
  ],
  ['a set-uid file', (path) => write(path, { mode: 0o4777 })],
  ['a set-gid file', (path) => write(path, { mode: 0o2644 })],
  [
    'a file of another user',
    (path, context) => {
      if (process.getuid?.() !== 0) skip(context, 'only root can give a file away');
      else write(path, { uid: 65534 });
    },
  ],
];

function write(path: string, { mode = 0o644, uid = null }: { mode?: number; uid?: number | null }): void {
  writeFileSync(path, BYTES.subarray(0, 100_000));
  if (uid !== null) chownSync(path, uid, 65534);
  chmodSync(path, mode);
}

describe('the partial file of a run that cannot be seen from here', () => {
  test('is left to it, because it may still be at work', async () => {
    write(at(PART_ELSEWHERE), {});
    expect(await reader.get(['big'])).toMatchObject(DONE);
    expect(ranges()).toEqual([null]);
    expectDelivered();
    expect(lstatSync(at(PART_ELSEWHERE)).size).toBe(100_000);
  });

  test('is continued once it is silent for a minute, as after a container was killed', async () => {
    write(at(PART_ELSEWHERE), {});
    const seconds = Date.now() / 1000 - 70;
    utimesSync(at(PART_ELSEWHERE), seconds, seconds);
    expect(await reader.get(['big'])).toMatchObject(DONE);
    expect(ranges()).toEqual(['bytes=100000-']);
    expect(readdirSync(at('downloads'))).toEqual([NAME]);
  });
});

describe('T35: a file found is not a file made', () => {
  test('our own partial file is continued, and delivered with the rights of a new one', async () => {
    write(at(PART), {});
    expect(await reader.get(['big'])).toMatchObject(DONE);
    expect(ranges()).toEqual(['bytes=100000-']);
    expectDelivered();
    expect(readdirSync(at('downloads'))).toEqual([NAME]);
  });

  test.for([
    ...PLANTED,
    ['a file that others may write', (path: string) => write(path, { mode: 0o666 })],
    ['a file that may be run', (path: string) => write(path, { mode: 0o755 })],
    [
      'a sparse file of a terabyte',
      (path: string) => {
        write(path, {});
        truncateSync(path, 2 ** 40);
      },
    ],
  ] as typeof PLANTED)('%s is no partial file', async ([, plant], context) => {
    plant(at(PART), context);
    expect(await reader.get(['big'])).toMatchObject(DONE);
    expect(ranges()).toEqual([null]);
    expectDelivered();
    expect(existsSync(at('nowhere'))).toBe(false);
    if (existsSync(`${at(PART)}/file`)) expect(reader.place.text(`${PART}/file`)).toBe('a file of the user');
  });

  test.for(PLANTED)('%s under the name of the file is left alone', async ([, plant], context) => {
    plant(at(TARGET), context);
    const before = lstatSync(at(TARGET));
    await expect(reader.get(['big'])).rejects.toMatchObject(REFUSED);
    const { mode, uid, size, nlink, ino } = lstatSync(at(TARGET));
    expect({ mode, uid, size, nlink, ino }).toEqual({
      ...{ mode: before.mode, uid: before.uid, size: before.size, nlink: before.nlink, ino: before.ino },
    });
    expect([reader.place.text('mine.txt'), existsSync(at('nowhere'))]).toEqual([
      ...['a file of the user', false],
    ]);
  });

  test('a file with the right bytes that is set-uid, or of another user, is not ours either', async (context) => {
    writeFileSync(at(TARGET), BYTES);
    expect(await reader.get(['big'])).toMatchObject({ packages: [{ from: null }] });
    chmodSync(at(TARGET), 0o4755);
    await expect(reader.get(['big'])).rejects.toMatchObject(REFUSED);
    chmodSync(at(TARGET), 0o644);
    if (process.getuid?.() !== 0) skip(context, 'only root can give a file away');
    else {
      chownSync(at(TARGET), 65534, 65534);
      await expect(reader.get(['big'])).rejects.toMatchObject(REFUSED);
    }
  });

  test('bytes that somebody changes while the rest comes do not get the name', async () => {
    site.tricks.set(NAME, (_, response) => {
      response.writeHead(200, { 'content-length': BYTES.length });
      response.write(BYTES.subarray(0, 100_000));
      const part = () => readdirSync(at('downloads')).find((name) => name.endsWith('.part'));
      const timer = setInterval(() => {
        const path = at(`downloads/${part() ?? ''}`);
        if (lstatSync(path).size < 100_000) return;
        clearInterval(timer);
        const fd = openSync(path, 'r+');
        writeSync(fd, 'other bytes', 50_000);
        closeSync(fd);
        response.end(BYTES.subarray(100_000));
      }, 5);
    });
    const found = expect.stringContaining('sha256') as string;
    expect(await reader.get(['big'])).toMatchObject({ packages: [], findings: [{ kind: 'altered', found }] });
    expect(readdirSync(at('downloads'))).toEqual([]);
  });

  test('a file that comes under the name meanwhile is not replaced', async () => {
    site.tricks.set(NAME, (_, response) => {
      reader.place.write(TARGET, 'a file of the user');
      response.end(BYTES);
    });
    await expect(reader.get(['big'])).rejects.toMatchObject(REFUSED);
    expect(reader.place.text(TARGET)).toBe('a file of the user');
  });

  test('nor is one under the name of an unverified file', async () => {
    site.tricks.set(NAME, (_, response) => response.end(Buffer.alloc(BYTES.length)));
    symlinkSync(at('mine.txt'), at(`${TARGET}.UNVERIFIED`));
    await expect(reader.get(['big'], { keepUnverified: true })).rejects.toMatchObject(REFUSED);
    expect(reader.place.text('mine.txt')).toBe('a file of the user');
    expect(readlinkSync(at(`${TARGET}.UNVERIFIED`))).toBe(at('mine.txt'));
  });

  test('a folder for downloads may be a link; another thing there is an error that says what to do', async () => {
    mkdirSync(at('disk'));
    symlinkSync('disk', at('link'));
    expect(await reader.get(['big'], { output: at('link') })).toMatchObject(DONE);
    expect(readFileSync(at(`disk/${NAME}`)).equals(BYTES)).toBe(true);
    execFileSync('mkfifo', [at('pipe')]);
    symlinkSync(at('nowhere'), at('dangling'));
    for (const output of ['mine.txt', 'pipe', 'dangling']) {
      await expect(reader.get(['big'], { output: at(output) })).rejects.toMatchObject({
        code: expect.stringMatching(/^(?:FILE_UNWRITABLE|DIRECTORY_UNREADABLE)$/) as string,
      });
    }
    expect([reader.place.text('mine.txt'), existsSync(at('nowhere'))]).toEqual([
      ...['a file of the user', false],
    ]);
  });

  test('the command ends with 2 and a hint, and does not wait for a pipe', async () => {
    execFileSync('mkfifo', [at(TARGET)]);
    reader.place.write('pins.asc', certificateFile(known.ann));
    const get = ['get', 'big', '--from', site.url, '--keys', 'pins.asc', '--output', 'downloads'];
    const { status, stderr } = await packsign(reader.place, get);
    expect(status).toBe(2);
    expect(stderr).toMatch(/exists, and differs from what was signed\npacksign: hint: move it away/);
  });
});
