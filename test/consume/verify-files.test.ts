import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, symlinkSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { History } from '../../src/model/database.js';
import { python, startServer } from '../net/servers.js';
import { newPlace, sdist, transcript } from '../packsign.js';
import type { Place } from '../packsign.js';
import { fingerprint } from '../pgp/forge.js';
import { DEMO, ISSUED, certificateFile, minutes, people, sha256 } from '../threats/scene.js';
import type { People } from '../threats/scene.js';
import { needTools } from '../tools.js';
import { FILES, answer, packsign, packsignProcess, publish, sendFile, serve } from './scene.js';
import type { PublishOptions, Site } from './scene.js';

/** A user who trusts two databases, those of Ann and Bob, and has downloaded files. */
let known: People;
let user: Place;
let ann: Published;
let bob: Published;

interface Published {
  readonly place: Place;
  readonly site: Site;
  readonly publish: (options: PublishOptions) => Promise<Buffer>;
}

const [TOOL, OLD, NEW] = [sdist('tool', '1.0'), sdist('tool', '0.9'), sdist('tool', '2.0')];
const ALTERED = Buffer.from('altered');

beforeAll(async () => {
  known = await people();
});

async function published(name: 'ann' | 'bob', options: PublishOptions = {}): Promise<Published> {
  const place = newPlace();
  const site = await serve(place.path('dist'));
  let last: PublishOptions = {};
  const again = (more: PublishOptions) => {
    const History = continued(last, more);
    const Signers = { Threshold: 1, Fingerprints: [fingerprint(known[name])] };
    const own = { Database: site.url, Notify: `mailto:${name}@example.org`, Signers };
    const packsign = { ...own, ...more.packsign, History };
    // What somebody else signs is nothing that the maintainer continues.
    if (more.by === undefined) last = { archives: FILES, ...more, packsign };
    return publish(place, known[name], { ...more, packsign });
  };
  await again(options);
  user.write(`${name}.asc`, certificateFile(known[name]));
  const added = await packsign(user, ['trust', 'add', site.url, '--keys', `${name}.asc`, '--name', name]);
  expect([added.status, added.stderr]).toEqual([0, '']);
  return { place, site, publish: again };
}

/** The history of the next database: that of the last one, and what the next one no longer lists. */
function continued(last: PublishOptions, next: PublishOptions): History {
  const { archives = FILES, issued = ISSUED, packsign } = next;
  const history = new Map([...(last.packsign?.History ?? []), ...(packsign?.History ?? [])]);
  for (const [path, bytes] of Object.entries(last.archives ?? {})) {
    const now = archives[path];
    if (now !== undefined && Buffer.from(now).equals(bytes)) continue;
    const record = { SHA256: sha256(bytes), Until: issued, Reason: 'another one' };
    history.set(path, [...(history.get(path) ?? []), record]);
  }
  return new Map(Array.from(history).sort(([a], [b]) => (a < b ? -1 : 1)));
}

beforeEach(async () => {
  user = newPlace();
  const history = new Map([['tool-0.9.tar.gz', [{ SHA256: sha256(OLD), Until: ISSUED, Reason: 'leaks' }]]]);
  ann = await published('ann', {
    archives: { 'demo-1.0.tar.gz': DEMO, 'sub/tool-1.0.tar.gz': TOOL, 'tool-2.0.tar.gz': NEW },
    yanked: { 'tool-2.0.tar.gz': 'loses the flame' },
    packsign: { History: history },
  });
  bob = await published('bob', { archives: { 'other-1.0.tar.gz': sdist('other', '1.0') } });
  user.write('dl/demo-1.0.tar.gz', DEMO);
});

const GOOD = 'dl/demo-1.0.tar.gz';
const VERIFY = ['verify', GOOD];

interface Row extends Readonly<Record<string, unknown>> {
  readonly answer: string;
  readonly status: string;
}

async function verified(...args: readonly string[]): Promise<{
  readonly status: number | null;
  readonly value: Readonly<Record<string, unknown>>;
  readonly rows: readonly Row[];
  readonly code: unknown;
}> {
  const { status, value } = await answer(user, ['verify', ...args]);
  const error = value['error'] as Record<string, unknown> | undefined;
  const rows = (value['files'] ?? []) as readonly Row[];
  return { status, value, rows, code: error === undefined ? value['code'] : error['code'] };
}

