import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { listen } from '../consume/scene.js';
import { hasFaketime, withClock } from '../faketime.js';
import { makeTls } from '../net/servers.js';
import type { Tls } from '../net/servers.js';
import { codeOf, epoch, newKey, newPlace, sdist } from '../packsign.js';
import type { Place, Run } from '../packsign.js';
import { hasTool } from '../tools.js';

const RELEASE = ['build', 'dist', '--key', 'key.asc'] as const;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let place: Place;

beforeEach(async () => {
  place = newPlace();
  const key = await newKey('Ada');
  place.write('key.asc', key.secret);
  place.write('pub.asc', key.certificate);
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
});

/** A release with the right clock, after which another file arrives. */
async function release(...more: readonly string[]): Promise<void> {
  const run = await place.packsign([...RELEASE, '--first', ...more]);
  expect(run.status, run.stderr).toBe(0);
  place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
}

/** A release with a clock that is off, and nothing that tells. */
async function releaseUnnoticed(by: string, ...more: readonly string[]): Promise<void> {
  rmSync(place.path('dist/.packsign'), { recursive: true, force: true });
  const run = await withClock(place, by, [...RELEASE, ...more]);
  expect(run.status, run.stderr).toBe(0);
  place.remove('dist/.packsign');
}

function code({ stdout }: Run): unknown {
  return (JSON.parse(stdout) as { error?: { code: string } }).error?.code ?? null;
}

function issued(): number {
  const text = /<key>Issued<\/key>\s*<date>([^<]*)/.exec(place.text('dist/packages.plist'))?.[1];
  return Date.parse(text ?? '');
}

/** A server that has this date, or the right one moved by so much. */
async function serverAt(headers: () => Readonly<Record<string, string>>): Promise<string> {
  return await listen((_, response) => {
    response.sendDate = false;
    response.writeHead(404, headers()).end();
  });
}

const dated = (byMs: number, more: Readonly<Record<string, string>> = {}) =>
  serverAt(() => ({ date: new Date(Date.now() + byMs).toUTCString(), ...more }));

describe.runIf(hasFaketime)('CLOCK_DOUBTFUL: between two runs', () => {
  test.each(['-1h', '+2d', '+1y'])('the clock jumps by %s', async (by) => {
    await release();
    const before = place.snapshot();
    for (const args of [RELEASE, ['build', 'dist']]) {
      const run = await withClock(place, by, [...args, '--json']);
      if (args === RELEASE) expect([code(run), run.status]).toEqual(['CLOCK_DOUBTFUL', 1]);
    }
    const { 'packages.unsigned.plist': waiting, ...after } = place.snapshot();
    expect(after).toEqual(before);
    if (waiting !== undefined) {
      const run = await withClock(place, by, ['sign', 'dist', '--key', 'key.asc', '--json']);
      expect([code(run), run.status]).toEqual(['CLOCK_DOUBTFUL', 1]);
    }
    expect((await place.packsign([...RELEASE])).status).toBe(0);
  });

  test('both times are said, and what to type', async () => {
    await release();
    const { stderr } = await withClock(place, '+2d', [...RELEASE]);
    const [says = '', is = ''] = stderr.match(/\d{4}-\d\d-\d\dT[\d:]+Z/g) ?? [];
    expect(Math.abs(Date.parse(says) - Date.parse(is) - 2 * DAY)).toBeLessThan(2000);
    expect(stderr).toMatch(/timedatectl set-ntp true.*--trust-clock/);
  });

  test('a co-signature is not dated by such a clock', async () => {
    await release();
    place.write('bob.asc', (await newKey('Bob')).secret);
    const line = ['sign', 'dist', '--co-sign', '--key', 'bob.asc'];
    await place.packsign(['key', 'publish', 'dist', '--key', 'bob.asc']);
    expect(code(await withClock(place, '+2d', [...line, '--json']))).toBe('CLOCK_DOUBTFUL');
    const right = await place.packsign(line);
    expect(right.status, right.stderr).toBe(0);
  });

  test('--trust-clock takes the clock as it is, also for the runs after this one', async () => {
    await release();
    const trusted = await withClock(place, '+2d', [...RELEASE, '--trust-clock']);
    expect(trusted.status, trusted.stderr).toBe(0);
    place.write('dist/third-1.0.tar.gz', sdist('third', '1.0'));
    expect((await withClock(place, '+2d', [...RELEASE])).status).toBe(0);
    expect((await withClock(place, '+0', [...RELEASE, '--json'])).status).not.toBe(0);
  });

  test('a note that cannot be written or read stops nothing', async () => {
    place.write('dist/.packsign/clock/in-the-way', '');
    await release();
    expect((await place.packsign([...RELEASE])).status).toBe(0);
  });

  test('a file that was changed later than now', async () => {
    const run = await withClock(place, '-1h', [...RELEASE, '--json']);
    expect([code(run), run.status]).toEqual(['CLOCK_DOUBTFUL', 1]);
    expect(run.stdout).toContain('demo-1.0.tar.gz was changed at');
    expect(place.has('dist/packages.plist')).toBe(false);
  });

  test('nothing is published that must not be dated so, and nothing is refused that is not', async () => {
    await release();
    place.remove('dist/more-1.0.tar.gz');
    expect((await withClock(place, '+2d', [...RELEASE])).stdout).toContain('up to date');
  });
});

