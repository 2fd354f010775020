import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newKey, newPlace, npmTarball, sdist } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';

let ann: TestKey;
let bob: TestKey;
let place: Place;

beforeAll(async () => {
  ann = await newKey('Ann');
  bob = await newKey('Bob');
});

beforeEach(async () => {
  place = newPlace();
  place.write('ann.asc', ann.signing);
  place.write('bob.asc', bob.certificate);
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  place.write('dist/packsign.json', JSON.stringify({ Page: true }));
  expect((await place.packsign(['build', 'dist', '--key', 'ann.asc'])).status).toBe(0);
});

const RELEASE = ['build', 'dist', '--key', 'ann.asc'];
const WRITERS: readonly (readonly string[])[] = [
  ['build', 'dist'],
  RELEASE,
  ['sign', 'dist', '--key', 'ann.asc'],
  ['key', 'publish', 'dist', '--key', 'ann.asc'],
  ['page', 'dist'],
];
const LOOKERS: readonly (readonly string[])[] = [
  ['status', 'dist'],
  ['diff', 'dist'],
  ['build', 'dist', '--check'],
  ['verify', 'dist'],
];

/** What can be lost of a publication: the file, and what is done to it. */
const LOSSES: readonly (readonly [what: string, file: () => string, spoil: (file: string) => void])[] = [
  ['keys.gpg lost', () => 'keys.gpg', (file) => place.remove(file)],
  ['keys.gpg of other keys', () => 'keys.gpg', (file) => place.write(file, 'other')],
  ['the copy lost', () => 'packages.plist.asc', (file) => place.remove(file)],
  ['a copy of something else', () => 'packages.plist.asc', (file) => place.write(file, 'other')],
  ['the signature file lost', signatureFile, (file) => place.remove(file)],
  ['the signature file empty', signatureFile, (file) => place.write(file, '')],
  ['the folder of signatures lost', signatureFile, () => place.remove('dist/signatures')],
];

function signatureFile(): string {
  const [name = ''] = Object.keys(place.snapshot('dist/signatures'));
  return `signatures/${name}`;
}

describe.each(LOSSES)('%s', (_, fileOf, spoil) => {
  test.each(WRITERS.map((args) => [args.join(' '), args] as const))(
    'is put right by %s',
    async (_name, args) => {
      const whole = place.snapshot();
      const file = fileOf();
      spoil(`dist/${file}`);
      expect(place.snapshot()).not.toEqual(whole);
      expect((await place.packsign(args)).status).toBe(0);
      expect(place.snapshot()).toEqual(whole);
    },
  );

  test.each(LOOKERS.map((args) => [args.join(' '), args] as const))('is named by %s', async (_name, args) => {
    const file = fileOf();
    spoil(`dist/${file}`);
    const spoilt = place.snapshot();
    const answer = await place.json(args);
    expect(answer.run.stderr).toContain(`packsign: warning: ${file}: is missing or out of date`);
    const isRefused = args[0] === 'verify' ? file.startsWith('signatures/') : args[0] !== 'diff';
    expect(answer.status).toBe(isRefused ? 1 : 0);
    expect(place.snapshot()).toEqual(spoilt);
  });
});

test('status and build --check name a lost page, and the next command that publishes repairs it', async () => {
  place.remove('dist/index.html');
  const answer = await place.json(['status', 'dist']);
  expect(answer.value['attention']).toEqual(['PUBLICATION_INCOMPLETE']);
  expect(answer.run.stderr).toContain('index.html: is missing or out of date');
  const check = await place.json(['build', 'dist', '--check']);
  expect([check.status, check.value['ok']]).toEqual([1, false]);
  expect(check.run.stderr).toContain('index.html: is missing or out of date');
  expect((await place.packsign(RELEASE)).status).toBe(0);
  for (const args of [['status'], ['build', '--check']])
    expect((await place.packsign([...args, 'dist'])).status).toBe(0);
});

test('build --check does not call a directory up to date and end with 1', async () => {
  place.remove('dist/keys.gpg');
  const { status, stdout } = await place.packsign(['build', 'dist', '--check']);
  expect([status, stdout]).toEqual([
    1,
    expect.stringContaining('packages.plist is up to date, but files of the publication are missing'),
  ]);
});