/** Exit status, code and answers. */
async function outcome(...args: readonly string[]): Promise<readonly unknown[]> {
  const { status, code, rows } = await verified(...args);
  return [status, code, rows.map((row) => row.answer).join(' ')];
}

describe('a file that a trusted database lists', () => {
  test('is as signed', async () => {
    const run = await packsign(user, VERIFY);
    expect(transcript(run).replace(/127\.0\.0\.1:\d+/g, 'example.org')).toMatchInlineSnapshot(`
      "$ packsign verify dl/demo-1.0.tar.gz
      authentic (🔒 closed padlock): dl/demo-1.0.tar.gz is as signed
        listed: dl/demo-1.0.tar.gz
            is demo-1.0.tar.gz (demo 1.0), since <date>
            by Ann <ann@example.org>, in ann, http://example.org/packages.plist, issued <date>, fresh until <date>
      [0]"
    `);
  });

  test('is one object for programs', async () => {
    const { status, value } = await verified(GOOD);
    expect(status).toBe(0);
    const { Since } = { Since: `${ISSUED.toISOString().slice(0, 19)}Z` };
    expect(value).toEqual({
      ...{ ok: true, status: 'authentic', code: null, message: null },
      files: [
        {
          ...{ file: GOOD, answer: 'listed', database: `${ann.site.url}packages.plist` },
          ...{ name: 'demo', version: '1.0', path: 'demo-1.0.tar.gz', since: Since },
          status: 'authentic',
        },
      ],
    });
  });

  test('may lie in any folder, have a counter, and be reached by a link', async () => {
    const counted = [
      'tool-1.0 (1).tar.gz',
      'x/tool-1.0(2).tar.gz',
      'tool-1.0.tar (3).gz',
      'tool-1.0.tar.gz (4)',
    ];
    for (const name of counted) user.write(name, TOOL);
    user.write('elsewhere', TOOL);
    symlinkSync('../elsewhere', user.path('dl/tool-1.0.tar.gz'));
    expect(await outcome(...counted, 'dl/tool-1.0.tar.gz', `x/../${GOOD}`, GOOD, GOOD)).toEqual([
      ...[0, null, Array<string>(8).fill('listed').join(' ')],
    ]);
  });

  test('is asked for once more in the newest database, of every trusted one', async () => {
    await verified(GOOD);
    await ann.publish({ issued: minutes(ISSUED, 5), yanked: { 'demo-1.0.tar.gz': 'burns' } });
    expect(await outcome(GOOD)).toEqual([1, 'FILE_NOT_LISTED', 'yanked']);
    expect(bob.site.requests.filter(({ path }) => path === 'packages.plist').length).toBeGreaterThan(2);
  });
});

describe('a file that is not good', () => {
  const CASES: readonly (readonly [answer: string, name: string, bytes: Uint8Array, words: RegExp])[] = [
    ['renamed', 'demo-2.0.tar.gz', DEMO, /is demo-1\.0\.tar\.gz \(demo 1\.0\), since/],
    ['yanked', 'tool-2.0.tar.gz', NEW, /yanked: loses the flame/],
    ['withdrawn', 'tool-0.9.tar.gz', OLD, /was tool-0\.9\.tar\.gz until \S+Z: leaks/],
    [
      'altered',
      'demo-1.0.tar (1).gz',
      ALTERED,
      /expected sha256 \w{64}, \d+ bytes\n +found +sha256 \w{64}, 7 bytes/,
    ],
    ['unknown', 'nothing-1.0.tar.gz', ALTERED, /unknown: dl/],
  ];

  test.each(CASES)('%s: exit status, code, first line and object agree', async (kind, ...more) => {
    const [name, bytes, words] = more;
    user.write(`dl/${name}`, bytes);
    const code = kind === 'altered' ? 'FILE_ALTERED' : 'FILE_NOT_LISTED';
    expect(await outcome(`dl/${name}`)).toEqual([1, code, kind]);
    const { status, stdout, stderr } = await packsign(user, ['verify', `dl/${name}`]);
    expect([status, stderr]).toEqual([1, '']);
    expect(stdout).toMatch(words);
    expect(stdout.split('\n')[0]).toMatch(new RegExp(`^refused \\(refusal\\): dl/.* \\(${code}\\)$`));
    expect(stdout.includes('do not use it')).toBe(kind === 'altered');
  });

  test('fails all the others too, and comes first', async () => {
    user.write('dl/nothing.zip', ALTERED);
    expect(await outcome(GOOD, 'dl/nothing.zip')).toEqual([1, 'FILE_NOT_LISTED', 'listed unknown']);
    const { stdout } = await packsign(user, [...VERIFY, 'dl/nothing.zip']);
    expect(stdout).toMatch(
      /^refused \(refusal\): 1 of 2 files as signed; dl\/nothing\.zip is in no database/,
    );
    expect(stdout.indexOf('unknown: dl/nothing.zip')).toBeLessThan(stdout.indexOf('listed: dl/demo'));
  });

  test('is reported to its maintainer, without a word about the user', async () => {
    user.write('dl/demo-1.0.tar (1).gz', ALTERED);
    const { stderr } = await packsign(user, ['verify', 'dl/demo-1.0.tar (1).gz', '--report', 'report.txt']);
    expect(stderr).toBe('packsign: wrote report.txt; send it to mailto:ann@example.org\n');
    expect(user.text('report.txt')).toMatch(/refused \(FILE_ALTERED\)[^]*altered: demo-1\.0\.tar\.gz\n/);
    expect(user.text('report.txt')).not.toMatch(/dl\/|\(1\)/);
  });

  test('has a name that steers no terminal', async () => {
    const name = 'dl/a\u001b[2Jb\n  listed: x\u202e.zip';
    user.write(name, ALTERED);
    const { stdout } = await packsign(user, ['verify', name]);
    expect(stdout).toContain('unknown: dl/a\\u{1b}[2Jb\\u{a}  listed: x\\u{202e}.zip\n');
    expect(stdout.split('\n')).toHaveLength(3);
    expect((await verified(name)).rows[0]?.['file']).toBe(name);
  });
});

