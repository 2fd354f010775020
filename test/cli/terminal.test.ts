import { expect, test } from 'vitest';
import { formatInteger } from '../../src/cli/terminal.js';

test('numbers have a comma after every three digits', () => {
  for (const number of [0, 7, 999, 1000, 12_345, 123_456, 1_000_000, 2 ** 53 - 1, -1234, 1234.5]) {
    expect(formatInteger(number)).toBe(Math.round(number).toLocaleString('en-US'));
  }
});
