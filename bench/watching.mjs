// Measures the time from the rename of an archive into a watched directory to a signed index on disk that lists it.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, watch as watchFolder } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

const LIMIT_MS = 60_000;
/** Time between two arrivals. packsign dates a database to the second, so two in one second would queue. */
const PAUSE_MS = 1_200;

/**
 * Starts a watch, renames `landings` archives into the directory, one after the other, and returns the milliseconds
 * that each took. `stage()` writes one outside; it returns a function that renames it in and returns its name.
 */
export async function measureWatch(watcher, at, { env, landings, stage }) {
  const child = spawn('bash', ['-c', watcher.command(at)], {
    cwd: at.folder,
    env,
    // In its own process group, so that a pipeline ends as a whole.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (printed += text));
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const end = () => child.exitCode ?? child.signalCode ?? process.kill(-child.pid, 'SIGTERM');
  process.on('exit', end);
  try {
    await ready(watcher, () => printed);
    const taken = [];
    while (taken.length < landings) {
      const arrive = stage();
      await sleep(PAUSE_MS);
      taken.push(await untilSigned(watcher, at, { arrive, printed: () => printed }));
    }
    return taken;
  } finally {
    end();
    await ended;
    process.off('exit', end);
  }
}

async function ready({ ready: sign }, printed) {
  // inotifywait is ready at once, and prints nothing.
  if (sign === undefined) return await sleep(1_000);
  for (let waited = 0; !sign.test(printed()); waited += 50) {
    if (waited > LIMIT_MS) throw new Error(`a watch was not ready: ${printed().slice(-1000)}`);
    await sleep(50);
  }
}

async function untilSigned(watcher, at, { arrive, printed }) {
  const index = watcher.index(at);
  const seen = [];
  const events = watchFolder(dirname(index), (_, name) => {
    if (name === basename(index)) seen.push(performance.now());
  });
  try {
    const started = performance.now();
    const name = arrive();
    for (;;) {
      // Take the time when the file came into place; read its contents afterwards.
      const moment = seen.shift();
      if (moment !== undefined && isSigned(index, { name, how: watcher.signature })) return moment - started;
      if (performance.now() - started > LIMIT_MS)
        throw new Error(`${name} was not signed: ${printed().slice(-1000)}`);
      if (seen.length === 0) await sleep(1);
    }
  } finally {
    events.close();
  }
}

function isSigned(index, { name, how }) {
  const bytes = existsSync(index) ? readFileSync(index) : null;
  if (bytes?.includes(name) !== true) return false;
  const signature =
    how === 'beside'
      ? `${index}.asc`
      : join(dirname(index), 'signatures', `${createHash('sha256').update(bytes).digest('hex')}.asc`);
  return existsSync(signature);
}
