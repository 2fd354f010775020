import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startServer } from '../net/servers.js';
import type { RunningServer } from '../net/servers.js';
import { codeOf, newKey, newPlace, sdist } from '../packsign.js';
import type { Answer, Place, TestKey } from '../packsign.js';
import { rsyncDaemon } from '../servers/rsync.js';
import { HOSTS, canServeSsh, startSshd } from '../servers/ssh.js';
import type { SshServer } from '../servers/ssh.js';
import { hasTool, toolPath } from '../tools.js';

/** `npm run soak` kills more often, and has two machines publish at the same time as often as the contract. */
const IS_SOAK = process.env['PACKSIGN_SOAK_SECONDS'] !== undefined;
const ROUNDS = IS_SOAK ? 10 : 1;
/** At which calls of rsync it is killed. */
const KILLS = IS_SOAK ? [4, 6, 9, 11] : [9];
const ODD = ['b+c@d=e~f,g!h-1.0.tar.gz', 'sub/deep/d-1.0.tar.gz'];

/** A server in front of a folder. */
interface Site {
  readonly folder: string;
  readonly destination: string;
  readonly env: NodeJS.ProcessEnv;
}

const running: RunningServer[] = [];
let ann: TestKey;
let sshd: SshServer;
let here: Place;
let site: Site;

beforeAll(async () => {
  ann = await newKey('Ann');
  if (!hasServers()) return;
  sshd = await startSshd();
  running.push(sshd);
});

afterAll(async () => {
  for (const server of running) await server.stop();
});

function hasServers(): boolean {
  return canServeSsh() && hasTool('rsync');
}

function overSsh(at: Place, folder = 'www'): Site {
  return {
    folder: at.path(folder),
    destination: `${HOSTS.welcome}:${at.path(folder)}`,
    env: { RSYNC_RSH: sshd.command },
  };
}

async function overDaemon(at: Place, more: readonly string[] = []): Promise<Site> {
  const server = await startServer(rsyncDaemon(at.root, more));
  running.push(server);
  return {
    folder: at.path('www'),
    destination: `rsync://127.0.0.1:${server.ports[0] ?? 0}/site/www`,
    env: {},
  };
}

async function newHere(): Promise<Place> {
  const at = newPlace();
  at.write('ann.asc', ann.signing);
  at.write('dist/packsign.json', '{ "Page": true }');
  for (const name of ['a-1.0.tar.gz', ...ODD]) at.write(`dist/${name}`, sdist(name.slice(0, 1), '1.0'));
  await build(at);
  return at;
}

async function build(at: Place, ...more: readonly string[]): Promise<void> {
  const { status, stderr } = await at.packsign(['build', 'dist', '--key', 'ann.asc', ...more]);
  expect(status, stderr).toBe(0);
}

async function publish(...more: readonly string[]): Promise<Answer> {
  return await here.json(['publish', 'dist', site.destination, ...more], { env: site.env });
}

interface Published {
  readonly status: string;
  readonly written: number;
  readonly removed: number;
}

async function published(...more: readonly string[]): Promise<Published> {
  const answer = await publish(...more);
  expect(answer.status, answer.run.stderr + answer.run.stdout).toBe(0);
  return (answer.value['destinations'] as [Published])[0];
}

async function expectWhole(at: Place, folder: string, count: number): Promise<void> {
  const { value } = await at.json(['verify', folder, '--fingerprint', ann.fingerprint]);
  expect(value).toMatchObject({ ok: true, status: 'authentic', files: { checked: count, ok: count } });
}

function everythingIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
    .sort();
}

/** A program `rsync` that notes each call in `calls`, and does something at one of them. */
function wrapped(at: Place, atCall = 0, action = ''): string {
  const real = toolPath('rsync') ?? 'rsync';
  const script = [
    '#!/bin/sh',
    `echo "$*" >> '${at.path('calls')}'`,
    `if [ "$(wc -l < '${at.path('calls')}')" -eq ${atCall} ]; then ${action || ':'}; fi`,
    `exec ${real === 'rsync' ? '/usr/bin/rsync' : real} "$@"`,
  ];
  chmodSync(at.write('bin/rsync', script.join('\n')), 0o755);
  rmSync(at.path('calls'), { force: true });
  return `${at.path('bin')}:${process.env['PATH'] ?? ''}`;
}

