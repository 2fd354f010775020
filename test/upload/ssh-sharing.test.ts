import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place, Run, TestKey } from '../packsign.js';
import { HOSTS, canServeSsh, startSshd } from '../servers/ssh.js';
import type { SshServer } from '../servers/ssh.js';
import { given, hasTool, toolPath } from '../tools.js';
import { eventually } from '../watch/watching.js';

const IS_SOAK = given(process.env['PACKSIGN_SOAK_SECONDS'] !== undefined, 'npm run soak takes all of these');

let ann: TestKey;
let sshd: SshServer;
let here: Place;
/** Short enough for a socket. */
let temporary: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  ann = await newKey('Ann');
  if (canServeSsh()) sshd = await startSshd();
});

afterAll(async () => {
  await (sshd as SshServer | undefined)?.stop();
});

beforeEach(async () => {
  here = newPlace();
  temporary = mkdtempSync('/tmp/p-');
  env = { RSYNC_RSH: (sshd as SshServer | undefined)?.command, TMPDIR: temporary };
  here.write('ann.asc', ann.signing);
  here.write('dist/a-1.0.tar.gz', sdist('a', '1.0'));
  const { status, stderr } = await here.packsign(['build', 'dist', '--key', 'ann.asc']);
  expect(status, stderr).toBe(0);
});

afterEach(() => {
  rmSync(temporary, { recursive: true });
});

async function publish(): Promise<Run> {
  const args = ['publish', 'dist', `${HOSTS.welcome}:${here.path('www')}`, '--wait', '30s'];
  return await here.process(args, { env });
}

async function expectPublished(): Promise<void> {
  const { status, stderr } = await publish();
  expect(status, stderr).toBe(0);
  const { value } = await here.json(['verify', 'www', '--fingerprint', ann.fingerprint]);
  expect(value).toMatchObject({ ok: true, files: { checked: 1, ok: 1 } });
  expect(readdirSync(temporary)).toEqual([]);
}

const loginsAt = (server: SshServer) => server.log().match(/^Accepted /gm)?.length ?? 0;

async function loginsOf(work: () => Promise<void>, server = sshd): Promise<number> {
  const before = loginsAt(server);
  await work();
  return loginsAt(server) - before;
}

/** A program in place of another: does something first, in `sh`. */
function instead(name: 'ssh' | 'rsync', action: string): void {
  const real = toolPath(name) ?? name;
  const path = here.write(
    `bin/${name}`,
    `#!/bin/sh\n${action}\nexec ${real === name ? `/usr/bin/${name}` : real} "$@"\n`,
  );
  chmodSync(path, 0o755);
  env = { ...env, PATH: `${here.path('bin')}:${process.env['PATH'] ?? ''}` };
}

/** Does something at the first call of rsync that writes. */
function whileWriting(action: string): void {
  const marker = here.path('done');
  instead(
    'rsync',
    `case "$*" in *--info=progress2*) if [ ! -e '${marker}' ]; then touch '${marker}'; ${action}; fi ;; esac`,
  );
}

/** Processes that name the folder for temporary files. */
const sshThere = () =>
  execFileSync('ps', ['axww', '-o', 'args'])
    .toString()
    .split('\n')
    .filter((line) => line.includes(`ControlPath=${temporary}`));

describe.runIf(canServeSsh() && hasTool('rsync'))('a publication through ssh', () => {
  test('logs in once', async () => {
    expect(await loginsOf(expectPublished)).toBe(1);
    expect(await loginsOf(expectPublished)).toBe(1);
  });

  test('goes through the connection that the settings of ssh share, and leaves that', async () => {
    const [, , config = ''] = sshd.command.split(' ');
    const socket = join(temporary, 'own');
    const own = ['ControlMaster auto', `ControlPath ${socket}`, 'ControlPersist 60'];
    const file = here.write('config', `${own.join('\n')}\n${readFileSync(config, 'utf8')}`);
    env = { ...env, RSYNC_RSH: `ssh -F ${file}` };
    const logins = await loginsOf(async () => {
      for (const round of [1, 2]) expect((await publish()).status, String(round)).toBe(0);
    });
    expect(logins).toBe(1);
    expect(existsSync(socket)).toBe(true);
    execFileSync('ssh', ['-F', file, '-O', 'exit', HOSTS.welcome], { stdio: 'ignore' });
  });

  test('makes more connections where the host allows one session in each', async () => {
    const strict = await startSshd(['MaxSessions 1']);
    env = { ...env, RSYNC_RSH: strict.command };
    expect(await loginsOf(expectPublished, strict)).toBeGreaterThan(5);
    await strict.stop();
  });

  // Under npm run soak alone, since they are like the one before.
  test.runIf(IS_SOAK)('makes more connections where no socket can be made', async () => {
    instead('ssh', 'case "$*" in *ControlMaster=yes*) echo "unix_listener: no" >&2; exit 255 ;; esac');
    expect(await loginsOf(expectPublished)).toBeGreaterThan(5);
  });

  test('asks nothing of a program that may not be ssh', async () => {
    const other = here.write('other', `#!/bin/sh\necho "$*" >> '${here.path('asked')}'\nexit 255\n`);
    chmodSync(other, 0o755);
    env = { ...env, RSYNC_RSH: other };
    expect((await publish()).status).toBe(2);
    expect(here.text('asked')).toBe(`${HOSTS.welcome} exec sh\n`);
  });

  test('ends with an error if the connection breaks; the next one completes', async () => {
    whileWriting(
      `kill -9 $(ps axww -o pid,args | grep '[C]ontrolPath=${temporary}.*=yes' | awk '{ print $1 }')`,
    );
    const { status, stderr } = await publish();
    expect([status, stderr]).toEqual([2, expect.stringContaining('publish again')]);
    expect(existsSync(here.path('www/packages.plist'))).toBe(false);
    expect(readdirSync(temporary)).toEqual([]);
    await expectPublished();
  });

  test('stopped, leaves no connection, socket or folder', async () => {
    whileWriting('kill -INT $PPID; sleep 1');
    expect((await publish()).status).toBeGreaterThan(128);
    expect(readdirSync(temporary)).toEqual([]);
    await eventually('no ssh is left', () => sshThere().length === 0);
    await expectPublished();
  });

  test.runIf(IS_SOAK)('killed, its connection ends, and the next one tidies up', async () => {
    whileWriting('kill -9 $PPID; sleep 1');
    expect((await publish()).status).toBe(null);
    await eventually('no ssh is left', () => sshThere().length === 0);
    expect(readdirSync(temporary)).not.toEqual([]);
    await expectPublished();
  });

  test.runIf(IS_SOAK)(
    'logs in once also where the folder for temporary files is too deep for a socket',
    async () => {
      const deep = join(temporary, 'd'.repeat(60));
      mkdirSync(deep);
      env = { ...env, TMPDIR: deep };
      const logins = await loginsOf(async () => {
        expect((await publish()).status).toBe(0);
      });
      expect([logins, readdirSync(deep)]).toEqual([1, []]);
    },
  );
});
