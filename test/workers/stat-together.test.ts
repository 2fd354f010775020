import { lstatSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { identityOf, nameIdentity, writeIdentity } from '../../src/disk/identities.js';
import type { FileIdentity } from '../../src/disk/identities.js';
import { scanDirectory } from '../../src/places/scan.js';
import { statWith, threadsToStat } from '../../src/workers/stat-together.js';
import type { StatWork } from '../../src/workers/stat-together.js';
import { openThreads } from '../../src/workers/threads.js';
import type { Threads } from '../../src/workers/threads.js';

/** Enough that another thread takes part. */
const MANY = 40_000;

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'packsign-stat-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function write(count: number): readonly string[] {
  const names = Array.from({ length: count }, (_, index) => `a${String(index).padStart(6, '0')}-1.0.tar.gz`);
  for (const name of names) writeFileSync(join(directory, name), '');
  return names;
}

const nameHere = (name: string) =>
  nameIdentity(identityOf(lstatSync(join(directory, name), { bigint: true })));
const namesOf = (count: number, find: (index: number) => FileIdentity | null) =>
  Array.from({ length: count }, (_, index) => find(index)).map((one) =>
    one === null ? null : nameIdentity(one),
  );

/** Another thread as it should not be. */
function oneOther(act: (work: StatWork) => void): Threads {
  return {
    count: 2,
    warmUp: () => undefined,
    share: (work) => {
      act(work as StatWork);
      return [];
    },
    stop: () => undefined,
  };
}

const LIE = { device: 1n, inode: 2n, size: 3n, modified: 4n, changed: 5n };

describe('the status of many files', () => {
  it.each([1, 8])('is what each file says itself, with %i threads', (count) => {
    const names = write(50);
    const paths = Array.from({ length: MANY * count }, (_, index) => names[index % names.length] ?? '');
    const threads = openThreads();
    const find = statWith({ ...threads, count })(directory, paths);
    const found = namesOf(paths.length, find);
    threads.stop();
    const real = names.map(nameHere);
    expect(found).toEqual(paths.map((_, index) => real[index % names.length]));
  });

  it('is unknown only for files that are gone', () => {
    const names = write(50);
    unlinkSync(join(directory, names[7] ?? ''));
    const paths = Array.from({ length: MANY }, (_, index) => names[index % names.length] ?? '');
    const threads = openThreads();
    const found = namesOf(MANY, statWith({ ...threads, count: 2 })(directory, paths));
    threads.stop();
    expect(
      Array.from(found.keys()).filter((index) => (found[index] === null) !== (index % 50 === 7)),
    ).toEqual([]);
  });

  it('is shared once another thread pays off, with no more threads than there are', () => {
    const of = (count: number, files: number) => threadsToStat({ ...openThreads(), count }, files);
    expect([of(2, 20_000), of(2, MANY), of(8, 250_000), of(4, 250_000), of(1, 250_000)]).toEqual([
      0, 1, 7, 3, 0,
    ]);
  });
});

it('a scan on several threads finds the same as on one, even if a thread dies at work', () => {
  write(MANY);
  const scan = (threads?: Threads) => {
    const stat = threads === undefined ? {} : { stat: statWith(threads) };
    const { files, ...rest } = scanDirectory(directory, { globs: { include: [], exclude: [] }, ...stat });
    return { ...rest, archives: files.map(({ path, identity }) => `${path} ${nameIdentity(identity)}`) };
  };
  const alone = scan();
  expect(alone.archives.length).toBe(MANY);
  const threads = openThreads();
  expect(scan(threads)).toEqual(alone);
  threads.stop();
  const dying = oneOther(({ identities, blocks }) => {
    const block = Atomics.add(blocks, 0, 1);
    for (let index = 0; index < 60; index += 1) writeIdentity(identities, block * 128 + index, LIE);
  });
  expect(scan(dying)).toEqual(alone);
});