describe('databases that disagree', () => {
  const SAYING: readonly (readonly [answer: string, options: () => PublishOptions])[] = [
    ['altered', () => ({ archives: { 'demo-1.0.tar.gz': ALTERED } })],
    ['yanked', () => ({ archives: { 'demo-1.0.tar.gz': DEMO }, yanked: { 'demo-1.0.tar.gz': 'burns' } })],
    [
      'withdrawn',
      () => ({
        archives: {},
        packsign: { History: new Map([['demo-1.0.tar.gz', [{ SHA256: sha256(DEMO), Until: ISSUED }]]]) },
      }),
    ],
  ];

  test.each(SAYING)('%s and listed: AMBIGUOUS, and both answers are shown', async (kind, options) => {
    await bob.publish({ issued: minutes(ISSUED, 5), ...options() });
    const { status, value, rows, code } = await verified(GOOD);
    expect([status, code, value['ok'], value['code']]).toEqual([2, 'AMBIGUOUS', false, 'AMBIGUOUS']);
    expect(rows.map((row) => [row['file'], row.answer, row['database']])).toEqual([
      [GOOD, kind, `${bob.site.url}packages.plist`],
      [GOOD, 'listed', `${ann.site.url}packages.plist`],
    ]);
    const run = await packsign(user, VERIFY);
    expect(run.stdout).toMatch(/^refused \(refusal\): databases disagree about \S+ \(AMBIGUOUS\)\n/);
    expect(run.stdout).toMatch(new RegExp(`  ${kind}: dl/[^]*  listed: dl/`));
    expect(run.stderr).toBe(
      `packsign: error: databases disagree about ${GOOD} (AMBIGUOUS)\n` +
        `packsign: hint: name the database it should be in: packsign verify ${GOOD} --from bob\n`,
    );
    expect((await packsign(user, [...VERIFY, '--quiet'])).stderr).toContain('(AMBIGUOUS)');
    expect(await outcome(GOOD, '--from', 'ann')).toEqual([0, null, 'listed']);
    expect((await outcome(GOOD, '--from', bob.site.url))[2]).toBe(kind);
  });

  test('are not those that list the same bytes, by one name or another, or do not know them', async () => {
    await bob.publish({ issued: minutes(ISSUED, 5), archives: { 'demo-1.0.tar.gz': DEMO } });
    expect(await outcome(GOOD)).toEqual([0, null, 'listed']);
    await bob.publish({ issued: minutes(ISSUED, 6), archives: { 'copy-1.0.tar.gz': DEMO } });
    expect(await outcome(GOOD)).toEqual([0, null, 'listed']);
    expect((await packsign(user, VERIFY)).stdout).toMatch(/listed: dl[^]*in ann,[^]*renamed: dl[^]*in bob,/);
  });
});

