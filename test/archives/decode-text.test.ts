import { expect, it } from 'vitest';
import { decodeText } from '../../src/archives/decode-text.js';

it('is UTF-8 where the bytes are that, and else Latin-1', () => {
  expect(['c3a9', 'e9', '41', ''].map((hex) => decodeText(Buffer.from(hex, 'hex')))).toEqual([
    'é',
    'é',
    'A',
    '',
  ]);
});
