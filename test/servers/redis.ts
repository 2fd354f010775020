import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toolPath } from '../tools.js';

/** A Redis server on a free port of 127.0.0.1 that keeps what it is told, as the docs want it. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly start: () => Promise<void>;
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>;
  /** Stops it for good. */
  readonly end: () => Promise<void>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export async function startRedis(...more: readonly string[]): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'redis-'));
  const port = await freePort();
  let child: ChildProcess | null = null;
  const start = async () => {
    const kept = ['--save', '', '--appendonly', 'yes', '--maxmemory-policy', 'noeviction'];
    const at = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
    const server = spawn(toolPath('redis-server') ?? '', [...at, ...kept, ...more]);
    running.add(server);
    child = server;
    await new Promise<void>((done, fail) => {
      server.once('error', fail);
      server.once('exit', () => fail(new Error('redis-server has ended')));
      server.stdout.on('data', (text: Buffer) => {
        if (text.includes('Ready to accept connections')) done();
      });
    });
  };
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (child === null) return;
    running.delete(child);
    const ended = once(child, 'exit');
    child.kill(signal);
    child = null;
    await ended;
  };
  await start();
  const end = async () => {
    await stop('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  return { url: `redis://127.0.0.1:${port}`, port, start, stop, end };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