const SERVERS: readonly (readonly [name: string, open: () => Promise<Site>])[] = [
  ['a host through ssh', () => Promise.resolve(overSsh(here))],
  ['a daemon', () => overDaemon(here)],
];

/** What does not depend on the way to the server is tried in npm test over the faster one. */
const isTried = (name: string) => IS_SOAK || name === SERVERS.at(-1)?.[0];

describe.runIf(hasServers()).each(SERVERS)('publish to %s', (name, open) => {
  const testOfFiles = (title: string, work: () => Promise<void>, timeoutMs?: number) => {
    if (isTried(name)) test(title, work, timeoutMs);
  };
  beforeEach(async () => {
    here = await newHere();
    site = await open();
  });

  test('copies everything that readers fetch, for everybody to read, and nothing else; and nothing twice', async () => {
    expect(await published()).toMatchObject({ status: 'published' });
    await expectWhole(here, site.folder, 3);
    const sent = everythingIn(site.folder);
    expect(sent.filter((path) => !path.startsWith('assets/'))).toEqual(
      [
        ...['a-1.0.tar.gz', ...ODD, 'index.html', 'keys.asc', 'keys.gpg'],
        ...['packages.plist', 'packages.plist.asc'],
        ...readdirSync(here.path('dist/signatures')).map((name) => `signatures/${name}`),
      ].sort(),
    );
    for (const path of sent) expect(statSync(join(site.folder, path)).mode & 0o777).toBe(0o644);
    expect(statSync(join(site.folder, 'sub/deep')).mode & 0o777).toBe(0o755);
    expect(await published()).toMatchObject({ status: 'unchanged', written: 0 });
  });

  testOfFiles(
    'replaces bytes of the same size, keeps permissions, and removes named files alone',
    async () => {
      await published();
      const neighbours = ['sub/deep/d-1.0.tar.gz2', 'sub/deep/d-1.0Xtar.gz', 'mine.txt'];
      for (const name of neighbours) writeFileSync(join(site.folder, name), name);
      chmodSync(join(site.folder, 'a-1.0.tar.gz'), 0o640);
      here.write('dist/a-1.0.tar.gz', sdist('a', '1.0', 'x = 2\n'));
      here.remove('dist/sub/deep/d-1.0.tar.gz');
      await build(here, '--allow-changed', 'a-1.0.tar.gz', '--reason', 'broken', '--absent', 'withdraw');
      expect(await published('--delete', '--keep-old', '0')).toMatchObject({ removed: 1 });
      await expectWhole(here, site.folder, 2);
      const left = everythingIn(site.folder);
      expect(left).not.toContain('sub/deep/d-1.0.tar.gz');
      expect(left).toEqual(expect.arrayContaining(neighbours));
      expect(statSync(join(site.folder, 'a-1.0.tar.gz')).mode & 0o777).toBe(0o640);
    },
  );

  testOfFiles('replaces no folder by a file, and no file by a folder', async () => {
    for (const path of ['sub', 'a-1.0.tar.gz/in']) {
      const [name = ''] = path.split('/');
      const file = here.write(`www/${path}`, 'somebody put it there');
      const answer = await publish();
      expect(codeOf(answer)).toBe('DESTINATION_FAILED');
      expect(answer.run.stderr).toMatch(new RegExp(`${name} at \\S* is a (?:file|folder), and a `));
      expect(readFileSync(file, 'utf8')).toBe('somebody put it there');
      here.remove(`www/${name}`);
    }
  });

  testOfFiles('reads listed files that lie only there, if they may be others', async () => {
    await published();
    here.remove('dist/a-1.0.tar.gz');
    expect(await published('--check')).toMatchObject({ status: 'checked' });
    const file = join(site.folder, 'a-1.0.tar.gz');
    const bytes = readFileSync(file);
    writeFileSync(file, Buffer.alloc(bytes.length));
    utimesSync(file, new Date(), new Date(Date.now() + 10_000));
    expect(codeOf(await publish())).toBe('FILE_MISSING');
    expect(codeOf(await publish('--check'))).toBe('DESTINATION_DIFFERS');
    writeFileSync(file, bytes);
    utimesSync(file, new Date(), new Date(Date.now() + 10_000));
    expect(await published()).toMatchObject({ status: 'unchanged' });
  });

  test('killed at a call of rsync, the next one completes', { timeout: 600_000 }, async () => {
    for (const call of KILLS) {
      rmSync(site.folder, { recursive: true, force: true });
      const PATH = wrapped(here, call, 'kill -9 $PPID');
      const args = ['publish', 'dist', site.destination];
      const { status } = await here.process(args, { env: { ...site.env, PATH } });
      expect(status).toBe(null);
      await published('--wait', '30s');
      await expectWhole(here, site.folder, 3);
      expect(existsSync(join(site.folder, '.packsign-publish'))).toBe(false);
    }
  });

  testOfFiles(
    'goes on with a file of which half was sent, and leaves no half of one that is gone',
    async () => {
      await published();
      const partial = join(site.folder, 'sub/.rsync-partial');
      mkdirSync(partial);
      writeFileSync(join(partial, 'gone-1.0.tar.gz'), 'half');
      here.write('dist/e-1.0.tar.gz', sdist('e', '1.0'));
      await build(here);
      await published();
      expect(existsSync(partial)).toBe(false);
    },
  );

  testOfFiles('removes the temporary file of an rsync that was killed there, and no other', async () => {
    await published();
    const names = ['.e-1.0.tar.gz.AbC123', '.other.AbC123'];
    const before = new Date(Date.now() - 2 * 60 * 60 * 1000);
    for (const name of names) {
      writeFileSync(join(site.folder, name), 'half');
      utimesSync(join(site.folder, name), before, before);
    }
    here.write('dist/e-1.0.tar.gz', sdist('e', '1.0'));
    await build(here);
    await published();
    expect(names.map((name) => existsSync(join(site.folder, name)))).toEqual([false, true]);
  });

  testOfFiles('a file that changes while it is sent ends the publication before the database', async () => {
    await published();
    const before = readFileSync(join(site.folder, 'packages.plist'));
    here.write('dist/e-1.0.tar.gz', sdist('e', '1.0', 'x = 1\n'));
    await build(here);
    const other = here.write('other', sdist('e', '1.0', 'x = 2\n'));
    const target = here.path('dist/e-1.0.tar.gz');
    const action = `case "$*" in *"--info=progress2"*) cp '${target}' '${target}.1'; cp '${other}' '${target}' ;; esac`;
    // The third call writes: the database, its signature and the listing are read before.
    const PATH = wrapped(here, 4, action);
    const answer = await here.json(['publish', 'dist', site.destination], { env: { ...site.env, PATH } });
    expect([answer.status, codeOf(answer)]).toEqual([1, 'FILE_ALTERED']);
    expect(readFileSync(join(site.folder, 'packages.plist'))).toEqual(before);
  });

  testOfFiles('writes nothing behind a link, and leaves the link', async () => {
    mkdirSync(site.folder, { recursive: true });
    mkdirSync(here.path('out'));
    symlinkSync('../out', join(site.folder, 'sub'));
    const answer = await publish();
    expect([answer.status, codeOf(answer)]).toEqual([2, 'DESTINATION_FAILED']);
    expect(answer.run.stderr).toContain('sub at');
    expect(readdirSync(here.path('out'))).toEqual([]);
    expect(readdirSync(site.folder)).toEqual(['sub']);
  });

  test('what is too large for a database is not taken for none', async () => {
    mkdirSync(site.folder, { recursive: true });
    writeFileSync(join(site.folder, 'packages.plist'), '');
    truncateSync(join(site.folder, 'packages.plist'), 400 * 1024 * 1024);
    const answer = await publish();
    expect(codeOf(answer)).toBe('DATABASE_TOO_LARGE');
    expect(statSync(join(site.folder, 'packages.plist')).size).toBe(400 * 1024 * 1024);
  });

  testOfFiles('of hundreds of files and a new one, lists once and writes five times', async () => {
    for (let n = 0; n < 200; n += 1) here.write(`dist/n-${n}.tar.gz`, sdist('n', String(n)));
    await build(here);
    await published();
    here.write('dist/e-1.0.tar.gz', sdist('e', '1.0'));
    await build(here);
    const PATH = wrapped(here);
    await here.json(['publish', 'dist', site.destination], { env: { ...site.env, PATH } });
    const calls = here.text('calls').split('\n');
    expect(calls.filter((call) => call.includes('--list-only'))).toHaveLength(1);
    expect(calls.filter((call) => call.includes('--info=progress2'))).toHaveLength(5);
  });

  testOfFiles(
    'two machines lose nothing, also if one is killed: every file of both is there in the end',
    async () => {
      const settings = { Absent: 'keep', Mutable: ['latest.yml'], Include: ['latest.yml'] };
      here.write('dist/packsign.json', JSON.stringify(settings));
      here.write('dist/latest.yml', 'none\n');
      await build(here);
      await published();
      const other = newPlace();
      other.write('ann.asc', ann.signing);
      for (const [name, hex] of Object.entries(here.snapshot())) {
        other.write(`dist/${name}`, Buffer.from(hex, 'hex'));
      }
      const args = ['publish', 'dist', site.destination, '--adopt', '--key', 'ann.asc', '--wait', '150s'];
      const tries = name === 'a daemon' ? 4 : 1;
      const release = async (at: Place, name: string, isKilled: boolean) => {
        at.write(`dist/${name}.tar.gz`, sdist(name.slice(0, 1), name.slice(2)));
        at.write('dist/latest.yml', `${name}\n`);
        await build(at, '--wait', '60s');
        if (isKilled) await at.process(args, { env: site.env, by: killedWithin(3) });
        let { status, stderr } = await at.process(args, { env: site.env });
        // Without turns, who wins may find the other one's mutable file beside his database.
        for (let again = 1; again < tries && status === 1; again += 1) {
          ({ status, stderr } = await at.process(args, { env: site.env }));
        }
        expect(status, stderr).toBe(0);
      };
      for (let round = 1; round <= ROUNDS; round += 1) {
        await Promise.all([
          release(here, `x-${round}`, round % 2 === 1),
          release(other, `y-${round}`, false),
        ]);
      }
      await expectWhole(here, site.folder, 4 + 2 * ROUNDS);
    },
    1800 * 1000,
  );
});

