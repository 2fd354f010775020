import { Writable } from 'node:stream';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { main } from '../../src/cli/main.js';
import type { Outside } from '../../src/cli/streams.js';
import { codeOf, epoch, newKey, newPlace, sdist, transcript } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';

let ann: TestKey;
let bob: TestKey;
let place: Place;

beforeAll(async () => {
  ann = await newKey('Ann');
  bob = await newKey('Bob');
});

beforeEach(() => {
  place = newPlace();
  place.write('ann.asc', ann.signing);
  place.write('ann.pub.asc', ann.certificate);
  place.write('bob.pub.asc', bob.certificate);
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
});

async function release(more: readonly string[] = [], env = {}): Promise<void> {
  expect((await place.packsign(['build', 'dist', '--key', 'ann.asc', ...more], { env })).stderr).toBe('');
}

const VERIFY = ['verify', 'dist'];
const HELD = [...VERIFY, '--keys', 'ann.pub.asc'];

describe('what verify says', () => {
  test('authentic', async () => {
    await release();
    expect(transcript(await place.packsign(VERIFY))).toMatchInlineSnapshot(`
      "$ packsign verify dist
      authentic (🔒 closed padlock): dist/packages.plist: 1 of 1 file as signed
        issued <date>, fresh until <date>
        signed by <fingerprint in groups>  Ann <ann@example.org>, <date>
      [0]"
    `);
    expect(transcript(await place.packsign(HELD))).toBe(
      transcript(await place.packsign(VERIFY)).replace('verify dist', 'verify dist --keys ann.pub.asc'),
    );
  });

  test('stale', async () => {
    await release([], epoch('2026-01-01'));
    expect(transcript(await place.packsign(HELD))).toMatchInlineSnapshot(`
      "$ packsign verify dist --keys ann.pub.asc
      stale (🔒 closed padlock): dist/packages.plist: expired at <date>; 1 of 1 file as signed (DATABASE_STALE)
        issued <date>, fresh until <date>
        signed by <fingerprint in groups>  Ann <ann@example.org>, <date>
      [1]"
    `);
  });

  test('unauthenticated', async () => {
    await release();
    place.remove('state');
    expect(transcript(await place.packsign(VERIFY))).toMatchInlineSnapshot(`
      "$ packsign verify dist
      unauthenticated (🔓 open padlock): dist/packages.plist: signed by the key beside it, which proves nothing: anybody could have put both there; 1 of 1 file as signed (NOT_PINNED)
        signed by <fingerprint in groups>  Ann <ann@example.org>, <date>
        to know whose it is, get the fingerprint from a place you trust and type
        packsign verify dist --fingerprint FINGERPRINT
      [1]"
    `);
    expect(transcript(await place.packsign(['verify', 'dist/packages.plist']))).toMatchInlineSnapshot(`
      "$ packsign verify dist/packages.plist
      unauthenticated (🔓 open padlock): dist/packages.plist: no key given to check it against (NOT_PINNED)
        to know whose it is, get the fingerprint from a place you trust and type
        packsign verify dist/packages.plist --fingerprint FINGERPRINT
      [1]"
    `);
  });

  test('refused', async () => {
    await release(['--notify', 'mailto:ann@example.org']);
    expect(transcript(await place.packsign([...VERIFY, '--keys', 'bob.pub.asc']))).toMatchInlineSnapshot(`
      "$ packsign verify dist --keys bob.pub.asc
      refused (refusal): dist/packages.plist: no good signature by a trusted key: made by a key that is not among the certificates (SIGNATURE_INVALID)
        does not count: an unknown key, <date> (made by a key that is not among the certificates)
        do not use it
      [1]"
    `);
    place.write('dist/packages.plist', 'x');
    expect(transcript(await place.packsign(HELD))).toMatchInlineSnapshot(`
      "$ packsign verify dist --keys ann.pub.asc
      refused (refusal): dist/packages.plist: these bytes have no signature: they were changed, or never signed; there is no dist/signatures/<sha256>.asc (SIGNATURE_MISSING)
        do not use it
        if you publish it: packsign status dist
      [1]"
    `);
    place.remove('dist/packages.plist');
    expect(transcript(await place.packsign(HELD))).toMatchInlineSnapshot(`
      "$ packsign verify dist --keys ann.pub.asc
      refused (refusal): dist/packages.plist: there is no dist/packages.plist (DATABASE_MISSING)
        if you publish it: packsign status dist
      [1]"
    `);
  });

  test('altered, missing, unlisted and yanked archives', async () => {
    place.write('dist/gone-1.0.tar.gz', sdist('gone', '1.0'));
    place.write('dist/leaky-1.0.tar.gz', sdist('leaky', '1.0'));
    place.write(
      'dist/packsign.json',
      JSON.stringify({ Packages: { 'leaky-1.0.tar.gz': { Yanked: 'leaks' } } }),
    );
    await release();
    place.write('dist/demo-1.0.tar.gz', 'evil');
    place.remove('dist/gone-1.0.tar.gz');
    place.write('dist/new-1.0.tar.gz', sdist('new', '1.0'));
    expect(transcript(await place.packsign(VERIFY))).toMatchInlineSnapshot(`
      "$ packsign verify dist
      1 file is not as signed, 1 file is missing (refused): dist/packages.plist: 1 of 3 files as signed; 1 file here is not covered: new-1.0.tar.gz (FILE_ALTERED)
        issued <date>, fresh until <date>
        signed by <fingerprint in groups>  Ann <ann@example.org>, <date>
        altered: demo-1.0.tar.gz
            expected sha256 <sha256>, 3095 bytes
            found    4 bytes
        missing: gone-1.0.tar.gz
            expected sha256 <sha256>, 3095 bytes
        yanked: leaky-1.0.tar.gz: leaks
        unlisted: new-1.0.tar.gz
        do not use it
      [1]"
    `);
  });
});

