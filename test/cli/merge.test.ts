import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { codeOf, newKey, newPlace, npmTarball, sdist } from '../packsign.js';
import type { Answer, Place, Run, TestKey } from '../packsign.js';
import { startSmallStore } from '../upload/s3/small-store.js';
import type { SmallStore } from '../upload/s3/small-store.js';

let ann: TestKey;
let place: Place;
let store: SmallStore;

beforeAll(async () => {
  ann = await newKey('Ann');
});

const SETTINGS = '{ "Maintainer": "Ann <ann@example.org>" }';

beforeEach(async () => {
  store = await startSmallStore();
  place = newPlace();
  place.write('ann.asc', ann.signing);
  place.write('own/packsign.json', SETTINGS);
  return async () => await store.stop();
});

const NOW = String(Math.floor(Date.now() / 1000));
const SIGN = ['--key', 'ann.asc', '--deterministic'] as const;
const BUCKET = 's3://bucket/dist';

const env = () => ({
  ...{ AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_ENDPOINT_URL_S3: store.url },
  SOURCE_DATE_EPOCH: NOW,
});
const run = async (...args: readonly string[]): Promise<Run> => await place.packsign(args, { env: env() });
const ask = async (...args: readonly string[]): Promise<Answer> => await place.json(args, { env: env() });

function put(files: Readonly<Record<string, Buffer>>): void {
  for (const [path, bytes] of Object.entries(files))
    store.objects.set(`dist/${path}`, { bytes, headers: {} });
}

const reads = () =>
  store.asked.filter(({ method, key, query }) => method === 'GET' && key !== '' && query.size === 0);

/** They are searched for secrets all the same. */
const UNLISTED = ['NOTES', 'TODO', 'sub/README', '.hidden.zip'];

/** Files of all kinds; enough that each of three shares has some. */
const FILES: Readonly<Record<string, Buffer>> = {
  ...Object.fromEntries(
    ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => [`${name}-1.0.tar.gz`, sdist(name, '1.0')]),
  ),
  'sub/lantern-1.0.tgz': npmTarball('lantern', '1.0'),
  'big-1.0.gz': gzipSync(randomBytes(3_000_000), { level: 1 }),
  tool: Buffer.from('#!/bin/sh\necho tool\n'),
  ...Object.fromEntries(UNLISTED.map((name) => [name, Buffer.from(name)])),
};

/** Has every share hashed by a machine of its own. */
async function makeParts(count: number, ...more: readonly string[]): Promise<readonly string[]> {
  const files = Array.from({ length: count }, (_, index) => `part-${index + 1}.json`);
  for (const [index, file] of files.entries()) {
    const made = await ask('build', BUCKET, '--shard', `${index + 1}/${count}`, '--output', file, ...more);
    expect([made.status, made.run.stderr]).toEqual([0, '']);
  }
  return files;
}

const texts = new Map<number, readonly string[]>();

/** The parts of the first files, which are made once for all tests. */
async function givenParts(count: number): Promise<readonly string[]> {
  put(FILES);
  const made = texts.get(count);
  const names = made?.map((_, index) => `part-${index + 1}.json`) ?? (await makeParts(count));
  if (made === undefined) texts.set(count, names.map(place.text));
  made?.forEach((text, index) => place.write(names[index] ?? '', text));
  return names;
}

