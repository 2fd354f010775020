import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { TestContext } from 'vitest';
import type { PlistValue } from '../../src/format/plist.js';
import type { Place } from '../packsign.js';
import { skip } from '../tools.js';
import {
  AUTHENTIC,
  DEMO,
  OTHER,
  databaseText,
  dictAt,
  edited,
  people,
  published,
  refused,
  replace,
  sha256,
  verdict,
  verify,
} from './scene.js';
import type { People } from './scene.js';

let known: People;

beforeAll(async () => {
  known = await people();
});

const PATH = 'demo-1.0.tar.gz';

interface Finding {
  readonly kind: string;
  readonly path: string;
  readonly expected: string | null;
  readonly found: string | null;
}

async function findingsOf(place: Place, ...more: readonly string[]): Promise<readonly Finding[]> {
  return (await verify(place, ...more)).value['findings'] as Finding[];
}

const EXPECTED = `sha256 ${sha256(DEMO)}, ${DEMO.length} bytes`;

/** Each takes Ann's file away and puts something else there. */
const REPLACEMENTS: readonly (readonly [
  string,
  (path: string, place: Place, context: TestContext) => unknown,
])[] = [
  ['other bytes of the same size', (path) => writeFileSync(path, Buffer.alloc(DEMO.length, 'x'))],
  [
    'one byte less',
    (path) => {
      writeFileSync(path, DEMO);
      truncateSync(path, DEMO.length - 1);
    },
  ],
  [
    'one byte more',
    (path) => {
      writeFileSync(path, DEMO);
      appendFileSync(path, '\0');
    },
  ],
  ['nothing', (path) => writeFileSync(path, '')],
  [
    'a sparse file of a terabyte',
    (path) => {
      writeFileSync(path, DEMO);
      truncateSync(path, 2 ** 40);
    },
  ],
  [
    'a link to the right bytes elsewhere',
    (path, place) => {
      place.write('elsewhere', DEMO);
      symlinkSync('../elsewhere', path);
    },
  ],
  [
    'a link to the right bytes inside',
    (path, place) => {
      place.write('dist/copy', DEMO);
      symlinkSync('copy', path);
    },
  ],
  ['a link to itself', (path) => symlinkSync(PATH, path)],
  ['a named pipe', (path) => execFileSync('mkfifo', [path])],
  ['a folder', (path) => mkdirSync(path)],
  [
    'a device',
    (path, _, context) => {
      const { status } = spawnSync('mknod', [path, 'c', '1', '5']);
      if (status !== 0) skip(context, 'no device can be made here');
    },
  ],
];

describe('T11: a listed file is a regular file with exactly its bytes', () => {
  test.for(REPLACEMENTS)('%s in its place is altered', async ([, put], context) => {
    const place = await published(known);
    put(replace(place, `dist/${PATH}`), place, context);
    const answer = await verify(place);
    expect(verdict(answer)).toEqual(refused('FILE_ALTERED'));
    const findings = answer.value['findings'] as Finding[];
    const listed = findings.filter(({ kind }) => kind !== 'unlisted');
    expect(listed).toMatchObject([{ kind: 'altered', path: PATH, expected: EXPECTED }]);
    expect(listed[0]!.found).toMatch(/./);
    expect(answer.value['files']).toEqual({ checked: 2, ok: 1 });
  });

  test('expected and found are both shown', async () => {
    const place = await published(known);
    const evil = Buffer.alloc(DEMO.length, 'x');
    place.write(`dist/${PATH}`, evil);
    expect(await findingsOf(place)).toEqual([
      {
        kind: 'altered',
        path: PATH,
        expected: EXPECTED,
        found: `sha256 ${sha256(evil)}, ${evil.length} bytes`,
      },
    ]);
    const { stdout } = await place.packsign(['verify', 'dist', '--keys', 'pins.asc']);
    expect(stdout).toContain(`expected ${EXPECTED}`);
    expect(stdout).toContain(`found    sha256 ${sha256(evil)}, ${evil.length} bytes`);
    expect(stdout).toContain('do not use it');
  });

  test('a file that is gone is missing', async () => {
    const place = await published(known);
    place.remove(`dist/${PATH}`);
    expect(verdict(await verify(place))).toEqual(refused('FILE_MISSING'));
    expect(await findingsOf(place)).toEqual([
      { kind: 'missing', path: PATH, expected: EXPECTED, found: null },
    ]);
  });

  test('a file is missing if its folder is gone or is not a folder', async () => {
    const place = await published(known);
    place.remove('dist/sub');
    expect(await findingsOf(place)).toMatchObject([{ kind: 'missing', path: 'sub/other-2.0.tar.gz' }]);
    place.write('dist/sub', 'a file');
    expect(await findingsOf(place)).toMatchObject([
      { kind: 'unlisted', path: 'sub' },
      { kind: 'missing', path: 'sub/other-2.0.tar.gz' },
    ]);
  });

  test('a link that leads nowhere is altered', async () => {
    const place = await published(known);
    symlinkSync('nowhere', replace(place, `dist/${PATH}`));
    expect(await findingsOf(place)).toMatchObject([{ kind: 'altered', found: 'a symbolic link' }]);
  });

  test('a hard link to the right bytes is the file', async () => {
    const place = await published(known);
    place.write('elsewhere', DEMO);
    linkSync(place.path('elsewhere'), replace(place, `dist/${PATH}`));
    expect(verdict(await verify(place))).toEqual(AUTHENTIC);
  });

  test('two files with swapped paths', async () => {
    const place = await published(known);
    place.write(`dist/${PATH}`, OTHER);
    place.write('dist/sub/other-2.0.tar.gz', DEMO);
    expect((await findingsOf(place)).map(({ kind }) => kind)).toEqual(['altered', 'altered']);
  });
});

