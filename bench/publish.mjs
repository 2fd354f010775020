// node bench/publish.mjs [--swift] [--files N] [--latency MS] [--runs N] [--against PROGRAM]: publishes one new file to a bucket
// in which all others are there, in turn with a listing by curl: to the small store of the tests behind a latency, or to
// OpenStack Swift, which takes ten minutes for the others.
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { ROOT, compile, installIfNeeded } from '../scripts/tools.mjs';
import { median } from './measure.mjs';
import { startSmall, startSwift } from './stores.mjs';

const { values } = parseArgs({
  options: {
    swift: { type: 'boolean', default: false },
    files: { type: 'string', default: '20000' },
    latency: { type: 'string', default: '50' },
    runs: { type: 'string', default: '7' },
    against: { type: 'string' },
  },
});
const [files, latencyMs, runs] = [values.files, values.latency, values.runs].map(Number);
if (![files, runs].every((count) => Number.isSafeInteger(count) && count > 0) || !(latencyMs >= 0)) {
  console.error(
    'usage: node bench/publish.mjs [--swift] [--files N] [--latency MS] [--runs N] [--against PROGRAM]',
  );
  process.exit(2);
}

/** So many seconds longer than curl needs for the list of Swift. */
const BAR = 1;
const PROGRAM = join(ROOT, 'dist/bin/packsign.js');
const PROGRAMS = values.against === undefined ? [PROGRAM] : [resolve(values.against), PROGRAM];
const folder = mkdtempSync(join(tmpdir(), 'bench-publish-'));
const DESTINATION = 's3://bucket/dist';

/** What a program prints on standard output; `input` is what it reads. */
async function run(command, args, { env, input = '' }) {
  const child = spawn(command, args, { env, cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(input);
  const chunks = [];
  child.stdout.on('data', (bytes) => chunks.push(bytes));
  const [status] = await once(child, 'close');
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`);
  return Buffer.concat(chunks).toString();
}

async function seconds(work) {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

const packsign = async (program, args, env) => await run(process.execPath, [program, ...args], { env });

/** Each page by a curl of its own, which signs. */
async function listByCurl({ AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: key }) {
  const args = ['-sf', '--aws-sigv4', 'aws:amz:us-east-1:s3', '--config', '-'];
  const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  for (let token = ''; token !== undefined;) {
    const next = token === '' ? '' : `continuation-token=${encodeURIComponent(token)}&`;
    const page = await run('curl', [...args, `${url}/bucket?${next}list-type=2&prefix=dist%2F`], {
      env: { PATH: process.env.PATH },
      input: `user = "${id}:${key}"\nheader = "x-amz-content-sha256: ${empty}"\n`,
    });
    [, token] = /<NextContinuationToken>([^<]*)</.exec(page) ?? [];
  }
}

const show = (name, all) =>
  console.log(
    `${name.padEnd(60)}${all.map((one) => one.toFixed(2)).join(' ')}   median ${median(all).toFixed(2)} s`,
  );

async function bench() {
  const { middleman, env: ofStore, stop } = await (values.swift ? startSwift : startSmall)(folder);
  mkdirSync(join(folder, 'home'));
  mkdirSync(join(folder, 'dist'));
  const env = { ...ofStore, PATH: process.env.PATH, HOME: join(folder, 'home') };
  const add = (name) => writeFileSync(join(folder, `dist/${name}.bin`), randomBytes(100));
  for (let number = 0; number < files; number += 1) add(`f-${number}`);
  const key = ['key', 'generate', '--user-id', 'Ann', '--no-passphrase', '--output', 'key.asc'];
  await packsign(PROGRAM, key, env);
  const build = ['build', 'dist', '--key', 'key.signing.asc', '--quiet'];
  await packsign(PROGRAM, build, env);
  await packsign(PROGRAM, ['publish', 'dist', DESTINATION, '--quiet'], env);
  if (!values.swift) middleman.habits.delayMs = latencyMs;
  const where = values.swift ? 'Swift' : `a store that takes ${latencyMs} ms for each answer`;
  console.log(`${where}: ${files} files there, one new; load ${loadavg()[0].toFixed(1)}`);
  const listing = [];
  const taken = PROGRAMS.map(() => []);
  for (let number = 0; number < runs; number += 1) {
    for (const [index, program] of PROGRAMS.entries()) {
      add(`new-${number}-${index}`);
      await packsign(program, build, env);
      const publish = ['publish', 'dist', DESTINATION, '--quiet'];
      taken[index].push(await seconds(async () => await packsign(program, publish, env)));
    }
    listing.push(await seconds(async () => await listByCurl(ofStore)));
  }
  await stop();
  show('list, curl', listing);
  for (const [index, program] of PROGRAMS.entries())
    show(program === PROGRAM ? 'publish' : program, taken[index]);
  const beyond = median(taken.at(-1)) - median(listing);
  const isGood = !values.swift || beyond <= BAR;
  console.log(`${isGood ? 'good' : 'BAD '}  publish takes ${beyond.toFixed(2)} s longer than the list`);
  if (!isGood) process.exitCode = 1;
}

installIfNeeded();
if (compile() !== 0) process.exit(1);
try {
  await bench();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
