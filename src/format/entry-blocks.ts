// Row `Watch` of 20,000 files: 1.3 times slower without it.
import type { Entry } from './shape.js';

/** Entries that follow one another in a long list, and where their text stands in the bytes of the database. */
export interface Block {
  readonly entries: readonly Entry[];
  readonly start: number;
  readonly end: number;
}

const BLOCK = 32;

/**
 * Divides the entries of a list: into blocks that were written before, which need not be written again because no entry
 * ever changes, and into those that have to be.
 */
export function* divide(
  entries: readonly Entry[],
  before: readonly Block[],
): Generator<Block | readonly Entry[]> {
  const byFirst = new Map(before.map((block) => [block.entries[0]?.value, block]));
  for (let from = 0; from < entries.length;) {
    const block = byFirst.get(entries[from]?.value);
    if (block?.entries.every((entry, index) => isSame(entry, entries[from + index])) === true) {
      yield block;
      from += block.entries.length;
      continue;
    }
    let end = from + 1;
    while (end < entries.length && end < from + BLOCK && !byFirst.has(entries[end]?.value)) end += 1;
    yield entries.slice(from, end);
    from = end;
  }
}

function isSame(a: Entry, b: Entry | undefined): boolean {
  return b !== undefined && a.value === b.value && a.key === b.key;
}
