import { expect, it } from 'vitest';
import { decodeDocument, decodeText } from '../../src/archives/decode-text.js';

it('is UTF-8 where the bytes are that, and else Latin-1', () => {
  expect(['c3a9', 'e9', '41', ''].map((hex) => decodeText(Buffer.from(hex, 'hex')))).toEqual([
    'é',
    'é',
    'A',
    '',
  ]);
});

it('a document may begin with a byte-order mark, also of UTF-16', () => {
  expect(['efbbbf41', 'fffe4100', '41'].map((hex) => decodeDocument(Buffer.from(hex, 'hex')))).toEqual([
    'A',
    'A',
    'A',
  ]);
});
