import { describe, expect, test } from 'vitest';
import { renameOver } from '../../src/disk/rename.js';

/** Renames on a system where the first tries fail with these codes. */
function renameOn(platform: NodeJS.Platform, codes: readonly string[]) {
  const left = [...codes];
  const pauses: number[] = [];
  let tries = 0;
  const rename = () => {
    tries += 1;
    const code = left.shift();
    if (code !== undefined) throw Object.assign(new Error(code), { code, syscall: 'rename', errno: -1 });
  };
  const pause = (ms: number) => void pauses.push(ms);
  let thrown: unknown = null;
  try {
    renameOver('a', 'b', { platform, rename, pause });
  } catch (error) {
    thrown = (error as NodeJS.ErrnoException).code;
  }
  return { tries, thrown, pauses };
}

describe('renaming over a file', () => {
  test.each(['EACCES', 'EBUSY', 'EPERM'])('tries again on Windows while others have it open: %s', (code) => {
    expect(renameOn('win32', [code, code])).toEqual({ tries: 3, thrown: null, pauses: [10, 20] });
  });

  test('gives up on Windows within a second', () => {
    const { thrown, pauses } = renameOn('win32', Array<string>(100).fill('EPERM'));
    expect(thrown).toBe('EPERM');
    expect(pauses.reduce((sum, ms) => sum + ms)).toBeLessThan(1000);
  });

  test.each([
    ['an error that does not pass, on Windows', 'win32', 'ENOSPC'],
    ['a file that may not be replaced, elsewhere', 'linux', 'EPERM'],
    ['a file that may not be replaced, on a Mac', 'darwin', 'EACCES'],
  ] as const)('fails at once for %s', (_, platform, code) => {
    expect(renameOn(platform, [code])).toEqual({ tries: 1, thrown: code, pauses: [] });
  });
});
