import { expect, test } from 'vitest';
import { formatBytes } from '../../src/model/bytes.js';

test.each([
  [0, '0 bytes'],
  [999, '999 bytes'],
  [1000, '1.0 kB'],
  [9949, '9.9 kB'],
  [12_345, '12 kB'],
  [1_400_000, '1.4 MB'],
  [3e15, '3000 TB'],
])('%d bytes are shown as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
