import { expect, test } from 'vitest';
import { fromSystem } from '../src/errors.js';

test.each([
  ['ENOSPC', 'write', /^make room on that disk, then run the same command again$/],
  ['EDQUOT', 'fsync', /^make room on that disk/],
  ['EMFILE', 'open', /^allow more open files, as with ulimit -n 4096/],
])('%s says what to do about it', (code, syscall, hint) => {
  const error = Object.assign(new Error(`${code}: words, ${syscall} '/x'`), { code, syscall, path: '/x' });
  expect(fromSystem(error)?.hint).toMatch(hint);
});

test('an error of the system that nobody can do anything about has no hint', () => {
  const error = Object.assign(new Error("EIO: i/o error, read '/x'"), { code: 'EIO', syscall: 'read' });
  expect(fromSystem(error)?.hint).toBe(null);
});
