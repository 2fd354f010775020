import type { Lines } from './plist.js';

/** Bytes of a document that another is written upon, looked through once from its beginning. */
export interface Copied {
  readonly bytes: Buffer;
  /** All before this was passed. */
  at: number;
}

/** The entries of a list as they are to be written, beside those of the list that the bytes hold. */
export interface StayedList {
  readonly length: number;
  readonly textOf: (index: number) => string;
  readonly before: {
    readonly length: number;
    readonly textOf: (index: number) => string;
    /** The lines before the first entry, which stand nowhere else. */
    readonly opening: string;
  };
  /** Whether an entry is the very value that the other list has at a place. */
  readonly isSame: (index: number, before: number) => boolean;
  /** Whether what the other list has at a place must be gone, where both are sorted. */
  readonly isGone: (before: number, index: number) => boolean;
  /** Whether two entries of the other list could have the same text. */
  readonly canBeAlike: (before: number, other: number) => boolean;
}

/**
 * The lines of a list, of which unbroken runs of what stayed are copied. Where an entry begins in the bytes is never
 * guessed: the list is passed from its first entry on, and what is gone is written to know its length. Once the bytes
 * are not what they should be, everything is written anew.
 */
export function* stayedLines(list: StayedList, copied: Copied): Generator<Lines> {
  const { before } = list;
  let isKnown = pass(copied, before.opening);
  let passed = 0;
  for (let index = 0; index < list.length;) {
    while (isKnown && passed < before.length && isGone(list, passed, index)) {
      isKnown = passHere(copied, before.textOf(passed));
      passed += 1;
    }
    const count = isKnown ? countSame(list, index, passed) : 0;
    const { at } = copied;
    isKnown &&= passRun(list, { from: passed, count }, copied);
    if (isKnown && count > 0) yield copied.bytes.subarray(at, copied.at - 1);
    else for (let each = 0; each < Math.max(count, 1); each += 1) yield list.textOf(index + each);
    passed += count;
    index += Math.max(count, 1);
  }
}

function isGone(list: StayedList, before: number, index: number): boolean {
  return !list.isSame(index, before) && list.isGone(before, index);
}

function countSame({ length, before, isSame }: StayedList, index: number, passed: number): number {
  const limit = Math.min(length - index, before.length - passed);
  let count = 0;
  while (count < limit && isSame(index + count, passed + count)) count += 1;
  return count;
}

/** Passes so many entries, which begin here: by the text of the last of them, however often that comes among them. */
function passRun(
  { before, canBeAlike }: StayedList,
  { from, count }: { from: number; count: number },
  copied: Copied,
): boolean {
  if (count === 0) return true;
  if (count === 1) return passHere(copied, before.textOf(from));
  if (!startsHere(copied, before.textOf(from))) return false;
  const last = from + count - 1;
  const text = before.textOf(last);
  for (let index = from; index < last; index += 1) {
    if (canBeAlike(index, last) && before.textOf(index) === text && !pass(copied, `${text}\n`)) return false;
  }
  return pass(copied, `${text}\n`);
}

/** Whole lines, wherever they come next. No text of a value looks like them, since its `<` is escaped. */
function pass(copied: Copied, lines: string): boolean {
  const wanted = Buffer.from(`\n${lines}`);
  const found = copied.bytes.indexOf(wanted, Math.max(copied.at - 1, 0));
  if (found < 0) return false;
  copied.at = found + wanted.length;
  return true;
}

function passHere(copied: Copied, text: string): boolean {
  if (!startsHere(copied, text)) return false;
  copied.at += Buffer.byteLength(text) + 1;
  return true;
}

function startsHere({ bytes, at }: Copied, text: string): boolean {
  const wanted = Buffer.from(`${text}\n`);
  return bytes.subarray(at, at + wanted.length).equals(wanted);
}