describe('T11: a folder in the path of a file', () => {
  test('that is a link out of the directory', async () => {
    const place = await published(known);
    renameSync(place.path('dist/sub'), place.path('elsewhere'));
    symlinkSync('../elsewhere', place.path('dist/sub'));
    expect(await findingsOf(place)).toMatchObject([
      { kind: 'unlisted', path: 'sub' },
      { kind: 'altered', path: 'sub/other-2.0.tar.gz' },
    ]);
  });

  test('that is a link out to a folder whose name begins like the directory’s', async () => {
    const place = await published(known);
    renameSync(place.path('dist/sub'), place.path('dist-evil'));
    symlinkSync('../dist-evil', place.path('dist/sub'));
    expect(await findingsOf(place)).toMatchObject([
      { kind: 'unlisted', path: 'sub' },
      { kind: 'altered', path: 'sub/other-2.0.tar.gz' },
    ]);
  });

  test('that is a link to another folder inside', async () => {
    const place = await published(known);
    renameSync(place.path('dist/sub'), place.path('dist/real'));
    symlinkSync('real', place.path('dist/sub'));
    const findings = await findingsOf(place);
    expect(findings).toEqual([
      { kind: 'unlisted', path: 'real/other-2.0.tar.gz', expected: null, found: null },
      { kind: 'unlisted', path: 'sub', expected: null, found: null },
    ]);
  });

  test('the directory itself may be reached through a link', async () => {
    const place = await published(known);
    symlinkSync('dist', place.path('link'));
    expect(verdict(await place.json(['verify', 'link', '--keys', 'pins.asc']))).toEqual(AUTHENTIC);
  });
});

