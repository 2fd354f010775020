import { expect, it } from 'vitest';
import { readAt } from '../../src/archives/read-at.js';
import { withFile } from './packages.js';

it('gives the bytes that are there, and never more than the file had', () => {
  const read = (at: number, length: number) =>
    withFile(Buffer.from('abcdef'), (file) => readAt(file, at, length).toString());
  expect([read(0, 3), read(4, 3), read(6, 1), read(9, 1), read(0, 1e12)]).toEqual([
    'abc',
    'ef',
    '',
    '',
    'abcdef',
  ]);
});