describe('--json', () => {
  const KEYS = [
    'status',
    'code',
    'database',
    'sha256',
    'issued',
    'expires',
    'pinnedBy',
    'signatures',
    'files',
    'findings',
  ];

  test('has every key with each answer, null where it does not apply', async () => {
    await release();
    const authentic = await place.json(VERIFY);
    expect(authentic.value).toMatchObject({
      status: 'authentic',
      code: null,
      database: 'dist/packages.plist',
      pinnedBy: 'publisher',
      signatures: [
        { fingerprint: ann.fingerprint, userId: 'Ann <ann@example.org>', counts: true, reason: null },
      ],
      files: { checked: 1, ok: 1 },
      findings: [],
    });
    expect(Object.keys((authentic.value['signatures'] as object[])[0]!)).toEqual(
      expect.arrayContaining(['fingerprint', 'userId', 'signedAt', 'counts', 'reason']),
    );
    place.remove('state');
    const answers = [
      authentic,
      await place.json(VERIFY),
      await place.json(['verify', 'dist/packages.plist']),
    ];
    place.remove('dist/signatures');
    answers.push(await place.json(HELD));
    place.remove('dist/packages.plist');
    answers.push(await place.json(HELD));
    expect(answers.map(({ value }) => value['status'])).toEqual([
      'authentic',
      'unauthenticated',
      'unauthenticated',
      'refused',
      'refused',
    ]);
    for (const { value } of answers) expect(Object.keys(value)).toEqual(expect.arrayContaining(KEYS));
  });

  test('says who pinned', async () => {
    await release();
    const pinnedBy = async (args: readonly string[]) => (await place.json(args)).value['pinnedBy'];
    expect(await pinnedBy(VERIFY)).toBe('publisher');
    expect(await pinnedBy(HELD)).toBe('option');
    expect(await pinnedBy([...VERIFY, '--fingerprint', ann.fingerprint])).toBe('option');
    place.remove('state');
    expect(await pinnedBy(VERIFY)).toBe('directory');
    expect(await pinnedBy(['verify', 'dist/packages.plist'])).toBe(null);
  });

  test('the directory as it was typed', async () => {
    await release();
    expect((await place.json(['verify', './dist/'])).value['database']).toBe('dist/packages.plist');
    expect((await place.json(['verify', place.path('dist')])).value['database']).toBe(
      place.path('dist/packages.plist'),
    );
  });

  test('--quiet leaves the exit status and the object', async () => {
    await release();
    expect(await place.packsign([...VERIFY, '--quiet'])).toMatchObject({ stdout: '', stderr: '', status: 0 });
    place.write('dist/demo-1.0.tar.gz', 'evil');
    expect(await place.packsign([...VERIFY, '--quiet'])).toMatchObject({ stdout: '', stderr: '', status: 1 });
    expect((await place.json([...VERIFY, '--quiet'])).value['code']).toBe('FILE_ALTERED');
  });
});