describe('a trusted database that cannot be asked', () => {
  test('leaves the question open, and is named beside the answers of the others', async () => {
    bob.site.tricks.set('packages.plist', (_, response) => response.writeHead(500).end());
    expect(await outcome(GOOD)).toEqual([2, 'NETWORK', 'listed']);
    const { stdout, stderr } = await packsign(user, VERIFY);
    expect(stdout).toMatch(/^refused \(refusal\): bob could not be asked: .* \(NETWORK\)\n {2}listed: dl/);
    expect(stderr).toMatch(/^packsign: error: bob could not be asked: /);
    expect(await outcome(GOOD, '--from', 'ann')).toEqual([0, null, 'listed']);
    expect(await outcome(GOOD, '--from', 'bob')).toEqual([2, 'NETWORK', '']);
  });

  test('nor read: it is gone', async () => {
    bob.place.remove('dist/packages.plist');
    expect(await outcome(GOOD)).toEqual([2, 'NOT_PUBLISHED', 'listed']);
    expect(await outcome(GOOD, '--from', 'bob')).toEqual([2, 'NOT_PUBLISHED', '']);
  });

  test('nor found: its entry is damaged', async () => {
    const store = user.text('config/packsign/trust.json');
    const damaged = store.replace(/("name": "bob"[^]*?"threshold": )1/, '$1-1');
    user.write('config/packsign/trust.json', damaged);
    expect(await outcome(GOOD)).toEqual([2, 'TRUST_DAMAGED', 'listed']);
  });

  test('because it is refused, is a refusal', async () => {
    await bob.publish({ issued: minutes(ISSUED, 5), by: [known.mallory] });
    expect(await outcome(GOOD)).toEqual([1, 'SIGNATURE_INVALID', 'listed']);
    expect((await packsign(user, VERIFY)).stdout).toMatch(
      /^refused \(refusal\): bob \(http\S+\) is refused: /,
    );
    const alone = await verified(GOOD, '--from', 'bob');
    expect([alone.status, alone.code, alone.rows]).toMatchObject([
      ...[1, 'SIGNATURE_INVALID', [{ answer: 'unknown', status: 'refused' }]],
    ]);
  });

  test('no database at all: the error says what to type', async () => {
    for (const name of ['ann', 'bob']) await packsign(user, ['trust', 'remove', name]);
    const { status, stdout, stderr } = await packsign(user, VERIFY);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(
      /^packsign: error: no database is trusted yet.*\npacksign: hint: .*trust add.*--from.*--database/,
    );
    expect(await outcome(GOOD)).toEqual([2, 'NOT_TRUSTED', '']);
  });
});

describe('a database that is not authentic', () => {
  test('unauthenticated: open padlock, and 1 unless that is allowed', async () => {
    const from = [GOOD, '--from', bob.site.url, '--json'];
    await packsign(user, ['trust', 'remove', 'bob']);
    await bob.publish({ issued: minutes(ISSUED, 5), archives: { 'demo-1.0.tar.gz': DEMO } });
    expect(await outcome(...from)).toEqual([1, 'NOT_PINNED', 'listed']);
    expect(await outcome(...from, '--allow-unauthenticated')).toEqual([0, 'NOT_PINNED', 'listed']);
    const { stdout } = await packsign(user, [...VERIFY, '--from', bob.site.url]);
    expect(stdout).toMatch(/^unauthenticated \(🔓 open padlock\): dl\/demo-1\.0\.tar\.gz is as listed; /);
    expect(stdout).toContain('which is not authenticated');
    expect(stdout).not.toContain('Ann <');
  });

  test('trusted blindly: the same, and it contradicts nobody', async () => {
    await packsign(user, ['trust', 'remove', 'bob']);
    await bob.publish({
      issued: minutes(ISSUED, 5),
      archives: { 'demo-1.0.tar.gz': ALTERED, 'x-1.0.tgz': TOOL },
    });
    expect((await packsign(user, ['trust', 'add', bob.site.url, '--blindly', '--name', 'bob'])).status).toBe(
      0,
    );
    expect(await outcome(GOOD)).toEqual([0, null, 'listed']);
    user.write('x-1.0.tgz', TOOL);
    expect(await outcome('x-1.0.tgz')).toEqual([1, 'FILE_NOT_LISTED', 'renamed']);
    await packsign(user, ['trust', 'remove', 'ann']);
    expect(await outcome('x-1.0.tgz')).toEqual([1, 'NOT_PINNED', 'listed']);
    expect(await outcome('x-1.0.tgz', '--allow-unauthenticated')).toEqual([0, 'NOT_PINNED', 'listed']);
    expect((await outcome(GOOD, '--allow-unauthenticated'))[0]).toBe(1);
  });

  test('no database: whatever is allowed', async () => {
    user.write('dl/packages.txt', '<plist/>');
    const args = [GOOD, '--database', 'dl/packages.txt', '--allow-unauthenticated', '--allow-stale'];
    expect(await outcome(...args)).toEqual([1, 'DATABASE_MALFORMED', 'unknown']);
  });

  test('stale: 1 unless that is allowed; a fresh one that lists the file counts before it', async () => {
    await ann.publish({ issued: minutes(ISSUED, 5), expires: minutes(ISSUED, 6) });
    expect(await outcome(GOOD)).toEqual([1, 'DATABASE_STALE', 'listed']);
    expect((await packsign(user, VERIFY)).stdout).toMatch(
      /^stale \(🔒 closed padlock\): \S+ is as signed; expired at /,
    );
    expect(await outcome(GOOD, '--allow-stale')).toEqual([0, 'DATABASE_STALE', 'listed']);
    await bob.publish({ issued: minutes(ISSUED, 5), archives: { 'demo-1.0.tar.gz': DEMO } });
    expect(await outcome(GOOD)).toEqual([0, null, 'listed']);
  });
});

