import { expect, test } from 'vitest';
import { coverageAdvice, coverageOf } from '../../src/model/coverage.js';
import type { Uncovered } from '../../src/model/coverage.js';

const REST: readonly Uncovered[] = [
  { path: 'notes.txt', reason: 'kind' },
  { path: 'a.tgz.asc', reason: 'kind' },
  { path: 'b.tgz.asc', reason: 'kind' },
  { path: 'SHA256SUMS', reason: 'kind' },
  { path: 'tool', reason: 'kind' },
  { path: 'latest', reason: 'link' },
  { path: 'a.tgz.sig', reason: 'link' },
];

test('what is neither listed nor a companion is uncovered, in order of the paths', () => {
  const listed = ['a.tgz', 'tool'];
  expect(coverageOf(REST, (path) => listed.includes(path))).toEqual({
    uncovered: [
      { path: 'a.tgz.sig', reason: 'link' },
      { path: 'b.tgz.asc', reason: 'kind' },
      { path: 'latest', reason: 'link' },
      { path: 'notes.txt', reason: 'kind' },
    ],
    companions: 2,
  });
});

test.each<[readonly Uncovered['reason'][], string]>([
  [['kind'], '"Include" in S lists files of other kinds, "Exclude" leaves files out'],
  [['case', 'name'], 'rename files whose names cannot be listed, "Exclude" in S leaves files out'],
  [['special', 'link'], 'only regular files are listed, "Exclude" in S leaves files out'],
  [['unreadable'], 'make unreadable files readable, "Exclude" in S leaves files out'],
  [['new'], 'build again to list new files'],
])('what to do about the reasons %j', (reasons, advice) => {
  const uncovered = reasons.map((reason) => ({ path: 'a', reason }));
  expect(coverageAdvice(uncovered, 'S')).toBe(advice);
});