/** Runs a program that is killed at a random moment. */
function killedWithin(seconds: number): readonly string[] {
  const kill = `(sleep ${(seconds * Math.random()).toFixed(2)}; kill -9 $$) </dev/null >/dev/null 2>&1 &`;
  return ['sh', '-c', `${kill} exec "$@"`, 'sh', process.execPath];
}

describe.runIf(hasServers())('a host through ssh', () => {
  beforeEach(async () => {
    here = await newHere();
    site = overSsh(here);
  });

  const refused = async (code: string, ...more: readonly string[]): Promise<string> => {
    const answer = await publish(...more);
    expect([answer.status, codeOf(answer)]).toEqual([2, code]);
    return answer.run.stdout;
  };

  test('has a folder with any name: no shell reads it', async () => {
    site = overSsh(here, `it's a "folder" $(touch pwned) ; ~`);
    mkdirSync(site.folder);
    await published();
    await expectWhole(here, site.folder, 3);
  });

  test('lets one publish at a time', async () => {
    mkdirSync(join(site.folder, '.packsign-publish/3'), { recursive: true });
    expect(await refused('LOCKED', '--wait', '1s')).toContain(`rm -r ${site.folder}/.packsign-publish`);
  });

  test('a lock that nobody has touched for minutes is taken over', async () => {
    const lock = join(site.folder, '.packsign-publish/3');
    mkdirSync(lock, { recursive: true });
    const old = new Date(Date.now() - 200_000);
    utimesSync(lock, old, old);
    await published();
    expect(existsSync(join(site.folder, '.packsign-publish'))).toBe(false);
  });

  test('without the lock, nothing more is written', async () => {
    const PATH = wrapped(here, 3, `rm -rf '${site.folder}/.packsign-publish'`);
    site = { ...site, env: { ...site.env, PATH } };
    expect(await refused('LOCK_LOST')).toContain('publish again');
    expect(existsSync(join(site.folder, 'packages.plist'))).toBe(false);
  });

  test('where no command but rsync may run, publishes without a lock', async () => {
    const only = here.write(
      'only-rsync',
      '#!/bin/sh\ncase "$SSH_ORIGINAL_COMMAND" in "rsync --server "*) exec $SSH_ORIGINAL_COMMAND ;; esac\necho no >&2\nexit 1\n',
    );
    chmodSync(only, 0o755);
    const server = await startSshd([`ForceCommand ${only}`]);
    running.push(server);
    site = { ...site, env: { RSYNC_RSH: server.command } };
    await published();
    await expectWhole(here, site.folder, 3);
  });

  test.each([
    [HOSTS.stranger, 'make sure that ssh can log in by itself'],
    [HOSTS.impostor, 'check its host key'],
    ['no-such-host.invalid', 'check the name'],
  ])('%s: says what to do', async (host, hint) => {
    site = { ...site, destination: `${host}:${site.folder}` };
    if (host.includes('.')) site = { ...site, env: { RSYNC_RSH: 'ssh -F /dev/null' } };
    expect(await refused('DESTINATION_FAILED')).toContain(hint);
  });

  test('a folder whose parents are missing is for a person to make', async () => {
    site = overSsh(here, 'no/such/folder');
    expect(await refused('DESTINATION_FAILED')).toContain(`ssh mirror mkdir -p ${site.folder}`);
  });

  test('without rsync, says how to install it', async () => {
    const bin = here.path('bin');
    mkdirSync(bin);
    site = { ...site, env: { ...site.env, PATH: bin } };
    expect(await refused('DESTINATION_FAILED')).toContain('install it: apt install');
  });

  test('a program that gives no answer gets nothing that only packsign should have', async () => {
    const rsh = here.write('rsh', `#!/bin/sh\nenv > '${here.path('env')}'\nexit 255\n`);
    chmodSync(rsh, 0o755);
    site = { ...site, env: { RSYNC_RSH: rsh, PACKSIGN_PASSPHRASE: 'secret', SSH_AUTH_SOCK: 'agent' } };
    await refused('DESTINATION_FAILED');
    expect(here.text('env')).toContain('SSH_AUTH_SOCK=agent');
    expect(here.text('env')).not.toContain('PACKSIGN_');
  });
});

describe.runIf(hasServers())('a daemon', () => {
  test('that may not be written to is told from others', async () => {
    here = await newHere();
    site = await overDaemon(here, ['read only = yes']);
    mkdirSync(site.folder);
    const answer = await publish();
    expect([answer.status, codeOf(answer)]).toEqual([2, 'DESTINATION_FAILED']);
    expect(answer.run.stdout).toContain('read only = no');
  });

  test('whose umask hides files gets files that everybody reads', async () => {
    here = await newHere();
    const before = process.umask(0o077);
    site = await overDaemon(here).finally(() => process.umask(before));
    mkdirSync(site.folder);
    await published();
    expect(statSync(join(site.folder, 'sub/deep/d-1.0.tar.gz')).mode & 0o777).toBe(0o644);
    expect(statSync(join(site.folder, 'sub/deep')).mode & 0o777).toBe(0o755);
    expect(statSync(join(site.folder, 'signatures')).mode & 0o777).toBe(0o755);
  });
});
