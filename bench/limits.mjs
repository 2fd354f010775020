// The limits of this machine, measured in the same run as the rest.
import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SIZES } from './corpora.mjs';
import { measure, median } from './measure.mjs';

const LEAST = fileURLToPath(new URL('least.mjs', import.meta.url));

export function measureLimits({ corpus, size, folder, env, rounds }) {
  const { count, bytes } = SIZES[size];
  const sdists = `${corpus}/sdist`;
  const timed = (line) =>
    median(Array.from({ length: rounds }, () => measure(line, { folder, env }).seconds));
  const rates = Object.fromEntries(['md5', 'sha256'].map((digest) => [digest, hashRate(digest, env)]));
  return {
    total: count * bytes,
    rates,
    read: timed(`find '${sdists}' -name '*.tar.gz' -print0 | xargs -0 cat >/dev/null`),
    node: timed(`node -e 0`),
    least: Object.fromEntries(
      Object.entries({ status: sdists, archives: sdists, signature: join(folder, 'key.asc') }).map(
        ([part, given]) => [part, timed(`node '${LEAST}' ${part} '${given}'`)],
      ),
    ),
    replace: replaceMs(folder),
    database: databaseMs(folder, count),
  };
}

/** Bytes per second of OpenSSL on all cores, in blocks of the size that packsign reads; null without openssl. */
function hashRate(digest, env) {
  const args = [
    'speed',
    '-multi',
    String(availableParallelism()),
    '-seconds',
    '1',
    '-bytes',
    '65536',
    '-evp',
    digest,
  ];
  const { stdout } = spawnSync('openssl', args, { env, encoding: 'utf8' });
  const thousands = /([\d.]+)k\s*$/.exec(stdout ?? '')?.[1];
  return thousands === undefined ? null : Number(thousands) * 1000;
}

/** Median milliseconds to replace a small file durably. */
function replaceMs(folder) {
  return replacingMs(folder, 20, () => 'some bytes');
}

/** A database has about so many bytes for each file. */
const ENTRY_BYTES = 1000;

/** Median milliseconds to replace a database of so many files: copied from the one before, read as text, hashed, durable. */
function databaseMs(folder, count) {
  const before = Buffer.alloc(count * ENTRY_BYTES, '<string>some text of a database</string>\n');
  return replacingMs(folder, 9, () => {
    const bytes = Buffer.allocUnsafe(before.length);
    before.copy(bytes);
    bytes.toString('utf8');
    createHash('sha256').update(bytes).digest();
    return bytes;
  });
}

/** Median milliseconds to make bytes and to replace a file by them durably: write, fsync, rename, fsync of the folder. */
function replacingMs(folder, rounds, make) {
  const from = join(folder, 'durable.new');
  const to = join(folder, 'durable');
  const taken = Array.from({ length: rounds }, () => {
    const started = performance.now();
    const bytes = make();
    synced(from, 'w', (fd) => writeSync(fd, bytes));
    renameSync(from, to);
    synced(folder, 'r', () => undefined);
    return performance.now() - started;
  });
  rmSync(to);
  return median(taken);
}

function synced(path, flags, change) {
  const fd = openSync(path, flags);
  change(fd);
  fsyncSync(fd);
  closeSync(fd);
}

export function limitLines({ total, rates, read, node, least, replace, database }) {
  const gigabytes = (rate) => `${(rate / 1e9).toFixed(2)} GB/s`;
  const hashing = Object.entries(rates).flatMap(([digest, rate]) =>
    rate === null
      ? []
      : [
          `OpenSSL ${digest.toUpperCase()} on all cores ${gigabytes(rate)} (${(total / rate).toFixed(3)} s for this corpus)`,
        ],
  );
  return [
    ...hashing,
    `reading it, \`cat\` in one process ${read.toFixed(3)} s (${gigabytes(total / read)})`,
    `\`node -e 0\` ${node.toFixed(3)} s`,
    `Node without packsign: names and status of all files ${least.status.toFixed(3)} s; these, and to read, hash and unpack each file on all cores ${least.archives.toFixed(3)} s; OpenPGP.js, a key, a signature and its check ${least.signature.toFixed(3)} s`,
    `replacing a small file durably ${replace.toFixed(1)} ms; copying a database of so many files, reading it as text, hashing and replacing it ${database.toFixed(0)} ms`,
  ];
}
