import { closeSync, openSync } from 'node:fs';
import { READ_FLAGS, readAt } from '../disk/files.js';

const HEAD_BYTES = 64;
const MACH_O = new Set(['feedface', 'feedfacf', 'cefaedfe', 'cffaedfe']);
/** Also the beginning of Java classes, whose version, which follows, is 45 or more. */
const MACH_O_UNIVERSAL = 'cafebabe';
const JAVA_VERSION = 45;
/** Where a Windows program says at which offset it has its own header. */
const PE_OFFSET = 60;

/**
 * Whether a file is a program, whatever its name is: ELF, Mach-O, PE, or a script that begins with `#!`
 * (docs/FORMAT.md §5). Throws the error of the system for a file that cannot be read.
 */
export function isProgram(path: string): boolean {
  const fd = openSync(path, READ_FLAGS);
  try {
    return isProgramIn((at, length) => readAt(fd, at, Buffer.alloc(length)));
  } finally {
    closeSync(fd);
  }
}

/** The same, for a file of which a beginning is known: a Windows program has its own header in its first kilobytes. */
export function isProgramHead(bytes: Buffer): boolean {
  return isProgramIn((at, length) => bytes.subarray(at, at + length));
}

function isProgramIn(read: (at: number, length: number) => Buffer): boolean {
  const head = read(0, HEAD_BYTES);
  return isScript(head) || isElf(head) || isMachO(head) || isPe(head, read);
}

/** A Rust source may begin with the attribute `#![...]`. */
function isScript(head: Buffer): boolean {
  const text = head.toString('latin1', 0, 3);
  return text.startsWith('#!') && text !== '#![';
}

function isElf(head: Buffer): boolean {
  return head.toString('latin1', 0, 4) === '\x7fELF';
}

function isMachO(head: Buffer): boolean {
  const magic = head.toString('hex', 0, 4);
  if (MACH_O.has(magic)) return true;
  return magic === MACH_O_UNIVERSAL && head.length >= 8 && head.readUInt32BE(4) < JAVA_VERSION;
}

function isPe(head: Buffer, read: (at: number, length: number) => Buffer): boolean {
  if (head.toString('latin1', 0, 2) !== 'MZ' || head.length < HEAD_BYTES) return false;
  return read(head.readUInt32LE(PE_OFFSET), 4).toString('latin1') === 'PE\0\0';
}
