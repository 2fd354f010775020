import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startServer } from '../net/servers.js';
import { hasTool, hasTools } from '../tools.js';
import { startMiddleman } from './middleman.js';
import type { Middleman } from './middleman.js';
import { rsyncDaemon } from './rsync.js';
import { HOSTS, canServeSsh, startSshd } from './ssh.js';
import type { SshServer } from './ssh.js';
import { S3_LOGIN, swift } from './swift.js';

/** The servers to which files are uploaded do what others expect of them. */

interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const running: { readonly stop: () => Promise<void> }[] = [];
const scratch = () => mkdtempSync(join(tmpdir(), 'uploads-'));

afterAll(async () => {
  for (const server of running.toReversed()) await server.stop();
});

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return new Promise((done) => {
    execFile(program, [...args], { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      done({ status: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

/** A folder with a file, and one whose name is a puzzle. */
function newSite(): string {
  const folder = scratch();
  mkdirSync(join(folder, 'signatures'));
  writeFileSync(join(folder, 'packages.plist'), 'database\n');
  writeFileSync(join(folder, "signatures/a b'ü.asc"), 'signature\n');
  return folder;
}

function expectSite(folder: string): void {
  expect(readFileSync(join(folder, 'packages.plist'), 'utf8')).toBe('database\n');
  expect(readdirSync(join(folder, 'signatures'))).toEqual(["a b'ü.asc"]);
}

describe.runIf(canServeSsh())('sshd', () => {
  let server: SshServer;

  beforeAll(async () => {
    server = await startSshd();
    running.push(server);
  });

  test.runIf(hasTool('rsync'))('takes files from rsync', async () => {
    const target = scratch();
    const env = { RSYNC_RSH: server.command };
    expect(await run('rsync', ['-a', `${newSite()}/`, `${HOSTS.welcome}:${target}/`], env)).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
    expectSite(target);
  });

  test.each([
    [HOSTS.stranger, 'Permission denied (publickey)'],
    [HOSTS.impostor, 'Host key verification failed'],
  ])('%s is refused', async (host, words) => {
    const [program = '', ...args] = server.command.split(' ');
    const { status, stderr } = await run(program, [...args, '-o', 'BatchMode=yes', host, 'true']);
    expect([status, stderr]).toEqual([255, expect.stringContaining(words)]);
  });

  test('ends together with what it started', async () => {
    const own = await startSshd();
    const note = join(scratch(), 'pid');
    const [program = '', ...args] = own.command.split(' ');
    const session = run(program, [...args, HOSTS.welcome, `echo $$ > '${note}'; exec sleep 1000`]);
    while (!existsSync(note) || readFileSync(note, 'utf8') === '') await sleep(20);
    const pid = Number(readFileSync(note, 'utf8'));
    expect(isRunning(pid)).toBe(true);
    await own.stop();
    expect((await session).status).not.toBe(0);
    while (isRunning(pid)) await sleep(20);
  });
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe.runIf(hasTool('rsync'))('the daemon of rsync', () => {
  test('takes files from rsync', async () => {
    const target = scratch();
    const server = await startServer(rsyncDaemon(target));
    running.push(server);
    const address = `rsync://127.0.0.1:${server.ports[0] ?? 0}/site/`;
    expect((await run('rsync', ['-a', `${newSite()}/`, address])).status).toBe(0);
    expectSite(target);
  });

  test('whose module is read-only takes none', async () => {
    const target = scratch();
    const server = await startServer(rsyncDaemon(target, ['read only = yes']));
    running.push(server);
    const address = `rsync://127.0.0.1:${server.ports[0] ?? 0}/site/`;
    const { status, stderr } = await run('rsync', ['-a', `${newSite()}/`, address]);
    expect([status, stderr]).toEqual([expect.any(Number), expect.stringContaining('module is read only')]);
    expect([status === 0, readdirSync(target)]).toEqual([false, []]);
  });
});

describe.runIf(hasTools('/usr/bin/python3:swift', 'curl'))('S3', () => {
  let middleman: Middleman;
  let buckets = 0;
  let bucket: string;
  const file = join(scratch(), 'file');
  const md5 = '"5d41402abc4b2a76b9719d911017c592"';

  beforeAll(async () => {
    const server = await startServer(swift);
    running.push(server);
    middleman = await startMiddleman(server.ports[3] ?? 0);
    running.push(middleman);
    writeFileSync(file, 'hello');
  });

  beforeEach(async () => {
    Object.assign(middleman.habits, { delayMs: 0, staleMs: 0 });
    buckets += 1;
    bucket = `bucket-${buckets}`;
    expect(await s3('', '-X', 'PUT')).toMatchObject({ code: 200 });
  });

  /** Without a `path` the bucket itself. */
  async function s3(
    path: string,
    ...args: readonly string[]
  ): Promise<{ readonly code: number; readonly text: string; readonly status: number }> {
    const { accessKey, region, secretKey } = S3_LOGIN;
    const { status, stdout } = await run('curl', [
      ...[
        '--silent',
        '--max-time',
        '300',
        '--write-out',
        '\n%{http_code}',
        '--aws-sigv4',
        `aws:amz:${region}:s3`,
      ],
      ...['--user', `${accessKey}:${secretKey}`, '-H', 'x-amz-content-sha256: UNSIGNED-PAYLOAD', ...args],
      `${middleman.url}/${bucket}${path}`,
    ]);
    const end = stdout.lastIndexOf('\n');
    return { code: Number(stdout.slice(end + 1)), text: stdout.slice(0, end), status };
  }

  const put = (path: string, ...args: readonly string[]) => s3(path, '-T', file, ...args);
  const ifNew = ['-H', 'If-None-Match: *'];
  /** Lets the next request meet with something. */
  const nextIs = (mishap: 'cut-before' | 'cut-after' | number) =>
    middleman.mishaps.set(middleman.passed.length + 1, mishap);

  test('gives, lists and deletes what was put', async () => {
    expect(await s3('/a/b.txt')).toMatchObject({ code: 404 });
    expect(await put('/a/b.txt', '-H', 'cache-control: no-cache')).toMatchObject({ code: 200 });
    const { code, text } = await s3('/a/b.txt', '--include');
    expect([code, text]).toEqual([200, expect.stringMatching(/^cache-control: no-cache\r$/im)]);
    expect(text).toMatch(/\r\n\r\nhello$/);
    expect((await s3('/?list-type=2')).text).toContain('<Key>a/b.txt</Key>');
    expect(await s3('/a/b.txt', '-H', 'Range: bytes=1-2')).toMatchObject({ code: 206, text: 'el' });
    expect(await s3('/a/b.txt', '-H', `If-None-Match: ${md5}`)).toMatchObject({ code: 304 });
    expect(await s3('/a/b.txt', '-X', 'DELETE')).toMatchObject({ code: 204 });
    expect(await s3('/a/b.txt')).toMatchObject({ code: 404 });
  });

  test('gives each of many readers the whole object', async () => {
    await put('/many');
    const answers = await Promise.all(Array.from({ length: 12 }, () => s3('/many')));
    expect(new Set(answers.map(({ code, text }) => `${code} ${text}`))).toEqual(new Set(['200 hello']));
  });

  test('refuses a wrong secret, and does not tell its owner whether a condition holds', async () => {
    const stranger = ['--user', `${S3_LOGIN.accessKey}:wrong`];
    await put('/known');
    for (const args of [[], ifNew, ['-H', `If-Match: ${md5}`], ['-H', 'If-Match: "other"']]) {
      expect(await put('/known', ...stranger, ...args)).toMatchObject({ code: 403 });
    }
    expect(await put('/new', ...stranger, ...ifNew)).toMatchObject({ code: 403 });
    expect(await s3('/new')).toMatchObject({ code: 404 });
  });

  test('puts an object only if its condition holds', async () => {
    const statusOf = async (...args: readonly string[]) => (await put('/a', ...args)).code;
    expect(await statusOf('-H', `If-Match: ${md5}`)).toBe(412);
    expect(await s3('/a')).toMatchObject({ code: 404 });
    expect(await statusOf(...ifNew)).toBe(200);
    expect(await statusOf(...ifNew)).toBe(412);
    expect(await statusOf('-H', `If-Match: ${md5}`)).toBe(200);
    expect(await statusOf('-H', 'If-Match: "0123456789abcdef0123456789abcdef"')).toBe(412);
    await s3('/a', '-X', 'DELETE');
    expect(await statusOf(...ifNew)).toBe(200);
  });

  test('lets one of eight processes put an object that is new', async () => {
    const codes = await Promise.all(
      Array.from({ length: 8 }, async () => (await put('/race', ...ifNew)).code),
    );
    expect(codes.toSorted()).toEqual([200, 412, 412, 412, 412, 412, 412, 412]);
  });

  test('lets one of eight processes replace an object', async () => {
    await put('/race');
    const replace = async (text: string) => {
      const other = join(scratch(), 'file');
      writeFileSync(other, text);
      return (await s3('/race', '-T', other, '-H', `If-Match: ${md5}`)).code;
    };
    const codes = await Promise.all(Array.from({ length: 8 }, (_, index) => replace(`text ${index}`)));
    expect(codes.toSorted()).toEqual([200, 412, 412, 412, 412, 412, 412, 412]);
    expect((await s3('/race')).text).toBe(`text ${codes.indexOf(200)}`);
  });

  test('is told what passes', async () => {
    const before = middleman.passed.length;
    await put('/a', '-H', 'x-amz-meta-x: y');
    expect(middleman.passed.slice(before)).toEqual([
      expect.objectContaining({ method: 'PUT', url: `/${bucket}/a`, status: 200 }),
    ]);
    expect(middleman.passed.at(-1)?.headers).toMatchObject({ 'x-amz-meta-x': 'y' });
  });

  test('fails as it is told to, before or after it has done its work', async () => {
    nextIs(503);
    const { code, text } = await put('/a');
    expect([code, text]).toEqual([503, expect.stringContaining('<Code>SlowDown</Code>')]);
    nextIs('cut-before');
    expect(await put('/a')).toMatchObject({ status: 52 });
    expect(middleman.passed.at(-1)).toMatchObject({ status: null });
    expect(await s3('/a')).toMatchObject({ code: 404 });
    nextIs('cut-after');
    expect(await put('/a')).toMatchObject({ status: 52 });
    expect(await s3('/a')).toMatchObject({ code: 200, text: 'hello' });
  });

  test('delays requests', async () => {
    middleman.habits.delayMs = 300;
    await put('/a');
    const { startedAt = 0, endedAt = 0 } = middleman.passed.at(-1) ?? {};
    expect(endedAt - startedAt).toBeGreaterThanOrEqual(299);
  });

  test('gives old bytes as a cache would', async () => {
    await put('/a');
    middleman.habits.staleMs = 3_600_000;
    expect((await s3('/a')).text).toBe('hello');
    await s3('/a', '-X', 'DELETE');
    expect(await s3('/a')).toMatchObject({ code: 200, text: 'hello' });
    middleman.habits.staleMs = 0;
    expect(await s3('/a')).toMatchObject({ code: 404 });
  });
});