describe('a database on the disk', () => {
  /** Copies what Ann publishes now to the user. */
  function take(folder: string): string {
    for (const [name, hex] of Object.entries(ann.place.snapshot('dist'))) {
      user.write(`${folder}/${name}`, Buffer.from(hex, 'hex'));
    }
    return `${folder}/packages.plist`;
  }

  test('is held to the keys of the trusted database that it says it is; nothing is fetched', async () => {
    const database = take('copy');
    ann.site.requests.splice(0);
    expect(await outcome(GOOD, '--database', database)).toEqual([0, null, 'listed']);
    expect((await packsign(user, [...VERIFY, '--database', database])).stdout).toContain(
      `in ann, ${database}, `,
    );
    expect(ann.site.requests).toEqual([]);
    await ann.publish({ issued: minutes(ISSUED, 5), by: [known.mallory] });
    const forged = take('forged');
    expect(await outcome(GOOD, '--database', forged)).toEqual([1, 'SIGNATURE_INVALID', 'unknown']);
    expect(await outcome(GOOD, '--database', forged, '--allow-unauthenticated')).toEqual([
      ...[1, 'SIGNATURE_INVALID', 'unknown'],
    ]);
  });

  test('is held to the last one that was accepted, also with keys', async () => {
    const old = take('old');
    await ann.publish({ issued: minutes(ISSUED, 5), yanked: { 'demo-1.0.tar.gz': 'burns' } });
    expect(await outcome(GOOD, '--database', old)).toEqual([0, null, 'listed']);
    expect(await outcome(GOOD)).toEqual([1, 'FILE_NOT_LISTED', 'yanked']);
    for (const keys of [[], ['--keys', 'ann.asc'], ['--fingerprint', fingerprint(known.ann)]]) {
      expect(await outcome(GOOD, '--database', old, ...keys)).toEqual([1, 'DATABASE_ROLLED_BACK', 'unknown']);
    }
    user.write('old/demo-1.0.tar.gz', DEMO);
    expect(await outcome('old/demo-1.0.tar.gz', '--keys', 'ann.asc')).toEqual([
      ...[1, 'DATABASE_ROLLED_BACK', 'unknown'],
    ]);
  });

  test('is remembered if it is newer, but not what other keys have signed', async () => {
    const old = take('old');
    await ann.publish({ issued: minutes(ISSUED, 5), by: [known.mallory] });
    user.write('mallory.asc', certificateFile(known.mallory));
    const foreign = [GOOD, '--database', take('foreign'), '--keys', 'mallory.asc'];
    expect(await outcome(...foreign)).toEqual([0, null, 'listed']);
    expect(await outcome(GOOD, '--database', old)).toEqual([0, null, 'listed']);
    await ann.publish({ issued: minutes(ISSUED, 6) });
    expect(await outcome(GOOD, '--database', take('new'))).toEqual([0, null, 'listed']);
    expect(await outcome(GOOD, '--database', old)).toEqual([1, 'DATABASE_ROLLED_BACK', 'unknown']);
  });

  test('of nobody that is trusted needs keys; its signature may be named', async () => {
    const database = take('copy');
    await packsign(user, ['trust', 'remove', 'ann']);
    const args = [GOOD, '--database', database];
    expect(await outcome(...args)).toEqual([1, 'NOT_PINNED', 'listed']);
    expect((await packsign(user, ['verify', ...args])).stdout).toContain(
      `packsign verify ${GOOD} --database ${database} --fingerprint FINGERPRINT`,
    );
    expect(await outcome(...args, '--keys', 'ann.asc')).toEqual([0, null, 'listed']);
    expect(await outcome(...args, '--keys', 'bob.asc')).toEqual([1, 'SIGNATURE_INVALID', 'unknown']);
    const signature = `copy/signatures/${sha256(user.read(database))}.asc`;
    user.write('sig.asc', user.read(signature));
    user.remove(signature);
    expect(await outcome(...args, '--keys', 'ann.asc')).toEqual([1, 'SIGNATURE_MISSING', 'unknown']);
    expect(await outcome(...args, '--keys', 'ann.asc', '--signature', 'sig.asc')).toEqual([
      0,
      null,
      'listed',
    ]);
  });

  test('beside a file counts only with keys, which then are for nothing else', async () => {
    take('copy');
    for (const name of ['ann', 'bob']) await packsign(user, ['trust', 'remove', name]);
    const [own, below] = ['copy/demo-1.0.tar.gz', 'copy/sub/tool-1.0.tar.gz'];
    expect(await outcome(own)).toEqual([2, 'NOT_TRUSTED', '']);
    expect(await outcome(own, below, '--keys', 'ann.asc')).toEqual([0, null, 'listed listed']);
    expect(await outcome(own, '--fingerprint', fingerprint(known.ann))).toEqual([0, null, 'listed']);
    expect(await outcome(own, '--keys', 'bob.asc')).toEqual([1, 'SIGNATURE_INVALID', 'unknown']);
    user.write('copy/a/b/demo-1.0.tar.gz', DEMO);
    expect(await outcome('copy/a/b/demo-1.0.tar.gz', '--keys', 'ann.asc')).toEqual([2, 'USAGE', '']);
    expect(await outcome(own, GOOD, '--keys', 'ann.asc')).toEqual([2, 'USAGE', '']);
  });

  test('a trusted database is not asked in place of the one whose keys the user insists on', async () => {
    expect(await outcome(GOOD, '--fingerprint', fingerprint(known.bob))).toEqual([2, 'USAGE', '']);
  });
});