describe('the date of a server', () => {
  test.each([
    [2 * DAY, {}, 'CLOCK_DOUBTFUL'],
    [-2 * HOUR, {}, 'CLOCK_DOUBTFUL'],
    [-2 * HOUR, { age: '7200' }, null],
    [-2 * HOUR, { via: '1.1 cache' }, null],
    [2 * HOUR, { via: '1.1 cache' }, 'CLOCK_DOUBTFUL'],
    [0, {}, null],
  ])('off by %d ms, with %j, asked for the first time here: %s', async (byMs, more, wanted) => {
    const url = await dated(byMs, more);
    const { value } = await place.json([...RELEASE, '--first', '--database-url', `${url}packages.plist`]);
    expect((value['error'] as { code: string } | undefined)?.code ?? null).toBe(wanted);
  });

  test('is asked for only while the note does not tell, and a key is about to sign', async () => {
    let count = 0;
    const url = await serverAt(() => ({ date: new Date().toUTCString(), count: `${(count += 1)}` }));
    const line = ['--database-url', `${url}packages.plist`];
    await place.packsign(['build', 'dist', '--first', ...line]);
    expect(count).toBe(0);
    await release(...line);
    expect(count).toBe(1);
    await place.packsign([...RELEASE, ...line]);
    expect(count).toBe(1);
  });

  test('that does not come is not waited for long', async () => {
    const url = await listen(() => undefined);
    await release('--database-url', `${url}packages.plist`);
  });

  test.runIf(hasFaketime)('settles what the uptime says, as after a pause', async () => {
    await release();
    const url = await dated(2 * DAY);
    const line = [...RELEASE, '--database-url', `${url}packages.plist`];
    const run = await withClock(place, '+2d', line);
    expect(run.status, run.stderr).toBe(0);
  });
});

describe('SOURCE_DATE_EPOCH', () => {
  test('is not judged, and says so if it is in the future', async () => {
    await release();
    const later = await place.packsign([...RELEASE], { env: epoch(new Date(Date.now() + DAY)) });
    expect([later.status, later.stderr]).toEqual([0, expect.stringContaining('SOURCE_DATE_EPOCH is')]);
    const now = await place.packsign([...RELEASE], { env: epoch(new Date()) });
    expect(now.stderr).not.toContain('SOURCE_DATE_EPOCH is');
  });

  test('USAGE: with --trust-clock', async () => {
    const answer = await place.json([...RELEASE, '--trust-clock'], { env: epoch(new Date()) });
    expect([answer.status, codeOf(answer)]).toEqual([2, 'USAGE']);
  });
});

