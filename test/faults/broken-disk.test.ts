import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { packsignOnBrokenDisk } from './broken-disk.js';
import type { Fault } from './broken-disk.js';

let template: Place;
let place: Place;

/** Published, then a file was added, and a database waits for its signature. */
beforeAll(async () => {
  template = newPlace();
  const key = await newKey('Ada');
  template.write('key.asc', key.signing);
  template.write('pub.asc', key.certificate);
  template.write('dist/packsign.json', '{"Page": true}');
  template.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  expect((await template.packsign(['build', 'dist', '--key', 'key.asc'])).status).toBe(0);
  template.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1'));
  expect((await template.packsign(['build', 'dist'])).status).toBe(0);
});

function newCopy(): Place {
  const copy = newPlace();
  cpSync(template.root, copy.root, { recursive: true, preserveTimestamps: true });
  return copy;
}

beforeEach(() => {
  place = newCopy();
});

const BUILD = ['build', 'dist', '--key', 'key.asc'];
const COMMANDS: readonly (readonly string[])[] = [
  BUILD,
  ['sign', 'dist', '--key', 'key.asc'],
  ['status', 'dist'],
  ['verify', 'dist', '--keys', 'pub.asc'],
  ['key', 'generate', '--user-id', 'Eve <eve@example.org>', '--no-passphrase', '--output', 'eve.asc'],
  ['trust', 'add', 'SHOP', '--keys', 'pub.asc', '--name', 'shop'],
];
const READING = ['statSync', 'lstatSync', 'openSync', 'fstatSync', 'readSync', 'readdirSync', 'realpathSync'];
const WRITING = [
  'mkdirSync',
  'writeSync',
  'fsyncSync',
  'renameSync',
  'linkSync',
  'unlinkSync',
  'writeFileSync',
];
const ALL = [...READING, ...WRITING, 'closeSync', 'readFileSync', 'rmSync'];

describe('if one kind of call always fails, packsign exits with 2 and the system’s words, never as a bug', () => {
  test.each(ALL)('%s', async (call) => {
    for (const command of COMMANDS) {
      const copy = newCopy();
      const args = command.map((word) => (word === 'SHOP' ? `file://${copy.path('dist')}/` : word));
      const { status, stderr } = await packsignOnBrokenDisk(copy, args, [{ call, path: '', code: 'EIO' }]);
      expect([0, 1, 2], `${args.join(' ')}: ${stderr}`).toContain(status);
      expect(stderr).not.toContain('this is a bug');
      // 1 is packsign's own decision: a status that needs attention, a file that cannot be compared.
      if (status === 2)
        expect(stderr).toMatch(/packsign: error: .*(?:i\/o error \(EIO\)|is published nevertheless)/);
      if (status === 1) expect(['status', 'verify']).toContain(args[0]);
    }
  });
});

describe('a clean-up that fails hides no error', () => {
  const failing = async (
    args: readonly string[],
    ...faults: readonly (readonly [string, string, Fault['code']])[]
  ) => {
    const run = await packsignOnBrokenDisk(
      place,
      args,
      faults.map(([call, path, code]) => ({ call, path, code })),
    );
    return [run.status, run.stderr];
  };
  const unwritable = (path: string, words: string) => [
    2,
    expect.stringMatching(new RegExp(`^packsign: error: cannot write ${path}: ${words}\n$`)) as string,
  ];

  test('when it removes a temporary file', async () => {
    expect(
      await failing(BUILD, ['renameSync', 'packages.plist', 'EIO'], ['unlinkSync', '.tmp', 'EROFS']),
    ).toEqual(unwritable('dist/packages.plist', 'i/o error \\(EIO\\)'));
  });

  test('when it closes a file', async () => {
    expect(await failing(BUILD, ['fsyncSync', '.tmp', 'EIO'], ['closeSync', '.tmp', 'EROFS'])).toEqual(
      unwritable('\\S+', 'i/o error \\(EIO\\)'),
    );
  });

  test('when it takes back a publication', async () => {
    place.remove('dist/packages.plist');
    place.remove('dist/keys.gpg');
    const faults = [
      ['renameSync', 'packages.plist', 'EIO'],
      ['unlinkSync', '', 'EROFS'],
    ] as const;
    expect(await failing([...BUILD, '--first'], ...faults)).toEqual(
      unwritable('dist/packages.plist', 'i/o error \\(EIO\\)'),
    );
  });

  test('when it takes back half of a key', async () => {
    const generate = [
      'key',
      'generate',
      '--user-id',
      'Eve <eve@example.org>',
      '--no-passphrase',
      '--output',
      'e.asc',
    ];
    expect(
      await failing(generate, ['linkSync', 'e.pub.asc', 'EIO'], ['unlinkSync', '.asc', 'EROFS']),
    ).toEqual(unwritable('e.pub.asc', 'i/o error \\(EIO\\)'));
  });

  test('when it releases a lock: the work counts, and the next run takes the lock over', async () => {
    expect(await failing(BUILD, ['unlinkSync', '.packsign/lock', 'EIO'])).toEqual([0, expect.any(String)]);
    expect(place.has('dist/.packsign/lock')).toBe(true);
    expect((await place.packsign(['build', 'dist', '--key', 'key.asc'])).status).toBe(0);
    expect(readdirSync(place.path('dist/.packsign')).filter((name) => name.startsWith('lock'))).toEqual([]);
  });

  test('when it releases a lock after an error: the error counts', async () => {
    expect(
      await failing(
        BUILD,
        ['renameSync', 'packages.plist', 'EIO'],
        ['unlinkSync', '.packsign/lock', 'EROFS'],
      ),
    ).toEqual(unwritable('dist/packages.plist', 'i/o error \\(EIO\\)'));
  });
});

describe('names what is in the place of a file or folder of packsign', () => {
  const refused = async (args: readonly string[]) => {
    const { status, stderr } = await place.packsign(args);
    return [status, stderr.split('\n')[0]];
  };

  test.each<[string, () => void, string]>([
    [
      '.packsign is a file',
      () => {
        place.remove('dist/.packsign');
        place.write('dist/.packsign', '');
      },
      'dist/.packsign is not a folder',
    ],
    [
      'the lock is a folder',
      () => mkdirSync(place.path('dist/.packsign/lock')),
      'dist/.packsign/lock is not a regular file',
    ],
    [
      'packsign.json is a folder',
      () => {
        place.remove('dist/packsign.json');
        mkdirSync(place.path('dist/packsign.json'));
      },
      'dist/packsign.json is not a regular file',
    ],
    [
      'the directory is a link to itself',
      () => {
        place.remove('dist');
        symlinkSync('dist', place.path('dist'));
      },
      'cannot read dist: too many symbolic links encountered (ELOOP)',
    ],
    [
      'the key is a folder',
      () => {
        place.remove('key.asc');
        mkdirSync(place.path('key.asc'));
      },
      'key.asc is a folder, not a key file',
    ],
  ])('%s', async (_, prepare, message) => {
    prepare();
    expect(await refused(BUILD)).toEqual([2, `packsign: error: ${message}`]);
  });

  test('treats a path that no file can have as missing', async () => {
    expect(await refused(['build', 'x'.repeat(5000)])).toEqual([
      2,
      expect.stringContaining('there is no directory'),
    ]);
    expect(await refused(['verify', 'x'.repeat(300)])).toEqual([
      2,
      expect.stringContaining('there is no file or directory'),
    ]);
  });
});