describe('targets', () => {
  test('a file with the name of a trusted database is ambiguous, for list too', async () => {
    user.write('ann', DEMO);
    expect(await outcome('ann')).toEqual([2, 'AMBIGUOUS', '']);
    expect(await outcome('ann', GOOD)).toEqual([2, 'AMBIGUOUS', '']);
    expect((await packsign(user, ['verify', 'ann'])).stderr).toContain(
      `write ./ann; for the database, ${ann.site.url}`,
    );
    expect((await packsign(user, ['list', 'ann'])).status).toBe(2);
    expect(await outcome('./ann')).toEqual([1, 'FILE_NOT_LISTED', 'renamed']);
    expect((await verified(ann.site.url)).value['status']).toBe('authentic');
  });

  test('a directory, an address, a name and a file called *.plist are databases', async () => {
    user.write('dl/copy.PLIST', ann.place.read('dist/packages.plist'));
    for (const target of ['ann', ann.site.url, 'dl', 'dl/copy.PLIST']) {
      const { value } = await verified(target);
      expect([value['database'] === undefined, value['files']]).not.toEqual([true, expect.any(Array)]);
      expect(await outcome(GOOD, target)).toEqual([2, 'USAGE', '']);
      expect(await outcome(target, '--from', 'ann')).toEqual([2, 'USAGE', '']);
    }
    expect(await outcome('ann', 'bob')).toEqual([2, 'USAGE', '']);
  });

  test('with --signature, a file is a database', async () => {
    const bytes = ann.place.read('dist/packages.plist');
    user.write('database', bytes);
    user.write('sig', ann.place.read(`dist/signatures/${sha256(bytes)}.asc`));
    const { status, value } = await verified('database', '--signature', 'sig', '--keys', 'ann.asc');
    expect([status, value['status'], value['database']]).toEqual([0, 'authentic', 'database']);
  });

  test.each([
    ['a pipe', 'dl/pipe', 'FILE_UNREADABLE'],
    ['a device', '/dev/zero', 'FILE_UNREADABLE'],
    ['nothing', 'dl/nothing', 'FILE_UNREADABLE'],
    ['no name', '', 'USAGE'],
    ['a link to nothing', 'dl/dangling', 'FILE_UNREADABLE'],
    ['a name with a zero', 'dl/a\0b', 'FILE_UNREADABLE'],
    ['a file as a folder', `${GOOD}/`, 'FILE_UNREADABLE'],
  ])('%s is an error, alone and among files, and nothing is fetched', async (_, target, code) => {
    execFileSync('mkfifo', [user.path('dl/pipe')]);
    symlinkSync('nowhere', user.path('dl/dangling'));
    ann.site.requests.splice(0);
    expect(await outcome(target)).toEqual([2, code, '']);
    expect(await outcome(GOOD, target)).toEqual([2, code, '']);
    expect(ann.site.requests).toEqual([]);
  });

  test.each([
    ['two places', ['--database', 'x.plist', '--from', 'ann'], 'USAGE'],
    ['an address as a file', ['--database', 'https://example.org/'], 'USAGE'],
    ['a signature for an address', ['--from', 'ann', '--signature', 'sig'], 'USAGE'],
    ['a directory as a database', ['--database', 'dl'], 'FILE_UNREADABLE'],
    ['no database', ['--database', 'none.plist'], 'FILE_UNREADABLE'],
    ['a device as a database', ['--database', '/dev/zero'], 'FILE_UNREADABLE'],
    ['nobody', ['--from', 'nobody'], 'NOT_TRUSTED'],
    ['no keys', ['--keys', 'none.asc', '--database', 'ann.asc'], 'FILE_UNREADABLE'],
  ])('%s is an error', async (_, options, code) => {
    expect((await outcome(GOOD, ...options)).slice(0, 2)).toEqual([2, code]);
  });

  test('a file that changes meanwhile is said', async () => {
    ann.site.tricks.set('packages.plist', (request, response) => {
      appendFileSync(user.path(GOOD), 'more');
      sendFile(ann.place.path('dist/packages.plist'), request, response);
    });
    const { status, stderr } = await packsign(user, VERIFY);
    expect([status, stderr]).toEqual([
      ...[
        2,
        `packsign: error: ${GOOD} changed while it was read\npacksign: hint: wait until nobody writes to it any more, and try again\n`,
      ],
    ]);
  });

  test('one address alone is looked at as a stranger', async () => {
    expect(await outcome(ann.site.url, bob.site.url, '--as-stranger')).toEqual([2, 'USAGE', '']);
  });
});

