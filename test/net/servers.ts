import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toolPath } from '../tools.js';
import type { Program } from '../tools.js';

/** Web servers, proxies and caches as people install them, each on a free port of 127.0.0.1 with a folder of its own. */

export interface RunningServer {
  /** The ports that it was given, in order. */
  readonly ports: readonly number[];
  /** What it has printed. */
  readonly log: () => string;
  readonly stop: () => Promise<void>;
}

export interface Starting {
  /** An own, empty folder for its configuration, logs and the like. */
  readonly home: string;
  readonly ports: readonly number[];
}

export interface ServerPlan {
  readonly program: Program | 'node';
  /** As root, servers run as nobody; this one runs as root. */
  readonly keepsUser?: boolean;
  /** How many ports it listens at; one unless it says otherwise. */
  readonly portCount?: number;
  /** Files to write into its home. */
  readonly files?: (starting: Starting) => Readonly<Record<string, string>>;
  readonly args: (starting: Starting) => readonly string[];
}

/** Servers refuse to run as root, or then read files as a user of their own. */
const NOBODY = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) for (const pid of familyOf(child)) kill(pid, 'SIGKILL');
});

/** A server and the processes that it started, also those in sessions of their own, as far as /proc knows them. */
function familyOf(child: ChildProcess): readonly number[] {
  const descendants = (pid: number): readonly number[] => {
    try {
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
      return [pid, ...children.map(Number).flatMap(descendants)];
    } catch {
      return [pid];
    }
  };
  const hasEnded = child.exitCode !== null || child.signalCode !== null;
  return child.pid === undefined || hasEnded ? [] : descendants(child.pid);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

/** Starts a server and waits until it listens. */
export async function startServer(plan: ServerPlan): Promise<RunningServer> {
  const home = mkdtempSync(join(tmpdir(), 'server-'));
  const user: typeof NOBODY = plan.keepsUser === true ? {} : NOBODY;
  const ports = await freePorts(plan.portCount ?? 1);
  for (const [name, text] of Object.entries(plan.files?.({ home, ports }) ?? {})) {
    writeFileSync(join(home, name), text);
  }
  for (const folder of [home, join(home, 'tmp')]) {
    mkdirSync(folder, { recursive: true });
    if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
  }
  const known = plan.program === 'node' ? process.execPath : (toolPath(plan.program) ?? plan.program);
  // sshd, which starts itself again, wants its whole path. Others may not be the first in PATH that may be started.
  const program = plan.program === 'sshd' ? wholePath(known) : known;
  const log: Buffer[] = [];
  const child = spawn(program, plan.args({ home, ports }), {
    ...user,
    cwd: home,
    env: { PATH: process.env['PATH'], HOME: home, TMPDIR: join(home, 'tmp') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => log.push(text));
  const stop = async () => {
    const family = familyOf(child);
    for (const pid of family) kill(pid, 'SIGTERM');
    const killed = sleep(5_000, undefined, { ref: false }).then(() =>
      family.map((pid) => kill(pid, 'SIGKILL')),
    );
    await Promise.race([ended, killed.then(() => ended)]);
    running.delete(child);
    rmSync(home, { recursive: true, force: true });
  };
  for (const port of ports) {
    for (let tries = 0; !(await isListening(port)); tries += 1) {
      const hasEnded = child.exitCode !== null || child.signalCode !== null;
      if (hasEnded || tries > 600) {
        await stop();
        throw new Error(`${plan.program} does not listen:\n${Buffer.concat(log).toString()}`);
      }
      await sleep(50);
    }
  }
  return { ports, stop, log: () => Buffer.concat(log).toString() };
}

function wholePath(program: string): string {
  const folders = program.includes('/') ? [] : (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path)) ?? program;
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  // All at once, so that no port is given twice.
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((done) => {
          server.listen(0, '127.0.0.1', () => done((server.address() as AddressInfo).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}

export interface Tls {
  /** PEM file of the authority that signed the certificate. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

export interface TlsOptions {
  /** The names that the certificate is for: `IP:127.0.0.1`, `DNS:localhost`. */
  readonly names?: string;
  /** How long ago it expired; null for one that has not. */
  readonly days?: number;
}

/** An authority of our own, and a certificate of it for this machine. Needs openssl. */
export function makeTls(
  folder: string,
  { names = 'IP:127.0.0.1,DNS:localhost', days = 2 }: TlsOptions = {},
): Tls {
  mkdirSync(folder, { recursive: true });
  const file = (name: string) => join(folder, name);
  const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { stdio: 'ignore' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    ...['req', '-x509', ...newKey, '-subj', '/CN=Authority of the tests', '-days', '2'],
    ...['-keyout', file('ca.key'), '-out', file('ca.pem')],
  );
  openssl('req', ...newKey, '-subj', '/CN=test', '-keyout', file('tls.key'), '-out', file('tls.csr'));
  writeFileSync(file('names'), `subjectAltName=${names}\n`);
  openssl(
    ...['x509', '-req', '-in', file('tls.csr'), '-CA', file('ca.pem'), '-CAkey', file('ca.key')],
    ...['-CAcreateserial', '-days', String(days), '-extfile', file('names'), '-out', file('tls.pem')],
  );
  chmodSync(file('tls.key'), 0o644);
  return { authority: file('ca.pem'), certificate: file('tls.pem'), key: file('tls.key') };
}

export const python: (folder: string) => ServerPlan = (folder) => ({
  program: 'python3',
  args: ({ ports: [port] }) => [
    ...['-m', 'http.server', String(port), '--bind', '127.0.0.1', '--directory', folder],
  ],
});

export const busybox: (folder: string) => ServerPlan = (folder) => ({
  program: 'busybox',
  args: ({ ports: [port] }) => ['httpd', '-f', '-p', `127.0.0.1:${port ?? 0}`, '-h', folder],
});

export const sirv: (folder: string) => ServerPlan = (folder) => ({
  program: 'node',
  args: ({ ports: [port] }) => [
    ...[resolve('node_modules/sirv-cli/bin.js'), folder],
    ...['--port', String(port), '--host', '127.0.0.1', '--etag', '--quiet'],
  ],
});

export const lighttpd: (folder: string) => ServerPlan = (folder) => ({
  program: 'lighttpd',
  files: ({ ports: [port] }) => ({
    'lighttpd.conf': [
      `server.document-root = "${folder}"`,
      `server.bind = "127.0.0.1"`,
      `server.port = ${port ?? 0}`,
      'mimetype.assign = ("" => "application/octet-stream")',
    ].join('\n'),
  }),
  args: ({ home }) => ['-D', '-f', join(home, 'lighttpd.conf')],
});

const APACHE_MODULES = '/usr/lib/apache2/modules';

export const apache: (folder: string) => ServerPlan = (folder) => ({
  program: 'apache2',
  files: ({ home, ports: [port] }) => ({
    'apache.conf': [
      `ServerRoot ${home}`,
      `PidFile ${home}/pid`,
      `ErrorLog ${home}/error.log`,
      `Listen 127.0.0.1:${port ?? 0}`,
      'ServerName localhost',
      `LoadModule mpm_event_module ${APACHE_MODULES}/mod_mpm_event.so`,
      `LoadModule authz_core_module ${APACHE_MODULES}/mod_authz_core.so`,
      `DocumentRoot "${folder}"`,
      `<Directory "${folder}">`,
      'Require all granted',
      '</Directory>',
    ].join('\n'),
  }),
  args: ({ home }) => ['-DFOREGROUND', '-f', join(home, 'apache.conf')],
});

/** Ports: plain, gzip for every type, few requests a second (429), the same (503), HTTP/2 over TLS if there is `tls`. */
export const nginx: (folder: string, tls: Tls) => ServerPlan = (folder, tls) => ({
  program: 'nginx',
  portCount: 5,
  files: ({ home, ports: [plain = 0, gzip = 0, busy = 0, overloaded = 0, secure = 0] }) => {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const site = (port: string, ...lines: readonly string[]) =>
      `server { listen 127.0.0.1:${port}; root "${folder}"; ${lines.map((line) => `${line};`).join(' ')} }`;
    return {
      'nginx.conf': [
        'daemon off; master_process off;',
        `pid ${home}/pid; error_log ${home}/error.log;`,
        'events { worker_connections 256; }',
        'http {',
        'access_log off;',
        ...temporary.map((name) => `${name}_temp_path ${home}/tmp;`),
        'limit_req_zone $server_port zone=few:1m rate=100r/s;',
        site(String(plain)),
        site(String(gzip), 'gzip on', 'gzip_types *', 'gzip_min_length 1', 'gzip_http_version 1.0'),
        site(String(busy), 'limit_req zone=few burst=2 nodelay', 'limit_req_status 429'),
        site(String(overloaded), 'limit_req zone=few burst=2 nodelay', 'limit_req_status 503'),
        site(`${secure} ssl http2`, `ssl_certificate ${tls.certificate}`, `ssl_certificate_key ${tls.key}`),
        '}',
      ].join('\n'),
    };
  },
  args: ({ home }) => ['-p', home, '-c', join(home, 'nginx.conf'), '-e', join(home, 'error.log')],
});

export const PROXY_LOGIN = { name: 'reader', password: 'pass word%' } as const;

/** Ports: for everybody, for those who know PROXY_LOGIN. `tlsPort`: the one port to which CONNECT is allowed. */
export const squid: (tlsPort: number) => ServerPlan = (tlsPort) => ({
  program: 'squid',
  portCount: 2,
  files: ({ home, ports: [open = 0, closed = 0] }) => ({
    passwords: `${PROXY_LOGIN.name}:${apacheHash(PROXY_LOGIN.password)}\n`,
    'squid.conf': [
      `auth_param basic program /usr/lib/squid/basic_ncsa_auth ${home}/passwords`,
      `http_port 127.0.0.1:${open} name=open`,
      `http_port 127.0.0.1:${closed} name=closed`,
      'acl open myportname open',
      'acl known proxy_auth REQUIRED',
      // As Debian ships it, with one more port for TLS.
      `acl SSL_ports port 443 ${tlsPort}`,
      'acl Safe_ports port 80 443 1025-65535',
      'http_access deny !Safe_ports',
      'http_access deny CONNECT !SSL_ports',
      'http_access allow open',
      'http_access allow known',
      'http_access deny all',
      'cache deny all',
      'pinger_enable off',
      'shutdown_lifetime 0 seconds',
      `pid_filename ${home}/pid`,
      `cache_log ${home}/cache.log`,
      `access_log stdio:${home}/access.log`,
      `coredump_dir ${home}`,
      'visible_hostname proxy.test',
    ].join('\n'),
  }),
  args: ({ home }) => ['-N', '-f', join(home, 'squid.conf')],
});

function apacheHash(password: string): string {
  return execFileSync('openssl', ['passwd', '-apr1', password], { encoding: 'utf8' }).trim();
}

/** A cache that keeps everything for an hour, whatever those who ask say. */
export const varnish: (originPort: number) => ServerPlan = (originPort) => ({
  program: 'varnishd',
  args: ({ home, ports: [port] }) => [
    ...['-F', '-j', 'none', '-a', `127.0.0.1:${port ?? 0}`, '-b', `127.0.0.1:${originPort}`],
    ...['-t', '3600', '-s', 'malloc,16m', '-n', join(home, 'tmp')],
  ],
});

/** Whether this machine has an address of IPv6 for itself. */
export function hasIpv6(): boolean {
  try {
    return readFileSync('/proc/net/if_inet6', 'utf8').includes('00000000000000000000000000000001');
  } catch {
    return false;
  }
}