/** Changes a part as somebody does who knows how parts are written. */
function forge(file: string, change: (body: string) => string): void {
  const before = place.text(file);
  const body = change(before.slice(0, before.lastIndexOf('\n,"checksum"')));
  const checksum = createHash('sha256').update(body).digest('hex');
  place.write(file, `${body}\n,"checksum":"${checksum}"}\n`);
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const OTHER = 'f'.repeat(64);
/** The part of three that has a path. */
const partWith = (path: string) =>
  ['part-1.json', 'part-2.json', 'part-3.json'].find((file) =>
    place.text(file).includes(`"path":"${path}"`),
  ) ?? '';

/** What a build of the same files in a directory makes. */
async function local(files = FILES): Promise<Buffer> {
  for (const [path, bytes] of Object.entries(files)) place.write(`local/${path}`, bytes);
  place.write('local/packsign.json', SETTINGS);
  expect((await run('build', 'local')).status).toBe(0);
  return place.read('local/packages.unsigned.plist');
}

describe('merge', () => {
  test('makes the very database of a local build, and of a build of the bucket, without reading a file', async () => {
    const parts = await givenParts(3);
    store.asked.length = 0;
    const merged = await ask('merge', ...parts, '--state', 'own');
    expect([merged.status, merged.value]).toMatchObject([
      0,
      { hashed: 0, cached: 9, taken: 9, read: [], missing: [] },
    ]);
    const own = ({ key }: { readonly key: string }) => key.slice('dist/'.length);
    const listed = () => reads().filter((one) => own(one) in FILES && !UNLISTED.includes(own(one)));
    expect(listed()).toEqual([]);
    const database = place.read('own/packages.unsigned.plist');
    expect(database).toEqual(await local());
    place.write('alone/packsign.json', SETTINGS);
    expect((await run('build', BUCKET, '--state', 'alone')).status).toBe(0);
    expect(database).toEqual(place.read('alone/packages.unsigned.plist'));
    store.asked.length = 0;
    expect((await run('build', BUCKET, '--state', 'own', ...SIGN)).stdout).toContain('(0 hashed, 9 known)');
    expect(listed()).toEqual([]);
  });

  test('waits for review, and signs what was reviewed; with a key it signs and publishes at once', async () => {
    const parts = await givenParts(2);
    const merged = await run('merge', ...parts, '--state', 'own');
    expect(merged.stdout).toContain('9 files from 2 parts\n');
    expect(merged.stdout).toContain(`packsign sign ${BUCKET} --state own --key FILE`);
    expect(store.objects.has('dist/packages.plist')).toBe(false);
    expect((await run('diff', BUCKET, '--state', 'own')).stdout).toContain('big-1.0.gz');
    expect((await run('sign', BUCKET, '--state', 'own', ...SIGN)).status).toBe(0);
    expect(store.objects.has('dist/packages.plist')).toBe(true);
    put({ 'new-1.0.tar.gz': sdist('new', '1.0') });
    const again = await makeParts(2, '--state', 'own');
    expect((await run('merge', ...again, '--state', 'own', ...SIGN)).stdout).toContain(
      'signed and published',
    );
    expect(store.objects.get('dist/packages.plist')?.bytes).toEqual(place.read('own/packages.plist'));
  });

  test('reads what was replaced or added since, and forgets what was removed', async () => {
    const parts = await givenParts(3);
    const same = Buffer.from(FILES['a-1.0.tar.gz'] ?? Buffer.of());
    // The bytes that gzip has for the system: another file of the same size.
    same[9] = 7;
    const files: Record<string, Buffer> = {
      ...FILES,
      'a-1.0.tar.gz': same,
      'z-1.0.tar.gz': sdist('z', '1.0'),
    };
    delete files['b-1.0.tar.gz'];
    put(files);
    store.objects.delete('dist/b-1.0.tar.gz');
    const { status, value } = await ask('merge', ...parts, '--state', 'own');
    const read = [
      { path: 'a-1.0.tar.gz', reason: 'replaced' },
      { path: 'z-1.0.tar.gz', reason: 'missing' },
    ];
    expect([status, value]).toMatchObject([0, { taken: 7, hashed: 2, read }]);
    expect(place.read('own/packages.unsigned.plist')).toEqual(await local(files));
  });

  test('reads what a missing part would have, and says which one is missing', async () => {
    const [first = '', , third = ''] = await givenParts(3);
    const { status, stdout, stderr } = await run('merge', first, third, '--state', 'own');
    expect([status, stderr]).toEqual([0, expect.stringContaining('without part 2 of 3\n')]);
    expect(stdout).toMatch(/^\d files from 2 parts; read here:\n {2}\S+: no part has it$/m);
    expect(place.read('own/packages.unsigned.plist')).toEqual(await local());
  });

  test('the same part twice is no contradiction', async () => {
    const [part = ''] = await givenParts(1);
    place.write('copy.json', place.read(part));
    expect((await ask('merge', part, 'copy.json', part, '--state', 'own')).value).toMatchObject({
      taken: 9,
      read: [],
    });
  });

  test('PART_WRONG: of two parts that contradict each other packsign finds the wrong one, and builds nothing', async () => {
    const parts = await givenParts(3);
    const right = partWith('c-1.0.tar.gz');
    place.write('wrong.json', place.read(right));
    const hash = sha256(FILES['c-1.0.tar.gz'] ?? Buffer.of());
    forge('wrong.json', (body) => body.replace(hash, OTHER));
    const { status, stderr } = await run('merge', ...parts, 'wrong.json', '--state', 'own', ...SIGN);
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining('c-1.0.tar.gz: packsign has read it, and it is not what wrong.json says'),
    ]);
    expect(stderr).not.toContain(right);
    expect(readdirSync(place.path('own')).sort()).toEqual(['.packsign', 'packsign.json']);
    // Nothing of it is remembered.
    expect((await ask('build', BUCKET, '--state', 'own')).value).toMatchObject({ hashed: 9, cached: 0 });
    expect(place.read('own/packages.unsigned.plist')).toEqual(await local());
  });

  test.each([
    [
      'another SHA-256',
      (body: string) => body.replace(/(lantern-1.0.tgz.*?"sha256":")[0-9a-f]{64}/, `$1${OTHER}`),
    ],
    ['another name', (body: string) => body.replace('"name":"lantern"', '"name":"torch"')],
    ['damage', (body: string) => body.replace(/(lantern-1.0.tgz.*)"sound":"whole"/, '$1"damaged":"no"')],
  ])('PART_WRONG: so does one of two that says %s', async (_, change) => {
    const [part = ''] = await givenParts(1);
    place.write('wrong.json', place.read(part));
    forge('wrong.json', change);
    const { status, value } = await ask('merge', 'wrong.json', part, '--state', 'own');
    expect([status, codeOf({ status, value } as Answer)]).toEqual([1, 'PART_WRONG']);
    expect(JSON.stringify(value)).toContain('wrong.json cannot be believed');
  });

  test('PART_WRONG: one with other hashes than the ETags of the store', async () => {
    const [part = ''] = await givenParts(1);
    forge(part, (body) =>
      body.replace(
        /(d-1.0.tar.gz.*?"sha256":")[0-9a-f]{64}(","md5":")[0-9a-f]{32}/,
        `$1${OTHER}$2${'e'.repeat(32)}`,
      ),
    );
    store.asked.length = 0;
    const answer = await ask('merge', part, '--state', 'own');
    expect([answer.status, codeOf(answer)]).toEqual([1, 'PART_WRONG']);
    expect(reads().map(({ key }) => key)).toEqual(['dist/d-1.0.tar.gz']);
  });

  test('PART_WRONG: one that says something else than this machine knows', async () => {
    const [part = ''] = await givenParts(1);
    expect((await run('build', BUCKET, '--state', 'own')).status).toBe(0);
    forge(part, (body) => body.replace(sha256(FILES['tool'] ?? Buffer.of()), OTHER));
    expect(codeOf(await ask('merge', part, '--state', 'own'))).toBe('PART_WRONG');
  });

  test('what an earlier merge took from a wrong part is read again once a right one says otherwise', async () => {
    const [part = ''] = await givenParts(1);
    place.write('wrong.json', place.read(part));
    forge('wrong.json', (body) => body.replace(sha256(FILES['tool'] ?? Buffer.of()), OTHER));
    expect((await run('merge', 'wrong.json', '--state', 'own')).status).toBe(0);
    const { status, value } = await ask('merge', part, '--state', 'own');
    expect([status, value]).toMatchObject([0, { read: [{ path: 'tool', reason: 'cache' }], hashed: 1 }]);
    expect(place.read('own/packages.unsigned.plist')).toEqual(await local());
  });

  test('BYTES_CHANGED: a right part shows what was signed from a wrong one', async () => {
    const [part = ''] = await givenParts(1);
    place.write('wrong.json', place.read(part));
    forge('wrong.json', (body) => body.replace(sha256(FILES['tool'] ?? Buffer.of()), OTHER));
    expect((await run('merge', 'wrong.json', '--state', 'own', ...SIGN)).status).toBe(0);
    expect((await run('merge', 'wrong.json', '--state', 'own', ...SIGN)).stdout).toContain('up to date');
    const answer = await ask('merge', part, '--state', 'own', ...SIGN);
    expect([answer.status, codeOf(answer)]).toEqual([1, 'BYTES_CHANGED']);
    expect(JSON.stringify(answer.value)).toContain('tool');
  });

  test('PART_WRONG: two that contradict each other about what nobody can read', async () => {
    const parts = await givenParts(1);
    place.write('wrong.json', place.read('part-1.json'));
    forge('wrong.json', (body) => body.replace(sha256(FILES['d-1.0.tar.gz'] ?? Buffer.of()), OTHER));
    store.meddle = ({ key }) =>
      key === 'dist/d-1.0.tar.gz' ? { status: 412, code: 'PreconditionFailed' } : null;
    const { status, stderr } = await run('merge', ...parts, 'wrong.json', '--state', 'own');
    const line = 'd-1.0.tar.gz: part-1.json and wrong.json contradict each other';
    expect([status, stderr]).toEqual([1, expect.stringContaining(line)]);
    expect(place.has('own/packages.unsigned.plist')).toBe(false);
  });

  test('PART_WRONG: two that contradict each other about a program; packsign does not remember what they say', async () => {
    const parts = await givenParts(1);
    place.write('wrong.json', place.read('part-1.json'));
    forge('wrong.json', (body) =>
      body.replace(/("path":"tool".*?),"program":true.*?\}/, '$1,"program":false}'),
    );
    const { status, stderr } = await run('merge', ...parts, 'wrong.json', '--state', 'own');
    const line = 'tool: part-1.json and wrong.json contradict each other';
    expect([status, stderr]).toEqual([1, expect.stringContaining(line)]);
    expect(place.has('own/.packsign/object-kinds')).toBe(false);
    expect((await run('build', BUCKET, '--state', 'own')).status).toBe(0);
    expect(place.read('own/packages.unsigned.plist')).toEqual(await local());
  });

  test('two parts of one share that were made with other settings are no contradiction', async () => {
    put(FILES);
    const [plain = ''] = await makeParts(1, '--no-pack-man');
    place.write('plain.json', place.read(plain));
    const [more = ''] = await makeParts(1, '--include', 'NOTES');
    const { status, value } = await ask('merge', 'plain.json', more, '--state', 'own');
    expect([status, value]).toMatchObject([0, { taken: 9, read: [] }]);
    expect(place.read('own/packages.unsigned.plist')).toEqual(await local());
  });

  test('leaves out what differs only in case, and reads the beginning of what has an odd name', async () => {
    const files = { ...FILES, 'A-1.0.tar.gz': sdist('A', '1.0'), 'my notes': Buffer.from('notes') };
    put(files);
    for (const index of [1, 2, 3])
      await run('build', BUCKET, '--shard', `${index}/3`, '--output', `part-${index}.json`);
    store.asked.length = 0;
    const parts = [1, 2, 3].map((index) => `part-${index}.json`);
    expect((await run('merge', ...parts, '--state', 'own')).status).toBe(0);
    expect(reads().map(({ key }) => key)).toEqual(['dist/my notes']);
    expect(place.read('own/packages.unsigned.plist')).toEqual(await local(files));
  });

  test('a file with a secret, and a damaged one, are refused as a build refuses them', async () => {
    const cut = gzipSync(randomBytes(3_000_000), { level: 1 }).subarray(0, 2_000_000);
    put({ ...FILES, 'cut-1.0.gz': cut });
    const made = await ask('build', BUCKET, '--shard', '1/1', '--output', 'part.json');
    expect([made.status, made.value]).toMatchObject([
      0,
      { warnings: [{ code: 'DAMAGED', path: 'cut-1.0.gz' }] },
    ]);
    const merged = await run('merge', 'part.json', '--state', 'own', ...SIGN);
    place.write('alone/packsign.json', SETTINGS);
    const built = await run('build', BUCKET, '--state', 'alone', ...SIGN);
    expect([built.status, merged.stderr]).toEqual([1, built.stderr.replaceAll('alone', 'own')]);
    expect(merged.stderr).toContain(`packsign build ${BUCKET} --state own --allow-damaged cut-1.0.gz`);
    store.objects.delete('dist/cut-1.0.gz');
    put({ 'key-1.0.tar': Buffer.from(ann.secret) });
    const left = await ask('build', BUCKET, '--shard', '1/1', '--output', 'part.json', '--inspect', 'whole');
    expect(left.value).toMatchObject({
      warnings: expect.arrayContaining([
        expect.objectContaining({ code: 'SECRET_LEFT_OUT', path: 'key-1.0.tar' }),
      ]) as unknown,
    });
    expect(place.text('part.json')).not.toContain('key-1.0.tar');
    const more = ['--state', 'own', '--allow-damaged', 'key-1.0.tar', ...SIGN];
    const refused = await ask('merge', 'part.json', ...more);
    expect([refused.status, codeOf(refused)]).toEqual([1, 'SECRET_IN_DIRECTORY']);
    expect(place.has('own/packages.plist')).toBe(false);
  });

  test.each<readonly [what: string, spoil: () => void, code: string, message: string]>([
    [
      'cut in half',
      () => place.write('part-1.json', place.read('part-1.json').subarray(0, 900)),
      'PART_UNUSABLE',
      'part-1.json cannot be used: it has been cut off, or changed',
    ],
    [
      'changed by hand',
      () => place.write('part-1.json', place.text('part-1.json').replace('"size":', '"size":1')),
      'PART_UNUSABLE',
      'part-1.json cannot be used: it has been changed',
    ],
    [
      'with a line more',
      () => place.write('part-1.json', `${place.text('part-1.json')}\n`),
      'PART_UNUSABLE',
      'part-1.json cannot be used: it has been cut off, or changed',
    ],
    [
      'of bytes that are no text',
      () => place.write('part-1.json', Buffer.concat([place.read('part-1.json'), Buffer.of(0xff)])),
      'PART_UNUSABLE',
      'part-1.json cannot be used: it is not text in UTF-8',
    ],
    ['empty', () => place.write('part-1.json', ''), 'PART_UNUSABLE', 'part-1.json is no part of a bucket'],
    [
      'something else',
      () => place.write('part-1.json', SETTINGS),
      'PART_UNUSABLE',
      'part-1.json is no part of a bucket',
    ],
    ['not there', () => place.remove('part-1.json'), 'FILE_UNREADABLE', 'there is no part part-1.json'],
    [
      'a folder',
      () => {
        place.remove('part-1.json');
        place.write('part-1.json/x', '');
      },
      'FILE_UNREADABLE',
      'part-1.json is not a regular file',
    ],
    [
      'of another version',
      () => forge('part-1.json', (body) => body.replace('"packsign-part":1', '"packsign-part":2')),
      'PART_UNUSABLE',
      'part-1.json cannot be used: another version of packsign wrote it',
    ],
    [
      'of other readers',
      () => forge('part-1.json', (body) => body.replace('"readers":2', '"readers":3')),
      'PART_UNUSABLE',
      'part-1.json cannot be used: another version of packsign made it, whose readers may find something else',
    ],
    [
      'of another share',
      () => forge('part-1.json', (body) => body.replace('"1/2"', '"2/2"')),
      'PART_UNUSABLE',
      'is not in share 2/2',
    ],
    [
      'of no share',
      () => forge('part-1.json', (body) => body.replace('"1/2"', '"3/2"')),
      'PART_UNUSABLE',
      'part-1.json cannot be used: shard: expected a share, like 2/4',
    ],
    [
      'with a key more',
      () => forge('part-1.json', (body) => body.replace('"settings":{', '"settings":{"Key":"a"')),
      'PART_UNUSABLE',
      'part-1.json cannot be used: settings › Key › is not a known key',
    ],
    [
      'with a key twice',
      () => forge('part-1.json', (body) => body.replace('"shard":', '"shard":"2/2","shard":')),
      'PART_UNUSABLE',
      'part-1.json cannot be used: is not written as packsign writes it',
    ],
    [
      'of a directory',
      () => forge('part-1.json', (body) => body.replace('"s3://bucket/dist"', '"dist"')),
      'PART_UNUSABLE',
      'part-1.json cannot be used: address: expected s3://BUCKET/PREFIX',
    ],
    [
      'of another bucket',
      () => forge('part-1.json', (body) => body.replace('s3://bucket/dist', 's3://bucket/test')),
      'PARTS_MIXED',
      'part-1.json is part 1/2 of one whole, and part-2.json of another: s3://bucket/test, and s3://bucket/dist',
    ],
    [
      'that was looked through otherwise',
      () => forge('part-1.json', (body) => body.replace('"inspect":"whole"', '"inspect":"ends"')),
      'PARTS_MIXED',
      'files looked through with --inspect ends, and files looked through with --inspect whole',
    ],
  ])('refuses a part %s', async (...[, spoil, code, message]) => {
    const parts = await givenParts(2);
    spoil();
    const answer = await ask('merge', ...parts, '--state', 'own');
    expect([answer.status, codeOf(answer), answer.value]).toEqual([
      2,
      code,
      { error: expect.objectContaining({ message: expect.stringContaining(message) as string }) as unknown },
    ]);
    expect(place.has('own/packages.unsigned.plist')).toBe(false);
  });

  test('PARTS_MIXED: refuses parts of another number, and of other settings than are given here', async () => {
    put(FILES);
    const [third = ''] = await makeParts(1, '--inspect', 'ends');
    place.write('whole.json', place.read(third));
    const [first = ''] = await makeParts(2, '--inspect', 'ends');
    expect(codeOf(await ask('merge', first, 'whole.json', '--state', 'own'))).toBe('PARTS_MIXED');
    const { status, stderr } = await run('merge', 'whole.json', '--state', 'own');
    expect([status, stderr]).toEqual([2, expect.stringContaining('type --inspect ends here too')]);
    expect((await run('merge', 'whole.json', '--state', 'own', '--inspect', 'ends')).status).toBe(0);
  });

  test('says that a part was made with other settings, and reads what it lacks', async () => {
    put(FILES);
    const parts = await makeParts(1, '--exclude', '[abc]-*', '--no-pack-man', '--include', 'NOTES');
    const { stderr, stdout, status } = await run('merge', ...parts, '--state', 'own');
    expect([status, stderr]).toEqual([
      0,
      expect.stringContaining(
        'part-1.json was made with another "PackMan" and "Include" and "Exclude"; what it lacks is read here',
      ),
    ]);
    expect(stdout).toContain('a-1.0.tar.gz: no part has it\n');
    expect(stdout).toContain('d-1.0.tar.gz: no part has its MD5');
    expect(place.read('own/packages.unsigned.plist')).toEqual(await local());
  });

  test('USAGE: needs parts, and a folder', async () => {
    expect(await run('merge', '--state', 'own')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('missing <parts..>') as string,
    });
    expect(await run('merge', 'part-1.json')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--state is missing') as string,
    });
  });
});

