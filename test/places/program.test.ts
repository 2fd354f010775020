import { describe, expect, test } from 'vitest';
import { isProgram } from '../../src/places/program.js';
import { newPlace } from '../packsign.js';

const zeros = (count: number) => Buffer.alloc(count);
const hex = (digits: string, rest = 100) => Buffer.concat([Buffer.from(digits, 'hex'), zeros(rest)]);

/** A DOS header that says where the next header is, and that header. */
function windows(offset: number, magic: string): Buffer {
  const head = zeros(64);
  head.write('MZ');
  head.writeUInt32LE(offset, 60);
  return Buffer.concat([head, zeros(Math.max(0, offset - 64)), Buffer.from(magic, 'latin1')]);
}

const path = newPlace();

function judge(bytes: Buffer | string): boolean {
  path.write('file', bytes);
  return isProgram(path.path('file'));
}

describe('a program is', () => {
  test.each([
    ['the Node that runs this test', null],
    ['ELF', hex('7f454c46')],
    ['Mach-O of 32 bits', hex('feedface')],
    ['Mach-O of 64 bits', hex('feedfacf')],
    ['Mach-O of 32 bits, little-endian', hex('cefaedfe')],
    ['Mach-O of 64 bits, little-endian', hex('cffaedfe')],
    ['universal Mach-O', hex('cafebabe00000002')],
    ['PE', windows(128, 'PE\0\0')],
    ['PE whose header follows at once', windows(64, 'PE\0\0')],
    ['a shell script', '#!/bin/sh\n'],
    ['a script with a blank before its interpreter', '#! /usr/bin/env node\n'],
    ['nothing but #!', '#!'],
  ])('%s', (_, bytes) => {
    expect(bytes === null ? isProgram(process.execPath) : judge(bytes)).toBe(true);
  });
});

describe('no program is', () => {
  test.each([
    ['an empty file', ''],
    ['text', 'hello\n'],
    ['a Rust source that begins with an attribute', '#![no_std]\n'],
    ['a Java class', hex('cafebabe00000034')],
    ['universal Mach-O cut short', Buffer.from('cafebabe', 'hex')],
    ['text that begins with MZ', `MZ${'x'.repeat(100)}`],
    ['a DOS program', windows(128, 'NE\0\0')],
    ['a header that points beyond the end', windows(128, '')],
    ['ELF cut short', Buffer.from('7f454c', 'hex')],
    ['a byte-order mark before #!', '\ufeff#!/bin/sh\n'],
  ])('%s', (_, bytes) => {
    expect(judge(bytes)).toBe(false);
  });
});
