import { describe, expect, test } from 'vitest';
import { parseChanges, parseListing, parseProgress } from '../../src/upload/rsync-output.js';

describe('what rsync lists', () => {
  test('has files with their sizes, grouped or not, and folders', () => {
    const text = [
      'drwxr-xr-x          4,096 2026/11/27 02:57:52 .',
      '-rw-r--r--      1,234,567 2026/11/27 02:57:52 a b -> c.zip',
      '-rw-r--r--+          4096 2026/11/27 02:57:52 sub/x.zip',
      'lrwxrwxrwx             11 2026/11/27 02:57:52 link.zip -> a.zip',
      '',
    ].join('\n');
    const { files, folders } = parseListing(text, 'x');
    expect(Array.from(files, ([path, { size }]) => [path, size])).toEqual([
      ['a b -> c.zip', 1_234_567],
      ['sub/x.zip', 4096],
    ]);
    expect(Array.from(folders)).toEqual(['.']);
  });

  test('has bytes that it does not print as octal numbers', () => {
    const line = '-rw-r--r--   1 2026/11/27 02:57:52 \\#303\\#274\\#134#012\n';
    expect(Array.from(parseListing(line, 'x').files.keys())).toEqual(['ü\\#012']);
  });

  test.each(['hello', '-rw-r--r-- 1 2026/11/27 a.zip', 'xrw-r--r-- 1 2026/11/27 02:57:52 a.zip'])(
    'is refused if it has the line "%s"',
    (line) => {
      expect(() => parseListing(`${line}\n`, 'x')).toThrow('cannot read what rsync lists');
    },
  );
});

test.each([
  ['\r         32,768   0%    0.00kB/s    0:00:00  \r  1,234,567  42%  146.38kB/s    0:00:08  ', 1_234_567],
  ['      1234567 100%  1.10GB/s    0:00:00 (xfr#3, to-chk=0/4)', 1_234_567],
  ['./\n', null],
])('the bytes that are there are the last ones that it prints: %j', (text, bytes) => {
  expect(parseProgress(text)).toBe(bytes);
});

test('changes are files that would be sent, whatever else differs', () => {
  const text = [
    '.f...p..... same.zip',
    '<f+++++++++ new one.zip',
    '<fcs....... other.zip',
    'cd+++++++++ sub/',
  ];
  expect(parseChanges(text.join('\n'))).toEqual(['new one.zip', 'other.zip']);
});
