import { describe, expect, test } from 'vitest';
import { planTasks } from '../../src/workers/hash-plan.js';
import type { HashTask } from '../../src/workers/hash-tasks.js';

const MIB = 1024 * 1024;

function plan(sizesMib: readonly number[], threads: number, md5 = true): readonly HashTask[] {
  const files = sizesMib.map((mib, index) => ({
    path: `f${index}`,
    identity: {
      device: 1n,
      inode: BigInt(index),
      size: BigInt(Math.round(mib * MIB)),
      modified: 0n,
      changed: 0n,
    },
  }));
  return planTasks(files, { threads, md5, metadata: true, inspect: 'none' as const });
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
    expect(shapes(times(3000, 0.05), 2)).toEqual(times(3000, 1).map(() => [0.05]));
  });

  test('reads a much longer file alone, and the last of these once for each digest', () => {
    expect(shapes([20, 500, 20, 340], 2)).toEqual([[500], [340], [20, 20]]);
    const [first, second, ...others] = plan([900, ...times(8, 10)], 2);
    expect([first, second]).toMatchObject([
      { files: [0], sha256: false, md5: true, metadata: false, inspect: 'none' as const },
      { files: [0], sha256: true, md5: false, metadata: true, inspect: 'none' as const },
    ]);
    expect(others.flatMap(({ files }) => files)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(shapes([10_000, 7000, ...times(14, 1000)], 8).slice(0, 2)).toEqual([[10_000], [10_000]]);
  });

  test('begins with the longest tasks, and gives every file both digests', () => {
    const sizes = [0, 0.01, 9, 300, 40, 0.07, 1, 2, 80, 80, 79, 78, 3, 0.02];
    for (const threads of [1, 2, 3, 8]) {
      const tasks = plan(sizes, threads);
      for (const index of sizes.keys()) {
        const readings = tasks.filter(({ files }) => files.includes(index));
        expect(readings.filter(({ sha256 }) => sha256)).toHaveLength(1);
        expect(readings.filter(({ md5 }) => md5)).toHaveLength(1);
        expect(readings.filter(({ metadata }) => metadata)).toHaveLength(1);
      }
      const bytes = tasks.map(({ files }) => files.reduce((sum, index) => sum + (sizes[index] ?? 0), 0));
      const long = bytes.filter((mib) => mib >= 0.07);
      expect(long).toEqual(long.toSorted((a, b) => b - a));
      expect(bytes.slice(long.length)).toEqual([0, 0.01, 0.02]);
    }
  });
});