test.each(
  [...WRITERS.filter(([command]) => command !== 'key'), ...LOOKERS.slice(0, 3)].map(
    (args) => [args.join(' '), args] as const,
  ),
)('a lost keys.asc is what %s names, and what has to be restored', async (_, args) => {
  place.remove('dist/keys.asc');
  const { status, stdout, stderr } = await place.packsign(args);
  expect(status).toBe(1);
  expect(stdout + stderr).toContain('packages.plist cannot be verified: keys.asc is missing');
  expect(stdout + stderr).toContain('restore keys.asc from a backup');
});

test.each([
  ['cut in half', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
  ['cut within its first line', (bytes: Buffer) => bytes.subarray(0, 9)],
  ['empty', () => Buffer.alloc(0)],
  ['full of zeros', (bytes: Buffer) => Buffer.alloc(bytes.length)],
])(
  'a database that is %s was made by packsign all the same, and every command says to restore it',
  async (_, spoil) => {
    place.write('dist/packages.plist', spoil(place.read('dist/packages.plist')));
    for (const args of [...WRITERS, ...LOOKERS.slice(0, 3)]) {
      const { status, stdout, stderr } = await place.packsign(args);
      expect([args, status]).toEqual([args, 1]);
      expect(stdout + stderr).toContain(
        'dist/packages.plist does not verify against keys.asc: it ends early',
      );
      const said = ': restore packages.plist and packages.plist.asc from a backup or the published site';
      expect(stdout + stderr).toContain(said);
      expect(stdout + stderr).toContain('to start a new history: packsign build dist --first');
    }
  },
);

test.each([
  ['keys.asc', 'keys.asc to check its signature with; --keys FILE names keys that you trust'],
  ['signatures/', 'signatures/'],
  ['packages.plist', 'packages.plist'],
])('verify of a directory without %s names it, and what its publisher types', async (lost, words) => {
  place.remove(`dist/${lost}`);
  for (const state of ['state', 'elsewhere']) {
    const env = { XDG_STATE_HOME: place.path(state) };
    const { status, stdout } = await place.packsign(['verify', 'dist'], { env });
    expect([status, stdout]).toEqual([1, expect.stringContaining(`there is no dist/${words}`)]);
    expect(stdout).toContain('\n  if you publish it: packsign status dist\n');
  }
  const { stdout } = await place.packsign(['status', 'dist']);
  expect(stdout).toMatch(/next: (?:restore|packsign build)/);
});

test('verify with the fingerprint of another key does not say that keys.asc is not there', async () => {
  const { status, stdout } = await place.packsign(['verify', 'dist', '--fingerprint', 'A'.repeat(40)]);
  expect([status, stdout]).toEqual([1, expect.stringContaining('no good signature by a trusted key')]);
  expect(stdout).not.toContain('there is no');
});

test.each(['packages.plist', 'keys.asc'])(
  'the command that starts anew without %s can be pasted, key and all',
  async (name) => {
    place.remove(`dist/${name}`);
    const { stderr } = await place.packsign(RELEASE);
    const [, command = ''] = /to start a new history: packsign (.*)\n/.exec(stderr) ?? [];
    expect(command).toBe('build dist --first --key ann.asc');
    expect((await place.packsign(command.split(' '))).status).toBe(0);
    expect((await place.packsign(['status', 'dist'])).status).toBe(0);
  },
);

/** Each file of a publication, as it is called here. */
function publishedFiles(): readonly string[] {
  const signatures = Object.keys(place.snapshot('dist/signatures')).map((name) => `dist/signatures/${name}`);
  const names = [
    'packages.plist',
    'packages.plist.asc',
    'keys.asc',
    'keys.gpg',
    'SHA256SUMS',
    'SHA256SUMS.asc',
  ];
  return [...names, 'index.html'].map((name) => `dist/${name}`).concat(signatures);
}

const DAMAGES: Readonly<Record<string, (file: string) => void>> = {
  'cut in half': (file) => {
    const bytes = place.read(file);
    place.write(file, bytes.subarray(0, bytes.length / 2));
  },
  empty: (file) => void place.write(file, ''),
  lost: (file) => {
    place.remove(file);
  },
  'a folder': (file) => {
    place.remove(file);
    mkdirSync(place.path(file));
  },
};

/** Builds, and expects that all is well again, or a refusal or warning that says what to do. */
async function mendsOrSays(spoilt: readonly string[]): Promise<void> {
  const before = await place.packsign(['status', 'dist']);
  expect([spoilt, before.status]).not.toEqual([spoilt, 0]);
  const build = await place.packsign(RELEASE);
  const after = await place.packsign(['status', 'dist']);
  if (after.status === 0) {
    expect([spoilt, build.status]).toEqual([spoilt, 0]);
    expect((await place.packsign(['verify', 'dist', '--keys', 'ann.pub.asc'])).status).toBe(0);
    return;
  }
  const said = /restore |: mv dist\/|move them away/;
  expect([spoilt, build.stderr]).toEqual([spoilt, expect.stringMatching(said)]);
  expect([spoilt, after.stdout + after.stderr]).toEqual([spoilt, expect.stringMatching(said)]);
}

test.each(Object.entries(DAMAGES))(
  'each file alone and each two, %s, are repaired, or there is a way out, and status says the truth',
  async (_, spoil) => {
    place.write('ann.pub.asc', ann.certificate);
    place.write('dist/packsign.json', JSON.stringify({ Page: true, Checksums: true }));
    expect((await place.packsign(RELEASE)).status).toBe(0);
    const whole = place.path('whole');
    cpSync(place.path('dist'), whole, { recursive: true, preserveTimestamps: true });
    const files = publishedFiles();
    expect(files.length).toBe(9);
    for (const [at, one] of files.entries())
      for (const other of files.slice(at)) {
        const spoilt = Array.from(new Set([one, other]));
        spoilt.forEach(spoil);
        await mendsOrSays(spoilt);
        rmSync(place.path('dist'), { recursive: true });
        cpSync(whole, place.path('dist'), { recursive: true, preserveTimestamps: true });
      }
  },
);

test('the command says what it repaired', async () => {
  place.remove('dist/keys.gpg');
  expect((await place.packsign(RELEASE)).stderr).toBe('packsign: put back keys.gpg\n');
});

test.each([...WRITERS, ...LOOKERS.slice(0, 3)].map((args) => [args.join(' '), args] as const))(
  'a damaged keys.asc is what %s names, and what has to be restored',
  async (_, args) => {
    place.write('dist/keys.asc', '');
    const { status, stderr } = await place.packsign(args);
    expect(status).toBe(2);
    expect(stderr).toContain('dist/keys.asc: certificate file');
    expect(stderr).toContain('hint: restore it from a backup or the published site');
  },
);

test('repairs nothing to fit a keys.asc that somebody replaced', async () => {
  place.write('dist/keys.asc', bob.certificate);
  const spoilt = place.snapshot();
  for (const args of [...WRITERS, ...LOOKERS]) await place.packsign(args);
  expect(place.snapshot()).toEqual(spoilt);
  const { status, value } = await place.json(['sign', 'dist', '--key', 'ann.asc']);
  expect([status, value]).toMatchObject([1, { error: { code: 'KEY_NOT_PUBLISHED' } }]);
});

test('does not invent a signature file without its copy', async () => {
  place.remove('dist/signatures');
  place.write('dist/packages.plist.asc', 'other');
  place.write('dist/more-1.0.tgz', npmTarball('more', '1.0'));
  const spoilt = place.snapshot();
  expect(await place.json(RELEASE)).toMatchObject({
    status: 1,
    value: { error: { code: 'PREVIOUS_INVALID' } },
  });
  expect(place.snapshot()).toEqual(spoilt);
});

test.each([
  ['a damaged keys.asc', 'keys.asc', 1, 'KEYS_MALFORMED'],
  ['a folder in the place of keys.gpg', 'keys.gpg', 0, null],
])('%s does not keep verify from its verdict', async (...[, file, status, code]) => {
  place.remove(`dist/${file}`);
  if (file === 'keys.gpg') place.write(`dist/${file}/x`, '');
  else place.write(`dist/${file}`, 'damaged');
  expect(await place.json(['verify', 'dist'])).toMatchObject({ status, value: { code } });
});