test('a fingerprint may be typed as people write it', async () => {
  await release();
  const groups = ann.fingerprint.match(/.{4}/g)!.join(' ');
  for (const typed of [groups, ann.fingerprint.toLowerCase(), `0x${ann.fingerprint}`, ` ${groups} `]) {
    expect((await place.packsign([...VERIFY, '--fingerprint', typed])).status).toBe(0);
  }
});

test('SOURCE_DATE_EPOCH makes no stale database fresh', async () => {
  await release([], epoch('2026-01-01'));
  expect((await place.packsign(HELD, { env: epoch('2026-01-02') })).status).toBe(1);
});

test('packsign.json is not read', async () => {
  await release();
  place.write('dist/packsign.json', 'junk');
  expect((await place.packsign(VERIFY)).status).toBe(0);
});

test.each(['nowhere', 'dist/demo-1.0.tar.gz/inside'])('FILE_UNREADABLE: %s', async (target) => {
  const answer = await place.json(['verify', target]);
  expect([answer.status, codeOf(answer)]).toEqual([2, 'FILE_UNREADABLE']);
  expect((await place.packsign(['verify', target])).stderr).toMatch(
    /^packsign: error: there is no file or directory /,
  );
});

test.each(['--keys', '--signature'])('FILE_UNREADABLE: no file after %s', async (option) => {
  await release();
  const answer = await place.json([...VERIFY, option, 'nowhere']);
  expect([answer.status, codeOf(answer)]).toEqual([2, 'FILE_UNREADABLE']);
});

describe('colours', () => {
  async function onTerminal(
    args: readonly string[],
    environment: Record<string, string> = {},
  ): Promise<string> {
    const chunks: string[] = [];
    const terminal = (isTTY: boolean) =>
      Object.assign(
        new Writable({
          write: (chunk: Buffer, _, done) => {
            chunks.push(chunk.toString());
            done();
          },
        }),
        { isTTY, columns: 80 },
      );
    const outside = {
      stdin: Object.assign(process.stdin, { isTTY: false }),
      stdout: terminal(true),
      stderr: terminal(true),
      environment: { HOME: place.path('home'), ...environment },
      clock: () => new Date(),
      interrupt: () => undefined,
    };
    await main(args, outside as unknown as Outside);
    return chunks.join('');
  }

  // eslint-disable-next-line no-control-regex
  const COLOUR = /\u001b\[/;
  const failing = ['verify', '/nowhere'];

  test('are used on a terminal, and never where somebody says no', async () => {
    expect(await onTerminal(failing)).toMatch(COLOUR);
    expect(await onTerminal(failing, { NO_COLOR: '1' })).not.toMatch(COLOUR);
    expect(await onTerminal([...failing, '--no-color'])).not.toMatch(COLOUR);
    expect(await onTerminal(['build', '/nowhere', '--no-color', '--json'])).not.toMatch(COLOUR);
  });

  test('never go into a file', async () => {
    expect((await place.process(failing, { env: { FORCE_COLOR: '1' } })).stderr).not.toMatch(COLOUR);
  });
});
