// node bench/queue.mjs [--files N] [--latency MS]: builds a bucket with one worker, with four, and with one that reads many
// objects at once, from a small store behind a latency. Prints times, peak memory, and whether both are what docs/SCALE.md
// leads to expect. It needs redis-server.
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { ROOT, compile, installIfNeeded } from '../scripts/tools.mjs';
import { startSmall } from './stores.mjs';

const { values } = parseArgs({
  options: { files: { type: 'string', default: '5000' }, latency: { type: 'string', default: '50' } },
});
const [files, latencyMs] = [Number(values.files), Number(values.latency)];
if (!Number.isSafeInteger(files) || files < 1 || !(latencyMs >= 0)) {
  console.error('usage: node bench/queue.mjs [--files N] [--latency MS]');
  process.exit(2);
}

/** How much faster four workers must be than one, how much slower one with its usual concurrency may be than four, and MB. */
const BARS = { four: 3.5, one: 1.3, memory: 250 };
const PROGRAM = join(ROOT, 'dist/bin/packsign.js');
const folder = mkdtempSync(join(tmpdir(), 'bench-queue-'));
const running = new Set();

/** The same bytes every time: many small files, some of 200 kB, a few of 3 MB. */
function fill(objects) {
  for (let number = 0; number < files; number += 1) {
    const size = number % 100 === 0 ? 3_000_000 : number % 10 === 0 ? 200_000 : 4000;
    const seed = createHash('sha256').update(String(number)).digest();
    const bytes = gzipSync(Buffer.alloc(size, seed), { level: 0 });
    objects.set(`dist/p${number % 50}/pkg${number}-1.0.gz`, { bytes, headers: {} });
  }
}

async function startRedis() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  const redis = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', ''], {
    cwd: folder,
  });
  running.add(redis);
  await until(redis, 'Ready to accept connections');
  return `redis://127.0.0.1:${port}`;
}

async function until(child, text) {
  let printed = '';
  await new Promise((done, fail) => {
    child.once('error', fail);
    child.once('exit', () => fail(new Error(`it has ended:\n${printed}`)));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes) => {
        printed += bytes;
        if (printed.includes(text)) done();
      });
    }
  });
}

/** Peak memory in MB; null where there is no /proc, and of what has ended. */
function peakOf({ pid }) {
  try {
    const [, kib] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kib === undefined ? null : Number(kib) / 1000;
  } catch {
    return null;
  }
}

/** One build with so many workers: seconds, and the peak memory of each process. */
async function measure({ workers, args }, { queue, env }) {
  const state = mkdtempSync(join(folder, 'state-'));
  writeFileSync(join(state, 'packsign.json'), '{ "Maintainer": "Ann <ann@example.org>" }');
  const start = (...words) => {
    const child = spawn(process.execPath, [PROGRAM, ...words], { env, cwd: folder });
    running.add(child);
    return child;
  };
  const started = Array.from({ length: workers }, () => start('worker', '--queue', queue, ...args));
  await Promise.all(started.map((worker) => until(worker, 'working on the queue')));
  const beganMs = performance.now();
  const asking = start('build', 's3://bucket/dist', '--state', state, '--queue', queue);
  const ended = once(asking, 'exit');
  asking.stdout.resume();
  asking.stderr.pipe(process.stderr);
  let peak = 0;
  while (asking.exitCode === null) {
    peak = Math.max(peak, peakOf(asking) ?? 0);
    await Promise.race([ended, sleep(100)]);
  }
  const seconds = (performance.now() - beganMs) / 1000;
  if (asking.exitCode !== 0) throw new Error(`packsign build ended with ${asking.exitCode}`);
  const memory = [peak, ...started.map((worker) => peakOf(worker) ?? 0)];
  for (const worker of started) worker.kill();
  await Promise.all(started.map((worker) => once(worker, 'exit')));
  const hash = createHash('sha256').update(readFileSync(join(state, 'packages.unsigned.plist')));
  return { seconds, memory, sha256: hash.digest('hex') };
}

function show(name, { seconds, memory }) {
  const [build, ...workers] = memory.map((mb) => Math.round(mb));
  console.log(
    `${name.padEnd(34)}${seconds.toFixed(1).padStart(8)} s   build ${build} MB, workers ${workers} MB`,
  );
}

function judge(what, value, isGood) {
  console.log(`${isGood ? 'good' : 'BAD '}  ${what}: ${value.toFixed(2)}`);
  if (!isGood) process.exitCode = 1;
}

async function run() {
  const { store, middleman, env: ofStore, stop } = await startSmall(folder);
  fill(store.objects);
  middleman.habits.delayMs = latencyMs;
  const queue = await startRedis();
  mkdirSync(join(folder, 'home'));
  const env = {
    ...{ PATH: process.env.PATH, HOME: join(folder, 'home'), SOURCE_DATE_EPOCH: '1780000000' },
    ...ofStore,
  };
  console.log(`${files} files, ${latencyMs} ms; load ${loadavg()[0].toFixed(1)}`);
  const one = await measure({ workers: 1, args: ['--concurrency', '1'] }, { queue, env });
  show('1 worker, --concurrency 1', one);
  const four = await measure({ workers: 4, args: ['--concurrency', '1'] }, { queue, env });
  show('4 workers, --concurrency 1', four);
  const many = await measure({ workers: 1, args: [] }, { queue, env });
  show('1 worker', many);
  const peak = Math.max(...[one, four, many].flatMap(({ memory }) => memory));
  const [gain, ratio] = [one.seconds / four.seconds, many.seconds / four.seconds];
  judge(`four are so many times as fast as one (${BARS.four} at least)`, gain, gain >= BARS.four);
  judge(
    `one as it comes takes so many times as long as four (${BARS.one} at most)`,
    ratio,
    ratio <= BARS.one,
  );
  judge(`the largest process has so many MB (${BARS.memory} at most)`, peak, peak < BARS.memory);
  const hashes = new Set([one, four, many].map(({ sha256 }) => sha256));
  judge('so many different databases (1)', hashes.size, hashes.size === 1);
  await stop();
}

installIfNeeded();
if (compile() !== 0) process.exit(1);
try {
  await run();
} finally {
  for (const child of running) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