describe('build --shard', () => {
  test('each object is read by one machine, which writes its part and nothing else', async () => {
    put(FILES);
    await makeParts(3);
    expect(readdirSync(place.root).sort()).toEqual([
      'ann.asc',
      'dist',
      'home',
      'own',
      'part-1.json',
      'part-2.json',
      'part-3.json',
    ]);
    expect(store.asked.every(({ method }) => method === 'GET')).toBe(true);
    const keys = reads().map(({ key }) => key);
    expect(new Set(keys).size).toBe(Object.keys(FILES).length - 1);
    expect(keys.filter((key) => key === 'dist/tool')).toHaveLength(2);
    const paths = ['part-1.json', 'part-2.json', 'part-3.json'].map((file) => {
      const { objects } = JSON.parse(place.text(file)) as { objects: { rows: readonly { path: string }[] } };
      return objects.rows.map(({ path }) => path);
    });
    expect(paths.every((own) => own.length > 0)).toBe(true);
    expect(paths.flat().sort()).toEqual(
      Object.keys(FILES)
        .filter((path) => path !== '.hidden.zip')
        .sort(),
    );
  });

  test('reads no file that the folder of --state knows, and writes nothing there', async () => {
    put(FILES);
    expect((await run('build', BUCKET, '--state', 'own')).status).toBe(0);
    const before = readdirSync(place.path('own/.packsign')).map((name) =>
      place.text(`own/.packsign/${name}`),
    );
    put({ 'new-1.0.tar.gz': sdist('new', '1.0') });
    store.asked.length = 0;
    const made = await ask('build', BUCKET, '--state', 'own', '--shard', '1/1', '--output', 'part.json');
    expect(made.value).toMatchObject({ hashed: 1, cached: 9, files: 10, shard: '1/1', address: BUCKET });
    expect(reads().map(({ key }) => key)).toEqual(['dist/new-1.0.tar.gz']);
    expect(
      readdirSync(place.path('own/.packsign')).map((name) => place.text(`own/.packsign/${name}`)),
    ).toEqual(before);
    expect(place.has('own/.packsign/lock')).toBe(false);
  });

  test('takes no settings, and no cache, from the current folder', async () => {
    put(FILES);
    place.write('packsign.json', '{ "Exclude": ["*"] }');
    expect((await run('build', BUCKET, '--state', '.')).status).toBe(2);
    expect((await ask('build', BUCKET, '--shard', '1/1', '--output', 'part.json')).value).toMatchObject({
      files: 9,
      cached: 0,
    });
  });

  test('leaves out what changes while it is read, and says so; merge reads it', async () => {
    put(FILES);
    store.meddle = ({ key, headers }) => {
      if (key === 'dist/big-1.0.gz' && headers.range?.startsWith('bytes=0-') !== true)
        put({ 'big-1.0.gz': gzipSync('new') });
      return null;
    };
    const made = await ask('build', BUCKET, '--shard', '1/1', '--output', 'part.json');
    expect([made.status, made.value]).toMatchObject([
      0,
      { files: 8, warnings: [{ code: 'CHANGED_WHILE_READ', path: 'big-1.0.gz' }] },
    ]);
    store.meddle = () => null;
    expect((await ask('merge', 'part.json', '--state', 'own')).value).toMatchObject({
      read: [{ path: 'big-1.0.gz', reason: 'missing' }],
    });
  });

  test('a store that fails leaves no part, and the old one as it was', async () => {
    put(FILES);
    store.meddle = ({ key }) => (key === 'dist/tool' ? { status: 403, code: 'AccessDenied' } : null);
    expect(await run('build', BUCKET, '--shard', '1/1', '--output', 'part.json')).toMatchObject({
      status: 2,
    });
    expect(place.has('part.json')).toBe(false);
    store.meddle = () => null;
    await makeParts(1);
    const before = place.text('part-1.json');
    store.meddle = ({ key }) => (key === 'dist/big-1.0.gz' ? { status: 403, code: 'AccessDenied' } : null);
    expect(await run('build', BUCKET, '--shard', '1/1', '--output', 'part-1.json')).toMatchObject({
      status: 2,
    });
    expect(place.text('part-1.json')).toBe(before);
  });

  test('never replaces a file that is no part', async () => {
    put(FILES);
    const { status, stderr } = await run('build', BUCKET, '--shard', '1/1', '--output', 'ann.asc');
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining('ann.asc is no part of a bucket, and stays as it is'),
    ]);
    expect(place.text('ann.asc')).toBe(ann.signing);
    expect(await run('build', BUCKET, '--shard', '1/1', '--output', 'none/part.json')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('mkdir -p none') as string,
    });
    expect(reads()).toEqual([]);
  });

  test.each<readonly [args: readonly string[], message: string]>([
    ...['0/4', '5/4', '1/0', 'a/b', '1', '1/4/2', '-1/4', '1.5/4', '01/4', '1e1/20', ' 1/4', '1/9999999'].map(
      (share) =>
        [
          [BUCKET, `--shard=${share}`, '--output', 'p.json'],
          `--shard must be a share like 2/4, the second of four, not "${share}"`,
        ] as const,
    ),
    [
      ['dist', '--shard', '1/2', '--output', 'p.json'],
      '--shard divides the objects of a bucket, and dist is none',
    ],
    [[BUCKET, '--shard', '1/2'], '--shard needs a file for the part: --output'],
    [
      [BUCKET, '--state', 'own', '--output', 'p.json'],
      '--output is the file for a part of a bucket, and does nothing without --shard',
    ],
    ...[
      ['--key', 'ann.asc'],
      ['--sign'],
      ['--publish'],
      ['--check'],
      ['--strict'],
      ['--first'],
      ['--previous', 'x'],
      ['--allow-damaged', 'x'],
      ['--maintainer', 'x'],
    ].map(
      (more) =>
        [
          [BUCKET, '--shard', '1/2', '--output', 'p.json', ...more],
          `${more[0] ?? ''} has no meaning beside --shard, which only hashes a part`,
        ] as const,
    ),
  ])('USAGE: %j', async (args, message) => {
    put(FILES);
    const { status, stderr } = await run('build', ...args);
    expect([status, stderr]).toEqual([2, expect.stringContaining(message)]);
    expect([place.has('p.json'), reads()]).toEqual([false, []]);
  });

  test('NOTHING_TO_LIST: a prefix where nothing is', async () => {
    put(FILES);
    const answer = await ask('build', 's3://bucket/none', '--shard', '1/2', '--output', 'p.json');
    expect([answer.status, codeOf(answer), place.has('p.json')]).toEqual([2, 'NOTHING_TO_LIST', false]);
  });

  test('needs no key and no login but that of the store', async () => {
    put(FILES);
    const made = await place.packsign(['build', BUCKET, '--shard', '1/2', '--output', 'p.json'], {
      env: { ...env(), PACKSIGN_KEY: 'no-such-key.asc' },
    });
    expect([made.status, made.stdout]).toEqual([
      0,
      expect.stringContaining('packsign merge p.json OTHERS --state FOLDER'),
    ]);
  });
});