describe('unlisted and yanked files', () => {
  test('an unlisted file is reported, and fails only with --strict', async () => {
    const place = await published(known);
    place.write('dist/evil-6.6.tar.gz', DEMO);
    place.write('dist/sub/evil-6.6.whl', DEMO);
    expect(verdict(await verify(place))).toEqual(AUTHENTIC);
    expect((await verify(place, '--strict')).status).toBe(1);
    expect(await findingsOf(place)).toEqual([
      { kind: 'unlisted', path: 'evil-6.6.tar.gz', expected: null, found: null },
      { kind: 'unlisted', path: 'sub/evil-6.6.whl', expected: null, found: null },
    ]);
  });

  test('T11: a file whose path can never be listed is reported too', async () => {
    const place = await published(known);
    place.write('dist/x-$(id)-1.0.tar.gz', DEMO);
    place.write('dist/DEMO-1.0.tar.gz', DEMO);
    const findings = await findingsOf(place);
    expect(findings.map(({ kind, path }) => [kind, path])).toEqual([
      ['unlisted', 'DEMO-1.0.tar.gz'],
      ['unlisted', 'x-$(id)-1.0.tar.gz'],
    ]);
    expect((await verify(place, '--strict')).status).toBe(1);
  });

  test('packsign’s own files, and names that begin with a dot, are not unlisted files', async () => {
    const place = await published(known);
    place.write(`dist/signatures/${'0a'.repeat(32)}.asc`, 'old');
    place.write('dist/assets/packsign-0a1b2c/page.js', 'old');
    for (const name of ['index.html', 'packsign.json', 'packages.unsigned.plist'])
      place.write(`dist/${name}`, 'ours');
    place.write('dist/.hidden-1.0.tar.gz', DEMO);
    place.write('dist/.well-known/x-1.0.tar.gz', DEMO);
    expect(await findingsOf(place)).toEqual([]);
  });

  test('T38: what lies among packsign’s own files and is none of them is unlisted', async () => {
    const place = await published(known);
    const paths = [
      'assets/jquery.js',
      'assets/packsign-x/evil.exe',
      'index.html.bak',
      'packsign.json/evil.exe',
      `signatures/${'0A'.repeat(32)}.asc`,
      `signatures/${'0a'.repeat(32)}.asc/evil.exe`,
      'signatures/evil-1.0.tar.gz',
      'sub/packages.plist',
    ];
    for (const path of paths) place.write(`dist/${path}`, DEMO);
    expect((await findingsOf(place)).map(({ kind, path }) => [kind, path])).toEqual(
      paths.map((path) => ['unlisted', path]),
    );
  });

  test('a yanked file is checked, reported with its reason, and fails only with --strict', async () => {
    const yank = (document: Map<string, PlistValue>) => {
      dictAt(document, 'Files', PATH).set('Yanked', 'leaks');
    };
    const place = await published(known, edited(databaseText(), yank));
    expect(verdict(await verify(place))).toEqual(AUTHENTIC);
    expect(await findingsOf(place)).toEqual([{ kind: 'yanked', path: PATH, expected: null, found: 'leaks' }]);
    expect((await verify(place, '--strict')).status).toBe(1);
    place.write(`dist/${PATH}`, 'x');
    expect((await findingsOf(place)).map(({ kind }) => kind)).toEqual(['altered', 'yanked']);
  });

  test('findings are sorted by path', async () => {
    const place = await published(known);
    for (const name of ['b-1.0.zip', 'Z-1.0.zip', 'a-1.0.zip', 'sub/a-1.0.zip'])
      place.write(`dist/${name}`, 'x');
    place.remove(`dist/${PATH}`);
    const paths = (await findingsOf(place)).map(({ path }) => path);
    expect(paths).toEqual([...paths].sort());
    expect(paths).toHaveLength(5);
  });
});

test('T12: verify reads every file each time, and trusts no cache', async () => {
  const place = await published(known);
  for (const name of ['packages.plist', 'signatures', 'keys.asc']) place.remove(`dist/${name}`);
  place.write('ann.asc', known.ann.armor());
  expect((await place.packsign(['build', 'dist', '--key', 'ann.asc'])).status).toBe(0);
  const cache = place.has('dist/.packsign/facts') ? place.read('dist/.packsign/facts') : null;
  // The same size and, as far as a program can set them, the same times.
  execFileSync(
    'sh',
    [
      '-c',
      `touch -r dist/${PATH} stamp; printf x | dd of=dist/${PATH} bs=1 seek=100 conv=notrunc 2>/dev/null; touch -r stamp dist/${PATH}`,
    ],
    {
      cwd: place.root,
    },
  );
  if (cache !== null) place.write('dist/.packsign/facts', cache);
  expect(await findingsOf(place)).toMatchObject([{ kind: 'altered', path: PATH }]);
});

test('--no-files checks the database alone', async () => {
  const place = await published(known);
  place.remove(`dist/${PATH}`);
  const answer = await verify(place, '--no-files');
  expect(verdict(answer)).toEqual(AUTHENTIC);
  expect(answer.value).toMatchObject({ files: { checked: 0, ok: 0 }, findings: [] });
});

test('a refused database reports nothing about files', async () => {
  const place = await published(known);
  place.remove('dist/signatures');
  expect((await verify(place)).value).toMatchObject({ files: { checked: 0, ok: 0 }, findings: [] });
});
