import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
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
import type { Work } from '../../src/model/work.js';
import { digestFiles } from '../../src/workers/digest-together.js';
import type { Digested } from '../../src/workers/digest.js';
import { hashFiles, startHashing, warmUpToHash } from '../../src/workers/hash.js';
import { identityOf } from '../../src/disk/identities.js';
import { scanDirectory } from '../../src/places/scan.js';
import { openThreads } from '../../src/workers/threads.js';
import type { Threads } from '../../src/workers/threads.js';
import type { Worker } from 'node:worker_threads';
import type { ScannedFile } from '../../src/places/scan.js';
import { tarball } from '../packsign.js';
import { skip } from '../tools.js';

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

const scan = () => scanDirectory(directory, { globs: { include: [], exclude: [] } }).files;

/** Makes the first three files others than they were: a longer one, none, a link. */
function tamper(): void {
  const [longer = '', gone = '', link = ''] = scan().map((file) => join(directory, file.path));
  appendFileSync(longer, 'x');
  unlinkSync(gone);
  unlinkSync(link);
  symlinkSync('/etc/passwd', link);
}

describe('hashing', () => {
  it.each([
    ['small files on one thread', [0, 1, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, MIB]],
    ['one large file', [40 * MIB + 3]],
    ['three large files', [12 * MIB, 13 * MIB + 1, 9 * MIB]],
    ['files that are read together', Array.from({ length: 40 }, (_, i) => 2 * MIB + (i % 5) * 1000 + i)],
    [
      'one much longer than those that are read together',
      [70 * MIB, ...Array.from({ length: 9 }, () => MIB)],
    ],
    ['large and small ones together', [30 * MIB, ...Array.from({ length: 300 }, (_, i) => i * 7)]],
  ])('gives the digests of %s in the order of the files', async (_name, sizes) => {
    const contents = write(sizes);
    for (const md5 of [true, false]) {
      const works: (Work | null)[] = [];
      const results = await hashFiles(
        scan(),
        { directory, md5, metadata: true, inspect: 'none' as const },
        { progress: (work) => works.push(work) },
      );
      expect(results).toEqual(
        contents.map((bytes) => expect.objectContaining(expected(bytes, md5)) as object),
      );
      expect(results.every((result) => result.kind === 'digested' && result.look !== null)).toBe(true);
      const bytes = sizes.reduce((sum, size) => sum + size, 0);
      expect(works).toMatchObject([{ doing: 'checking', bytes, files: { count: sizes.length } }, null]);
      expect(works[0]?.files.done()).toBe(sizes.length);
      expect(works[0]?.done()).toBe(bytes);
    }
  });

  it('T15: a file that is not the one that was scanned fails, and the others go on', async () => {
    const contents = write([100, 100, 100, 100]);
    const files = scan();
    tamper();
    const results = await hashFiles(files, {
      directory,
      md5: true,
      metadata: false,
      inspect: 'none' as const,
    });
    expect(results.map((result) => (result.kind === 'failed' ? result.code : 'ok'))).toEqual([
      'CHANGED_WHILE_READ',
      'GONE',
      'CHANGED_WHILE_READ',
      'ok',
    ]);
    expect(results[3]).toMatchObject(expected(contents[3]!, true));
  });

  it('T15: of files that are read together, those fail that are not the scanned ones, and the others go on', async () => {
    const contents = write(Array.from({ length: 20 }, (_, index) => 4 * MIB + index));
    const files = scan();
    const path = (index: number) => join(directory, files[index]?.path ?? '');
    tamper();
    truncateSync(path(3), MIB);
    truncateSync(path(4), 0);
    unlinkSync(path(5));
    mkdirSync(path(5));
    writeFileSync(path(6), randomBytes(4 * MIB + 6));
    const results = await hashFiles(files, {
      directory,
      md5: true,
      metadata: true,
      inspect: 'none' as const,
    });
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

  it('T15: a file fails if it changes after it was read together with others', async () => {
    const contents = write(Array.from({ length: 3 }, (_, index) => 400_000 + index));
    const files = scan().map((file, index) => (index === 1 ? changing(file) : file));
    const results = await digestAll(files, false);
    expect(results.map(({ kind }) => kind)).toEqual(['digested', 'failed', 'digested']);
    expect(results[1]).toMatchObject({ code: 'CHANGED_WHILE_READ' });
    expect(results[0]).toMatchObject(expected(contents[0]!, true));
  });

  /** Gets other bytes when it is looked at for the last time. */
  function changing(file: ScannedFile): ScannedFile {
    let looks = 0;
    return {
      path: file.path,
      get identity() {
        looks += 1;
        if (looks === 3) writeFileSync(join(directory, file.path), 'y', { flag: 'r+' });
        return file.identity;
      },
    };
  }

  it('T15: a file with fewer bytes than its size fails, and gets no bytes of an earlier file', async (context) => {
    const path = '/sys/kernel/mm/transparent_hugepage/enabled';
    if (!existsSync(path)) skip(context, `there is no ${path}`);
    const file = { path, identity: identityOf(lstatSync(path, { bigint: true })) };
    if (file.identity.size <= readFileSync(path).length) skip(context, `${path} gives all of its size`);
    const results = await digestAll([file, file], false, '');
    expect(results.map((result) => result.kind === 'failed' && result.code)).toEqual(
      Array.from({ length: 2 }, () => 'CHANGED_WHILE_READ'),
    );
  });

  it('of files that are read together closes each, also where metadata is found far inside', async () => {
    const late = (index: number) =>
      tarball([
        { path: `f${index}-1.0/data`, bytes: randomBytes(600_000) },
        { path: `f${index}-1.0/PKG-INFO`, bytes: `Name: f${index}\nVersion: 1.0\n` },
      ]);
    for (let index = 0; index < 5; index += 1) {
      writeFileSync(join(directory, `f${index}-1.0.tar.gz`), late(index));
    }
    const results = await digestAll(scan(), true);
    expect(results.map((result) => result.kind === 'digested' && result.look)).toEqual(
      Array.from(
        { length: 5 },
        (_, index) =>
          expect.objectContaining({
            reading: expect.objectContaining({
              kind: 'found',
              metadata: expect.objectContaining({ name: `f${index}` }) as object,
            }) as object,
          }) as object,
      ),
    );
    expect(openFiles()).toBe(0);
  });

  it('looks for metadata far inside one file at a time', async () => {
    for (const name of ['a-1.0.tar.gz', 'b-1.0.tar.gz']) {
      const data = { path: 'x-1.0/data', bytes: randomBytes(600_000) };
      writeFileSync(
        join(directory, name),
        tarball([data, { path: 'x-1.0/PKG-INFO', bytes: 'Name: x\nVersion: 1.0\n' }]),
      );
    }
    const running = digestFiles(scan(), {
      directory,
      md5: true,
      metadata: true,
      inspect: 'none' as const,
    });
    const first = running.next();
    expect(openFiles()).toBe(2);
    await first.value;
    expect(openFiles()).toBe(1);
    await running.next().value;
    expect([openFiles(), running.next().done]).toEqual([0, true]);
  });

  async function digestAll(
    files: readonly ScannedFile[],
    metadata: boolean,
    root = directory,
  ): Promise<Digested[]> {
    const results: Digested[] = [];
    const options = { directory: root, md5: true, metadata, inspect: 'none' as const };
    for (const digested of digestFiles(files, options)) results.push(await digested);
    return results;
  }

  it('works on threads that started before there was work, while this one does something else', async () => {
    const contents = write(Array.from({ length: 1200 }, (_, index) => index));
    const threads = openThreads();
    warmUpToHash(threads, 1200);
    const heard: number[] = [];
    const hashing = startHashing(
      scan(),
      { directory, md5: false, metadata: true, inspect: 'none' as const, threads },
      (_digested, index) => heard.push(index),
    );
    const isHeard = () => heard.length > 0;
    await expect.poll(isHeard, { timeout: 300_000 }).toBe(availableParallelism() > 1);
    const results = await hashing.finish();
    threads.stop();
    expect(results).toEqual(
      contents.map((bytes) => expect.objectContaining(expected(bytes, false)) as object),
    );
  });

  it('replaces a thread that died before there was work', async () => {
    const contents = write(Array.from({ length: 1200 }, (_, index) => index));
    const threads = { ...openThreads(), count: 2 };
    // It cannot do such a thing.
    const [dying] = threads.share({ kind: 'hash' }, 1);
    await expect.poll(() => dying?.threadId, { timeout: 10_000 }).toBe(-1);
    const results = await startHashing(scan(), {
      directory,
      md5: false,
      metadata: true,
      inspect: 'none' as const,
      threads,
    }).finish();
    threads.stop();
    expect(results.map(({ kind }) => kind)).toEqual(contents.map(() => 'digested'));
  });

  it('leaves nothing at a thread that has done its work', async () => {
    write(Array.from({ length: 1200 }, (_, index) => index));
    const opened = openThreads();
    const used = new Set<Worker>();
    const share: Threads['share'] = (work, others) => {
      const sharing = opened.share(work, others);
      for (const worker of sharing) used.add(worker);
      return sharing;
    };
    const threads = { ...opened, count: 2, share };
    const options = { directory, md5: false, metadata: true, inspect: 'none' as const, threads };
    const listeners: number[] = [];
    for (let work = 0; work < 3; work += 1) {
      await startHashing(scan(), options).finish();
      const each = Array.from(used).flatMap((worker) =>
        ['message', 'error', 'exit'].map((event) => worker.listenerCount(event)),
      );
      listeners.push(each.reduce((sum, count) => sum + count, 0));
    }
    expect(used.size).toBe(1);
    expect(new Set(listeners).size, listeners.join()).toBe(1);
    opened.stop();
  });

  it('fails without waiting if a thread dies at work', async () => {
    write(Array.from({ length: 1200 }, (_, index) => index));
    const threads = { ...openThreads(), count: 2 };
    threads.share({ kind: 'hash' }, 1);
    const hashing = startHashing(scan(), {
      directory,
      md5: false,
      metadata: true,
      inspect: 'none' as const,
      threads,
    });
    await expect(hashing.finish()).rejects.toThrow();
    threads.stop();
  });

  it('ends with its threads if nobody waits for it', async () => {
    write(Array.from({ length: 1200 }, (_, index) => index));
    const threads = openThreads();
    warmUpToHash(threads, 1200);
    startHashing(scan(), { directory, md5: false, metadata: true, inspect: 'none' as const, threads });
    threads.stop();
    // A rejection that nobody hears would fail the run.
    await expect.poll(() => process.getActiveResourcesInfo().includes('MessagePort')).toBe(false);
  });
});