test('through the front door, with databases behind python3 -m http.server', async (context) => {
  needTools(context, 'python3');
  const [place, reader] = [newPlace(), newPlace()];
  for (const folder of ['', 'dist']) chmodSync(place.path(folder), 0o755);
  const server = await startServer(python(place.path('dist')));
  try {
    const url = `http://127.0.0.1:${server.ports[0] ?? 0}/`;
    await publish(place, known.ann, { packsign: { Database: url } });
    chmodSync(place.path('dist/signatures'), 0o755);
    reader.write('ann.asc', certificateFile(known.ann));
    reader.write('dl/demo-1.0.tar (1).gz', DEMO);
    await packsignProcess(reader, ['trust', 'add', url, '--keys', 'ann.asc', '--name', 'ann']);
    const good = await packsignProcess(reader, ['verify', 'dl/demo-1.0.tar (1).gz']);
    expect([good.status, good.stderr]).toEqual([0, '']);
    expect(good.stdout).toMatch(/^authentic \(🔒 closed padlock\): /);
    reader.write('dl/demo-1.0.tar (1).gz', ALTERED);
    expect((await packsignProcess(reader, ['verify', 'dl/demo-1.0.tar (1).gz'])).status).toBe(1);
    await server.stop();
    const off = await packsignProcess(reader, ['verify', 'dl/demo-1.0.tar (1).gz', '--json']);
    expect([off.status, (JSON.parse(off.stdout) as { error: { code: string } }).error.code]).toEqual([
      2,
      'NETWORK',
    ]);
  } finally {
    await server.stop();
  }
});
