import { describe, expect, test } from 'vitest';
import { planTasks } from '../../src/workers/hash-plan.js';
import type { ScannedFile } from '../../src/places/scan.js';
import type { HashTask } from '../../src/workers/hash-tasks.js';

const MIB = 1024 * 1024;

function scanned(sizesMib: readonly number[]): readonly ScannedFile[] {
  return sizesMib.map((mib, index) => ({
    path: `f${index}`,
    identity: {
      device: 1n,
      inode: BigInt(index),
      size: BigInt(Math.round(mib * MIB)),
      modified: 0n,
      changed: 0n,
    },
  }));
}

function plan(sizesMib: readonly number[], threads: number, md5 = true): readonly HashTask[] {
  return planTasks(scanned(sizesMib), { threads, md5, metadata: true });
}

/** The sizes in each task, in the order of work. */
function shapes(sizesMib: readonly number[], threads: number, md5 = true): readonly (readonly number[])[] {
  return plan(sizesMib, threads, md5).map(({ files }) => files.map((index) => sizesMib[index] ?? NaN));
}

const times = (count: number, mib: number) => Array.from({ length: count }, () => mib);

describe('planning the hashing', () => {
  test('reads up to eight long files of similar size together, and gives every thread its share', () => {
    expect(shapes(times(16, 128), 2)).toEqual([times(8, 128), times(8, 128)]);
    expect(shapes(times(20, 128), 2)).toEqual(times(4, 5).map((count) => times(count, 128)));
    expect(shapes(times(16, 128), 8)).toEqual(times(8, 2).map((count) => times(count, 128)));
    expect(shapes(times(17, 10), 1)).toEqual([times(6, 10), times(6, 10), times(5, 10)]);
  });

  test('reads them one by one without MD5, and if there are few bytes', () => {
    expect(shapes(times(16, 128), 2, false)).toEqual(times(16, 1).map(() => [128]));
    expect(shapes(times(6, 10), 2)).toEqual(times(6, 1).map(() => [10]));
    expect(plan(times(3000, 0.05), 2).some(({ isTogether }) => isTogether)).toBe(false);
  });

  test('reads a much longer file alone', () => {
    expect(shapes([20, 500, 20, 340], 2)).toEqual([[500], [340], [20, 20]]);
    expect(shapes([900, ...times(8, 10)], 2).slice(0, 1)).toEqual([[900]]);
  });

  test('puts short files into tasks of 64, after the long ones', () => {
    const tasks = plan([...times(100, 0.01), 9, ...times(30, 0.02)], 2);
    expect(tasks.map(({ files }) => files.length)).toEqual([1, 64, 64, 2]);
    expect(tasks.every(({ isTogether }) => !isTogether)).toBe(true);
    expect(tasks[1]?.files.slice(0, 3)).toEqual([0, 1, 2]);
  });

  test('begins with the longest tasks, and reads every file once', () => {
    const sizes = [0, 0.01, 9, 300, 40, 0.07, 1, 2, 80, 80, 79, 78, 3, 0.02];
    for (const threads of [1, 2, 3, 8]) {
      const tasks = plan(sizes, threads);
      const read = tasks.flatMap(({ files }) => files);
      expect(read.toSorted((a, b) => a - b)).toEqual([...sizes.keys()]);
      const bytes = tasks.map(({ files }) => files.reduce((sum, index) => sum + (sizes[index] ?? 0), 0));
      const long = bytes.slice(0, -1);
      expect(long).toEqual(long.toSorted((a, b) => b - a));
      expect(tasks.at(-1)?.files).toEqual([0, 1, 13]);
    }
  });

  test('gives each file what it needs, and nothing that nobody asked for', () => {
    const files = scanned([1, 1, 0.01, 0.01]);
    const needs = (path: string) => ({ md5: path !== 'f0', metadata: path !== 'f3' });
    const needed = (md5: boolean) =>
      planTasks(files, { threads: 1, md5, metadata: true, needs }).map((task) => [
        task.files,
        task.md5,
        task.metadata,
      ]);
    expect(needed(true)).toEqual([
      [[1], true, true],
      [[0], false, true],
      [[2], true, true],
      [[3], true, false],
    ]);
    expect(needed(false)).toEqual([
      [[0], false, true],
      [[1], false, true],
      [[2], false, true],
      [[3], false, false],
    ]);
  });
});
