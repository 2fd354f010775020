import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../net/servers.js';
import type { RunningServer } from '../net/servers.js';
import { given, hasTools } from '../tools.js';

export interface SshServer extends RunningServer {
  /** The client and its options, for RSYNC_RSH. It knows the hosts of `HOSTS`. */
  readonly command: string;
}

/** Names of the one server: with the right key, with a key that it does not accept, and with the host key of another. */
export const HOSTS = { welcome: 'mirror', stranger: 'stranger', impostor: 'impostor' } as const;

/** Whether the present user can log in to a server of his own. */
export function canServeSsh(): boolean {
  return (
    hasTools('sshd', 'ssh', 'ssh-keygen') &&
    given(!isLocked(), 'sshd lets nobody in to an account that is locked')
  );
}

function isLocked(): boolean {
  if (process.getuid?.() !== 0) return false;
  return /^root:!/m.test(readFileSync('/etc/shadow', 'utf8'));
}

/** Starts sshd for the present user. `more`: further lines of its configuration. */
export async function startSshd(more: readonly string[] = []): Promise<SshServer> {
  const folder = mkdtempSync(join(tmpdir(), 'ssh-'));
  const file = (name: string) => join(folder, name);
  for (const name of ['host', 'other-host', 'user', 'other-user']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file(name)]);
  }
  // As root, sshd needs this folder, which otherwise its service makes.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true });
  const server = await startServer({
    program: 'sshd',
    keepsUser: true,
    files: ({ ports: [port = 0] }) => ({
      sshd_config: [
        `ListenAddress 127.0.0.1:${port}`,
        `HostKey ${file('host')}`,
        `AuthorizedKeysFile ${file('user.pub')}`,
        'PidFile none',
        'StrictModes no',
        'UsePAM no',
        'PasswordAuthentication no',
        'KbdInteractiveAuthentication no',
        'PermitRootLogin prohibit-password',
        ...more,
      ].join('\n'),
    }),
    args: ({ home }) => ['-D', '-e', '-f', join(home, 'sshd_config')],
  });
  const [port = 0] = server.ports;
  const knownHost = (name: string) => `[127.0.0.1]:${port} ${readFileSync(file(`${name}.pub`), 'utf8')}`;
  writeFileSync(file('known'), knownHost('host'));
  writeFileSync(file('known-impostor'), knownHost('other-host'));
  writeFileSync(
    file('config'),
    [
      ...host(HOSTS.stranger, file('other-user'), file('known')),
      ...host(HOSTS.impostor, file('user'), file('known-impostor')),
      ...host(HOSTS.welcome, file('user'), file('known')),
      'Host *',
      'HostName 127.0.0.1',
      `Port ${port}`,
      `User ${userInfo().username}`,
      'IdentitiesOnly yes',
      'IdentityAgent none',
      'GlobalKnownHostsFile /dev/null',
      'StrictHostKeyChecking yes',
    ].join('\n'),
  );
  return { ...server, command: `ssh -F ${file('config')}` };
}

function host(name: string, identity: string, known: string): readonly string[] {
  return [`Host ${name}`, `IdentityFile ${identity}`, `UserKnownHostsFile ${known}`];
}
