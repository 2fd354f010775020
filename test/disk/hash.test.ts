import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashFiles, openHasher } from '../../src/disk/hash.js';
import { scanDirectory } from '../../src/disk/scan.js';

const MIB = 1024 * 1024;

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'packsign-hash-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function expected(bytes: Buffer, md5: boolean): object {
  const digest = (name: string) => createHash(name).update(bytes).digest('hex');
  return { kind: 'digested', size: bytes.length, sha256: digest('sha256'), md5: md5 ? digest('md5') : null };
}

function write(sizes: readonly number[]): readonly Buffer[] {
  return sizes.map((size, index) => {
    const bytes = randomBytes(size);
    writeFileSync(join(directory, `f${String(index).padStart(5, '0')}-1.zip`), bytes);
    return bytes;
  });
}

/** How many files of the directory this process has open. */
function openFiles(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory);
    } catch {
      return false;
    }
  }).length;
}

const scan = () => scanDirectory(directory, { exclude: [] }).archives;

describe('hashing', () => {
  it.each([
    ['small files on one thread', [0, 1, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, MIB]],
    ['one large file, each digest on a thread of its own', [40 * MIB + 3]],
    ['three large files, the last one split', [12 * MIB, 13 * MIB + 1, 9 * MIB]],
    ['files that are read together', Array.from({ length: 40 }, (_, i) => 2 * MIB + (i % 5) * 1000 + i)],
    [
      'one much longer than those that are read together',
      [70 * MIB, ...Array.from({ length: 9 }, () => MIB)],
    ],
    ['large and small ones together', [30 * MIB, ...Array.from({ length: 300 }, (_, i) => i * 7)]],
  ])('gives the digests of %s in the order of the files', async (_name, sizes) => {
    const contents = write(sizes);
    for (const md5 of [true, false]) {
      const heard: number[] = [];
      const results = await hashFiles(scan(), { directory, md5, metadata: true }, (_digested, index) =>
        heard.push(index),
      );
      expect(results).toEqual(
        contents.map((bytes) => expect.objectContaining(expected(bytes, md5)) as object),
      );
      expect(results.every((result) => result.kind === 'digested' && result.reading !== null)).toBe(true);
      expect(heard.sort((a, b) => a - b)).toEqual(contents.map((_bytes, index) => index));
    }
  });

  it('T15: a file that is not the one that was scanned fails, and the others go on', async () => {
    const contents = write([100, 100, 100, 100]);
    const files = scan();
    const path = (index: number) => join(directory, files[index]?.path ?? '');
    appendFileSync(path(0), 'x');
    unlinkSync(path(1));
    unlinkSync(path(2));
    symlinkSync('/etc/passwd', path(2));
    const results = await hashFiles(files, { directory, md5: true, metadata: false });
    expect(results.map((result) => (result.kind === 'failed' ? result.code : 'ok'))).toEqual([
      'CHANGED_WHILE_READ',
      'GONE',
      'CHANGED_WHILE_READ',
      'ok',
    ]);
    expect(results[3]).toMatchObject(expected(contents[3]!, true));
  });

  it('T15: of files that are read together those fail that are not what was scanned, and the others go on', async () => {
    const contents = write(Array.from({ length: 20 }, (_, index) => 4 * MIB + index));
    const files = scan();
    const path = (index: number) => join(directory, files[index]?.path ?? '');
    appendFileSync(path(0), 'x');
    unlinkSync(path(1));
    unlinkSync(path(2));
    symlinkSync('/etc/passwd', path(2));
    truncateSync(path(3), MIB);
    truncateSync(path(4), 0);
    unlinkSync(path(5));
    mkdirSync(path(5));
    writeFileSync(path(6), randomBytes(4 * MIB + 6));
    const results = await hashFiles(files, { directory, md5: true, metadata: true });
    expect(results.map((result) => (result.kind === 'failed' ? result.code : 'ok'))).toEqual([
      'CHANGED_WHILE_READ',
      'GONE',
      ...Array.from({ length: 5 }, () => 'CHANGED_WHILE_READ'),
      ...Array.from({ length: 13 }, () => 'ok'),
    ]);
    for (const [index, bytes] of contents.entries()) {
      if (index > 6) expect(results[index]).toMatchObject(expected(bytes, true));
    }
    await expect.poll(openFiles, { timeout: 5000 }).toBe(0);
  });

  it('T15: half of a split file that fails, fails the file', async () => {
    write([40 * MIB]);
    const files = scan();
    appendFileSync(join(directory, files[0]?.path ?? ''), 'x');
    const [result] = await hashFiles(files, { directory, md5: true, metadata: true });
    expect(result).toMatchObject({ kind: 'failed', code: 'CHANGED_WHILE_READ' });
  });

  it('goes on in threads that came up before there was work, while this one does something else', async () => {
    const contents = write(Array.from({ length: 1200 }, (_, index) => index));
    const hasher = openHasher();
    hasher.warmUp(1200);
    const heard: number[] = [];
    const hashing = hasher.start(scan(), { directory, md5: false, metadata: true }, (_digested, index) =>
      heard.push(index),
    );
    const isHeard = () => heard.length > 0;
    await expect.poll(isHeard, { timeout: 10_000 }).toBe(availableParallelism() > 1);
    const results = await hashing.finish();
    hasher.stop();
    expect(results).toEqual(
      contents.map((bytes) => expect.objectContaining(expected(bytes, false)) as object),
    );
  });

  it('that nobody waits for ends with its threads', async () => {
    write(Array.from({ length: 1200 }, (_, index) => index));
    const hasher = openHasher();
    hasher.warmUp(1200);
    hasher.start(scan(), { directory, md5: false, metadata: true });
    hasher.stop();
    // A rejection that nobody hears would fail the run.
    await expect.poll(() => process.getActiveResourcesInfo().includes('MessagePort')).toBe(false);
  });
});