describe.runIf(hasFaketime)('a published database from the future', () => {
  /** Somebody else's machine, which knows what was published before. */
  const READER = () => ({ env: { HOME: place.path('reader'), XDG_STATE_HOME: place.path('reader') } });

  async function readerOf(): Promise<readonly string[]> {
    const folder = place.path('dist');
    const url = await listen((request, response) => {
      const path = decodeURIComponent(new URL(request.url ?? '', 'http://host').pathname);
      try {
        response.end(readFileSync(folder + path));
      } catch {
        response.writeHead(404).end();
      }
    });
    const added = await place.packsign(['trust', 'add', url, '--keys', 'pub.asc'], READER());
    expect(added.status, added.stderr).toBe(0);
    return ['verify', url, '--no-files'];
  }

  test('CLOCK_BEHIND: stays without confirmation, and the way out is said', async () => {
    await release();
    await releaseUnnoticed('+1y');
    const { status, stderr } = await place.packsign([...RELEASE]);
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining('packsign build dist --key key.asc --trust-clock'),
    ]);
    const http = await dated(0);
    const answer = await place.json([...RELEASE, '--database-url', `${http}packages.plist`]);
    expect(codeOf(answer)).toBe('CLOCK_BEHIND');
  });

  test('T33: is replaced with --trust-clock, and readers of the one before take the next', async () => {
    await release();
    const verify = await readerOf();
    place.remove('dist/demo-1.0.tar.gz');
    await releaseUnnoticed('+1y', '--absent', 'withdraw');
    expect((await place.json(verify, READER())).status).toBe(1);
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    await releaseUnnoticed('+1y');
    place.remove('dist/more-1.0.tar.gz');
    const line = [...RELEASE, '--absent', 'withdraw', '--trust-clock'];
    expect((await place.packsign(line)).status).toBe(0);
    expect(Math.abs(issued() - Date.now())).toBeLessThan(60_000);
    const taken = await place.json(verify, READER());
    expect(taken.run.stderr + JSON.stringify(taken.value)).toContain('authentic');
    expect(taken.status).toBe(0);
    expect(place.text('dist/packages.plist')).toContain('<key>demo-1.0.tar.gz</key>');
    expect((await place.packsign([...RELEASE])).stdout).toContain('up to date');
  });

  test('is judged by diff, status and build --check as by build, and they note nothing', async () => {
    await release();
    await releaseUnnoticed('+1y');
    const before = place.snapshot();
    const seen = [
      ['diff', 'dist'],
      ['status', 'dist'],
      ['build', 'dist', '--check'],
    ];
    for (const line of seen) {
      const behind = await place.packsign(line);
      expect(behind.stdout + behind.stderr, line.join(' ')).toContain('set the clock');
      const trusted = await place.packsign([...line, '--trust-clock']);
      expect(trusted.stdout + trusted.stderr, line.join(' ')).not.toContain('set the clock');
      expect(trusted.status).toBe(line[0] === 'diff' ? 0 : 1);
    }
    expect(place.snapshot()).toEqual(before);
    expect((await place.packsign([...RELEASE, '--trust-clock'])).status).toBe(0);
  });

  test('is replaced in two steps too', async () => {
    await release();
    const verify = await readerOf();
    place.remove('dist/demo-1.0.tar.gz');
    await releaseUnnoticed('+1y', '--absent', 'withdraw');
    expect((await place.packsign(['build', 'dist', '--trust-clock'])).status).toBe(0);
    const line = ['sign', 'dist', '--key', 'key.asc'];
    expect(codeOf(await place.json(line))).toBe('CLOCK_BEHIND');
    const signed = await place.packsign([...line, '--trust-clock']);
    expect(signed.status, signed.stderr).toBe(0);
    const taken = await place.packsign(verify, READER());
    expect(taken.status, taken.stdout + taken.stderr).toBe(0);
  });
});

describe.runIf(hasFaketime && hasTool('openssl'))('over https', () => {
  const closing: (() => void)[] = [];
  afterAll(() => {
    for (const close of closing) close();
  });

  async function startTls({ certificate, key }: Tls): Promise<string> {
    const options = { cert: readFileSync(certificate), key: readFileSync(key) };
    const server = createServer(options, (_, response) => response.writeHead(404).end());
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    closing.push(() => server.close());
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}/packages.plist`;
  }

  test('the date of the server confirms the clock', async () => {
    const tls = makeTls(place.path('tls'));
    const url = await startTls(tls);
    await release('--database-url', url);
    await releaseUnnoticed('+1y', '--database-url', url);
    const line = [...RELEASE, '--database-url', url];
    expect(codeOf(await place.json(line))).toBe('CLOCK_BEHIND');
    const env = { SSL_CERT_FILE: tls.authority };
    const run = await place.packsign(line, { env });
    expect(run.status, run.stderr).toBe(0);
    expect(Math.abs(issued() - Date.now())).toBeLessThan(60_000);
  });
});
