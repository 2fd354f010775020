import type { Lines } from './encode-plist.js';

/** The bytes of the old document, which the writer reads once from the beginning. */
export interface Copied {
  readonly bytes: Buffer;
  /** Everything before this position was passed. */
  at: number;
}

/** The entries of a list, and the lines of each. */
export interface EntryTexts {
  readonly length: number;
  readonly textOf: (index: number) => string;
}

/** The entries of a list to write, next to the entries of the old list, which the bytes hold. */
export interface StayedList extends EntryTexts {
  /** `opening`: the lines before the first entry, which occur nowhere else. */
  readonly before: EntryTexts & { readonly opening: string };
  /** Whether an entry is the same object as an entry of the old list. */
  readonly isSame: (index: number, before: number) => boolean;
  /** Whether an entry of the old list is gone: it sorts before this entry of the new list. */
  readonly isGone: (before: number, index: number) => boolean;
  /** Whether two entries of the old list could have the same text. */
  readonly canBeAlike: (before: number, other: number) => boolean;
}

/**
 * The lines of a list. Copies unbroken runs of entries that stayed from the old bytes. It never guesses where an entry
 * begins in the bytes: it passes the old list from its first entry on, and writes removed entries to know their length.
 * If the bytes are not as expected, it writes everything from there on.
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

/** Passes a run of entries that begins here: finds the text of its last entry, once for each entry with that text. */
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

/** Passes the next occurrence of whole lines. The text of a value cannot contain them, because its `<` is escaped. */
function pass(copied: Copied, lines: string): boolean {
  const expected = Buffer.from(`\n${lines}`);
  const found = copied.bytes.indexOf(expected, Math.max(copied.at - 1, 0));
  if (found < 0) return false;
  copied.at = found + expected.length;
  return true;
}

function passHere(copied: Copied, text: string): boolean {
  if (!startsHere(copied, text)) return false;
  copied.at += Buffer.byteLength(text) + 1;
  return true;
}

function startsHere({ bytes, at }: Copied, text: string): boolean {
  const expected = Buffer.from(`${text}\n`);
  return bytes.subarray(at, at + expected.length).equals(expected);
}
